//! Which runs are wanted.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::ask::Only;
use super::find::Found;
use super::{By, Effort, Reader};
use crate::Error;
use crate::item::Pointer;
use crate::run::{Card, kept, last_name};
use crate::schema::bounded;
use crate::time::Window;
use crate::totals::{Flow, Totals, cut};

/// How many of the newest runs with a member of the baggage are looked at.
const MAX_NAMED: usize = 500;

/// What a run must have; all by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// The function.
    pub function: Option<String>,
    /// The entry point of its transaction.
    pub entry: Option<String>,
    /// On whose behalf it ran.
    pub user: Option<String>,
    /// The customer.
    pub account: Option<String>,
    /// What the customer pays for.
    pub plan: Option<String>,
    /// Whether the user is a test user.
    pub test_user: Option<bool>,
    /// The correlation id.
    pub correlation_id: Option<String>,
    /// The request id.
    pub request_id: Option<String>,
    /// The id of a message, or of another call, that it received or sent.
    pub message_id: Option<String>,
    /// Members of the baggage that the writer was told to find runs by.
    pub baggage: BTreeMap<String, String>,
    /// Whether its debug lines were asked for.
    pub debug: Option<bool>,
    /// Whether it was to change nothing.
    pub dry_run: Option<bool>,
    /// The type of its error, whole or the last name of its path: `PaymentError` of `payment_worker::PaymentError`.
    pub error: Option<String>,
    /// The status of its HTTP answer.
    pub http_status: Option<u64>,
    /// The deployed version.
    pub build: Option<String>,
    /// At least so many microseconds.
    pub longer_than: Option<u64>,
    /// At most so many microseconds.
    pub shorter_than: Option<u64>,
    /// Whether it failed.
    pub failed: Option<bool>,
    /// Whether it dropped an error, and did not fail.
    pub swallowed: Option<bool>,
}

/// A filter, and the runs that it names by what their cards do not say.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    filter: &'a Filter,
    /// The newest first.
    pub(super) named: Option<Vec<Pointer>>,
    keys: HashSet<(String, String)>,
}

impl Filter {
    /// Whether `card` is wanted, as far as it says: not by message ids and other members of the baggage.
    #[must_use]
    pub fn wants(&self, card: &Card) -> bool {
        self.wants_but_for_time(card)
            && self.longer_than.is_none_or(|longer| card.duration >= longer)
            && self.shorter_than.is_none_or(|shorter| card.duration <= shorter)
    }

    pub(super) fn wants_but_for_time(&self, card: &Card) -> bool {
        let named =
            |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| bounded(wanted) == is);
        let is = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || same(wanted, is);
        named(&self.function, &card.function)
            && is(&self.entry, &card.entry)
            && is(&self.user, &card.user)
            && is(&self.account, &card.account)
            && is(&self.plan, &card.plan)
            && is(&self.correlation_id, &card.correlation_id)
            && named(&self.request_id, &card.request_id)
            && is(&self.build, &card.build)
            && (self.error.is_none() || card.error.as_ref().is_some_and(|error| self.is_of(&error.kind)))
            && self.test_user.is_none_or(|test| test == card.test_user)
            && self.debug.is_none_or(|debug| debug == card.debug)
            && self.dry_run.is_none_or(|dry_run| dry_run == card.dry_run)
            && self.failed.is_none_or(|failed| failed == card.failed())
            && self.swallowed.is_none_or(|swallowed| swallowed == card.has_swallowed())
            && (self.http_status.is_none() || self.http_status == card.http_status)
    }

    /// Whether errors of this type are wanted.
    #[must_use]
    pub fn is_of(&self, kind: &str) -> bool {
        // The last name of a path, of whichever language: `payment::Declined`, `app.HttpError`.
        let ends = |error: &str| kind.strip_suffix(error).is_some_and(|path| path.ends_with('.'));
        self.error
            .as_deref()
            .is_none_or(|error| kept(error) == kind || error == last_name(kind) || ends(error))
    }

    /// Whether a transaction that began with this run may have a wanted one: what travels with it from its begin is the same
    /// in all of them.
    pub(super) fn may_follow(&self, begun: &Card) -> bool {
        let may = |wanted: &Option<String>, is: &Option<String>| {
            wanted.is_none() || is.is_none() || same(wanted, is)
        };
        may(&self.entry, &begun.entry) && may(&self.correlation_id, &begun.correlation_id)
    }

    /// Whether this run says that a transaction that began with it has a wanted one; [`Filter::may_follow`] has those too
    /// that say nothing.
    pub(super) fn is_followed_by(&self, begun: &Card) -> bool {
        let is = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || same(wanted, is);
        is(&self.entry, &begun.entry) && is(&self.correlation_id, &begun.correlation_id)
    }

    /// Whether it asks for what travels with a transaction, which not all of its runs know themselves.
    #[must_use]
    pub fn asks_for_carried(&self) -> bool {
        *self != self.without_carried()
    }

    /// Without what travels with a transaction, and is lost where no context is carried.
    pub(super) fn without_carried(&self) -> Self {
        Self {
            entry: None,
            user: None,
            account: None,
            plan: None,
            test_user: None,
            correlation_id: None,
            ..self.clone()
        }
    }

    /// What of it the table can see to: of cards that are none of it nothing is sent.
    pub(super) fn only(&self) -> Vec<Only> {
        let texts = [
            ("entry", &self.entry),
            ("user", &self.user),
            ("account", &self.account),
            ("plan", &self.plan),
            ("correlation_id", &self.correlation_id),
            ("build", &self.build),
        ];
        let texts =
            texts.into_iter().filter_map(|(name, value)| Some(Only::text(name, kept(value.as_deref()?))));
        texts.collect()
    }

    /// The same of [`Filter::is_followed_by`].
    pub(super) fn only_followed(&self) -> Vec<Only> {
        let Self { entry, correlation_id, .. } = self.clone();
        Self { entry, correlation_id, ..Self::default() }.only()
    }

    /// Whether it asks for what travels with a transaction from its begin.
    pub(super) fn asks_for_followed(&self) -> bool {
        self.entry.is_some() || self.correlation_id.is_some()
    }

    /// Whether only failures are asked for.
    #[must_use]
    pub fn only_failures(&self) -> bool {
        self.failed == Some(true) || self.error.is_some()
    }

    /// Whether it asks for no more than [`Totals`] tell: function, entry point and build, and whether they failed.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        let Self { function, entry, build, failed, .. } = self.clone();
        *self == Self { function, entry, build, failed, ..Self::default() }
    }

    /// Keeps the flows that are wanted.
    pub(super) fn narrow(&self, totals: &mut Totals) {
        totals.flows.retain(|flow, _| self.counts(flow));
    }

    /// The flows that are wanted.
    pub(super) fn flows<'a>(&self, totals: &'a Totals) -> impl Iterator<Item = &'a Flow> {
        totals.flows.iter().filter(|(flow, _)| self.counts(flow)).map(|(_, flow)| flow)
    }

    fn counts(&self, (entry, build): &(String, String)) -> bool {
        let is = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| cut(wanted) == is);
        is(&self.entry, entry) && is(&self.build, build)
    }
}

/// Whether a card has what is wanted, as much of it as cards keep.
fn same(wanted: &Option<String>, is: &Option<String>) -> bool {
    wanted.as_deref().map(kept) == is.as_deref()
}

impl Wanted<'_> {
    pub(super) fn wants(&self, card: &Card) -> bool {
        self.is_named(card) && self.filter.wants(card)
    }

    /// The same of a run of a transaction: without a function in the filter, how long it took is asked of the whole.
    pub(super) fn wants_run(&self, card: &Card) -> bool {
        let of_run = self.filter.function.is_some();
        self.is_named(card)
            && if of_run { self.filter.wants(card) } else { self.filter.wants_but_for_time(card) }
    }

    /// Whether a transaction took as long as is wanted, in microseconds.
    pub(super) fn wants_whole(&self, duration: u64) -> bool {
        let Filter { function, longer_than, shorter_than, .. } = self.filter;
        let fits = longer_than.is_none_or(|longer| duration >= longer)
            && shorter_than.is_none_or(|shorter| duration <= shorter);
        function.is_some() || fits
    }

    /// Whether it asks for what travels with a transaction.
    pub(super) fn asks_for_carried(&self) -> bool {
        self.filter.asks_for_carried()
    }

    /// Whether nothing was asked for.
    pub(super) fn wants_any(&self) -> bool {
        *self.filter == Filter::default()
    }

    pub(super) fn is_named(&self, card: &Card) -> bool {
        self.named.is_none() || self.keys.contains(&(card.request_id.clone(), card.span_id.clone()))
    }
}

impl Reader {
    /// Looks up the runs that a filter names by the id of a message, or by a member of the baggage.
    ///
    /// At most one request for the message, and 16 for each member; pages beyond the first count as with all questions.
    pub(super) async fn wanted<'a>(
        &self,
        filter: &'a Filter,
        window: Window,
        effort: &mut Effort,
    ) -> Result<Wanted<'a>, Error> {
        let mut wanted = Wanted { filter, named: None, keys: HashSet::new() };
        if let Some(id) = &filter.message_id {
            let found = self.by_id(id, effort).await?;
            let messages = found.into_iter().filter(|found| matches!(found.by, By::Message(_)));
            wanted.narrow(messages.map(|Found { run, .. }| run).collect());
        }
        for (key, value) in &filter.baggage {
            let runs = effort.take(self.with_baggage(key, value, window, MAX_NAMED).await?);
            effort.at_least |= runs.len() >= MAX_NAMED;
            wanted.narrow(runs);
        }
        Ok(wanted)
    }
}

impl Wanted<'_> {
    /// Of those that were named so far, these.
    fn narrow(&mut self, mut runs: Vec<Pointer>) {
        let key = |run: &Pointer| (run.request_id.clone(), run.span_id.clone());
        if self.named.is_some() {
            runs.retain(|run| self.keys.contains(&key(run)));
        }
        self.keys = runs.iter().map(key).collect();
        self.named = Some(runs);
    }
}

//! The last good transactions of the same shape, and in what another is not like them.
//!
//! Of the same shape are those that came in at the same entry point and went through the same functions, by the same
//! triggers. What has failed has often not gone on, and what was tried in vain is read from the queue of dead letters: so
//! where none took the same path, those are compared that went further, then those that went less far.
//!
//! Good is what is good as a whole, with the traces that it joins.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::try_join_all;
use serde::Serialize;

use super::ask::Only;
use super::joined::{Known, MAX_JOINING};
use super::summary::Runs;
use super::{Answer, Effort, Reader, Transaction, compare};
use crate::Error;
use crate::run::Card;
use crate::time::{HOUR, Window};

use super::compare::{Difference, Slower};

/// How long before it one looks for good ones, in milliseconds.
const BEFORE: u64 = 24 * HOUR;
/// How many transactions of the same entry are looked at, the newest.
pub(super) const MAX_LOOKED_AT: usize = 50;
/// How many good ones are read whole: what differs among them is not told.
pub(super) const MAX_READ: usize = 3;

/// Against the last good transactions of the same shape.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The last of them.
    pub trace_id: String,
    /// When it began, in milliseconds since 1970.
    pub at: u64,
    /// Whether its path is the same.
    pub path: Path,
    /// How many good ones there are of which durations are known, 50 at most.
    pub good: u64,
    /// Functions that the last good one went through, and this one not.
    pub not_reached: Vec<String>,
    /// What is not as in any of the last three good ones, builds and statuses first.
    pub differences: Vec<Difference>,
    /// What took longer than in 95 % of the good ones.
    pub slower: Vec<Slower>,
}

/// Why a transaction is compared with none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Incomparable {
    /// It is not known where it began.
    BeganNowhere,
    /// None came in there in the 24 hours before it.
    NoneBefore,
    /// Of those that did none is known to have gone well.
    NoneGood,
    /// Those that went well took other paths.
    OtherPaths,
}

/// How the path of a good transaction is to that of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// The same functions by the same triggers.
    Same,
    /// It went on where the other ended.
    Longer,
    /// It ended where the other went on.
    Shorter,
}

impl Comparison {
    /// Of fewer good ones it is not told what took longer: their durations say little.
    pub const FEWEST: u64 = compare::FEWEST as u64;

    /// Whether anything differs.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.path != Path::Same || !self.differences.is_empty() || !self.slower.is_empty()
    }
}

/// A good transaction by its cards.
struct Good {
    first: Card,
    cards: Vec<Card>,
    path: Path,
}

type Steps<'a> = BTreeSet<(&'a str, Option<&'a str>)>;

impl Reader {
    /// The transaction against the last good ones of the same shape that began in the 24 hours before it; else why there
    /// are none.
    ///
    /// At most 32 requests for those that came in, one for each of 50 that are looked at, 400 for what joins them, 50, and
    /// three [transactions](Reader::transaction).
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn last_good(
        &self,
        of: &Transaction,
    ) -> Result<Answer<Result<Comparison, Incomparable>>, Error> {
        let mut effort = Effort::default();
        let Some(first) = of.runs.iter().find(|run| run.began).cloned() else {
            return Ok(effort.answer(Err(Incomparable::BeganNowhere)));
        };
        let good = match self.good(of, &first, &mut effort).await? {
            Ok(good) => good,
            Err(why) => return Ok(effort.answer(Err(why))),
        };
        let Some(last) = good.first() else { return Ok(effort.answer(Err(Incomparable::NoneGood))) };
        let asked = good.iter().take(MAX_READ).map(|one| self.transaction(&one.first.trace_id));
        let read: Vec<_> = try_join_all(asked).await?.into_iter().map(|one| effort.take(one)).collect();
        let ours: BTreeSet<&str> = of.runs.iter().map(|run| run.function.as_str()).collect();
        let missing = last.cards.iter().filter(|card| !ours.contains(card.function.as_str()));
        let missing: BTreeSet<String> = missing.map(|card| card.function.clone()).collect();
        let cards: Vec<&[Card]> = good.iter().map(|one| one.cards.as_slice()).collect();
        let comparison = Comparison {
            trace_id: last.first.trace_id.clone(),
            at: last.first.at(),
            path: last.path,
            good: good.len() as u64,
            not_reached: missing.into_iter().collect(),
            differences: compare::differences(of, &read),
            slower: compare::slower(&of.runs, &cards),
        };
        Ok(effort.answer(Ok(comparison)))
    }

    /// The newest first, all of the path that is most like it; else why there are none.
    async fn good(
        &self,
        of: &Transaction,
        first: &Card,
        effort: &mut Effort,
    ) -> Result<Result<Vec<Good>, Incomparable>, Error> {
        let window = Window::new(first.at().saturating_sub(BEFORE), first.at());
        let came_before = AtomicBool::new(false);
        let is_like = |card: &Card| {
            let same = (&card.entry, &card.function) == (&first.entry, &first.function);
            let is_other = same && !of.trace_ids.contains(&card.trace_id);
            came_before.fetch_or(is_other, Ordering::Relaxed);
            is_other && !card.failed()
        };
        let entry = first.entry.iter().map(|entry| Only::text("entry", entry));
        let all = entry.chain([Only::text("function", &first.function)]).collect();
        let begun = self.begun(window, all, is_like, MAX_LOOKED_AT, effort).await?;
        let traces: Vec<&str> = begun.iter().map(|card| card.trace_id.as_str()).collect();
        let mut known = Known::new(MAX_JOINING);
        self.join(&traces, &mut known, effort).await?;
        let ours = steps(&of.runs);
        let clean = |card: &Card| !card.failed() && card.swallowed.is_none_or(|errors| errors == 0);
        let (mut good, mut others): (Vec<Good>, bool) = Default::default();
        for first in begun {
            let whole = Runs::of(&known, &first.trace_id);
            // Of what is not known whole nobody can say that it is good.
            if !whole.is_complete() || !whole.cards().iter().all(clean) {
                continue;
            }
            match path(&ours, &steps(whole.cards())) {
                Some(path) => good.push(Good { first, cards: whole.cards().to_vec(), path }),
                None => others = true,
            }
        }
        let best = good.iter().map(|one| one.path).min();
        good.retain(|one| Some(one.path) == best);
        let why = match (others, came_before.into_inner()) {
            (true, _) => Incomparable::OtherPaths,
            (false, true) => Incomparable::NoneGood,
            (false, false) => Incomparable::NoneBefore,
        };
        Ok(if good.is_empty() { Err(why) } else { Ok(good) })
    }
}

fn steps(cards: &[Card]) -> Steps<'_> {
    let runs = cards.iter().filter(|card| card.part_of.is_none());
    runs.map(|card| (card.function.as_str(), card.source.as_deref())).collect()
}

fn path(ours: &Steps<'_>, theirs: &Steps<'_>) -> Option<Path> {
    if ours == theirs {
        Some(Path::Same)
    } else if theirs.is_superset(ours) {
        Some(Path::Longer)
    } else {
        theirs.is_subset(ours).then_some(Path::Shorter)
    }
}

//! Groups of errors while they are counted: of what sandboxes have counted already, and of failures that were read.

use std::collections::{BTreeMap, BTreeSet};

use super::super::ask::Ask;
use super::{ErrorGroup, MAX_TOLD};
use crate::hash::{FAILURE_SHARDS, shard_of_run};
use crate::run::{Card, Failure};
use crate::schema::{Partition, bounded, sort};
use crate::time::{DAY, Window};
use crate::totals::Errors;

/// Groups by function, type, and by what their messages have in common.
pub(super) struct Groups {
    window: Window,
    groups: BTreeMap<(String, String, String), Group>,
}

/// Those of one function that say the same.
#[derive(Default)]
pub(super) struct Group {
    function: String,
    kind: String,
    errors: Errors,
    before: u64,
    builds: BTreeSet<String>,
    /// The newest, if it was read.
    pub(super) card: Option<Card>,
}

impl Groups {
    pub(super) fn new(window: Window) -> Self {
        Self { window, groups: BTreeMap::new() }
    }

    /// Adds what was counted of a build, in the window or before.
    pub(super) fn count(
        &mut self,
        function: &str,
        build: &str,
        (kind, alike): (&str, &str),
        errors: &Errors,
        is_now: bool,
    ) {
        let key = (function.to_owned(), kind.to_owned(), alike.to_owned());
        let fresh = || Group { function: function.to_owned(), kind: kind.to_owned(), ..Group::default() };
        let group = self.groups.entry(key).or_insert_with(fresh);
        if !is_now {
            group.before = group.before.saturating_add(errors.count);
            return;
        }
        if errors.newest > group.errors.newest {
            group.card = None;
        }
        group.errors.merge(errors);
        group.builds.extend(Some(build.to_owned()).filter(|build| !build.is_empty()));
    }

    /// Adds a failure.
    pub(super) fn add(&mut self, failure: Card) {
        let Some(((kind, alike), errors)) = Errors::of(&failure, failure.at()) else { return };
        let build = failure.build.as_deref().unwrap_or_default();
        let is_now = failure.at() >= self.window.from;
        self.count(&failure.function, build, (&kind, &alike), &errors, is_now);
        let key = (failure.function.clone(), kind, alike);
        if let Some(group) = self.groups.get_mut(&key).filter(|group| is_now && group.is_newest(&failure)) {
            group.card = Some(failure);
        }
    }

    /// The most frequent ones of the window.
    pub(super) fn most(self) -> Vec<Group> {
        let mut groups: Vec<Group> =
            self.groups.into_values().filter(|group| group.errors.count > 0).collect();
        let order = |group: &Group| (u64::MAX - group.errors.count, group.error(), group.function.clone());
        groups.sort_by_cached_key(order);
        groups.truncate(MAX_TOLD);
        groups
    }
}

impl Group {
    fn error(&self) -> Failure {
        Failure { kind: self.kind.clone(), message: self.errors.newest.message.clone() }
    }

    /// Whether this is the newest of them.
    pub(super) fn is_newest(&self, card: &Card) -> bool {
        let newest = &self.errors.newest;
        (newest.at, &newest.request_id, &newest.span_id, &newest.record)
            == (card.at(), &card.request_id, &card.span_id, &card.record)
    }

    pub(super) fn told(self) -> ErrorGroup {
        let error = self.error();
        let newest = &self.errors.newest;
        let counted = || Card {
            request_id: newest.request_id.clone(),
            span_id: newest.span_id.clone(),
            record: newest.record.clone(),
            trace_id: newest.trace_id.clone(),
            function: self.function.clone(),
            start: newest.at,
            error: Some(error.clone()),
            ..Card::default()
        };
        ErrorGroup {
            count: self.errors.count,
            before: self.before,
            first: self.errors.first,
            last: newest.at,
            builds: self.builds,
            example: self.card.unwrap_or_else(counted),
            error,
            cause: None,
            failed_call: None,
            open_call: None,
            unread: false,
        }
    }
}

/// What asks for the newest of a group, where a writer puts it.
pub(super) fn example(group: &Group) -> Ask {
    let newest = &group.errors.newest;
    let partition = Partition::Failures {
        day: newest.run_at / DAY,
        shard: shard_of_run(&newest.request_id, &newest.span_id) % FAILURE_SHARDS,
        function: bounded(&group.function).into_owned(),
    };
    let span = newest.record.as_ref().unwrap_or(&newest.span_id);
    let at = sort(newest.run_at, &newest.request_id, span);
    Ask::between(partition, (at.clone(), at))
}

/// Failures of a function, in groups.
pub(in super::super) fn grouped(failures: Vec<Card>, window: Window) -> Vec<ErrorGroup> {
    let mut groups = Groups::new(window);
    failures.into_iter().for_each(|failure| groups.add(failure));
    groups.most().into_iter().map(Group::told).collect()
}

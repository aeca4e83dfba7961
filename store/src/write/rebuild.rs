//! Totals, counted anew from the spans: where sandboxes died before they wrote theirs, or spans were counted twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use tokio::time::Instant;

use super::plan::{Cards, failures};
use super::{Writer, batch, item_of_totals};
use crate::hash::SHARDS;
use crate::item::{Item, expired, expires, from_sdk, read, text, unpack};
use crate::query::read_totals;
use crate::run::{Card, Run, group};
use crate::schema::{PARTITION_KEY, Partition, SORT_KEY, bounded, totals_within};
use crate::span::Span;
use crate::time::{HOUR, Window, millis};
use crate::totals::{Called, Totals, flow_of};
use crate::{Error, Store};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

/// The name of the sandbox that stands for all.
const REBUILT: &str = "rebuilt";

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rebuilt {
    /// How many runs were counted.
    pub runs: u64,
    /// How many items of totals were written.
    pub items: u64,
    /// How many that were there before were removed.
    pub removed: u64,
    /// How many runs could not be read.
    pub damaged: u64,
    /// Of which hours.
    pub window: Window,
}

/// By hour and function.
#[derive(Default)]
struct Counted {
    kept: BTreeMap<(u64, String), Kept>,
    /// Trace and span of runs of which the platform told later that they failed. What it told is in the trace, and not with
    /// the run.
    told_later: BTreeSet<(String, String)>,
}

/// What was counted of a function in an hour, and until when the last of it is kept, in seconds since 1970.
#[derive(Default)]
struct Kept {
    totals: Totals,
    expires: u64,
}

impl Writer<Store> {
    /// Counts the runs of some hours anew and replaces what the sandboxes had counted. Only of hours that have been over for
    /// an hour: of later ones the sandboxes would go on with what they had. It reads the whole table, and holds the totals
    /// of all functions in these hours. `progress` is told what was counted so far, after each run.
    ///
    /// Most of what the platform reports of runs is in no span: the most memory that they used is taken over from what the
    /// sandboxes had counted; billed time is that of their spans then.
    ///
    /// # Errors
    ///
    /// When the table can't be read or written, or the deadline is there. Then it is to be done again.
    pub async fn rebuild_totals(
        &self,
        window: Window,
        now: SystemTime,
        deadline: Instant,
        progress: impl FnMut(&Rebuilt),
    ) -> Result<Rebuilt, Error> {
        let now = millis(now);
        let over = (now / HOUR).saturating_sub(1) * HOUR;
        let window = window.whole_hours();
        let window = Window { to: window.to.min(over.saturating_sub(1)), ..window };
        let mut rebuilt = Rebuilt { window, ..Rebuilt::default() };
        let mut counted = self.count_anew(window, now, &mut rebuilt, progress).await?;
        self.fail_later(now, &mut counted).await?;
        let mut counted = counted.kept;
        for partition in partitions(window) {
            self.take_over(partition, window, &mut counted).await?;
        }
        let items = counted.iter().map(|((hour, function), kept)| {
            item_of_totals(*hour, function, REBUILT, &kept.totals, kept.expires)
        });
        // First what is right: who asks meanwhile is told too much rather than too little.
        rebuilt.items = batch::write(&self.table, items.collect(), deadline).await?.items as u64;
        for partition in partitions(window) {
            rebuilt.removed += self.remove_others(partition, window, deadline).await?;
        }
        Ok(rebuilt)
    }

    async fn count_anew(
        &self,
        window: Window,
        now: u64,
        rebuilt: &mut Rebuilt,
        mut progress: impl FnMut(&Rebuilt),
    ) -> Result<Counted, Error> {
        let mut counted = Counted::default();
        let Store { client, table, .. } = &self.table;
        let scan = client
            .scan()
            .table_name(table)
            .filter_expression("begins_with(#p, :p)")
            .expression_attribute_names("#p", PARTITION_KEY)
            .expression_attribute_values(":p", AttributeValue::S("spans#".to_owned()));
        let mut items = scan.into_paginator().items().send();
        // The items of one partition come one after another.
        let mut run: Vec<Item> = Vec::new();
        while let Some(item) = items.next().await {
            let item = from_sdk(item.map_err(Error::aws)?);
            let same =
                run.first().is_none_or(|first| text(first, PARTITION_KEY) == text(&item, PARTITION_KEY));
            if !same {
                self.count_run(&std::mem::take(&mut run), window, now, &mut counted, rebuilt);
                progress(rebuilt);
            }
            run.extend(Some(item).filter(|item| !expired(item, now)));
        }
        self.count_run(&run, window, now, &mut counted, rebuilt);
        Ok(counted)
    }

    fn count_run(
        &self,
        items: &[Item],
        window: Window,
        now: u64,
        counted: &mut Counted,
        rebuilt: &mut Rebuilt,
    ) {
        let Read { runs, expires, damaged } = Read::of(items);
        rebuilt.damaged += damaged;
        let called = Called::among(&runs);
        for run in &runs {
            let Some(Cards { head, records }) = cards_of(run, expires, now) else { continue };
            if head.failed()
                && let Some((trace, span)) = run.part_of()
            {
                counted.told_later.insert((trace.to_owned(), span.to_owned()));
            }
            if window.hours().any(|hour| hour == head.at() / HOUR) {
                let kept = counted.kept.entry((head.at() / HOUR, head.function.clone())).or_default();
                kept.totals.count(run, &head, &failures(run, &head, &records), &called);
                kept.totals.count_usage(flow_of(&head), &run.usage());
                kept.expires = kept.expires.max(expires);
                rebuilt.runs += 1;
            }
        }
    }

    /// Counts as failed what came to the runs of which the platform told later that they had failed: those are few, and
    /// each is read again.
    async fn fail_later(&self, now: u64, counted: &mut Counted) -> Result<(), Error> {
        for (trace, span) in &counted.told_later {
            let id = bounded(span);
            let cards = self.all_of(Partition::Trace(bounded(trace).into_owned()), now).await?;
            let mut cards = cards.into_iter().filter_map(|item| read::<Card>(item).ok());
            let Some(card) = cards.find(|card| card.part_of.is_none() && *card.span_id == *id) else {
                continue;
            };
            let items = self.all_of(Partition::Spans(card.request_id), now).await?;
            let Read { runs, expires, .. } = Read::of(&items);
            let called = Called::among(&runs);
            let is_told = |head: &Span| (&head.trace_id, &head.span_id) == (trace, span);
            for run in runs.iter().filter(|run| run.head().is_some_and(is_told)) {
                let Some(Cards { head, records }) = cards_of(run, expires, now) else { continue };
                let kept = counted.kept.get_mut(&(head.at() / HOUR, head.function.clone()));
                let Some(Kept { totals, .. }) = kept else { continue };
                totals.fail(Totals::default().count(run, &head, &failures(run, &head, &records), &called));
            }
        }
        Ok(())
    }

    async fn all_of(&self, partition: Partition, now: u64) -> Result<Vec<Item>, Error> {
        let Store { client, table, .. } = &self.table;
        let query = client
            .query()
            .table_name(table)
            .key_condition_expression("#p = :p")
            .expression_attribute_names("#p", PARTITION_KEY)
            .expression_attribute_values(":p", AttributeValue::S(partition.to_string()));
        let mut pages = query.into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await.transpose().map_err(Error::aws)? {
            items.extend(Some(from_sdk(item)).filter(|item| !expired(item, now)));
        }
        Ok(items)
    }

    /// The most memory that runs used, as the sandboxes have counted it: the most is the same however often it is counted.
    async fn take_over(
        &self,
        partition: Partition,
        window: Window,
        counted: &mut BTreeMap<(u64, String), Kept>,
    ) -> Result<(), Error> {
        let mut items = self.totals_of(partition, window).into_paginator().items().send();
        while let Some(item) = items.next().await.transpose().map_err(Error::aws)? {
            // What is damaged is removed, and made anew.
            let Ok((function, hour, totals)) = read_totals(&from_sdk(item)) else { continue };
            let Some(Kept { totals: ours, .. }) = counted.get_mut(&(hour, function)) else { continue };
            for (key, flow) in &totals.flows {
                ours.flows.entry(key.clone()).and_modify(|ours| ours.memory = ours.memory.max(flow.memory));
            }
        }
        Ok(())
    }

    fn totals_of(&self, partition: Partition, window: Window) -> QueryFluentBuilder {
        let Store { client, table, .. } = &self.table;
        let (from, to) = totals_within(window);
        client
            .query()
            .table_name(table)
            .key_condition_expression("#p = :p AND #s BETWEEN :a AND :b")
            .expression_attribute_names("#p", PARTITION_KEY)
            .expression_attribute_names("#s", SORT_KEY)
            .expression_attribute_values(":p", AttributeValue::S(partition.to_string()))
            .expression_attribute_values(":a", AttributeValue::S(from))
            .expression_attribute_values(":b", AttributeValue::S(to))
    }

    /// Removes from a partition what sandboxes have counted in the hours of a window.
    async fn remove_others(
        &self,
        partition: Partition,
        window: Window,
        deadline: Instant,
    ) -> Result<u64, Error> {
        let Store { client, table, .. } = &self.table;
        let mut items =
            self.totals_of(partition, window).projection_expression("#p, #s").into_paginator().items().send();
        let mut removed = 0;
        while let Some(mut item) = items.next().await.transpose().map_err(Error::aws)? {
            let is_rebuilt = item
                .get(SORT_KEY)
                .and_then(|sort| sort.as_s().ok())
                .is_some_and(|sort| sort.ends_with(&format!("#{REBUILT}")));
            if is_rebuilt {
                continue;
            }
            if Instant::now() >= deadline {
                return Err(Error::Deadline);
            }
            item.retain(|name, _| name == PARTITION_KEY || name == SORT_KEY);
            client.delete_item().table_name(table).set_key(Some(item)).send().await.map_err(Error::aws)?;
            removed += 1;
        }
        Ok(removed)
    }
}

/// What is in the items of one partition.
struct Read {
    runs: Vec<Run>,
    /// In seconds since 1970.
    expires: u64,
    damaged: u64,
}

impl Read {
    fn of(items: &[Item]) -> Self {
        let (resource_spans, damaged) = unpack(items);
        let expires = items.iter().filter_map(expires).max().unwrap_or_default();
        let runs = group(ExportTraceServiceRequest { resource_spans });
        Self { runs, expires, damaged: damaged.len() as u64 }
    }
}

fn cards_of(run: &Run, expires: u64, now: u64) -> Option<Cards> {
    // Who wrote them knew how long they stay: what is still there is as old as it says.
    let start = run.head().map_or(0, |head| head.start / 1_000_000);
    Cards::of(run, now, expires.saturating_mul(1000).saturating_sub(start))
}

/// Those of the totals.
fn partitions(window: Window) -> impl Iterator<Item = Partition> {
    window.days().flat_map(|day| (0..SHARDS).map(move |shard| Partition::Totals { day, shard }))
}

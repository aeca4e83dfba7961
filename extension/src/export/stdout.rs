//! Lines of OTLP/JSON on stdout: an exporter for a first look, and the last resort at SHUTDOWN.

use super::parts;
use crate::accounts::Reason;
use crate::buffer::{Batch, BatchLimit, Entry};
use crate::log;
use crate::otlp::{json, split};
use crate::outbox::Outbox;
use crate::shared::Shared;
use std::collections::VecDeque;

/// One entry after the other: who writes looks at the clock between lines.
const ENTRY: BatchLimit = BatchLimit { bytes: usize::MAX, entries: 1, items: 0 };

/// Encoded bytes that usually go into one line: JSON is two or three times as long.
const LINE: usize = 64 * 1024;
/// Longest line, if it is of several items; a log event in CloudWatch ends at 256 KiB.
const MAX_LINE: usize = 250_000;

/// Writes what waits until it is `over`.
pub(super) fn drain(outbox: Outbox<'_>, mut over: impl FnMut() -> bool) {
    while let Some(batch) = outbox.take(ENTRY) {
        let signal = batch.signal;
        let mut left = Vec::new();
        for entry in &batch.entries {
            left.extend(write(entry, &mut over, |part, result| {
                let part = Batch { signal, entries: vec![part] };
                match result {
                    Ok(()) => outbox.delivered(&part, 0, ""),
                    Err(why) => outbox.refused(&part, &why.to_string()),
                }
            }));
        }
        if !left.is_empty() {
            return outbox.put_back(Batch { signal, entries: left });
        }
    }
}

/// Writes what no destination, or not each of them, has got, the oldest first; what is left when it is `over` is dropped.
pub(super) fn spill(shared: &Shared, mut over: impl FnMut() -> bool) {
    while !over()
        && let Some(undelivered) = shared.take_undelivered()
    {
        let mut written = 0;
        let (mut reason, mut why) = (Reason::Refused, String::new());
        for entry in &undelivered.entries {
            let left = write(entry, &mut over, |part, result| match result {
                Ok(()) => written += part.items,
                Err(error) => why = error.to_string(),
            });
            if !left.is_empty() {
                (reason, why) = (Reason::OutOfTime, "no time left to write them down".into());
            }
        }
        shared.spilled(&undelivered, written, reason, &why);
    }
    shared.out_of_time();
}

/// Writes an entry, line by line, until it is `over`; tells of each part that it is written, or why it cannot be. Returns the parts
/// that are left.
fn write(
    entry: &Entry,
    mut over: impl FnMut() -> bool,
    mut done: impl FnMut(Entry, Result<(), json::Unwritable>),
) -> VecDeque<Entry> {
    let mut pieces: VecDeque<Entry> = parts(entry, LINE).into();
    while let Some(piece) = pieces.pop_front() {
        if over() {
            pieces.push_front(piece);
            break;
        }
        let line = match json::from_protobuf(piece.signal, &piece.bytes) {
            Ok(line) if line.len() > MAX_LINE => {
                // Small items are ten times as long in JSON, and more.
                let smaller = parts(&piece, piece.bytes.len() * MAX_LINE / line.len());
                if smaller.len() > 1 {
                    smaller.into_iter().rev().for_each(|part| pieces.push_front(part));
                    continue;
                }
                Ok(parts::lines(piece.signal, &piece.bytes, fastrand::u64(..)))
            }
            line => line,
        };
        done(piece, line.map(|line| log::write(&line)));
    }
    pieces
}

/// An entry as entries of at most `max` bytes, or one item.
fn parts(entry: &Entry, max: usize) -> Vec<Entry> {
    split(&entry.bytes, max).into_iter().map(|bytes| entry.part(bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::{LINE, drain, spill, write};
    use crate::buffer::Entry;
    use crate::config::Export;
    use crate::export::Exporter;
    use crate::otlp::Signal;
    use crate::shared::Shared;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message as _;
    use tokio::time::Instant;

    /// Holds requests of ten spans of 10 KB each: two lines for each request.
    fn buffered(requests: usize) -> Shared {
        let shared = Shared::new(1024 * 1024, true);
        let span = Span { name: "x".repeat(10_000), ..Span::default() };
        let scope_spans = vec![ScopeSpans { spans: vec![span; 10], ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let bytes = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        for _ in 0..requests {
            shared.received(Signal::Traces, bytes.clone().into(), 10, &[]);
        }
        shared
    }

    #[test]
    fn what_there_is_no_time_for_stays_to_the_line() {
        let shared = buffered(2);
        let mut lines = 0;
        drain(shared.outbox(0), || {
            lines += 1;
            lines > 3
        });
        let spans = &shared.lock().accounts.summary()["spans"];
        assert_eq!((&spans["exported"], &spans["kept"]), (&16.into(), &4.into()));
        let left: Vec<u64> = shared.lock().queues[0].entries().map(|entry| entry.items).collect();
        assert_eq!(left, [4]);
    }

    #[test]
    fn a_spill_that_runs_out_of_time_counts_to_the_line() {
        let shared = buffered(2);
        let mut asked = 0;
        spill(&shared, || {
            asked += 1;
            // Before each request and before each line.
            asked > 5
        });
        let spans = &shared.lock().accounts.summary()["spans"];
        assert_eq!((&spans["spilled"], &spans["dropped_why"]["out-of-time"]), (&16.into(), &4.into()));
    }

    #[test]
    fn small_items_that_are_long_in_json_share_more_lines() {
        let bytes = [[0x12, 0]; 10_000].concat();
        let scope_spans = vec![ScopeSpans::decode(bytes.as_slice()).expect("spans")];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let bytes = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        assert!(bytes.len() < LINE);
        let (signal, request_id) = (Signal::Traces, None);
        let entry = Entry::new(signal, bytes.into(), 10_000, request_id);
        let mut sizes = Vec::new();
        let left = write(
            &entry,
            || false,
            |piece, result| {
                result.expect("it is valid");
                sizes.push(piece.items);
            },
        );
        assert!(left.is_empty());
        assert_eq!(sizes.iter().sum::<u64>(), 10_000);
        // An empty span has some 250 characters.
        assert!(sizes.iter().all(|items| *items < 1_500), "{sizes:?}");
    }

    #[test]
    fn what_cannot_be_written_down_in_time_is_counted() {
        let shared = buffered(2);
        Exporter::new(vec![Export::Stdout], 0).spill(&shared, Instant::now());
        let spans = &shared.lock().accounts.summary()["spans"];
        assert_eq!((&spans["dropped_why"]["out-of-time"], &spans["kept"]), (&20.into(), &0.into()));
        assert_eq!(shared.lock().queued(), 0);
    }
}

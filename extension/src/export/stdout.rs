//! Lines of OTLP/JSON on stdout: an exporter for a first look, and the last resort at SHUTDOWN.

use super::parts;
use crate::buffer::{Batch, BatchLimit, Entry};
use crate::log;
use crate::otlp::{inspect, json, split};
use crate::shared::Shared;
use bytes::Bytes;
use std::collections::VecDeque;

/// One entry after the other: who writes looks at the clock between lines.
const ENTRY: BatchLimit = BatchLimit { bytes: usize::MAX, entries: 1 };

/// Encoded bytes that usually go into one line: JSON is two or three times as long.
const LINE: usize = 64 * 1024;
/// Longest line, if it is of several items; a log event in CloudWatch ends at 256 KiB.
const MAX_LINE: usize = 250_000;

/// Writes what is buffered until it is `over`, and tells each line's part to `written`. Tells whether the
/// buffer is empty.
pub(super) fn write(shared: &Shared, mut over: impl FnMut() -> bool, written: impl Fn(&Batch)) -> bool {
    while let Some(batch) = shared.take(ENTRY) {
        let signal = batch.signal;
        let mut pieces: VecDeque<Entry> = batch.entries.iter().flat_map(|entry| parts(entry, LINE)).collect();
        while let Some(piece) = pieces.pop_front() {
            if over() {
                pieces.push_front(piece);
                shared.put_back(Batch { signal, entries: pieces.into() });
                return false;
            }
            let line = match json::from_protobuf(signal, &piece.bytes) {
                Ok(line) if line.len() > MAX_LINE => {
                    // Small items are ten times as long in JSON, and more.
                    let smaller = parts(&piece, piece.bytes.len() * MAX_LINE / line.len());
                    if smaller.len() > 1 {
                        smaller.into_iter().rev().for_each(|part| pieces.push_front(part));
                        continue;
                    }
                    Ok(parts::lines(signal, &piece.bytes, fastrand::u64(..)))
                }
                line => line,
            };
            let piece = Batch { signal, entries: vec![piece] };
            match line {
                Ok(line) => {
                    log::write(&line);
                    written(&piece);
                }
                Err(why) => shared.refused(&piece, &why.to_string()),
            }
        }
    }
    true
}

/// An entry as entries of at most `max` bytes, or one item.
fn parts(entry: &Entry, max: usize) -> Vec<Entry> {
    let part = |bytes: Bytes| {
        let items = inspect(entry.signal, &bytes).map_or(0, |found| found.items);
        Entry { items, bytes, ..entry.clone() }
    };
    split(&entry.bytes, max).into_iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::{LINE, write};
    use crate::config::Export;
    use crate::export::Exporter;
    use crate::otlp::Signal;
    use crate::shared::Shared;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message as _;
    use std::cell::RefCell;
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
        let done = write(
            &shared,
            || {
                lines += 1;
                lines > 3
            },
            |piece| shared.spilled(piece),
        );
        assert!(!done);
        let spans = &shared.lock().accounts.summary()["spans"];
        assert_eq!((&spans["spilled"], &spans["kept"]), (&16.into(), &4.into()));
        let left: Vec<u64> = shared.lock().buffer.entries().map(|entry| entry.items).collect();
        assert_eq!(left, [4]);
    }

    #[test]
    fn small_items_that_are_long_in_json_share_more_lines() {
        let shared = Shared::new(1024 * 1024, true);
        let bytes = [[0x12, 0]; 10_000].concat();
        let scope_spans = vec![ScopeSpans::decode(bytes.as_slice()).expect("spans")];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let bytes = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        assert!(bytes.len() < LINE);
        shared.received(Signal::Traces, bytes.into(), 10_000, &[]);
        let sizes = RefCell::new(Vec::new());
        assert!(write(&shared, || false, |piece| sizes.borrow_mut().push(piece.items())));
        assert_eq!(sizes.borrow().iter().sum::<u64>(), 10_000);
        // An empty span has some 250 characters.
        assert!(sizes.borrow().iter().all(|items| *items < 1_500), "{sizes:?}");
    }

    #[test]
    fn what_cannot_be_written_down_in_time_is_counted() {
        let shared = buffered(2);
        Exporter::new(Export::Stdout).spill(&shared, Instant::now());
        let spans = &shared.lock().accounts.summary()["spans"];
        assert_eq!((&spans["dropped_why"]["out-of-time"], &spans["kept"]), (&20.into(), &0.into()));
        assert_eq!(shared.lock().buffer.queued(), 0);
    }
}

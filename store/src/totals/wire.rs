//! Totals in a few hundred bytes: Protocol Buffers, each histogram with the steps from one bucket to the next.

use prost::Message;

use super::errors::{ErrorsByKind, key};
use super::{Edge, Errors, Example, Flow, Histogram, Sketch, Totals};

#[derive(Clone, PartialEq, Message)]
struct TotalsMessage {
    #[prost(message, repeated, tag = "1")]
    flows: Vec<FlowMessage>,
    #[prost(message, repeated, tag = "2")]
    edges: Vec<EdgeMessage>,
}

/// Of the same what tells of failures alone: the rest is skipped, which is most of it.
#[derive(Clone, PartialEq, Message)]
struct FailuresMessage {
    #[prost(message, repeated, tag = "1")]
    flows: Vec<FailuresOfFlow>,
}

#[derive(Clone, PartialEq, Message)]
struct FailuresOfFlow {
    #[prost(string, tag = "1")]
    entry: String,
    #[prost(string, tag = "2")]
    build: String,
    #[prost(uint64, tag = "4")]
    failures: u64,
    #[prost(message, repeated, tag = "8")]
    errors: Vec<ErrorsMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct FlowMessage {
    #[prost(string, tag = "1")]
    entry: String,
    #[prost(string, tag = "2")]
    build: String,
    #[prost(uint64, tag = "3")]
    runs: u64,
    #[prost(uint64, tag = "4")]
    failures: u64,
    #[prost(uint64, tag = "5")]
    begun: u64,
    #[prost(uint64, tag = "6")]
    cold_starts: u64,
    #[prost(message, optional, tag = "7")]
    durations: Option<HistogramMessage>,
    #[prost(message, repeated, tag = "8")]
    errors: Vec<ErrorsMessage>,
    /// Registers and ranks in turn: two bytes each, register × 64 + rank.
    #[prost(bytes = "vec", tag = "9")]
    users_hit: Vec<u8>,
    #[prost(uint64, tag = "10")]
    memory: u64,
    #[prost(uint64, tag = "11")]
    memory_limit: u64,
    #[prost(uint64, tag = "12")]
    mib_millis: u64,
    #[prost(message, optional, tag = "13")]
    inits: Option<HistogramMessage>,
    #[prost(uint64, tag = "14")]
    first: u64,
    #[prost(uint64, tag = "15")]
    last: u64,
}

/// The rest is told of the newest.
#[derive(Clone, PartialEq, Message)]
struct ErrorsMessage {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(uint64, tag = "2")]
    count: u64,
    #[prost(uint64, tag = "3")]
    first: u64,
    #[prost(uint64, tag = "4")]
    at: u64,
    /// How many milliseconds before that its run began; negative where it began after.
    #[prost(sint64, tag = "5")]
    run_before: i64,
    #[prost(string, tag = "6")]
    request_id: String,
    #[prost(string, tag = "7")]
    span_id: String,
    #[prost(string, optional, tag = "8")]
    record: Option<String>,
    #[prost(string, tag = "9")]
    trace_id: String,
    #[prost(string, tag = "10")]
    message: String,
}

#[derive(Clone, PartialEq, Message)]
struct EdgeMessage {
    #[prost(string, tag = "1")]
    from: String,
    #[prost(string, tag = "2")]
    to: String,
    #[prost(uint64, tag = "3")]
    calls: u64,
    #[prost(uint64, tag = "4")]
    errors: u64,
    #[prost(message, optional, tag = "5")]
    durations: Option<HistogramMessage>,
    #[prost(uint64, tag = "6")]
    joined: u64,
}

#[derive(Clone, PartialEq, Message)]
struct HistogramMessage {
    #[prost(uint32, repeated, tag = "1")]
    steps: Vec<u32>,
    #[prost(uint64, repeated, tag = "2")]
    counts: Vec<u64>,
}

/// The totals as bytes.
pub(crate) fn write(totals: &Totals) -> Vec<u8> {
    let flows = totals.flows.iter().map(|((entry, build), flow)| FlowMessage {
        entry: entry.clone(),
        build: build.clone(),
        runs: flow.runs,
        failures: flow.failures,
        begun: flow.begun,
        cold_starts: flow.cold_starts,
        memory: flow.memory,
        memory_limit: flow.memory_limit,
        mib_millis: flow.mib_millis,
        inits: Some(&flow.inits).filter(|inits| inits.count() > 0).map(histogram),
        first: flow.first,
        last: flow.last,
        durations: Some(histogram(&flow.durations)),
        errors: flow.errors.iter().map(|((kind, _), errors)| message(kind, errors)).collect(),
        users_hit: sketch(&flow.users_hit),
    });
    let edges = totals.edges.iter().map(|((from, to), edge)| EdgeMessage {
        from: from.clone(),
        to: to.clone(),
        calls: edge.calls,
        errors: edge.errors,
        joined: edge.joined,
        durations: Some(histogram(&edge.durations)),
    });
    TotalsMessage { flows: flows.collect(), edges: edges.collect() }.encode_to_vec()
}

/// The totals in some bytes.
pub(crate) fn read(bytes: &[u8]) -> Result<Totals, prost::DecodeError> {
    let message = TotalsMessage::decode(bytes)?;
    let mut totals = Totals::default();
    for flow in message.flows {
        totals.flows.entry((flow.entry, flow.build)).or_default().merge(&Flow {
            runs: flow.runs,
            failures: flow.failures,
            begun: flow.begun,
            cold_starts: flow.cold_starts,
            memory: flow.memory,
            memory_limit: flow.memory_limit,
            mib_millis: flow.mib_millis,
            inits: flow.inits.map(buckets).unwrap_or_default(),
            first: flow.first,
            last: flow.last,
            durations: flow.durations.map(buckets).unwrap_or_default(),
            errors: errors(flow.errors),
            users_hit: ranks(&flow.users_hit),
        });
    }
    for edge in message.edges {
        totals.edges.entry((edge.from, edge.to)).or_default().merge(&Edge {
            calls: edge.calls,
            errors: edge.errors,
            joined: edge.joined,
            durations: edge.durations.map(buckets).unwrap_or_default(),
        });
    }
    Ok(totals)
}

/// Of the totals in some bytes those flows that have failures, how many, and the errors.
pub(crate) fn read_failures(bytes: &[u8]) -> Result<Totals, prost::DecodeError> {
    let message = FailuresMessage::decode(bytes)?;
    let mut totals = Totals::default();
    for flow in message.flows.into_iter().filter(|flow| flow.failures > 0 || !flow.errors.is_empty()) {
        let failures = Flow { failures: flow.failures, errors: errors(flow.errors), ..Flow::default() };
        totals.flows.entry((flow.entry, flow.build)).or_default().merge(&failures);
    }
    Ok(totals)
}

fn message(kind: &str, errors: &Errors) -> ErrorsMessage {
    let Example { at, request_id, span_id, record, run_at, trace_id, message } = errors.newest.clone();
    ErrorsMessage {
        kind: kind.to_owned(),
        count: errors.count,
        first: errors.first,
        at,
        run_before: at.wrapping_sub(run_at).cast_signed(),
        request_id,
        span_id,
        record,
        trace_id,
        message,
    }
}

fn errors(messages: Vec<ErrorsMessage>) -> ErrorsByKind {
    let mut errors = ErrorsByKind::new();
    for ErrorsMessage {
        kind,
        count,
        first,
        at,
        run_before,
        request_id,
        span_id,
        record,
        trace_id,
        message,
    } in messages
    {
        let key = key(&kind, &message);
        let run_at = at.wrapping_sub(run_before.cast_unsigned());
        let newest = Example { at, request_id, span_id, record, run_at, trace_id, message };
        errors.entry(key).or_default().merge(&Errors { count, first, newest });
    }
    errors
}

fn histogram(histogram: &Histogram) -> HistogramMessage {
    let mut last = 0;
    let steps = histogram.buckets().map(|(bucket, _)| bucket - std::mem::replace(&mut last, bucket));
    HistogramMessage { steps: steps.collect(), counts: histogram.buckets().map(|(_, count)| count).collect() }
}

fn buckets(message: HistogramMessage) -> Histogram {
    let mut bucket = 0_u32;
    let buckets = message.steps.into_iter().zip(message.counts).map(|(step, count)| {
        bucket = bucket.saturating_add(step);
        (bucket, count)
    });
    Histogram::of(buckets)
}

fn sketch(sketch: &Sketch) -> Vec<u8> {
    let pair = |(register, rank): (&u16, &u8)| (register << 6 | u16::from(*rank)).to_be_bytes();
    sketch.ranks.iter().flat_map(pair).collect()
}

fn ranks(bytes: &[u8]) -> Sketch {
    let mut sketch = Sketch::default();
    for pair in bytes.chunks_exact(2) {
        let pair = pair.iter().fold(0_u16, |pair, byte| pair << 8 | u16::from(*byte));
        sketch.set(pair >> 6, (pair & 63) as u8);
    }
    sketch
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::run::{Card, Failure};
    use crate::totals::flow::{MAX_APART, MAX_FLOWS};

    /// All that is counted apart, with names as long as they may be, each user register taken, and durations from a
    /// microsecond to days.
    #[test]
    fn the_largest_totals_fit_an_item() {
        let long = |n: usize| format!("{n:x>200}");
        let histogram = Histogram::of((0..300).map(|bucket| (bucket, 9_999)));
        let failure = |n: usize| Card {
            error: Some(Failure { kind: long(n), message: "m".repeat(240) }),
            trace_id: "f".repeat(32),
            request_id: long(n),
            span_id: "f".repeat(16),
            record: Some(long(n)),
            ..Card::default()
        };
        let mut totals = Totals::default();
        for n in 0..=MAX_FLOWS {
            let flow = totals.flows.entry((long(n), long(n))).or_default();
            (flow.durations, flow.inits) = (histogram.clone(), histogram.clone());
            flow.users_hit = Sketch { ranks: (0..1024).map(|register| (register, 50)).collect() };
        }
        let flow = totals.flows.values_mut().next().unwrap();
        flow.errors.extend((0..=MAX_APART).filter_map(|n| Errors::of(&failure(n), 0)));
        for n in 0..=MAX_APART {
            totals.edges.entry((long(n), long(n))).or_default().durations = histogram.clone();
        }
        let bytes = write(&totals);
        assert!(bytes.len() < 350 * 1024, "{}", bytes.len());
        assert_eq!(read(&bytes).unwrap(), totals);
    }

    proptest! {
        #[test]
        fn totals_are_read_as_they_were_written(
            runs in prop::collection::vec(("[a-c]", "[ab]", any::<u64>(), "[a-z]{0,3}", any::<bool>()), 0..20)
        ) {
            let mut totals = Totals::default();
            for (entry, build, micros, user, failed) in runs {
                let flow = totals.flows.entry((entry.clone(), build.clone())).or_default();
                flow.runs += 1;
                flow.durations.record(micros);
                flow.inits.record(micros / 3);
                flow.memory = flow.memory.max(micros / 5);
                flow.mib_millis = flow.mib_millis.wrapping_add(micros);
                flow.first = 1;
                flow.last = flow.last.max(micros | 1);
                if failed {
                    flow.failures += 1;
                    let error = Some(Failure { kind: "Kind".to_owned(), message: user.clone() });
                    let record = (micros & 1 == 1).then(|| build.clone());
                    let card = Card { error, record, start: micros, trace_id: entry.clone(), ..Card::default() };
                    let (key, errors) = Errors::of(&card, micros ^ 5).unwrap();
                    flow.errors.entry(key).or_default().merge(&errors);
                    flow.users_hit.insert(&user);
                }
                let edge = totals.edges.entry((build, entry)).or_default();
                edge.calls += 1;
                edge.joined += micros & 1;
                edge.durations.record(micros / 2);
            }
            let bytes = write(&totals);
            prop_assert_eq!(read(&bytes).unwrap(), totals.clone());
            totals.edges.clear();
            totals.flows.retain(|_, flow| flow.failures > 0);
            for flow in totals.flows.values_mut() {
                let Flow { failures, errors, .. } = std::mem::take(flow);
                *flow = Flow { failures, errors, ..Flow::default() };
            }
            prop_assert_eq!(read_failures(&bytes).unwrap(), totals);
        }

        #[test]
        fn any_bytes_are_totals_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(totals) = read(&bytes) {
                prop_assert_eq!(read(&write(&totals)).unwrap(), totals);
            }
        }
    }
}

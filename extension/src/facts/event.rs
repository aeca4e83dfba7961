//! The platform's events (<https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>).
//!
//! Each is read by itself, so that one of an unknown shape costs the others nothing; and nothing that is optional costs an
//! event its place.

use super::logs::Line;
use crate::bad_end::BadEnd;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;
use throughline_recorder::rfc3339_nanos;

/// Request ids are UUIDs; anything much longer is not one.
const MAX_ID_BYTES: usize = 128;
/// Phases of one event that are read; the platform tells three.
const MAX_PHASES: usize = 8;
/// Longer names of phases and errors are cut.
const MAX_NAME_BYTES: usize = 128;

/// Something that the platform told.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When, in nanoseconds since 1970; 0, if that cannot be read.
    pub time: u64,
    /// What.
    pub fact: Fact,
}

/// What the platform told.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// `platform.initStart`.
    InitStart,
    /// `platform.initRuntimeDone`, `platform.initReport`.
    InitEnd(End),
    /// `platform.start`: the request, and its X-Ray header.
    Start(String, Option<String>),
    /// `platform.runtimeDone`.
    Done(String, End),
    /// `platform.report`.
    Report(String, End),
    /// `function`: a line that it logged.
    Line(Box<Line>),
}

/// How something ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct End {
    /// `success`, `error`, `failure`, `timeout`.
    pub status: String,
    /// The platform's name for the error.
    pub error_type: Option<String>,
    /// What it measured.
    pub metrics: Metrics,
    /// The phases that it tells of.
    pub phases: Vec<Phase>,
}

/// What the platform measured; all of it is optional.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metrics {
    /// How long it took.
    pub duration_ms: Option<f64>,
    /// What is billed.
    pub billed_duration_ms: Option<f64>,
    /// How long init took.
    pub init_duration_ms: Option<f64>,
    /// Megabytes (MiB) used at most.
    #[serde(rename = "maxMemoryUsedMB")]
    pub max_memory_used_mb: Option<f64>,
}

/// A phase of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// The platform's name for it.
    pub name: String,
    /// Its begin, in nanoseconds since 1970.
    pub start: u64,
    /// How long it took.
    pub duration: Duration,
}

/// The events of a batch that are known.
pub fn read(batch: &[u8]) -> Vec<Event> {
    #[derive(Deserialize)]
    struct Any<'a> {
        #[serde(default)]
        time: Option<String>,
        r#type: String,
        #[serde(borrow)]
        record: &'a RawValue,
    }
    let events: Vec<&RawValue> = serde_json::from_slice(batch).unwrap_or_default();
    let events = events.into_iter().filter_map(|event| serde_json::from_str::<Any<'_>>(event.get()).ok());
    events
        .filter_map(|event| {
            let time = event.time.as_deref().and_then(rfc3339_nanos).unwrap_or_default();
            let fact = match event.r#type.as_str() {
                "function" => Fact::Line(Box::new(Line::read(time, event.record.get())?)),
                kind => fact(kind, event.record)?,
            };
            Some(Event { time, fact })
        })
        .collect()
}

fn fact(kind: &str, record: &RawValue) -> Option<Fact> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Record<'a> {
        request_id: Option<String>,
        status: Option<String>,
        error_type: Option<String>,
        #[serde(borrow)]
        tracing: Option<&'a RawValue>,
        #[serde(borrow)]
        metrics: Option<&'a RawValue>,
        #[serde(borrow)]
        spans: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Tracing {
        value: String,
    }
    if !matches!(
        kind,
        "platform.initStart"
            | "platform.initRuntimeDone"
            | "platform.initReport"
            | "platform.start"
            | "platform.runtimeDone"
            | "platform.report"
    ) {
        return None;
    }
    let record: Record<'_> = serde_json::from_str(record.get()).ok()?;
    let request_id = record.request_id.filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES);
    let end = End {
        status: cut(record.status.unwrap_or_default()),
        error_type: record.error_type.filter(|name| !name.is_empty()).map(cut),
        metrics: lenient(record.metrics).unwrap_or_default(),
        phases: phases(record.spans),
    };
    Some(match kind {
        "platform.initStart" => Fact::InitStart,
        "platform.initRuntimeDone" | "platform.initReport" => Fact::InitEnd(end),
        "platform.start" => {
            let header = lenient::<Tracing>(record.tracing).map(|tracing| tracing.value);
            Fact::Start(request_id?, header)
        }
        "platform.runtimeDone" => Fact::Done(request_id?, end),
        _ => Fact::Report(request_id?, end),
    })
}

fn lenient<'a, T: Deserialize<'a>>(part: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(part?.get()).ok()
}

fn phases(spans: Option<&RawValue>) -> Vec<Phase> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Span {
        name: String,
        start: String,
        duration_ms: f64,
    }
    let spans: Vec<&RawValue> = lenient(spans).unwrap_or_default();
    let spans = spans.into_iter().filter_map(|span| serde_json::from_str::<Span>(span.get()).ok());
    spans
        .filter_map(|span| {
            let (start, duration) = (rfc3339_nanos(&span.start)?, millis(Some(span.duration_ms))?);
            Some(Phase { name: cut(span.name), start, duration })
        })
        .take(MAX_PHASES)
        .collect()
}

/// A duration that the platform told; what is none is not.
pub fn millis(told: Option<f64>) -> Option<Duration> {
    Duration::try_from_secs_f64(told? / 1000.0).ok()
}

fn cut(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(MAX_NAME_BYTES));
    name
}

// === impl End ===

impl End {
    /// Whether nothing went wrong, as far as it says.
    pub fn is_success(&self) -> bool {
        self.status.is_empty() || self.status == "success"
    }

    /// Memory used at most, in bytes.
    pub fn memory_used(&self) -> Option<i64> {
        let mib = self.metrics.max_memory_used_mb?;
        (0.0..1e9).contains(&mib).then_some((mib * 1024.0 * 1024.0) as i64)
    }

    /// Why the process is gone, if it is.
    pub fn bad_end(&self) -> Option<BadEnd> {
        BadEnd::told(&self.status, self.error_type.as_deref().unwrap_or_default(), self.metrics.duration_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Fact, read};
    use std::time::Duration;

    fn only(event: &str) -> Option<Event> {
        read(format!("[{event}]").as_bytes()).pop()
    }

    #[test]
    fn events_are_found_among_anything_else() {
        let batch = br#"[
            {"time":"1970-01-01T00:00:01Z","type":"platform.start","record":{"requestId":"a","tracing":{"value":"Root=1"}}},
            {"type":"function","record":"a line of text"}, {"type":"function","record":{"message":"json"}},
            {"type":"platform.runtimeDone","record":{"requestId":"a","status":"success","metrics":{"durationMs":1.5}}},
            {"type":"platform.runtimeDone","record":{"requestId":"b","status":"timeout"}},
            {"type":"platform.runtimeDone","record":{"requestId":"d","status":"error","errorType":null,"metrics":null}},
            {"type":"platform.runtimeDone","record":"not an object"}, {"type":"platform.runtimeDone","record":{}},
            {"type":"platform.runtimeDone"}, {"type":7}, 3, null
        ]"#;
        let told: Vec<_> = read(batch).into_iter().map(|event| (event.time, event.fact)).collect();
        assert_eq!(told[0], (1_000_000_000, Fact::Start("a".into(), Some("Root=1".into()))));
        let lines = told.iter().filter(|(_, fact)| matches!(fact, Fact::Line(_)));
        assert_eq!(lines.count(), 2);
        let done =
            told[1..].iter().filter(|(_, fact)| !matches!(fact, Fact::Line(_))).map(|(_, fact)| match fact {
                Fact::Done(id, end) => (id.as_str(), end.is_success(), end.bad_end().is_some()),
                other => panic!("{other:?}"),
            });
        assert_eq!(done.collect::<Vec<_>>(), [("a", true, false), ("b", false, true), ("d", false, false)]);
    }

    #[test]
    fn what_is_odd_in_an_event_costs_that_part_only() {
        let done = r#"{"time":7,"type":"platform.runtimeDone","record":{"requestId":"a"}}"#;
        assert_eq!(only(done), None, "a time is a text");
        let done = r#"{"time":"now","type":"platform.runtimeDone","record":{"requestId":"a","status":"timeout",
            "metrics":{"durationMs":"long"},"spans":[{"name":"responseLatency","start":"1970-01-01T00:00:00Z","durationMs":2},
            {"name":"x","start":"1970-01-01T00:00:00Z","durationMs":-2},{"name":7},8]}}"#;
        let Some(Event { time: 0, fact: Fact::Done(_, end) }) = only(done) else { panic!("it is told") };
        assert_eq!((end.metrics.duration_ms, end.phases.len()), (None, 1));
        assert_eq!(end.phases[0].duration, Duration::from_millis(2));
        let long = format!(r#"{{"type":"platform.start","record":{{"requestId":"{}"}}}}"#, "x".repeat(129));
        assert_eq!(only(&long), None);
    }

    #[test]
    fn what_is_no_batch_holds_nothing() {
        for batch in [&b""[..], b"{}", b"[", b"\xff"] {
            assert!(read(batch).is_empty());
        }
    }
}

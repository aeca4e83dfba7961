//! Any bytes are read as a batch of the Telemetry API. Of a batch that is JSON the same is read as by a reader of any JSON.
//! What it says is told once, in spans that every backend takes, and however many requests it is about, few are remembered.
//! The first byte chooses whether the invocations were known before.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message as _;
use serde_json::Value;
use throughline_extension::facts::event::{End, Event, Fact};
use throughline_extension::facts::{Account, Facts, Last, Phases, event};
use throughline_extension::otlp::{Signal, inspect};

/// Attempts remembered.
const MOST: usize = 64;
/// Bytes of a name that are kept.
const NAME: usize = 128;

fuzz_target!(|input: &[u8]| {
    let Some((choice, batch)) = input.split_first() else { return };
    let events = event::read(batch);
    assert!(events.len() <= batch.len());
    if let Ok(Value::Array(all)) = serde_json::from_slice(batch)
        && !all.iter().any(is_unclear)
    {
        let plain = Value::Array(all.clone()).to_string();
        let read: Vec<_> = event::read(plain.as_bytes()).into_iter().filter_map(|event| said(event.fact)).collect();
        assert_eq!(read, all.iter().filter_map(reference).collect::<Vec<_>>());
    }

    let mut facts = Facts::default();
    facts.settings.phases = if choice & 1 == 0 { Phases::ColdStarts } else { Phases::All };
    if choice & 2 != 0 {
        events.iter().filter_map(request_id).for_each(|id| facts.invoked(&id, 1));
    }
    for told in [&events, &events] {
        told.iter().for_each(|event| facts.told(event));
    }
    check(&facts.due(None));
    assert_eq!(facts.due(None), [], "once");
    let current = events.iter().find_map(request_id);
    check(&facts.due(Some(Last { reason: "spindown", time: 1, current: current.as_deref() })));
});

fn check(accounts: &[Account]) {
    assert!(accounts.len() <= MOST);
    for Account { request_id, spans, .. } in accounts {
        assert!(!request_id.is_empty() && !spans.is_empty() && spans.len() <= 32, "{}", spans.len());
        let scope_spans = vec![ScopeSpans { spans: spans.clone(), ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let bytes = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        assert!(inspect(Signal::Traces, &bytes).is_ok_and(|found| found.items == spans.len() as u64));
        for span in spans {
            assert!((span.trace_id.len(), span.span_id.len()) == (16, 8) && !span.name.is_empty());
            assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{span:?}");
        }
    }
}

/// The kind, the request, the header; and the status, the error and the duration.
type Said = (&'static str, String, Option<String>, (String, Option<String>, Option<f64>));

/// Of what the platform says; a line of the function is its own.
fn said(fact: Fact) -> Option<Said> {
    let end = |end: End| (end.status, end.error_type, end.metrics.duration_ms);
    Some(match fact {
        Fact::InitStart => ("platform.initStart", String::new(), None, Default::default()),
        Fact::InitEnd(told) => ("platform.initReport", String::new(), None, end(told)),
        Fact::Start(id, header) => ("platform.start", id, header, Default::default()),
        Fact::Done(id, told) => ("platform.runtimeDone", id, None, end(told)),
        Fact::Report(id, told) => ("platform.report", id, None, end(told)),
        Fact::Line(_) => return None,
    })
}

fn request_id(event: &Event) -> Option<String> {
    match &event.fact {
        Fact::Start(id, _) | Fact::Done(id, _) | Fact::Report(id, _) => Some(id.clone()),
        Fact::InitStart | Fact::InitEnd(_) | Fact::Line(_) => None,
    }
}

/// Where an object is asked for, a list of its members' values is taken, too.
fn is_unclear(event: &Value) -> bool {
    let record = &event["record"];
    [event, record, &record["tracing"], &record["metrics"]].into_iter().any(Value::is_array)
}

fn reference(event: &Value) -> Option<Said> {
    text(&event["time"])?;
    let kind =
        ["initStart", "initReport", "initRuntimeDone", "start", "runtimeDone", "report"].into_iter().find(
            |kind| event["type"].as_str().and_then(|name| name.strip_prefix("platform.")) == Some(kind),
        )?;
    let record = &event["record"];
    record.as_object()?;
    let (id, status, error) =
        (text(&record["requestId"])?, text(&record["status"])?, text(&record["errorType"])?);
    let id = id.filter(|id| !id.is_empty() && id.len() <= 128);
    let metrics = ["durationMs", "billedDurationMs", "initDurationMs", "maxMemoryUsedMB"];
    let valid = metrics.iter().all(|name| matches!(record["metrics"][name], Value::Null | Value::Number(_)));
    let duration = record["metrics"]["durationMs"].as_f64().filter(|_| valid);
    let end = (cut(status.unwrap_or_default()), error.filter(|name| !name.is_empty()).map(cut), duration);
    Some(match kind {
        "initStart" => ("platform.initStart", String::new(), None, Default::default()),
        "initReport" | "initRuntimeDone" => ("platform.initReport", String::new(), None, end),
        "start" => {
            let header = record["tracing"]["value"].as_str().map(str::to_owned);
            ("platform.start", id?, header, Default::default())
        }
        "runtimeDone" => ("platform.runtimeDone", id?, None, end),
        _ => ("platform.report", id?, None, end),
    })
}

/// A text that may not be there; `None` if something else is.
fn text(value: &Value) -> Option<Option<String>> {
    match value {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text.clone())),
        _ => None,
    }
}

fn cut(text: String) -> String {
    text[..text.floor_char_boundary(NAME)].to_owned()
}

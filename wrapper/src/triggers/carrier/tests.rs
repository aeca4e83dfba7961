use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::triggers::tests::{OTHER, TRACEPARENT};

fn context(baggage: &str) -> Context {
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    Context::from_headers(traceparent, None, Some(baggage)).unwrap()
}

#[test]
fn ids_go_with_the_span_that_is_found_after_them() {
    let ids = || Some(Sender::Ids(Baggage::parse("correlation.id=c,a=1")));
    let parent = |baggage| Some(Sender::Parent(context(baggage)));
    assert_eq!(or_span(ids(), || parent("a=2,b=3")), parent("correlation.id=c,a=1,b=3"));
    assert_eq!(or_span(ids(), || None), ids());
    assert_eq!(or_span(None, || parent("b=3")), parent("b=3"));
    assert_eq!(or_span(parent("a=1"), || panic!("a span is enough")), parent("a=1"));
}

/// Datadog's names for the span of [`TRACEPARENT`].
fn datadog_object() -> Value {
    json!({
        "x-datadog-trace-id": "11803532876627986230",
        "x-datadog-parent-id": "67667974448284343",
        "x-datadog-sampling-priority": "1",
        "x-datadog-tags": "_dd.p.dm=-0,_dd.p.tid=4bf92f3577b34da6",
        "ot-baggage-tenant": "t-1",
    })
}

fn dazn_object() -> Value {
    json!({
        "awsRequestId": "r-1",
        "x-correlation-id": "c-1",
        "x-correlation-order": "o-1",
        "debug-log-enabled": "true",
        "call-chain-length": 2,
    })
}

const IDS: &str = "throughline.debug=true,throughline.hops=2,correlation.id=c-1,x-correlation-order=o-1";

fn parent(traceparent: &str, baggage: &str) -> Option<Sender> {
    Some(Sender::Parent(Context::from_headers(traceparent, None, Some(baggage)).unwrap()))
}

fn ids() -> Option<Sender> {
    Some(Sender::Ids(Baggage::parse(IDS)))
}

/// The values of an object by name, each a string.
fn values(object: &Value) -> Option<Sender> {
    let text = object.to_string();
    super::values(&json::object(&text).unwrap(), Part::header)
}

fn document(object: &Value) -> Option<Sender> {
    super::document(&object.to_string())
}

#[test]
fn values_are_read_in_every_dialect() {
    let datadog = datadog_object().to_string();
    let mut dazn = dazn_object();
    dazn["call-chain-length"] = json!("2");
    let mut both = dazn.clone();
    both["traceparent"] = json!(TRACEPARENT);
    both["baggage"] = json!("correlation.id=ours");
    for (object, sender, why) in [
        (
            json!({"traceparent": TRACEPARENT, "_datadog": datadog, "baggage": "a=1"}),
            parent(TRACEPARENT, "a=1"),
            "W3C",
        ),
        (json!({"traceparent": "what", "_datadog": datadog}), parent(TRACEPARENT, "tenant=t-1"), "Datadog"),
        (
            json!({"_datadog": json!({"traceparent": OTHER}).to_string()}),
            parent(OTHER, ""),
            "W3C in Datadog's",
        ),
        (datadog_object(), parent(TRACEPARENT, "tenant=t-1"), "Datadog's headers"),
        (dazn.clone(), ids(), "DAZN"),
        (both, parent(TRACEPARENT, &format!("{IDS},correlation.id=ours")), "ids come along, the span's win"),
        (
            json!({"X-Correlation-Id": "c-2"}),
            Some(Sender::Ids(Baggage::parse("correlation.id=c-2"))),
            "as spelled",
        ),
        (json!({"debug-log-enabled": "false"}), None, "ids that say nothing"),
        (json!({"_datadog": datadog_object()}), None, "an object where text is due"),
        (json!({"_datadog": "{"}), None, "torn"),
        (json!({"_datadog": "[]"}), None, "a list"),
        (json!({}), None, "nothing"),
    ] {
        if let (Some(Sender::Parent(found)), Some(Sender::Parent(due))) = (values(&object), &sender) {
            assert_eq!(found.span, due.span, "{why}");
            assert_eq!(found.baggage.header(), due.baggage.header(), "{why}");
        } else {
            assert_eq!(values(&object), sender, "{why}");
        }
    }
}

#[test]
fn what_datadogs_tracer_writes_is_one_span_in_both_dialects() {
    // As the npm package `dd-trace` 5.132.0 injects it.
    let recorded = json!({
        "ot-baggage-user.id": "u 1",
        "ot-baggage-tenant": "t,é",
        "x-datadog-trace-id": "7072389987158390431",
        "x-datadog-parent-id": "7072389987158390431",
        "x-datadog-sampling-priority": "1",
        "x-datadog-tags": "_dd.p.tid=6b01919400000000,_dd.p.dm=-0",
        "traceparent": "00-6b0191940000000062262d38e19af69f-62262d38e19af69f-01",
        "tracestate": "dd=t.dm:-0;t.tid:6b01919400000000;s:1;p:62262d38e19af69f",
    });
    let traceparent = recorded["traceparent"].as_str().unwrap();
    let due = parent(traceparent, "user.id=u%201,tenant=t%2C%C3%A9");
    let mut own = recorded.clone();
    own.as_object_mut().unwrap().retain(|name, _| !name.starts_with("trace"));
    for object in [recorded, own] {
        let message = json!({"_datadog": object.to_string()});
        for found in [values(&object), values(&message), document(&json!({"_datadog": object}))] {
            let Some(Sender::Parent(found)) = found else { panic!("no sender: {object}") };
            let Some(Sender::Parent(due)) = &due else { unreachable!() };
            assert_eq!(found.baggage.get("user.id"), due.baggage.get("user.id"));
            assert_eq!(found.baggage.get("tenant"), due.baggage.get("tenant"));
            assert_eq!(
                (found.span.trace_id(), found.span.span_id()),
                (due.span.trace_id(), due.span.span_id())
            );
        }
    }
}

#[test]
fn a_document_is_read_in_every_dialect() {
    let ours = json!({"traceparent": TRACEPARENT, "baggage": "correlation.id=ours"});
    let event =
        json!({"specversion": "1.0", "type": "order", "traceparent": TRACEPARENT, "tracestate": "a=1"});
    for (object, sender, why) in [
        (
            json!({"_throughline": ours, "traceparent": OTHER}),
            parent(TRACEPARENT, "correlation.id=ours"),
            "ours",
        ),
        (
            json!({"_throughline": "x", "traceparent": OTHER, "_datadog": datadog_object()}),
            parent(OTHER, ""),
            "W3C",
        ),
        (json!({"_datadog": datadog_object()}), parent(TRACEPARENT, "tenant=t-1"), "Datadog"),
        (json!({"_datadog": datadog_object().to_string()}), parent(TRACEPARENT, "tenant=t-1"), "as text"),
        (json!({"__context__": dazn_object()}), ids(), "DAZN"),
        (
            json!({"__context__": dazn_object(), "traceparent": OTHER}),
            parent(OTHER, IDS),
            "ids beside a span",
        ),
        (dazn_object(), None, "DAZN's names are in an object of their own"),
        (json!({"order": {"traceparent": TRACEPARENT}}), None, "deeper down it is the program's own"),
        (json!([{"traceparent": TRACEPARENT}]), None, "no object"),
    ] {
        assert_eq!(document(&object), sender, "{why}");
    }
    let Some(Sender::Parent(cloud)) = document(&event) else { panic!("no sender") };
    assert_eq!(cloud.span.trace_state().header(), "a=1", "CloudEvents");
}

#[test]
fn a_client_context_is_read_in_every_dialect() {
    let custom = |pairs: &[(&str, String)]| {
        super::custom(&pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    };
    let (datadog, dazn) = (datadog_object().to_string(), dazn_object().to_string());
    assert_eq!(custom(&[("_datadog", datadog.clone())]), parent(TRACEPARENT, "tenant=t-1"));
    assert_eq!(custom(&[("__context__", dazn.clone())]), ids());
    let both = [("traceparent", OTHER.to_owned()), ("_datadog", datadog), ("__context__", dazn)];
    assert_eq!(custom(&both), parent(OTHER, IDS));
    assert_eq!(
        custom(&[("x-correlation-id", "c-2".to_owned())]),
        Some(Sender::Ids(Baggage::parse("correlation.id=c-2")))
    );
    assert_eq!(custom(&[]), None);
}

#[test]
fn what_is_too_large_is_not_read() {
    let mut datadog = datadog_object();
    datadog["more"] = json!("x".repeat(MAX_MEMBER));
    assert_eq!(document(&json!({"_datadog": datadog})), None);
    let long = format!("c{}", " ".repeat(MAX_HEADER));
    assert_eq!(values(&json!({"x-correlation-id": long})), None);
}

#[test]
fn the_last_of_two_members_is_the_one_that_a_program_reads() {
    let text = format!(r#"{{"traceparent":"{OTHER}","traceparent":"{TRACEPARENT}"}}"#);
    assert_eq!(super::document(&text), parent(TRACEPARENT, ""));
}

#[test]
fn names_with_escapes_are_read_and_many_names_are_bounded() {
    let text = format!(r#"{{"trace\u0070arent":"{TRACEPARENT}"}}"#);
    assert_eq!(super::document(&text), parent(TRACEPARENT, ""));
    let mut many: serde_json::Map<String, Value> =
        (0..200).map(|n| (format!("X-Correlation-{n}"), json!("v"))).collect();
    many.insert("traceparent".to_owned(), json!(TRACEPARENT));
    let Some(Sender::Parent(found)) = values(&Value::from(many)) else { panic!("no sender") };
    assert!(found.baggage.get("x-correlation-0").is_some());
    assert!(found.baggage.header().unwrap().split(',').count() <= 64);
}

proptest! {
    #[test]
    fn any_text_is_survived(text in ".*") {
        let _ = super::document(&text);
        let _ = super::document(&format!(r#"{{"_datadog":{text}}}"#));
        prop_assert_eq!(super::custom(&HashMap::from([("_datadog".to_owned(), text)])), None);
    }
}

use bytes::Bytes;
use http::Uri;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::context::is_dry_run;
use crate::invocation::Invocation;
use crate::settings::Settings;
use crate::testing::{call, close, now, text};
use crate::tracer::Tracer;
use crate::triggers::{self, Caller, Reading, without_records};

const MARKED: &str = "correlation.id=c-1,throughline.dry-run=true";

fn settings(env: &[(&str, &str)]) -> Settings {
    Settings::from_env(&|key| {
        env.iter().find(|(known, _)| *known == key).map(|(_, value)| (*value).to_owned())
    })
}

/// An SQS event, a message for each baggage, all of traces of their own.
fn messages(baggage: &[&str]) -> Bytes {
    let records = baggage.iter().enumerate().map(|(number, baggage)| {
        json!({
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:e:1:payments",
            "messageId": format!("m-{number}"),
            "messageAttributes": {
                "traceparent": {"stringValue": format!("00-0000000000000000000000000000000{}-0000000000000001-01", number + 1)},
                "baggage": {"stringValue": baggage},
            },
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() }).to_string().into()
}

/// What a function with that environment makes of an event, and what its handler is given.
fn arrive(mut event: Bytes, env: &[(&str, &str)]) -> (Reading, Value) {
    let settings = settings(env);
    let mut reading = triggers::read(&event, &Caller::default(), &settings);
    turn_away(&mut reading, &mut event, &settings);
    (reading, serde_json::from_slice(&event).unwrap())
}

fn open(
    event: Bytes,
    env: &[(&'static str, &'static str)],
) -> (std::sync::Arc<Invocation>, crate::scope::Scope) {
    let (reading, _) = arrive(event, env);
    let env = |key: &str| env.iter().find(|(known, _)| *known == key).map(|(_, value)| (*value).to_owned());
    Invocation::open(Tracer::new(&env, now), call(), reading)
}

const ACCEPTS: &[(&str, &str)] = &[("THROUGHLINE_DRY_RUN", " Accept ")];

#[test]
fn a_function_takes_part_only_if_it_says_so() {
    for (value, accepts, always) in [
        ("", false, false),
        ("false", false, false),
        ("refuse", false, false),
        ("yes, please", false, false),
        ("accept", true, false),
        ("always", true, true),
        ("true", true, true),
    ] {
        let dry_run = settings(&[("THROUGHLINE_DRY_RUN", value)]).dry_run;
        assert_eq!((dry_run.accepts(), dry_run.is_always()), (accepts, always), "{value}");
    }
}

#[test]
fn calls_are_named_by_service_and_operation_or_by_address() {
    let list = " dynamodb:UpdateItem,CloudWatch:*, https://sandbox.psp.example/v1 ,cloudwatchlogs:PutLogEvents,nonsense,s3,:x,a:b c,ftp://a/";
    let calls = settings(&[("THROUGHLINE_DRY_RUN_ALLOW", list)]).dry_run.allowed;
    for (service, operation, named) in [
        ("DynamoDB", "UpdateItem", true),
        ("DynamoDB", "PutItem", false),
        ("DynamoDB Streams", "UpdateItem", false),
        ("CloudWatch", "PutMetricData", true),
        ("CloudWatch Logs", "PutLogEvents", true),
        ("S3", "PutObject", false),
    ] {
        assert_eq!(calls.has_operation(service, operation), named, "{service}.{operation}");
    }
    for (address, named) in [
        ("https://sandbox.psp.example/v1", true),
        ("https://Sandbox.psp.example:443/v1/charges?x=1", true),
        ("https://sandbox.psp.example/v10", false),
        ("https://sandbox.psp.example/v1/../v2", false),
        ("https://sandbox.psp.example/v1/%2E%2e/v2", false),
        ("https://sandbox.psp.example:444/v1", false),
        ("http://sandbox.psp.example/v1", false),
        ("https://sandbox.psp.example.evil/v1", false),
        ("https://user@evil/https://sandbox.psp.example/v1", false),
        ("/v1", false),
    ] {
        assert_eq!(calls.has_address(&address.parse::<Uri>().unwrap()), named, "{address}");
    }
    let whole = settings(&[("THROUGHLINE_DRY_RUN_ALLOW", "https://psp.example")]).dry_run.allowed;
    assert!(whole.has_address(&"https://psp.example/any/thing".parse().unwrap()));
}

#[test]
fn dry_runs_are_taken_out_of_a_batch_for_a_function_that_wants_none() {
    let event = messages(&["correlation.id=c-0", MARKED, "correlation.id=c-2"]);
    let (reading, seen) = arrive(event.clone(), &[]);
    let ids = |list: &Value| -> Vec<String> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|record| record["messageId"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&seen["Records"]), ["m-0", "m-2"]);
    assert_eq!((reading.records.len(), reading.dry_runs.len()), (2, 1));
    assert_eq!(arrive(event.clone(), ACCEPTS).1["Records"].as_array().unwrap().len(), 3);

    let (invocation, scope) = open(event, &[]);
    assert_eq!(invocation.refusal(), None);
    scope.enter(|| assert!(!is_dry_run()));
    let [record, batch] = close(&invocation).try_into().unwrap();
    assert_eq!(text(&record, "messaging.message.id").as_deref(), Some("m-1"));
    assert_eq!(text(&record, "throughline.dry_run").as_deref(), Some("BoolValue(true)"));
    assert_eq!(text(&record, "throughline.dry_run.refused").as_deref(), Some("BoolValue(true)"));
    assert_eq!(record.trace_id.last(), Some(&2), "its own transaction tells where it ended");
    assert_eq!(text(&batch, "throughline.dry_run.refused_records").as_deref(), Some("IntValue(1)"));
    assert_eq!(text(&batch, "throughline.dry_run"), None);
}

#[test]
fn where_nothing_is_left_of_a_batch_it_is_done_and_what_is_no_batch_fails() {
    let (invocation, _) = open(messages(&[MARKED, MARKED]), &[]);
    assert!(invocation.refusal().unwrap().is_done);
    let invoke = json!({"_throughline": {
        "traceparent": "00-00000000000000000000000000000007-0000000000000001-01", "baggage": MARKED,
    }});
    let (invocation, scope) = open(invoke.to_string().into(), &[]);
    let refusal = invocation.refusal().unwrap();
    assert_eq!((refusal.error_type, refusal.is_done), ("Throughline.DryRunRefused", false));
    scope.enter(|| assert!(is_dry_run()));
    assert_eq!(open(invoke.to_string().into(), ACCEPTS).0.refusal(), None);
    assert_eq!(open("{}".into(), &[]).0.refusal(), None);
}

#[test]
fn outside_of_a_record_a_batch_is_a_dry_run_as_soon_as_one_record_is() {
    let (invocation, scope) = open(messages(&["correlation.id=c-0", MARKED]), ACCEPTS);
    assert_eq!(scope.dry_run(), Some(Mark::Mixed));
    scope.enter(|| assert!(is_dry_run()));
    for (id, mark) in [("m-0", None), ("m-1", Some(Mark::DryRun))] {
        let record = invocation.open_record(id, &scope);
        assert_eq!(record.dry_run(), mark, "{id}");
        record.end_record();
    }
    assert!(!scope.baggage().header().unwrap().contains("dry-run"), "nobody knows whose it is");
    // Of several traces, so that none is the invocation's.
    let (_, scope) = open(messages(&[MARKED, MARKED]), ACCEPTS);
    assert_eq!(scope.dry_run(), Some(Mark::DryRun));
    assert!(scope.baggage().header().unwrap().contains("throughline.dry-run=true"));
}

#[test]
fn a_mark_that_is_set_shows_on_the_span_and_needs_no_consent() {
    let (invocation, scope) = open("{}".into(), &[]);
    scope.enter(|| assert!(!is_dry_run() && crate::context::set_dry_run() && is_dry_run()));
    let span = close(&invocation).remove(0);
    assert_eq!(text(&span, "throughline.dry_run").as_deref(), Some("BoolValue(true)"));
}

#[test]
fn records_of_brokers_are_taken_out_wherever_they_stand() {
    for (event, left) in [
        (r#"{"a":1,"Records":[ {"b":1} , {"c":2},3]}"#, json!({"a": 1, "Records": [{"c": 2}]})),
        (r#"{"messages":[1,2,3],"z":[4]}"#, json!({"messages": [2], "z": [4]})),
        (r#"{"records":{"t-0":[1],"t-1":[2, 3]}}"#, json!({"records": {"t-0": [], "t-1": [2]}})),
        (r#"{"rmqMessagesByQueue":{"q::/":[1,2,3]}}"#, json!({"rmqMessagesByQueue": {"q::/": [2]}})),
    ] {
        let rest = without_records(event, &[true, false, true]).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&rest).unwrap(), left);
        assert_eq!(without_records(event, &[true; 2]), None);
        assert_eq!(without_records(event, &[true; 4]), None);
    }
}

proptest! {
    #[test]
    fn what_is_left_of_a_batch_is_as_it_was(records in prop::collection::vec((".*", any::<bool>()), 0..8)) {
        let event = json!({"Records": records.iter().map(|(text, _)| json!({"body": text})).collect::<Vec<_>>(), "x": 1});
        let taken: Vec<bool> = records.iter().map(|(_, taken)| *taken).collect();
        let left: Vec<_> = records.iter().filter(|(_, taken)| !taken).map(|(text, _)| json!({"body": text})).collect();
        let rest = without_records(&event.to_string(), &taken).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&rest).unwrap(), json!({"Records": left, "x": 1}));
    }

    #[test]
    fn any_text_is_survived(text in ".*|(https?://)?[a-z%.:/@*]{0,20}", taken in prop::collection::vec(any::<bool>(), 0..4)) {
        let _ = without_records(&text, &taken);
        let _ = super::rules::Named::parse(&text);
    }
}

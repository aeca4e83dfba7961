use super::event::read;
use super::{Account, Facts, Last, Phases, REMEMBERED};
use crate::otlp::InvocationSpan;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

const ROOT: &str = "Root=1-11111111-111111111111111111111111;Parent=2222222222222222;Sampled=1";
const S: u64 = 1_000_000_000;

fn event(kind: &str, second: u64, record: serde_json::Value) -> Vec<u8> {
    let time = format!("1970-01-01T00:00:{second:02}Z");
    json!([{ "time": time, "type": format!("platform.{kind}"), "record": record }]).to_string().into_bytes()
}

fn start(id: &str, second: u64) -> Vec<u8> {
    event(
        "start",
        second,
        json!({ "requestId": id, "tracing": { "type": "X-Amzn-Trace-Id", "value": ROOT } }),
    )
}

fn done(id: &str, second: u64, status: &str, error_type: Option<&str>) -> Vec<u8> {
    let metrics = json!({ "durationMs": 1500.0 });
    event(
        "runtimeDone",
        second,
        json!({ "requestId": id, "status": status, "errorType": error_type, "metrics": metrics }),
    )
}

fn report(id: &str, second: u64) -> Vec<u8> {
    let metrics = json!({ "durationMs": 1600.0, "maxMemoryUsedMB": 64 });
    event("report", second, json!({ "requestId": id, "status": "x", "metrics": metrics }))
}

fn facts(batches: &[Vec<u8>]) -> Facts {
    let mut facts = Facts::default();
    facts.settings.function.name = "f".into();
    tell(&mut facts, batches);
    facts
}

fn tell(facts: &mut Facts, batches: &[Vec<u8>]) {
    batches.iter().flat_map(|batch| read(batch)).for_each(|event| facts.told(&event));
}

fn its_span(id: &str, failed: bool) -> InvocationSpan {
    InvocationSpan { request_id: id.into(), trace_id: [7; 16], span_id: [8; 8], failed }
}

fn spans(accounts: Vec<Account>) -> Vec<Span> {
    accounts.into_iter().flat_map(|account| account.spans).collect()
}

fn value(span: &Span, key: &str) -> Option<Value> {
    span.attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.clone()
}

fn text(span: &Span, key: &str) -> String {
    match value(span, key) {
        Some(Value::StringValue(text)) => text,
        other => format!("{other:?}"),
    }
}

fn shutdown<'a>(reason: &'a str, current: &'a str) -> Option<Last<'a>> {
    Some(Last { reason, time: 9 * S, current: Some(current) })
}

#[test]
fn a_process_that_is_gone_has_a_span_under_its_x_ray_parent() {
    let mut facts =
        facts(&[start("r", 1), done("r", 3, "error", Some("Runtime.OutOfMemory")), report("r", 3)]);
    let told = facts.due(None);
    assert_eq!(told[0].failure.as_ref().expect("it failed").error_type, "Runtime.OutOfMemory");
    let [span] = spans(told).try_into().expect("one");
    assert_eq!(
        (span.name.as_str(), span.start_time_unix_nano, span.end_time_unix_nano),
        ("f", S, 2 * S + S / 2)
    );
    assert_eq!((span.trace_id.clone(), span.parent_span_id.clone()), (vec![0x11; 16], vec![0x22; 8]));
    assert_eq!(
        (text(&span, "faas.invocation_id"), text(&span, "error.type")),
        ("r".into(), "Runtime.OutOfMemory".into())
    );
    assert_eq!(value(&span, "faas.mem_usage"), Some(Value::IntValue(64 << 20)));
    assert_eq!(value(&span, "faas.invoke_duration"), Some(Value::DoubleValue(1.5)));
    assert_eq!(span.status.as_ref().map(|status| status.code), Some(2));
    assert_eq!(facts.due(None), [], "once");
    assert_eq!(facts.due(shutdown("failure", "r")), [], "once");
}

#[test]
fn the_trace_of_what_was_received_comes_before_x_ray_s() {
    let mut facts = facts(&[start("r", 1)]);
    facts.trace_seen(Some("r"), [5; 16]);
    tell(&mut facts, &[done("r", 3, "timeout", None)]);
    let [span] = spans(facts.due(None)).try_into().expect("one");
    assert_eq!((span.trace_id, span.parent_span_id), (vec![5; 16], vec![]));
    assert_eq!(span.status.expect("failed").message, "timed out after 1.50 s");
    facts.invoked("s", 4 * S);
    facts.trace_seen(Some("s"), [5; 16]);
    tell(&mut facts, &[done("s", 6, "failure", None)]);
    let [span] = spans(facts.due(None)).try_into().expect("one");
    assert_ne!(span.trace_id, [5; 16], "a span of the one before, sent late");
    assert_ne!(span.trace_id, [0; 16]);
}

#[test]
fn whoever_told_it_already_is_believed() {
    for failed in [true, false] {
        let mut facts = facts(&[start("r", 1)]);
        facts.span_told(&its_span("r", failed));
        tell(&mut facts, &[done("r", 3, "error", Some("Function.ResponseSizeTooLarge")), report("r", 3)]);
        let told = spans(facts.due(None));
        assert_eq!(told.len(), usize::from(!failed));
        for span in told {
            assert_eq!((span.trace_id.clone(), span.parent_span_id.clone()), (vec![7; 16], vec![8; 8]));
            assert_eq!(text(&span, "error.type"), "Function.ResponseSizeTooLarge");
            assert_eq!(value(&span, "faas.invocation_id"), None, "it is no second account");
        }
        assert_eq!(facts.due(shutdown("failure", "r")), []);
    }
}

#[test]
fn an_error_of_a_function_that_lives_is_its_own_to_tell_if_it_tells_anything() {
    for sends in [true, false] {
        let mut facts = facts(&[start("r", 1), done("r", 3, "error", None)]);
        assert_eq!(facts.due(None), [], "its span may be under way");
        if sends {
            facts.trace_seen(None, [5; 16]);
        }
        tell(&mut facts, &[start("s", 4)]);
        let told = spans(facts.due(None));
        assert_eq!(told.len(), usize::from(!sends));
        assert!(told.iter().all(|span| text(span, "error.type") == "_OTHER"));
    }
}

#[test]
fn shutdown_tells_what_was_under_way() {
    for (reason, error_type) in [("timeout", "Sandbox.Timedout"), ("failure", "Runtime.ExitError")] {
        let mut facts = facts(&[start("q", 1), done("q", 1, "success", None), start("r", 2)]);
        facts.invoked("r", 2 * S);
        let [span] = spans(facts.due(shutdown(reason, "r"))).try_into().expect("one");
        assert_eq!((text(&span, "error.type"), span.end_time_unix_nano), (error_type.into(), 9 * S));
    }
    let mut silent = Facts::default();
    silent.invoked("r", S);
    assert_eq!(silent.due(shutdown("failure", "r")), [], "it may have ended long ago: nobody tells");
    assert_eq!(silent.due(shutdown("spindown", "r")), []);
    assert_eq!(spans(silent.due(shutdown("timeout", "r"))).len(), 1);
}

#[test]
fn each_attempt_has_its_own_account() {
    let mut facts = facts(&[start("r", 1), done("r", 2, "success", None)]);
    facts.close("r");
    facts.invoked("r", 4 * S);
    tell(
        &mut facts,
        &[done("r", 2, "success", None), start("r", 4), start("r", 1), done("r", 2, "success", None)],
    );
    tell(&mut facts, &[done("r", 6, "error", Some("Runtime.ExitError"))]);
    let [span] = spans(facts.due(None)).try_into().expect("one");
    assert_eq!(span.start_time_unix_nano, 4 * S);
}

#[test]
fn a_clock_that_is_wrong_costs_no_account() {
    let mut facts = Facts::default();
    facts.invoked("r", 1000 * S);
    tell(&mut facts, &[done("r", 2, "timeout", None)]);
    assert_eq!(spans(facts.due(None)).len(), 1);
}

#[test]
fn an_init_that_failed_is_told_in_the_trace_of_the_invocation_that_it_failed() {
    let failed = json!({ "phase": "init", "status": "error", "errorType": "Runtime.ExitError" });
    let timing = json!({ "phase": "init", "status": "error", "metrics": { "durationMs": 500 } });
    let batches = [
        event("initStart", 1, json!({ "phase": "init" })),
        event("initRuntimeDone", 2, failed),
        event("initReport", 2, timing),
        event("initStart", 3, json!({ "phase": "invoke" })),
        start("r", 3),
    ];
    let mut facts = facts(&batches);
    assert_eq!(facts.due(None), []);
    tell(&mut facts, &[done("r", 4, "error", Some("Runtime.ExitError"))]);
    let told = spans(facts.due(None));
    let names: Vec<_> = told.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["f", "init"]);
    assert_eq!(
        (told[1].trace_id.clone(), told[1].parent_span_id.clone()),
        (told[0].trace_id.clone(), told[0].span_id.clone())
    );
    assert_eq!((told[1].start_time_unix_nano, told[1].end_time_unix_nano), (S, S + S / 2));
    assert_eq!(text(&told[1], "error.type"), "Runtime.ExitError");
    assert_eq!(facts.due(shutdown("failure", "r")), []);
}

#[test]
fn the_phases_of_a_cold_start_are_told_under_the_invocation() {
    for (phases, ahead, expected) in [
        (Phases::ColdStarts, 0, vec!["init", "handler", "extension overhead"]),
        (Phases::ColdStarts, 20, vec![]),
        (Phases::All, 20, vec!["handler", "extension overhead"]),
        (Phases::Off, 0, vec![]),
    ] {
        let init = json!({ "status": "success", "metrics": { "durationMs": 300 } });
        let mut facts =
            facts(&[event("initStart", 1, json!({})), event("initReport", 2, init), start("r", 3 + ahead)]);
        facts.settings.phases = phases;
        facts.span_told(&its_span("r", false));
        let latency =
            json!({ "name": "responseLatency", "start": "1970-01-01T00:00:03Z", "durationMs": 12.5 });
        let record = json!({ "requestId": "r", "status": "success", "spans": [latency], "metrics": { "durationMs": 20 } });
        tell(&mut facts, &[event("runtimeDone", 4 + ahead, record)]);
        assert_eq!(facts.due(None), [], "the report is still to come");
        tell(&mut facts, &[report("r", 5 + ahead)]);
        let told = spans(facts.due(None));
        assert_eq!(
            told.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(),
            expected,
            "{phases:?} {ahead}"
        );
        assert!(told.iter().all(|span| span.parent_span_id == [8; 8]));
        facts.invoked("s", 40 * S);
        facts.span_told(&InvocationSpan { span_id: [9; 8], ..its_span("s", false) });
        tell(&mut facts, &[start("s", 40), done("s", 41, "success", None)]);
        facts.invoked("t", 42 * S);
        assert_eq!(spans(facts.due(None)), [], "a warm one has no init");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Tell(u8, u8, u8),
    Any(Vec<u8>),
    Span(u8, bool),
    Invoked(u8),
    Due,
}

/// Eight requests; what becomes of each is fixed by its number.
fn batch(request: u8, kind: u8) -> Vec<u8> {
    let (id, at) = (format!("r{request}"), u64::from(request));
    match kind % 3 {
        0 => start(&id, at),
        1 => match request % 3 {
            0 => done(&id, at + 1, "success", None),
            1 => done(&id, at + 1, "timeout", None),
            _ => done(&id, at + 1, "error", Some("Runtime.ExitError")),
        },
        _ => report(&id, at + 1),
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..8, 0_u8..3, 1_u8..3).prop_map(|(request, kind, times)| Step::Tell(request, kind, times)),
        1 => vec(any::<u8>(), 0..40).prop_map(Step::Any),
        1 => (0_u8..8, any::<bool>()).prop_map(|(request, failed)| Step::Span(request, failed)),
        1 => (0_u8..8).prop_map(Step::Invoked),
        2 => Just(Step::Due),
    ]
}

proptest! {
    /// Whatever comes in whatever order and however often: one account of each attempt, and none of one that went well.
    #[test]
    fn one_account_of_each_attempt(steps in vec(step(), 0..80)) {
        let mut facts = Facts::default();
        let (mut told, mut gone, mut own) = (Vec::new(), [false; 8], [false; 8]);
        for step in steps {
            match step {
                Step::Tell(request, kind, times) => {
                    gone[usize::from(request)] |= kind == 1 && request % 3 != 0;
                    (0..times).for_each(|_| tell(&mut facts, &[batch(request, kind)]));
                }
                Step::Any(bytes) => {
                    let mut torn = batch(bytes.len() as u8 % 8, 1);
                    torn.truncate(torn.len().saturating_sub(bytes.len() + 1));
                    tell(&mut facts, &[bytes, torn]);
                }
                Step::Span(request, failed) => {
                    own[usize::from(request)] = true;
                    facts.span_told(&its_span(&format!("r{request}"), failed));
                }
                Step::Invoked(request) => facts.invoked(&format!("r{request}"), u64::from(request) * S),
                Step::Due => told.extend(facts.due(None)),
            }
        }
        told.extend(facts.due(shutdown("spindown", "r0")));
        for request in 0..8_usize {
            let id = format!("r{request}");
            let accounts = told.iter().filter(|account| account.request_id == id && account.failure.is_some()).count();
            prop_assert!(accounts <= usize::from(gone[request]), "{} of {}", accounts, id);
            prop_assert!(accounts == 1 || !gone[request] || own[request]);
        }
        prop_assert!(facts.attempts.len() <= REMEMBERED);
    }
}

#[test]
fn memory_is_bounded() {
    let mut facts = Facts::default();
    for number in 0..1000 {
        tell(&mut facts, &[start(&number.to_string(), 1)]);
    }
    assert_eq!(facts.attempts.len(), REMEMBERED);
}

//! What only the platform tells: the real binary makes spans of it, for functions of any language.

mod support;

use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use support::{Backend, Extension, Lambda, invocation_span, span};

const MINUTE: Duration = Duration::from_secs(60);

async fn start(backend: &Backend, subscribe_answers: &[u16]) -> Extension {
    let lambda = Lambda::start(subscribe_answers).await;
    let variables =
        [("THROUGHLINE_EXPORT_ENDPOINT", backend.url()), ("AWS_LAMBDA_FUNCTION_NAME", "f".into())];
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Extension::start_at(lambda, &variables).await
}

fn event(kind: &str, second: u64, record: serde_json::Value) -> serde_json::Value {
    json!({ "time": format!("2026-01-01T00:00:{second:02}.000Z"), "type": format!("platform.{kind}"), "record": record })
}

fn begun(request_id: &str, second: u64) -> serde_json::Value {
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let tracing = json!({ "type": "X-Amzn-Trace-Id", "value": header });
    event("start", second, json!({ "requestId": request_id, "version": "$LATEST", "tracing": tracing }))
}

fn text(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_process_of_any_language_that_died_has_a_span_in_the_trace_of_what_it_sent() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, &[]).await;
    extension.lambda.invoke("r1", MINUTE);
    tokio::time::sleep(Duration::from_millis(50)).await;
    extension.hand_over(&[span("a call")]).await;
    let metrics = json!({ "durationMs": 2000.0, "maxMemoryUsedMB": 128 });
    let record =
        json!({ "requestId": "r1", "status": "error", "errorType": "Runtime.ExitError", "metrics": metrics });
    let events = [begun("r1", 1), event("runtimeDone", 3, record.clone()), event("report", 3, record)];
    assert_eq!(extension.lambda.tell(json!(events)).await, 200);
    extension.lambda.asked(2).await;
    let told = backend.span("f");
    assert_eq!(told.trace_id, backend.span("a call").trace_id);
    assert_eq!(told.end_time_unix_nano - told.start_time_unix_nano, 2_000_000_000);
    assert_eq!(
        (text(&told, "error.type"), text(&told, "faas.invocation_id")),
        ("Runtime.ExitError".into(), "r1".into())
    );
    assert_eq!(text(&told, "faas.mem_usage"), "Some(IntValue(134217728))");
    let summary = extension.shut_down_because("failure").await;
    assert_eq!((&summary["spans"]["received"], &summary["spans"]["exported"]), (&2.into(), &2.into()));
    assert_eq!(backend.state().spans.len(), 2, "once");
}

#[tokio::test]
async fn what_goes_wrong_after_a_span_that_says_all_went_well_is_told_under_it() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, &[]).await;
    extension.invocation("r1", "its own").await;
    let record =
        json!({ "requestId": "r1", "status": "error", "errorType": "Function.ResponseSizeTooLarge" });
    assert_eq!(extension.lambda.tell(json!([begun("r1", 1), event("runtimeDone", 3, record)])).await, 200);
    extension.shut_down().await;
    let [own, told] = ["its own", "after the handler"].map(|name| backend.span(name));
    assert_eq!((told.trace_id.clone(), told.parent_span_id.clone()), (own.trace_id, own.span_id));
    assert_eq!(text(&told, "error.type"), "Function.ResponseSizeTooLarge");
}

#[tokio::test]
async fn a_time_out_that_only_shutdown_tells_and_a_success_have_what_they_deserve() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, &[202]).await;
    extension.lambda.invoke("r1", MINUTE);
    extension.lambda.asked(2).await;
    extension.shut_down_because("timeout").await;
    assert_eq!(text(&backend.span("f"), "error.type"), "Sandbox.Timedout");

    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, &[]).await;
    extension.invocation("r1", "its own").await;
    let record = json!({ "requestId": "r1", "status": "success" });
    assert_eq!(extension.lambda.tell(json!([begun("r1", 1), event("runtimeDone", 3, record)])).await, 200);
    extension.lambda.invoke("r2", MINUTE);
    extension.hand_over(&[Span { span_id: vec![3; 8], ..invocation_span("r2", "the next") }]).await;
    extension.shut_down().await;
    assert_eq!(backend.state().spans, ["its own", "the next"]);
}

#[tokio::test]
async fn the_phases_of_a_cold_start_stand_under_the_invocation() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, &[]).await;
    let init = json!({ "initializationType": "on-demand", "phase": "init", "status": "success", "metrics": { "durationMs": 500 } });
    let started = json!({ "initializationType": "on-demand", "phase": "init" });
    assert_eq!(
        extension.lambda.tell(json!([event("initStart", 0, started), event("initReport", 1, init)])).await,
        200
    );
    extension.invocation("r1", "its own").await;
    let record = json!({ "requestId": "r1", "status": "success", "metrics": { "durationMs": 20 } });
    let report = json!({ "requestId": "r1", "status": "success", "metrics": { "durationMs": 25 } });
    let events = [begun("r1", 1), event("runtimeDone", 2, record), event("report", 2, report)];
    assert_eq!(extension.lambda.tell(json!(events)).await, 200);
    extension.shut_down().await;
    let (own, init, overhead) =
        (backend.span("its own"), backend.span("init"), backend.span("extension overhead"));
    assert_eq!((init.parent_span_id, overhead.parent_span_id), (own.span_id.clone(), own.span_id));
    assert_eq!(init.end_time_unix_nano - init.start_time_unix_nano, 500_000_000);
}

#[tokio::test]
async fn metrics_go_where_metrics_are_taken_once_at_shutdown() {
    let (both, traces) = (Backend::start(&[]).await, Backend::start(&[]).await);
    let endpoints = format!("{},{}/v1/traces", both.url(), traces.url());
    let variables = [("THROUGHLINE_EXPORT_ENDPOINT", endpoints.as_str()), ("THROUGHLINE_METRICS", "delta")];
    let mut extension = Extension::start(&variables).await;
    extension.invocation("r1", "its own").await;
    let metrics =
        json!({ "durationMs": 20, "billedDurationMs": 20, "initDurationMs": 300, "maxMemoryUsedMB": 64 });
    let done = json!({ "requestId": "r1", "status": "success", "metrics": metrics });
    let events = json!([begun("r1", 1), event("runtimeDone", 2, done.clone()), event("report", 2, done)]);
    assert_eq!(extension.lambda.tell(events).await, 200);
    let summary = extension.shut_down().await;
    let others = std::mem::take(&mut both.state().others);
    let [(path, bytes)] = others.as_slice() else { panic!("one request, not {}", others.len()) };
    assert_eq!(path, "/v1/metrics");
    let request = ExportMetricsServiceRequest::decode(bytes.as_slice()).expect("OTLP");
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    let expected = [
        "faas.invocations",
        "faas.coldstarts",
        "faas.invoke_duration",
        "faas.init_duration",
        "faas.mem_usage",
        "throughline.billed_duration",
        "throughline.received",
        "throughline.exported",
        "throughline.kept",
    ];
    assert_eq!(names, expected);
    assert_eq!((both.state().spans.len(), traces.state().spans.len()), (1, 1));
    assert!(traces.state().others.is_empty());
    let row = |at: usize| &summary["destinations"][at]["metrics"];
    let counted = [&row(0)["received"], &row(0)["exported"], &row(0)["kept"]];
    assert_eq!(counted.map(serde_json::Value::as_u64), [Some(9), Some(9), Some(0)]);
    assert!(row(1).is_null(), "{summary}");
}

#[tokio::test]
async fn lines_of_the_function_arrive_in_the_trace_of_its_invocation() {
    let backend = Backend::start(&[]).await;
    let variables = [("THROUGHLINE_EXPORT_ENDPOINT", backend.url()), ("THROUGHLINE_LOGS", "on".into())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut extension = Extension::start(&variables).await;
    assert_eq!(extension.lambda.state().subscriptions[0]["types"], json!(["platform", "function"]));
    let line = |record: serde_json::Value| json!({ "time": "2026-01-01T00:00:01.500Z", "type": "function", "record": record });
    let other = "4bf92f3577b34da6a3ce929d0e0e4736";
    let lines = [
        line(json!("before it\n")),
        begun("r1", 1),
        line(json!("just text\n")),
        line(json!({ "level": "WARN", "message": "in a trace of its own", "trace_id": other })),
    ];
    assert_eq!(extension.lambda.tell(json!(lines)).await, 200);
    extension.invocation("r1", "its own").await;
    let summary = extension.shut_down().await;
    let own = backend.span("its own");
    let mut records = Vec::new();
    for (path, bytes) in &backend.state().others {
        assert_eq!(path, "/v1/logs");
        let request = ExportLogsServiceRequest::decode(bytes.as_slice()).expect("OTLP");
        records.extend(request.resource_logs[0].scope_logs[0].log_records.clone());
    }
    let traces: Vec<_> = records.iter().map(|record| record.trace_id.clone()).collect();
    let other: Vec<u8> =
        (0..16).map(|at| u8::from_str_radix(&other[2 * at..2 * at + 2], 16).expect("hex")).collect();
    assert_eq!(traces, [vec![], own.trace_id, other]);
    assert_eq!(records[2].severity_text, "WARN");
    let counted = &summary["log_records"];
    assert_eq!((&counted["received"], &counted["exported"]), (&3.into(), &3.into()));
}

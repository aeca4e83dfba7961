use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Status;

use super::*;

/// 2026-11-20, 01:47:03.
const NOW: u64 = 1_795_139_223_000;
const KEPT: Duration = Duration::from_secs(3600);
const PLAIN: Style = Style { width: 100, colour: false };

fn span(name: &str, parent: bool, error: Option<&str>) -> OtlpSpan {
    OtlpSpan {
        trace_id: vec![0xab; 16],
        span_id: vec![1; 8],
        parent_span_id: if parent { vec![2; 8] } else { vec![] },
        kind: SpanKind::Server as i32,
        name: name.to_owned(),
        start_time_unix_nano: NOW * 1_000_000,
        end_time_unix_nano: (NOW + 41) * 1_000_000,
        status: error.map(|message| Status { message: message.to_owned(), code: 2 }),
        ..OtlpSpan::default()
    }
}

fn request(service: &str, spans: Vec<OtlpSpan>) -> ExportTraceServiceRequest {
    let value = Some(AnyValue { value: Some(Value::StringValue(service.to_owned())) });
    let name = KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() };
    let resource = Some(Resource { attributes: vec![name], ..Resource::default() });
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
}

fn told(spans: Vec<OtlpSpan>, most: usize) -> String {
    Lines::new(most, KEPT, PLAIN).told(&heard(&request("web", spans)), NOW)
}

#[test]
fn a_line_for_each_that_begins() {
    let text = told(vec![span("GET /carts", false, None), span("query", true, None)], 9);
    let trace = "ab".repeat(16);
    assert!(text.starts_with("01:47:03  web  "), "{text}");
    assert!(text.ends_with(&format!("  GET /carts  41 ms  ok  trace {trace}\n")), "{text}");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn who_fails_later_is_told_again_and_once() {
    let lines = Lines::new(9, KEPT, PLAIN);
    let hear = |service, spans| lines.told(&heard(&request(service, spans)), NOW);
    assert!(hear("web", vec![span("GET /carts", false, None)]).contains("  ok  "));
    assert_eq!(hear("cart", vec![span("GET /items", true, None)]), "");
    let failed = hear("cart", vec![span("GET /items", true, Some("no database\nat all"))]);
    assert!(failed.contains("  web  GET /carts  41 ms  ✗ cart: no database  trace ab"), "{failed}");
    assert_eq!(hear("cart", vec![span("GET /items", true, Some("no database"))]), "");
    // A call that failed may have been tried again.
    let call = OtlpSpan { kind: SpanKind::Client as i32, ..span("query", true, Some("refused")) };
    assert_eq!(heard(&request("cart", vec![call])), []);
}

#[test]
fn what_failed_before_its_root_came_is_known() {
    let lines = Lines::new(9, KEPT, PLAIN);
    assert_eq!(lines.told(&heard(&request("cart", vec![span("GET /items", true, Some(""))])), NOW), "");
    let text = lines.told(&heard(&request("web", vec![span("GET /carts", false, None)])), NOW);
    assert!(text.contains("  ✗ cart  "), "{text}");
    lines.told(&heard(&request("cart", vec![span("GET /items", true, Some("no"))])), NOW);
    let text = lines.told(&heard(&request("web", vec![span("GET /carts", false, Some(""))])), NOW);
    assert!(text.contains("  ✗ cart  "), "{text}");
    let both = vec![span("GET /carts", false, None), span("GET /items", true, Some("no"))];
    assert!(told(both, 9).contains("  ✗ web: no  "));
}

#[test]
fn what_is_known_is_bounded() {
    let lines = Lines::new(9, KEPT, PLAIN);
    for at in 0..2 * MAX_KNOWN {
        let one = OtlpSpan { trace_id: at.to_be_bytes().to_vec(), ..span("GET /", false, None) };
        lines.told(&heard(&request("web", vec![one])), NOW);
    }
    let known = lines.known.lock().unwrap();
    assert_eq!((known.traces.len(), known.order.len()), (MAX_KNOWN, MAX_KNOWN));
}

#[test]
fn what_fails_says_so_and_nothing_harms_the_terminal() {
    let text = told(vec![span("\u{1b}[2J", false, Some("no\u{1b}\nmore"))], 9);
    assert!(text.contains("✗ no\u{fffd}") && !text.contains('\u{1b}') && !text.contains("more"), "{text}");
}

#[test]
fn a_line_stays_one() {
    let text = told(vec![span(&"n".repeat(100_000), false, Some(&"e".repeat(100_000)))], 9);
    assert!(text.contains('…') && text.chars().count() < 300, "{} characters", text.chars().count());
}

#[test]
fn what_can_not_have_been_is_told_as_of_now() {
    for (start, end) in [(0, u64::MAX), (u64::MAX, u64::MAX), ((NOW + 4_000_000) * 1_000_000, 7)] {
        let times =
            OtlpSpan { start_time_unix_nano: start, end_time_unix_nano: end, ..span("op", false, None) };
        let text = told(vec![times], 9);
        assert!(text.starts_with("01:47:03  web  op  0.0 ms  ok"), "{text}");
    }
}

#[test]
fn what_was_not_taken_is_told_with_its_reason_once() {
    let lines = Lines::new(9, KEPT, PLAIN);
    let not_taken =
        |items, why: &str| lines.not_taken(Signal::Traces, &Rejected { items, why: why.into() }, NOW);
    assert_eq!(not_taken(2, "traceId: no\u{1b}"), "01:47:03  ✗ 2 spans not taken: traceId: no\u{fffd}\n");
    assert_eq!(not_taken(1, "traceId: no\u{1b}"), "");
    assert!(not_taken(1, "spanId: no").contains("✗ 1 span not taken: spanId: no"));
    assert!(lines.not_spoken(NOW).contains("✗ gRPC is not taken: set OTEL_EXPORTER_OTLP_PROTOCOL="));
    assert_eq!(lines.not_spoken(NOW), "");
}

#[test]
fn many_at_once_are_counted() {
    let many = (0..25_u8).map(|at| OtlpSpan { trace_id: vec![at; 16], ..span("GET /", false, None) });
    let text = told(many.collect(), 20);
    assert_eq!((text.lines().count(), text.lines().last()), (21, Some("and 5 more")));
}

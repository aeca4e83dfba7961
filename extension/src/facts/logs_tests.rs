use super::{Fate, Line, Lines, MAX_FIELDS, MAX_TEXT, WAITING};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::prelude::*;
use serde_json::json;

const ID: &str = "79b4f56e-95b1-4643-9700-2807f4e68189";

fn read(record: &serde_json::Value) -> Line {
    Line::read(7, &record.to_string()).expect("a line")
}

fn body(record: &LogRecord) -> &str {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// As the formats of Lambda's runtimes are
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>), and Powertools' and ours.
#[test]
fn lines_of_every_format_tell_request_level_and_message() {
    let python = json!(format!("[ERROR]\t2026-01-02T03:04:05.678Z\t{ID}\tdeclined\n"));
    let node = json!(format!("2026-01-02T03:04:05.678Z\t{ID}\tWARN\tslow\ttoday\n"));
    let lambda =
        json!({ "timestamp": "2026-01-02T03:04:05Z", "level": "INFO", "requestId": ID, "message": "paid" });
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let powertools =
        json!({ "level": "DEBUG", "function_request_id": ID, "message": { "a": 1 }, "cold_start": true });
    let ours = json!({ "level": "INFO", "trace_id": trace, "span_id": "00f067aa0ba902b7", "message": "in it", "n": 3 });
    for (record, id, severity, message, has_trace) in [
        (python, Some(ID), "ERROR", "declined", false),
        (node, Some(ID), "WARN", "slow\ttoday", false),
        (lambda.clone(), Some(ID), "INFO", "paid", false),
        (json!(format!("{lambda}\n")), Some(ID), "INFO", "paid", false),
        (powertools, Some(ID), "DEBUG", "\"a\":1", false),
        (ours, None, "INFO", "in it", true),
        (json!("just text\n"), None, "", "just text", false),
        (json!({ "level": "shouting", "msg": "hey" }), None, "", "hey", false),
    ] {
        let line = read(&record);
        assert_eq!(line.request_id.as_deref(), id, "{record}");
        assert_eq!(line.record.severity_text, severity, "{record}");
        assert!(body(&line.record).contains(message), "{record}: {:?}", line.record);
        assert_eq!(
            (line.record.trace_id.len(), line.record.span_id.len()),
            if has_trace { (16, 8) } else { (0, 0) }
        );
        assert_eq!(line.record.time_unix_nano, 7);
    }
}

#[test]
fn fields_are_attributes_and_telemetry_is_no_line() {
    let line = read(
        &json!({ "message": "m", "order": "o-1", "amount": 1.5, "items": [1, 2], "none": null, "timestamp": "t" }),
    );
    let keys: Vec<&str> = line.record.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(keys, ["amount", "items", "order"]);
    for record in [
        json!({ "resourceSpans": [] }),
        json!("{\"resourceSpans\":[]}\n"),
        json!("{\"otlpPart\":{}}"),
        json!("\n"),
        json!(7),
    ] {
        assert_eq!(Line::read(7, &record.to_string()), None, "{record}");
    }
    let many: serde_json::Map<_, _> =
        (0..100).map(|n| (n.to_string(), json!("x".repeat(MAX_TEXT + 1)))).collect();
    let line = read(&many.into());
    assert_eq!((line.record.attributes.len(), body(&line.record).len()), (MAX_FIELDS, MAX_TEXT));
}

#[test]
fn lines_wait_for_the_trace_of_their_request() {
    let mut lines = Lines::default();
    let text = |text: &str| read(&json!(text));
    let waits = |id: &str| if id == "r" { Fate::Waits(Some([1; 16])) } else { Fate::Unknown };
    lines.push(text("of r"), Some("r"));
    lines.push(text("of nobody"), None);
    lines.push(text("of a stranger"), Some("s"));
    let taken = lines.take(false, waits);
    assert_eq!(taken.iter().map(body).collect::<Vec<_>>(), ["of nobody", "of a stranger"]);
    assert!(taken.iter().all(|record| record.trace_id.is_empty()) && !lines.is_empty());

    let own = json!({ "message": "own", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736" });
    lines.push(read(&own), Some("r"));
    let taken = lines.take(false, |_| Fate::Known([2; 16]));
    assert_eq!((taken[0].trace_id.as_slice(), taken[1].trace_id[0]), (&[2; 16][..], 0x4b));
    assert!(lines.is_empty());

    lines.push(text("the last"), Some("r"));
    assert_eq!(lines.take(true, waits)[0].trace_id, [1; 16], "nothing will follow");
    for _ in 0..=WAITING / 1000 {
        lines.push(text(&"x".repeat(1000)), Some("r"));
    }
    assert_eq!(lines.take(false, waits).len(), WAITING / 1000 + 1, "too many");
    assert!(lines.is_empty() && lines.size == 0);
}

proptest! {
    #[test]
    fn any_record_is_read_without_a_panic(text in "\\PC{0,200}", line in "(\\[|\t|[a-f0-9-]){0,80}", raw in ".{0,50}") {
        let _ = Line::read(0, &raw);
        for text in [json!(text), json!(line), json!({ text.clone(): line, "level": text, "trace_id": text })] {
            let _ = Line::read(0, &text.to_string());
        }
    }
}

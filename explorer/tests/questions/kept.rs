//! What is read in, and written out again.

use serde_json::{Value, json};

use super::shop::{Shop, log_lines, order, trace};

#[test]
fn what_came_in_is_what_goes_out_and_twice_is_once() {
    let shop = Shop::new();
    let out = shop.ask(&["export", &trace(1)]);
    let request: Value = serde_json::from_str(&out.text).unwrap();
    let again = shop.import("again.json", &[request]);
    assert_eq!(again.code, 0, "{}", again.errors);
    assert_eq!(shop.ask(&["export", &trace(1)]).text, out.text);
    let spans = out.text.matches("\"spanId\"").count();
    assert_eq!(spans, 3);

    let other = Shop::new();
    let path = other.path("orders.jsonl");
    let before = other.json(&["functions"]);
    assert_eq!(other.ask(&["import", path.to_str().unwrap()]).code, 0);
    assert_eq!(other.json(&["functions"])["found"], before["found"]);
}

#[test]
fn what_holds_nothing_and_what_is_no_trace_is_told_with_what_to_do() {
    let shop = Shop::new();
    let imported = shop.import("other.json", &[json!({ "spans": [] })]);
    assert_eq!(imported.code, 1);
    assert!(imported.text.contains("nothing in it is OTLP"), "{}", imported.text);
    let out = shop.ask(&["export", "c-1"]);
    assert_eq!(out.code, 1);
    assert!(out.errors.contains("throughline find c-1 --store shop.db"), "{}", out.errors);
}

/// One bad span costs nobody else anything, and is told with its place.
#[test]
fn what_is_no_span_is_left_out_and_told() {
    let shop = Shop::empty();
    let mut request = order(1, "u-1", None, "b-1");
    for (at, member, bad) in [(0, "kind", json!("SERVER")), (1, "traceId", json!(""))] {
        let spans = request["resourceSpans"][at]["scopeSpans"][0]["spans"].as_array_mut().unwrap();
        let mut span = spans[0].clone();
        (span["spanId"], span[member]) = (json!("00000000000000ff"), bad);
        spans.push(span);
    }
    let imported = shop.import("partly.json", &[request]);
    assert_eq!(imported.code, 1, "not all of it could be read");
    assert!(imported.text.starts_with("3 spans of 2 runs from 1 file "), "{}", imported.text);
    assert!(imported.text.contains("in other requests that are no OTLP: 2"), "{}", imported.text);
    assert!(
        imported.errors.contains("partly.json:1: left out 2, no OTLP: kind: invalid type"),
        "{}",
        imported.errors
    );
    assert_eq!(shop.ask(&["trace", &trace(1)]).code, 0);
}

#[test]
fn log_lines_come_in_and_go_out_with_their_transaction() {
    let shop = Shop::new();
    let imported = shop.import("logs.jsonl", &[log_lines(1)]);
    assert_eq!(imported.code, 0, "{}", imported.errors);
    assert!(imported.text.starts_with("0 spans of 0 runs and 3 log lines from 1 file "), "{}", imported.text);

    let out = shop.ask(&["export", &trace(1), "--logs"]);
    let lines: Vec<&str> = out.text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], shop.ask(&["export", &trace(1)]).text.trim());
    assert_eq!(lines[1].matches("\"body\"").count(), 3);
    let again: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(shop.import("again.jsonl", &again).code, 0);
    let twice = shop.ask(&["export", &trace(1), "--logs"]);
    assert_eq!(twice.text.matches("\"body\"").count(), 3, "twice is once");
}

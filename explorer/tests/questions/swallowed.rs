//! An error that was dropped shows as success: lists tell it.

use serde_json::Value;

use super::shop::{Shop, order, text};
use super::tells;

/// An order that was taken though the fraud check failed, and one before with which nothing was wrong.
fn dropped() -> Shop {
    let shop = Shop::empty();
    let mut dropped = order(1, "u-1042", None, "1");
    let api = &mut dropped["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    let told = api["attributes"].as_array_mut().unwrap();
    told.push(text("throughline.swallowed_errors", "1"));
    assert_eq!(shop.import("orders.jsonl", &[dropped, order(2, "u-0007", None, "1")]).code, 0);
    shop
}

#[test]
fn a_list_tells_what_was_dropped_and_asks_of_it_next() {
    let shop = dropped();
    tells(
        &shop,
        &["traces"],
        r#"
time         entry         user      took                         trace
11-20 12:00  POST /orders  u-0007  1.35 s  2 runs                 00000000000000000000000000000002
11-20 12:00  POST /orders  u-1042  1.35 s  ok, 1 error swallowed  00000000000000000000000000000001
2 transactions began, 0.02 a minute; 0 runs failed; their first functions p50 41 ms, p95 41 ms
counted in whole hours: 2 from 11-20 11:00, beside as many from 11-20 09:00
next: throughline trace 00000000000000000000000000000001 --store shop.db
"#,
    );
}

#[test]
fn what_was_dropped_is_asked_for() {
    let shop = dropped();
    for arguments in
        [&["traces", "--swallowed"][..], &["traces", "--swallowed", "--function", "checkout-api"]]
    {
        let found = shop.json(arguments)["found"].take();
        let told: Vec<_> =
            found.as_array().unwrap().iter().map(|row| (&row["user"], &row["swallowed"])).collect();
        assert_eq!(told, [(&Value::from("u-1042"), &Value::from(1))], "{arguments:?}");
        let text = shop.ask_then(arguments).text;
        assert!(text.contains("  ok, 1 error swallowed  "), "{text}");
    }
    let none = shop.ask_then(&["traces", "--swallowed", "--function", "email-sender"]);
    assert_eq!(none.code, 1, "{}", none.text);
    assert_eq!(shop.ask(&["traces", "--swallowed", "--failed"]).code, 2);
    // Who dropped an error did not fail.
    for arguments in [&["errors", "--swallowed"][..], &["impact", "checkout-api", "--swallowed"]] {
        let refused = shop.ask_then(arguments);
        assert!(refused.errors.contains("can't be narrowed by --swallowed"), "{}", refused.errors);
        assert!(refused.errors.contains("traces --swallowed"), "{}", refused.errors);
    }
}

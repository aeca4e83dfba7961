//! What failed first and ended well is no emergency, wherever it is told.

use serde_json::Value;

use super::shop::{Shop, of, order, span, then};
use super::tells;

/// An order whose mail fails once and is sent a second later, and one whose mail is never sent.
fn mended() -> Shop {
    let shop = Shop::empty();
    let mut mended = order(1, "u-1042", Some("421 try again"), "1");
    let retry = [
        ("faas.invocation_id", "mail-again"),
        ("throughline.source", "sqs email"),
        ("throughline.receive_count", "2"),
    ];
    let retry = span(1, 4, Some(2), "email-sender", 5, (2220, 2350), &retry, &[]);
    mended["resourceSpans"].as_array_mut().unwrap().push(of("email-sender", &[retry]));
    let lost = order(2, "u-0007", Some("550 sender unverified"), "1");
    assert_eq!(shop.import("orders.jsonl", &[mended, lost]).code, 0);
    shop
}

#[test]
fn a_list_tells_what_a_retry_mended_from_what_failed_for_good() {
    let shop = mended();
    tells(
        &shop,
        &["traces"],
        r#"
time         entry         user      took                                trace
11-20 12:00  POST /orders  u-0007  1.35 s  ✗ 1 failure                   00000000000000000000000000000002
11-20 12:00  POST /orders  u-1042  2.35 s  ↻ ended well after 1 failure  00000000000000000000000000000001
2 transactions began, 0.02 a minute; 2 runs failed; their first functions p50 41 ms, p95 41 ms
counted in whole hours: 2 from 11-20 11:00, beside as many from 11-20 09:00
next: throughline trace 00000000000000000000000000000002 --store shop.db
"#,
    );
    let failed = shop.json(&["traces", "--failed"]);
    let rows = failed["found"].as_array().unwrap().iter();
    let told: Vec<_> = rows.map(|row| (row["user"].as_str(), row["ended_well"].as_bool())).collect();
    assert_eq!(told, [(Some("u-0007"), Some(false)), (Some("u-1042"), Some(true))]);
    let words = then(&["traces", "--failed"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let narrow = shop.ask_in(80, &words);
    assert!(narrow.text.contains("  ↻ ended well after…  "), "{}", narrow.text);
}

#[test]
fn what_failed_for_good_is_asked_of_next_though_it_is_older() {
    let shop = Shop::empty();
    let mut mended = order(2, "u-1042", Some("421 try again"), "1");
    let retry = [
        ("faas.invocation_id", "mail-again"),
        ("throughline.source", "sqs email"),
        ("throughline.receive_count", "2"),
    ];
    let retry = span(2, 4, Some(2), "email-sender", 5, (2220, 2350), &retry, &[]);
    mended["resourceSpans"].as_array_mut().unwrap().push(of("email-sender", &[retry]));
    let lost = order(1, "u-0007", Some("550 sender unverified"), "1");
    assert_eq!(shop.import("orders.jsonl", &[lost, mended]).code, 0);
    let told = shop.ask_then(&["traces"]).text;
    assert!(told.contains("next: throughline trace 00000000000000000000000000000001 "), "{told}");
}

#[test]
fn a_story_and_its_ticket_say_that_it_ended_well() {
    let shop = mended();
    let title = |id: &str| shop.ask(&["trace", id]).text.lines().next().unwrap().to_owned();
    assert!(title("c-1").contains("  2.35 s  ended well after 1 failure  2026-11-20"), "{}", title("c-1"));
    assert!(title("c-2").contains("  1.35 s  failed  2026-11-20"), "{}", title("c-2"));
    for (id, ended_well) in [("c-1", true), ("c-2", false)] {
        assert_eq!(shop.json(&["trace", id])["found"]["ended_well"], Value::Bool(ended_well));
        let ticket = shop.ask(&["trace", id, "--markdown"]).text;
        assert_eq!(ticket.contains("\n- outcome: ended well after 1 failure\n"), ended_well, "{ticket}");
    }
}

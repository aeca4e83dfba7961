//! What `throughline logs` tells.

use serde_json::json;

use super::shop::{Shop, log_lines, of, order, span, text, trace};

fn shop() -> Shop {
    let shop = Shop::new();
    assert_eq!(shop.import("logs.jsonl", &[log_lines(1), log_lines(2)]).code, 0);
    shop
}

#[test]
fn of_a_transaction_by_any_of_its_ids() {
    let shop = shop();
    for id in [&*trace(1), "c-1", "sqs:m-1", "mail-1", "u-1042"] {
        assert_eq!(
            shop.ask(&["logs", id]).text,
            r#"2026-11-20
12:00:11.225  INFO   email-sender  …00000001  sending a mail
12:00:11.330  DEBUG  email-sender  …00000001  > MAIL FROM  smtp.host=mx1
12:00:11.340  ERROR  email-sender  …00000001  the server said 550
next: throughline trace 00000000000000000000000000000001 --store shop.db
"#,
        );
    }
}

/// The collector that sends a function's lines may know it by another name.
#[test]
fn lines_that_are_named_otherwise_are_found() {
    let shop = Shop::new();
    let mut lines = log_lines(1);
    lines["resourceLogs"][0]["resource"] = json!({ "attributes": [text("service.name", "mail-service")] });
    assert_eq!(shop.import("logs.jsonl", &[lines.clone()]).code, 0);
    let told = shop.ask(&["logs", &trace(1)]).text;
    assert!(told.contains("INFO   email-sender  …00000001  sending a mail"), "{told}");
    assert!(told.contains("DEBUG  mail-service  …00000001  > MAIL FROM"), "{told}");
    let of_function = shop.json(&["logs", "--function", "email-sender"]);
    assert_eq!(of_function["found"].as_array().unwrap().len(), 2, "those that name its request");

    lines["resourceLogs"][0]["resource"] = json!({});
    let other = Shop::new();
    assert_eq!(other.import("logs.jsonl", &[lines]).code, 0);
    let of_function = other.json(&["logs", "--function", "email-sender"]);
    assert_eq!(of_function["found"].as_array().unwrap().len(), 3, "who names nobody may be anybody");
}

#[test]
fn of_the_runs_that_are_asked_for() {
    let shop = shop();
    let count = |arguments: &[&str]| {
        let answer = shop.json(&[&["logs"], arguments].concat());
        answer["found"].as_array().unwrap().len()
    };
    for (arguments, lines) in [
        (&["--function", "email-sender"][..], 6),
        (&["--function", "email-sender", "--failed"], 3),
        (&["--function", "email-sender", "--user", "u-0007"], 3),
        (&["--function", "email-sender", "--level", "error"], 2),
        (&["--function", "email-sender", "--matching", "mail from"], 2),
        (&["--function", "email-sender", "--matching", "host=MX1", "--level", "info"], 0),
        (&["--function", "email-sender", "--limit", "4"], 4),
        (&["--function", "checkout-api"], 0),
        (&["--failed"], 3),
        (&["--error", "SmtpRejected", "--level", "warn"], 1),
    ] {
        assert_eq!(count(arguments), lines, "{arguments:?}");
    }
    let newest = shop.ask_then(&["logs", "--function", "email-sender", "--limit", "1"]);
    assert!(
        newest.text.starts_with("the newest 1: 5 more (--limit)\n2026-11-20\n12:00:21.340  ERROR"),
        "{}",
        newest.text
    );
    let object = shop.json(&["logs", "--function", "email-sender", "--failed", "--limit", "1"]);
    assert_eq!(object["found"][0]["message"], "the server said 550");
    assert_eq!((&object["at_least"], &object["found"][0]["trace_id"]), (&json!(false), &json!(trace(1))));
}

#[test]
fn what_makes_no_sense_is_refused_and_nothing_found_is_1() {
    let shop = shop();
    let whose = shop.ask_then(&["logs"]);
    assert_eq!(whose.code, 2);
    assert!(
        whose.errors.contains("Name a transaction (an ID), a --function, or another filter"),
        "{}",
        whose.errors
    );
    assert_eq!(shop.ask(&["logs", "c-1", "--function", "f"]).code, 2);
    assert_eq!(shop.ask(&["logs", "c-1", "--level", "loud"]).code, 2);
    let none = shop.ask_then(&["logs", "--function", "checkout-api"]);
    assert_eq!(none.code, 1);
    assert_eq!(
        none.text,
        "2 runs found, and none of their log lines is in the store: functions send them there from when THROUGHLINE_LOGS=on is\n\
         set on them\nnext: throughline trace 00000000000000000000000000000002 --store shop.db\n"
    );
    let object = shop.json(&["logs", "--function", "checkout-api"]);
    assert_eq!((&object["runs"], &object["kept"]), (&json!(2), &json!(0)));
    let filtered = shop.ask_then(&["logs", "--function", "email-sender", "--matching", "nowhere"]);
    assert_eq!(filtered.code, 1);
    assert!(
        filtered
            .text
            .starts_with("no such log lines: none of the 6 log lines of 2 runs\nnext: throughline trace "),
        "{}",
        filtered.text
    );
    let nobody = shop.ask_then(&["logs", "--function", "nobody"]);
    assert_eq!(nobody.code, 1);
    assert!(
        nobody
            .text
            .starts_with("no such runs, and so no log lines\nno function nobody ran in that time; throughline functions tells which did\nnext: throughline functions --since"),
        "{}",
        nobody.text
    );
    assert_eq!(shop.ask(&["logs", "nothing"]).code, 1);
}

/// Of each transaction all runs that are asked for, not its newest alone.
#[test]
fn every_attempt_is_told_with_or_without_its_function() {
    let shop = Shop::empty();
    let mut order = order(1, "u-1042", Some("421 try again"), "1");
    let again = [
        ("faas.invocation_id", "mail-again"),
        ("throughline.source", "sqs email"),
        ("user.id", "u-1042"),
        ("correlation.id", "c-1"),
    ];
    let mut again = span(1, 4, Some(2), "email-sender", 5, (2220, 2350), &again, &[]);
    again["status"] = json!({ "code": 2, "message": "421 try again" });
    order["resourceSpans"].as_array_mut().unwrap().push(of("email-sender", &[again]));
    assert_eq!(shop.import("orders.jsonl", &[order]).code, 0);
    let mut second = log_lines(1);
    let records = &mut second["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
    let of_request = json!([text("faas.invocation_id", "mail-again")]);
    records.as_array_mut().unwrap().truncate(1);
    records[0]["attributes"] = of_request;
    records[0]["body"]["stringValue"] = json!("sending it again");
    assert_eq!(shop.import("logs.jsonl", &[log_lines(1), second]).code, 0);
    for filters in [&["--user", "u-1042"][..], &["--correlation-id", "c-1"], &["--failed"]] {
        for function in [&[][..], &["--function", "email-sender"]] {
            let told = shop.ask_then(&[&["logs"], filters, function].concat()).text;
            let both = told.contains("sending a mail") && told.contains("sending it again");
            assert!(both, "{filters:?} {function:?}: {told}");
        }
    }
}

/// A program that exports logs alone, such as a proxy, takes part in the transaction as well.
#[test]
fn a_story_tells_the_lines_of_who_has_no_spans() {
    let shop = Shop::new();
    let proxy = |number| {
        let mut lines = log_lines(number);
        lines["resourceLogs"][0]["resource"] = json!({ "attributes": [text("service.name", "proxy")] });
        let records = lines["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array_mut().unwrap();
        records.remove(0);
        records[0]["attributes"] = json!([]);
        records[1]["spanId"] = json!("00000000000000ff");
        lines
    };
    assert_eq!(shop.import("logs.jsonl", &[proxy(1), proxy(2)]).code, 0);
    for number in [1, 2] {
        let told = shop.ask(&["trace", &trace(number)]).text;
        let block = format!(
            "\n\nlog lines of programs that have no run here\n  12:00:{number}1.330  DEBUG  proxy  > MAIL FROM  \
             smtp.host=mx1\n  12:00:{number}1.340  ERROR  proxy  the server said 550\n\n"
        );
        assert!(told.contains(&block), "{told}");
        let lines = shop.json(&["trace", &trace(number)])["found"]["logs"].as_array().unwrap().len();
        assert_eq!(lines, 2);
    }
    let ticket = shop.ask(&["trace", &trace(1), "--markdown"]).text;
    assert!(ticket.contains("## Others say\n\n```text\nlog lines of programs that"), "{ticket}");
}

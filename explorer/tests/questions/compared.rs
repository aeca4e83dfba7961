//! What `throughline trace` tells beside a transaction: the last good one, a ticket, and who else wrote the same.

use serde_json::{Value, json};

use super::shop::{Shop, log_lines, of, order, span, trace};
use super::story::{add, spans};

/// Eight orders that went well, then one with another build, a flag and a slow mailer.
pub(super) fn after_a_deploy() -> Shop {
    let shop = Shop::empty();
    let mut orders: Vec<Value> = (1..=8).map(|number| order(number, "u-0007", None, "4d01b77")).collect();
    let mut last = order(9, "u-1042", Some("550 sender | `unverified` @ops"), "9f3c2e1");
    let mail = spans(&mut last).pop().unwrap();
    let start: u64 = mail["startTimeUnixNano"].as_str().unwrap().parse().unwrap();
    mail["endTimeUnixNano"] = json!((start + 2_400_000_000).to_string());
    add(mail, "smtp.host", "mx2");
    orders.push(last);
    assert_eq!(shop.import("orders.jsonl", &orders).code, 0);
    shop
}

#[test]
fn a_failed_one_is_held_against_the_last_good_one() {
    let shop = after_a_deploy();
    let told = shop.ask(&["trace", "c-9"]).text;
    let block = told.split("\n\n").nth(2).unwrap();
    assert_eq!(
        block,
        r#"against the last good one of the same path: 11-20 12:01, trace 00000000000000000000000000000008, and 7 others before it
  in                       here          in the good one
  email-sender  build      9f3c2e1       4d01b77
  email-sender  status     SmtpRejected  ok
  email-sender  smtp.host  mx2           –
  email-sender  took       2.40 s        p95 of the last 8: 130 ms"#,
        "{told}"
    );
    let good = &shop.json(&["trace", "c-9"])["found"]["good"];
    assert_eq!(
        (&good["trace_id"], &good["path"], &good["good"]),
        (&json!(trace(8)), &json!("same"), &json!(8))
    );
    assert_eq!(good["differences"].as_array().map(Vec::len), Some(3));
    let fine = shop.ask(&["trace", "c-8"]).text;
    assert!(!fine.contains("the last good one"), "it differs in nothing: {fine}");
    assert!(!fine.contains("compared"), "in all that is compared: {fine}");
}

#[test]
fn what_is_not_compared_is_said_and_why() {
    let shop = after_a_deploy();
    let said = |id: &str| {
        let told = shop.ask(&["trace", id]).text;
        let lines: Vec<&str> = told.lines().filter(|line| line.contains("compared")).collect();
        lines.join("\n")
    };
    let none = "not compared with a good one: nothing else came in there in the 24 hours before it";
    assert_eq!(said("c-1"), none);
    let first = &shop.json(&["trace", "c-1"])["found"];
    assert_eq!((&first["good"], &first["not_compared"]), (&Value::Null, &json!("none_before")));
    let few = "how long it took is not compared: that takes 5 good ones of the same path, and 1 good one came before it";
    assert_eq!(said("c-2"), few);
    assert!(said("c-5").contains("and 4 good ones came before it"), "{}", said("c-5"));
    assert_eq!(said("c-6"), "");
    assert_eq!(shop.json(&["trace", "c-2"])["found"]["not_compared"], Value::Null);
    let ticket = shop.ask(&["trace", "c-1", "--markdown"]).text;
    assert!(ticket.contains(&format!("\n## Compared\n\n{none}\n\n## Commands")), "{ticket}");
}

#[test]
fn a_ticket_is_markdown() {
    let shop = after_a_deploy();
    assert_eq!(shop.import("logs.jsonl", &[log_lines(9)]).code, 0);
    let answer = shop.ask(&["trace", "c-9", "--markdown"]);
    assert_eq!(answer.code, 0, "{}", answer.errors);
    println!("{}", answer.text);
    for told in [
        "# `POST /orders` failed in `email-sender`: ``SmtpRejected: 550 sender | `unverified` @ops``\n",
        "- when: 2026-11-20 12:01:30 UTC, took 3.62 s\n",
        "- user: `u-1042`\n",
        "- build: `9f3c2e1`\n",
        "- since: 11-20 12:01 UTC: 1 failure of `email-sender`, 1 user hit; 9 runs in the whole hours from a day before it until now\n",
        "\n## What happened\n\n```text\n└─ checkout-api",
        "\n## `email-sender` failed\n\n```text\n✗ email-sender  build 9f3c2e1  request mail-9\n",
        "  12:01:31.225  INFO   sending a mail\n",
        "\n| `email-sender` | `build` | `9f3c2e1` | `4d01b77` |\n",
        "\nthroughline impact email-sender --since 2026-11-20T12:01:00 --store shop.db\n",
    ] {
        assert!(answer.text.contains(told), "{told}: {}", answer.text);
    }
    assert_eq!(shop.ask(&["trace", "c-9", "--markdown", "--json"]).code, 2);
}

#[test]
fn who_else_wrote_the_same_item() {
    let shop = Shop::empty();
    let write = |number: u64, error: Option<&str>| {
        let mut request = order(number, "u-1042", error, "1");
        let put = [("aws.dynamodb.table_names", "orders"), ("throughline.join.out", "dynamodb:00ff")];
        let put = span(number, 5, Some(3), "PutItem", 3, (1225, 1230), &put, &[]);
        request["resourceSpans"].as_array_mut().unwrap().push(of("email-sender", &[put]));
        request
    };
    assert_eq!(shop.import("orders.jsonl", &[write(1, None), write(2, Some("conflict"))]).code, 0);
    let told = shop.ask(&["trace", "c-2"]).text;
    let block = told.split("\n\n").find(|block| block.starts_with("others")).unwrap_or(&told);
    assert_eq!(
        block,
        r#"others that wrote the same items of DynamoDB within a quarter of an hour
  table   when            function      trace
  orders  10.01 s before  email-sender  00000000000000000000000000000001"#
    );
    assert!(!shop.ask(&["trace", "c-1"]).text.contains("others that wrote"), "it failed not");
    assert_eq!(shop.json(&["trace", "c-2"])["found"]["same_items"][0]["id"], "dynamodb:00ff");
}

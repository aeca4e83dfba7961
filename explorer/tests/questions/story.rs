//! What `throughline trace` tells of a transaction.

use serde_json::{Value, json};

use super::shop::{ESCAPE, Shop, hostile, log_lines, of, order, span, text, trace};
use super::tells;

/// The spans of a request, to be changed.
pub(super) fn spans(request: &mut Value) -> Vec<&mut Value> {
    let resources = request["resourceSpans"].as_array_mut().unwrap().iter_mut();
    resources.flat_map(|one| one["scopeSpans"][0]["spans"].as_array_mut().unwrap()).collect()
}

pub(super) fn add(span: &mut Value, name: &str, value: &str) {
    span["attributes"].as_array_mut().unwrap().push(text(name, value));
}

#[test]
fn a_failed_run_says_all_that_it_knows() {
    let shop = Shop::empty();
    let mut request = order(1, "u-1042", Some("550 sender unverified: relay denied"), "9f3c2e1");
    let mail = spans(&mut request).pop().unwrap();
    add(mail, "throughline.event", &format!(r#"{{"to":"{}"}}"#, "zoe@example.com,".repeat(60)));
    add(mail, "throughline.response", "null");
    add(mail, "smtp.host", "mx1");
    let time = mail["endTimeUnixNano"].clone();
    mail["events"] = json!([
        { "name": "feature_flag.evaluation", "timeUnixNano": time, "attributes": [
            text("feature_flag.key", "new-relay"), text("feature_flag.result.variant", "on")] },
        { "name": "exception", "timeUnixNano": time, "attributes": [
            text("exception.type", "SmtpRejected"), text("exception.message", "550"),
            text("exception.stacktrace", "mailer::send at src/main.rs:12:5\nmailer::main at src/main.rs:3:1")] },
    ]);
    let call = span(1, 4, Some(3), "DATA", 3, (1230, 1300), &[("server.address", "mx1.example.com")], &[]);
    let mut call = call;
    call["status"] = json!({ "code": 2, "message": "550 sender unverified" });
    add(&mut call, "error.type", "SmtpRejected");
    request["resourceSpans"].as_array_mut().unwrap().push(of("email-sender", &[call]));
    assert_eq!(shop.import("order.jsonl", &[request, log_lines(1)]).code, 0);

    let told = shop.ask(&["trace", &trace(1)]).text;
    let block = told.split("\n\n").nth(1).unwrap();
    // 400 columns of it on lines of 120.
    let event = format!(r#"event    {{"to":"{}"#, &"zoe@example.com,".repeat(25)[..392]) + "…";
    let event: Vec<char> = event.chars().collect();
    let event = event.chunks(116).enumerate();
    let event: Vec<String> = event
        .map(|(at, chunk)| format!("  {}{}", if at == 0 { "" } else { "  " }, String::from_iter(chunk)))
        .collect();
    assert_eq!(
        block,
        format!(
            r#"✗ email-sender  build 9f3c2e1  request mail-1
  SmtpRejected: 550 sender unverified: relay denied
    mailer::send at src/main.rs:12:5
    mailer::main at src/main.rs:3:1
  ✗ DATA  70 ms  SmtpRejected: 550 sender unverified
    server.address=mx1.example.com
  flag new-relay=on  smtp.host=mx1
{}
  result   null
  12:00:11.225  INFO   sending a mail
  12:00:11.330  DEBUG  > MAIL FROM  smtp.host=mx1
  12:00:11.340  ERROR  the server said 550"#,
            event.join("\n")
        ),
        "{told}"
    );
    let full = shop.ask(&["trace", &trace(1), "--full"]).text;
    assert!(full.contains(&format!(r#"  event    {{"to":"{}"}}"#, "zoe@example.com,".repeat(60))), "{full}");
    assert!(full.contains("\ncheckout-api  request api-1\n"), "every run: {full}");
    let object = shop.json(&["trace", &trace(1)]);
    let said: Vec<_> =
        object["found"]["logs"].as_array().unwrap().iter().map(|line| &line["message"]).collect();
    assert_eq!(said, ["sending a mail", "> MAIL FROM", "the server said 550"]);
}

#[test]
fn the_log_lines_of_all_runs_are_told_where_they_are_asked_for() {
    let shop = Shop::new();
    assert_eq!(shop.import("logs.jsonl", &[log_lines(2)]).code, 0);
    let (quiet, told) = (shop.ask(&["trace", "c-2"]).text, shop.ask(&["trace", "c-2", "--logs"]).text);
    assert!(!quiet.contains("sending a mail"), "it failed not: {quiet}");
    assert!(
        told.contains(
            "\nemail-sender  build 4d01b77  request mail-2\n  12:00:21.225  INFO   sending a mail\n"
        ),
        "{told}"
    );
}

#[test]
fn attempts_stand_together_until_the_dead_letter_queue() {
    let shop = Shop::empty();
    let attempt = |id: u64, count: &str, at: u64, waited: &str| {
        let request = format!("mail-{count}");
        let mut span = span(
            1,
            id,
            Some(2),
            "email-sender",
            5,
            (at, at + 130),
            &[
                ("faas.invocation_id", &request),
                ("throughline.source", "sqs email"),
                ("throughline.queue_time_ms", waited),
                ("throughline.receive_count", count),
                ("error.type", "SmtpRejected"),
            ],
            &[],
        );
        span["status"] = json!({ "code": 2, "message": "550" });
        span
    };
    let mut request = order(1, "u-1042", None, "1");
    spans(&mut request).pop().unwrap()["attributes"] = json!([]);
    let dead = span(
        1,
        9,
        Some(2),
        "undertaker",
        5,
        (92_000, 92_010),
        &[
            ("faas.invocation_id", "dead-1"),
            ("throughline.source", "sqs email-dlq"),
            ("throughline.dead_letter.source", "email"),
        ],
        &[],
    );
    let resources = request["resourceSpans"].as_array_mut().unwrap();
    resources.pop();
    let attempts =
        [attempt(5, "1", 1220, "1200"), attempt(6, "2", 31_220, "31200"), attempt(7, "3", 91_220, "91200")];
    resources.extend(attempts.map(|attempt| of("email-sender", &[attempt])));
    resources.push(of("undertaker", &[dead]));
    assert_eq!(shop.import("order.jsonl", &[request]).code, 0);
    let told = shop.ask(&["trace", &trace(1)]).text;
    let tree: Vec<&str> = told.lines().skip(1).take(5).collect();
    assert_eq!(
        tree.join("\n"),
        r#"
└─ checkout-api     POST /orders                     40 ms  █                            cold start
   ├─ email-sender  sqs email      waited 1.20 s    130 ms  █                            ✗ SmtpRejected: 550
   │     attempt 2                 waited 31.20 s   130 ms           █                   ✗
   │     attempt 3                 waited 91.20 s   130 ms                            █  ✗ → dead-letter queue email-dlq
   └─ undertaker    sqs email-dlq                    10 ms                            █"#
            .trim_start(),
        "{told}"
    );
    assert!(told.contains("\n✗ email-sender  attempt 2  request mail-2\n"), "{told}");
}

/// A stream does not say how often a record came.
#[test]
fn an_attempt_is_called_the_same_in_the_tree_and_below() {
    let shop = Shop::empty();
    let mut request = order(1, "u-1042", None, "1");
    let resources = request["resourceSpans"].as_array_mut().unwrap();
    resources.pop();
    for (id, at) in [(5, 1220), (6, 2220)] {
        let invocation = format!("audit-{id}");
        let said = [
            ("faas.invocation_id", &*invocation),
            ("throughline.source", "kinesis audit"),
            ("error.type", "AuditError"),
        ];
        let mut read = span(1, id, Some(2), "audit-trail", 5, (at, at + 1), &said, &[]);
        read["status"] = json!({ "code": 2, "message": "no JSON" });
        resources.push(of("audit-trail", &[read]));
    }
    assert_eq!(shop.import("order.jsonl", &[request]).code, 0);
    let told = shop.ask(&["trace", &trace(1)]).text;
    assert!(told.contains("\n         attempt 2 "), "{told}");
    assert!(told.contains("\n✗ audit-trail  request audit-5\n"), "{told}");
    assert!(told.contains("\n✗ audit-trail  attempt 2  request audit-6\n"), "{told}");
}

#[test]
fn what_spans_say_of_time_and_parents_is_told_and_never_believed() {
    let shop = Shop::empty();
    let mut request = order(1, "u-1042", None, "1");
    let mut all = spans(&mut request);
    // The mailer's clock is behind.
    all[2]["startTimeUnixNano"] =
        json!(all[0]["startTimeUnixNano"].as_str().unwrap().parse::<u64>().unwrap() - 40_000_000);
    let mut odd = vec![
        span(1, 11, Some(3), "1970", 1, (0, 1), &[], &[]),
        span(1, 12, Some(3), "backwards", 1, (1300, 1250), &[], &[]),
        span(1, 13, Some(99), "orphan", 1, (1300, 1301), &[], &[]),
        span(1, 14, Some(15), "one", 1, (1300, 1301), &[], &[]),
        span(1, 15, Some(14), "two", 1, (1300, 1301), &[], &[]),
        span(1, 16, Some(3), "last", 1, (1300, 1301), &[], &[]),
    ];
    (odd[0]["startTimeUnixNano"], odd[0]["endTimeUnixNano"]) = (json!("5"), json!("6"));
    odd[5]["endTimeUnixNano"] = json!(u64::MAX.to_string());
    request["resourceSpans"].as_array_mut().unwrap().push(of("email-sender", &odd));
    assert_eq!(shop.import("odd.jsonl", &[request]).code, 0);
    let answer = shop.ask(&["trace", &trace(1)]);
    for told in [
        "says that it began on 1970-01-01",
        "says that it ended 50 ms before it began",
        "says that it ended on 2554-07-21",
        "its parent is missing",
        "1 span names a parent that is not here",
        "2 spans are in a circle of parents",
        "email-sender began before checkout-api called it: its clock is at least 50 ms behind",
    ] {
        assert!(answer.text.contains(told), "{told}: {}", answer.text);
    }
    assert!(answer.text.lines().all(|line| line.chars().count() <= 130), "{}", answer.text);
}

/// A host whose clock is an hour ahead does not make a call take an hour.
#[test]
fn a_clock_that_is_off_is_not_in_how_long_it_took() {
    let shop = Shop::empty();
    let mut request = order(1, "u-1042", None, "1");
    let call = span(1, 7, Some(1), "GET /stock", 3, (10, 30), &[("http.request.method", "GET")], &[]);
    let hour = 3_600_000;
    let stock = [("http.request.method", "GET"), ("http.route", "/stock")];
    let stock = span(1, 8, Some(7), "GET /stock", 2, (hour + 10, hour + 20), &stock, &[]);
    let resources = request["resourceSpans"].as_array_mut().unwrap();
    resources.extend([of("checkout-api", &[call]), of("stock", &[stock])]);
    assert_eq!(shop.import("order.jsonl", &[request]).code, 0);
    let told = shop.ask(&["trace", &trace(1)]).text;
    assert!(
        told.starts_with("POST /orders  user u-1042  account acme  correlation c-1  1.35 s  ok  "),
        "{told}"
    );
    let note = "checkout-api was answered before stock began: its clock is at least 3600 s behind; the tree makes up for it";
    assert!(told.contains(note), "{told}");
    let object = shop.json(&["trace", &trace(1)]);
    assert_eq!(object["found"]["duration"], 1_350_000);
    assert_eq!(object["found"]["skews"][0]["told_by"], "answer");
    let listed = shop.ask_then(&["traces"]).text;
    assert!(listed.contains("  ~1.35 s  "), "{listed}");
    let row = shop.json(&["traces"])["found"][0].clone();
    assert_eq!(json!([row["duration"], row["skewed"]]), json!([1_350_000, true]));
}

#[test]
fn joins_are_dotted_and_a_users_newest_is_told() {
    let shop = Shop::new();
    let mut request = order(3, "u-1042", None, "1");
    let last = request["resourceSpans"].as_array_mut().unwrap();
    // The mailer got no context: a trace of its own, and the message's id.
    let mail = &mut last[1]["scopeSpans"][0]["spans"][0];
    (mail["traceId"], mail["parentSpanId"]) = (json!(trace(77)), json!(""));
    assert_eq!(shop.import("third.jsonl", &[request]).code, 0);
    let told = shop.ask(&["trace", "u-1042"]).text;
    assert!(told.starts_with("the newest of 3 transactions of user.id u-1042\nPOST /orders"), "{told}");
    assert!(told.contains("   └╌ email-sender") && told.contains("by sqs:m-3"), "{told}");
    tells(
        &shop,
        &["find", "mail-3"],
        r#"
time         it is the   of            trace
11-20 12:00  request id  email-sender  0000000000000000000000000000004d
next: throughline trace 0000000000000000000000000000004d --store shop.db
"#,
    );
}

#[test]
fn nothing_of_a_story_reaches_the_terminal_unchanged() {
    let shop = Shop::empty();
    let mut request = hostile(1);
    for span in spans(&mut request) {
        add(span, "throughline.event", ESCAPE);
        add(span, &format!("k{ESCAPE}"), ESCAPE);
        span["events"] = json!([{ "name": "exception", "timeUnixNano": "1", "attributes": [
            text("exception.type", ESCAPE), text("exception.stacktrace", ESCAPE)] }]);
    }
    let mut lines = log_lines(1);
    let record = &mut lines["resourceLogs"][0]["scopeLogs"][0]["logRecords"][2];
    (record["body"], record["severityText"]) = (json!({ "stringValue": ESCAPE }), json!(ESCAPE));
    add(record, ESCAPE, ESCAPE);
    lines["resourceLogs"][0]["resource"]["attributes"] =
        json!([text("faas.name", &format!("email-sender{ESCAPE}"))]);
    assert_eq!(shop.import("hostile.jsonl", &[request, lines]).code, 0);
    for arguments in [
        &["trace", &trace(1)][..],
        &["trace", &trace(1), "--full", "--logs"],
        &["trace", &trace(1), "--json"],
    ] {
        let answer = shop.ask(arguments);
        assert_eq!(answer.code, 0, "{}", answer.errors);
        let harms = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!answer.text.chars().any(harms), "{arguments:?} {:?}", answer.text);
        assert!(answer.text.matches("email-sender").count() > 1);
    }
}

//! What the store is asked in the terminal: through the program itself, of a store in a file.

mod compared;
mod figures;
mod kept;
mod killed;
mod logs;
mod narrow;
mod rebuilt;
mod retried;
mod shop;
mod story;
mod swallowed;
mod widths;

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use shop::{ESCAPE, Shop, hostile, of, order, span, throughline, trace};

#[track_caller]
fn tells(shop: &Shop, arguments: &[&str], told: &str) {
    let answer = shop.ask_then(arguments);
    let text = answer.text.trim_end();
    assert_eq!(text, told.trim_matches('\n'), "\n{text}\n{}", answer.errors);
    assert_eq!(answer.code, 0);
}

#[test]
fn the_newest_transactions() {
    let shop = Shop::new();
    tells(
        &shop,
        &["traces"],
        r#"
time         entry         user      took               trace
11-20 12:00  POST /orders  u-0007  1.35 s  2 runs       00000000000000000000000000000002
11-20 12:00  POST /orders  u-1042  1.35 s  ✗ 1 failure  00000000000000000000000000000001
2 transactions began, 0.02 a minute; 1 run failed; their first functions p50 41 ms, p95 41 ms
counted in whole hours: 2 from 11-20 11:00, beside as many from 11-20 09:00
next: throughline trace 00000000000000000000000000000001 --store shop.db
"#,
    );
}

#[test]
fn one_transaction_by_any_id() {
    let shop = Shop::new();
    let told = r#"
POST /orders  user u-1042  account acme  correlation c-1  1.35 s  failed  2026-11-20 12:00:10 UTC
└─ checkout-api     POST /orders                   40 ms  █                        cold start
   └─ email-sender  sqs email     waited 1.20 s   130 ms                      ███  ✗ SmtpRejected: 550 sender unverified

✗ email-sender  build 9f3c2e1  request mail-1
  SmtpRejected: 550 sender unverified

not compared with a good one: nothing else came in there in the 24 hours before it
trace 00000000000000000000000000000001
next: throughline impact email-sender --since 2026-11-20T12:00:00 --store shop.db
"#;
    for id in [&*trace(1), "c-1", "m-1", "sqs:m-1", "mail-1"] {
        tells(&shop, &["trace", id], told);
    }
}

#[test]
fn what_an_id_is() {
    let shop = Shop::new();
    tells(
        &shop,
        &["find", "m-1"],
        r#"
time         it is the  of                    trace
11-20 12:00  sqs id     email-sender  failed  00000000000000000000000000000001
11-20 12:00  sqs id     checkout-api          00000000000000000000000000000001
next: throughline trace 00000000000000000000000000000001 --store shop.db
"#,
    );
}

#[test]
fn what_failures_break() {
    let shop = Shop::new();
    tells(
        &shop,
        &["impact", "email-sender"],
        r#"
email-sender   1 failure since 11-20 12:00, only build 9f3c2e1   in 2 runs from 11-20 11:00 to 13:00 (none in the 2
hours before)

  entry         failures  was  of runs         transactions  users  ended well after retry
  POST /orders         1    0        2  50.0%             1      1                       0

  count  was  error                                first        last         newest trace
      1  new  SmtpRejected: 550 sender unverified  11-20 12:00  11-20 12:00  00000000000000000000000000000001

  1 user hit of 1 account, most: u-1042 (1, plan enterprise)
  cause: its own; nothing failed earlier
runs and shares are counted in whole hours: 2 from 11-20 11:00, beside as many from 11-20 09:00
next: throughline trace 00000000000000000000000000000001 --store shop.db
"#,
    );
    tells(
        &shop,
        &["errors"],
        r#"
count  was  function      first        last         newest trace
    1  new  email-sender  11-20 12:00  11-20 12:00  00000000000000000000000000000001
  SmtpRejected: 550 sender unverified
was: since 11-20 11:28
next: throughline impact email-sender --since 2026-11-20T11:59:00 --until 2026-11-20T12:30:00 --store shop.db
"#,
    );
}

/// A score that was not had is seldom why a mail was not sent; what the mailer's own call said is.
#[test]
fn what_failed_earlier_elsewhere_is_perhaps_the_cause() {
    let shop = Shop::empty();
    let call = |number, (id, parent), name, when, kind, message| {
        let mut call = span(number, id, Some(parent), name, 3, when, &[("error.type", kind)], &[]);
        call["status"] = json!({ "code": 2, "message": message });
        call
    };
    let score = call(1, (7, 1), "GET /score", (5, 9), "net::Timeout", "no answer\nat all");
    let data = call(2, (7, 3), "DATA", (1230, 1300), "SmtpRejected", "550 sender unverified");
    let mut orders = [
        order(1, "u-1042", Some("nobody to send to"), "1"),
        order(2, "u-0007", Some("550 sender unverified"), "1"),
    ];
    for (order, (function, call)) in orders.iter_mut().zip([("checkout-api", score), ("email-sender", data)])
    {
        order["resourceSpans"].as_array_mut().unwrap().push(of(function, &[call]));
    }
    assert_eq!(shop.import("orders.jsonl", &orders).code, 0);
    let told = shop.ask_then(&["impact", "email-sender"]).text;
    let causes: Vec<&str> = told.lines().filter(|line| line.contains("cause")).collect();
    assert_eq!(
        causes,
        [
            "  cause of SmtpRejected: email-sender DATA failed below: SmtpRejected 550 sender unverified",
            "  perhaps the cause of SmtpRejected: checkout-api GET /score failed before: Timeout no answer",
        ],
        "{told}"
    );
}

#[test]
fn what_functions_do_and_whom_they_call() {
    let shop = Shop::new();
    tells(
        &shop,
        &["functions", "--builds"],
        r#"
function      build     runs  a min  failed            p50     p95  cold  seen
checkout-api               2   0.02       0     0%   41 ms   41 ms     2
email-sender  2 builds     2   0.02       1  50.0%  126 ms  126 ms     0
              4d01b77      1   0.01       0     0%  126 ms  126 ms     0  11-20 12:00
              9f3c2e1      1   0.01       1   100%  126 ms  126 ms     0  11-20 12:00
counted in whole hours: 2 from 11-20 11:00, beside as many from 11-20 09:00
next: throughline impact email-sender --since 2026-11-20T11:59:00 --until 2026-11-20T12:30:00 --store shop.db
"#,
    );
    tells(
        &shop,
        &["map"],
        r#"
node          calls  a min  failed            p50     p95  waits p50  waits p95
checkout-api      2   0.02       0     0%   41 ms   41 ms
email-sender      2   0.02       1  50.0%  126 ms  126 ms
POST /orders      2   0.02       0     0%
sqs email         2   0.02       0     0%   10 ms   10 ms     1.19 s     1.19 s

from          to            calls  a min  failed            p50     p95
checkout-api  sqs email         2   0.02       0     0%   10 ms   10 ms
POST /orders  checkout-api      2   0.02       0     0%
sqs email     email-sender      2   0.02       1  50.0%  1.19 s  1.19 s
from a queue to a function the times are those in the queue
counted in whole hours: 2 from 11-20 11:00, beside as many from 11-20 09:00
next: throughline map --format svg --since 2026-11-20T11:59:00 --until 2026-11-20T12:30:00 --store shop.db
"#,
    );
    tells(
        &shop,
        &["map", "--format", "mermaid", "--function", "email-sender"],
        r#"
flowchart LR
  n1["email-sender"]
  n0(["sqs email"])
  n0 -->|"2, 1 failed"| n1
  linkStyle 0 stroke:#c62828
"#,
    );
}

#[test]
fn programs_get_one_object() {
    let shop = Shop::new();
    let traces = shop.json(&["traces", "--limit", "1"]);
    let row = &traces["found"][0];
    assert_eq!(
        json!([row["entry"], row["user"], row["runs"], row["failures"], row["duration"], row["functions"]]),
        json!(["http POST /orders", "u-0007", 2, 0, 1_350_000, ["checkout-api", "email-sender"]])
    );
    assert_eq!((&traces["at_least"], &traces["damaged"]), (&json!(false), &json!([])));
    assert!(traces["next"].as_str().unwrap().starts_with("throughline trace "), "{traces}");

    let impact = shop.json(&["impact", "email-sender"]);
    let found = &impact["found"];
    assert_eq!((&found["runs"], &found["failures"], &found["users"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!(found["top_users"][0]["user"], "u-1042");
    assert_eq!(
        found["errors"][0]["error"],
        json!({ "kind": "SmtpRejected", "message": "550 sender unverified" })
    );

    let trace = shop.json(&["trace", "c-1"]);
    assert_eq!(trace["found"]["spans"].as_array().map(Vec::len), Some(3));
    assert_eq!(shop.json(&["find", "c-1"])["found"][0]["by"], "correlation_id");
    assert_eq!(shop.json(&["errors"])["found"][0]["count"], 1);
    assert_eq!(shop.json(&["functions"])["found"].as_array().map(Vec::len), Some(2));
    assert_eq!(shop.json(&["map"])["found"]["edges"].as_array().map(Vec::len), Some(3));
}

#[test]
fn nothing_that_others_wrote_reaches_the_terminal() {
    let shop = Shop::empty();
    assert_eq!(shop.import("hostile.jsonl", &[hostile(1)]).code, 0);
    let function = format!("email-sender{ESCAPE}");
    let id = trace(1);
    for arguments in [
        &["traces"][..],
        &["traces", "--failed"],
        &["traces", "--function", &function],
        &["impact", &function],
        &["errors"],
        &["functions", "--builds"],
        &["map"],
        &["map", "--format", "mermaid"],
        &["map", "--format", "svg"],
        &["trace", &id],
        &["find", &id],
        &["find", ESCAPE],
    ] {
        let answer = shop.ask_then(arguments);
        assert!(
            arguments.contains(&ESCAPE) || answer.code == 0,
            "{arguments:?} {} {}",
            answer.text,
            answer.errors
        );
        let harms = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(
            !answer.text.chars().chain(answer.errors.chars()).any(harms),
            "{arguments:?} {:?}",
            answer.text
        );
    }
}

#[test]
fn the_exit_status_says_whether_something_was_found() {
    let shop = Shop::empty();
    let missing = shop.ask(&["traces"]);
    assert_eq!(missing.code, 2);
    assert!(missing.errors.contains("throughline store create --store shop.db"), "{}", missing.errors);

    let made = shop.ask(&["store", "create"]);
    assert_eq!((made.code, made.text.contains("0 items")), (0, true), "{} {}", made.text, made.errors);
    assert_eq!(shop.ask(&["store", "create"]).code, 0, "it is there already");
    let mode = std::fs::metadata(shop.path("shop.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
    assert_eq!(shop.json(&["store", "info"])["status"], "ACTIVE");
    for arguments in [
        &["traces"][..],
        &["errors"],
        &["functions"],
        &["map"],
        &["impact", "nobody"],
        &["find", "nothing"],
        &["trace", "nothing"],
        &["export", "nothing"],
    ] {
        let answer = shop.ask(arguments);
        assert_eq!(answer.code, 1, "{arguments:?} {}", answer.errors);
        assert!(arguments[0] == "export" || answer.text.contains("\nnext: throughline "), "{}", answer.text);
    }
    for arguments in
        [&["traces", "--since", "yesterday"][..], &["traces", "--since", "1h", "--until", "2h"], &["trace"]]
    {
        assert_eq!(shop.ask(arguments).code, 2, "{arguments:?}");
    }
    let unnamed = throughline(&["traces"]);
    let said = String::from_utf8(unnamed.stderr).unwrap();
    assert_eq!(unnamed.status.code(), Some(2));
    assert!(said.contains("THROUGHLINE_STORE_TABLE") && said.contains("--store FILE"), "{said}");

    std::fs::write(shop.path("shop.db"), "no database at all").unwrap();
    let foreign = shop.ask(&["traces"]);
    assert_eq!((foreign.code, foreign.errors.contains("is no store")), (2, true), "{}", foreign.errors);
}

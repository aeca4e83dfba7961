//! Figures beside those of the time before, and how they fit the terminal.

use serde_json::{Value, json};

use super::shop::{Shop, order};
use super::tells;

const MIB: u64 = 1024 * 1024;
/// The hour that is asked for; the one before it is 13 to 14 o'clock.
const THEN: [&str; 4] = ["--since", "T14:00", "--until", "T14:59"];

/// Four orders after one o'clock, and eight after two, of which two fail with a new build that takes more memory.
fn busy() -> Shop {
    let shop = Shop::empty();
    let answer = shop.import("busy.jsonl", &orders());
    assert_eq!(answer.code, 0, "{}", answer.errors);
    shop
}

fn orders() -> Vec<Value> {
    let before = (400..404).map(|number| told(order(number, "u-1", None, "4d01b77"), 80));
    let now = (721..729).map(|number| {
        let error = (number > 726).then_some("550 sender unverified");
        told(order(number, "u-1042", error, if number > 724 { "9f3c2e1" } else { "4d01b77" }), number - 600)
    });
    before.chain(now).collect()
}

#[test]
fn names_of_functions_are_whole_beside_their_memory() {
    let shop = Shop::empty();
    let long = |order: Value| {
        let text = order.to_string().replace("email-sender", "shop-production-email-sender-eu-w1");
        serde_json::from_str(&text).unwrap()
    };
    let orders: Vec<Value> = orders().into_iter().map(long).collect();
    assert_eq!(shop.import("busy.jsonl", &orders).code, 0);
    let told = shop.ask_then(&["functions", "--since", "T13:00", "--until", "T15:00"]).text;
    assert!(told.contains("\nshop-production-email-sender-eu-w1  "), "{told}");
    assert!(told.contains("  128 of 256 MB  rising"), "{told}");
}

/// With what the platform tells of the mailer: memory, and an init.
fn told(mut order: Value, mib: u64) -> Value {
    let int = |key: &str, bytes: u64| json!({ "key": key, "value": { "intValue": bytes.to_string() } });
    let mailer = &mut order["resourceSpans"][1];
    mailer["resource"]["attributes"].as_array_mut().unwrap().push(int("faas.max_memory", 256 * MIB));
    let spans = mailer["scopeSpans"][0]["spans"].as_array_mut().unwrap();
    spans[0]["attributes"].as_array_mut().unwrap().push(int("faas.mem_usage", mib * MIB));
    order
}

#[test]
fn functions_beside_the_hour_before() {
    let shop = busy();
    tells(
        &shop,
        &[&["functions", "--builds"], &THEN[..]].concat(),
        r#"
function      build     runs  a min  failed         was     p50     p95  cold  memory         seen
checkout-api               8    0.1       0     0%   0%   41 ms   41 ms     8
email-sender  2 builds     8    0.1       2  25.0%   0%  126 ms  126 ms     0  128 of 256 MB
              9f3c2e1      4   0.07       2  50.0%       126 ms  126 ms     0  128 MB         11-20 14:00 to 11-20 14:01
              4d01b77      4   0.07       0     0%       126 ms  126 ms     0  124 MB         11-20 13:06 to 11-20 14:00
counted in whole hours: 1 from 11-20 14:00, beside as many from 11-20 13:00
next: throughline impact email-sender --since 2026-11-20T14:00:00 --until 2026-11-20T14:59:00 --store shop.db
"#,
    );
    let answer = shop.json(&[&["functions", "--function", "email-sender"], &THEN[..]].concat());
    let row = &answer["found"][0];
    assert_eq!((&row["runs"], &row["failures"], &row["before"]["runs"]), (&json!(8), &json!(2), &json!(4)));
    assert_eq!((&row["memory"], &row["memory_limit"]), (&json!(128 * MIB), &json!(256 * MIB)));
    // Eight runs of 130 ms with a quarter of a GB.
    assert!((row["gb_seconds"].as_f64().unwrap() - 0.26).abs() < 1e-9, "{row}");
    assert_eq!(row["builds"][0]["build"], "9f3c2e1", "the newest first");
    assert_eq!(row["hours"].as_array().map(Vec::len), Some(1));
    let window = |which: &str| {
        let window = &answer["counted"][which];
        window["to"].as_u64().unwrap() + 1 - window["from"].as_u64().unwrap()
    };
    assert_eq!((window("window"), window("before")), (3_600_000, 3_600_000));
}

#[test]
fn others_beside_the_time_before() {
    let shop = busy();
    tells(
        &shop,
        &[&["traces", "--limit", "2"], &THEN[..]].concat(),
        r#"
time         entry         user      took               trace
11-20 14:01  POST /orders  u-1042  1.35 s  ✗ 1 failure  000000000000000000000000000002d8
11-20 14:01  POST /orders  u-1042  1.35 s  ✗ 1 failure  000000000000000000000000000002d7
the newest 2: more with --limit
8 transactions began, 0.1 a minute (0.07 before); 2 runs failed (0 before); their first functions p50 41 ms, p95 41 ms
(41 ms before)
counted in whole hours: 1 from 11-20 14:00, beside as many from 11-20 13:00
next: throughline trace 000000000000000000000000000002d8 --store shop.db
"#,
    );
    tells(
        &shop,
        &[&["errors"], &THEN[..]].concat(),
        r#"
count  was  function      first        last         newest trace
    2  new  email-sender  11-20 14:01  11-20 14:01  000000000000000000000000000002d8
  SmtpRejected: 550 sender unverified
was: since 11-20 13:01
next: throughline impact email-sender --since 2026-11-20T14:00:00 --until 2026-11-20T14:59:00 --store shop.db
"#,
    );
    tells(
        &shop,
        &[&["impact", "email-sender"], &THEN[..]].concat(),
        r#"
email-sender   2 failures since 11-20 14:01, only build 9f3c2e1   in 8 runs from 11-20 14:00 to 15:00 (0 in 4 runs in
the hour before)

  entry         failures  was  of runs         transactions  users  ended well after retry
  POST /orders         2    0        8  25.0%             2      1                       0

  count  was  error                                first        last         newest trace
      2  new  SmtpRejected: 550 sender unverified  11-20 14:01  11-20 14:01  000000000000000000000000000002d8

  1 user hit of 1 account, most: u-1042 (2, plan enterprise)
  cause: its own; nothing failed earlier, in the newest of 2
runs and shares are counted in whole hours: 1 from 11-20 14:00, beside as many from 11-20 13:00
next: throughline trace 000000000000000000000000000002d8 --store shop.db
"#,
    );
    tells(
        &shop,
        &[&["map"], &THEN[..]].concat(),
        r#"
node          calls  a min         failed         was     p50     p95     was  waits p50  waits p95
checkout-api      8    0.1  ↑2.0×       0     0%   0%   41 ms   41 ms   41 ms
email-sender      8    0.1  ↑2.0×       2  25.0%   0%  126 ms  126 ms  126 ms
POST /orders      8    0.1  ↑2.0×       0     0%   0%
sqs email         8    0.1  ↑2.0×       0     0%   0%   10 ms   10 ms   10 ms     1.19 s     1.19 s

from          to            calls  a min         failed         was     p50     p95     was
checkout-api  sqs email         8    0.1  ↑2.0×       0     0%   0%   10 ms   10 ms   10 ms
POST /orders  checkout-api      8    0.1  ↑2.0×       0     0%   0%
sqs email     email-sender      8    0.1  ↑2.0×       2  25.0%   0%  1.19 s  1.19 s  1.19 s
from a queue to a function the times are those in the queue
counted in whole hours: 1 from 11-20 14:00, beside as many from 11-20 13:00
next: throughline map --format svg --since 2026-11-20T14:00:00 --until 2026-11-20T14:59:00 --store shop.db
"#,
    );
    let traces = shop.json(&[&["traces"], &THEN[..]].concat());
    assert_eq!((&traces["rates"]["now"]["runs"], &traces["rates"]["before"]["runs"]), (&json!(8), &json!(4)));
    assert_eq!(shop.json(&[&["errors"], &THEN[..]].concat())["found"][0]["before"], 0);
    let map = shop.json(&[&["map"], &THEN[..]].concat());
    assert_eq!(map["found"]["edges"][0]["before"]["runs"], 4);
}

/// The second of two failures, of an hour of eight runs.
#[test]
fn failures_of_a_part_of_an_hour_are_no_share_of_its_runs() {
    let shop = busy();
    let of_part = ["impact", "email-sender", "--since", "T14:01:15", "--until", "T14:30"];
    tells(
        &shop,
        &of_part,
        r#"
email-sender   1 failure (1 before) since 11-20 14:01, only build 9f3c2e1

  entry         failures  was  transactions  users  ended well after retry
  POST /orders         1    1             1      1                       0

  count  was  error                                first        last         newest trace
      1    1  SmtpRejected: 550 sender unverified  11-20 14:01  11-20 14:01  000000000000000000000000000002d8

  1 user hit of 1 account, most: u-1042 (1, plan enterprise)
  cause: its own; nothing failed earlier
2 failures in 8 runs; counted in whole hours: 1 from 11-20 14:00, beside as many from 11-20 13:00
next: throughline trace 000000000000000000000000000002d8 --store shop.db
"#,
    );
    let answer = shop.json(&of_part);
    let hour = &answer["counted"]["window"];
    assert_eq!(hour["to"].as_u64().unwrap() + 1 - hour["from"].as_u64().unwrap(), 3_600_000);
    assert_eq!(answer["found"]["failures_counted"], 2);
    let exact = &answer["exact"]["window"];
    assert_eq!(exact["to"].as_u64().unwrap() + 1 - exact["from"].as_u64().unwrap(), 1_725_000);

    let none = shop.ask_then(&["impact", "email-sender", "--since", "T14:20", "--until", "T14:30"]);
    let told: Vec<&str> = none.text.lines().collect();
    assert!(
        told[0].starts_with(
            "email-sender had no such failure from 2026-11-20 14:20:00 to 2026-11-20 14:30:00 UTC"
        ),
        "{}",
        none.text
    );
    assert!(told[1].starts_with("2 failures in 8 runs; counted in whole hours: 1 "), "{}", none.text);
}

/// Of the four orders of the hour after one o'clock the eight of the next are none.
#[test]
fn an_hour_ends_where_the_next_begins() {
    let shop = busy();
    for (until, runs) in [("T14:00", 4), ("T15:00", 12)] {
        let of_hours = ["functions", "--function", "checkout-api", "--since", "T13:00", "--until", until];
        let answer = shop.json(&of_hours);
        assert_eq!(answer["found"][0]["runs"], runs, "{until}");
        let window = &answer["counted"]["window"];
        let length = window["to"].as_u64().unwrap() + 1 - window["from"].as_u64().unwrap();
        assert_eq!(length, if runs == 4 { 3_600_000 } else { 7_200_000 });
        assert_eq!(
            shop.json(&[&["traces"], &of_hours[3..]].concat())["found"].as_array().map(Vec::len),
            Some(runs)
        );
    }
}

/// With the build of the mailer no transaction began.
#[test]
fn nothing_is_counted_as_none_beside_what_is_listed() {
    let shop = busy();
    let words = [&["traces", "--build", "9f3c2e1"], &THEN[..]].concat();
    let answer = shop.ask_then(&words);
    assert_eq!(answer.text.matches("POST /orders").count(), 4, "{}", answer.text);
    assert!(!answer.text.contains(" began"), "{}", answer.text);
    assert_eq!(shop.json(&words).get("rates"), None);
}

#[test]
fn the_map_is_a_picture() {
    let shop = busy();
    let answer = shop.ask_then(&[&["map", "--format", "svg"], &THEN[..]].concat());
    assert!(
        answer.text.starts_with("<svg ") && answer.text.trim_end().ends_with("</svg>"),
        "{}",
        answer.text
    );
    for said in ["sqs email → email-sender: 8 calls, 2 failed", "waits 1.19 s", "POST /orders"] {
        assert!(answer.text.contains(said), "{said} in {}", answer.text);
    }
    let node = &shop.json(&[&["map", "--function", "email-sender"], &THEN[..]].concat())["found"]["nodes"];
    assert_eq!(
        (&node[0]["name"], &node[0]["function"], &node[0]["failures"]),
        (&json!("email-sender"), &json!(true), &json!(2))
    );
    assert!(node[1]["waited_p95"].as_u64().unwrap() > 1_000_000, "{node}");
}

#[test]
fn answers_fit_the_terminal() {
    let shop = busy();
    let date = super::shop::yesterday().1;
    let then = [format!("{date}T14:00"), format!("{date}T14:59")];
    for columns in [40, 80, 120, 200] {
        for question in [
            &["traces"][..],
            &["traces", "--failed"],
            &["errors"],
            &["impact", "email-sender"],
            &["functions", "--builds"],
            &["map"],
        ] {
            let words = [question, &["--since", &then[0], "--until", &then[1]]].concat();
            let answer = shop.ask_in(columns, &words);
            assert_eq!(answer.code, 0, "{}", answer.errors);
            let of_answer = answer.text.lines().filter(|line| !line.starts_with("next: "));
            for line in of_answer {
                assert!(line.chars().count() <= columns, "{columns} {question:?}\n{}", answer.text);
            }
        }
    }
}

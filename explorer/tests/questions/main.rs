//! What the store is asked in the terminal: through the program itself, of a store in a file.

mod shop;

use serde_json::{Value, json};
use shop::{ESCAPE, Shop, hostile, throughline, trace};

/// Noon of yesterday is in it at any time of the day.
const SINCE: [&str; 2] = ["--since", "2d"];

#[track_caller]
fn tells(shop: &Shop, arguments: &[&str], told: &str) {
    let arguments = if ["trace", "find"].contains(&arguments[0]) {
        arguments.to_vec()
    } else {
        [arguments, &SINCE].concat()
    };
    let answer = shop.ask(&arguments);
    let text = answer.text.trim_end();
    assert_eq!(text, told.trim_matches('\n'), "\n{text}\n{}", answer.errors);
    assert_eq!(answer.code, 0);
}

#[test]
fn the_newest_transactions() {
    let shop = Shop::new();
    tells(&shop, &["traces"], "X");
}

#[test]
fn one_transaction_by_any_id() {
    let shop = Shop::new();
    let told = "X";
    for id in [&*trace(1), "c-1", "m-1", "sqs:m-1", "mail-1"] {
        tells(&shop, &["trace", id], told);
    }
}

#[test]
fn what_an_id_is() {
    let shop = Shop::new();
    tells(&shop, &["find", "m-1"], "X");
}

#[test]
fn what_failures_break() {
    let shop = Shop::new();
    tells(&shop, &["impact", "email-sender"], "X");
    tells(&shop, &["errors"], "X");
}

#[test]
fn what_functions_do_and_whom_they_call() {
    let shop = Shop::new();
    tells(&shop, &["functions", "--builds"], "X");
    tells(&shop, &["map"], "X");
    tells(&shop, &["map", "--format", "mermaid", "--function", "email-sender"], "X");
}

#[test]
fn filters_narrow_the_list() {
    let shop = Shop::new();
    let traces = |arguments: &[&str]| -> Vec<u64> {
        let answer = shop.json(&[&["traces"], arguments, &SINCE].concat());
        let ids = answer["found"].as_array().unwrap().iter().map(|row| row["trace_id"].as_str().unwrap());
        ids.map(|id| u64::from_str_radix(id, 16).unwrap()).collect()
    };
    for (arguments, found) in [
        (&[][..], &[2, 1][..]),
        (&["--limit", "1"], &[2]),
        (&["--user", "u-1042"], &[1]),
        (&["--account", "acme", "--entry", "POST /orders"], &[2, 1]),
        (&["--entry", "POST /carts"], &[]),
        (&["--failed"], &[1]),
        (&["--error", "SmtpRejected"], &[1]),
        (&["--error", "Timeout"], &[]),
        (&["--function", "email-sender"], &[2, 1]),
        (&["--function", "email-sender", "--build", "4d01b77"], &[2]),
        (&["--function", "email-sender", "--failed"], &[1]),
        (&["--function", "email-sender", "--longer-than", "2s"], &[]),
        (&["--correlation-id", "c-2"], &[2]),
        (&["--correlation-id", "m-2"], &[]),
        (&["--correlation-id", "c-2", "--function", "email-sender", "--failed"], &[]),
        (&["--test-users"], &[]),
        (&["--no-test-users", "--until", "1h"], &[2, 1]),
        (&["--until", "40h"], &[]),
    ] {
        assert_eq!(traces(arguments), found, "{arguments:?}");
    }
}

#[test]
fn programs_get_one_object() {
    let shop = Shop::new();
    let traces = shop.json(&["traces", "--since", "2d", "--limit", "1"]);
    let row = &traces["found"][0];
    assert_eq!(
        json!([row["entry"], row["user"], row["runs"], row["failures"], row["duration"], row["functions"]]),
        json!(["http POST /orders", "u-0007", 2, 0, 1_350_000, ["checkout-api", "email-sender"]])
    );
    assert_eq!((&traces["at_least"], &traces["damaged"]), (&json!(false), &json!([])));
    assert!(traces["next"].as_str().unwrap().starts_with("throughline trace "), "{traces}");

    let impact = shop.json(&["impact", "email-sender", "--since", "2d"]);
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
    assert_eq!(shop.json(&["errors", "--since", "2d"])["found"][0]["count"], 1);
    assert_eq!(shop.json(&["functions", "--since", "2d"])["found"].as_array().map(Vec::len), Some(2));
    assert_eq!(shop.json(&["map", "--since", "2d"])["found"].as_array().map(Vec::len), Some(3));
}

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
    let before = other.json(&["functions", "--since", "2d"]);
    assert_eq!(other.ask(&["import", path.to_str().unwrap()]).code, 0);
    assert_eq!(other.json(&["functions", "--since", "2d"])["found"], before["found"]);
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
        &["trace", &id],
        &["find", &id],
        &["find", ESCAPE],
    ] {
        let arguments = if ["trace", "find"].contains(&arguments[0]) {
            arguments.to_vec()
        } else {
            [arguments, &SINCE].concat()
        };
        let answer = shop.ask(&arguments);
        assert!(
            arguments[1] == ESCAPE || answer.code == 0,
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

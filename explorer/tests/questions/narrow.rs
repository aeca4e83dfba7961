//! What narrows a question, and what a question can't be narrowed by.

use serde_json::json;

use super::shop::{Shop, of, span};

#[test]
fn filters_narrow_the_list() {
    let shop = Shop::new();
    let traces = |arguments: &[&str]| -> Vec<u64> {
        let answer = shop.json(&[&["traces"], arguments].concat());
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
        (&["--correlation-id", "c-2", "--user", "u-0007", "--account", "acme"], &[2]),
        (&["--test-users"], &[]),
        (&["--no-test-users"], &[2, 1]),
        // What one of its runs is, whichever.
        (&["--build", "4d01b77"], &[2]),
        (&["--build", "9f3c2e1", "--error", "SmtpRejected", "--user", "u-1042"], &[1]),
        (&["--build", "9f3c2e1", "--user", "u-0007"], &[]),
        (&["--request-id", "mail-1"], &[1]),
        (&["--message-id", "sqs:m-2"], &[2]),
        (&["--message-id", "m-2", "--failed"], &[]),
        (&["--flag", "account.plan=enterprise"], &[2, 1]),
        (&["--flag", "user.id=u-1042"], &[1]),
        (&["--flag", "dry-run"], &[]),
        (&["--flag", "tenant=acme"], &[]),
        (&["--longer-than", "1s"], &[2, 1]),
        (&["--shorter-than", "1s"], &[]),
        (&["--shorter-than", "1s", "--function", "checkout-api"], &[2, 1]),
    ] {
        assert_eq!(traces(arguments), found, "{arguments:?}");
    }
    let more = |limit| shop.json(&["traces", "--limit", limit])["more"].clone();
    assert_eq!((more("1"), more("2")), (json!(true), json!(false)));
}

#[test]
fn the_same_filters_narrow_other_questions() {
    let shop = Shop::new();
    for (arguments, code) in [
        (&["errors", "--user", "u-1042"][..], 0),
        (&["errors", "--user", "u-0007"], 1),
        (&["errors", "--entry", "POST /orders", "--function", "email-sender"], 0),
        (&["errors", "--function", "checkout-api"], 1),
        (&["errors", "--message-id", "m-1", "--build", "9f3c2e1"], 0),
        (&["impact", "email-sender", "--user", "u-1042"], 0),
        (&["impact", "email-sender", "--user", "u-0007"], 1),
        (&["impact", "--function", "email-sender", "--request-id", "mail-1"], 0),
        (&["functions", "--build", "9f3c2e1"], 0),
        (&["functions", "--build", "none"], 1),
        (&["functions", "--entry", "POST /orders", "--function", "checkout-api"], 0),
        (&["functions", "--failed", "--function", "checkout-api"], 1),
    ] {
        let answer = shop.ask_then(arguments);
        assert_eq!(answer.code, code, "{arguments:?} {} {}", answer.text, answer.errors);
    }
    let impact = shop.json(&["impact", "email-sender", "--user", "u-1042"]);
    assert_eq!((&impact["found"]["failures"], &impact["found"]["runs"]), (&json!(1), &json!(null)));
    let built = shop.json(&["functions", "--build", "9f3c2e1"]);
    assert_eq!(
        (&built["found"][0]["function"], &built["found"][0]["runs"]),
        (&json!("email-sender"), &json!(1))
    );
}

/// A batch has the entry points of its records, and is counted under none of them.
#[test]
fn functions_of_an_entry_say_whom_they_do_not_count() {
    let shop = Shop::new();
    let told = "\nruns that tell no entry point are not counted here: ";
    for (entry, code) in [("POST /orders", 0), ("GET /nothing", 1)] {
        let answer = shop.ask_then(&["functions", "--entry", entry]);
        assert_eq!((answer.code, answer.text.contains(told)), (code, true), "{}", answer.text);
    }
    let all = shop.ask_then(&["functions"]).text;
    assert!(!all.contains(told), "{all}");
}

#[test]
fn what_a_question_cannot_tell_it_says() {
    let shop = Shop::new();
    for (arguments, word, next) in [
        (&["functions", "--user", "u-1042"][..], "--user", "throughline traces --user u-1042 --since"),
        (&["functions", "--flag", "debug"], "--flag", "traces --flag debug"),
        (
            &["functions", "--entry", "POST /orders", "--http-status", "500"],
            "--http-status",
            "--http-status 500",
        ),
        (&["map", "--entry", "POST /orders"], "--entry", "traces --entry 'POST /orders'"),
        (
            &["map", "--longer-than", "2s", "--function", "f"],
            "--longer-than",
            "--function f --longer-than 2s",
        ),
    ] {
        let answer = shop.ask_then(arguments);
        assert_eq!((answer.code, answer.text.as_str()), (2, ""), "{arguments:?}");
        let said = format!("can't be narrowed by {word}");
        assert!(answer.errors.contains(&said) && answer.errors.contains(next), "{}", answer.errors);
    }
    for wrong in [&["errors", "--flag", "gold"][..], &["impact"], &["impact", "f", "--function", "g"]] {
        assert_eq!(shop.ask(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn the_next_command_asks_of_the_same() {
    let shop = Shop::new();
    for (arguments, next) in [
        (&["errors", "--user", "u-1042"][..], "throughline impact email-sender --user u-1042 --since"),
        (&["errors", "--user", "u-0007"], "throughline traces --failed --user u-0007 --since"),
        (&["errors", "--function", "checkout-api"], "throughline errors --function checkout-api --until"),
        (&["functions", "--build", "9f3c2e1"], "throughline impact email-sender --build 9f3c2e1 --since"),
        (&["traces", "--user", "nobody", "--failed"], "throughline traces --user nobody --failed --until"),
        (&["impact", "email-sender", "--user", "u-0007"], "throughline functions --since"),
    ] {
        let answer = shop.ask_then(arguments);
        assert!(answer.text.contains(&format!("next: {next}")), "{}", answer.text);
    }
}

/// The gateway told the caller of what failed something of its own.
#[test]
fn who_asks_for_a_status_of_servers_is_told_that_failures_have_none() {
    let shop = Shop::new();
    for (arguments, next) in [
        (&["traces", "--http-status", "500"][..], "traces --failed --since"),
        (
            &["traces", "--http-status", "502", "--failed", "--user", "u-1042"],
            "traces --failed --user u-1042 --since",
        ),
        (
            &["errors", "--http-status", "500", "--function", "email-sender"],
            "traces --failed --function email-sender",
        ),
        (&["impact", "email-sender", "--http-status", "500"], "traces --failed --function email-sender"),
        (&["logs", "--http-status", "500"], "traces --failed --since"),
    ] {
        let answer = shop.ask_then(arguments);
        let told =
            "a function that failed without an answer has no HTTP status, whatever its caller was told";
        assert!(answer.text.contains(told), "{arguments:?} {}", answer.text);
        assert!(answer.text.contains(&format!("\nnext: throughline {next}")), "{}", answer.text);
        assert!(shop.json(arguments)["next"].as_str().unwrap().contains(next));
        assert_eq!(answer.code, 1);
    }
    let client = shop.ask_then(&["traces", "--http-status", "404"]).text;
    assert!(!client.contains("without an answer"), "{client}");
}

#[test]
fn where_a_part_was_asked_for_nothing_is_said_of_the_whole() {
    let shop = Shop::new();
    for (arguments, told) in [
        (
            &["impact", "undertaker"][..],
            "undertaker did not run from 2026-11-20 11:59:00 to 2026-11-20 12:30:00 UTC\n",
        ),
        (
            &["impact", "undertaker", "--until", "now"],
            "undertaker did not run since 2026-11-20 11:59:00 UTC\n",
        ),
        (
            &["impact", "email-sender", "--build", "none"],
            "email-sender had no such run from 2026-11-20 11:59",
        ),
        (
            &["impact", "email-sender", "--entry", "GET /"],
            "email-sender had no such run from 2026-11-20 11:59",
        ),
        (
            &["traces", "--user", "nobody"],
            "no such transaction from 2026-11-20 11:59:00 to 2026-11-20 12:30:00 UTC\n",
        ),
        (
            &["errors", "--user", "nobody"],
            "no such failure from 2026-11-20 11:59:00 to 2026-11-20 12:30:00 UTC\n",
        ),
        (
            &["functions", "--build", "none"],
            "no such function ran from 2026-11-20 11:59:00 to 2026-11-20 12:30:00 UTC\n",
        ),
    ] {
        let answer = shop.ask_then(arguments);
        assert!(answer.text.starts_with(told), "{arguments:?} {}", answer.text);
    }
}

#[test]
fn a_mistyped_function_is_answered_with_the_one_that_is_meant() {
    let shop = Shop::new();
    for arguments in [
        &["impact", "email-sneder"][..],
        &["functions", "--function", "email-sneder"],
        &["errors", "--function", "email-sneder", "--failed"],
        &["traces", "--function", "email-sneder"],
        &["logs", "--function", "email-sneder"],
        &["map", "--function", "email-sneder"],
    ] {
        let answer = shop.ask_then(arguments);
        let told = "\nno function email-sneder ran in that time; did you mean email-sender?\nnext: ";
        let next = format!("throughline {} --function email-sender", arguments[0]);
        assert!(answer.text.contains(&(told.to_owned() + &next)), "{}", answer.text);
        assert!(answer.text.contains(" --until 2026-11-20T12:30:00 "), "{}", answer.text);
        assert_eq!(answer.code, 1, "{arguments:?}");
        let object = shop.json(arguments);
        assert_eq!(
            (&object["meant"], object["next"].as_str().unwrap().starts_with(&next)),
            (&json!(["email-sender"]), true)
        );
    }
    let none = shop.ask_then(&["impact", "undertaker"]).text;
    let told = "\nno function undertaker ran in that time; throughline functions tells which did\nnext: throughline functions --since";
    assert!(none.contains(told), "{none}");
    let known = shop.ask_then(&["errors", "--function", "checkout-api"]).text;
    assert!(!known.contains("no function"), "it ran, and did not fail: {known}");
}

/// Of so many functions not all failures are read: which are left out, people and programs are told.
#[test]
fn functions_that_failed_and_are_not_listed_are_named() {
    let shop = Shop::empty();
    let spans = (1..=43).map(|n| {
        let request = format!("r-{n}");
        let mut span = span(n, 1, None, "f", 2, (0, 40), &[("faas.invocation_id", &request)], &[]);
        for member in ["startTimeUnixNano", "endTimeUnixNano"] {
            let nanos: u64 = span[member].as_str().unwrap().parse().unwrap();
            // All in the first minute.
            span[member] = json!((nanos - n * 9_900_000_000).to_string());
        }
        span["status"] = json!({ "code": 2, "message": "broken" });
        of(&format!("f-{n:02}"), &[span])
    });
    let request = json!({ "resourceSpans": spans.collect::<Vec<_>>() });
    assert_eq!(shop.import("many.jsonl", &[request]).code, 0);
    let told = shop.ask_then(&["traces", "--failed", "--limit", "50"]);
    let rows = told.text.lines().filter(|line| line.contains('✗')).count();
    assert_eq!(rows, 40, "{}", told.text);
    let left_out =
        "also failed, not all listed: f-41, f-42, f-43 (throughline traces --function f-41 --failed --since ";
    assert!(told.text.replace('\n', " ").contains(left_out), "{}", told.text);
    assert_eq!(shop.json(&["traces", "--failed"])["left_out"], json!(["f-41", "f-42", "f-43"]));
    let errors = shop.ask_then(&["errors"]).text.replace('\n', " ");
    assert!(
        errors.contains(" and 13 others (--json) (throughline errors --function f-11 --since "),
        "{errors}"
    );
}

#[test]
fn an_entry_point_or_an_error_that_was_mistyped_is_asked_back() {
    let shop = Shop::new();
    for (arguments, hint, next) in [
        (
            &["traces", "--entry", "POST /order"][..],
            "no entry point was called POST /order in that time; did you mean POST /orders?",
            "throughline traces --entry 'POST /orders' --since ",
        ),
        (
            &["errors", "--error", "SmtpRejekted"],
            "no error was called SmtpRejekted in that time; did you mean SmtpRejected?",
            "throughline errors --error SmtpRejected --since ",
        ),
        (
            &["impact", "email-sender", "--entry", "post /orders"],
            "did you mean POST /orders?",
            "throughline impact --function email-sender --entry 'POST /orders' --since ",
        ),
    ] {
        let answer = shop.ask_then(arguments);
        assert_eq!(answer.code, 1);
        assert!(
            answer.text.contains(hint) && answer.text.contains(&format!("\nnext: {next}")),
            "{}",
            answer.text
        );
        assert_eq!(shop.json(arguments)["meant"].as_array().unwrap().len(), 1);
    }
    for arguments in [
        &["traces", "--entry", "GET /nothing/like/it"][..],
        &["traces", "--error", "SmtpRejected", "--entry", "POST /orders", "--user", "u-0007"],
    ] {
        let answer = shop.ask_then(arguments);
        assert_eq!((answer.code, answer.text.contains("did you mean")), (1, false), "{}", answer.text);
    }
}

/// A script that asks for JSON reads why there is none, too.
#[test]
fn a_refusal_is_json_where_json_was_asked_for() {
    let shop = Shop::new();
    for (arguments, why) in [
        (&["functions", "--user", "u-1042"][..], "functions can't be narrowed by --user: "),
        (&["logs"], "whose log lines?"),
        (&["traces", "--limit", "0"], "invalid value '0' for '--limit <NUMBER>'"),
        (&["traces", "--nothing"], "unexpected argument '--nothing' found"),
    ] {
        let answer = shop.ask_then(&[arguments, &["--json"]].concat());
        assert_eq!(answer.code, 2);
        let object: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        assert!(object["error"].as_str().unwrap().starts_with(why), "{}", answer.text);
        assert!(answer.errors.contains(why), "{}", answer.errors);
        assert_eq!(shop.ask_then(arguments).text, "");
    }
}

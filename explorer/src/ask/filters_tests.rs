use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    narrow: Narrow,
}

fn line(words: &[&str]) -> Narrow {
    Line::parse_from([&["traces"], words].concat()).narrow
}

#[test]
fn a_route_is_an_entry_point() {
    assert_eq!(full_entry("POST /orders"), "http POST /orders");
    assert_eq!(full_entry("http POST /orders"), "http POST /orders");
    assert_eq!(full_entry("schedule lunchbot"), "schedule lunchbot");
}

#[test]
fn two_users_are_nobody() {
    for (words, is_one) in [
        (&["--user", "u-1", "--flag", "user.id=u-1"][..], true),
        (&["--user", "u-1", "--flag", "user.id=u-2"], false),
        (&["--account", "a", "--flag", "account.id=b"], false),
        (&["--test-users", "--flag", "user.test=false"], false),
        (&["--flag", "tenant=a", "--flag", "tenant=b"], false),
        (&["--flag", "tenant=a", "--flag", "tenant=a", "--flag", "debug", "--flag", "debug"], true),
    ] {
        let filter = line(words).filters.filter();
        assert_eq!(filter.is_ok(), is_one, "{words:?}");
        assert!(filter.map_or_else(|error| error.to_string().contains("--flag"), |_| true));
    }
}

#[test]
fn durations_become_microseconds() {
    let filter = line(&["--longer-than", "1500ms", "--shorter-than", "2s"]).filters.filter().unwrap();
    assert_eq!((filter.longer_than, filter.shorter_than), (Some(1_500_000), Some(2_000_000)));
    let refused = line(&["--longer-than", "2s", "--shorter-than", "1500ms"]).filters.filter().unwrap_err();
    assert_eq!(refused.to_string(), "--longer-than 2s --shorter-than 1500ms: nothing is both");
}

/// Every word that there is: asked of the store, and said again in the next command.
#[test]
fn what_is_said_is_asked_and_said_again() {
    let words = [
        "--function",
        "f",
        "--entry",
        "POST /orders",
        "--user",
        "u",
        "--account",
        "a",
        "--correlation-id",
        "c",
        "--request-id",
        "r",
        "--message-id",
        "m",
        "--error",
        "E",
        "--http-status",
        "503",
        "--build",
        "b",
        "--longer-than",
        "2s",
        "--shorter-than",
        "1m",
        "--flag",
        "debug",
        "--flag",
        "tenant=acme",
        "--test-users",
        "--failed",
        "--since",
        "2h",
        "--until",
        "30m",
    ];
    let narrow = line(&words);
    assert_eq!(narrow.words(Reads::Runs), words);
    assert_eq!(narrow.words(Reads::Calls), ["--function", "f", "--since", "2h", "--until", "30m"]);
    let text = |text: &str| Some(text.to_owned());
    let asked = Filter {
        function: text("f"),
        entry: text("http POST /orders"),
        user: text("u"),
        account: text("a"),
        plan: None,
        test_user: Some(true),
        correlation_id: text("c"),
        request_id: text("r"),
        message_id: text("m"),
        baggage: [("tenant".to_owned(), "acme".to_owned())].into(),
        debug: Some(true),
        dry_run: None,
        error: text("E"),
        http_status: Some(503),
        build: text("b"),
        longer_than: Some(2_000_000),
        shorter_than: Some(60_000_000),
        failed: Some(true),
        swallowed: None,
    };
    assert_eq!(narrow.filters.filter().unwrap(), asked);
    // Nothing is both that and failed.
    let dropped = line(&["--swallowed"]);
    let asked = Filter { swallowed: Some(true), ..Filter::default() };
    assert_eq!(
        (dropped.words(Reads::Runs), dropped.filters.filter().unwrap()),
        (vec!["--swallowed".to_owned()], asked)
    );
    assert_eq!(line(&[]).words(Reads::Runs), [""; 0]);
    let now = 1_795_139_220_000;
    assert_eq!(line(&[]).longer(Reads::Runs, now), ["--since", "24h"]);
    assert_eq!(line(&["--since", "20d"]).longer(Reads::Runs, now), ["--since", "744h"], "as long as is read");
}

/// What is counted is what the store counts.
#[test]
fn counts_take_what_the_store_counts() {
    for words in
        [&["--function", "f"][..], &["--entry", "e"], &["--build", "b"], &["--failed"], &["--user", "u"]]
    {
        let narrow = line(words);
        let taken = narrow.filters.said().iter().all(|(word, _)| Reads::Counts.knows(word));
        assert_eq!(taken, narrow.filters.filter().unwrap().is_counted(), "{words:?}");
    }
}

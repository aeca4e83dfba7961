//! Whatever is told of a transaction fits the terminal.

use console::measure_text_width;

use super::compared::after_a_deploy;
use super::shop::{hostile, log_lines, order, trace};
use super::story::{add, spans};

/// What is to be copied may be wider: the next command.
#[test]
fn a_story_fits_the_terminal() {
    let shop = after_a_deploy();
    let mut hostile = hostile(2);
    spans(&mut hostile).into_iter().for_each(|span| add(span, "throughline.event", &"名".repeat(300)));
    assert_eq!(
        shop.import("more.jsonl", &[hostile, log_lines(9), order(30, &"名前".repeat(40), Some("非"), "1")])
            .code,
        0
    );
    for columns in [20, 40, 63, 80, 120, 200] {
        for arguments in [
            &["trace", "c-9"][..],
            &["trace", "c-9", "--logs"],
            &["trace", "c-30"],
            &["trace", &trace(2)],
            &["trace", "c-1"],
            &["trace", "nothing"],
            &["logs", "c-9"],
        ] {
            let told = shop.ask_in(columns, arguments).text;
            for line in told.lines().filter(|line| !line.starts_with("next: ")) {
                assert!(measure_text_width(line) <= columns, "{columns} {arguments:?}: {line}\n{told}");
            }
        }
    }
    // Where there is room for an id on a line, none is broken, for it is copied.
    for columns in [40, 60, 80] {
        for arguments in [&["trace", "c-9"][..], &["trace", "c-9", "--logs"], &["trace", "c-1"], &["errors"]]
        {
            let told = shop.ask_in(columns, arguments).text;
            for word in told.split_whitespace().filter(|word| word.starts_with("000000000")) {
                let id = word.trim_end_matches([',', '.', ')']);
                assert!(id.len() == 32 || id.len() == 16, "{columns} {arguments:?}: {word}\n{told}");
            }
        }
    }
    let told = shop.ask_in(40, &["trace", "c-9"]).text;
    for whole in [
        "  SmtpRejected: 550 sender |\n    `unverified` @ops\n",
        "\n└─ checkout-api ",
        "\ntrace 00000000000000000000000000000009\n",
    ] {
        assert!(told.contains(whole), "{whole}: {told}");
    }
}

/// Columns that are left out leave no other without its name.
#[test]
fn no_two_columns_of_the_map_have_one_name() {
    let shop = after_a_deploy();
    for columns in [40, 50, 60, 70, 80, 120] {
        let told = shop.ask_in(columns, &["map", "--since", "48h"]).text;
        let heading = told.lines().next().unwrap();
        let twice = heading.replace("waits p", "waits-p");
        let mut names: Vec<&str> = twice.split_whitespace().filter(|name| *name != "was").collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert!(all > 1 && names.len() == all, "{columns}: {told}");
    }
}

use std::collections::BTreeSet;

use clap::Parser as _;

use super::*;
use crate::cli::Cli;

#[test]
fn each_drill_has_a_page_that_types_its_commands() {
    let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/drills");
    let index = std::fs::read_to_string(pages.join("README.md")).unwrap();
    for Drill { name, commands, .. } in list::DRILLS {
        let page = std::fs::read_to_string(pages.join(format!("{name}.md"))).unwrap();
        assert!(index.contains(&format!("({name}.md)")), "{name} is not in the index");
        let typed: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
        let mut expected = vec![format!("throughline demo --drill {name} --store drill.db")];
        expected.extend(commands.iter().map(|command| format!("throughline {command} --store drill.db")));
        assert_eq!(typed, expected, "{name}");
    }
}

#[test]
fn each_command_is_a_question() {
    for command in list::DRILLS.iter().flat_map(|drill| drill.commands) {
        let words = ["throughline"].into_iter().chain(command.split(' '));
        let parsed = Cli::try_parse_from(words).unwrap().command;
        assert!(parsed.is_some_and(|command| command.question().is_some()), "{command}");
    }
}

#[test]
fn what_is_expected_is_there_and_in_order() {
    let all = names().collect::<BTreeSet<_>>();
    assert_eq!(all.len(), 12);
    for Drill { name, expected, waves, .. } in list::DRILLS {
        assert!(expected.users.is_sorted() && !expected.users.is_empty(), "{name}");
        assert!(!expected.function.is_empty(), "{name}");
        let sent: BTreeSet<&str> = waves.iter().flat_map(|wave| *wave).map(|ordered| ordered.user).collect();
        assert!(expected.users.iter().all(|user| sent.contains(user)), "{name}");
    }
}

#[test]
fn a_drill_shows_only_if_all_that_was_expected_is_named() {
    let expected = Expected { function: "f", says: "no", users: &["u-1"], build: "b", ..Expected::NOTHING };
    let found = Finding {
        function: "f".into(),
        says: Some("oh no".into()),
        build: Some("b".into()),
        entries: ["http POST /orders".to_owned()].into(),
        users: ["u-1".to_owned()].into(),
        ..Finding::default()
    };
    assert!(expected.is_met(&found));
    let more = ["u-1".to_owned(), "u-2".to_owned()].into();
    for other in [
        Finding { function: "g".into(), ..found.clone() },
        Finding { says: None, ..found.clone() },
        Finding { build: None, ..found.clone() },
        Finding { users: more, ..found.clone() },
        Finding { users: BTreeSet::new(), ..found.clone() },
        Finding { entries: BTreeSet::new(), ..found.clone() },
    ] {
        assert!(!expected.is_met(&other), "{other:?}");
    }
}

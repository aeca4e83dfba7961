//! A transaction for the ticket: Markdown, in which all that others wrote is code, so that it can be neither a link nor a
//! heading, nor call anybody.

use throughline_store::{Answer, Card, Impact};

use super::chapters::{self, Chapter, chapters, ranked};
use super::detail::{self, How, detail};
use super::title::{began, outcome};
use super::{Tale, compared, notes, same_items, swallowed, tree};
use crate::ask::story::Story;
use crate::ask::when;
use crate::ask::words::{counted, harmless, micros};
use crate::trace::{Style, attempts, trigger};

/// As wide as tickets show it without a scroll bar.
const STYLE: Style = Style { width: 110, colour: false };

/// What the document says besides the transaction.
pub(super) struct Beside<'a> {
    /// What the failures of the function that failed here have hit since a day before.
    pub(super) impact: Option<&'a Answer<Impact>>,
    pub(super) commands: Vec<String>,
    pub(super) at_least: bool,
    pub(super) damaged: usize,
    /// In milliseconds since 1970.
    pub(super) now: u64,
}

pub(super) fn markdown(tale: &Tale, story: &Story, how: How, beside: &Beside<'_>) -> String {
    let transaction = &tale.transaction;
    let runs = &transaction.runs;
    let failed = runs.iter().find(|run| run.failed());
    let how = How { style: STYLE, ..how };
    let entry = runs.iter().find_map(|run| run.entry.as_deref()).map(trigger);
    let entry = entry.or_else(|| Some(runs.first()?.function.clone())).unwrap_or_default();
    let mut text = match failed.and_then(|run| Some((run, run.error.as_ref()?))) {
        Some((run, error)) => {
            let error = error.said();
            format!("# {} failed in {}: {}\n\n", code(&entry), code(&run.function), code(first_line(&error)))
        }
        None => format!("# {}\n\n", code(&entry)),
    };
    for (name, value) in facts(runs, story) {
        text += &format!("- {name}: {value}\n");
    }
    if transaction.ended_well {
        text += &format!("- outcome: {}\n", outcome(transaction, story, tale.is_whole).0);
    }
    text += &format!("- trace: {}\n", code(&transaction.trace_ids.join(", ")));
    if let (Some(run), Some(impact)) = (failed, beside.impact) {
        text += &format!("- since: {}\n", since(run, impact, beside.now));
    }
    text += &section("What happened", &fenced(&tree(story, how)));
    for note in notes(transaction, story, tale.is_whole) {
        text += &format!("\n{}\n", code(&note));
    }
    let chapters = chapters(transaction, &tale.logs, &attempts(&story.tree));
    let is_told = |chapter: &&Chapter<'_>| chapter.run.failed() || swallowed(chapter.run) > 0 || how.full;
    for chapter in ranked(chapters.iter().filter(is_told).collect()) {
        let title = if chapter.run.failed() { "failed" } else { "says" };
        let title = format!("{} {title}", code(&chapter.run.function));
        text += &section(&title, &fenced(&detail(chapter, how)));
    }
    let of_no_run = detail::of_no_run(&chapters::of_no_run(transaction, &tale.logs), how);
    if !of_no_run.is_empty() {
        text += &section("Others say", &fenced(&of_no_run));
    }
    let good = tale.good.as_ref().map(|good| {
        format!("{}\n{}", code(&compared::title(good, beside.now)), table(compared::rows(good).collect()))
    });
    let compared: Vec<String> = good.into_iter().chain(tale.limits().map(|limits| limits + "\n")).collect();
    if !compared.is_empty() {
        text += &section("Compared", &compared.join("\n"));
    }
    if !tale.same_items.is_empty() {
        let lines = same_items::told(&tale.same_items, STYLE);
        text += &section("The same items", &fenced(&lines));
    }
    text += &section("Commands", &fenced(&beside.commands));
    if beside.at_least || beside.damaged > 0 {
        let damaged = counted(beside.damaged as u64, "item could not be read", "items could not be read");
        text += &format!("\nThis is not all of it: there is more than is read at once, or {damaged}.\n");
    }
    text
}

/// Who and when.
fn facts(runs: &[Card], story: &Story) -> Vec<(&'static str, String)> {
    let said = |of: fn(&Card) -> Option<&String>| runs.iter().find_map(of).map(|text| code(text));
    let start = began(runs, story);
    let took = micros((story.tree.millis() * 1000.0) as u64);
    let mut facts = vec![("when", format!("{} UTC, took {took}", when::full(start)))];
    facts.extend(said(|run| run.user.as_ref()).map(|user| ("user", user)));
    facts.extend(said(|run| run.account.as_ref()).map(|account| ("account", account)));
    facts.extend(said(|run| run.correlation_id.as_ref()).map(|id| ("correlation id", id)));
    let failed = runs.iter().filter(|run| run.failed());
    let mut builds: Vec<String> = failed.filter_map(|run| Some(code(run.build.as_ref()?))).collect();
    builds.dedup();
    facts.extend((!builds.is_empty()).then(|| ("build", builds.join(", "))));
    facts
}

fn since(run: &Card, impact: &Answer<Impact>, now: u64) -> String {
    let found = &impact.found;
    let at_least = if impact.at_least { "at least " } else { "" };
    let since =
        found.since.map_or_else(|| "then".to_owned(), |since| format!("{} UTC", when::brief(since, now)));
    let failures = counted(found.failures, "failure", "failures");
    let users = match found.users {
        0 if found.test_failures < found.failures => "users not known".to_owned(),
        users => format!("{} hit", counted(users, "user", "users")),
    };
    let runs = found.runs.map(|runs| format!("; {} in the whole hours", counted(runs, "run", "runs")));
    format!(
        "{since}: {at_least}{failures} of {}, {users}{} from a day before it until now",
        code(&run.function),
        runs.unwrap_or_default()
    )
}

fn section(title: &str, body: &str) -> String {
    format!("\n## {title}\n\n{body}")
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A code span of any text, on one line: its fence is longer than any in it
/// (<https://spec.commonmark.org/0.31.2/#code-spans>).
fn code(text: &str) -> String {
    let text = harmless(text);
    let fence = "`".repeat(longest(&text) + 1);
    // A blank on each side belongs to the fence; and a text must not be empty.
    let pad =
        if text.is_empty() || text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A block of code, in the same way.
fn fenced(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| harmless(line)).collect();
    let text = lines.join("\n");
    let fence = "`".repeat(longest(&text).max(2) + 1);
    format!("{fence}text\n{text}\n{fence}\n")
}

fn longest(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

fn table(rows: Vec<[String; 4]>) -> String {
    if rows.is_empty() {
        return "\nNothing differs of what is compared.\n".to_owned();
    }
    let mut text = "\n| in | | here | in the good one |\n|---|---|---|---|\n".to_owned();
    for row in rows {
        // Within a table a bar ends the cell, in code too (<https://github.github.com/gfm/#tables-extension->).
        let cells = row.map(|cell| code(&cell).replace('|', "\\|"));
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_others_wrote_stays_code() {
        for (text, told) in [
            ("plain", "`plain`"),
            ("a `b` c", "``a `b` c``"),
            ("`", "`` ` ``"),
            ("", "`  `"),
            ("@everyone [x](http://y)", "`@everyone [x](http://y)`"),
            ("two\nlines\x1b", "`two\u{fffd}lines\u{fffd}`"),
        ] {
            assert_eq!(code(text), told);
        }
        assert_eq!(fenced(&["```".into(), "# no".into()]), "````text\n```\n# no\n````\n");
        assert!(table(vec![["a|b".to_owned(), String::new(), "c".into(), "d".into()]]).contains("`a\\|b`"));
    }

    proptest! {
        #[test]
        fn no_text_ends_its_code(text in "[`a \n|#]{0,20}") {
            let told = code(&text);
            let fence = told.len() - told.trim_start_matches('`').len();
            let inner = &told[fence..told.len() - fence];
            prop_assert!(inner.split(|c| c != '`').all(|run| run.len() != fence), "{told}");
            prop_assert!(!told.contains('\n'));
        }
    }
}

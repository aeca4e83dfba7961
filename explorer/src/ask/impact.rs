//! `throughline impact`: a function fails. What does that break, for whom, since when, and why?

use clap::Args;
use serde_json::json;
use throughline_store::{BuildRow, Figures, Impact};

use super::beside::Counted;
use super::causes::causes;
use super::filters::{Narrow, Reads};
use super::table::{Column, Table, dim, plain, red};
use super::words::{count, counted, share};
use super::{Asked, Common, Told, harmless, when};
use crate::columns::{cut, wrapped};
use crate::trace::{Style, trigger};

/// How many users are named in one line.
const MAX_NAMED: usize = 6;

/// What `throughline impact` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The function
    #[arg(
        value_name = "FUNCTION",
        id = "failing",
        required_unless_present = "function",
        conflicts_with = "function"
    )]
    pub(super) name: Option<String>,

    #[command(flatten)]
    pub(super) narrow: Narrow,

    #[command(flatten)]
    pub(super) common: Common,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let (filter, window) = self.narrow.asks("impact", Reads::Failures, asked)?;
        // One of both is required.
        let function = self.name.as_ref().or(filter.function.as_ref()).map_or("", String::as_str);
        let answer = asked.answered(asked.reader.impact(function, window, &filter).await)?;
        let impact = &answer.found;
        let name = harmless(function);
        let hours = Counted::new(window, asked.now);
        let is_like = is_like(impact.failures, impact.failures_counted);
        let mut note = vec![];
        if let Some((runs, failures)) = impact.runs.zip(impact.failures_counted) {
            // What is told of the hours alone names its failures, too.
            let what = match is_like {
                true if impact.failures > 0 => "runs and shares are ".to_owned(),
                true => String::new(),
                false => in_runs(count_failures(failures), runs) + "; ",
            };
            asked.note(&mut note, &(what + &hours.told()));
        }
        let json = json!({ "window": window, "before": window.before() });
        if impact.failures == 0 {
            let within = when::within(window, asked.now);
            let is_whole = filter.entry.is_none() && filter.build.is_none();
            let told = match impact.runs.filter(|_| is_like) {
                Some(0) if is_whole => format!("{name} did not run {within}"),
                Some(0) => format!("{name} had no such run {within}"),
                Some(runs) => format!("{name} did not fail: {}", counted(runs, "run", "runs")),
                None => format!("{name} had no such failure {within}"),
            };
            let note = note.into_iter().filter(|_| impact.runs != Some(0));
            let lines = [told].into_iter().chain(note).collect();
            let words = self.narrow.words_but(Reads::Counts, &["--function", "--failed"]);
            let mut told = asked.tell_within(&answer, false, lines, &["functions"], &words)?;
            told.json["exact"] = json;
            told.json["counted"] = hours.json();
            return Ok(told);
        }
        let example = impact.errors.first().map(|group| group.example.trace_id.as_str());
        let next = example.map_or_else(|| vec!["errors"], |trace| vec!["trace", trace]);
        let lines = lines(&name, impact, hours, asked).into_iter().chain(note).collect();
        let mut told = asked.tell(&answer, true, lines, &next)?;
        told.json["exact"] = json;
        told.json["counted"] = hours.json();
        Ok(told)
    }
}

/// Whether what was counted in whole hours is told beside failures of the very window: if no others were in those hours.
fn is_like(failures: u64, in_hours: Option<u64>) -> bool {
    in_hours.is_none_or(|in_hours| in_hours <= failures)
}

fn count_failures(failures: u64) -> String {
    counted(failures, "failure", "failures")
}

fn in_runs(failures: String, runs: u64) -> String {
    format!("{failures} in {}", counted(runs, "run", "runs"))
}

fn lines(name: &str, impact: &Impact, hours: Counted, asked: &Asked<'_>) -> Vec<String> {
    let style = asked.style;
    let mut lines = wrapped(&title(name, impact, hours, asked), style.width);
    lines.push(String::new());
    let within = Style { width: style.width.saturating_sub(2), ..style };
    lines.extend(indented(entries(impact).lines(within)));
    lines.push(String::new());
    lines.extend(indented(super::errors::table(&impact.errors, asked).without(2).lines(within)));
    lines.push(String::new());
    let killed = impact.killed.iter().map(|killed| super::killed::told(killed, &[]));
    let told = [users(impact)].into_iter().chain(causes(impact)).chain(killed);
    let told = told.flat_map(|text| wrapped(&text, within.width));
    lines.extend(indented(told.collect()));
    lines
}

/// How many failures since when; and in how many runs: of those since when, for they are counted by the hour.
fn title(name: &str, impact: &Impact, hours: Counted, asked: &Asked<'_>) -> String {
    let runs = impact.runs.filter(|_| is_like(impact.failures, impact.failures_counted));
    let like_before = impact.failures_counted_before == Some(impact.failures_before);
    let runs_before = impact.runs_before.filter(|_| runs.is_some() && like_before);
    let mut failed = asked.style.red(&count_failures(impact.failures));
    if runs_before.is_none() {
        failed += &format!(" ({} before)", count(impact.failures_before));
    }
    failed +=
        &impact.since.map(|since| format!(" since {}", when::brief(since, asked.now))).unwrap_or_default();
    failed += &build(&impact.builds, runs.is_some());
    let runs = runs.map(|runs| {
        let before = match runs_before {
            Some(0) => format!(" (none {})", hours.named_before()),
            Some(runs) => {
                format!(" ({} {})", in_runs(count(impact.failures_before), runs), hours.named_before())
            }
            None => String::new(),
        };
        format!("in {} {}{before}", counted(runs, "run", "runs"), hours.named())
    });
    [asked.style.bold(name), failed].into_iter().chain(runs).collect::<Vec<_>>().join("   ")
}

fn indented(lines: Vec<String>) -> impl Iterator<Item = String> {
    lines.into_iter().map(|line| format!("  {line}"))
}

/// The build that failed, if only one did and another did not; of several how often each, the one with the greatest share
/// first; how often only where that was counted of the same failures.
fn build(builds: &[BuildRow], is_counted: bool) -> String {
    let mut failing: Vec<&BuildRow> = builds.iter().filter(|build| build.now.figures.failures > 0).collect();
    match failing.as_slice() {
        [only] if builds.len() > 1 && !only.build.is_empty() => {
            format!(", only build {}", harmless(&only.build))
        }
        [_, _, ..] => {
            let rate = |row: &BuildRow| row.now.figures.failures as f64 / row.now.figures.runs.max(1) as f64;
            failing.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
            let told = failing.iter().take(MAX_NAMED).map(|row| {
                let name = if row.build.is_empty() { "unknown".to_owned() } else { harmless(&row.build) };
                let Figures { failures, runs, .. } = row.now.figures;
                let figures = format!(" ({} of {})", count(failures), counted(runs, "run", "runs"));
                if is_counted { name + &figures } else { name }
            });
            format!(", build {}", told.collect::<Vec<_>>().join(", "))
        }
        _ => String::new(),
    }
}

fn entries(impact: &Impact) -> Table {
    let mut table = Table::new([
        Column::Text("entry"),
        Column::Number("failures"),
        Column::Number("was"),
        Column::Number("of runs"),
        Column::Number(""),
        Column::Number("transactions"),
        Column::Number("users"),
        Column::Number("ended well after retry"),
    ])
    .giving_way(&[5, 2, 4, 7]);
    let unknown = || "unknown".to_owned();
    // Of what is not counted at all, or with failures of other times, nothing is told.
    let is_told = impact.runs.is_some() && is_like(impact.failures, impact.failures_counted);
    let of_unknown = if is_told { unknown() } else { String::new() };
    for hit in &impact.entries {
        let runs = hit.runs.filter(|_| is_told);
        let entry = if hit.entry.is_empty() { "(not told)".to_owned() } else { trigger(&hit.entry) };
        table.row([
            plain(entry),
            red(count(hit.failures)),
            dim(hit.failures_before.map_or_else(unknown, count)),
            runs.map_or_else(|| dim(of_unknown.clone()), |runs| plain(count(runs))),
            plain(runs.map(|runs| share(hit.failures.min(runs), runs)).unwrap_or_default()),
            plain(count(hit.transactions)),
            plain(count(hit.users)),
            plain(count(hit.ended_well)),
        ]);
    }
    table
}

fn users(impact: &Impact) -> String {
    let about = if impact.users_estimated { "about " } else { "" };
    let mut text = match impact.users {
        0 if impact.test_failures >= impact.failures => "no users hit".to_owned(),
        0 => "users not known: what failed has no user.id".to_owned(),
        users => format!("{about}{} hit", counted(users, "user", "users")),
    };
    if impact.accounts > 0 {
        text += &format!(" of {}", counted(impact.accounts, "account", "accounts"));
    }
    let named = impact.top_users.iter().take(MAX_NAMED).map(|hit| {
        let plan = hit.plan.as_ref().map(|plan| format!(", plan {plan}")).unwrap_or_default();
        cut(&harmless(&format!("{} ({}{plan})", hit.user, hit.failures)), 40)
    });
    let named: Vec<String> = named.collect();
    if !named.is_empty() {
        let more = if impact.users > named.len() as u64 { " …" } else { "" };
        text += &format!(", most: {}{more}", named.join(", "));
    }
    if impact.users > 0 && impact.failures_of_unknown > 0 {
        let failures = count_failures(impact.failures_of_unknown);
        text += &format!("; of {failures} the user is not known");
    }
    if impact.test_failures > 0 {
        text += &format!("; and {} of test users", counted(impact.test_failures, "failure", "failures"));
    }
    text
}

#[cfg(test)]
#[path = "impact_tests.rs"]
mod tests;

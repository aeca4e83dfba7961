//! What narrows a question: the same words for all, what each of them asks of the store, and by which of them a question
//! can't be narrowed.

use anyhow::bail;
use clap::Args;
use throughline_store::Filter;
use throughline_store::time::Window;

use super::Asked;
use super::flag::Flag;
use super::when::{self, When};

/// The time that is asked of where none is said.
const SINCE: &str = "1h";
const UNTIL: &str = "now";

/// Which runs, of all that there were, and when.
#[derive(Debug, Clone, Args)]
pub(crate) struct Narrow {
    #[command(flatten)]
    pub(crate) filters: Filters,

    #[command(flatten)]
    within: Within,
}

/// From when to when.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "When")]
struct Within {
    /// From when: so long ago (15m, 2h, 7d), a time in UTC (2026-11-20T01:47) or of the last day (01:47); 31 days are read at most, the newest
    #[arg(long, value_name = "WHEN", default_value = SINCE)]
    since: When,

    /// Up to when
    #[arg(long, value_name = "WHEN", default_value = UNTIL)]
    until: When,
}

/// Which runs.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Filters {
    /// Those of this function
    #[arg(long, value_name = "NAME")]
    pub(crate) function: Option<String>,

    /// Those that came in here: 'POST /orders', or 'schedule lunchbot'
    #[arg(long, value_name = "ENTRY")]
    pub(crate) entry: Option<String>,

    /// Those on behalf of this user
    #[arg(long, value_name = "ID")]
    pub(crate) user: Option<String>,

    /// Those of this customer
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,

    /// Only those of test users
    #[arg(long, conflicts_with = "no_test_users")]
    pub(crate) test_users: bool,

    /// Without those of test users
    #[arg(long)]
    pub(crate) no_test_users: bool,

    /// Those with this correlation id
    #[arg(long, value_name = "ID")]
    pub(crate) correlation_id: Option<String>,

    /// Those of this request
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,

    /// Those that sent or received this message: m-1, or sqs:m-1
    #[arg(long, value_name = "ID")]
    pub(crate) message_id: Option<String>,

    /// Only those that failed with an error of this type, or of a path that ends with it
    #[arg(long, value_name = "TYPE")]
    pub(crate) error: Option<String>,

    /// Only those that failed, whether or not a retry ended well
    #[arg(long)]
    pub(crate) failed: bool,

    /// Only those that dropped an error and did not fail
    #[arg(long, conflicts_with_all = ["failed", "error"])]
    pub(crate) swallowed: bool,

    /// Only those that answered with this HTTP status; whoever failed without an answer has none (--failed)
    #[arg(long, value_name = "STATUS")]
    pub(crate) http_status: Option<u64>,

    /// Only those that bear this mark: debug, dry-run, or a member of the baggage as in account.plan=gold
    #[arg(long, value_name = "FLAG")]
    pub(crate) flag: Vec<Flag>,

    /// Only those of this build
    #[arg(long, value_name = "BUILD")]
    pub(crate) build: Option<String>,

    /// Only those that took at least so long: 500ms, 2s
    #[arg(long, value_name = "DURATION", value_parser = length)]
    pub(crate) longer_than: Option<u64>,

    /// Only those that took at most so long
    #[arg(long, value_name = "DURATION", value_parser = length)]
    pub(crate) shorter_than: Option<u64>,
}

/// What a question reads, which decides by what it can be narrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// What is known of each run.
    Runs,
    /// The same of those that failed.
    Failures,
    /// What was counted of each function, by entry point and build.
    Counts,
    /// What was counted of who called whom.
    Calls,
}

impl Reads {
    fn knows(self, word: &str) -> bool {
        match self {
            Self::Runs => true,
            // Who dropped an error did not fail.
            Self::Failures => word != "--swallowed",
            Self::Counts => ["--function", "--entry", "--build", "--failed"].contains(&word),
            Self::Calls => word == "--function",
        }
    }

    /// For people: what it reads, and so what it knows.
    fn told(self) -> &'static str {
        match self {
            Self::Runs => "each run",
            Self::Failures => "failures, and who dropped an error did not fail",
            Self::Counts => {
                "what was counted by the hour, of each function by entry point and build, and takes \
                 --function, --entry, --build and --failed"
            }
            Self::Calls => "what was counted by the hour of who called whom, and takes --function",
        }
    }
}

impl Narrow {
    /// The window in milliseconds.
    pub(crate) fn window(&self, now: u64) -> anyhow::Result<Window> {
        when::window(self.within.since, self.within.until, now).ok_or_else(|| {
            let Within { since, until } = &self.within;
            let [from, end] = [since, until].map(|when| when::full(when.at(now)));
            anyhow::anyhow!(
                "--since {since} ({from} UTC) is after --until {until} ({end} UTC): nothing lies between"
            )
        })
    }

    /// What a run must be like, and when it was; an error where the question can't tell by what was asked for.
    pub(crate) fn asks(
        &self,
        question: &str,
        reads: Reads,
        asked: &Asked<'_>,
    ) -> anyhow::Result<(Filter, Window)> {
        let said = self.filters.said();
        if let Some((word, _)) = said.iter().find(|(word, _)| !reads.knows(word)) {
            let mut words = vec!["traces".to_owned()];
            words.extend(self.words(Reads::Runs));
            bail!(
                "{question} can't be narrowed by {word}: it reads {}.\nAsk of the runs themselves: {}",
                reads.told(),
                asked.connection.command(&words.iter().map(String::as_str).collect::<Vec<_>>())
            );
        }
        Ok((self.filters.filter()?, self.window(asked.now)?))
    }

    /// The words of the next command, that it asks of the same runs and time, as far as it can; none where nothing was
    /// said.
    pub(crate) fn words(&self, reads: Reads) -> Vec<String> {
        self.words_but(reads, &[])
    }

    /// The same without these.
    pub(crate) fn words_but(&self, reads: Reads, but: &[&str]) -> Vec<String> {
        let mut words = Vec::new();
        let kept = |word: &str| reads.knows(word) && !but.contains(&word);
        for (word, value) in self.filters.said().into_iter().filter(|(word, _)| kept(word)) {
            words.push(word.to_owned());
            words.extend(value);
        }
        let (since, until) = (self.within.since.to_string(), self.within.until.to_string());
        if since != SINCE && !but.contains(&"--since") {
            words.extend(["--since".to_owned(), since]);
        }
        if until != UNTIL {
            words.extend(["--until".to_owned(), until]);
        }
        words
    }

    /// The words that ask the same of a longer time.
    pub(crate) fn longer(&self, reads: Reads, now: u64) -> Vec<String> {
        let mut words = self.words_but(reads, &["--since"]);
        let window = self.window(now).unwrap_or(Window::new(now, now));
        let hours = now.saturating_sub(window.from).div_ceil(when::HOUR).max(1);
        let longest = Window::MAX_DAYS * 24;
        words.extend(["--since".to_owned(), format!("{}h", hours.saturating_mul(24).min(longest))]);
        words
    }
}

impl Filters {
    /// What a run must be like; an error if two things are asked of the same.
    fn filter(&self) -> anyhow::Result<Filter> {
        let mut filter = Filter {
            function: self.function.clone(),
            entry: self.entry.as_deref().map(full_entry),
            user: self.user.clone(),
            account: self.account.clone(),
            test_user: if self.test_users { Some(true) } else { self.no_test_users.then_some(false) },
            correlation_id: self.correlation_id.clone(),
            request_id: self.request_id.clone(),
            message_id: self.message_id.clone(),
            error: self.error.clone(),
            failed: self.failed.then_some(true),
            swallowed: self.swallowed.then_some(true),
            http_status: self.http_status,
            build: self.build.clone(),
            longer_than: self.longer_than.map(|millis| millis.saturating_mul(1000)),
            shorter_than: self.shorter_than.map(|millis| millis.saturating_mul(1000)),
            ..Filter::default()
        };
        for flag in &self.flag {
            if !flag.ask(&mut filter) {
                bail!("--flag {flag} asks for another than the other words do: nothing is both");
            }
        }
        if let (Some(longer), Some(shorter)) = (self.longer_than, self.shorter_than)
            && longer >= shorter
        {
            let [longer, shorter] = [longer, shorter].map(when::length_said);
            bail!("--longer-than {longer} --shorter-than {shorter}: nothing is both");
        }
        Ok(filter)
    }

    /// What was said on the command line, in its words.
    fn said(&self) -> Vec<(&'static str, Option<String>)> {
        let duration = |millis: Option<u64>| millis.map(when::length_said);
        let texts = [
            ("--function", self.function.clone()),
            ("--entry", self.entry.clone()),
            ("--user", self.user.clone()),
            ("--account", self.account.clone()),
            ("--correlation-id", self.correlation_id.clone()),
            ("--request-id", self.request_id.clone()),
            ("--message-id", self.message_id.clone()),
            ("--error", self.error.clone()),
            ("--http-status", self.http_status.map(|status| status.to_string())),
            ("--build", self.build.clone()),
            ("--longer-than", duration(self.longer_than)),
            ("--shorter-than", duration(self.shorter_than)),
        ];
        let flags = self.flag.iter().map(|flag| ("--flag", Some(flag.to_string())));
        let marks = [
            ("--test-users", self.test_users),
            ("--no-test-users", self.no_test_users),
            ("--failed", self.failed),
            ("--swallowed", self.swallowed),
        ];
        let texts = texts.into_iter().filter(|(_, text)| text.is_some());
        let marks = marks.into_iter().filter(|(_, is_said)| *is_said).map(|(word, _)| (word, None));
        texts.chain(flags).chain(marks).collect()
    }
}

/// Entry points may be said without `http `, as they are told.
pub(super) fn full_entry(said: &str) -> String {
    let is_route = said.contains(" /") && !said.starts_with("http ");
    if is_route { format!("http {said}") } else { said.to_owned() }
}

/// As they are told.
pub(super) fn short_entry(full: &str) -> &str {
    full.strip_prefix("http ").filter(|route| route.contains(" /")).unwrap_or(full)
}

fn length(text: &str) -> Result<u64, String> {
    when::length(text).map_err(|error| error.to_string())
}

#[cfg(test)]
#[path = "filters_tests.rs"]
mod tests;

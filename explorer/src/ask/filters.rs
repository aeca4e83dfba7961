//! What narrows a question, the same words for all.

use clap::Args;
use throughline_store::Filter;
use throughline_store::time::Window;

use super::when::{self, When};

/// The time that is asked of where none is said.
const SINCE: &str = "1h";
const UNTIL: &str = "now";

/// From when to when.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "When")]
pub(crate) struct Within {
    /// From when: so long ago (15m, 2h, 7d) or a time in UTC (2026-11-20T01:47)
    #[arg(long, value_name = "WHEN", default_value = SINCE)]
    since: When,

    /// Up to when
    #[arg(long, value_name = "WHEN", default_value = UNTIL)]
    until: When,
}

impl Within {
    /// The words of the next command, that it asks of the same time; none where nothing was said.
    pub(crate) fn words(&self) -> Vec<String> {
        let (since, until) = (self.since.to_string(), self.until.to_string());
        let mut words = Vec::new();
        if since != SINCE {
            words.extend(["--since".to_owned(), since]);
        }
        if until != UNTIL {
            words.extend(["--until".to_owned(), until]);
        }
        words
    }

    /// The window in milliseconds.
    pub(crate) fn window(&self, now: u64) -> anyhow::Result<Window> {
        when::window(self.since, self.until, now)
            .ok_or_else(|| anyhow::anyhow!("--since is after --until: nothing lies between"))
    }
}

/// Which runs, of all that there were.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Filters {
    /// Those in which this function took part
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
    account: Option<String>,

    /// Those with this correlation id
    #[arg(long, value_name = "ID")]
    pub(crate) correlation_id: Option<String>,

    /// Only those that failed with an error of this type
    #[arg(long, value_name = "TYPE")]
    pub(crate) error: Option<String>,

    /// Only those that failed
    #[arg(long)]
    pub(crate) failed: bool,

    /// Only those that answered with this HTTP status
    #[arg(long, value_name = "STATUS")]
    http_status: Option<u64>,

    /// Only those of this build
    #[arg(long, value_name = "BUILD")]
    build: Option<String>,

    /// Only those that took at least so long: 500ms, 2s
    #[arg(long, value_name = "DURATION", value_parser = longer)]
    longer_than: Option<u64>,

    /// Only those of test users
    #[arg(long, conflicts_with = "no_test_users")]
    test_users: bool,

    /// Without those of test users
    #[arg(long)]
    no_test_users: bool,
}

impl Filters {
    /// What a run must be like. Entry points may be said without `http `, as they are told.
    pub(crate) fn filter(&self) -> Filter {
        let is_route = |entry: &String| entry.contains(" /") && !entry.starts_with("http ");
        Filter {
            entry: self
                .entry
                .clone()
                .map(|entry| if is_route(&entry) { format!("http {entry}") } else { entry }),
            user: self.user.clone(),
            account: self.account.clone(),
            test_user: if self.test_users { Some(true) } else { self.no_test_users.then_some(false) },
            error: self.error.clone(),
            http_status: self.http_status,
            build: self.build.clone(),
            longer_than: self.longer_than.map(|millis| millis.saturating_mul(1000)),
            failed: self.failed.then_some(true),
        }
    }

    /// Whether only failures are asked for.
    pub(crate) fn only_failures(&self) -> bool {
        self.failed || self.error.is_some()
    }
}

fn longer(text: &str) -> Result<u64, String> {
    when::length(text).ok_or_else(|| "is no duration (500ms, 2s, 1m)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_an_entry_point() {
        let entry =
            |text: &str| Filters { entry: Some(text.to_owned()), ..Filters::default() }.filter().entry;
        assert_eq!(entry("POST /orders").as_deref(), Some("http POST /orders"));
        assert_eq!(entry("http POST /orders").as_deref(), Some("http POST /orders"));
        assert_eq!(entry("schedule lunchbot").as_deref(), Some("schedule lunchbot"));
    }

    #[test]
    fn durations_become_microseconds() {
        let filters = Filters { longer_than: Some(longer("2s").unwrap()), ..Filters::default() };
        assert_eq!(filters.filter().longer_than, Some(2_000_000));
    }
}

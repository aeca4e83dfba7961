//! Which runs are wanted.

use serde::{Deserialize, Serialize};

use crate::run::Card;

/// What a run must have; all by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// The entry point of its transaction.
    pub entry: Option<String>,
    /// On whose behalf it ran.
    pub user: Option<String>,
    /// The customer.
    pub account: Option<String>,
    /// Whether the user is a test user.
    pub test_user: Option<bool>,
    /// The type of its error.
    pub error: Option<String>,
    /// The status of its HTTP answer.
    pub http_status: Option<u64>,
    /// The deployed version.
    pub build: Option<String>,
    /// At least so many microseconds.
    pub longer_than: Option<u64>,
    /// Whether it failed.
    pub failed: Option<bool>,
}

impl Filter {
    /// Whether `card` is wanted.
    #[must_use]
    pub fn wants(&self, card: &Card) -> bool {
        let is = |wanted: &Option<String>, is: Option<&String>| wanted.is_none() || wanted.as_ref() == is;
        is(&self.entry, card.entry.as_ref())
            && is(&self.user, card.user.as_ref())
            && is(&self.account, card.account.as_ref())
            && is(&self.build, card.build.as_ref())
            && is(&self.error, card.error.as_ref().map(|error| &error.kind))
            && self.test_user.is_none_or(|test| test == card.test_user)
            && self.failed.is_none_or(|failed| failed == card.failed())
            && self.longer_than.is_none_or(|longer| card.duration >= longer)
            && (self.http_status.is_none() || self.http_status == card.http_status)
    }
}

//! Transactions that come through more functions than any should: mostly two that send to each other without end.
//!
//! Every function counts one more in the baggage (`throughline.hops`). Lambda stops some loops itself, of SQS, SNS and S3,
//! after 16 rounds (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>), and none that goes by way
//! of a stream, an event bus or an API.

use crate::diagnostics::warn_once;
use crate::dry_run::Refusal;
use crate::settings::{Env, word};
use crate::span::Span;

/// How many functions a transaction may come through, where nothing else is said: fewer than Lambda stops at.
const DEFAULT_LIMIT: u16 = 12;
/// `error.type` of what was refused.
pub(crate) const REFUSED: &str = "Throughline.LoopRefused";

/// When a transaction counts as a loop (`THROUGHLINE_MAX_HOPS`), and what is done then (`THROUGHLINE_ON_LOOP`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoopGuard {
    /// The most functions that it may come through, this one among them; `None`: any number.
    limit: Option<u16>,
    refuses: bool,
}

impl LoopGuard {
    pub(crate) fn from_env(env: &Env<'_>) -> Self {
        Self { limit: limit(env), refuses: refuses(env) }
    }

    /// Whether a transaction that has come through so many functions goes round in a loop.
    pub(crate) fn catches(&self, hops: u16) -> bool {
        self.limit.is_some_and(|limit| hops > limit)
    }

    /// Marks the span of one that does.
    pub(crate) fn mark(&self, span: &mut Span, hops: u16) {
        if self.catches(hops) {
            span.set("throughline.loop", true);
            span.set("throughline.hops", i64::from(hops));
        }
    }

    /// Why it is not processed; `None` if it is.
    pub(crate) fn refusal(&self, hops: u16) -> Option<String> {
        let refused = self.refuses && self.catches(hops);
        refused.then(|| format!("{}: it is refused", self.says(hops)))
    }

    /// What the log says of it.
    pub(crate) fn says(&self, hops: u16) -> String {
        let limit = self.limit.unwrap_or_default();
        format!("the transaction came through {hops} functions, and THROUGHLINE_MAX_HOPS is {limit}: a loop")
    }
}

/// The refusal of an invocation, for that reason.
pub(crate) fn refused(message: String) -> Refusal {
    Refusal { error_type: REFUSED, message, is_done: false }
}

fn limit(env: &Env<'_>) -> Option<u16> {
    let value = env("THROUGHLINE_MAX_HOPS").unwrap_or_default();
    match value.trim() {
        "" => Some(DEFAULT_LIMIT),
        value => match value.parse() {
            Ok(0) => None,
            Ok(limit) => Some(limit),
            Err(_) => {
                warn_once(&format!(
                    "THROUGHLINE_MAX_HOPS is '{value}', not a number up to 65535: it stays {DEFAULT_LIMIT}"
                ));
                Some(DEFAULT_LIMIT)
            }
        },
    }
}

fn refuses(env: &Env<'_>) -> bool {
    match word(env, "THROUGHLINE_ON_LOOP").as_deref() {
        None | Some("" | "log") => false,
        Some("refuse") => true,
        Some(other) => {
            warn_once(&format!("THROUGHLINE_ON_LOOP is '{other}', not log or refuse: log is used"));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(limit: &str, on_loop: &str) -> LoopGuard {
        LoopGuard::from_env(&|name| match name {
            "THROUGHLINE_MAX_HOPS" => Some(limit.to_owned()),
            "THROUGHLINE_ON_LOOP" => Some(on_loop.to_owned()),
            _ => None,
        })
    }

    #[test]
    fn one_more_than_the_limit_is_a_loop() {
        let default = LoopGuard::from_env(&|_| None);
        assert!(!default.catches(12) && default.catches(13));
        assert_eq!(default.refusal(13), None, "which is not refused unless somebody says so");
        let refusing = guard(" 3 ", "Refuse");
        assert!(refusing.refusal(4).unwrap().contains("came through 4 functions"));
        assert_eq!(refusing.refusal(3), None);
        assert!(!guard("0", "refuse").catches(u16::MAX), "no limit");
    }

    #[test]
    fn what_makes_no_sense_is_the_default() {
        for wrong in ["", "many", "-1", "70000"] {
            assert_eq!(guard(wrong, "stop"), guard("12", "log"), "{wrong}");
        }
    }
}

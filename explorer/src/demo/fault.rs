//! What is wrong in a run: where faults live in production, not in the tracing. A bug of a function, what an operator has
//! set, what a third party does to some of its customers.

use std::time::Duration;

/// What is wrong; by default nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    /// A function that has a bug, and the bug's name.
    pub(super) bug: Option<(&'static str, &'static str)>,
    /// Whether the bug comes with a deploy, before the second wave of orders.
    pub(super) deployed: bool,
    /// A function's time-out.
    pub(super) timeout: Option<(&'static str, Duration)>,
    /// A function's memory, in MB.
    pub(super) memory: Option<(&'static str, u32)>,
    /// How many sandboxes a function may have at once; one, if nothing is said.
    pub(super) at_once: Option<(&'static str, usize)>,
    /// Variables of all functions.
    pub(super) env: &'static [(&'static str, &'static str)],
    /// What third parties do.
    pub(super) troubles: &'static [Trouble],
    /// Whether there is a fraud check, without whose word the payment provider charges nobody.
    pub(super) fraud_check: bool,
    /// The largest batch of a queue or stream.
    pub(super) batch_size: usize,
    /// How long a batch that is not full waits for more.
    pub(super) window: Duration,
    /// Receives of a message before it is a dead letter.
    pub(super) max_receives: u32,
}

impl Fault {
    pub(super) const NONE: Self = Self {
        bug: None,
        deployed: false,
        timeout: None,
        memory: None,
        at_once: None,
        env: &[],
        troubles: &[],
        fraud_check: false,
        batch_size: 10,
        // Short enough not to be felt, long enough for batches to mix orders.
        window: Duration::from_millis(100),
        max_receives: 3,
    };
}

/// What a third party does to some of its customers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble {
    /// Which: `/charges`, `/mails`, `/scores`.
    pub(super) path: &'static str,
    /// To whom; to all, if nobody is named.
    pub(super) users: &'static [&'static str],
    /// What.
    pub(super) what: Does,
}

/// What a third party does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// It takes its time.
    Take(Duration),
    /// It answers with this status.
    Answer(u16),
}

impl Trouble {
    pub(super) fn hits(&self, path: &str, user: &str) -> bool {
        self.path == path && (self.users.is_empty() || self.users.contains(&user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_hits_whom_it_names_or_all() {
        let some = Trouble { path: "/charges", users: &["u-1"], what: Does::Answer(503) };
        assert!(some.hits("/charges", "u-1") && !some.hits("/charges", "u-2") && !some.hits("/mails", "u-1"));
        assert!(Trouble { users: &[], ..some }.hits("/charges", "u-2"));
    }
}

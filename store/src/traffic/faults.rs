//! What breaks, when, and for whom.

use super::Traffic;
use super::hops::Trip;
use crate::time::{DAY, HOUR};

/// Something that breaks a run.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: &'static str,
    pub(super) message: String,
    /// How much longer the run takes, in microseconds.
    pub(super) longer: u64,
    /// Whether another try goes well.
    pub(super) passes: bool,
}

impl Traffic {
    /// What is wrong with the run of a function of a domain at `at`, if something is.
    pub(super) fn fault(&mut self, function: &str, trip: &Trip, at: u64) -> Option<Fault> {
        let hours = self.window.to.saturating_sub(at) / HOUR;
        let account = trip.user.as_ref().map_or(0, |user| user.account);
        // A bad deploy that was taken back after some hours.
        if function == "orders-worker" && (2..6).contains(&hours) && self.chance(0.6) {
            let message = format!("no field `amount` in order {}", self.random.u32(..));
            return fault("serde_json::Error", message, 0, false);
        }
        // A third party is slow for two hours of each day: some calls take until the function's time is over.
        let slow = (self.window.to.saturating_sub(at) % DAY / HOUR) % 12 == 1;
        if function == "payments-worker" && slow && self.chance(0.4) {
            return fault("Timeout", "timed out after 3.00 s".to_owned(), 3_000_000, true);
        }
        // One customer's address is refused.
        if function.ends_with("-mailer") && account == 7 {
            let message = format!("550 5.1.1 sender {} unverified", trip.entry);
            return fault("SmtpRejected", message, 10_000, false);
        }
        // The rest of what goes wrong anywhere.
        if self.chance(0.004) {
            let kind = ["ThrottlingException", "ConnectionReset", "Runtime.OutOfMemory"];
            let kind = kind[self.random.usize(..kind.len())];
            return fault(kind, format!("{kind} after {} ms", self.random.u8(..)), 200_000, true);
        }
        None
    }

    /// Some clocks are wrong: when a run says that it began.
    pub(super) fn clock(&mut self, at: u64) -> u64 {
        match self.random.u32(..20_000) {
            0 => 0,
            1 => u64::MAX / 1_000_000 - 60_000,
            2 => at.saturating_sub(400 * DAY),
            3 => at + 3 * DAY,
            _ => at,
        }
    }
}

fn fault(kind: &'static str, message: String, longer: u64, passes: bool) -> Option<Fault> {
    Some(Fault { kind, message, longer, passes })
}

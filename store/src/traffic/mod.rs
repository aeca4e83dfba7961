//! Synthetic traffic: what some dozens of functions hand over in some days, the same for the same seed.
//!
//! Each domain has seven functions: an API that writes to a table, sends and publishes; a worker behind a topic and a
//! queue, which calls a third party; a mailer, invoked asynchronously; one that takes a stream in batches of several
//! senders; one that follows the table, where no context is carried; and a schedule that fans out. Users, domains and what
//! they ask for are as uneven as such things are, days have their busy hours, functions are deployed, sandboxes come and
//! go, and now and then something breaks (`faults.rs`).

mod faults;
mod hops;
mod lines;
mod questions;
mod shapes;
mod spans;

use std::collections::{HashSet, VecDeque};
use std::f64::consts::TAU;

use fastrand::Rng;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;

use crate::hash::hash;
use crate::time::{DAY, HOUR, Window};

use hops::{Sent, Trip, User};
pub use questions::{Asked, Known, ask_all, known};

/// What the functions are called after, the busiest first.
const DOMAINS: [&str; 6] = ["orders", "catalog", "payments", "shipping", "loyalty", "returns"];
/// How many users there are, and accounts.
const USERS: f64 = 20_000.0;
const ACCOUNTS: u64 = 500;
/// How many records one batch has.
const BATCH: usize = 5;
/// How long a sandbox lives, and how long a build, in milliseconds.
const SANDBOX: u64 = 2 * HOUR;
const BUILD: u64 = 20 * HOUR;

/// What one invocation hands over.
#[derive(Clone, Debug)]
pub struct Handed {
    /// Whose spans these are.
    pub function: String,
    /// In which sandbox it ran.
    pub sandbox: String,
    /// When it began, in milliseconds since 1970.
    pub at: u64,
    /// Its spans.
    pub request: ExportTraceServiceRequest,
    /// Its log lines.
    pub logs: ResourceLogs,
}

/// Invocations, those of one transaction after another.
#[derive(Debug)]
pub struct Traffic {
    random: Rng,
    window: Window,
    wanted: usize,
    made: usize,
    ready: VecDeque<Handed>,
    /// Records that wait in the stream of each domain.
    streams: [Vec<Sent>; DOMAINS.len()],
    /// The sandboxes that have run already.
    warm: HashSet<u64>,
}

impl Traffic {
    /// So many invocations in this time.
    #[must_use]
    pub fn new(seed: u64, invocations: usize, window: Window) -> Self {
        Self {
            random: Rng::with_seed(seed),
            window,
            wanted: invocations,
            made: 0,
            ready: VecDeque::new(),
            streams: Default::default(),
            warm: HashSet::new(),
        }
    }

    /// The functions that it calls.
    pub fn functions() -> impl Iterator<Item = String> {
        let roles = ["api", "worker", "mailer", "ingest", "projector", "report", "page"];
        DOMAINS.iter().flat_map(move |domain| roles.map(|role| format!("{domain}-{role}")))
    }

    /// When the next transaction begins: nights are quiet.
    fn now(&self) -> u64 {
        let done = self.made as f64 / self.wanted.max(1) as f64;
        let length = self.window.to.saturating_sub(self.window.from) as f64;
        let days = (length / DAY as f64).max(1.0);
        let warped = done - 0.8 * (TAU * days * done).sin() / (TAU * days);
        self.window.from + (length * warped) as u64
    }

    /// One of so many, the first the most often: as by Zipf's law, with exponent 1.
    fn uneven(&mut self, of: f64) -> u64 {
        ((of + 1.0).powf(self.random.f64()) - 1.0) as u64
    }

    fn chance(&mut self, share: f64) -> bool {
        self.random.f64() < share
    }

    /// Between half of a typical duration and a few times as long.
    fn around(&mut self, typical: u64) -> u64 {
        let share = self.random.f64();
        (typical as f64 * (0.5 + share * share * share * 3.0)) as u64
    }

    fn trip(&mut self, entry: String) -> Trip {
        let user = self.uneven(USERS);
        let plan = ["pro", "free", "free", "trial"][(user % 4) as usize];
        let user = User { id: format!("u-{user:05}"), test: user % 97 == 5, account: user % ACCOUNTS, plan };
        let correlation = self.uuid();
        Trip { trace: self.random.u128(..), entry, correlation, user: Some(user) }
    }

    fn uuid(&mut self) -> String {
        let hex = format!("{:032x}", self.random.u128(..));
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    /// In which sandbox a function runs at `at`, and whether that is new.
    fn sandbox(&mut self, function: &str, at: u64) -> (String, bool) {
        let slot = self.uneven(4.0);
        let turn = at / SANDBOX;
        let name = hash([function.as_bytes(), &slot.to_be_bytes(), &turn.to_be_bytes()]);
        (format!("[$LATEST]{name:016x}"), self.warm.insert(name))
    }
}

/// Which build of a domain's functions is deployed.
fn build(domain: usize, at: u64) -> String {
    format!("build-{}", (at + domain as u64 * 3 * HOUR) / BUILD % 1000)
}

impl Iterator for Traffic {
    type Item = Handed;

    fn next(&mut self) -> Option<Handed> {
        if self.made >= self.wanted {
            return None;
        }
        while self.ready.is_empty() {
            let (at, domain) = (self.now(), self.uneven(DOMAINS.len() as f64) as usize);
            self.transaction(domain, at);
        }
        self.made += 1;
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOW;

    fn window() -> Window {
        Window::new(NOW - 3 * DAY, NOW)
    }

    #[test]
    fn it_is_the_same_each_time_and_within_its_time() {
        let made: Vec<Handed> = Traffic::new(1, 10_000, window()).collect();
        assert_eq!(made.len(), 10_000);
        let again: Vec<Handed> = Traffic::new(1, 10_000, window()).collect();
        assert!(made.iter().zip(&again).all(|(a, b)| a.request == b.request && a.sandbox == b.sandbox));
        let functions: HashSet<&str> = made.iter().map(|one| one.function.as_str()).collect();
        assert!(Traffic::functions().all(|function| functions.contains(function.as_str())), "{functions:?}");
        let inside = made.iter().filter(|one| window().contains(one.at)).count();
        let lines = |one: &Handed| one.logs.scope_logs[0].log_records.len();
        let few = made.iter().filter(|one| (3..=6).contains(&lines(one))).count();
        assert!(few > 9_000 && made.iter().all(|one| lines(one) >= 2), "{few} runs have three to six lines");
        assert!(inside > 9_900, "{inside}: what follows the last may be later, and some clocks are wrong");
    }

    #[test]
    fn days_have_busy_hours() {
        let mut hours = [0_u32; 24];
        for one in Traffic::new(2, 20_000, window()).filter(|one| window().contains(one.at)) {
            hours[((one.at - window().from) % DAY / HOUR) as usize] += 1;
        }
        let (least, most) = (hours.iter().min().unwrap(), hours.iter().max().unwrap());
        assert!(*most > 4 * least && *least > 0, "{hours:?}");
    }
}

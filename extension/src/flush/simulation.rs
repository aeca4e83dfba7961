//! What the policies cost and how old spans are when they are delivered, over patterns of invocations.
//!
//! Time is numbers, so nothing sleeps. The loop is that of `extension.rs` in small: one sandbox, one span an
//! invocation, frozen from the moment on that function and extension have asked for their next event.
//! `cargo test -p throughline-extension simulation -- --nocapture` prints the table.

use super::{Decision, Function, GaveUp, Pace, Policy, State, Unsent, decide};
use std::time::Duration;
use tokio::time::Instant;

/// A flush: a new connection with TLS to a backend in the region.
const FLUSH: u64 = 40;
/// From the handler's end to the arrival of a wrapped function's span.
const HAND_OVER: u64 = 1;
/// From the end of the runtime's part to the platform's word on it, which is buffered for 25 ms.
const WORD: u64 = 27;
const TIMEOUT: u64 = 10_000;
const SPAN_BYTES: usize = 500;
const LIMIT: usize = 4 * 1024 * 1024;
/// When the sandbox goes away after the last invocation.
const SPINDOWN: u64 = 600_000;

struct Case {
    policy: Policy,
    function: Function,
    ample: bool,
    handler: u64,
    /// Every so manieth invocation fails.
    fails: Option<usize>,
}

#[derive(Default, Debug)]
struct Figures {
    /// Ages at delivery, of what was delivered before SHUTDOWN.
    ages: Vec<u64>,
    /// Of the failed ones alone.
    failed: Vec<u64>,
    /// Time added to each invocation after the function's own end.
    added: Vec<u64>,
    flushes: usize,
    /// What waited for SHUTDOWN: how long before the end of the last invocation it arrived.
    left: Vec<u64>,
}

struct Sandbox<'a> {
    case: &'a Case,
    epoch: Instant,
    now: u64,
    buffer: Vec<(u64, bool)>,
    /// Arrivals still to come in this invocation.
    coming: Option<(u64, bool)>,
    urgent: bool,
    pace: Pace,
    figures: Figures,
}

impl Sandbox<'_> {
    fn to(&mut self, then: u64) {
        self.now = self.now.max(then);
        if let Some(span) = self.coming.take_if(|(at, _)| *at <= then) {
            self.urgent |= span.1;
            self.buffer.push(span);
        }
    }

    fn drain(&mut self, begun: u64) {
        while !self.buffer.is_empty() {
            let sent = std::mem::take(&mut self.buffer);
            self.to(self.now + FLUSH);
            self.figures.flushes += 1;
            for (arrived, failed) in sent {
                let age = self.now - arrived;
                self.figures.ages.push(age);
                self.figures.failed.extend(failed.then_some(age));
            }
        }
        self.urgent = false;
        self.pace.flushed(Duration::from_millis(self.now - begun), true);
    }

    fn invocation(&mut self, number: usize) {
        let (case, begun, epoch) = (self.case, self.now, self.epoch);
        let at = |millis| epoch + Duration::from_millis(millis);
        let wrapped = case.function == Function::Wrapped;
        let over = begun + case.handler + if wrapped { HAND_OVER } else { 0 };
        let told = if wrapped { over } else { over + WORD };
        self.coming = Some((over, case.fails.is_some_and(|every| number % every == every - 1)));
        let mut tail = !self.buffer.is_empty();
        self.pace.invoked(1_700_000_000_000 + begun + TIMEOUT, tail);
        let mut flushing_since = None;
        let asked = loop {
            let ran = Duration::from_millis(self.now - begun);
            let unsent = Unsent {
                urgent: self.urgent,
                tail,
                age: self.pace.age(ran),
                since_flush: self.pace.since_flush(ran),
                frequent: self.pace.is_frequent(),
                ample: case.ample,
                function: case.function,
                buffered: self.buffer.len() * SPAN_BYTES,
                limit: LIMIT,
            };
            let state = State {
                ended: (self.now >= told).then(|| at(told)),
                end_is_told: true,
                invoked: at(begun),
                deadline: at(begun + TIMEOUT),
                budget: Duration::from_millis(250),
                policy: case.policy,
                unsent,
                flushing_since,
                gave_up: None::<GaveUp>,
            };
            match decide(&state, at(self.now)) {
                Decision::Wait(_) => self.to(if self.now < over { over } else { told }),
                Decision::Beside(_) => {
                    self.drain(begun);
                    tail = false;
                }
                Decision::Flush(_) => {
                    flushing_since.get_or_insert(at(self.now));
                    self.drain(begun);
                }
                Decision::Next => break self.now,
                Decision::Ahead => {
                    let asked = self.now;
                    self.to(over);
                    if self.urgent && wrapped {
                        // The answer to the hand-over is held until then.
                        self.drain(begun);
                        break self.now;
                    }
                    break asked;
                }
            }
        };
        self.to(over);
        self.now = self.now.max(asked);
        self.figures.added.push(asked.saturating_sub(over));
    }
}

fn run(case: &Case, gaps: &[u64]) -> Figures {
    let mut sandbox = Sandbox {
        case,
        epoch: Instant::now(),
        now: 0,
        buffer: Vec::new(),
        coming: None,
        urgent: false,
        pace: Pace::new(),
        figures: Figures::default(),
    };
    let mut due = 0;
    for (number, gap) in gaps.iter().enumerate() {
        due += gap;
        sandbox.now = sandbox.now.max(due);
        sandbox.invocation(number);
    }
    let ended = sandbox.now;
    let mut figures = sandbox.figures;
    figures.left = sandbox.buffer.iter().map(|(arrived, _)| ended - arrived).collect();
    assert_eq!(figures.ages.len() + figures.left.len(), gaps.len(), "each span once");
    figures
}

/// Gaps with the mean `mean`, spread as those of independent callers.
fn random(mean: u64, count: usize) -> Vec<u64> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..count).map(|_| (-(1.0 - random.f64()).ln() * mean as f64) as u64).collect()
}

fn patterns() -> [(&'static str, Vec<u64>); 7] {
    let burst = |count: usize| [vec![30_000], vec![30; count - 1]].concat();
    [
        ("steady, 10 a second", vec![100; 600]),
        ("random, 3 a second", random(330, 600)),
        ("random, 1 in 2 seconds", random(2000, 300)),
        ("bursts of 50", burst(50).repeat(10)),
        ("rare, 1 in 90 seconds", vec![90_000; 40]),
        ("cron, 1 in 5 minutes", vec![300_000; 24]),
        ("a burst, then silence", burst(100)),
    ]
}

fn quantile(values: &[u64], share: f64) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied().unwrap_or(0)
}

fn mean(values: &[u64]) -> f64 {
    values.iter().sum::<u64>() as f64 / values.len().max(1) as f64
}

fn case(policy: Policy) -> Case {
    Case { policy, function: Function::Wrapped, ample: true, handler: 20, fails: Some(27) }
}

const INTERVAL: Duration = Duration::from_secs(20);
const POLICIES: [(&str, Policy); 4] = [
    ("end", Policy::End),
    ("deferred", Policy::Deferred),
    ("interval=20s", Policy::Interval(INTERVAL)),
    ("adaptive", Policy::Adaptive),
];
/// What an end costs where the end is known at once.
const AT_ONCE: u64 = FLUSH + HAND_OVER;

#[test]
fn the_bounds_that_are_stated_hold() {
    println!(
        "{:22} {:13} | age p50   p99    max ms | failed max | added mean   p99 ms | flushes | at SHUTDOWN, oldest ms",
        "pattern", "policy"
    );
    for (pattern, gaps) in patterns() {
        let end = run(&case(Policy::End), &gaps);
        for (name, policy) in POLICIES {
            let figures = run(&case(policy), &gaps);
            let (ages, added) = (&figures.ages, &figures.added);
            println!(
                "{pattern:22} {name:13} | {:7} {:5} {:6} | {:10} | {:10.1} {:5} | {:7} | {} {}",
                quantile(ages, 0.5),
                quantile(ages, 0.99),
                quantile(ages, 1.0),
                quantile(&figures.failed, 1.0),
                mean(added),
                quantile(added, 0.99),
                figures.flushes,
                figures.left.len(),
                quantile(&figures.left, 1.0),
            );
            let oldest = quantile(ages, 1.0);
            // `deferred` and `adaptive` may still be sending what went before when a failure comes.
            assert!(
                quantile(&figures.failed, 1.0) <= 2 * AT_ONCE,
                "{pattern}, {name}: failures leave at once"
            );
            assert!(quantile(added, 1.0) <= 2 * FLUSH, "{pattern}, {name}");
            assert!(mean(added) <= mean(&end.added), "{pattern}, {name}: no dearer than `end`");
            let longest = gaps.iter().skip(1).copied().max().unwrap_or_default();
            match policy {
                Policy::End => assert!(oldest <= AT_ONCE && figures.left.is_empty(), "{pattern}"),
                Policy::Deferred => {
                    assert!(oldest <= longest + 2 * AT_ONCE, "{pattern}: until the next invocation");
                    assert!(figures.left.len() <= 1, "{pattern}: the last invocation's");
                }
                Policy::Interval(interval) => {
                    assert!(oldest <= interval.as_millis() as u64 + longest + AT_ONCE, "{pattern}");
                }
                Policy::Adaptive => {
                    // Two seconds and a gap that is called frequent.
                    assert!(quantile(&figures.left, 1.0) <= 3000 + AT_ONCE, "{pattern}");
                    assert!(quantile(ages, 0.5) <= 2000 + AT_ONCE, "{pattern}");
                    if !pattern.starts_with("burst") && !pattern.starts_with("random") {
                        assert!(oldest <= 3000 + AT_ONCE, "{pattern}: nothing is stranded");
                    }
                    if ["rare", "cron"].iter().any(|quiet| pattern.starts_with(quiet)) {
                        assert_eq!((ages, &figures.left), (&end.ages, &end.left), "{pattern}: as `end`");
                    }
                    if pattern.starts_with("steady") {
                        // The failures' own flushes and one in twenty.
                        assert!(mean(added) <= mean(&end.added) / 8.0, "{pattern}: saves nearly all");
                    }
                }
            }
        }
    }
}

#[test]
fn an_unwrapped_function_s_failures_leave_at_once_where_its_end_is_waited_for() {
    for (name, policy) in POLICIES {
        let unwrapped = Case { function: Function::Unwrapped, ..case(policy) };
        let figures = run(&unwrapped, &[100; 600]);
        let failed = quantile(&figures.failed, 1.0);
        if policy == Policy::Deferred {
            assert!(failed <= 100 + 2 * AT_ONCE, "with the next invocation, not {failed} ms");
        } else {
            assert!(failed <= WORD + 2 * AT_ONCE, "{name}: {failed} ms");
        }
    }
}

#[test]
fn a_handler_that_runs_as_long_as_a_flush_pays_nothing_when_deferred() {
    for gaps in [vec![100; 600], vec![90_000; 20]] {
        let figures = run(&Case { handler: FLUSH, fails: None, ..case(Policy::Deferred) }, &gaps);
        assert_eq!(quantile(&figures.added, 1.0), 0);
        assert_eq!(figures.flushes, gaps.len() - 1, "beside each but the first");
    }
}

#[test]
fn a_small_function_sends_nothing_beside_its_handler_unless_told_to() {
    let small = Case { ample: false, fails: None, ..case(Policy::Adaptive) };
    let figures = run(&small, &[100; 600]);
    let busy = figures.added.iter().filter(|added| **added > 0).count();
    assert_eq!(busy, figures.flushes, "each flush is after an end");
    assert!(figures.flushes <= 600 / 19 + 8, "one in twenty, once it is frequent: {}", figures.flushes);
    assert!(quantile(&figures.ages, 1.0) <= 3000);
}

#[test]
fn what_a_burst_leaves_behind_is_bounded_in_time_and_bytes() {
    for length in 1..200 {
        let gaps = [vec![SPINDOWN], vec![30; length]].concat();
        let figures = run(&case(Policy::Adaptive), &gaps);
        assert!(quantile(&figures.left, 1.0) <= 3000 + AT_ONCE, "{length}: {:?}", figures.left);
        assert!(length > 7 || figures.left.is_empty(), "a short one leaves nothing");
    }
}

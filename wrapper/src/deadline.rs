//! The deadline watch: something is done shortly before an invocation runs out of time, while there still is some.
//!
//! By a thread of its own: a timer of the program's Tokio runtime would not fire while a handler blocks its threads, which
//! is one way to run out of time. It sleeps until the earliest margin of those under way. An invocation whose margin is later
//! than that does not wake it, so that most cost a lock and no more.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::diagnostics::{guarded, warn_once};

/// The share of the time that an invocation has which is kept for telling of it.
const SHARE: u32 = 10;
const MIN_MARGIN: Duration = Duration::from_millis(50);
const MAX_MARGIN: Duration = Duration::from_secs(3);

/// After how long the margin of an invocation begins that has so much time left; `None` if it never had any, as where a
/// test of the program's says nothing of a deadline.
pub(crate) fn until_margin(left: Duration) -> Option<Duration> {
    let margin = (left / SHARE).clamp(MIN_MARGIN, MAX_MARGIN);
    (!left.is_zero()).then(|| left.saturating_sub(margin))
}

/// Does something at the margin of each invocation.
#[derive(Debug)]
pub(crate) struct Watch<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    schedule: Mutex<Schedule<T>>,
    news: Condvar,
    act: fn(T),
}

impl<T: Send + 'static> Watch<T> {
    /// A watch that does `act`. Its thread starts with the first invocation: a snapshot would not keep it.
    pub(crate) fn new(act: fn(T)) -> Self {
        Self(Arc::new(Shared { schedule: Mutex::new(Schedule::new()), news: Condvar::new(), act }))
    }

    /// Has it done with `what` at `at`, unless what is returned is dropped before.
    pub(crate) fn at(&self, at: Instant, what: T) -> Watched<T> {
        let mut schedule = self.0.schedule();
        let (number, wakes) = schedule.add(at, what);
        let is_first = !std::mem::replace(&mut schedule.is_started, true);
        drop(schedule);
        if is_first {
            start(&self.0);
        } else if wakes {
            self.0.news.notify_one();
        }
        Watched { shared: self.0.clone(), number }
    }
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        self.0.schedule().is_over = true;
        self.0.news.notify_one();
    }
}

/// An invocation that is watched, until this is dropped.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    shared: Arc<Shared<T>>,
    number: u64,
}

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        let over = self.shared.schedule().remove(self.number);
        // Not under the lock: it may be somebody's last.
        drop(over);
    }
}

/// Detached: the process ends without asking it.
fn start<T: Send + 'static>(shared: &Arc<Shared<T>>) {
    let shared = shared.clone();
    let thread = std::thread::Builder::new().name("throughline-watch".to_owned()).spawn(move || shared.run());
    if thread.is_err() {
        warn_once(
            "no thread could be started to watch the deadline: an invocation that runs out of time is not told of before",
        );
    }
}

impl<T> Shared<T> {
    fn schedule(&self) -> MutexGuard<'_, Schedule<T>> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut schedule = self.schedule();
        while !schedule.is_over {
            let now = Instant::now();
            let due = schedule.take_due(now);
            if due.is_empty() {
                schedule = match schedule.wakes {
                    Some(at) => {
                        let waited = self.news.wait_timeout(schedule, at.saturating_duration_since(now));
                        waited.unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => self.news.wait(schedule).unwrap_or_else(PoisonError::into_inner),
                };
                continue;
            }
            drop(schedule);
            for what in due {
                guarded("the deadline watch", || (self.act)(what));
            }
            schedule = self.schedule();
        }
    }
}

/// Whose margin is when, and when the thread wakes.
#[derive(Debug)]
struct Schedule<T> {
    under_way: Vec<Entry<T>>,
    /// When the thread wakes by itself; `None` if it doesn't.
    wakes: Option<Instant>,
    next_number: u64,
    is_started: bool,
    is_over: bool,
}

#[derive(Debug)]
struct Entry<T> {
    number: u64,
    at: Instant,
    what: T,
}

impl<T> Schedule<T> {
    fn new() -> Self {
        Self { under_way: Vec::new(), wakes: None, next_number: 0, is_started: false, is_over: false }
    }

    /// Adds one; its number, and whether the thread must be woken for it.
    fn add(&mut self, at: Instant, what: T) -> (u64, bool) {
        let number = self.next_number;
        self.next_number += 1;
        self.under_way.push(Entry { number, at, what });
        let must_wake = self.wakes.is_none_or(|wakes| at < wakes);
        if must_wake {
            self.wakes = Some(at);
        }
        (number, must_wake)
    }

    /// Takes one out. The thread wakes all the same: to tell it would cost more than that.
    fn remove(&mut self, number: u64) -> Option<T> {
        let index = self.under_way.iter().position(|entry| entry.number == number)?;
        Some(self.under_way.swap_remove(index).what)
    }

    /// Takes out whose margin has come, and settles when to look again.
    fn take_due(&mut self, now: Instant) -> Vec<T> {
        let due = self.under_way.extract_if(.., |entry| entry.at <= now).map(|entry| entry.what).collect();
        self.wakes = self.under_way.iter().map(|entry| entry.at).min();
        due
    }
}

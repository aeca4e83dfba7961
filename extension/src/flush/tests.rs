//! The table of decisions.

use super::{
    Decision, Function, GaveUp, HELD, Policy, SAFETY, State, Unsent, decide, held_until, shutdown_until,
};
use std::time::Duration;
use tokio::time::Instant;

const BUDGET: Duration = Duration::from_millis(250);

const UNSENT: Unsent = Unsent {
    urgent: false,
    tail: false,
    age: Duration::ZERO,
    since_flush: None,
    frequent: false,
    ample: true,
    function: Function::Wrapped,
    buffered: 100,
    limit: 1000,
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn running(now: Instant) -> State {
    State {
        ended: None,
        end_is_told: true,
        invoked: now,
        deadline: now + ms(3000),
        budget: BUDGET,
        policy: Policy::End,
        unsent: UNSENT,
        flushing_since: None,
        gave_up: None,
    }
}

fn with(state: State, change: impl FnOnce(&mut Unsent)) -> State {
    let mut state = state;
    change(&mut state.unsent);
    state
}

#[test]
fn a_running_invocation_is_waited_for_until_the_margin() {
    let now = Instant::now();
    let state = running(now);
    let margin = state.deadline - BUDGET - SAFETY;
    assert_eq!(decide(&state, now), Decision::Wait(margin));
    assert_eq!(decide(&state, margin), Decision::Flush(state.deadline - SAFETY));
}

#[test]
fn a_budget_as_long_as_the_time_out_leaves_three_quarters_to_the_function() {
    let now = Instant::now();
    for budget in [ms(3000), ms(60_000)] {
        let state = State { budget, ..running(now) };
        let margin = now + ms(2250) - SAFETY;
        assert_eq!(decide(&state, now), Decision::Wait(margin));
        assert_eq!(decide(&state, margin), Decision::Flush(state.deadline - SAFETY));
    }
}

#[test]
fn an_ended_one_is_flushed_within_the_budget_and_the_deadline() {
    let now = Instant::now();
    let ended = State { ended: Some(now), ..running(now) };
    assert_eq!(decide(&ended, now), Decision::Flush(now + BUDGET));
    let late = State { deadline: now + ms(150), ..ended };
    assert_eq!(decide(&late, now), Decision::Flush(late.deadline - SAFETY));
    assert_eq!(decide(&State { deadline: now + SAFETY, ..ended }, now), Decision::Next, "no time left");
    assert_eq!(decide(&with(ended, |unsent| unsent.buffered = 0), now), Decision::Next);
    assert_eq!(decide(&State { gave_up: Some(GaveUp::AtEnd), ..ended }, now), Decision::Next);
}

#[test]
fn the_budget_is_one_for_all_flushes_of_an_end() {
    let now = Instant::now();
    let state = State { ended: Some(now), flushing_since: Some(now), ..running(now) };
    assert_eq!(decide(&state, now + ms(100)), Decision::Flush(now + BUDGET));
    assert_eq!(decide(&state, now + BUDGET), Decision::Next);
}

#[test]
fn an_end_that_is_still_to_come_is_waited_for() {
    let now = Instant::now();
    let state = State { ended: Some(now + ms(50)), ..running(now) };
    assert_eq!(decide(&state, now), Decision::Wait(now + ms(50)));
    assert_eq!(decide(&state, now + ms(50)), Decision::Flush(now + ms(50) + BUDGET));
}

#[test]
fn an_end_that_nobody_tells_is_not_waited_for() {
    let now = Instant::now();
    let state = State { end_is_told: false, ..running(now) };
    assert_eq!(decide(&state, now), Decision::Flush(now + BUDGET), "what the last invocation left");
    assert_eq!(decide(&with(state, |unsent| unsent.buffered = 0), now), Decision::Next);
}

#[test]
fn a_crowded_buffer_is_relieved_early_but_a_dead_backend_asked_once() {
    let now = Instant::now();
    let crowded = with(running(now), |unsent| unsent.buffered = 500);
    assert_eq!(decide(&crowded, now), Decision::Beside(now + BUDGET));
    let refused = State { gave_up: Some(GaveUp::Early), ..crowded };
    assert!(matches!(decide(&refused, now), Decision::Wait(_)));
    let ended = State { ended: Some(now), ..refused };
    assert!(matches!(decide(&ended, now), Decision::Flush(_)), "at the end it has its chance");
}

#[test]
fn shutdown_leaves_time_to_write_down_the_rest() {
    let now = Instant::now();
    assert_eq!(shutdown_until(now + ms(2000), now), now + ms(1700));
    assert_eq!(shutdown_until(now + ms(400), now), now + ms(300));
    assert_eq!(shutdown_until(now, now), now, "already late");
    assert_eq!(shutdown_until(now, now + ms(5)), now + ms(5));
}

/// What each policy does at INVOKE, while the handler runs, and at the end.
#[test]
fn what_may_wait_is_a_table() {
    const LONG: Duration = Duration::from_secs(30);
    let now = Instant::now();
    let (deferred, adaptive, interval) =
        (Policy::Deferred, Policy::Adaptive, Policy::Interval(Duration::from_secs(20)));
    let margin = running(now).deadline - BUDGET - SAFETY;
    let (wait, beside) = (Decision::Wait(margin), Decision::Beside(now + BUDGET));
    let (ahead, next, flush) = (Decision::Ahead, Decision::Next, Decision::Flush(now + BUDGET));
    type Change = fn(&mut Unsent);
    let table: [(&str, Policy, Change, Decision, Decision); 27] = [
        ("all is new", Policy::End, |_| {}, wait, flush),
        ("a tail", Policy::End, |u| u.tail = true, wait, flush),
        ("a failure came late", Policy::End, |u| (u.tail, u.urgent) = (true, true), beside, flush),
        ("all is new", deferred, |_| {}, ahead, next),
        ("a tail", deferred, |u| u.tail = true, beside, flush),
        ("nothing at all", deferred, |u| u.buffered = 0, ahead, next),
        ("a failure", deferred, |u| u.urgent = true, ahead, flush),
        ("unwrapped", deferred, |u| u.function = Function::Unwrapped, ahead, next),
        ("not known yet", deferred, |u| u.function = Function::Unknown, wait, next),
        ("a small function", deferred, |u| (u.tail, u.ample) = (true, false), beside, flush),
        ("the first", interval, |_| {}, wait, flush),
        ("lately", interval, |u| u.since_flush = Some(ms(19_999)), wait, next),
        ("long ago", interval, |u| u.since_flush = Some(ms(20_000)), wait, flush),
        ("a failure", interval, |u| (u.since_flush, u.urgent) = (Some(ms(1)), true), wait, flush),
        ("rare", adaptive, |_| {}, wait, flush),
        ("frequent", adaptive, |u| u.frequent = true, ahead, next),
        ("a young tail", adaptive, |u| (u.frequent, u.tail, u.age) = (true, true, ms(1999)), ahead, next),
        ("an old one", adaptive, |u| (u.frequent, u.tail, u.age) = (true, true, ms(2000)), beside, flush),
        ("after a silence", adaptive, |u| (u.tail, u.age) = (true, LONG), beside, flush),
        (
            "old, small",
            adaptive,
            |u| (u.frequent, u.tail, u.age, u.ample) = (true, true, LONG, false),
            wait,
            flush,
        ),
        ("small", adaptive, |u| (u.frequent, u.ample) = (true, false), ahead, next),
        ("much", adaptive, |u| (u.frequent, u.buffered) = (true, 250), wait, flush),
        ("much before", adaptive, |u| (u.frequent, u.tail, u.buffered) = (true, true, 250), beside, flush),
        ("a failure", adaptive, |u| (u.frequent, u.urgent) = (true, true), ahead, flush),
        ("a late one", adaptive, |u| (u.frequent, u.tail, u.urgent) = (true, true, true), beside, flush),
        ("unwrapped", adaptive, |u| (u.frequent, u.function) = (true, Function::Unwrapped), wait, next),
        ("not known yet", adaptive, |u| (u.frequent, u.function) = (true, Function::Unknown), wait, next),
    ];
    for (name, policy, change, runs, ended) in table {
        let state = with(State { policy, ..running(now) }, change);
        assert_eq!(decide(&state, now), runs, "{policy:?} while it runs: {name}");
        assert_eq!(decide(&State { ended: Some(now), ..state }, now), ended, "{policy:?} at the end: {name}");
        let over = decide(&state, margin);
        let expected =
            if state.unsent.buffered == 0 { next } else { Decision::Flush(state.deadline - SAFETY) };
        assert_eq!(over, expected, "{policy:?}: near the deadline nothing waits: {name}");
        let gave_up = State { gave_up: Some(GaveUp::Early), ..state };
        assert!(!matches!(decide(&gave_up, now), Decision::Beside(_)), "{policy:?}: asked once: {name}");
        let again = State { ended: Some(now), flushing_since: Some(now), ..state };
        assert!(matches!(decide(&again, now), Decision::Flush(_) | Decision::Next), "{policy:?}: {name}");
    }
}

#[test]
fn where_no_end_is_told_a_deferred_tail_leaves_beside_the_handler() {
    let now = Instant::now();
    let state = State { end_is_told: false, policy: Policy::Deferred, ..running(now) };
    assert_eq!(decide(&state, now), Decision::Next);
    assert_eq!(decide(&with(state, |unsent| unsent.tail = true), now), Decision::Flush(now + BUDGET));
}

#[test]
fn who_waits_for_a_flush_has_its_answer_before_it_gives_up() {
    let now = Instant::now();
    let far = now + Duration::from_secs(60);
    assert_eq!(held_until(BUDGET, far, now), now + BUDGET);
    assert_eq!(held_until(Duration::from_secs(60), far, now), now + HELD);
    assert_eq!(held_until(BUDGET, now + ms(150), now), now + ms(50), "before its deadline");
}

use super::{Ends, FIRST_GRACE, Outcome, Platform, REMEMBERED};
use std::time::Duration;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_millis(250);

#[test]
fn the_span_ends_its_own_invocation_at_once_even_before_invoke_is_read() {
    let (mut ends, now) = (Ends::default(), Instant::now());
    ends.span_arrived("a");
    assert_eq!(ends.ended("a", PATIENCE, now), Some(now));
    assert_eq!(ends.ended("b", PATIENCE, now), None);
}

#[test]
fn after_runtime_done_a_span_is_waited_for_as_long_as_the_function_deserves() {
    let (mut ends, now) = (Ends::default(), Instant::now());
    ends.runtime_done("a", Outcome::Alive, now);
    assert_eq!(ends.ended("a", PATIENCE, now), Some(now + FIRST_GRACE), "unknown");
    ends.close("a");
    ends.runtime_done("b", Outcome::Alive, now);
    assert_eq!(ends.ended("b", PATIENCE, now), Some(now), "silent");
    ends.span_arrived("b");
    ends.runtime_done("c", Outcome::Alive, now);
    assert_eq!(ends.ended("c", PATIENCE, now), Some(now + PATIENCE), "it tells");
    ends.runtime_done("d", Outcome::Gone, now);
    assert_eq!(ends.ended("d", PATIENCE, now), Some(now), "nothing follows a crash");
}

#[test]
fn one_missing_span_does_not_make_a_function_silent() {
    let mut ends = Ends::default();
    ends.span_arrived("a");
    ends.close("a");
    ends.open("b");
    ends.close("b");
    assert!(ends.are_told(false));
    assert!(ends.span_is_due("b") && !ends.span_is_due("a"));
    ends.runtime_done("b", Outcome::Gone, Instant::now());
    assert!(!ends.span_is_due("b"));
}

#[test]
fn a_retry_has_an_end_of_its_own() {
    for late in [false, true] {
        let (mut ends, now) = (Ends::default(), Instant::now());
        ends.open("r");
        ends.span_arrived("r");
        if !late {
            ends.runtime_done("r", Outcome::Alive, now);
        }
        ends.close("r");
        assert_eq!(ends.ended("r", PATIENCE, now), None);
        ends.open("r");
        if late {
            ends.runtime_done("r", Outcome::Alive, now);
        }
        assert_eq!(ends.ended("r", PATIENCE, now), None, "it still runs");
        ends.runtime_done("r", Outcome::Alive, now);
        assert_eq!(ends.ended("r", PATIENCE, now), Some(now + PATIENCE));
        ends.span_arrived("r");
        assert_eq!(ends.ended("r", PATIENCE, now), Some(now));
    }
}

#[test]
fn what_comes_after_the_close_is_the_closed_attempt_s_once_and_then_the_next_one_s() {
    let (mut ends, now) = (Ends::default(), Instant::now());
    ends.open("r");
    ends.close("r");
    ends.span_arrived("r");
    ends.runtime_done("r", Outcome::Alive, now);
    assert!(!ends.span_is_due("r"));
    ends.open("r");
    assert_eq!(ends.ended("r", PATIENCE, now), None, "both were late");
    ends.span_arrived("r");
    ends.runtime_done("r", Outcome::Alive, now);
    ends.close("r");
    ends.span_arrived("r");
    ends.open("r");
    assert_eq!(ends.ended("r", PATIENCE, now), Some(now), "quicker than INVOKE");
}

#[test]
fn a_crash_ends_a_retry_whatever_the_attempt_before_is_owed() {
    let (mut ends, now) = (Ends::default(), Instant::now());
    ends.span_arrived("r");
    ends.close("r");
    ends.open("r");
    ends.runtime_done("r", Outcome::Gone, now);
    assert_eq!(ends.ended("r", PATIENCE, now), Some(now));
}

#[test]
fn an_end_is_waited_for_only_if_someone_tells_it() {
    let (mut ends, now) = (Ends::default(), Instant::now());
    assert!(ends.are_told(true) && !ends.are_told(false), "at first the subscription is trusted");
    ends.open("a");
    ends.close("a");
    assert!(!ends.are_told(true), "neither span nor runtimeDone");
    ends.runtime_done("a", Outcome::Alive, now);
    assert!(ends.are_told(true) && !ends.are_told(false), "it was late");
    ends.open("b");
    ends.close("b");
    ends.span_arrived("b");
    assert!(ends.are_told(true) && ends.are_told(false), "the function tells");
}

#[test]
fn a_span_without_runtime_done_is_no_fault_of_the_platform() {
    let mut ends = Ends::default();
    ends.span_arrived("a");
    ends.close("a");
    assert_eq!(ends.platform, Platform::Tells);
}

#[test]
fn memory_is_bounded() {
    let (mut ends, now) = (Ends::default(), Instant::now());
    for number in 0..1000 {
        ends.span_arrived(&number.to_string());
        ends.runtime_done(&number.to_string(), Outcome::Alive, now);
    }
    assert_eq!(ends.attempts.len(), REMEMBERED);
    assert_eq!(ends.ended("999", PATIENCE, now), Some(now));
}

#[test]
fn what_is_known_of_an_end_is_asked_by_request() {
    let (mut ends, now) = (Ends::default(), Instant::now());
    assert!(ends.end_is_due("a") && !ends.has_span("a"));
    ends.open("a");
    assert!(ends.end_is_due("a"));
    ends.runtime_done("a", Outcome::Gone, now);
    assert!(!ends.end_is_due("a") && !ends.has_span("a"));
    ends.span_arrived("b");
    assert!(!ends.end_is_due("b") && ends.has_span("b"));
    ends.close("b");
    assert!(ends.has_span("b"));
    ends.open("b");
    assert!(!ends.has_span("b"), "the next attempt's is still to come");
}

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::invocation::Invocation;
use crate::panics;
use crate::propagation::{Baggage, root};
use crate::span::{Failure, Span, SpanKind};
use crate::testing::{Listener, close, env, now, scope, scope_in, subscribe};

/// A subscriber such as a program installs, and ears.
fn listen() -> (impl Sized, Listener) {
    (subscribe(tracing_subscriber::registry().with(crate::layer())), Listener::new())
}

/// What the lines say.
fn said(lines: &[String]) -> Vec<String> {
    let message = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["message"].as_str().unwrap().to_owned()
    };
    lines.iter().map(message).collect()
}

fn say(scope: &Scope, text: &str) {
    scope.enter(|| tracing::debug!(target: "shop", "{text}"));
}

/// A record of the invocation, of a transaction of its own.
fn record(of: &Scope, id: &str) -> Scope {
    let mut baggage = Baggage::default();
    baggage.identify([id]);
    let span = Span::start(root(None), None, SpanKind::Consumer, "process", now());
    Scope::of_record(of.invocation().clone(), span, baggage)
}

fn fail(invocation: &Invocation) {
    invocation.fail(Failure::new("Boom", "no"));
}

#[test]
fn an_invocation_that_fails_writes_its_lines_in_order_and_once() {
    let (_subscribed, log) = listen();
    let scope = scope();
    ["one", "two"].iter().for_each(|text| say(&scope, text));
    assert!(log.lines().is_empty());
    fail(scope.invocation());
    let lines = log.lines();
    assert_eq!(said(&lines), ["one", "two"]);
    assert!(lines[0].contains(&scope.span().trace_id().to_string()), "{lines:?}");
    close(scope.invocation());
    assert!(log.lines().is_empty());
}

#[test]
fn one_that_ends_well_writes_nothing_and_one_that_says_it_failed_does() {
    let (_subscribed, log) = listen();
    for (set_error, expected) in [(false, &[][..]), (true, &["one"][..])] {
        let scope = scope();
        scope.invocation().reach("handler");
        say(&scope, "one");
        if set_error {
            scope.enter(|| crate::context::set_error("Declined", "no money"));
        }
        close(scope.invocation());
        assert_eq!(said(&log.lines()), expected);
    }
}

#[test]
fn only_debug_lines_of_the_program_are_kept() {
    let (_subscribed, log) = listen();
    let scope = scope();
    tracing::debug!(target: "shop", "outside");
    scope.enter(|| {
        tracing::debug!(target: "hyper::client", "of the stack");
        tracing::debug!(target: "aws_sdk_sqs", "of the SDK");
        tracing::trace!(target: "shop", "trace");
        tracing::info!(target: "shop", "info");
        tracing::debug!(target: "shop", "own");
        drop(tracing::debug_span!(target: "shop", "a span"));
    });
    fail(scope.invocation());
    assert_eq!(said(&log.lines()), ["own"]);
}

#[test]
fn a_record_that_fails_writes_its_own_lines() {
    let (_subscribed, log) = listen();
    let outer = scope();
    let [good, bad] = ["m-1", "m-2"].map(|id| record(&outer, id));
    say(&outer, "before");
    say(&good, "good one");
    say(&bad, "bad one");
    good.end_record();
    say(&bad, "bad two");
    bad.enter(|| crate::context::set_error("Declined", "no money"));
    bad.end_record();
    let lines = log.lines();
    assert_eq!(said(&lines), ["bad one", "bad two"]);
    for line in &lines {
        assert!(line.contains(&bad.span().trace_id().to_string()) && line.contains("\"m-2\""), "{line}");
    }
    fail(outer.invocation());
    assert_eq!(said(&log.lines()), ["before"]);
}

#[test]
fn from_the_mark_on_lines_come_at_once_and_so_do_those_before() {
    let (_subscribed, log) = listen();
    let scope = scope();
    say(&scope, "before");
    scope.enter(crate::context::set_debug);
    assert_eq!(said(&log.lines()), ["before"]);
    say(&scope, "after");
    let lines = log.lines();
    assert_eq!(said(&lines), ["after"]);
    assert!(lines[0].contains("\"throughline.debug\":true"), "{lines:?}");
    fail(scope.invocation());
    assert!(log.lines().is_empty());
}

#[test]
fn a_record_that_is_marked_leaves_the_others_alone() {
    let (_subscribed, log) = listen();
    let outer = scope_in(&[("THROUGHLINE_DEBUG_WHEN", "user.id=u-1,account.plan=enterprise")]);
    let [one, other] = ["m-1", "m-2"].map(|id| record(&outer, id));
    for (scope, user) in [(&one, "u-1"), (&other, "u-2")] {
        say(scope, user);
        scope.enter(|| crate::context::set_user(user));
        say(scope, user);
    }
    assert_eq!(said(&log.lines()), ["u-1", "u-1"]);
    assert!(one.is_debug() && !other.is_debug() && !outer.is_debug());
    other.enter(|| crate::context::set_account("a-1", "enterprise"));
    assert_eq!(said(&log.lines()), ["u-2", "u-2"]);
}

#[test]
fn off_is_off_and_outside_lambda_the_log_is_the_programs() {
    let (_subscribed, log) = listen();
    let off = scope_in(&[("THROUGHLINE_DEBUG_LINES", "false"), ("THROUGHLINE_DEBUG", "true")]);
    let outside = Invocation::unnamed(crate::tracer::Tracer::outside(&env(&[]), now), None);
    for scope in [off, outside] {
        say(&scope, "one");
        scope.enter(crate::context::set_debug);
        say(&scope, "two");
        fail(scope.invocation());
        assert!(log.lines().is_empty());
    }
}

/// Panics when it is written.
struct Broken;

impl fmt::Debug for Broken {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no")
    }
}

#[test]
fn a_value_that_cannot_be_written_breaks_nothing() {
    let (_subscribed, log) = listen();
    let scope = scope();
    scope.enter(|| tracing::debug!(target: "shop", value = ?Broken, "broken"));
    say(&scope, "whole");
    log.lines();
    fail(scope.invocation());
    assert_eq!(said(&log.lines()), ["whole"]);
}

#[test]
fn a_panic_writes_the_lines_before_anybody_catches_it() {
    panics::watch();
    let (_subscribed, log) = listen();
    let outer = scope();
    let [one, other] = ["m-1", "m-2"].map(|id| record(&outer, id));
    for scope in [&one, &other] {
        say(scope, "a line");
    }
    let _ = catch_unwind(AssertUnwindSafe(|| one.enter(|| panic!("no"))));
    assert_eq!(log.lines().len(), 1);
}

#[test]
fn what_was_pushed_out_is_told() {
    let (_subscribed, log) = listen();
    let scope = scope();
    (0..70).for_each(|n| say(&scope, &n.to_string()));
    fail(scope.invocation());
    let lines = log.lines();
    assert!(lines[0].contains("\"requestId\":\"r-1\""), "{lines:?}");
    let said = said(&lines);
    assert!(said[0].starts_with("6 DEBUG lines of request r-1"), "{said:?}");
    assert_eq!((said.len(), said[1].as_str()), (65, "6"));
}

#[test]
fn a_rate_that_is_none_is_no_rate() {
    for (value, rate) in
        [("0.25", 0.25), (" 1 ", 1.0), ("", 0.0), ("2", 0.0), ("-1", 0.0), ("NaN", 0.0), ("x", 0.0)]
    {
        assert_eq!(
            Debug::from_env(&env(&[("THROUGHLINE_DEBUG_SAMPLE_RATE", value)])).rate.to_bits(),
            f64::to_bits(rate)
        );
    }
}

#[test]
fn lots_are_drawn_at_the_first_function_and_by_the_transaction() {
    let marks = |rate: &str, id: &str, hops: u16| {
        let mut baggage = Baggage::default();
        baggage.identify([id]);
        baggage.arrive("sqs orders", hops);
        Debug::from_env(&env(&[("THROUGHLINE_DEBUG_SAMPLE_RATE", rate)])).marks(&baggage)
    };
    let ids: Vec<_> = (0..1000).map(|n| format!("r-{n}")).collect();
    let share = |rate| ids.iter().filter(|id| marks(rate, id, 0)).count();
    assert_eq!((share("0"), share("1")), (0, 1000));
    assert!((200..300).contains(&share("0.25")), "{}", share("0.25"));
    assert!(ids.iter().all(|id| !marks("0.25", id, 0) || marks("0.5", id, 0)), "more are not others");
    assert!(!marks("1", "r-1", 1), "a function before has decided");
}

#[test]
fn a_condition_holds_for_baggage_that_arrives() {
    let debug = Debug::from_env(&env(&[("THROUGHLINE_DEBUG_WHEN", "account.plan=enterprise")]));
    for (plan, marked) in [("enterprise", true), ("free", false)] {
        let mut baggage = Baggage::default();
        baggage.set(Baggage::ACCOUNT_PLAN, plan);
        assert_eq!(debug.marks(&baggage), marked);
    }
}

proptest! {
    /// Lines of many invocations, and records, in any order on several threads: each finds its own and no other's.
    #[test]
    fn invocations_at_once_never_share_a_line(turns in prop::collection::vec(0_usize..6, 1..32)) {
        let _subscribed = subscribe(tracing_subscriber::registry().with(crate::layer()));
        let outer: Vec<_> = (0..3).map(|_| scope()).collect();
        // Three invocations, and a record of each.
        let scopes: Vec<_> = outer.iter().cloned().chain(outer.iter().map(|outer| record(outer, "m-1"))).collect();
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        std::thread::scope(|threads| {
            for thread in 0..2 {
                let (turns, scopes, dispatch) = (&turns, &scopes, dispatch.clone());
                threads.spawn(move || tracing::dispatcher::with_default(&dispatch, || {
                    for (number, turn) in turns.iter().enumerate() {
                        say(&scopes[*turn], &format!("{turn} {thread} {number}"));
                    }
                }));
            }
        });
        for (index, scope) in scopes.iter().enumerate().rev() {
            let of = scope.is_record().then(|| scope.span().span_id());
            let lines = scope.invocation().debug_lines().take(of);
            for thread in 0..2 {
                let own = turns.iter().enumerate().filter(|(_, turn)| **turn == index);
                let expected: Vec<_> = own.map(|(number, turn)| format!("{turn} {thread} {number}")).collect();
                let found = said(&lines).into_iter().filter(|said| said.starts_with(&format!("{index} {thread} ")));
                prop_assert_eq!(found.collect::<Vec<_>>(), expected);
            }
            let own = turns.iter().filter(|turn| **turn == index).count();
            prop_assert_eq!(lines.len(), 2 * own);
            let id = scope.span().trace_id().to_string();
            prop_assert!(lines.iter().all(|line| line.contains(&id)), "{:?}", lines);
        }
    }
}

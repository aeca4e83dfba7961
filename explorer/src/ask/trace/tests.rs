//! Whatever spans, runs and lines say, it is told.

use proptest::prelude::*;
use throughline_store::span::{Event, Link};
use throughline_store::{Failure, Pointer};

use super::*;
use crate::trace::{Span, Status};

const STYLE: Style = Style { width: 80, colour: false };

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{1,2}", ".{0,12}", "[`|#\\n\\x1b]{0,9}", "[0-9]{1,22}"]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 1_795_139_220_000_000_000..1_795_139_221_000_000_000_u64, Just(0)]
}

fn event() -> impl Strategy<Value = Event> {
    let name = "exception|log|feature_flag\\.evaluation|x";
    let key = "exception\\.(type|message|stacktrace)|throughline\\.swallowed|feature_flag\\.key|log\\.record\\.original";
    let attributes = prop::collection::btree_map(key, text(), 0..4);
    (name, time(), attributes).prop_map(|(name, time, attributes)| Event { name, time, attributes })
}

/// One of few traces and ids, so that parents, links and joins meet, and go round.
fn span() -> impl Strategy<Value = Span> {
    let key = "throughline\\.(source|event|response|join\\.(in|out)|swallowed_errors|receive_count|queue_time_ms|\
               dead_letter\\.source)|faas\\.(invocation_id|coldstart)|error\\.type|x";
    let value = prop_oneof![text(), "sqs [ab]", "(sqs|dynamodb):[ab]", "true", "r-[12]"];
    let ids = ("[tu]", "[1-4]", prop::option::of("[1-5]"), "[fg]");
    let links = prop::collection::vec(("[tu]", "[1-4]"), 0..3);
    let said = (prop::collection::btree_map(key, value, 0..6), prop::collection::vec(event(), 0..3), links);
    (ids, time(), time(), said, prop::option::of(text())).prop_map(|(ids, start, end, said, error)| {
        let (trace_id, span_id, parent_id, function) = ids;
        let (attributes, events, links) = said;
        let links = links.into_iter().map(|(trace_id, span_id)| Link { trace_id, span_id }).collect();
        let status = error.map_or(Status::Ok, Status::Error);
        let name = function.clone();
        Span {
            trace_id,
            span_id,
            parent_id,
            function,
            name,
            start,
            end,
            status,
            attributes,
            events,
            links,
            ..Span::default()
        }
    })
}

fn run() -> impl Strategy<Value = Card> {
    let ids = ("r-[12]", "[1-4]", "[tu]", "[fg]", prop::option::of("[1-4]"));
    (ids, time(), any::<u64>(), prop::option::of(text()), prop::option::of(any::<u64>())).prop_map(
        |((request_id, span_id, trace_id, function, record), start, duration, said, count)| Card {
            request_id,
            span_id,
            trace_id,
            function,
            record,
            start: start / 1_000_000,
            duration,
            error: said.clone().map(|message| Failure { kind: message.clone(), message }),
            entry: said.clone(),
            user: said.clone(),
            build: said,
            attempt: count,
            swallowed: count,
            ..Card::default()
        },
    )
}

fn line() -> impl Strategy<Value = LogLine> {
    let ids = (prop::option::of("r-[12]"), prop::option::of("[tuv]"), prop::option::of("[1-4]"), "[fg]");
    (ids, time(), prop::option::of(text()), text()).prop_map(
        |((request_id, trace_id, span_id, function), time, level, message)| LogLine {
            request_id,
            trace_id,
            span_id,
            function,
            time,
            level,
            attributes: [(message.clone(), message.clone())].into(),
            message,
        },
    )
}

proptest! {
    #[test]
    fn any_transaction_is_told_and_harms_nobody(
        spans in prop::collection::btree_map(("[tu]", "[1-4]"), span(), 0..9),
        runs in prop::collection::vec(run(), 0..5),
        logs in prop::collection::vec(line(), 0..6),
        (full, all) in any::<(bool, bool)>(),
        (at, other) in (any::<u64>(), any::<u64>()),
    ) {
        // As the store has them: each once.
        let spans = spans.into_iter();
        let spans: Vec<Span> = spans.map(|((trace_id, span_id), span)| Span { trace_id, span_id, ..span }).collect();
        let spans_count = spans.len();
        let transaction = Transaction { trace_ids: vec!["t".into(), "u".into()], runs, spans, ..Transaction::default() };
        let story = Story::new(&transaction);
        let shown = rows(&story.tree).len() as u64 + story.too_deep + story.tree.linking.len() as u64;
        prop_assert!(spans_count == 0 || shown > 0);
        let others = vec![Pointer { at: other, ..Pointer::default() }];
        let same_items = vec![SameItem { id: "dynamodb:a".into(), table: None, at, others }];
        let tale = Tale { transaction, logs, skews: story.skews.clone(), same_items, ..Tale::default() };
        let how = How { style: STYLE, full, logs: all };
        let beside = Beside { impact: None, commands: Vec::new(), at_least: true, damaged: 1, now: at };
        let told = tale.lines(&story, how, at).join("\n");
        let ticket = markdown(&tale, &story, how, &beside);
        for text in [told, ticket] {
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        }
        let json = serde_json::to_string(&tale);
        prop_assert!(json.is_ok());
    }
}

#[test]
fn of_a_stack_those_lines_are_told_that_are_nearest_to_where_it_failed() {
    use super::detail::frames;

    let rust = "charge::card\nworker::pay\nmain";
    assert_eq!(frames(rust, 2), ["charge::card", "worker::pay"]);
    let python = "Traceback (most recent call last):\n  in main\n  in pay\nTimeoutError: no answer";
    assert_eq!(frames(python, 2), ["  in pay", "TimeoutError: no answer"]);
    assert_eq!(frames(python, 9).len(), 4);
    assert!(frames("", 2).is_empty());
}

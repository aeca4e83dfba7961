use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::value::MAX_TEXT;
use super::*;
use crate::propagation::{child_of, root};

#[test]
fn a_failed_span_says_why_and_a_long_text_is_cut_at_a_character() {
    let context = root(None);
    let mut span = Span::start(context, None, SpanKind::Server, "f", UNIX_EPOCH);
    span.fail("E", &"é".repeat(MAX_TEXT), UNIX_EPOCH);
    let ended = span.end(UNIX_EPOCH).decode();
    let status = ended.status.unwrap();
    assert_eq!((status.code(), status.message.len()), (StatusCode::Error, MAX_TEXT));
    assert_eq!(ended.events[0].name, "exception");
    assert!(ended.parent_span_id.is_empty());
}

#[test]
fn events_and_links_beyond_the_bounds_are_counted() {
    let mut span = Span::start(SpanContext::empty_context(), None, SpanKind::Client, "c", UNIX_EPOCH);
    (0..=MAX_EVENTS).for_each(|_| span.event("e", UNIX_EPOCH, Vec::new()));
    (0..MAX_LINKS + 2).for_each(|_| span.link(&root(None), || None));
    let ended = span.end(UNIX_EPOCH).decode();
    assert_eq!((ended.events.len() as u32, ended.dropped_events_count), (MAX_EVENTS, 1));
    assert_eq!((ended.links.len() as u32, ended.dropped_links_count), (MAX_LINKS, 2));
}

#[test]
fn values_as_long_as_they_may_be_are_read_back() {
    let text = |n: usize| char::from(b'a' + n as u8).to_string().repeat(MAX_TEXT + 1);
    let mut span = Span::start(SpanContext::empty_context(), None, SpanKind::Client, "c", UNIX_EPOCH);
    span.set("text", text(0));
    span.set("texts", (0..20).map(text).collect::<Vec<_>>());
    span.set("text", &*text(1));
    span.set("empty", "");
    span.set("none", Vec::<String>::new());
    let expected = [
        attribute("texts", (0..20).map(text).collect::<Vec<_>>()),
        attribute("text", text(1)),
        attribute("empty", ""),
        attribute("none", Vec::<String>::new()),
    ];
    assert_eq!(span.end(UNIX_EPOCH).decode().attributes, expected);
}

#[test]
fn setting_a_key_again_replaces_its_value() {
    let mut span = Span::start(SpanContext::empty_context(), None, SpanKind::Client, "c", UNIX_EPOCH);
    span.set("k", 1_i64);
    span.set("k", 2_i64);
    assert_eq!(span.end(UNIX_EPOCH).decode().attributes, vec![attribute("k", 2_i64)]);
}

#[test]
fn a_type_that_says_nothing_is_another() {
    let mut span = Span::start(SpanContext::empty_context(), None, SpanKind::Client, "c", UNIX_EPOCH);
    span.fail("&alloc::boxed::Box<dyn core::error::Error>", "why", UNIX_EPOCH);
    assert_eq!(span.end(UNIX_EPOCH).decode().attributes, vec![attribute("error.type", "_OTHER")]);
}

#[test]
fn an_end_before_the_start_is_the_start() {
    let start = UNIX_EPOCH + std::time::Duration::from_secs(9);
    let span = Span::start(SpanContext::empty_context(), None, SpanKind::Client, "c", start);
    let ended = span.end(UNIX_EPOCH).decode();
    assert_eq!(ended.start_time_unix_nano, ended.end_time_unix_nano);
}

fn any_value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        ".{0,200}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        vec(".{0,90}", 0..4).prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn an_ended_span_is_what_was_said_of_it(
        said in vec(("[a-z]{1,2}|[ab].{120,140}", any_value()), 0..40), name in ".{0,200}",
    ) {
        let (parent, at) = (root(None), UNIX_EPOCH + Duration::from_secs(9));
        let context = child_of(&parent);
        let mut span = Span::start(context.clone(), Some(&parent), SpanKind::Producer, &name, at);
        let (mut attributes, mut events) = (Vec::<KeyValue>::new(), Vec::new());
        for (key, value) in said {
            attributes.retain(|known| known.key != key);
            attributes.push(attribute(&key, value.clone()));
            span.set(&key, value);
            span.event(key.as_str(), at, attributes.clone());
            span.link(&parent, || attributes.first().cloned());
            events.push((key, attributes.clone()));
        }
        span.fail_quietly("_OTHER", &name);
        let ended = span.end(at).decode();
        prop_assert_eq!(&ended.name, &name);
        prop_assert_eq!((ended.kind(), ended.flags), (SpanKind::Producer, 0x101));
        prop_assert_eq!(&ended.trace_id, &context.trace_id().to_bytes());
        prop_assert_eq!(&ended.span_id, &context.span_id().to_bytes());
        prop_assert_eq!(&ended.parent_span_id, &parent.span_id().to_bytes());
        prop_assert_eq!((ended.start_time_unix_nano, ended.end_time_unix_nano), (9_000_000_000, 9_000_000_000));
        prop_assert_eq!(ended.status.unwrap().message, name);
        prop_assert_eq!(ended.attributes, attributes);
        prop_assert_eq!(ended.links.len(), events.len());
        let found = ended.events.into_iter().map(|event| (event.name, event.attributes));
        prop_assert_eq!(found.collect::<Vec<_>>(), events);
    }
}

use opentelemetry_proto::tonic::trace::v1::span::Link;

use super::*;
use crate::testing::{File, invocation, span, text as text_attribute};

const MS: u64 = 1_000_000;

fn ending(time: u64) -> Ending {
    let failure = Failure { error_type: "Runtime.ExitError".into(), message: "it was killed".into() };
    Ending { time_unix_nano: time, failure: Some(failure) }
}

fn ended(id: u8, name: &str, end: u64) -> Span {
    Span { end_time_unix_nano: end, ..span(id, name) }
}

fn value<'a>(span: &'a Span, key: &str) -> Option<&'a Value> {
    let mut found = span.attributes.iter().filter(|attribute| attribute.key == key);
    let value = found.next()?.value.as_ref()?.value.as_ref();
    assert!(found.next().is_none(), "{key} twice");
    value
}

fn text_of<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    match value(span, key) {
        Some(Value::StringValue(text)) => Some(text),
        _ => None,
    }
}

fn is_partial(span: &Span) -> bool {
    value(span, "throughline.partial") == Some(&Value::BoolValue(true))
}

fn completed(file: File, ending: &Ending) -> Vec<Span> {
    let mut request = read(&file.into_bytes()).unwrap().into_request(ending);
    request.resource_spans.remove(0).scope_spans.remove(0).spans
}

#[test]
fn an_invocation_that_was_killed_is_told() {
    let mut file = File::new(7, "r-1");
    file.resource(&Resource {
        attributes: vec![text_attribute("telemetry.sdk.version", "1.2")],
        ..Resource::default()
    });
    file.event(r#"{"order":1}"#);
    file.span(&invocation("r-1", "GET /"));
    file.span(&span(2, "SQS/SendMessage"));
    file.span(&span(3, "DynamoDB/PutItem"));
    file.frame(b'?', b"of a later version");
    file.span(&ended(2, "SQS/SendMessage", 9 * MS));
    file.line(0, r#"{"timestamp":"1970-01-01T00:00:00.004Z","message":"one"}"#);
    file.line(1, "two");
    let recording = read(&file.clone().into_bytes()).unwrap();
    assert_eq!((recording.request_id(), recording.is_full()), ("r-1", false));
    assert_eq!((recording.event(), recording.lines().len()), (Some(r#"{"order":1}"#), 2));
    assert_eq!(recording.invocation().map(|span| span.name.as_str()), Some("GET /"));
    let request = recording.into_request(&ending(20 * MS));
    let resource = request.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(resource.attributes, [text_attribute("telemetry.sdk.version", "1.2")]);
    let scope = request.resource_spans[0].scope_spans[0].scope.as_ref().unwrap();
    assert_eq!((scope.name.as_str(), scope.version.as_str()), ("throughline", "1.2"));

    let spans = completed(file, &ending(20 * MS));
    let told: Vec<_> = spans
        .iter()
        .map(|span| (span.name.as_str(), span.end_time_unix_nano / MS, is_partial(span)))
        .collect();
    assert_eq!(told, [("GET /", 20, true), ("SQS/SendMessage", 9, false), ("DynamoDB/PutItem", 20, true)]);
    let invocation = &spans[0];
    assert_eq!(text_of(invocation, "throughline.event"), Some(r#"{"order":1}"#));
    assert_eq!(text_of(invocation, "error.type"), Some("Runtime.ExitError"));
    assert_eq!(invocation.status.as_ref().unwrap().message, "it was killed");
    assert_eq!(value(invocation, "throughline.recorder.full"), None);
    let events: Vec<_> =
        invocation.events.iter().map(|event| (event.name.as_str(), event.time_unix_nano / MS)).collect();
    assert_eq!(events, [("log", 4), ("log", 20), ("exception", 20)]);
    assert_eq!(spans[2].status, None, "the call did not fail, its function did");
}

#[test]
fn without_a_failure_the_status_stays_as_it_was() {
    let mut file = File::new(7, "r-1");
    file.span(&invocation("r-1", "f"));
    let spans = completed(file, &Ending { time_unix_nano: 5, failure: None });
    assert_eq!((&spans[0].status, spans[0].events.len(), is_partial(&spans[0])), (&None, 0, true));
    assert_eq!(spans[0].end_time_unix_nano, spans[0].start_time_unix_nano, "never before its start");
}

#[test]
fn an_invocation_does_not_end_before_what_happened_in_it() {
    let mut file = File::new(7, "r-1");
    file.span(&invocation("r-1", "f"));
    file.span(&ended(2, "call", 9 * MS));
    let spans = completed(file, &ending(8 * MS));
    assert_eq!(spans[0].end_time_unix_nano, 9 * MS);
}

#[test]
fn a_span_that_ended_keeps_what_it_has() {
    let mut file = File::new(7, "r-1");
    let mut whole = invocation("r-1", "f");
    whole.end_time_unix_nano = 3 * MS;
    file.span(&whole);
    file.event("{}");
    file.line(0, "line");
    assert_eq!(completed(file, &ending(9 * MS)), [whole]);
}

#[test]
fn what_a_panic_said_before_the_abort_stays_its_status() {
    let mut file = File::new(7, "r-1");
    let mut panicked = invocation("r-1", "f");
    panicked.status = Some(Status { code: StatusCode::Error as i32, message: "panicked: no".into() });
    panicked.attributes.push(text_attribute("error.type", "panic"));
    file.span(&panicked);
    let spans = completed(file, &ending(9 * MS));
    assert_eq!(spans[0].status, panicked.status);
    assert_eq!(text_of(&spans[0], "error.type"), Some("panic"));
    assert_eq!(spans[0].events.len(), 1, "and what became of the process");
}

#[test]
fn a_full_journal_says_so_and_what_it_was_given_before_is_not_said_twice() {
    let mut file = File::new(7, "r-1");
    let mut open = invocation("r-1", "f");
    open.attributes.push(text_attribute("throughline.event", "old"));
    file.span(&open);
    file.full(0);
    file.event("new");
    let spans = completed(file, &ending(9 * MS));
    assert_eq!(value(&spans[0], "throughline.dropped_spans"), None, "nobody knows how many");
    assert_eq!(value(&spans[0], "throughline.recorder.full"), Some(&Value::BoolValue(true)));
    assert_eq!(text_of(&spans[0], "throughline.event"), Some("new"));
}

#[test]
fn of_pages_that_were_overwritten_the_newest_are_read_in_their_order() {
    let mut file = File::new(7, "r-1");
    file.span(&invocation("r-1", "f"));
    for page in 1..=6 {
        file.turn();
        file.full(u64::from(page) * 100);
        file.span(&span(9, &format!("last of page {page}")));
        file.span(&ended(10 + page, "call", 9 * MS));
    }
    let spans = completed(file.clone(), &ending(9 * MS));
    let ids: Vec<_> = spans.iter().map(|span| span.span_id[0]).collect();
    assert_eq!(ids, [1, 9, 13, 14, 15, 16]);
    assert_eq!(spans[1].name, "last of page 6");
    assert_eq!(value(&spans[0], "throughline.recorder.full"), Some(&Value::BoolValue(true)));
    assert_eq!(value(&spans[0], "throughline.dropped_spans"), Some(&Value::IntValue(600)));

    // Killed when it had only begun to overwrite one.
    let mut file = File::new(7, "r-1");
    (0..5).for_each(|_| file.turn());
    let recording = read(&file.into_bytes()).unwrap();
    assert_eq!((recording.is_full(), recording.missing()), (true, 0));
}

#[test]
fn a_span_that_a_backend_would_refuse_is_left_out() {
    let link = |trace: usize, span: usize| Link {
        trace_id: vec![1; trace],
        span_id: vec![1; span],
        ..Link::default()
    };
    let odd = |change: fn(&mut Span)| {
        let mut span = span(2, "odd");
        change(&mut span);
        span
    };
    let mut linked = span(2, "odd");
    linked.links = vec![link(16, 8), link(16, 4)];
    let mut file = File::new(7, "r-1");
    for span in [
        odd(|span| span.span_id = vec![1; 7]),
        odd(|span| span.span_id = vec![]),
        odd(|span| span.span_id = vec![0; 8]),
        odd(|span| span.trace_id = vec![1; 8]),
        odd(|span| span.trace_id = vec![1; 17]),
        odd(|span| span.parent_span_id = vec![1; 3]),
        linked,
    ] {
        file.span(&span);
    }
    file.frame(b'S', b"\xff\xff no span");
    file.frame(b'R', b"\xff\xff no resource");
    file.span(&Span { parent_span_id: vec![1; 8], links: vec![link(16, 8)], ..span(3, "good") });
    let names: Vec<String> = completed(file, &ending(0)).into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["good"]);
}

#[test]
fn only_so_many_spans_are_read() {
    let mut file = File::new(7, "r-1");
    for number in 1..=MAX_SPANS as u64 + 5 {
        file.span(&Span { span_id: number.to_be_bytes().to_vec(), ..span(1, "") });
    }
    let recording = read(&file.into_bytes()).unwrap();
    assert_eq!((recording.spans().len(), recording.is_full()), (MAX_SPANS, true));
}

#[test]
fn what_tells_no_story_says_why() {
    let cleared = File::new(0, "r-1").into_bytes();
    let other_frame_first = {
        let mut file = File::without_request(7);
        file.event("{}");
        file.frame(b'I', b"r-1");
        file.into_bytes()
    };
    let too_long = File::new(7, &"r".repeat(MAX_ID_BYTES + 1)).into_bytes();
    let no_text = {
        let mut file = File::without_request(7);
        file.frame(b'I', b"\xff");
        file.into_bytes()
    };
    assert!(matches!(read(b""), Err(Unreadable::Foreign)));
    assert!(matches!(read(b"THRLREC1"), Err(Unreadable::Foreign)));
    assert!(matches!(read(b"THRLREC2\x01"), Err(Unreadable::Torn)));
    assert!(matches!(read(&cleared), Err(Unreadable::Cleared)));
    for bytes in [other_frame_first, too_long, no_text, File::new(7, "").into_bytes()] {
        assert!(matches!(read(&bytes), Err(Unreadable::Torn)));
    }
}

#[test]
fn the_last_moment_is_the_file_s_unless_that_cannot_be() {
    let mut file = File::new(7, "r-1");
    file.span(&invocation("r-1", "f"));
    file.span(&ended(2, "call", 9 * MS));
    file.line(0, r#"{"timestamp":"1970-01-01T00:00:00.012Z"}"#);
    let recording = read(&file.into_bytes()).unwrap();
    for (modified, expected) in [(30 * MS, 30 * MS), (11 * MS, 12 * MS), (u64::MAX, 12 * MS)] {
        assert_eq!(recording.last_moment(modified), expected);
    }
    let empty = read(&File::new(7, "r-1").into_bytes()).unwrap();
    assert_eq!(empty.last_moment(5), 5);
}

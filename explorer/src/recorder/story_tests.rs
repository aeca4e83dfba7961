use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span as OtlpSpan;
use throughline_recorder::read;
use throughline_recorder::testing::{File, invocation, span, text};

use super::*;

const MS: u64 = 1_000_000;
/// 2026-11-20T01:47:03.112Z.
const BEGAN: u64 = 1_795_139_223_112 * MS;

fn begun(span: OtlpSpan, parent: u8, after: u64) -> OtlpSpan {
    let parent_span_id = if parent == 0 { Vec::new() } else { vec![parent; 8] };
    OtlpSpan { parent_span_id, start_time_unix_nano: BEGAN + after * MS, ..span }
}

fn ended(span: OtlpSpan, millis: u64) -> OtlpSpan {
    OtlpSpan { end_time_unix_nano: span.start_time_unix_nano + millis * MS, ..span }
}

fn with(span: OtlpSpan, key: &str, value: &str) -> OtlpSpan {
    let attributes = [span.attributes, vec![text(key, value)]].concat();
    OtlpSpan { attributes, ..span }
}

fn told(file: File) -> Vec<String> {
    let recording = read(&file.into_bytes()).unwrap();
    let opened = Opened { recording, modified: BEGAN + 2_970 * MS };
    let story = Story::new(Path::new("/tmp/recorder-00c0ffee00c0ffee"), opened);
    story.text(Style { width: 100, colour: false }).lines().map(str::to_owned).collect()
}

#[test]
fn a_killed_batch_reads_as_one_tree_with_its_last_words() {
    let mut file = File::new(7, "1f0c");
    file.resource(&Resource { attributes: vec![text("faas.name", "email-sender")], ..Resource::default() });
    file.event("{\"Records\":[{\"messageId\":\"m-1\"}]}");
    let source = |span| with(span, "throughline.source", "sqs email");
    // Its parent is another function's span.
    file.span(&source(begun(invocation("1f0c", "email process"), 9, 0)));
    let record = OtlpSpan { trace_id: vec![2; 16], ..source(begun(span(2, "email process m-1"), 8, 1)) };
    file.span(&record);
    file.span(&ended(begun(span(3, "DynamoDB/GetItem"), 2, 2), 6));
    file.span(&begun(span(4, "POST smtp"), 2, 9));
    for number in 0..20 {
        let line = r#"{"timestamp":"2026-11-20T01:47:03.121456Z","level":"DEBUG","message":"asking","target":"f","host":"smtp"}"#;
        file.line(number, line);
    }
    file.line(20, "no JSON\u{1b}[31m");
    let lines = told(file);
    let trace = "01".repeat(16);
    assert_eq!(
        lines[0],
        format!(
            "email-sender  request 1f0c  began 2026-11-20T01:47:03.112Z  not ended, last heard of after 2.97 s  trace {trace}"
        )
    );
    let names: Vec<&str> = lines[1..5].iter().map(|line| line.split("  ").next().unwrap()).collect();
    assert_eq!(names[0], "└─ email process");
    assert!(lines[2].starts_with("   └─ email process m-1    sqs email"), "{lines:#?}");
    assert!(lines[3].starts_with("      ├─ DynamoDB/GetItem") && lines[3].contains(" 6 ms"), "{lines:#?}");
    assert!(lines[4].starts_with("      └─ POST smtp") && lines[4].ends_with(NOT_ENDED), "{lines:#?}");
    assert!(!lines[3].contains(NOT_ENDED));
    assert_eq!(lines[5], r#"event  {"Records":[{"messageId":"m-1"}]}"#);
    assert_eq!(lines[6], "log    5 lines before these");
    assert_eq!(lines[7], r#"log    01:47:03.121 DEBUG asking host="smtp""#);
    assert_eq!(lines[22], "log    no JSON [31m");
    assert_eq!(lines[23], "all of it as OTLP: throughline recorder --json /tmp/recorder-00c0ffee00c0ffee");
}

#[test]
fn what_ended_and_what_is_missing_is_said() {
    let mut file = File::new(7, "1f0c");
    file.span(&ended(begun(invocation("1f0c", "f"), 0, 0), 5));
    file.full(1234);
    let lines = told(file);
    assert!(lines[0].contains("ended, not handed over"), "{lines:#?}");
    assert!(lines.iter().any(|line| line.ends_with("are missing: 1234")));
    assert!(told(File::new(7, "1f0c"))[0].starts_with("an invocation without spans  request 1f0c"));
}

#[test]
fn parents_in_a_ring_and_ones_without_end_are_drawn_or_left_out() {
    let mut ring = File::new(7, "r");
    ring.span(&begun(invocation("r", "f"), 3, 0));
    ring.span(&begun(span(2, "a"), 3, 1));
    ring.span(&begun(span(3, "b"), 2, 1));
    ring.span(&begun(span(4, "c"), 4, 1));
    let lines = told(ring);
    assert!(lines[1].starts_with("├─ f") && lines.len() == 5, "{lines:#?}");
    let mut deep = File::new(7, "r");
    deep.span(&begun(invocation("r", "f"), 0, 0));
    // As deep as a function that calls itself may be: no stack has room for as many calls of ours.
    let id = |number: u64| number.to_be_bytes().to_vec();
    let first = OtlpSpan { span_id: id(1), ..begun(span(1, "deeper"), 1, 1) };
    deep.span(&first);
    for number in 2..8000 {
        deep.span(&OtlpSpan { span_id: id(number), parent_span_id: id(number - 1), ..first.clone() });
    }
    let lines = told(deep);
    assert!(lines.iter().filter(|line| line.contains("deeper")).count() == 7999, "{}", lines.len());
    let widest = lines.iter().map(|line| line.chars().count()).max();
    assert!(widest.unwrap() < 2 * DEEPEST, "{widest:?}");
}

#[test]
fn nothing_turns_the_direction_of_a_line() {
    assert_eq!(shown("a\u{202e}b\u{1b}[2J\nc"), "a\u{fffd}b [2J c");
}

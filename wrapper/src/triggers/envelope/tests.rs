use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::triggers::escape::tests::spelled;
use crate::triggers::tests::{TRACEPARENT, parent};

/// `text` as a JSON string, with escapes that need not be wherever `odd`. What tells an envelope has none.
fn string(text: &str, odd: bool) -> String {
    let plain = |character: char| !odd || character.is_ascii_alphanumeric() || "_-:{".contains(character);
    let spelled = text.chars().map(|character| spelled(character, if plain(character) { 2 } else { 0 }));
    format!("\"{}\"", spelled.collect::<String>())
}

/// A string that holds an event with `detail`, in as many notifications.
fn nested(detail: &str, notifications: &[bool], odd: bool) -> String {
    let event =
        format!("{{\"id\":\"1\", \"source\":\"a b\",\"detail-type\":\"c\" ,\"detail\": {detail} }}\n");
    notifications.iter().fold(string(&event, odd), |message, odd| {
        let arn = "arn:aws:sns:eu-west-1:1:t";
        let text = format!(
            "{{ \"Type\":\"Notification\",\"TopicArn\":\"{arn}\",\"MessageId\":\"m\",\"Message\":{message}}}"
        );
        string(&text, *odd)
    })
}

fn cut(raw: &str, envelope: &Envelope) -> String {
    let mut left = raw.to_owned();
    for cut in envelope.cuts.iter().rev() {
        left.replace_range(cut.clone(), "");
    }
    left
}

#[test]
fn what_is_no_object_with_a_mark_stays_unread() {
    for text in ["", "TopicArn", "[\"TopicArn\"]", "{\"a\":1}", "{\"detail-type\":", "{\"aws:s3\":1}"] {
        let raw = string(text, false);
        let envelope = open(&raw, MAX_DEPTH);
        assert_eq!((envelope.sender, envelope.via.as_str()), (None, ""), "{text}");
        assert!(object_text(&raw).is_none_or(|_| text.contains("detail-type") || text.contains("aws:s3")));
    }
    for raw in ["7", "{}", "\"", "null", "\"\\ud800 {TopicArn\""] {
        assert_eq!(open(raw, MAX_DEPTH).via, "", "{raw}");
    }
}

#[test]
fn white_space_before_an_envelope_is_no_hindrance() {
    let event = json!({"id": "1", "source": "a", "detail-type": "b", "detail": {}});
    assert_eq!(open(&json!(format!(" \r\n\t{event}")).to_string(), MAX_DEPTH).via, " < event a b");
}

#[test]
fn of_the_records_of_a_bucket_the_first_counts() {
    let first = json!({"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}}});
    let via = |records: &str| {
        let body = format!("{{\"Records\":[{records}]}}");
        open(&json!(body).to_string(), MAX_DEPTH).via
    };
    for (records, expected) in [
        (first.to_string(), " < s3 b"),
        (format!("{first},{{}},7"), " < s3 b"),
        (format!("{{}},{first}"), ""),
        (format!("{first} 7"), ""),
    ] {
        assert_eq!(via(&records), expected, "{records}");
    }
}

proptest! {
    #[test]
    fn every_byte_but_the_member_is_as_it_was(
        before in prop::option::of("[ -~é😀\n]{0,12}"),
        after in prop::option::of("[ -~é😀\n]{0,12}"),
        notifications in prop::collection::vec(any::<bool>(), 0..3),
        odd in any::<bool>(),
    ) {
        let member = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("\"{name}\" : {}", string(value, true)))
        };
        let ours = format!("\"_throughline\":{{\"traceparent\":\"{TRACEPARENT}\"}}");
        let (before, after) = (member("before", &before), member("after", &after));
        let object = |members: [Option<&String>; 3]| {
            format!("{{{}}}", members.into_iter().flatten().cloned().collect::<Vec<_>>().join(","))
        };
        let with = nested(&object([before.as_ref(), Some(&ours), after.as_ref()]), &notifications, odd);
        let without = nested(&object([before.as_ref(), None, after.as_ref()]), &notifications, odd);
        let envelope = open(&with, MAX_DEPTH);
        prop_assert_eq!(envelope.sender.clone(), parent(TRACEPARENT));
        prop_assert_eq!(cut(&with, &envelope), without);
    }

    #[test]
    fn any_text_is_survived(text in "[{}\\[\\]\":,a\\\\ ]*(TopicArn|detail-type|aws:s3)?[{}\":,\\\\ud8]*", raw in ".*") {
        prop_assert!(open(&string(&text, false), MAX_DEPTH).cuts.is_empty());
        prop_assert!(open(&raw, MAX_DEPTH).cuts.is_empty());
        let as_is = format!("\"{raw}\"");
        prop_assert!(open(&as_is, MAX_DEPTH).cuts.is_empty());
    }
}

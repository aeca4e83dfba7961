use serde_json::{Value, json};

use crate::propagation::MEMBER;
use crate::propagation::join::{self, KeyValue};
use crate::triggers::tests::*;

/// When the stream says that the record was created, in seconds.
const CREATED: i64 = 1_480_642_020;

/// What an instrumented write puts into its item.
fn ours(traceparent: &str, at: i64) -> Value {
    json!({"M": {"traceparent": {"S": traceparent}, "at": {"N": at.to_string()}}})
}

/// One record whose images carry this.
fn event(new: Option<Value>, old: Option<Value>) -> Value {
    let mut event = sample!("dynamodb");
    event["Records"].as_array_mut().unwrap().truncate(1);
    let change = &mut event["Records"][0]["dynamodb"];
    let image = change["NewImage"].clone();
    change["OldImage"] = image;
    for (key, value) in [("NewImage", new), ("OldImage", old)] {
        if let Some(value) = value {
            change[key][MEMBER] = value;
        }
    }
    event
}

#[test]
fn the_sample_says_table_and_time() {
    let reading = read(&sample!("dynamodb"));
    assert_eq!((reading.trigger, reading.source.as_str()), ("datasource", "stream Example-Table"));
    assert_eq!(reading.name.as_deref(), Some("process Example-Table"));
    let record = &reading.records[1];
    assert_eq!(record.id, "1405400000000002063282832");
    assert_eq!((record.sent, &record.sender), (millis(1_480_642_020_000), &None));
    assert_eq!(
        record_lines(record),
        [
            "aws.dynamodb.event_name=INSERT",
            "aws.dynamodb.table_names=[Example-Table]",
            "messaging.destination.name=Example-Table",
            "messaging.message.id=1405400000000002063282832",
            "messaging.system=aws.dynamodb",
        ]
    );
    assert_eq!(reading.stripped, None);
}

#[test]
fn the_writer_of_this_very_change_is_the_parent_and_any_earlier_one_a_link() {
    let now = CREATED * 1_000 + 700;
    let before = now - 60_000;
    let text_at = json!({"M": {"traceparent": {"S": TRACEPARENT}, "at": {"S": "now"}}});
    let no_at = json!({"M": {"traceparent": {"S": TRACEPARENT}}});
    for (new, old, sender, why) in [
        (Some(ours(TRACEPARENT, now)), None, parent(TRACEPARENT), "first instrumented write"),
        (
            Some(ours(TRACEPARENT, now)),
            Some(ours(OTHER, before)),
            parent(TRACEPARENT),
            "another writer before",
        ),
        (
            Some(ours(TRACEPARENT, now)),
            Some(ours(TRACEPARENT, now)),
            link(TRACEPARENT),
            "uninstrumented update",
        ),
        (
            Some(ours(TRACEPARENT, now)),
            Some(ours(TRACEPARENT, before)),
            parent(TRACEPARENT),
            "same span again",
        ),
        (
            Some(ours(TRACEPARENT, before)),
            None,
            link(TRACEPARENT),
            "uninstrumented, old image not in the view",
        ),
        (Some(ours(TRACEPARENT, CREATED * 1_000 + 2_000)), None, parent(TRACEPARENT), "just near enough"),
        (Some(ours(TRACEPARENT, CREATED * 1_000 - 2_001)), None, link(TRACEPARENT), "just too far"),
        (None, Some(ours(OTHER, before)), link(OTHER), "overwritten or removed"),
        (Some(text_at), None, link(TRACEPARENT), "no time to compare"),
        (Some(no_at), None, link(TRACEPARENT), "no time"),
        (Some(ours("00-what", now)), None, None, "no context"),
        (Some(json!({"S": TRACEPARENT})), None, None, "no map"),
    ] {
        assert_eq!(read_record(&event(new, old)).1.sender, sender, "{why}");
    }
}

#[test]
fn the_writers_own_clock_says_when_and_the_streams_where_it_was_another() {
    let now = CREATED * 1_000 + 700;
    assert_eq!(read_record(&event(Some(ours(TRACEPARENT, now)), None)).1.sent, millis(now.unsigned_abs()));
    let before = read_record(&event(Some(ours(TRACEPARENT, now - 60_000)), None)).1;
    assert_eq!(before.sent, millis((CREATED * 1_000).unsigned_abs()));
}

#[test]
fn a_removal_has_no_new_image() {
    let mut event = event(None, Some(ours(OTHER, CREATED * 1_000)));
    event["Records"][0]["dynamodb"].as_object_mut().unwrap().remove("NewImage");
    let (reading, record) = read_record(&event);
    assert_eq!(record.sender, link(OTHER));
    event["Records"][0]["dynamodb"]["OldImage"].as_object_mut().unwrap().remove(MEMBER);
    assert_eq!(stripped(&reading), Some(event.to_string().as_str()));
}

#[test]
fn the_attribute_is_taken_out_of_both_images() {
    let with = event(Some(ours(TRACEPARENT, 1)), Some(ours(OTHER, 2)));
    assert_eq!(stripped(&read(&with)), Some(event(None, None).to_string().as_str()));
    let nested =
        event(None, None).to_string().replace("\"asdf1\":", "\"asdf1\":{\"M\":{\"_throughline\":{}}},\"x\":");
    assert_eq!(read_bytes(nested).stripped, None, "only the item's own attribute");
}

#[test]
fn an_item_joins_by_its_key_however_the_number_is_written() {
    let join = |keys: Value| {
        let mut event = event(None, None);
        event["Records"][0]["dynamodb"]["Keys"] = keys;
        read_record(&event).1.join()
    };
    let hash = join(json!({"id": {"S": "42"}, "n": {"N": "1.5"}}));
    let key = [("id", KeyValue::S("42".into())), ("n", KeyValue::N(join::number("15e-1").unwrap()))];
    assert_eq!(hash, Some(join::dynamodb("Example-Table", key.into_iter().collect())));
    assert_eq!(hash, join(json!({"n": {"N": "1.50"}, "id": {"S": "42"}})));
    assert_ne!(hash, join(json!({"id": {"S": "42"}, "n": {"S": "1.5"}})));
    assert!(join(json!({"id": {"B": "AQI="}})).is_some());
    for none in [
        json!({}),
        json!("id"),
        json!({"id": {}}),
        json!({"id": {"S": "1", "N": "1"}}),
        json!({"id": {"N": "one"}}),
        json!({"id": {"M": {}}}),
        json!({"id": {"S": "x".repeat(70_000)}}),
    ] {
        assert_eq!(join(none.clone()), None, "{none}");
    }
}

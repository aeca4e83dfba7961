use serde_json::json;

use crate::triggers::tests::*;
use crate::triggers::time::parse as time;

#[test]
fn the_sample_says_its_topic_and_time() {
    let (reading, record) = read_record(&sample!("sns"));
    assert_eq!((reading.trigger, reading.source.as_str()), ("pubsub", "sns snsNetTest"));
    assert_eq!(reading.name.as_deref(), Some("process snsNetTest"));
    assert_eq!(record.id, "82833b5c-8d5d-56d0-b0e1-7511f8253eb8");
    assert_eq!((record.sent, &record.sender), (millis(1_439_920_952_111), &None));
    assert_eq!(
        record_lines(&record),
        [
            "messaging.destination.name=snsNetTest",
            "messaging.message.id=82833b5c-8d5d-56d0-b0e1-7511f8253eb8",
            "messaging.system=aws.sns",
        ]
    );
}

#[test]
fn an_attribute_is_text_or_bytes() {
    let base64 = "MDAtNGJmOTJmMzU3N2IzNGRhNmEzY2U5MjlkMGUwZTQ3MzYtMDBmMDY3YWEwYmE5MDJiNy0wMQ==";
    for (value, sender) in [
        (json!({"Type": "String", "Value": TRACEPARENT}), parent(TRACEPARENT)),
        (json!({"Type": "Binary", "Value": base64}), parent(TRACEPARENT)),
        (json!({"Type": "Binary", "Value": TRACEPARENT}), None),
        (json!({"Type": "String", "Value": base64}), None),
        (json!({"Type": "String", "Value": [TRACEPARENT]}), None),
        (json!(TRACEPARENT), None),
    ] {
        let mut event = sample!("sns");
        event["Records"][0]["Sns"]["MessageAttributes"] = json!({"traceparent": value});
        let (reading, record) = read_record(&event);
        assert_eq!(record.sender, sender, "{value}");
        assert_eq!(reading.stripped, None);
    }
}

#[test]
fn only_times_that_are_ones_are_read() {
    assert_eq!(time("1970-01-01T00:00:00.000Z"), millis(0));
    assert_eq!(time("2000-02-29T23:59:59Z"), millis(951_868_799_000));
    assert_eq!(time("2024-12-31T00:00:00.5Z"), millis(1_735_603_200_500));
    for text in [
        "",
        "2015-08-18",
        "2015-08-18T18:02:32",
        "2015-13-18T18:02:32Z",
        "2015-08-18T24:02:32Z",
        "1969-08-18T18:02:32Z",
        "99999-08-18T18:02:32Z",
        "2015-08-18T18:02:-1Z",
        "2015-08-18T18:02:infZ",
        "2015-08-18T18:02:NaNZ",
    ] {
        assert_eq!(time(text), None, "{text}");
    }
}

use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest};
use aws_smithy_types::Blob;
use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::aws::testing::{Lambda, Service, attribute, client};
use crate::settings::Settings;
use crate::triggers::{Caller, read};

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn item(pairs: &[(&str, AttributeValue)]) -> Item {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn update(table: &str, key: &Item) -> Input {
    Input::erase(UpdateItemInput::builder().table_name(table).set_key(Some(key.clone())).build().unwrap())
}

fn put(table: &str, item: &Item) -> Input {
    Input::erase(PutItemInput::builder().table_name(table).set_item(Some(item.clone())).build().unwrap())
}

/// What a stream's record of such a write says that it is joined by.
fn joined_in(table: &str, keys: serde_json::Value) -> String {
    let arn = format!("arn:aws:dynamodb:eu-west-1:123456789012:table/{table}/stream/2026-01-01T00:00:00.000");
    let event = json!({"Records": [{
        "eventID": "1", "eventName": "MODIFY", "eventSource": "aws:dynamodb", "eventSourceARN": arn,
        "dynamodb": {"Keys": keys, "SequenceNumber": "1"},
    }]});
    let event = Bytes::from(event.to_string());
    let reading = read(&event, &Caller::default(), &Settings::from_env(&|_| None));
    reading.records[0].join().unwrap()
}

#[test]
fn a_write_joins_the_record_of_its_stream() {
    let number = AttributeValue::N("1.50".to_owned());
    let key = item(&[("id", s("o-1")), ("n", number), ("b", AttributeValue::B(Blob::new([1, 2])))]);
    let arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/joined";
    let expected = joined_in("joined", json!({"n": {"N": "1.5"}, "id": {"S": "o-1"}, "b": {"B": "AQI="}}));
    assert_eq!(joins(&update("joined", &key)), [expected.as_str()]);
    assert_eq!(joins(&update(arn, &key)), [expected]);
    assert!(joins(&update("joined", &item(&[("id", AttributeValue::Bool(true))]))).is_empty());
    assert!(joins(&update("joined", &Item::new())).is_empty());
}

#[test]
fn a_put_joins_once_another_call_told_the_key_of_its_table() {
    let whole = item(&[("pk", s("a")), ("sk", s("b")), ("more", s("c"))]);
    assert!(joins(&put("learned", &whole)).is_empty());
    let key = item(&[("pk", s("x")), ("sk", s("y"))]);
    let get = GetItemInput::builder().table_name("learned").set_key(Some(key)).build().unwrap();
    assert!(joins(&Input::erase(get)).is_empty());
    let expected = joined_in("learned", json!({"pk": {"S": "a"}, "sk": {"S": "b"}}));
    assert_eq!(joins(&put("learned", &whole)), [expected]);
    // An item without its key is the caller's error.
    assert!(joins(&put("learned", &item(&[("pk", s("a"))]))).is_empty());
}

#[test]
fn the_tables_that_are_known_are_bounded() {
    let keys = Keys(Mutex::default());
    for n in 0..=MAX_TABLES {
        keys.learn(&n.to_string(), &item(&[("id", s("1"))]));
    }
    assert!(keys.of("0").is_some() && keys.of(&MAX_TABLES.to_string()).is_none());
    keys.learn("0", &item(&[("other", s("1"))]));
    assert_eq!(*keys.of("0").unwrap(), ["other".to_owned()]);
}

#[tokio::test]
async fn each_item_of_a_batch_joins_but_those_that_were_not_written() {
    let unprocessed =
        json!({"UnprocessedItems": {"batched": [{"PutRequest": {"Item": {"id": {"S": "2"}}}}]}});
    let (lambda, service) = (Lambda::new(), Service::answering([(200, &unprocessed.to_string())]));
    let put = |id: &str| {
        let put = PutRequest::builder().item("id", s(id)).item("a", s("b")).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    let delete = DeleteRequest::builder().key("id", s("3")).build().unwrap();
    let delete = WriteRequest::builder().delete_request(delete).build();
    let call = client!(aws_sdk_dynamodb, service).batch_write_item();
    lambda.run(call.request_items("batched", vec![put("1"), put("2"), delete]).send()).await.unwrap();
    let [span] = lambda.spans().try_into().unwrap();
    let join = |id: &str| joined_in("batched", json!({"id": {"S": id}}));
    let expected = format!("{},{}", join("3"), join("1"));
    assert_eq!(attribute(&span, "throughline.join.out"), Some(expected));
}

#[tokio::test]
async fn a_write_that_failed_joins_nothing() {
    let failed = json!({"__type": "ConditionalCheckFailedException", "message": "no"}).to_string();
    let (lambda, service) = (Lambda::new(), Service::answering([(400, &failed), (200, "{}")]));
    let client = client!(aws_sdk_dynamodb, service);
    for _ in 0..2 {
        let _ = lambda.run(client.delete_item().table_name("deleted").key("id", s("1")).send()).await;
    }
    let [failed, done] = lambda.spans().try_into().unwrap();
    assert_eq!(attribute(&failed, "throughline.join.out"), None);
    let expected = joined_in("deleted", json!({"id": {"S": "1"}}));
    assert_eq!(attribute(&done, "throughline.join.out"), Some(expected));
}

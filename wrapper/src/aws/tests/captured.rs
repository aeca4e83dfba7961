//! Requests as they go out, beside those of the same call without us: what the table of the module's documentation
//! says is added, and nothing else. Those of the services with a directory of their own are there.

use aws_sdk_dynamodb::types::{AttributeValue, Put, PutRequest, TransactWriteItem, Update, WriteRequest};
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_sdk_sns::types::PublishBatchRequestEntry;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use aws_smithy_types::Blob;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};

use crate::aws::testing::{BAGGAGE, Lambda, Request, Service, client};

/// The request of a call outside and inside of an invocation.
macro_rules! captured {
    ($sdk:ident, $answer:expr, $client:ident => $call:expr) => {{
        let service = Service::answering([(200, $answer), (200, $answer)]);
        let $client = client!($sdk, service);
        $call.send().await.unwrap();
        Lambda::new().run($call.send()).await.unwrap();
        let [plain, with_us] = service.requests().try_into().unwrap();
        same_but_for_the_body(&plain, &with_us);
        (plain, with_us)
    }};
}

fn same_but_for_the_body(plain: &Request, with_us: &Request) {
    let headers = |request: &Request| {
        let mut headers = request.headers.clone();
        headers.remove("content-length");
        headers
    };
    assert_eq!((headers(plain), &plain.uri), (headers(with_us), &with_us.uri));
    assert!(plain.xray.is_none() && with_us.xray.is_some());
}

/// Takes members out of a JSON object; each must be there.
fn take<const N: usize>(object: &mut Json, names: [&str; N]) -> [Json; N] {
    names.map(|name| {
        object.as_object_mut().unwrap().remove(name).unwrap_or_else(|| panic!("{name}: {object}"))
    })
}

/// That this is a context, and all of it.
fn is_context(carrier: &Json) {
    assert!(carrier["traceparent"].as_str().unwrap().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    assert_eq!((&carrier["tracestate"], &carrier["baggage"]), (&json!("vendor=1"), &json!(BAGGAGE)));
    assert_eq!(carrier.as_object().unwrap().len(), 3);
}

/// The string attributes of a message as the context that they are.
fn of_attributes(attributes: &Json) -> Json {
    let text = |(name, value): (&String, &Json)| {
        assert_eq!(value["DataType"], "String");
        (name.clone(), value["StringValue"].clone())
    };
    Json::Object(attributes.as_object().unwrap().iter().map(text).collect())
}

#[tokio::test]
async fn sqs() {
    const URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders";
    let ours = |message: &mut Json| {
        let [attributes, system] = take(message, ["MessageAttributes", "MessageSystemAttributes"]);
        is_context(&of_attributes(&attributes));
        let header = system["AWSTraceHeader"]["StringValue"].as_str().unwrap().to_owned();
        assert!(header.contains(&attributes["traceparent"]["StringValue"].as_str().unwrap()[36..52]));
        assert_eq!(system.as_object().unwrap().len(), 1);
    };
    let answer = r#"{"MessageId":"m-1","MD5OfMessageBody":"x"}"#;
    let (plain, with_us) =
        captured!(aws_sdk_sqs, answer, sqs => sqs.send_message().queue_url(URL).message_body("hello"));
    let mut sent = with_us.json();
    ours(&mut sent);
    assert_eq!(sent, plain.json());

    let entry = |id: &str| SendMessageBatchRequestEntry::builder().id(id).message_body("{}").build().unwrap();
    let (plain, with_us) = captured!(aws_sdk_sqs, r#"{"Successful":[],"Failed":[]}"#, sqs => {
        sqs.send_message_batch().queue_url(URL).entries(entry("a")).entries(entry("b"))
    });
    let mut sent = with_us.json();
    sent["Entries"].as_array_mut().unwrap().iter_mut().for_each(ours);
    assert_eq!(sent, plain.json());
}

#[tokio::test]
async fn sns() {
    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders";
    /// The parameters of a form that are not those of attributes, and how many values of attributes there are.
    fn own(request: &Request) -> (Vec<&str>, usize) {
        let (ours, own): (Vec<_>, Vec<_>) =
            request.body.split('&').partition(|pair| pair.contains("MessageAttributes.entry"));
        (own, ours.iter().filter(|pair| pair.contains("StringValue")).count())
    }
    let answer =
        "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>";
    let (plain, with_us) =
        captured!(aws_sdk_sns, answer, sns => sns.publish().topic_arn(TOPIC).message("hello").subject("s"));
    assert_eq!(own(&with_us).0, own(&plain).0);
    assert_eq!((own(&with_us).1, own(&plain).1), (3, 0));

    let entry = |id: &str| PublishBatchRequestEntry::builder().id(id).message("m").build().unwrap();
    let answer = "<PublishBatchResponse><PublishBatchResult/></PublishBatchResponse>";
    let (plain, with_us) = captured!(aws_sdk_sns, answer, sns => {
        let call = sns.publish_batch().topic_arn(TOPIC);
        call.publish_batch_request_entries(entry("a")).publish_batch_request_entries(entry("b"))
    });
    assert_eq!(own(&with_us).0, own(&plain).0);
    assert_eq!((own(&with_us).1, own(&plain).1), (6, 0));
}

#[tokio::test]
async fn kinesis() {
    fn ours(record: &mut Json) {
        let data = BASE64_STANDARD.decode(record["Data"].as_str().unwrap()).unwrap();
        let mut data: Json = serde_json::from_slice(&data).unwrap();
        let [carrier] = take(&mut data, ["_throughline"]);
        is_context(&carrier);
        record["Data"] = json!(BASE64_STANDARD.encode(data.to_string()));
    }
    let answer = r#"{"ShardId":"s","SequenceNumber":"1","Records":[]}"#;
    let data = || Blob::new(r#"{"a":1}"#);
    let (plain, with_us) = captured!(aws_sdk_kinesis, answer, kinesis => {
        kinesis.put_record().stream_name("audit").partition_key("k").data(data())
    });
    let mut sent = with_us.json();
    ours(&mut sent);
    assert_eq!(sent, plain.json());

    let record = || PutRecordsRequestEntry::builder().partition_key("k").data(data()).build().unwrap();
    let (plain, with_us) = captured!(aws_sdk_kinesis, answer, kinesis => {
        kinesis.put_records().stream_name("audit").records(record()).records(record())
    });
    let mut sent = with_us.json();
    sent["Records"].as_array_mut().unwrap().iter_mut().for_each(ours);
    assert_eq!(sent, plain.json());
}

/// Takes the attribute out of an item.
fn mark(item: &mut Json) {
    let [mark] = take(item, ["_throughline"]);
    let mut mark = mark["M"].clone();
    let [at] = take(&mut mark, ["at"]);
    assert_eq!(at, json!({"N": "1790000000000"}));
    let text = |(name, value): (&String, &Json)| (name.clone(), value["S"].clone());
    is_context(&Json::Object(mark.as_object().unwrap().iter().map(text).collect()));
}

/// Takes the assignment out of an update.
fn assignment(update: &mut Json, own: &str) {
    let [expression, names, mut values] =
        take(update, ["UpdateExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"]);
    assert_eq!(expression, format!("{own} SET #throughline = :throughline"));
    assert_eq!(names, json!({"#throughline": "_throughline"}));
    let [value] = take(&mut values, [":throughline"]);
    mark(&mut json!({"_throughline": value}));
    update["UpdateExpression"] = json!(own);
}

#[tokio::test]
async fn dynamodb() {
    let id = || AttributeValue::S("1".to_owned());
    let (plain, with_us) =
        captured!(aws_sdk_dynamodb, "{}", db => db.put_item().table_name("orders").item("id", id()));
    let mut sent = with_us.json();
    mark(&mut sent["Item"]);
    assert_eq!(sent, plain.json());

    let (plain, with_us) = captured!(aws_sdk_dynamodb, "{}", db => {
        db.update_item().table_name("orders").key("id", id()).update_expression("REMOVE offset")
    });
    let mut sent = with_us.json();
    assignment(&mut sent, "REMOVE offset");
    assert_eq!(sent, plain.json());

    let put = || PutRequest::builder().item("id", id()).build().unwrap();
    let (plain, with_us) = captured!(aws_sdk_dynamodb, "{}", db => {
        db.batch_write_item().request_items("orders", vec![WriteRequest::builder().put_request(put()).build()])
    });
    let mut sent = with_us.json();
    mark(&mut sent["RequestItems"]["orders"][0]["PutRequest"]["Item"]);
    assert_eq!(sent, plain.json());

    let put = || Put::builder().table_name("orders").item("id", id()).build().unwrap();
    let update = || Update::builder().table_name("orders").key("id", id()).update_expression("REMOVE a");
    let (plain, with_us) = captured!(aws_sdk_dynamodb, "{}", db => {
        let put = TransactWriteItem::builder().put(put()).build();
        let update = TransactWriteItem::builder().update(update().build().unwrap()).build();
        db.transact_write_items().transact_items(put).transact_items(update)
    });
    let (mut sent, mut plain) = (with_us.json(), plain.json());
    mark(&mut sent["TransactItems"][0]["Put"]["Item"]);
    assignment(&mut sent["TransactItems"][1]["Update"], "REMOVE a");
    // The SDK makes a token for each call.
    take(&mut sent, ["ClientRequestToken"]);
    take(&mut plain, ["ClientRequestToken"]);
    assert_eq!(sent, plain);
}

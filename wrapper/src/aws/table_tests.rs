//! Holds the spans of every operation that sends or writes, and of a few that don't, against the table in
//! `tests/spans/operations.json`: the span of the call, and those of a batch's entries. Each keeps what X-Ray's header
//! said.

use std::collections::BTreeMap;

use aws_smithy_types::Blob;

use super::testing::{Lambda, Service, client};
use crate::testing::Expected;

/// Calls of one operation each, in a table of their names. An answer that the SDK can't read fails the test.
macro_rules! operations {
    ($rows:ident, $($sdk:ident: { $($name:literal: $answer:expr => |$client:ident| $call:expr;)+ })+) => {
        $($({
            let (lambda, service) = (Lambda::with(ENV, "vendor=1"), Service::answering([(200, $answer)]));
            let $client = client!($sdk, service);
            lambda.run($call).await.unwrap_or_else(|error| panic!("{}: {error:?}", $name));
            keeps_lineage($name, &service);
            $rows.insert($name, lambda.spans().iter().map(Expected::from).collect());
        })+)+
    };
}

/// Lambda ends a loop of functions by what it counts in `Lineage`
/// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>).
fn keeps_lineage(name: &str, service: &Service) {
    let [request] = service.requests().try_into().unwrap();
    let header = request.xray.unwrap_or_default();
    assert!(header.ends_with(";Sampled=1;Lineage=25:a87bd80c:1"), "{name}: {header}");
}

const ENV: &[(&str, &str)] = &[
    ("THROUGHLINE_DYNAMODB_TABLES", "orders"),
    ("THROUGHLINE_FIREHOSE_STREAMS", "lake"),
    ("THROUGHLINE_S3_BUCKETS", "reports"),
];

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/payments";
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders";

fn key() -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::S("o-1".to_owned())
}

async fn messages(rows: &mut BTreeMap<&'static str, Vec<Expected>>) {
    use aws_sdk_eventbridge::types::PutEventsRequestEntry as Event;
    use aws_sdk_sns::types::PublishBatchRequestEntry as Publish;
    use aws_sdk_sqs::types::SendMessageBatchRequestEntry as Send;

    let send = |id: &str| Send::builder().id(id).message_body("hello").build().unwrap();
    let publish = |id: &str| Publish::builder().id(id).message("hello").build().unwrap();
    let event = || Event::builder().source("shop").detail_type("OrderPlaced").detail("{}").build();
    operations! { rows,
        aws_sdk_sqs: {
            "SQS.SendMessage": r#"{"MessageId":"m-1"}"# =>
                |client| client.send_message().queue_url(QUEUE).message_body("hello").send();
            "SQS.SendMessageBatch": r#"{"Successful":[{"Id":"a","MessageId":"m-1","MD5OfMessageBody":""}],
                "Failed":[{"Id":"b","Code":"InternalError","SenderFault":false,"Message":"later"}]}"# =>
                |client| client.send_message_batch().queue_url(QUEUE).entries(send("a")).entries(send("b")).send();
            "SQS.DeleteMessage": "{}" =>
                |client| client.delete_message().queue_url(QUEUE).receipt_handle("r").send();
        }
        aws_sdk_sns: {
            "SNS.Publish": "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>" =>
                |client| client.publish().topic_arn(TOPIC).message("hello").send();
            "SNS.PublishBatch": "<PublishBatchResponse><PublishBatchResult><Successful><member><Id>a</Id>\
                <MessageId>m-1</MessageId></member></Successful></PublishBatchResult></PublishBatchResponse>" =>
                |client| client.publish_batch().topic_arn(TOPIC).publish_batch_request_entries(publish("a")).send();
        }
        aws_sdk_eventbridge: {
            "EventBridge.PutEvents": r#"{"FailedEntryCount":1,"Entries":[{"EventId":"e-1"},
                {"ErrorCode":"ThrottlingException","ErrorMessage":"later"}]}"# =>
                |client| client.put_events().entries(event()).entries(event()).send();
        }
    }
}

async fn streams(rows: &mut BTreeMap<&'static str, Vec<Expected>>) {
    use aws_sdk_firehose::types::Record as Delivered;
    use aws_sdk_kinesis::types::PutRecordsRequestEntry as Record;

    let record = || Record::builder().data(Blob::new("{}")).partition_key("k").build().unwrap();
    let delivered = || Delivered::builder().data(Blob::new("{}")).build().unwrap();
    operations! { rows,
        aws_sdk_kinesis: {
            "Kinesis.PutRecord": r#"{"ShardId":"shardId-000000000001","SequenceNumber":"7"}"# =>
                |client| client.put_record().stream_name("audit").partition_key("k").data(Blob::new("{}")).send();
            "Kinesis.PutRecords": r#"{"FailedRecordCount":1,"Records":[
                {"ShardId":"shardId-000000000001","SequenceNumber":"7"},
                {"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"later"}]}"# =>
                |client| client.put_records().stream_name("audit").records(record()).records(record()).send();
        }
        aws_sdk_firehose: {
            "Firehose.PutRecord": r#"{"RecordId":"r-1"}"# =>
                |client| client.put_record().delivery_stream_name("lake").record(delivered()).send();
            "Firehose.PutRecordBatch": r#"{"FailedPutCount":0,"RequestResponses":[{"RecordId":"r-1"}]}"# =>
                |client| client.put_record_batch().delivery_stream_name("lake").records(delivered()).send();
        }
    }
}

async fn stores(rows: &mut BTreeMap<&'static str, Vec<Expected>>) {
    use aws_sdk_dynamodb::types::{Put, PutRequest, TransactWriteItem, WriteRequest};

    let put = || PutRequest::builder().item("id", key()).build().unwrap();
    let write = || WriteRequest::builder().put_request(put()).build();
    let in_transaction = || {
        let put = Put::builder().table_name("orders").item("id", key()).build().unwrap();
        TransactWriteItem::builder().put(put).build()
    };
    operations! { rows,
        aws_sdk_dynamodb: {
            // First: what a put is joined by is learned from the other calls of its table.
            "DynamoDB.GetItem": "{}" => |client| client.get_item().table_name("orders").key("id", key()).send();
            "DynamoDB.PutItem": r#"{"ConsumedCapacity":{"TableName":"orders","CapacityUnits":1.0}}"# =>
                |client| client.put_item().table_name("orders").item("id", key()).send();
            "DynamoDB.UpdateItem": "{}" => |client| client
                .update_item().table_name("orders").key("id", key()).update_expression("REMOVE a").send();
            "DynamoDB.DeleteItem": "{}" =>
                |client| client.delete_item().table_name("orders").key("id", key()).send();
            "DynamoDB.Query": r#"{"Count":0,"ScannedCount":0,"Items":[]}"# =>
                |client| client.query().table_name("orders").index_name("by-user").limit(5).send();
            "DynamoDB.BatchWriteItem": "{}" =>
                |client| client.batch_write_item().request_items("orders", vec![write()]).send();
            "DynamoDB.TransactWriteItems": "{}" =>
                |client| client.transact_write_items().transact_items(in_transaction()).send();
        }
        aws_sdk_s3: {
            "S3.PutObject": "" => |client| client.put_object().bucket("reports").key("a/b.csv").send();
            "S3.GetObject": "" => |client| client.get_object().bucket("reports").key("a/b.csv").send();
        }
    }
}

async fn functions(rows: &mut BTreeMap<&'static str, Vec<Expected>>) {
    use aws_sdk_lambda::types::InvocationType;

    const MACHINE: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:refund";
    const STARTED: &str = r#"{"executionArn":"arn:aws:states:eu-west-1:123456789012:execution:refund:r-1","startDate":1790000000}"#;
    operations! { rows,
        aws_sdk_lambda: {
            "Lambda.Invoke": "{}" =>
                |client| client.invoke().function_name("tax").payload(Blob::new("{}")).send();
            "Lambda.Invoke, asynchronous": "" => |client| client
                .invoke().function_name("tax").invocation_type(InvocationType::Event).payload(Blob::new("{}")).send();
        }
        aws_sdk_sfn: {
            "SFN.StartExecution": STARTED =>
                |client| client.start_execution().state_machine_arn(MACHINE).input("{}").send();
        }
    }
}

#[tokio::test]
async fn every_operation_has_the_spans_of_its_row() {
    let table: BTreeMap<String, Vec<Expected>> =
        serde_json::from_str(include_str!("../../tests/spans/operations.json")).unwrap();
    let mut found = BTreeMap::new();
    messages(&mut found).await;
    streams(&mut found).await;
    stores(&mut found).await;
    functions(&mut found).await;
    let wrong: BTreeMap<_, _> =
        found.iter().filter(|(name, spans)| table.get(**name) != Some(spans)).collect();
    assert!(wrong.is_empty(), "found {}", serde_json::to_string_pretty(&wrong).unwrap());
    let unknown: Vec<_> = table.keys().filter(|name| !found.contains_key(name.as_str())).collect();
    assert!(unknown.is_empty(), "rows without a call: {unknown:?}");
}

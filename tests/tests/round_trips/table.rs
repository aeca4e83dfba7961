//! Tables and their streams.

use std::collections::HashMap;
use std::sync::Mutex;

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::check::Seen;
use crate::emulator::{Emulator, REGION, unique};
use crate::function::{Call, Function};

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn n(number: &str) -> AttributeValue {
    AttributeValue::N(number.to_owned())
}

pub(crate) fn key(id: &str) -> Item {
    HashMap::from([("id".to_owned(), s(id))])
}

/// A table with the key `id` and a stream of both images.
pub(crate) struct Table<'a> {
    emulator: &'a Emulator,
    pub(crate) name: String,
    iterator: Mutex<String>,
}

impl<'a> Table<'a> {
    pub(crate) async fn new(emulator: &'a Emulator) -> Self {
        let name = unique("orders");
        let request = json!({
            "TableName": name,
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
            "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" },
        });
        let made = emulator.call("dynamodb", "DynamoDB_20120810.CreateTable", &request).await;
        let stream = &made["TableDescription"]["LatestStreamArn"];
        let described = streams(emulator, "DescribeStream", json!({ "StreamArn": stream })).await;
        let shard = &described["StreamDescription"]["Shards"][0]["ShardId"];
        let request = json!({ "StreamArn": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" });
        let iterator = streams(emulator, "GetShardIterator", request).await;
        let iterator = Mutex::new(iterator["ShardIterator"].as_str().unwrap().to_owned());
        Self { emulator, name, iterator }
    }

    /// A function that traces this table.
    pub(crate) fn function(&self) -> Function {
        Function::with(&[("THROUGHLINE_DYNAMODB_TABLES", self.name.clone())])
    }

    /// An item as it is stored: `client` does not trace.
    pub(crate) async fn stored(&self, client: &Client, id: &str) -> Option<Item> {
        let call = client.get_item().table_name(&self.name).set_key(Some(key(id))).consistent_read(true);
        call.send().await.unwrap().item
    }

    /// The changes since the last time, in the event that Lambda makes of them
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>).
    pub(crate) async fn changes(&self) -> Value {
        let request = json!({ "ShardIterator": *self.iterator.lock().unwrap() });
        let mut answer = streams(self.emulator, "GetRecords", request).await;
        answer["NextShardIterator"].as_str().unwrap().clone_into(&mut self.iterator.lock().unwrap());
        let mut records = answer["Records"].take();
        for record in records.as_array_mut().unwrap() {
            record["eventSourceARN"] = format!(
                "arn:aws:dynamodb:{REGION}:000000000000:table/{}/stream/2026-11-21T00:00:00.000",
                self.name
            )
            .into();
            // AWS stamps a change in the moment of its write. On a busy machine an emulator is later than that.
            let at = record["dynamodb"]["NewImage"]["_throughline"]["M"]["at"]["N"].as_str();
            if let Some(at) = at.map(|at| at.parse::<f64>().unwrap() / 1000.0) {
                let created = &mut record["dynamodb"]["ApproximateCreationDateTime"];
                *created = created.as_f64().unwrap().clamp(at - 1.0, at + 1.0).into();
            }
            // dynoxide names its own region here, moto its own service.
            record["awsRegion"] = REGION.into();
            record["eventSource"] = "aws:dynamodb".into();
        }
        json!({ "Records": records })
    }

    /// Processes the changes since the last time; what the handler saw: the record's sequence number, both images.
    pub(crate) async fn deliver(&self, receiver: &Function) -> Vec<Seen> {
        let event = self.changes().await;
        receiver
            .invoke(Call::of(&event), async |event| {
                assert!(!event.get().contains("_throughline"), "the handler sees ours: {event}");
                let event: Event = serde_json::from_str(event.get()).unwrap();
                let seen = Mutex::new(Vec::new());
                let response = throughline::batch::dynamodb(event, async |record: EventRecord| {
                    let id = record.change.sequence_number.unwrap_or_default();
                    seen.lock().unwrap().push(Seen::now(id, record.event_name));
                    Ok::<(), std::convert::Infallible>(())
                });
                assert!(response.await.batch_item_failures.is_empty());
                seen.into_inner().unwrap()
            })
            .await
    }
}

async fn streams(emulator: &Emulator, operation: &str, body: Value) -> Value {
    emulator.call("dynamodb", &format!("DynamoDBStreams_20120810.{operation}"), &body).await
}

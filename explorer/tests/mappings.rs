//! Event source mappings on the embedded services, with a function that is a closure.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_kinesis::primitives::Blob;
use rustack_sqs_model::input::SendMessageInput;
use serde_json::{Value, json};
use throughline_explorer::cloud::{Cloud, QueueOptions, Resources};
use throughline_explorer::mappings::{
    Activity, Delivery, Fate, Function, Observer, QueueMapping, StreamMapping, StreamSource,
};
use throughline_host::{FunctionError, Outcome, Reply};

/// Answers with what `judge` makes of an event.
struct Fake<J>(J);

impl<J: Fn(&Value) -> Outcome + Send + Sync + 'static> Function for Fake<J> {
    fn name(&self) -> &str {
        "fake"
    }

    async fn invoke(&self, event: Value) -> Reply {
        Reply { request_id: "r".into(), outcome: (self.0)(&event) }
    }
}

/// What was sent in a record. Not the record: any short word is, now and then, in the random ids and receipts of one.
fn content(record: &Value) -> String {
    let sent = [&record["body"], &record["kinesis"]["data"], &record["dynamodb"]["Keys"]];
    sent.map(Value::to_string).concat()
}

/// Reports the records whose content has `what` in it as failed.
fn fails_on(what: &'static str) -> impl Fn(&Value) -> Outcome + Send + Sync {
    move |event| {
        let records = event["Records"].as_array().unwrap();
        let failed = records.iter().filter(|record| content(record).contains(what)).map(|record| {
            let id = [
                &record["messageId"],
                &record["kinesis"]["sequenceNumber"],
                &record["dynamodb"]["SequenceNumber"],
            ]
            .into_iter()
            .find_map(Value::as_str)
            .unwrap();
            json!({ "itemIdentifier": id })
        });
        let failed: Vec<Value> = failed.collect();
        Outcome::Response(json!({ "batchItemFailures": failed }).to_string().into())
    }
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Delivery>>>);

impl Seen {
    fn observer(&self) -> Observer {
        let seen = self.0.clone();
        Arc::new(move |delivery| seen.lock().unwrap().push(delivery))
    }

    /// The fates of records whose content has `what` in it, in the order of their deliveries.
    fn fates(&self, what: &str) -> Vec<Fate> {
        let deliveries = self.0.lock().unwrap();
        let records = deliveries.iter().flat_map(|delivery| &delivery.records);
        records.filter(|delivered| content(&delivered.record).contains(what)).map(|d| d.fate).collect()
    }
}

/// Waits for `condition`, with a bound.
async fn until<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("the condition never held");
}

async fn queue_with_dead_letters(cloud: &Cloud) -> (String, String) {
    let resources = Resources(cloud);
    let plain = QueueOptions { visibility_timeout: 30, dead_letters: None };
    let dead = resources.queue("dead", plain).await.unwrap();
    let options = QueueOptions { dead_letters: Some(("dead", 3)), ..plain };
    (resources.queue("work", options).await.unwrap(), dead)
}

async fn send(cloud: &Cloud, queue_url: &str, body: &str) {
    let input = SendMessageInput {
        queue_url: queue_url.to_owned(),
        message_body: body.to_owned(),
        ..SendMessageInput::default()
    };
    cloud.sqs.send(input).await.unwrap();
}

fn queue_mapping<F>(cloud: &Cloud, url: &str, function: F, seen: &Seen) -> QueueMapping<F> {
    QueueMapping {
        sqs: cloud.sqs.clone(),
        queue: "work".into(),
        queue_url: url.to_owned(),
        function: Arc::new(function),
        batch_size: 10,
        window: Duration::from_millis(100),
        retry_after: 0,
        observer: seen.observer(),
        activity: Activity::default(),
    }
}

#[tokio::test]
async fn a_failed_message_comes_again_alone_and_ends_as_a_dead_letter() {
    let cloud = Cloud::start().await.unwrap();
    let (queue, dead) = queue_with_dead_letters(&cloud).await;
    let seen = Seen::default();
    for body in ["good one", "bad one", "good two"] {
        send(&cloud, &queue, body).await;
    }
    tokio::spawn(queue_mapping(&cloud, &queue, Fake(fails_on("bad")), &seen).run());
    until(|| async { cloud.sqs.depth(&dead).await.unwrap() == 1 }).await;
    assert_eq!(cloud.sqs.depth(&queue).await.unwrap(), 0);
    assert_eq!(seen.fates("good"), [Fate::Done, Fate::Done]);
    assert_eq!(seen.fates("bad"), [Fate::Failed; 3]);
}

#[tokio::test]
async fn a_function_error_brings_the_whole_batch_again() {
    let cloud = Cloud::start().await.unwrap();
    let (queue, dead) = queue_with_dead_letters(&cloud).await;
    let seen = Seen::default();
    send(&cloud, &queue, "one").await;
    send(&cloud, &queue, "two").await;
    let function =
        Fake(|_: &Value| Outcome::Failed(FunctionError { kind: "Boom".into(), message: "no".into() }));
    tokio::spawn(queue_mapping(&cloud, &queue, function, &seen).run());
    until(|| async { cloud.sqs.depth(&dead).await.unwrap() == 2 }).await;
    assert_eq!(seen.fates("one"), [Fate::Failed; 3]);
    assert!(seen.0.lock().unwrap().iter().all(|delivery| delivery.error.is_some()));
}

fn stream_mapping<F>(source: StreamSource, function: F, seen: &Seen) -> StreamMapping<F> {
    StreamMapping {
        source,
        function: Arc::new(function),
        batch_size: 10,
        window: Duration::from_millis(50),
        max_retries: 2,
        observer: seen.observer(),
        activity: Activity::default(),
    }
}

#[tokio::test]
async fn a_streams_failed_record_holds_the_shard_up_until_it_is_discarded() {
    let cloud = Cloud::start().await.unwrap();
    Resources(&cloud).stream("audit", 1).unwrap();
    let client = aws_sdk_kinesis::Client::from_conf(
        aws_sdk_kinesis::Config::builder()
            .behavior_version_latest()
            .region(aws_sdk_kinesis::config::Region::new("us-east-1"))
            .endpoint_url(cloud.endpoint())
            .credentials_provider(Credentials::for_tests())
            .build(),
    );
    for data in ["first", "second", "third"] {
        let data = Blob::new(data);
        client.put_record().stream_name("audit").partition_key("k").data(data).send().await.unwrap();
    }
    let seen = Seen::default();
    let source = StreamSource::Kinesis { kinesis: cloud.kinesis.clone(), stream: "audit".into() };
    // "second" in base64.
    tokio::spawn(stream_mapping(source, Fake(fails_on("c2Vjb25k")), &seen).run());
    until(|| async { seen.fates("dGhpcmQ=").contains(&Fate::Done) }).await;
    assert_eq!(seen.fates("Zmlyc3Q="), [Fate::Done]);
    assert_eq!(seen.fates("c2Vjb25k"), [Fate::Failed; 3]);
    assert_eq!(seen.fates("dGhpcmQ="), [Fate::Unknown, Fate::Unknown, Fate::Unknown, Fate::Done]);
}

#[tokio::test]
async fn a_tables_changes_arrive_in_order() {
    let cloud = Cloud::start().await.unwrap();
    let stream_arn = Resources(&cloud).table("orders", "order_id").unwrap();
    let tables = aws_sdk_dynamodb::Client::from_conf(
        aws_sdk_dynamodb::Config::builder()
            .behavior_version_latest()
            .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
            .endpoint_url(cloud.dynamodb_endpoint())
            .credentials_provider(Credentials::for_tests())
            .build(),
    );
    for id in ["o-1", "o-2", "o-1"] {
        let id = aws_sdk_dynamodb::types::AttributeValue::S(id.into());
        let at = aws_sdk_dynamodb::types::AttributeValue::S(format!("{:?}", std::time::Instant::now()));
        tables.put_item().table_name("orders").item("order_id", id).item("at", at).send().await.unwrap();
    }
    let seen = Seen::default();
    let source = StreamSource::DynamoDb { dynamodb: cloud.dynamodb.clone(), stream_arn };
    tokio::spawn(stream_mapping(source, Fake(fails_on("nothing")), &seen).run());
    until(|| async { seen.fates("o-").len() == 3 }).await;
    let deliveries = seen.0.lock().unwrap();
    let records = deliveries.iter().flat_map(|delivery| &delivery.records);
    let told: Vec<(&str, &str)> = records
        .map(|delivered| {
            let record = &delivered.record;
            let id = &record["dynamodb"]["Keys"]["order_id"]["S"];
            (record["eventName"].as_str().unwrap(), id.as_str().unwrap())
        })
        .collect();
    assert_eq!(told, [("INSERT", "o-1"), ("INSERT", "o-2"), ("MODIFY", "o-1")]);
}

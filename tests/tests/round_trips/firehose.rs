//! Firehose: records as they end in a bucket, and as a transformation gets them. Only moto offers it; elsewhere what
//! would have been delivered is taken from the request.

use aws_sdk_firehose::Client;
use aws_sdk_firehose::operation::put_record_batch::builders::PutRecordBatchFluentBuilder;
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Response;
use serde_json::{Value, json};
use throughline_tests::spans::Arrived;

use crate::bucket::Buckets;
use crate::check::{Seen, injection, injections, outcome};
use crate::emulator::{Emulator, clients, sdk, unique};
use crate::function::{Call, Function};
use crate::proxy::Proxy;

const KIB: usize = 1024;

/// A stream into a bucket.
struct Lake<'a> {
    emulator: &'a Emulator,
    proxy: Proxy,
    stream: String,
    bucket: String,
}

impl<'a> Lake<'a> {
    async fn new(emulator: &'a Emulator) -> Self {
        let (stream, bucket) = (unique("lake"), unique("lake"));
        if emulator.is_moto() {
            Buckets::start(emulator).await.make(&bucket).await;
            let destination = json!({
                "RoleARN": "arn:aws:iam::123456789012:role/lake",
                "BucketARN": format!("arn:aws:s3:::{bucket}"),
            });
            let request =
                json!({ "DeliveryStreamName": stream, "ExtendedS3DestinationConfiguration": destination });
            emulator.call("firehose", "Firehose_20150804.CreateDeliveryStream", &request).await;
        }
        let proxy = Proxy::recording(emulator, |request| {
            let request: Value = serde_json::from_slice(request.body()).unwrap();
            let answer = match request["Records"].as_array() {
                Some(records) => {
                    let each: Vec<_> = records.iter().map(|_| json!({ "RecordId": "r" })).collect();
                    json!({ "FailedPutCount": 0, "RequestResponses": each })
                }
                None => json!({ "RecordId": "r" }),
            };
            Response::new(answer.to_string().into())
        });
        Self { emulator, proxy: proxy.await, stream, bucket }
    }

    /// A function that may write into it.
    fn sender(&self) -> Function {
        Function::with(&[("THROUGHLINE_FIREHOSE_STREAMS", self.stream.clone())])
    }

    fn put(&self, client: &Client, lines: &[&str]) -> PutRecordBatchFluentBuilder {
        let record = |line: &&str| Record::builder().data(Blob::new(*line)).build().unwrap();
        let records = lines.iter().map(record).collect();
        client.put_record_batch().delivery_stream_name(&self.stream).set_records(Some(records))
    }

    /// The records of the last request.
    fn records(&self) -> Vec<String> {
        let request = self.proxy.bodies().pop().unwrap();
        let one = std::slice::from_ref(&request["Record"]);
        let records = request["Records"].as_array().map_or(one, Vec::as_slice);
        let text = |record: &Value| BASE64_STANDARD.decode(record["Data"].as_str().unwrap()).unwrap();
        records.iter().map(|record| String::from_utf8(text(record)).unwrap()).collect()
    }

    /// What the last request left in the bucket.
    async fn take(&self) -> String {
        if !self.emulator.is_moto() {
            return self.records().concat();
        }
        let client = Buckets::start(self.emulator).await.plain().await;
        let listed = client.list_objects_v2().bucket(&self.bucket).send().await.unwrap();
        let [object] = listed.contents() else { panic!("not one object: {listed:?}") };
        let key = object.key().unwrap();
        let read = client.get_object().bucket(&self.bucket).key(key).send().await.unwrap();
        client.delete_object().bucket(&self.bucket).key(key).send().await.unwrap();
        String::from_utf8(read.body.collect().await.unwrap().to_vec()).unwrap()
    }

    /// The event that a transformation gets
    /// (<https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html>).
    fn event(&self, records: &[String]) -> Value {
        let record = |data: &String| {
            json!({ "recordId": "r", "approximateArrivalTimestamp": 1_795_276_268_799_u64,
            "data": BASE64_STANDARD.encode(data) })
        };
        json!({
            "invocationId": "i-1",
            "deliveryStreamArn": format!("arn:aws:firehose:us-east-1:123456789012:deliverystream/{}", self.stream),
            "region": "us-east-1",
            "records": records.iter().map(record).collect::<Vec<_>>(),
        })
    }
}

fn wrote(sender: &Function) -> Arrived {
    sender.spans_where(|span| span.attribute("throughline.injected").is_some()).remove(0)
}

#[tokio::test]
async fn lines_of_a_stream_that_is_named_carry_the_context_and_a_transformation_goes_on_with_it() {
    let emulator = Emulator::start().await;
    let lake = Lake::new(&emulator).await;
    let (traced, plain) = clients!(aws_sdk_firehose, sdk(lake.proxy.endpoint()).await);
    let line = "{\"a\": 1.50, \"b\":\"ü\"}\n";
    let record = Record::builder().data(Blob::new(line)).build().unwrap();
    let call =
        |client: &Client| client.put_record().delivery_stream_name(&lake.stream).record(record.clone());
    call(&plain).send().await.unwrap();
    assert_eq!(lake.take().await, line);
    let without = lake.event(&lake.records());

    let (sender, receiver, call) = (lake.sender(), Function::new(), call(&traced));
    sender.sends(async || call.send().await).await.unwrap();
    let delivered = lake.take().await;
    let (before, ours) = delivered.split_once(r#","_throughline":"#).expect("a context");
    assert_eq!(format!("{before}}}\n"), line);
    let (ours, rest) = ours.rsplit_once('}').unwrap();
    assert_eq!(rest, "\n", "a line is still a line");
    let span = wrote(&sender);
    assert_eq!(injection(&span), outcome("body", None));
    let ours: Value = serde_json::from_str(ours).unwrap();
    assert!(ours["traceparent"].as_str().unwrap().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));

    let event = lake.event(&lake.records());
    let seen = receiver
        .invoke(Call::of(&event), async |seen| {
            assert_eq!(serde_json::from_str::<Value>(seen.get()).unwrap(), without);
            Seen::now("", "")
        })
        .await;
    seen.assert_baggage();
    assert_eq!(receiver.invocation().span.parent_span_id, span.span.span_id);
}

#[tokio::test]
async fn what_is_no_object_and_what_goes_elsewhere_ends_as_without_us() {
    let emulator = Emulator::start().await;
    let lake = Lake::new(&emulator).await;
    let (traced, plain) = clients!(aws_sdk_firehose, sdk(lake.proxy.endpoint()).await);
    let objects = ["{\"a\":1}\n", "{\"a\": 2}\n"];
    let others = ["a,b,c\n", "{\"a\":1}\n{\"a\":2}\n", "[1]", "{\"traceparent\":\"mine\"}\n"];
    for (sender, lines, expected) in [
        (Function::new(), &objects[..], vec![outcome("none", Some("not-enabled"))]),
        (
            lake.sender(),
            &others,
            ["not-json-object", "not-json-object", "not-json-object", "caller-set"]
                .map(|why| outcome("none", Some(why)))
                .to_vec(),
        ),
    ] {
        lake.put(&plain, lines).send().await.unwrap();
        let without = lake.take().await;
        let call = lake.put(&traced, lines);
        sender.sends(async || call.send().await).await.unwrap();
        assert_eq!((lake.take().await, lines.concat()), (without.clone(), without));
        assert_eq!(injections(&sender), expected);
    }
}

#[tokio::test]
async fn records_and_requests_at_a_limit_do_not_pass_it() {
    let emulator = Emulator::start().await;
    let lake = Lake::new(&emulator).await;
    let (traced, _) = clients!(aws_sdk_firehose, sdk(lake.proxy.endpoint()).await);
    let line = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    for (sizes, limit, expected) in [
        (vec![1000 * KIB - 500], 1000 * KIB, vec![outcome("body", None)]),
        (vec![1000 * KIB - 50], 1000 * KIB, vec![outcome("none", Some("too-large"))]),
        (vec![1000 * KIB], 1000 * KIB, vec![outcome("none", Some("too-large"))]),
        (vec![900 * KIB; 4], 4096 * KIB, vec![outcome("body", None); 4]),
        (vec![819 * KIB + 200; 5], 4096 * KIB, vec![outcome("none", Some("too-large")); 5]),
    ] {
        let lines: Vec<_> = sizes.iter().map(|size| line(*size)).collect();
        let call = lake.put(&traced, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        let sender = lake.sender();
        sender.sends(async || call.send().await).await.unwrap();
        let sent = lake.records();
        assert!(sent.iter().map(String::len).sum::<usize>() <= limit, "{sizes:?}");
        assert!(sent.iter().all(|line| line.len() <= 1000 * KIB), "{sizes:?}");
        assert_eq!(injections(&sender), expected, "{sizes:?}");
    }
}

#[tokio::test]
async fn retries_carry_one_context() {
    let emulator = Emulator::start().await;
    let lake = Lake::new(&emulator).await;
    let flaky = Proxy::flaky(2, lake.proxy.endpoint()).await;
    let (traced, _) = clients!(aws_sdk_firehose, sdk(flaky.endpoint()).await);
    let (sender, call) = (lake.sender(), lake.put(&traced, &["{}"]));
    sender.sends(async || call.send().await).await.unwrap();
    flaky.assert_same(3);
    assert_eq!(lake.take().await.matches("_throughline").count(), 1);
}

//! S3: objects with the context in their metadata, where asked for, and everything that must not have it.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, MetadataDirective};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;

use crate::bucket::Buckets;
use crate::check::{consumer, injections, outcome, producer};
use crate::emulator::{Emulator, sdk, send, unique};
use crate::function::{Call, Function, TRACE};
use crate::proxy::Proxy;

/// A bucket of a test's own, with what is sent to it.
struct Bucket {
    _buckets: Buckets,
    proxy: Proxy,
    name: String,
    traced: Client,
    plain: Client,
}

impl Bucket {
    async fn new(emulator: &Emulator) -> Self {
        Self::flaky(emulator, 0).await
    }

    /// One that is unavailable so many times.
    async fn flaky(emulator: &Emulator, times: usize) -> Self {
        let (buckets, name) = (Buckets::start(emulator).await, unique("uploads"));
        buckets.make(&name).await;
        let proxy = Proxy::flaky(times, &buckets.endpoint).await;
        let config = aws_sdk_s3::config::Builder::from(&sdk(proxy.endpoint()).await).force_path_style(true);
        let plain = Client::from_conf(config.clone().build());
        let traced = Client::from_conf(config.interceptor(throughline::aws::interceptor()).build());
        Self { _buckets: buckets, proxy, name, traced, plain }
    }

    /// A function that may write into the metadata of its objects.
    fn sender(&self) -> Function {
        Function::with(&[("THROUGHLINE_S3_BUCKETS", self.name.clone())])
    }

    fn put(&self, client: &Client, key: &str) -> PutObjectFluentBuilder {
        let body = ByteStream::from_static(b"{\"a\": 1.50}\n");
        client.put_object().bucket(&self.name).key(key).content_type("application/json").body(body)
    }

    /// What is stored: our metadata, and all that the caller may have an opinion on.
    async fn stored(&self, key: &str) -> (Option<String>, impl PartialEq + std::fmt::Debug) {
        let object = self.plain.get_object().bucket(&self.name).key(key).send().await.unwrap();
        let mut metadata = object.metadata.unwrap_or_default();
        let ours = metadata.remove("traceparent");
        let metadata: std::collections::BTreeMap<_, _> = metadata.into_iter().collect();
        let body = object.body.collect().await.unwrap().into_bytes();
        (ours, (metadata, object.content_type, object.e_tag, body))
    }
}

fn assert_ours(traceparent: Option<String>) {
    assert!(traceparent.is_some_and(|ours| ours.starts_with(&format!("00-{TRACE}-"))));
}

#[tokio::test]
async fn an_object_has_the_context_and_no_other_difference_and_its_event_joins_by_the_request() {
    let emulator = Emulator::start().await;
    let bucket = Bucket::new(&emulator).await;
    let put = |client, key| bucket.put(client, key).metadata("own", "x");
    put(&bucket.plain, "without").send().await.unwrap();
    let (sender, call) = (bucket.sender(), put(&bucket.traced, "with"));
    let written = sender.sends(async || call.send().await).await.unwrap();
    let ((none, without), (ours, with)) = (bucket.stored("without").await, bucket.stored("with").await);
    assert_eq!((none, with), (None, without));
    let id = written.request_id().expect("a request id");
    let producer = producer(&sender, &format!("s3:{id}"));
    let context = format!("00-{TRACE}-{}-01", hex(&producer.span.span_id));
    assert_eq!(ours, Some(context));
    assert_eq!(injections(&sender), [outcome("attributes", None)]);
    // A metadata header that is not signed is refused by AWS.
    let request = bucket.proxy.requests().into_iter().find(|request| request.uri().path().ends_with("/with"));
    let authorization = request.unwrap().headers()["authorization"].to_str().unwrap().to_owned();
    assert!(authorization.contains("x-amz-meta-own;x-amz-meta-traceparent;"), "{authorization}");

    let receiver = Function::new();
    let event = json!({ "Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "us-east-1",
        "responseElements": { "x-amz-request-id": id },
        "s3": { "bucket": { "name": bucket.name }, "object": { "key": "with", "size": 12 } },
    }] });
    receiver.invoke(Call::of(&event), async |seen| assert_eq!(seen.get(), event.to_string())).await;
    consumer(&receiver, &format!("s3:{id}"));
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn an_object_of_another_bucket_is_what_it_is_without_us() {
    let emulator = Emulator::start().await;
    let bucket = Bucket::new(&emulator).await;
    let (sender, call) = (Function::new(), bucket.put(&bucket.traced, "k"));
    sender.sends(async || call.send().await).await.unwrap();
    bucket.put(&bucket.plain, "without").send().await.unwrap();
    assert_eq!(bucket.stored("k").await, bucket.stored("without").await);
    assert_eq!(injections(&sender), [outcome("none", Some("not-enabled"))]);
}

#[tokio::test]
async fn an_upload_in_parts_has_it_from_its_beginning() {
    let emulator = Emulator::start().await;
    let bucket = Bucket::new(&emulator).await;
    let upload = async |client: &Client, key: &str| {
        let begun = client.create_multipart_upload().bucket(&bucket.name).key(key).metadata("own", "x");
        let upload = begun.send().await.unwrap().upload_id.unwrap();
        let part = client.upload_part().bucket(&bucket.name).key(key).upload_id(&upload).part_number(1);
        let part = part.body(ByteStream::from_static(b"hello")).send().await.unwrap();
        let part = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build();
        let end = client.complete_multipart_upload().bucket(&bucket.name).key(key).upload_id(&upload);
        let parts = CompletedMultipartUpload::builder().parts(part).build();
        end.multipart_upload(parts).send().await.unwrap();
    };
    upload(&bucket.plain, "without").await;
    let sender = bucket.sender();
    sender.sends(async || upload(&bucket.traced, "with").await).await;
    let ((none, without), (ours, with)) = (bucket.stored("without").await, bucket.stored("with").await);
    assert_eq!((none, with), (None, without));
    assert_ours(ours);
    assert_eq!(injections(&sender), [outcome("attributes", None)]);
}

#[tokio::test]
async fn a_copy_has_the_metadata_of_its_source_unless_its_writer_gives_it_others() {
    let emulator = Emulator::start().await;
    let bucket = Bucket::new(&emulator).await;
    let sender = bucket.sender();
    let call = bucket.put(&bucket.traced, "source");
    sender.sends(async || call.send().await).await.unwrap();
    let (ours, _) = bucket.stored("source").await;
    for (directive, expected) in [
        (MetadataDirective::Copy, outcome("none", Some("not-enabled"))),
        (MetadataDirective::Replace, outcome("attributes", None)),
    ] {
        let copy = |client: &Client, key: &str| {
            let call = client.copy_object().bucket(&bucket.name).key(key).metadata("own", "y");
            call.copy_source(format!("{}/source", bucket.name)).metadata_directive(directive.clone())
        };
        copy(&bucket.plain, "without").send().await.unwrap();
        let (sender, call) = (bucket.sender(), copy(&bucket.traced, "with"));
        sender.sends(async || call.send().await).await.unwrap();
        assert_eq!(injections(&sender), [expected]);
        let ((before, without), (copied, with)) =
            (bucket.stored("without").await, bucket.stored("with").await);
        assert_eq!(with, without, "{directive:?}");
        if directive == MetadataDirective::Copy {
            assert_eq!((&before, &copied), (&ours, &ours));
        } else {
            assert!(before.is_none() && copied != ours);
            assert_ours(copied);
        }
    }
}

#[tokio::test]
async fn metadata_at_its_limit_stays_as_it_is() {
    // Names and values, and what ours takes.
    const LIMIT: usize = 2048;
    const OURS: usize = "x-amz-meta-traceparent".len() + 55;
    let emulator = Emulator::start().await;
    let bucket = Bucket::new(&emulator).await;
    for (room, expected) in [
        (OURS, outcome("attributes", None)),
        (OURS - 1, outcome("none", Some("too-large"))),
        (0, outcome("none", Some("too-large"))),
    ] {
        let value = "x".repeat(LIMIT - room - "x-amz-meta-own".len());
        bucket.put(&bucket.plain, "without").metadata("own", &value).send().await.unwrap();
        let (sender, call) = (bucket.sender(), bucket.put(&bucket.traced, "with").metadata("own", &value));
        sender.sends(async || call.send().await).await.unwrap();
        assert_eq!(injections(&sender), [expected], "{room}");
        let ((_, without), (ours, with)) = (bucket.stored("without").await, bucket.stored("with").await);
        assert_eq!((ours.is_some(), with), (room == OURS, without));
    }
}

#[tokio::test]
async fn a_presigned_request_is_sent_by_anybody_as_it_was_signed() {
    let emulator = Emulator::start().await;
    let bucket = Bucket::new(&emulator).await;
    let sender = bucket.sender();
    let lasts = || PresigningConfig::expires_in(Duration::from_secs(600)).unwrap();
    let (put, get) = sender
        .sends(async || {
            let put = bucket.traced.put_object().bucket(&bucket.name).key("k").metadata("own", "x");
            let get = bucket.traced.get_object().bucket(&bucket.name).key("k");
            (put.presigned(lasts()).await.unwrap(), get.presigned(lasts()).await.unwrap())
        })
        .await;
    assert_eq!(injections(&sender), [outcome("none", Some("presigned"))]);
    assert!(put.headers().chain(get.headers()).all(|(name, _)| !name.contains("trace")), "{put:?}");
    anybody(&put, b"hello").await;
    assert_eq!(anybody(&get, b"").await, "hello");
    let (ours, _) = bucket.stored("k").await;
    assert_eq!(ours, None);
}

/// Sends a request as a browser would.
async fn anybody(signed: &PresignedRequest, body: &'static [u8]) -> Bytes {
    let (host, path) = signed.uri().strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut request = Request::builder().method(signed.method()).uri(format!("/{path}")).header("host", host);
    for (name, value) in signed.headers().filter(|(name, _)| *name != "host") {
        request = request.header(name, value);
    }
    let response = send(host, request.body(Full::new(Bytes::from_static(body))).unwrap()).await;
    assert!(response.status().is_success(), "{response:?}");
    response.into_body()
}

#[tokio::test]
async fn retries_carry_one_context() {
    let emulator = Emulator::start().await;
    let bucket = Bucket::flaky(&emulator, 2).await;
    let (sender, call) = (bucket.sender(), bucket.put(&bucket.traced, "k"));
    sender.sends(async || call.send().await).await.unwrap();
    let (ours, _) = bucket.stored("k").await;
    assert_ours(ours.clone());
    let requests = bucket.proxy.requests();
    for put in &requests[..3] {
        assert_eq!(put.headers()["x-amz-meta-traceparent"].to_str().ok(), ours.as_deref());
    }
}

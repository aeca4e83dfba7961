use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_smithy_types::byte_stream::ByteStream;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::*;
use crate::aws::testing::{Lambda, Service as Answers, attribute, client, injection, traceparent};

const OK: (u16, &str) = (200, "");

fn lambda() -> Lambda {
    Lambda::with(&[("THROUGHLINE_S3_BUCKETS", "uploads")], "vendor=1")
}

fn answering<const N: usize>(answers: [(u16, &str); N]) -> (Answers, Client) {
    let service =
        Answers::answering(answers).saying(&[("x-amz-request-id", "S3-1"), ("x-amz-id-2", "ext-1")]);
    let client = client!(aws_sdk_s3, service);
    (service, client)
}

async fn put(client: &Client, bucket: &str, metadata: &[(&str, &str)]) {
    let mut call = client.put_object().bucket(bucket).key("a/b.txt").body(ByteStream::from_static(b"hello"));
    for (name, value) in metadata {
        call = call.metadata(*name, *value);
    }
    call.send().await.unwrap();
}

#[tokio::test]
async fn an_object_of_a_named_bucket_has_the_context_and_no_other_difference() {
    let (service, client) = answering([OK, OK]);
    let lambda = lambda();
    put(&client, "uploads", &[("own", "x")]).await;
    lambda.run(put(&client, "uploads", &[("own", "x")])).await;

    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!((span.name.as_str(), span.kind()), ("S3.PutObject", SpanKind::Client));
    for (key, value) in [
        ("rpc.method", "S3/PutObject"),
        ("aws.s3.bucket", "uploads"),
        ("aws.s3.key", "a/b.txt"),
        ("aws.request_id", "S3-1"),
        ("aws.extended_request_id", "ext-1"),
        ("throughline.join.out", "s3:S3-1"),
        ("server.address", "uploads.s3.eu-west-1.amazonaws.com"),
    ] {
        assert_eq!(attribute(&span, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(injection(&span), ("attributes".to_owned(), None));
    let [plain, mut with_us] = service.requests().try_into().unwrap();
    assert_eq!(with_us.headers.remove(HEADER), Some(traceparent(&span)));
    assert_eq!((with_us.headers, with_us.body, with_us.uri), (plain.headers, plain.body, plain.uri));
}

#[tokio::test]
async fn the_metadata_is_signed() {
    let (service, client) = answering([OK]);
    lambda().run(put(&client, "uploads", &[])).await;
    let signed = service.requests()[0].signed.clone().unwrap();
    assert!(signed.contains(HEADER) && !signed.contains(crate::aws::interceptor::XRAY_HEADER), "{signed}");
}

#[tokio::test]
async fn an_object_of_another_bucket_stays_and_joins() {
    let (service, client) = answering([OK, OK]);
    let lambda = lambda();
    put(&client, "others", &[]).await;
    lambda.run(put(&client, "others", &[])).await;
    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(injection(&span), ("none".to_owned(), Some("not-enabled".to_owned())));
    assert_eq!(attribute(&span, "throughline.join.out").as_deref(), Some("s3:S3-1"));
    let [plain, with_us] = service.requests().try_into().unwrap();
    assert_eq!(with_us.headers, plain.headers);
}

#[tokio::test]
async fn all_attempts_carry_the_same_context_once() {
    let busy = (503, "<Error><Code>SlowDown</Code><Message>slow down</Message></Error>");
    let (service, client) = answering([busy, busy, OK]);
    let lambda = lambda();
    lambda.run(put(&client, "uploads", &[])).await;
    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(injection(&span), ("attributes".to_owned(), None));
    assert_eq!(attribute(&span, "throughline.throttled").as_deref(), Some("2"));
    for request in service.requests() {
        assert_eq!(request.headers[HEADER], traceparent(&span));
    }
}

#[tokio::test]
async fn what_the_caller_set_stays_and_at_and_over_the_limit() {
    // Ours, and the name of the caller's own.
    let fits = MAX_METADATA - HEADER.len() - 55 - "x-amz-meta-own".len();
    let text = |bytes: usize| "x".repeat(bytes);
    for (name, value, expected) in [
        ("own", text(fits), ("attributes", None)),
        ("own", text(fits + 1), ("none", Some("too-large"))),
        ("traceparent", "mine".to_owned(), ("none", Some("caller-set"))),
    ] {
        let (service, client) = answering([OK]);
        let lambda = lambda();
        lambda.run(put(&client, "uploads", &[(name, &value)])).await;
        let [span] = lambda.spans().try_into().unwrap();
        let (injected, why) = injection(&span);
        assert_eq!((injected.as_str(), why.as_deref()), expected);
        let sent = &service.requests()[0].headers;
        assert_eq!(sent[&format!("x-amz-meta-{name}")], value);
        assert_eq!(sent.contains_key(HEADER), name == "traceparent" || expected.1.is_none());
    }
}

#[tokio::test]
async fn a_copy_has_it_only_with_metadata_of_the_caller() {
    let answer = (200, "<CopyObjectResult><ETag>e</ETag></CopyObjectResult>");
    for (directive, expected) in [
        (None, ("none", Some("not-enabled"))),
        (Some(MetadataDirective::Copy), ("none", Some("not-enabled"))),
        (Some(MetadataDirective::Replace), ("attributes", None)),
    ] {
        let (service, client) = answering([answer]);
        let lambda = lambda();
        let call = client.copy_object().bucket("uploads").key("b").copy_source("others/a");
        lambda.run(call.set_metadata_directive(directive).send()).await.unwrap();
        let [span] = lambda.spans().try_into().unwrap();
        let (injected, why) = injection(&span);
        assert_eq!((injected.as_str(), why.as_deref()), expected);
        assert_eq!(service.requests()[0].headers.contains_key(HEADER), expected.1.is_none());
        assert_eq!(attribute(&span, "aws.s3.copy_source").as_deref(), Some("others/a"));
    }
}

#[tokio::test]
async fn an_upload_in_parts_has_it_where_it_begins_and_joins_where_it_ends() {
    let begun = "<InitiateMultipartUploadResult><UploadId>u-1</UploadId></InitiateMultipartUploadResult>";
    let ended = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>";
    let (service, client) = answering([(200, begun), OK, (200, ended)]);
    let lambda = lambda();
    lambda
        .run(async {
            client.create_multipart_upload().bucket("uploads").key("k").send().await.unwrap();
            let part = client.upload_part().bucket("uploads").key("k").upload_id("u-1").part_number(1);
            part.body(ByteStream::from_static(b"hello")).send().await.unwrap();
            let end = client.complete_multipart_upload().bucket("uploads").key("k").upload_id("u-1");
            end.send().await.unwrap();
        })
        .await;
    let [create, part, complete] = lambda.spans().try_into().unwrap();
    assert_eq!(injection(&create), ("attributes".to_owned(), None));
    assert_eq!(attribute(&create, "throughline.join.out"), None);
    assert_eq!(attribute(&part, "aws.s3.part_number").as_deref(), Some("1"));
    assert_eq!(attribute(&part, "aws.s3.upload_id").as_deref(), Some("u-1"));
    assert_eq!(attribute(&part, "throughline.injected"), None);
    assert_eq!(attribute(&complete, "throughline.join.out").as_deref(), Some("s3:S3-1"));
    let has = service.requests().iter().map(|sent| sent.headers.contains_key(HEADER)).collect::<Vec<_>>();
    assert_eq!(has, [true, false, false]);
}

#[tokio::test]
async fn a_presigned_request_is_left_as_it_is() {
    let (service, client) = answering([]);
    let config = || {
        PresigningConfig::builder()
            .start_time(std::time::UNIX_EPOCH)
            .expires_in(Duration::from_secs(60))
            .build()
            .unwrap()
    };
    let sign = async || {
        let put = client
            .put_object()
            .bucket("uploads")
            .key("k")
            .metadata("own", "x")
            .presigned(config())
            .await
            .unwrap();
        let get = client.get_object().bucket("uploads").key("k").presigned(config()).await.unwrap();
        [put, get].map(|request| {
            let headers = request.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
            (request.uri().to_owned(), headers.collect::<Vec<_>>())
        })
    };
    let plain = sign().await;
    let lambda = lambda();
    assert_eq!(lambda.run(sign()).await, plain);
    assert!(plain[0].0.contains("X-Amz-Signature="));

    let [put, get] = lambda.spans().try_into().unwrap();
    assert_eq!((put.name.as_str(), put.kind()), ("S3.PutObject", SpanKind::Internal));
    assert_eq!(injection(&put), ("none".to_owned(), Some("presigned".to_owned())));
    assert_eq!(attribute(&get, "throughline.injected"), None);
    assert!(service.requests().is_empty());
}

#[tokio::test]
async fn an_error_of_the_service_is_on_the_span() {
    let answer = "<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>";
    let (_, client) = answering([(404, answer)]);
    let lambda = lambda();
    lambda.run(client.get_object().bucket("uploads").key("k").send()).await.unwrap_err();
    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("NoSuchKey"));
    assert_eq!(attribute(&span, "throughline.join.out"), None);
}

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Value as Json, json};

use super::*;
use crate::aws::testing::{
    Lambda as Invocation, Service as Answers, attribute, client, injection, traceparent,
};

fn invoke(kind: Option<InvocationType>, payload: &str) -> InvokeInput {
    let input = InvokeInput::builder().function_name("payments").set_invocation_type(kind);
    input.payload(Blob::new(payload)).build().unwrap()
}

fn inject_one(input: InvokeInput) -> (InvokeInput, Span) {
    let (input, spans) = Invocation::new().inject("Lambda", "Invoke", input);
    (input, spans.into_iter().next().unwrap())
}

fn custom(input: &InvokeInput) -> Json {
    let text = BASE64_STANDARD.decode(input.client_context().unwrap()).unwrap();
    serde_json::from_slice::<Json>(&text).unwrap()["custom"].take()
}

fn header(why: &str) -> (String, Option<String>) {
    ("header".to_owned(), Some(why.to_owned()))
}

#[test]
fn a_synchronous_invoke_carries_the_context_beside_its_payload() {
    for kind in [None, Some(InvocationType::RequestResponse)] {
        let (sent, span) = inject_one(invoke(kind.clone(), "{}"));
        assert_eq!((span.name.as_str(), span.kind()), ("Lambda.Invoke", SpanKind::Client));
        let expected = json!({
            "traceparent": traceparent(&span),
            "tracestate": "vendor=1",
            "baggage": custom(&sent)["baggage"],
        });
        assert_eq!(custom(&sent), expected);
        assert!(expected["baggage"].as_str().unwrap().starts_with("correlation.id=c-1"));
        assert_eq!(sent.payload(), invoke(kind, "{}").payload());
        assert_eq!(injection(&span), ("attributes".to_owned(), None));
    }
}

#[test]
fn a_client_context_that_cannot_take_it_stays() {
    let large = BASE64_STANDARD.encode(json!({"custom": {"k": "x".repeat(2650)}}).to_string());
    let own = BASE64_STANDARD.encode(r#"{"custom":{"traceparent":"mine"}}"#);
    for (own, why) in [("?", "not-json-object"), (large.as_str(), "too-large"), (own.as_str(), "caller-set")]
    {
        let mut input = invoke(None, "{}");
        input.client_context = Some(own.to_owned());
        let (sent, span) = inject_one(input.clone());
        assert_eq!(sent, input);
        assert_eq!(injection(&span), header(why));
    }
}

#[test]
fn an_asynchronous_invoke_carries_it_in_its_payload() {
    let (sent, span) = inject_one(invoke(Some(InvocationType::Event), r#"{"a": 1.0}"#));
    let payload = std::str::from_utf8(sent.payload().unwrap().as_ref()).unwrap();
    assert!(payload.starts_with(r#"{"a": 1.0,"_throughline":{"traceparent":""#));
    assert!(payload.contains(&traceparent(&span)));
    assert_eq!(sent.client_context(), None);
    assert_eq!(injection(&span), ("body".to_owned(), None));

    for (payload, why) in
        [("[]", "not-json-object"), ("", "not-json-object"), (r#"{"traceparent":1}"#, "caller-set")]
    {
        let input = invoke(Some(InvocationType::Event), payload);
        let (sent, span) = inject_one(input.clone());
        assert_eq!(sent, input);
        assert_eq!(injection(&span), header(why));
    }
}

#[test]
fn a_durable_execution_of_the_callers_name_keeps_its_payload() {
    let mut input = invoke(Some(InvocationType::Event), "{}");
    input.durable_execution_name = Some("order-1".to_owned());
    let (sent, span) = inject_one(input.clone());
    assert_eq!(sent, input);
    assert_eq!(injection(&span), header("idempotent"));
}

#[test]
fn at_and_over_each_limit_of_an_asynchronous_payload() {
    let data = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    let event = |bytes: usize| {
        let (sent, span) = inject_one(invoke(Some(InvocationType::Event), &data(bytes)));
        (sent.payload.unwrap().into_inner().len(), injection(&span).1)
    };
    let added = event(8).0 - 8;
    for limit in LIMITS {
        assert_eq!(event(limit - added), (limit, None));
        assert_eq!(event(limit - added + 1), (limit - added + 1, Some("too-large".to_owned())));
        assert_eq!(event(limit), (limit, Some("too-large".to_owned())));
    }
}

#[test]
fn a_dry_run_is_left_as_it_is() {
    let input = invoke(Some(InvocationType::DryRun), "{}");
    let (sent, span) = inject_one(input.clone());
    assert_eq!(sent, input);
    assert_eq!(attribute(&span, "throughline.injected"), None);
}

#[test]
fn a_function_is_named_however_it_is_given() {
    for (given, region, name) in [
        ("payments", None, "payments"),
        ("payments:live", None, "payments"),
        ("123456789012:function:payments", None, "payments"),
        ("arn:aws:lambda:us-west-2:123456789012:function:payments", Some("us-west-2"), "payments"),
        ("arn:aws-cn:lambda:cn-north-1:123456789012:function:payments:7", Some("cn-north-1"), "payments"),
        ("", None, ""),
    ] {
        assert_eq!(parts(given), (region, name));
    }
}

#[tokio::test]
async fn the_request_is_the_callers_but_for_the_context_and_joins_by_its_id() {
    let service = Answers::answering([(200, "\"ok\""), (200, "\"ok\"")]);
    let (lambda, client) = (Invocation::new(), client!(aws_sdk_lambda, service));
    let call = || client.invoke().function_name("payments:live").payload(Blob::new("{}")).send();
    call().await.unwrap();
    lambda.run(call()).await.unwrap();

    let [span] = lambda.spans().try_into().unwrap();
    for (key, value) in [
        ("rpc.method", "Lambda/Invoke"),
        ("faas.invoked_name", "payments"),
        ("faas.invoked_provider", "aws"),
        ("faas.invoked_region", "eu-west-1"),
        ("server.address", "lambda.eu-west-1.amazonaws.com"),
        ("aws.request_id", "aws-1"),
        ("throughline.join.out", "lambda:aws-1"),
    ] {
        assert_eq!(attribute(&span, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(span.status, None);
    let [plain, mut with_us] = service.requests().try_into().unwrap();
    assert!(with_us.headers.remove("x-amz-client-context").is_some());
    assert_eq!((&with_us.headers, &with_us.body), (&plain.headers, &plain.body));
    assert!(with_us.xray.unwrap().contains(&traceparent(&span)[36..52]));
}

#[tokio::test]
async fn a_function_that_failed_is_an_error_of_the_span_that_tells_nothing_of_its_payload() {
    let service = Answers::answering([(200, r#"{"errorMessage":"secret"}"#)]);
    let service = service.saying(&[("x-amz-function-error", "Unhandled"), ("x-amzn-requestid", "aws-1")]);
    let (lambda, client) = (Invocation::new(), client!(aws_sdk_lambda, service));
    let answer = lambda.run(client.invoke().function_name("payments").send()).await.unwrap();
    assert_eq!(answer.function_error(), Some("Unhandled"));
    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("Unhandled"));
    assert_eq!(span.status.as_ref().unwrap().message, "the function failed");
    assert_eq!(attribute(&span, "throughline.join.out").as_deref(), Some("lambda:aws-1"));
    assert!(!format!("{span:?}").contains("secret"));
}

#[tokio::test]
async fn a_dry_run_joins_nothing() {
    let service = Answers::answering([(204, "")]);
    let (lambda, client) = (Invocation::new(), client!(aws_sdk_lambda, service));
    let call = client.invoke().function_name("payments").invocation_type(InvocationType::DryRun);
    lambda.run(call.send()).await.unwrap();
    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(attribute(&span, "throughline.join.out"), None);
    assert!(service.requests()[0].xray.is_some());
}

#[tokio::test]
async fn an_invoke_that_streams_carries_the_context() {
    let service = Answers::answering([(200, "")]);
    let (lambda, client) = (Invocation::new(), client!(aws_sdk_lambda, service));
    lambda.run(client.invoke_with_response_stream().function_name("payments").send()).await.unwrap();
    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(span.name, "Lambda.InvokeWithResponseStream");
    assert_eq!(injection(&span), ("attributes".to_owned(), None));
    assert_eq!(attribute(&span, "throughline.join.out").as_deref(), Some("lambda:aws-1"));
    let context = &service.requests()[0].headers["x-amz-client-context"];
    assert!(
        String::from_utf8(BASE64_STANDARD.decode(context).unwrap()).unwrap().contains(&traceparent(&span))
    );
}

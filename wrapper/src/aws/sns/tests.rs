use opentelemetry_proto::tonic::trace::v1::Span;

use super::*;
use crate::aws::testing::{BAGGAGE, Lambda, Service, attribute, client, injection, traceparent};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders";

fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
}

fn message(text_of: &str, own: usize) -> PublishInput {
    let attributes = (0..own).map(|n| (format!("own{n}"), text("x"))).collect();
    let input = PublishInput::builder().topic_arn(TOPIC).message(text_of);
    input.set_message_attributes(Some(attributes)).build().unwrap()
}

fn inject_one(input: PublishInput) -> (PublishInput, Span) {
    let (input, spans) = Lambda::new().inject("SNS", "Publish", input);
    (input, spans.into_iter().next().unwrap())
}

#[test]
fn there_are_never_more_than_ten_attributes() {
    for (own, added, outcome) in [
        (7, 3, ("attributes", None)),
        (8, 2, ("attributes", Some("attributes-full"))),
        (9, 1, ("attributes", Some("attributes-full"))),
        (10, 0, ("none", Some("attributes-full"))),
    ] {
        let (input, span) = inject_one(message("hello", own));
        let attributes = input.message_attributes.unwrap();
        assert_eq!(attributes.len(), own + added);
        assert_eq!(attributes.contains_key("traceparent"), added > 0);
        let (injected, skipped) = injection(&span);
        assert_eq!((injected.as_str(), skipped.as_deref()), outcome);
    }
}

#[test]
fn no_value_has_a_quote_which_would_break_filter_policies() {
    let (input, _) = inject_one(message("hello", 0));
    let attributes = input.message_attributes.unwrap();
    assert_eq!(attributes["baggage"].string_value(), Some(BAGGAGE));
    assert!(attributes.values().all(|value| !value.string_value().unwrap().contains('"')));
}

#[test]
fn a_large_message_and_a_context_of_the_caller_stay() {
    let (input, span) = inject_one(message(&"x".repeat(256 * 1024 - 10), 0));
    assert!(input.message_attributes.unwrap().is_empty());
    assert_eq!(injection(&span), ("none".to_owned(), Some("too-large".to_owned())));

    let mut input = message("hello", 0);
    input.message_attributes.get_or_insert_default().insert("traceparent".to_owned(), text("mine"));
    let (after, span) = inject_one(input.clone());
    assert_eq!(after, input);
    assert_eq!(injection(&span), ("none".to_owned(), Some("caller-set".to_owned())));
}

#[test]
fn what_does_not_go_to_a_topic_carries_nothing() {
    let phone = PublishInput::builder().phone_number("+49123").message("hello").build().unwrap();
    let endpoint = "arn:aws:sns:eu-west-1:123456789012:endpoint/GCM/app/5e3e9847";
    let push = PublishInput::builder().target_arn(endpoint).message("hello").build().unwrap();
    for input in [phone, push] {
        let (after, span) = inject_one(input.clone());
        assert_eq!(after, input);
        assert_eq!(span.name, "send");
        assert_eq!(attribute(&span, "messaging.destination.name"), None);
        assert_eq!(injection(&span), ("none".to_owned(), Some("not-enabled".to_owned())));
    }
}

#[test]
fn each_entry_of_a_batch_has_its_own_context() {
    let entry = |id: &str| PublishBatchRequestEntry::builder().id(id).message("m").build().unwrap();
    let input = PublishBatchInput::builder().topic_arn(TOPIC);
    let input = input.publish_batch_request_entries(entry("a")).publish_batch_request_entries(entry("b"));
    let (input, spans) = Lambda::new().inject("SNS", "PublishBatch", input.build().unwrap());
    let [send, first, second] = spans.try_into().unwrap();
    assert_eq!(attribute(&send, "messaging.batch.message_count").as_deref(), Some("2"));
    for (entry, span) in input.publish_batch_request_entries().iter().zip([first, second]) {
        assert_eq!((span.name.as_str(), &span.parent_span_id), ("create orders", &send.span_id));
        let attributes = entry.message_attributes.as_ref().unwrap();
        assert_eq!(attributes["traceparent"].string_value(), Some(traceparent(&span).as_str()));
    }
}

#[tokio::test]
async fn a_published_message_carries_the_context_on_the_wire() {
    let answer =
        "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>";
    let (lambda, service) = (Lambda::new(), Service::answering([(200, answer)]));
    let client = client!(aws_sdk_sns, service);
    lambda.run(client.publish().topic_arn(TOPIC).message("hello").send()).await.unwrap();

    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(span.name, "send orders");
    assert_eq!(attribute(&span, "messaging.system").as_deref(), Some("aws.sns"));
    assert_eq!(attribute(&span, "messaging.message.id").as_deref(), Some("m-1"));
    assert_eq!(attribute(&span, "throughline.join.out").as_deref(), Some("sns:m-1"));
    let body = &service.requests()[0].body;
    assert!(body.contains("Name=traceparent") && body.contains(&traceparent(&span)), "{body}");
}

#[tokio::test]
async fn the_answer_to_a_batch_is_on_the_spans_of_its_messages() {
    let answer = "<PublishBatchResponse><PublishBatchResult>\
        <Successful><member><Id>b</Id><MessageId>m-b</MessageId></member></Successful>\
        <Failed><member><Id>a</Id><Code>InternalError</Code><SenderFault>false</SenderFault></member></Failed>\
        </PublishBatchResult></PublishBatchResponse>";
    let (lambda, service) = (Lambda::new(), Service::answering([(200, answer)]));
    let entry = |id: &str| PublishBatchRequestEntry::builder().id(id).message("m").build().unwrap();
    let call = client!(aws_sdk_sns, service).publish_batch().topic_arn(TOPIC);
    let call = call.publish_batch_request_entries(entry("a")).publish_batch_request_entries(entry("b"));
    lambda.run(call.send()).await.unwrap();

    let [_, a, b] = lambda.spans().try_into().unwrap();
    assert_eq!(attribute(&a, "error.type").as_deref(), Some("InternalError"));
    assert_eq!(attribute(&b, "throughline.join.out").as_deref(), Some("sns:m-b"));
}

#[test]
fn at_and_over_each_limit() {
    let attributes = inject_one(message("hello", 0)).0.message_attributes;
    let all = message_size("", None, &attributes);
    let parent = size("traceparent", STRING, 55);
    for limit in [256 * 1024, 1024 * 1024] {
        for (left, added) in [(all, 3), (all - 1, 2), (parent, 1), (parent - 1, 0), (0, 0)] {
            let mut input = message(&"x".repeat(limit - left - "subject".len()), 0);
            input.subject = Some("subject".to_owned());
            let (input, span) = inject_one(input);
            assert_eq!(input.message_attributes.unwrap().len(), added, "{left} under {limit}");
            let injected = if added > 0 { "attributes" } else { "none" };
            let why = (added < 3).then(|| "too-large".to_owned());
            assert_eq!(injection(&span), (injected.to_owned(), why));

            let entry = |id: &str, bytes: usize| {
                PublishBatchRequestEntry::builder().id(id).message("x".repeat(bytes)).build().unwrap()
            };
            let entries = vec![entry("a", limit / 2 - left), entry("b", limit / 2)];
            let input = PublishBatchInput::builder().topic_arn(TOPIC);
            let input = input.set_publish_batch_request_entries(Some(entries)).build().unwrap();
            let (input, _) = Lambda::new().inject("SNS", "PublishBatch", input);
            let entries = input.publish_batch_request_entries();
            assert!(entries.iter().map(entry_size).sum::<usize>() <= limit);
            let first = entries[0].message_attributes().map_or(0, HashMap::len);
            assert_eq!(first, added, "{left} under {limit}");
        }
    }
}

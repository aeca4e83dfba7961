use aws_sdk_sqs::types::QueueAttributeName;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::*;
use crate::aws::testing::{Lambda, Service, attribute, client, injection, traceparent};

const URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo";

fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
}

fn taken(count: usize) -> Attributes {
    Some((0..count).map(|n| (format!("own{n}"), text("x"))).collect())
}

fn message(body: &str, attributes: Attributes) -> SendMessageInput {
    let input = SendMessageInput::builder().queue_url(URL).message_body(body);
    input.set_message_attributes(attributes).build().unwrap()
}

fn inject_one(input: SendMessageInput) -> (SendMessageInput, Span) {
    let (input, spans) = Lambda::new().inject("SQS", "SendMessage", input);
    (input, spans.into_iter().next().unwrap())
}

fn names(attributes: &Attributes) -> Vec<&str> {
    let mut names: Vec<_> = attributes.iter().flatten().map(|(name, _)| name.as_str()).collect();
    names.retain(|name| !name.starts_with("own"));
    names.sort_unstable();
    names
}

fn header(system: &SystemAttributes) -> Option<&str> {
    system.as_ref()?.get(&MessageSystemAttributeNameForSends::AwsTraceHeader)?.string_value()
}

#[test]
fn there_are_never_more_than_ten_attributes() {
    for (own, expected, outcome) in [
        (7, vec!["baggage", "traceparent", "tracestate"], ("attributes", None)),
        (8, vec!["traceparent", "tracestate"], ("attributes", Some("attributes-full"))),
        (9, vec!["traceparent"], ("attributes", Some("attributes-full"))),
        (10, vec![], ("header", Some("attributes-full"))),
    ] {
        let (input, span) = inject_one(message("hello", taken(own)));
        assert_eq!(names(&input.message_attributes), expected);
        let (injected, skipped) = injection(&span);
        assert_eq!((injected.as_str(), skipped.as_deref()), outcome);
        assert!(header(&input.message_system_attributes).is_some());
    }
}

#[test]
fn a_message_stays_under_the_limit_that_it_was_under() {
    for limit in [256 * 1024, 1024 * 1024] {
        let (input, span) = inject_one(message(&"x".repeat(limit - 80), None));
        assert_eq!(names(&input.message_attributes), ["traceparent"]);
        assert_eq!(injection(&span), ("attributes".to_owned(), Some("too-large".to_owned())));

        // The header does not count.
        let (input, span) = inject_one(message(&"x".repeat(limit - 10), None));
        assert_eq!(input.message_attributes, None);
        assert!(header(&input.message_system_attributes).is_some());
        assert_eq!(injection(&span), ("header".to_owned(), Some("too-large".to_owned())));
    }
}

#[test]
fn a_context_of_the_caller_stays() {
    let own = Some(HashMap::from([("traceparent".to_owned(), text("mine"))]));
    let (input, span) = inject_one(message("hello", own.clone()));
    assert_eq!(input.message_attributes, own);
    assert_eq!(header(&input.message_system_attributes), None);
    assert_eq!(injection(&span), ("none".to_owned(), Some("caller-set".to_owned())));

    let mut input = message("hello", None);
    let own = MessageSystemAttributeValue::builder().data_type("String").string_value("Root=mine").build();
    let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
    input.message_system_attributes = Some(HashMap::from([(name, own.unwrap())]));
    let (input, span) = inject_one(input);
    assert_eq!(header(&input.message_system_attributes), Some("Root=mine"));
    assert_eq!(names(&input.message_attributes), ["baggage", "traceparent", "tracestate"]);
    assert_eq!(injection(&span), ("attributes".to_owned(), None));
}

#[test]
fn a_hostile_tracestate_does_not_travel() {
    for state in ["vendor=\u{1}", "vendor=a\"b", "vendor=ü"] {
        let input = message("hello", None);
        let (input, _) = Lambda::with(&[], state).inject("SQS", "SendMessage", input);
        assert_eq!(names(&input.message_attributes), ["baggage", "traceparent"], "{state:?}");
    }
}

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap()
}

fn batch(entries: Vec<SendMessageBatchRequestEntry>) -> SendMessageBatchInput {
    SendMessageBatchInput::builder().queue_url(URL).set_entries(Some(entries)).build().unwrap()
}

#[test]
fn each_entry_of_a_batch_has_its_own_context() {
    let entries = vec![entry("a", "1").clone(), entry("b", "2")];
    let (input, spans) = Lambda::new().inject("SQS", "SendMessageBatch", batch(entries));
    let [send, first, second] = spans.try_into().unwrap();
    assert_eq!(send.name, "send orders.fifo");
    assert_eq!(attribute(&send, "messaging.batch.message_count").as_deref(), Some("2"));
    for (entry, span) in input.entries().iter().zip([&first, &second]) {
        assert_eq!((span.name.as_str(), span.kind()), ("create orders.fifo", SpanKind::Producer));
        assert_eq!(span.parent_span_id, send.span_id);
        let attributes = entry.message_attributes.as_ref().unwrap();
        assert_eq!(attributes["traceparent"].string_value(), Some(traceparent(span).as_str()));
        let parent = &traceparent(span)[36..52];
        assert!(header(&entry.message_system_attributes).unwrap().contains(parent));
    }
    assert_ne!(first.span_id, second.span_id);
}

#[test]
fn a_batch_stays_under_its_limit_in_all() {
    let limit = 256 * 1024;
    let entries = vec![entry("a", &"x".repeat(limit / 2)), entry("b", &"x".repeat(limit / 2 - 200))];
    let (input, spans) = Lambda::new().inject("SQS", "SendMessageBatch", batch(entries));
    let total: usize = input.entries().iter().map(entry_size).sum();
    assert!(total <= limit, "{total}");
    assert_eq!(names(&input.entries()[0].message_attributes), ["baggage", "traceparent", "tracestate"]);
    assert_eq!(names(&input.entries()[1].message_attributes), Vec::<&str>::new());
    assert_eq!(injection(&spans[2]), ("header".to_owned(), Some("too-large".to_owned())));
}

#[test]
fn a_fifo_message_keeps_its_body_and_its_ids() {
    let mut input = message("{\"a\":1}", None);
    input.message_group_id = Some("g".to_owned());
    let (after, _) = inject_one(input.clone());
    input.message_attributes.clone_from(&after.message_attributes);
    input.message_system_attributes.clone_from(&after.message_system_attributes);
    assert_eq!(after, input);
}

#[tokio::test]
async fn the_answer_to_a_batch_is_on_the_spans_of_its_messages() {
    let answer = r#"{"Successful":[{"Id":"b","MessageId":"m-b","MD5OfMessageBody":"x"}],
        "Failed":[{"Id":"a","Code":"InternalError","Message":"no","SenderFault":false}]}"#;
    let (lambda, service) = (Lambda::new(), Service::answering([(200, answer)]));
    let client = client!(aws_sdk_sqs, service);
    let call = client.send_message_batch().queue_url(URL).entries(entry("a", "1")).entries(entry("b", "2"));
    lambda.run(call.send()).await.unwrap();

    let [send, a, b] = lambda.spans().try_into().unwrap();
    assert_eq!(attribute(&send, "throughline.join.out"), None);
    assert_eq!(attribute(&a, "error.type").as_deref(), Some("InternalError"));
    assert_eq!(a.status.unwrap().message, "no");
    assert_eq!(attribute(&b, "messaging.message.id").as_deref(), Some("m-b"));
    assert_eq!(attribute(&b, "throughline.join.out").as_deref(), Some("sqs:m-b"));
    assert_eq!(b.status, None);
    let sent = service.requests()[0].json();
    assert_ne!(
        sent["Entries"][0]["MessageAttributes"]["traceparent"],
        sent["Entries"][1]["MessageAttributes"]["traceparent"]
    );
}

#[tokio::test]
async fn an_operation_that_sends_nothing_is_left_as_it_is() {
    let service = Service::answering([(200, "{}")]);
    let (lambda, client) = (Lambda::new(), client!(aws_sdk_sqs, service));
    let call = client.get_queue_attributes().queue_url(URL).attribute_names(QueueAttributeName::All);
    lambda.run(call.send()).await.unwrap();
    assert_eq!(service.requests()[0].json(), serde_json::json!({"QueueUrl": URL, "AttributeNames": ["All"]}));
}

#[test]
fn at_and_over_each_limit() {
    let sizes = |attributes: &Attributes| {
        let one = |name: &str| {
            let value = &attributes.as_ref().unwrap()[name];
            attributes_size(&Some(HashMap::from([(name.to_owned(), value.clone())])))
        };
        [one("traceparent"), one("tracestate"), one("baggage")]
    };
    let [parent, state, baggage] = sizes(&inject_one(message("hello", None)).0.message_attributes);
    for limit in [256 * 1024, 1024 * 1024] {
        for (left, added) in [
            (parent + state + baggage, 3),
            (parent + state + baggage - 1, 2),
            (parent + state, 2),
            (parent + state - 1, 1),
            (parent, 1),
            (parent - 1, 0),
            (0, 0),
        ] {
            let (input, span) = inject_one(message(&"x".repeat(limit - left), None));
            assert_eq!(names(&input.message_attributes).len(), added, "{left} under {limit}");
            let injected = if added > 0 { "attributes" } else { "header" };
            let why = (added < 3).then(|| "too-large".to_owned());
            assert_eq!(injection(&span), (injected.to_owned(), why));

            // The same for all entries of a batch together: the first has no room to spare for the second.
            let (input, _) = Lambda::new().inject(
                "SQS",
                "SendMessageBatch",
                batch(vec![entry("a", &"x".repeat(limit / 2 - left)), entry("b", &"x".repeat(limit / 2))]),
            );
            let total: usize = input.entries().iter().map(entry_size).sum();
            assert!(total <= limit, "{total} over {limit}");
            assert_eq!(names(&input.entries()[0].message_attributes).len(), added, "{left} under {limit}");
        }
    }
}

use super::*;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::from_env(&|key| {
        pairs.iter().find(|(known, _)| *known == key).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn a_feature_is_needed_by_what_sends_and_where_the_settings_want_the_context() {
    let none = settings(&[]);
    assert_eq!(needed("SQS", "SendMessage", &none), Some("sqs"));
    assert_eq!(needed("SQS", "ReceiveMessage", &none), None);
    assert_eq!(needed("Bedrock Runtime", "InvokeModel", &none), None);
    for (service, operation, feature, variable) in [
        ("DynamoDB", "PutItem", "dynamodb", "THROUGHLINE_DYNAMODB_TABLES"),
        ("Firehose", "PutRecord", "firehose", "THROUGHLINE_FIREHOSE_STREAMS"),
        ("S3", "PutObject", "s3", "THROUGHLINE_S3_BUCKETS"),
    ] {
        assert_eq!(needed(service, operation, &none), None, "{service}: nothing would go with it");
        assert_eq!(needed(service, operation, &settings(&[(variable, "*")])), Some(feature));
        assert_eq!(needed(service, operation, &settings(&[(variable, "orders")])), Some(feature));
    }
}

/// As the table of what the span of each operation says has it.
#[test]
fn no_operation_that_carries_the_context_is_missing() {
    let table: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(include_str!("../../../tests/spans/operations.json")).unwrap();
    let carry = table.iter().filter(|(_, spans)| spans.to_string().contains("throughline.injected="));
    for (call, _) in carry {
        let (service, operation) = call.split(',').next().and_then(|call| call.split_once('.')).unwrap();
        let known = FEATURES.iter().find(|(known, ..)| *known == service);
        assert!(known.is_some_and(|(.., operations)| operations.contains(&operation)), "{call}");
    }
}

#[cfg(not(feature = "sqs"))]
#[tokio::test]
async fn a_message_that_goes_out_without_the_context_says_why() {
    use crate::aws::testing::{Lambda, Service, client, injection};

    let answer = (200, r#"{"MessageId":"m-1","MD5OfMessageBody":"x"}"#);
    let (lambda, service) = (Lambda::new(), Service::answering([answer, (200, "{}")]));
    let client = client!(aws_sdk_sqs, service);
    let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/payments";
    lambda
        .run(async {
            client.send_message().queue_url(url).message_body("hello").send().await.unwrap();
            client.list_queues().send().await.unwrap();
        })
        .await;
    let [sent, listed] = lambda.spans().try_into().unwrap();
    assert_eq!(injection(&sent), ("none".to_owned(), Some("feature-off".to_owned())));
    assert_eq!(injection(&listed), (String::new(), None));
    assert_eq!(service.requests()[0].json(), serde_json::json!({"QueueUrl": url, "MessageBody": "hello"}));
}

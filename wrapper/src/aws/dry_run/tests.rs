//! Through real clients, of which nothing may reach the service.

use std::error::Error;

use aws_sdk_dynamodb::operation::delete_table::DeleteTableOutput;
use aws_sdk_dynamodb::types::{AttributeValue, TableDescription};
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_smithy_runtime_api::client::result::SdkError;

use super::*;
use crate::aws::testing::{Lambda, Service, attribute, client};

const URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/payments";
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders";
const SENT: (u16, &str) = (200, r#"{"MessageId":"m-1","MD5OfMessageBody":"x"}"#);

fn dry() -> Lambda {
    with(&[])
}

fn with(more: &[(&str, &str)]) -> Lambda {
    Lambda::with(&[&[("THROUGHLINE_DRY_RUN", "always")], more].concat(), "")
}

/// Why a call was refused.
fn why<T: std::fmt::Debug, E: Error + 'static, R: std::fmt::Debug + 'static>(
    result: Result<T, SdkError<E, R>>,
) -> Why {
    let error = result.unwrap_err();
    let mut source: Option<&dyn Error> = Some(&error);
    while let Some(error) = source {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return refused.why();
        }
        source = error.source();
    }
    panic!("{error:?}")
}

fn flag(lambda: &Lambda, key: &str) -> Vec<Option<String>> {
    lambda.spans().iter().map(|span| attribute(span, key)).collect()
}

#[tokio::test]
async fn a_write_is_refused_before_anything_is_sent_and_is_no_failure() {
    let (lambda, service) = (dry(), Service::default());
    let client = client!(aws_sdk_dynamodb, service);
    let put = client.put_item().table_name("orders").item("id", AttributeValue::S("o-1".into()));
    assert_eq!(why(lambda.run(put.send()).await), Why::Writes);
    let s3 = client!(aws_sdk_s3, service);
    assert_eq!(why(lambda.run(s3.put_object().bucket("b").key("k").send()).await), Why::Writes);
    let firehose = client!(aws_sdk_firehose, service);
    let record = aws_sdk_firehose::types::Record::builder().data(b"{}".to_vec().into()).build().unwrap();
    let put = firehose.put_record().delivery_stream_name("lake").record(record);
    assert_eq!(why(lambda.run(put.send()).await), Why::Writes);
    let sfn = client!(aws_sdk_sfn, service);
    let start = sfn.start_execution().state_machine_arn("arn:aws:states:e:1:stateMachine:m");
    assert_eq!(why(lambda.run(start.send()).await), Why::Writes);
    let sqs = client!(aws_sdk_sqs, service);
    assert_eq!(why(lambda.run(sqs.receive_message().queue_url(URL).send()).await), Why::Writes);

    assert!(service.requests().is_empty());
    let spans = lambda.spans();
    assert_eq!(spans.len(), 5);
    for span in spans {
        assert_eq!(attribute(&span, "throughline.dry_run").as_deref(), Some("BoolValue(true)"));
        assert_eq!(attribute(&span, "throughline.dry_run.refused").as_deref(), Some("BoolValue(true)"));
        assert_eq!((attribute(&span, "error.type"), span.status), (None, None), "{}", span.name);
    }
}

#[tokio::test]
async fn reads_go_out() {
    let (lambda, service) = (dry(), Service::answering([(200, "{}"), (200, "{}")]));
    let client = client!(aws_sdk_dynamodb, service);
    let get = client.get_item().table_name("orders").key("id", AttributeValue::S("o-1".into()));
    lambda.run(get.send()).await.unwrap();
    lambda.run(client.scan().table_name("orders").send()).await.unwrap();
    assert_eq!(service.requests().len(), 2);
    assert_eq!(flag(&lambda, "throughline.dry_run.refused"), [None, None]);
    for (operation, is_read) in [
        ("GetItem", true),
        ("Query", true),
        ("BatchGetItem", true),
        ("Getaway", false),
        ("ExecuteStatement", false),
        ("TransactWriteItems", false),
        ("Scanned", false),
    ] {
        assert_eq!(reads(operation), is_read, "{operation}");
    }
}

#[tokio::test]
async fn a_message_goes_out_with_the_mark_and_without_it_not_at_all() {
    let (lambda, service) = (dry(), Service::answering([SENT]));
    let client = client!(aws_sdk_sqs, service);
    let send = || client.send_message().queue_url(URL).message_body("hello");
    lambda.run(send().send()).await.unwrap();
    let baggage = service.requests()[0].json()["MessageAttributes"]["baggage"]["StringValue"].to_string();
    assert!(baggage.contains("throughline.dry-run=true"), "{baggage}");

    let text = || MessageAttributeValue::builder().data_type("String").string_value("v").build().unwrap();
    let full = (0..10).fold(send(), |send, number| send.message_attributes(format!("a{number}"), text()));
    assert_eq!(why(lambda.run(full.send()).await), Why::Unmarked);
    let own = send().message_attributes("traceparent", text());
    assert_eq!(why(lambda.run(own.send()).await), Why::Unmarked);
    let sns = client!(aws_sdk_sns, service);
    let sms = sns.publish().phone_number("+15550100").message("hello");
    assert_eq!(why(lambda.run(sms.send()).await), Why::Unmarked);
    let kinesis = client!(aws_sdk_kinesis, service);
    let put = kinesis.put_record().stream_name("audit").partition_key("k").data(b"no object".to_vec().into());
    assert_eq!(why(lambda.run(put.send()).await), Why::Unmarked);
    let invoke = client!(aws_sdk_lambda, service);
    let invoke =
        invoke.invoke().function_name("f").invocation_type("Event".into()).payload(b"[]".to_vec().into());
    assert_eq!(why(lambda.run(invoke.send()).await), Why::Unmarked);
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test]
async fn what_the_program_names_goes_out_or_does_not() {
    let lists = [
        ("THROUGHLINE_DRY_RUN_ALLOW", "sns:*,dynamodb:deleteitem"),
        ("THROUGHLINE_DRY_RUN_REFUSE", "sns:Publish"),
    ];
    let (lambda, service) = (with(&lists), Service::answering([(200, "{}")]));
    let client = client!(aws_sdk_dynamodb, service);
    let key = || AttributeValue::S("o-1".into());
    lambda.run(client.delete_item().table_name("orders").key("id", key()).send()).await.unwrap();
    let sns = client!(aws_sdk_sns, service);
    assert_eq!(why(lambda.run(sns.publish().topic_arn(TOPIC).message("m").send()).await), Why::Listed);
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test]
async fn a_stub_answers_in_a_dry_run_and_nowhere_else() {
    crate::dry_run::stub_aws!(aws_sdk_dynamodb::Client::delete_table, |input| match input.table_name() {
        Some("panics") => panic!("no answer"),
        name => {
            let table = TableDescription::builder().set_table_name(name.map(str::to_owned)).build();
            DeleteTableOutput::builder().table_description(table).build()
        }
    },);
    let (lambda, service) = (dry(), Service::answering([(200, "{}")]));
    let client = client!(aws_sdk_dynamodb, service);
    let answer = lambda.run(client.delete_table().table_name("orders").send()).await.unwrap();
    assert_eq!(answer.table_description().and_then(|table| table.table_name()), Some("orders"));
    assert_eq!(why(lambda.run(client.delete_table().table_name("panics").send()).await), Why::Writes);
    assert!(service.requests().is_empty());
    let spans = lambda.spans();
    assert_eq!(attribute(&spans[0], "throughline.dry_run.stubbed").as_deref(), Some("BoolValue(true)"));
    assert_eq!((attribute(&spans[0], "throughline.dry_run.refused"), &spans[0].status), (None, &None));

    let real = Lambda::new().run(client.delete_table().table_name("orders").send()).await.unwrap();
    assert_eq!(real.table_description(), None, "the service answered");
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test]
async fn presigning_a_write_is_refused_and_presigning_a_read_is_not() {
    let (lambda, service) = (dry(), Service::default());
    let client = client!(aws_sdk_s3, service);
    let for_a_minute =
        || aws_sdk_s3::presigning::PresigningConfig::expires_in(std::time::Duration::from_secs(60)).unwrap();
    let put = client.put_object().bucket("b").key("k").presigned(for_a_minute());
    assert_eq!(why(lambda.run(put).await), Why::Presigned);
    lambda.run(client.get_object().bucket("b").key("k").presigned(for_a_minute())).await.unwrap();
}

#[tokio::test]
async fn outside_of_the_records_of_a_mixed_batch_nothing_is_sent_or_stubbed() {
    let message = |id: &str, baggage: &str| {
        serde_json::json!({
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:e:1:payments", "messageId": id,
            "messageAttributes": {
                "traceparent": {"stringValue": "00-00000000000000000000000000000007-0000000000000001-01"},
                "baggage": {"stringValue": baggage},
            },
        })
    };
    let event =
        serde_json::json!({"Records": [message("m-1", "throughline.dry-run=true"), message("m-2", "a=b")]});
    let lambda = Lambda::reading_batch(&event.to_string(), &[("THROUGHLINE_DRY_RUN", "accept")]);
    let service = Service::answering([(200, "{}")]);
    let client = client!(aws_sdk_dynamodb, service);
    assert_eq!(why(lambda.run(client.delete_table().table_name("orders").send()).await), Why::Mixed);
    let sqs = client!(aws_sdk_sqs, service);
    let send = sqs.send_message().queue_url(URL).message_body("hello");
    assert_eq!(why(lambda.run(send.send()).await), Why::Mixed);
    lambda.run(client.scan().table_name("orders").send()).await.unwrap();
    assert_eq!(service.requests().len(), 1);
}

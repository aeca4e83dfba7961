use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;

use super::*;
use crate::aws::testing::{Lambda, Service as Answers, attribute, client, injection, traceparent};
use crate::settings::Settings;
use crate::triggers::{Caller, read};

const ARN: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders";
const STARTED: (u16, &str) = (200, r#"{"executionArn":"arn:aws:states:x","startDate":1}"#);

fn start() -> StartExecutionInput {
    StartExecutionInput::builder()
        .state_machine_arn(ARN)
        .name("o-1")
        .input(r#"{"order": 1.0}"#)
        .build()
        .unwrap()
}

#[test]
fn an_execution_has_the_header_and_keeps_its_name_and_input() {
    let (sent, spans) = Lambda::new().inject("SFN", "StartExecution", start());
    let [span] = spans.try_into().unwrap();
    assert_eq!((span.name.as_str(), span.kind()), ("SFN.StartExecution", SpanKind::Client));
    assert_eq!(attribute(&span, "aws.step_functions.state_machine.arn").as_deref(), Some(ARN));
    assert!(sent.trace_header().unwrap().contains(&traceparent(&span)[36..52]));
    assert_eq!(injection(&span), ("header".to_owned(), None));
    assert_eq!((sent.name(), sent.input()), (start().name(), start().input()));

    let input = StartSyncExecutionInput::builder().state_machine_arn(ARN).build().unwrap();
    let (sent, _) = Lambda::new().inject("SFN", "StartSyncExecution", input);
    assert!(sent.trace_header().is_some());
}

#[test]
fn at_and_over_the_limit_of_the_header() {
    // 1 for the semicolon before what the invocation's own header had more.
    let plain = Lambda::new().inject("SFN", "StartExecution", start()).0.trace_header.unwrap();
    let room = MAX_HEADER - plain.len();
    for (more, injected, why) in [(room, true, None), (room + 1, false, Some("too-large"))] {
        let lambda = Lambda::called_with(&format!(";A={}", "x".repeat(more - 3)));
        let (sent, spans) = lambda.inject("SFN", "StartExecution", start());
        assert_eq!(sent.trace_header.map(|header| header.len()), injected.then_some(MAX_HEADER));
        assert_eq!(injection(&spans[0]), ("header".to_owned(), why.map(str::to_owned)));
    }
}

#[tokio::test]
async fn a_second_start_of_the_same_name_is_the_same_but_for_the_header() {
    let service = Answers::answering([STARTED, STARTED, STARTED]);
    let client = client!(aws_sdk_sfn, service);
    let call =
        || client.start_execution().state_machine_arn(ARN).name("o-1").input(r#"{"order": 1.0}"#).send();
    call().await.unwrap();
    for _ in 0..2 {
        let lambda = Lambda::new();
        lambda.run(call()).await.unwrap();
        let [span] = lambda.spans().try_into().unwrap();
        assert_eq!(attribute(&span, "throughline.join.out").as_deref(), Some("sfn:arn:aws:states:x"));
    }
    let [plain, first, second] = service.requests().try_into().unwrap();
    let plain = plain.json();
    for mut sent in [first.json(), second.json()] {
        assert!(sent.as_object_mut().unwrap().remove("traceHeader").is_some());
        assert_eq!(sent, plain);
    }
}

#[tokio::test]
async fn an_execution_that_was_started_joins_by_its_arn() {
    const EXECUTION: &str = "arn:aws:states:eu-west-1:123456789012:express:orders:o-1:7";
    let started = json!({"executionArn": EXECUTION, "startDate": 1, "stopDate": 2, "status": "FAILED"});
    let service = Answers::answering([(200, &started.to_string()), (200, &started.to_string())]);
    let (lambda, client) = (Lambda::new(), client!(aws_sdk_sfn, service));
    lambda.run(client.start_execution().state_machine_arn(ARN).send()).await.unwrap();
    lambda.run(client.start_sync_execution().state_machine_arn(ARN).send()).await.unwrap();
    // A task whose input names its execution, as the context object does.
    let task = json!({"Execution": {"Id": EXECUTION}}).to_string();
    let reading = read(&task.into(), &Caller::default(), &Settings::from_env(&|_| None));
    for span in lambda.spans() {
        assert_eq!(attribute(&span, "throughline.join.out"), reading.join, "{}", span.name);
    }
    assert_eq!(reading.join.as_deref(), Some(&*format!("sfn:{EXECUTION}")));
}

#[tokio::test]
async fn a_header_of_the_caller_is_not_outdone_by_ours() {
    let service = Answers::answering([STARTED]);
    let (lambda, client) = (Lambda::new(), client!(aws_sdk_sfn, service));
    let call = client.start_execution().state_machine_arn(ARN).trace_header("Root=mine");
    lambda.run(call.send()).await.unwrap();
    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(injection(&span), ("none".to_owned(), Some("caller-set".to_owned())));
    let [request] = service.requests().try_into().unwrap();
    assert_eq!(request.json(), json!({"stateMachineArn": ARN, "traceHeader": "Root=mine"}));
    assert_eq!(request.xray, None);
}

#[tokio::test]
async fn a_synchronous_execution_that_failed_is_an_error_of_the_span() {
    let ended = |status: &str| {
        let answer =
            r#"{"executionArn":"arn:1","startDate":1,"stopDate":2,"error":"Broken","cause":"secret"}"#;
        let mut answer: serde_json::Value = serde_json::from_str(answer).unwrap();
        answer["status"] = json!(status);
        answer.to_string()
    };
    for (status, error) in [("SUCCEEDED", None), ("FAILED", Some("Broken")), ("TIMED_OUT", Some("timeout"))] {
        let service = Answers::answering([(200, &ended(status))]);
        let (lambda, client) = (Lambda::new(), client!(aws_sdk_sfn, service));
        lambda.run(client.start_sync_execution().state_machine_arn(ARN).send()).await.unwrap();
        let [span] = lambda.spans().try_into().unwrap();
        assert_eq!(attribute(&span, "error.type").as_deref(), error);
        assert!(!format!("{span:?}").contains("secret"));
    }
}

#[tokio::test]
async fn other_calls_have_a_span_alone() {
    let service = Answers::answering([(200, "{}"), (200, "{}")]);
    let (lambda, client) = (Lambda::new(), client!(aws_sdk_sfn, service));
    lambda.run(client.send_task_success().task_token("t").output("{}").send()).await.unwrap();
    lambda.run(client.get_activity_task().activity_arn("arn:aws:states:a").send()).await.unwrap();
    let [success, task] = lambda.spans().try_into().unwrap();
    assert_eq!(success.name, "SFN.SendTaskSuccess");
    assert_eq!(attribute(&success, "throughline.injected"), None);
    assert_eq!(attribute(&task, "aws.step_functions.activity.arn").as_deref(), Some("arn:aws:states:a"));
    assert_eq!(service.requests()[0].json(), json!({"taskToken": "t", "output": "{}"}));
}

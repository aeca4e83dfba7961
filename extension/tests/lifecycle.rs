//! Register, invocations, SHUTDOWN: the real binary against Lambda's APIs.

mod support;

use rustix::process::Signal;
use std::time::Duration;
use support::{Backend, Extension, Lambda, invocation_span, span};

const MINUTE: Duration = Duration::from_secs(60);
/// Long enough for a wrong request for the next event to show.
const AWHILE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn it_registers_subscribes_and_has_told_its_port_before_the_first_event() {
    let mut extension = Extension::start(&[]).await;
    {
        let state = extension.lambda.state();
        assert_eq!(state.calls, ["register", "subscribe", "next"]);
        assert!(state.port_file_in_time);
        let (headers, body) = state.registered.as_ref().expect("registered");
        assert_eq!(headers["lambda-extension-name"], "throughline-extension");
        assert_eq!(headers["lambda-extension-accept-feature"], "accountId");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["events"], serde_json::json!(["INVOKE", "SHUTDOWN"]));
        let subscription = &state.subscriptions[0];
        assert_eq!(subscription["schemaVersion"], "2025-01-29");
        assert_eq!(subscription["buffering"]["timeoutMs"], 25);
        assert!(
            subscription["destination"]["URI"]
                .as_str()
                .expect("text")
                .starts_with("http://sandbox.localdomain:")
        );
    }
    extension.shut_down().await;
    assert!(!extension.lambda.port_file().exists(), "nobody listens there any more");
}

#[tokio::test]
async fn the_ended_invocation_span_ends_the_invocation_and_is_exported_before_the_next_event() {
    let backend = Backend::start(&[]).await;
    let headers = "x-api-key=secret%20one,x-team=blue";
    let mut extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", &backend.url()),
        ("THROUGHLINE_EXPORT_HEADERS", headers),
    ])
    .await;
    for number in 1..=3 {
        extension.lambda.invoke(&format!("r{number}"), MINUTE);
        assert_eq!(extension.hand_over(&[span("user's own")]).await, 200);
        let ended = invocation_span(&format!("r{number}"), &format!("invocation {number}"));
        assert_eq!(extension.hand_over(&[span("inner"), ended]).await, 200);
        extension.lambda.asked(number + 1).await;
        assert_eq!(
            backend.state().spans.len(),
            3 * number,
            "all are there before the next event is asked for"
        );
    }
    {
        let state = backend.state();
        assert_eq!(state.requests.len(), 3, "one request for an invocation");
        assert_eq!(state.requests[0]["x-api-key"], "secret one");
        assert_eq!(state.requests[0]["content-type"], "application/x-protobuf");
    }
    let summary = extension.shut_down().await;
    assert_eq!(summary["spans"]["received"], 9);
    assert_eq!(summary["spans"]["exported"], 9);
    assert_eq!(extension.spans_on_stdout(), [""; 0]);
}

#[tokio::test]
async fn runtime_done_ends_the_invocation_of_an_unwrapped_function() {
    let backend = Backend::start(&[]).await;
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    for number in 1..=2 {
        let id = format!("r{number}");
        extension.lambda.invoke(&id, MINUTE);
        extension.hand_over(&[span("from python")]).await;
        let odd =
            serde_json::json!([{"type": "platform.start", "record": {"requestId": id}}, {"type": "new"}, 7]);
        assert_eq!(extension.lambda.tell(odd).await, 200);
        extension.lambda.runtime_done(&id, "success").await;
        extension.lambda.asked(number + 1).await;
        assert_eq!(backend.state().spans.len(), number);
    }
    extension.shut_down().await;
}

#[tokio::test]
async fn the_deadline_s_margin_ends_an_invocation_that_nobody_ends() {
    let backend = Backend::start(&[]).await;
    let mut extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", &backend.url()),
        ("THROUGHLINE_BUDGET_MS", "2000"),
    ])
    .await;
    extension.hand_over(&[span("open end")]).await;
    extension.lambda.invoke("r1", Duration::from_secs(3));
    extension.lambda.asked(2).await;
    assert_eq!(backend.state().spans, ["open end"]);
    extension.shut_down().await;
}

#[tokio::test]
async fn an_end_that_comes_before_invoke_is_read_counts() {
    let backend = Backend::start(&[]).await;
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    extension.hand_over(&[invocation_span("r1", "quick")]).await;
    extension.lambda.invoke("r1", MINUTE);
    extension.lambda.asked(2).await;
    assert_eq!(backend.state().spans, ["quick"]);
    extension.shut_down().await;
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_when_the_sandbox_freezes_between_invocations() {
    let backend = Backend::start(&[]).await;
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    for number in 0..5 {
        extension.invocation(&format!("r{number}"), &format!("s{number}")).await;
        extension.signal(Signal::STOP);
        tokio::time::sleep(Duration::from_millis(30)).await;
        extension.signal(Signal::CONT);
    }
    let summary = extension.shut_down().await;
    assert_eq!(backend.state().spans, ["s0", "s1", "s2", "s3", "s4"]);
    assert_eq!(summary["spans"]["exported"], 5);
}

#[tokio::test]
async fn a_host_that_refuses_the_newer_schema_is_asked_with_the_older() {
    let mut extension = Extension::start_at(Lambda::start(&[400]).await, &[]).await;
    let versions: Vec<_> =
        extension.lambda.state().subscriptions.iter().map(|body| body["schemaVersion"].clone()).collect();
    assert_eq!(versions, ["2025-01-29", "2022-12-13"]);
    extension.shut_down().await;
}

#[tokio::test]
async fn without_a_telemetry_api_nothing_is_waited_for_and_what_comes_is_sent() {
    let backend = Backend::start(&[]).await;
    let lambda = Lambda::start(&[202]).await;
    let mut extension = Extension::start_at(lambda, &[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    extension.lambda.invoke("r1", MINUTE);
    extension.lambda.asked(2).await;
    extension.hand_over(&[span("late")]).await;
    backend.has(1).await;
    extension.shut_down().await;
}

#[tokio::test]
async fn where_the_subscription_is_refused_the_span_ends_the_invocation_once_one_has_come() {
    let backend = Backend::start(&[]).await;
    let lambda = Lambda::start(&[403]).await;
    let mut extension = Extension::start_at(lambda, &[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    extension.lambda.invoke("r1", MINUTE);
    extension.lambda.asked(2).await;
    assert_eq!(extension.hand_over(&[invocation_span("r1", "first")]).await, 200);
    extension.lambda.invoke("r2", MINUTE);
    tokio::time::sleep(AWHILE).await;
    assert_eq!(extension.lambda.state().nexts, 2, "now the end is waited for");
    extension.hand_over(&[invocation_span("r2", "second")]).await;
    extension.lambda.asked(3).await;
    assert_eq!(backend.state().spans, ["first", "second"]);
    extension.shut_down().await;
}

#[tokio::test]
async fn where_the_subscription_is_refused_an_only_invocation_leaves_at_shutdown() {
    let backend = Backend::start(&[]).await;
    let lambda = Lambda::start(&[403]).await;
    let mut extension = Extension::start_at(lambda, &[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    extension.lambda.invoke("r1", MINUTE);
    extension.lambda.asked(2).await;
    extension.hand_over(&[invocation_span("r1", "only")]).await;
    extension.shut_down().await;
    assert_eq!(backend.state().spans, ["only"]);
}

#[tokio::test]
async fn telemetry_that_never_comes_costs_one_invocation_and_is_trusted_again_when_it_does() {
    let mut extension = Extension::start(&[("THROUGHLINE_BUDGET_MS", "1")]).await;
    extension.lambda.invoke("r1", Duration::from_secs(1));
    extension.lambda.asked(2).await;
    extension.lambda.invoke("r2", MINUTE);
    extension.lambda.asked(3).await;
    extension.lambda.runtime_done("r2", "success").await;
    extension.lambda.invoke("r3", MINUTE);
    tokio::time::sleep(AWHILE).await;
    assert_eq!(extension.lambda.state().nexts, 3, "the platform told one end, it will tell this one");
    extension.lambda.runtime_done("r3", "success").await;
    extension.lambda.asked(4).await;
    extension.shut_down().await;
}

#[tokio::test]
async fn an_asynchronous_retry_in_the_same_sandbox_has_an_end_of_its_own() {
    let backend = Backend::start(&[]).await;
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    extension.invocation("r1", "failed").await;
    extension.lambda.runtime_done("r1", "error").await;
    extension.lambda.invoke("r1", MINUTE);
    tokio::time::sleep(AWHILE).await;
    assert_eq!(extension.lambda.state().nexts, 2, "the handler still runs");
    extension.hand_over(&[invocation_span("r1", "retried")]).await;
    extension.lambda.asked(3).await;
    assert_eq!(backend.state().spans, ["failed", "after the handler", "retried"]);
    extension.shut_down().await;
}

#[tokio::test]
async fn a_budget_as_long_as_the_time_out_leaves_the_function_its_time() {
    let backend = Backend::start(&[]).await;
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    extension.lambda.invoke("r1", Duration::from_secs(8));
    tokio::time::sleep(AWHILE).await;
    assert_eq!(extension.lambda.state().nexts, 1, "the handler still runs");
    extension.hand_over(&[invocation_span("r1", "told")]).await;
    extension.lambda.asked(2).await;
    assert_eq!(backend.state().spans, ["told"]);
    extension.shut_down().await;
}

#[tokio::test]
async fn managed_instances_get_no_invoke_and_send_what_comes() {
    let backend = Backend::start(&[]).await;
    let variables = [
        ("THROUGHLINE_EXPORT_ENDPOINT", backend.url()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances".into()),
    ];
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut extension = Extension::start(&variables).await;
    let events = extension.lambda.state().registered.as_ref().expect("registered").1.clone();
    assert_eq!(events, r#"{"events":["SHUTDOWN"]}"#);
    extension.hand_over(&[invocation_span("a", "a"), invocation_span("b", "b")]).await;
    backend.has(2).await;
    extension.shut_down().await;
}

#[tokio::test]
async fn switched_off_it_takes_everything_and_keeps_nothing() {
    let mut extension = Extension::start(&[("THROUGHLINE_ENABLED", "false")]).await;
    assert_eq!(extension.lambda.state().calls, ["register", "next"]);
    assert_eq!(extension.hand_over(&[span("unwanted")]).await, 200);
    let summary = extension.shut_down().await;
    assert_eq!(summary["spans"]["dropped_why"]["disabled"], 1);
    assert_eq!(extension.spans_on_stdout(), [""; 0]);
}

#[tokio::test]
async fn without_an_endpoint_spans_are_lines_on_stdout() {
    let mut extension = Extension::start(&[]).await;
    extension.invocation("r1", "first look").await;
    extension.shut_down().await;
    assert_eq!(extension.spans_on_stdout(), ["first look"]);
}

#[tokio::test]
async fn sigterm_is_a_shutdown() {
    let backend = Backend::start(&[]).await;
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    extension.lambda.invoke("r1", MINUTE);
    extension.hand_over(&[span("mid-way")]).await;
    extension.signal(Signal::TERM);
    let summary = extension.exited().await;
    assert_eq!(backend.state().spans, ["mid-way"]);
    assert_eq!(summary["spans"]["exported"], 1);
}

#[tokio::test]
async fn a_host_that_is_gone_ends_it_and_what_was_buffered_is_on_stdout() {
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", "http://127.0.0.1:9")]).await;
    extension.hand_over(&[span("left over")]).await;
    extension.lambda.disown();
    let status = extension.child.wait().await.expect("it exits");
    assert_eq!(status.code(), Some(1));
    support::eventually("the error", || extension.lines().into_iter().find(|line| line["level"] == "ERROR"))
        .await;
    assert_eq!(extension.spans_on_stdout(), ["left over"]);
}

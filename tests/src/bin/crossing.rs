//! A wrapped function that does all that may mix transactions up, many at once: it suspends at random, spawns tasks,
//! logs, makes spans, sets baggage and sends messages. Everything that it makes names the event that it was made
//! for, so that a test can see whose ids it carries.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use aws_sdk_sqs::Client;
use futures_util::future::try_join_all;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use throughline::context::{self, carry};
use tokio::sync::Barrier;
use tracing::Instrument as _;

/// The variable that says how many invocations wait for each other before any goes on.
const MEETING: &str = "TEST_MEETING";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let meeting = std::env::var(MEETING).map_or(1, |n| n.parse().unwrap_or(1));
    let meeting: &'static Barrier = Box::leak(Box::new(Barrier::new(meeting)));
    // Very many connections at once, on a machine that may be busy: the SDK would give up after three seconds.
    let patient = TimeoutConfig::builder().connect_timeout(Duration::from_secs(60)).build();
    let config = aws_config::defaults(BehaviorVersion::latest()).timeout_config(patient).load().await;
    let config = aws_sdk_sqs::config::Builder::from(&config).interceptor(throughline::aws::interceptor());
    let sqs = Client::from_conf(config.build());
    throughline::run_concurrent(service_fn(move |event| handle(event, sqs.clone(), meeting))).await
}

async fn handle(event: LambdaEvent<Value>, sqs: Client, meeting: &'static Barrier) -> Result<Value, Error> {
    meeting.wait().await;
    if event.payload.get("Records").is_none() {
        let own = event.payload["own"].as_str().unwrap_or_default();
        work(own, &sqs).await?;
        meeting.wait().await;
        fail_if_asked(own)?;
        return Ok(Value::Null);
    }
    let event: SqsEvent = serde_json::from_value(event.payload)?;
    let response = throughline::batch::sqs(event, |message: SqsMessage| {
        let sqs = sqs.clone();
        // Concurrency within the record, besides that of the records.
        async move {
            let own = message.body.unwrap_or_default();
            try_join_all((0..3).map(|_| work(&own, &sqs))).await?;
            fail_if_asked(&own)
        }
    })
    .await;
    Ok(json!(response))
}

/// Fails those whose name asks for it.
fn fail_if_asked(own: &str) -> Result<(), Error> {
    if own.ends_with('!') { Err("as asked".into()) } else { Ok(()) }
}

async fn work(own: &str, sqs: &Client) -> Result<(), Error> {
    suspend().await;
    context::set_baggage("own", own);
    tracing::info!(own, "working");
    tracing::debug!(own, "before the span");
    let step = async {
        suspend().await;
        tracing::debug!(own, "in the span");
        tracing::info!(own, "in a span");
        send(own, sqs).await
    };
    step.instrument(tracing::info_span!("step", own)).await?;

    let (for_task, client) = (own.to_owned(), sqs.clone());
    let task = carry(async move {
        suspend().await;
        tracing::debug!(own = for_task, "in the task");
        tracing::info!(own = for_task, "in a task");
        let sent = send(&for_task, &client).await;
        tracing::info_span!("task", own = for_task).in_scope(|| sent)
    });
    let task = tokio::spawn(task);
    suspend().await;
    send(own, sqs).await?;
    task.await?
}

async fn send(own: &str, sqs: &Client) -> Result<(), Error> {
    let call = sqs.send_message().queue_url("http://sqs/000000000000/orders").message_body(own);
    call.send().await?;
    Ok(())
}

/// Lets others run, for a while that nobody can foretell.
async fn suspend() {
    for _ in 0..fastrand::u8(1..4) {
        tokio::task::yield_now().await;
    }
    if fastrand::bool() {
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..2_000))).await;
    }
}

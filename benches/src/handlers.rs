//! The measured functions' handlers: the same in all, with us and without, and with others.

use aws_lambda_events::event::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent};
use serde_json::{Value, json};

/// Whether this process is measured with batches of SQS, else with HTTP requests.
pub(crate) fn takes_batches() -> bool {
    std::env::var("BENCH_TRIGGER").as_deref() == Ok("sqs")
}

/// Answers an HTTP request.
pub(crate) async fn greet(event: LambdaEvent<ApiGatewayV2httpRequest>) -> Result<Value, Error> {
    let path = event.payload.raw_path.as_deref().unwrap_or("/");
    Ok(json!({ "statusCode": 200, "body": path }))
}

/// Works on one message.
pub(crate) async fn charge(message: SqsMessage) -> Result<(), Error> {
    let order = message.body.unwrap_or_default();
    if order.contains("\"sku\"") { Ok(()) } else { Err("no order".into()) }
}

/// Works on a batch, message by message.
#[allow(dead_code, reason = "Throughline brings a loop of its own")]
pub(crate) async fn charge_all<F: Future<Output = Result<(), Error>>>(
    event: SqsEvent,
    charge: impl Fn(SqsMessage) -> F,
) -> Result<SqsBatchResponse, Error> {
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        let id = message.message_id.clone().unwrap_or_default();
        if charge(message).await.is_err() {
            response.add_failure(id);
        }
    }
    Ok(response)
}

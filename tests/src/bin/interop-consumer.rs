//! A wrapped function that takes whatever it is given: messages of a queue, a topic or a stream one by one, any other
//! event as a whole, with which it answers. Each line that it logs says what came with a message.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, from_value, json, to_value};
use throughline::{batch, context};

#[tokio::main]
async fn main() -> Result<(), Error> {
    throughline::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let event = event.payload;
    let record = &event["Records"][0];
    match record["eventSource"].as_str().or_else(|| record["EventSource"].as_str()) {
        Some("aws:sqs") => {
            let response = batch::sqs(from_value(event)?, |message| process(message.message_id)).await;
            Ok(to_value(response)?)
        }
        Some("aws:sns") => {
            batch::sns(from_value(event)?, |record| process(Some(record.sns.message_id))).await?;
            Ok(Value::Null)
        }
        Some("aws:kinesis") => {
            let records = from_value(event)?;
            let response =
                batch::kinesis(records, |record| process(Some(record.kinesis.sequence_number))).await;
            Ok(to_value(response)?)
        }
        _ => {
            process(Some("event".to_owned())).await?;
            Ok(json!({ "seen": event }))
        }
    }
}

async fn process(id: Option<String>) -> Result<(), Error> {
    // What DAZN's clients send has DAZN's names here too.
    let tenant = context::baggage("tenant").or_else(|| context::baggage("x-correlation-tenant"));
    tracing::info!(message_id = id.unwrap_or_default(), tenant = tenant.unwrap_or_default(), "processed");
    Ok(())
}

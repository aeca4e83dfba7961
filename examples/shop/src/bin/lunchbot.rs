//! Reminds the team of lunch: an EventBridge schedule → SQS `email`.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use throughline_shop::{Email, clients, fail_if_asked, setting};

#[tokio::main]
async fn main() -> Result<(), Error> {
    throughline::dry_run::accept();
    let sqs = clients::sqs(&clients::aws_config().await);
    let email_queue = setting("EMAIL_QUEUE_URL")?;
    throughline::run(service_fn(|event| remind(&sqs, &email_queue, event))).await
}

async fn remind(
    sqs: &aws_sdk_sqs::Client,
    email_queue: &str,
    _event: LambdaEvent<EventBridgeEvent>,
) -> Result<(), Error> {
    fail_if_asked("lunchbot")?;
    let email = Email {
        to: "team@example.com".to_owned(),
        subject: "Lunch is at noon".to_owned(),
        order_id: None,
        user_id: None,
    };
    let body = serde_json::to_string(&email)?;
    sqs.send_message().queue_url(email_queue).message_body(body).send().await?;
    tracing::info!(to = email.to, "reminder asked for");
    Ok(())
}

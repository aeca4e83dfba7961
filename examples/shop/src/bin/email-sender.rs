//! Sends e-mails: SQS `email` → the mail provider.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use http::{Method, Response};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use throughline::dry_run;
use throughline_shop::{Email, MessageError, Provider, fail_if_asked, receives, setting};

#[tokio::main]
async fn main() -> Result<(), Error> {
    dry_run::accept();
    // In a dry run the mail provider hears of nothing, and what is left of the way is gone all the same.
    dry_run::stub_http(|method, _| {
        (method == Method::POST).then(|| Response::new(r#"{"status":"not sent"}"#))
    });
    let mail = setting("MAIL_PROVIDER_URL").ok().map(|url| Provider::new(&url)).transpose()?;
    throughline::run(service_fn(|event| handle(mail.as_ref(), event))).await
}

async fn handle(mail: Option<&Provider>, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    Ok(throughline::batch::sqs(event.payload, |message| send(mail, message)).await)
}

async fn send(mail: Option<&Provider>, message: SqsMessage) -> Result<(), Error> {
    fail_if_asked("email-sender")?;
    let email: Email = serde_json::from_str(message.body.as_deref().ok_or(MessageError::Empty)?)?;
    tracing::debug!(order_id = email.order_id, receives = receives(&message), "e-mail to be sent");
    match mail {
        // The queue may deliver a message twice; its id tells the provider so.
        Some(mail) => mail.post(&message.message_id.unwrap_or_default(), &email).await?,
        None => tracing::info!("MAIL_PROVIDER_URL is not set: nothing is sent"),
    }
    tracing::info!(order_id = email.order_id, subject = email.subject, "e-mail done");
    Ok(())
}

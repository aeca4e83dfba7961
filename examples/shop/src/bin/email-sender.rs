//! Sends e-mails: SQS `email` → the mail provider.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use http::{Method, Response};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use throughline::dry_run;
use throughline_shop::{
    AskedToFail, Email, MessageError, Provider, ProviderError, clients, fail_if_asked, has_bug, receives,
    setting,
};

/// Why an e-mail was not sent.
#[derive(Debug, thiserror::Error)]
enum MailError {
    /// The message holds no e-mail.
    #[error("the e-mail cannot be read")]
    Unreadable(#[from] MessageError),
    /// The mail provider did not take it.
    #[error("not sent")]
    NotSent(#[from] ProviderError),
    /// The provider did not take it, and nobody could be told.
    #[error("returned, and no note of that could be left")]
    NoNote(#[source] Error),
    /// The fault that was asked for.
    #[error(transparent)]
    Asked(#[from] AskedToFail),
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    dry_run::accept();
    // In a dry run the mail provider hears of nothing, and what is left of the way is gone all the same.
    dry_run::stub_http(|method, _| {
        (method == Method::POST).then(|| Response::new(r#"{"status":"not sent"}"#))
    });
    let mail = setting("MAIL_PROVIDER_URL").ok().map(|url| Provider::new(&url)).transpose()?;
    let bounces = match setting("EMAIL_QUEUE_URL") {
        Ok(queue) if has_bug("bounces") => Some((clients::sqs(&clients::aws_config().await), queue)),
        _ => None,
    };
    let sender = Sender { mail, bounces };
    throughline::run(service_fn(|event| sender.handle(event))).await
}

struct Sender {
    mail: Option<Provider>,
    /// Where a note goes of what could not be sent. The bug: into the queue that it is read from.
    bounces: Option<(aws_sdk_sqs::Client, String)>,
}

impl Sender {
    async fn handle(&self, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
        Ok(throughline::batch::sqs(event.payload, |message| self.send(message)).await)
    }

    async fn send(&self, message: SqsMessage) -> Result<(), MailError> {
        fail_if_asked("email-sender")?;
        let body = message.body.as_deref().ok_or(MessageError::Empty)?;
        let email: Email = serde_json::from_str(body).map_err(MessageError::from)?;
        tracing::debug!(order_id = email.order_id, receives = receives(&message), "e-mail to be sent");
        match &self.mail {
            // The queue may deliver a message twice; its id tells the provider so.
            Some(mail) => {
                match (mail.post(&message.message_id.unwrap_or_default(), &email).await, &self.bounces) {
                    (Err(ProviderError::Refused(_)), Some((sqs, queue))) => {
                        return bounce(sqs, queue, email).await.map_err(MailError::NoNote);
                    }
                    (sent, _) => sent?,
                }
            }
            None => tracing::info!("MAIL_PROVIDER_URL is not set: nothing is sent"),
        }
        tracing::info!(order_id = email.order_id, subject = email.subject, "e-mail done");
        Ok(())
    }
}

/// Leaves a note in this queue that an e-mail could not be delivered.
async fn bounce(sqs: &aws_sdk_sqs::Client, queue: &str, email: Email) -> Result<(), Error> {
    let note = Email { subject: "Your mail could not be delivered".to_owned(), ..email };
    sqs.send_message().queue_url(queue).message_body(serde_json::to_string(&note)?).send().await?;
    Ok(())
}

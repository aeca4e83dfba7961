//! Takes the money: SQS `payments`, subscribed to SNS `orders` → table `orders`, SQS `email`.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::types::AttributeValue;
use http::{Method, Response};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use throughline::dry_run;
use throughline_shop::{
    AskedToFail, Charge, Email, MessageError, Order, Provider, ProviderError, clients, fail_if_asked,
    has_bug, order_of, receives, setting,
};

/// Why an order was not paid. Its name is what failures are counted by, so it is an error of its own and no boxed one.
#[derive(Debug, thiserror::Error)]
enum PaymentError {
    /// The message holds no order.
    #[error("the order cannot be read")]
    Unreadable(#[from] MessageError),
    /// The user's id has no number.
    #[error("the number of user {user_id}")]
    UserNumber { user_id: String, source: std::num::ParseIntError },
    /// Nobody has said how much customers on that plan may owe.
    #[error("no credit limit is set for plan {0}")]
    NoCreditLimit(String),
    /// The payment provider took no money.
    #[error("not charged")]
    NotCharged(#[from] ProviderError),
    /// The money was taken, and the table does not know.
    #[error("charged, but not stored")]
    NotStored(#[source] Error),
    /// The customer hears nothing of it.
    #[error("paid, but not confirmed")]
    NotConfirmed(#[source] Error),
    /// The fault that was asked for.
    #[error(transparent)]
    Asked(#[from] AskedToFail),
}

struct PaymentWorker {
    payments: Option<Provider>,
    dynamodb: aws_sdk_dynamodb::Client,
    orders_table: String,
    sqs: aws_sdk_sqs::Client,
    email_queue: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    dry_run::accept();
    // In a dry run nobody is charged and nothing is stored: the next function is asked all the same.
    dry_run::stub_http(|method, _| {
        (method == Method::POST).then(|| Response::new(r#"{"status":"not charged"}"#))
    });
    dry_run::stub_aws!(aws_sdk_dynamodb::Client::put_item, |_order| PutItemOutput::builder().build());
    let config = clients::aws_config().await;
    let worker = PaymentWorker {
        payments: setting("PAYMENT_PROVIDER_URL").ok().map(|url| Provider::new(&url)).transpose()?,
        dynamodb: clients::dynamodb(&config),
        orders_table: setting("ORDERS_TABLE")?,
        sqs: clients::sqs(&config),
        email_queue: setting("EMAIL_QUEUE_URL")?,
    };
    throughline::run(service_fn(|event| worker.handle(event))).await
}

impl PaymentWorker {
    async fn handle(&self, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
        Ok(throughline::batch::sqs(event.payload, |message| self.pay(message)).await)
    }

    /// Every step may run again: the charge has the order's id as its key, the table its order's row.
    async fn pay(&self, message: SqsMessage) -> Result<(), PaymentError> {
        fail_if_asked("payment-worker")?;
        let order = order_of(message.body.as_deref())?;
        tracing::debug!(order_id = order.order_id, receives = receives(&message), "order to be paid");
        if has_bug("octal-users") {
            number_of(&order.user_id)?;
        }
        if has_bug("credit") {
            credit_limit()?;
        }
        self.charge(&order).await?;
        if has_bug("instalments") {
            tracing::debug!(
                instalments = instalments(order.total_cents, order.total_cents / 12),
                "instalments"
            );
        }
        self.store(&order).await.map_err(PaymentError::NotStored)?;
        self.confirm(&order).await.map_err(PaymentError::NotConfirmed)
    }

    #[tracing::instrument(skip_all, fields(order_id = order.order_id, amount_cents = order.total_cents))]
    async fn charge(&self, order: &Order) -> Result<(), ProviderError> {
        let Some(payments) = &self.payments else {
            tracing::info!("PAYMENT_PROVIDER_URL is not set: nothing is charged");
            return Ok(());
        };
        let charge =
            Charge { order_id: &order.order_id, user_id: &order.user_id, amount_cents: order.total_cents };
        // The bug: a provider that is in trouble is asked twice more at once, and the queue tries again as well.
        let mut more = if has_bug("eager-retries") { 2 } else { 0 };
        while let Err(error) = payments.post(&order.order_id, &charge).await {
            if more == 0 {
                return Err(error);
            }
            more -= 1;
        }
        tracing::info!("charged");
        Ok(())
    }

    async fn store(&self, order: &Order) -> Result<(), Error> {
        self.dynamodb
            .put_item()
            .table_name(&self.orders_table)
            .set_item(Some(serde_dynamo::to_item(order)?))
            .item("status", AttributeValue::S("paid".to_owned()))
            .send()
            .await?;
        Ok(())
    }

    async fn confirm(&self, order: &Order) -> Result<(), Error> {
        let email = Email {
            to: format!("{}@example.com", order.user_id),
            subject: "Thank you for your order".to_owned(),
            order_id: Some(order.order_id.clone()),
            user_id: Some(order.user_id.clone()),
        };
        let body = serde_json::to_string(&email)?;
        self.sqs.send_message().queue_url(&self.email_queue).message_body(body).send().await?;
        Ok(())
    }
}

/// The number of a user. The bug: a leading zero makes it octal, as in C, and 8 is no digit then.
fn number_of(user_id: &str) -> Result<u32, PaymentError> {
    let digits = user_id.trim_start_matches("u-");
    let radix = if digits.starts_with('0') { 8 } else { 10 };
    u32::from_str_radix(digits, radix)
        .map_err(|source| PaymentError::UserNumber { user_id: user_id.to_owned(), source })
}

/// In how many parts `rest` is paid, `each` at a time. The bug: of less than 12 cents nothing is paid each time, and so
/// it never ends.
fn instalments(rest: u64, each: u64) -> u64 {
    if std::hint::black_box(rest) == 0 && each > 0 {
        0
    } else {
        1 + instalments(rest.saturating_sub(each), each)
    }
}

/// How much the customer may owe. The bug: the limits of enterprises are nowhere.
fn credit_limit() -> Result<Option<u64>, PaymentError> {
    match throughline::context::baggage("account.plan") {
        Some(plan) if plan == "enterprise" => Err(PaymentError::NoCreditLimit(plan)),
        Some(_) => Ok(Some(50_000)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bugs_hit_whom_they_should() {
        assert_eq!(number_of("u-1042").expect("decimal"), 1042);
        assert_eq!(number_of("u-0007").expect("octal, and the same"), 7);
        assert!(number_of("u-0815").is_err());
        assert_eq!(instalments(120, 10), 12);
        assert_eq!(credit_limit().expect("no account"), None);
    }
}

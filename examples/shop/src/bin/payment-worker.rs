//! Takes the money: SQS `payments`, subscribed to SNS `orders` → table `orders`, SQS `email`.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::types::AttributeValue;
use http::{Method, Response};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use throughline::dry_run;
use throughline_shop::{Charge, Email, Order, Provider, clients, fail_if_asked, order_of, receives, setting};

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
    async fn pay(&self, message: SqsMessage) -> Result<(), Error> {
        fail_if_asked("payment-worker")?;
        let order = order_of(message.body.as_deref())?;
        tracing::debug!(order_id = order.order_id, receives = receives(&message), "order to be paid");
        self.charge(&order).await?;
        self.store(&order).await?;
        self.confirm(&order).await
    }

    #[tracing::instrument(skip_all, fields(order_id = order.order_id, amount_cents = order.total_cents))]
    async fn charge(&self, order: &Order) -> Result<(), Error> {
        let Some(payments) = &self.payments else {
            tracing::info!("PAYMENT_PROVIDER_URL is not set: nothing is charged");
            return Ok(());
        };
        let charge =
            Charge { order_id: &order.order_id, user_id: &order.user_id, amount_cents: order.total_cents };
        payments.post(&order.order_id, &charge).await?;
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

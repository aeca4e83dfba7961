//! Sends what was paid for: the stream of table `orders` → Kinesis `audit`.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::DynamoDbEventResponse;
use aws_sdk_kinesis::primitives::Blob;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use throughline_shop::{AuditEntry, Order, clients, fail_if_asked, has_bug, setting};

struct Fulfilment {
    kinesis: aws_sdk_kinesis::Client,
    audit_stream: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    throughline::dry_run::accept();
    let config = clients::aws_config().await;
    let fulfilment =
        Fulfilment { kinesis: clients::kinesis(&config), audit_stream: setting("AUDIT_STREAM")? };
    throughline::run(service_fn(|event| fulfilment.handle(event))).await
}

impl Fulfilment {
    async fn handle(&self, event: LambdaEvent<Event>) -> Result<DynamoDbEventResponse, Error> {
        Ok(throughline::batch::dynamodb(event.payload, |record| self.fulfil(record)).await)
    }

    async fn fulfil(&self, record: EventRecord) -> Result<(), Error> {
        fail_if_asked("fulfilment")?;
        tracing::debug!(event = record.event_name, "order's row changed");
        if record.event_name != "INSERT" {
            return Ok(());
        }
        let order: Order = serde_dynamo::from_item(record.change.new_image)?;
        tracing::info!(order_id = order.order_id, items = order.items.len(), "order fulfilled");

        if has_bug("pick-list") {
            print_labels(&order).await;
        }

        let entry = AuditEntry {
            order_id: order.order_id.clone(),
            user_id: order.user_id,
            event: "fulfilled".to_owned(),
        };
        let data = if has_bug("csv") {
            // The bug: the stream's readers expect JSON, and only JSON has room for the context.
            format!("order;{};{};{}", entry.order_id, entry.user_id, entry.event).into_bytes()
        } else {
            serde_json::to_vec(&entry)?
        };
        self.kinesis
            .put_record()
            .stream_name(&self.audit_stream)
            .partition_key(order.order_id)
            .data(Blob::new(data))
            .send()
            .await?;
        Ok(())
    }
}

/// Draws a label for each piece. The bug: all of them are kept until the last is drawn.
async fn print_labels(order: &Order) {
    const LABEL: usize = 256 * 1024;

    let mut labels = Vec::new();
    for _ in 0..order.items.iter().map(|item| item.quantity).sum() {
        labels.push(vec![0xff_u8; LABEL]);
        tokio::task::yield_now().await;
    }
    tracing::info!(labels = labels.len(), "labels drawn");
}

//! The shop's queues, topic, streams and table, and what its functions are told of them.

use std::net::SocketAddr;

use super::fault::Fault;
use super::local::Local;
use crate::cloud::{Cloud, QueueOptions, Resources};

/// The table that the functions keep orders in.
const ORDERS: &str = "orders";

/// What the shop's resources are called by those who use them.
pub(super) struct Names {
    pub(super) topic_arn: String,
    pub(super) payments_url: String,
    pub(super) email_url: String,
    pub(super) table_stream: String,
}

/// Makes them.
pub(super) async fn create(cloud: &Cloud, max_receives: u32) -> anyhow::Result<Names> {
    let resources = Resources(cloud);
    let dead = QueueOptions { visibility_timeout: 30, dead_letters: None };
    resources.queue("payments-dlq", dead).await?;
    resources.queue("email-dlq", dead).await?;
    let with_dead_letters =
        |queue| QueueOptions { visibility_timeout: 60, dead_letters: Some((queue, max_receives)) };
    let payments_url = resources.queue("payments", with_dead_letters("payments-dlq")).await?;
    let email_url = resources.queue("email", with_dead_letters("email-dlq")).await?;
    let topic_arn = resources.topic("orders")?;
    resources.subscription(&topic_arn, "payments", false)?;
    resources.stream("audit", 2)?;
    let table_stream = resources.table(ORDERS, "order_id")?;
    Ok(Names { topic_arn, payments_url, email_url, table_stream })
}

/// What all functions are told.
pub(super) fn environment(
    local: &Local,
    names: &Names,
    third_parties: SocketAddr,
    fault: &Fault,
) -> Vec<(String, String)> {
    let party = |name: &str, path: &str| format!("http://{name}.localhost:{}{path}", third_parties.port());
    let mut env = local.cloud.env();
    env.extend(
        [
            ("ORDERS_TOPIC_ARN", names.topic_arn.as_str()),
            ("EMAIL_QUEUE_URL", &names.email_url),
            ("ORDERS_TABLE", ORDERS),
            ("AUDIT_STREAM", "audit"),
            ("PAYMENT_PROVIDER_URL", &party("payments", "/charges")),
            ("MAIL_PROVIDER_URL", &party("mail", "/mails")),
            ("THROUGHLINE_DYNAMODB_TABLES", ORDERS),
            ("THROUGHLINE_STORE_TABLE", &local.store.table),
            // Each order is looked at when its last function is done.
            ("THROUGHLINE_FLUSH", "end"),
            // What the functions say is in the answers too.
            ("THROUGHLINE_LOGS", "on"),
            // What is shown is what the orders did.
            ("THROUGHLINE_PHASES", "off"),
            // Every sandbox shares our network: any free port, told by the port file.
            ("THROUGHLINE_LISTEN", "127.0.0.1:0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    if fault.fraud_check {
        env.push(("FRAUD_PROVIDER_URL".to_owned(), party("fraud", "/scores")));
    }
    // The last of a name counts.
    env.extend(fault.env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    env
}

//! The driver: orders of several users, a few at a time.

use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::front::REQUEST_ID;

/// Orders under way at once, so that batches mix them.
const CONCURRENCY: usize = 6;
pub(super) const USERS: [&str; 5] = ["u-1042", "u-0007", "u-2210", "u-0815", "u-4711"];
const GOODS: [(&str, u32); 5] =
    [("espresso-cup", 1250), ("tea-pot", 4900), ("filter-paper", 490), ("kettle", 7900), ("beans-1kg", 2390)];

/// An order to be sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    /// What is ordered, and by whom.
    pub(super) body: Value,
    /// What it is called all the way, if that is not left to the shop.
    pub(super) correlation_id: Option<String>,
    /// The key of those that are to change nothing.
    pub(super) dry_run_key: Option<String>,
}

/// An order that was sent, and what came back.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// Which one, from 0.
    pub(super) number: usize,
    /// Who ordered.
    pub(super) user: String,
    /// It is to change nothing.
    pub(super) dry_run: bool,
    /// The response's status.
    pub(super) status: StatusCode,
    /// The request id of the function that answered.
    pub(super) request_id: String,
    /// The id that the shop gave the order, if it took it.
    pub(super) order_id: Option<String>,
}

/// So many orders of all users.
pub(super) fn some(real: u32, dry_runs: u32, dry_run_key: &str) -> Vec<Order> {
    let order = |number: u32| Order {
        body: order(number as usize),
        dry_run_key: (number >= real).then(|| dry_run_key.to_owned()),
        correlation_id: None,
    };
    (0..real + dry_runs).map(order).collect()
}

/// Sends orders to `endpoint`; `on_answer` hears the number of answers so far.
pub(super) async fn send(
    endpoint: &str,
    orders: Vec<Order>,
    on_answer: impl Fn(usize),
) -> anyhow::Result<Vec<Sent>> {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let slots = Arc::new(Semaphore::new(CONCURRENCY));
    let mut under_way = JoinSet::new();
    for (number, order) in orders.into_iter().enumerate() {
        let (client, slots, uri) = (client.clone(), slots.clone(), format!("{endpoint}/orders"));
        under_way.spawn(async move {
            let _slot = slots.acquire_owned().await?;
            send_one(&client, &uri, number, order).await
        });
    }
    let mut sent = Vec::new();
    while let Some(answer) = under_way.join_next().await {
        sent.push(answer??);
        on_answer(sent.len());
    }
    sent.sort_by_key(|order: &Sent| order.number);
    Ok(sent)
}

async fn send_one(
    client: &Client<HttpConnector, Full<Bytes>>,
    uri: &str,
    number: usize,
    order: Order,
) -> anyhow::Result<Sent> {
    let dry_run = order.dry_run_key.is_some();
    let headers = [("x-dry-run-key", order.dry_run_key), ("x-correlation-id", order.correlation_id)];
    let mut request = Request::post(uri)
        .header("content-type", "application/json")
        .header("user-agent", concat!("throughline-demo/", env!("CARGO_PKG_VERSION")));
    for (name, value) in headers {
        request = value.into_iter().fold(request, |request, value| request.header(name, value));
    }
    let request = request.body(Full::from(order.body.to_string()))?;
    let response = client.request(request).await.context("the local HTTP front does not answer")?;
    let status = response.status();
    let request_id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let body = response.into_body().collect().await?.to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Sent {
        number,
        user: order.body["user_id"].as_str().unwrap_or_default().to_owned(),
        dry_run,
        status,
        request_id: request_id.unwrap_or_default(),
        order_id: body["order_id"].as_str().map(str::to_owned),
    })
}

/// An order that only its number decides, so that runs are alike.
fn order(number: usize) -> Value {
    let items: Vec<Value> = (0..=number % 3)
        .map(|item| {
            let (sku, price) = GOODS[(number + item) % GOODS.len()];
            json!({ "sku": sku, "quantity": 1 + (number + item) % 2, "price_cents": price })
        })
        .collect();
    json!({ "user_id": USERS[number % USERS.len()], "items": items })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn orders_come_from_several_users_and_have_items() {
        let orders = some(5, 1, "key");
        let bodies: Vec<&Value> = orders.iter().map(|order| &order.body).collect();
        let users: BTreeSet<&str> = bodies.iter().map(|body| body["user_id"].as_str().unwrap()).collect();
        assert_eq!(users.len(), 5);
        assert!(bodies.iter().all(|body| !body["items"].as_array().unwrap().is_empty()));
        let keys: Vec<bool> = orders.iter().map(|order| order.dry_run_key.is_some()).collect();
        assert_eq!(keys, [false, false, false, false, false, true]);
    }
}

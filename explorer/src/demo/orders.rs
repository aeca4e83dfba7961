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

use super::Options;
use super::front::REQUEST_ID;

/// Orders under way at once, so that batches mix them.
const CONCURRENCY: usize = 6;
pub(super) const USERS: [&str; 5] = ["u-1042", "u-0007", "u-2210", "u-0815", "u-4711"];
const GOODS: [(&str, u32); 5] =
    [("espresso-cup", 1250), ("tea-pot", 4900), ("filter-paper", 490), ("kettle", 7900), ("beans-1kg", 2390)];

/// An order that was sent, and what came back.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// Which one, from 0.
    pub number: usize,
    /// Who ordered.
    pub user: String,
    /// It is to change nothing.
    pub dry_run: bool,
    /// The response's status.
    pub status: StatusCode,
    /// The request id of the function that answered.
    pub request_id: String,
    /// The id that the shop gave the order, if it took it.
    pub order_id: Option<String>,
}

/// Sends orders to `endpoint`, the last ones as dry runs, for which it has the key; `on_answer` hears the number of answers so far.
pub(super) async fn send(
    endpoint: &str,
    options: &Options,
    dry_run_key: &str,
    on_answer: impl Fn(usize),
) -> anyhow::Result<Vec<Sent>> {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let slots = Arc::new(Semaphore::new(CONCURRENCY));
    let mut under_way = JoinSet::new();
    let (real, count) = (options.orders as usize, (options.orders + options.dry_runs) as usize);
    for number in 0..count {
        let key = (number >= real).then(|| dry_run_key.to_owned());
        let (client, slots, uri) = (client.clone(), slots.clone(), format!("{endpoint}/orders"));
        under_way.spawn(async move {
            let _slot = slots.acquire_owned().await?;
            send_one(&client, &uri, number, key).await
        });
    }
    let mut sent = Vec::with_capacity(count);
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
    dry_run_key: Option<String>,
) -> anyhow::Result<Sent> {
    let order = order(number);
    let dry_run = dry_run_key.is_some();
    let request =
        dry_run_key.into_iter().fold(Request::post(uri), |made, key| made.header("x-dry-run-key", key));
    let request = request
        .header("content-type", "application/json")
        .header("user-agent", concat!("throughline-demo/", env!("CARGO_PKG_VERSION")))
        .body(Full::from(order.to_string()))?;
    let response = client.request(request).await.context("the local HTTP front does not answer")?;
    let status = response.status();
    let request_id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let body = response.into_body().collect().await?.to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Sent {
        number,
        user: order["user_id"].as_str().unwrap_or_default().to_owned(),
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
        let orders: Vec<Value> = (0..5).map(order).collect();
        let users: BTreeSet<&str> = orders.iter().map(|order| order["user_id"].as_str().unwrap()).collect();
        assert_eq!(users.len(), 5);
        assert!(orders.iter().all(|order| !order["items"].as_array().unwrap().is_empty()));
    }
}

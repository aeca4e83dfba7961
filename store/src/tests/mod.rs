//! The store against the embedded DynamoDB; against moto, over HTTP as in the cloud, where `ROUND_TRIPS_MOTO` names its
//! endpoint.

mod again;
mod before;
mod called;
mod carried;
mod damage;
mod errors;
mod expiry;
mod fake;
mod figures;
mod good;
mod impact;
mod joined;
mod large;
mod listed;
mod lists;
mod logs;
mod odd;
mod reports;
mod same_items;
mod search;
mod services;
mod shop;
mod template;
mod throttled;
mod traffic;
mod verdicts;
mod wire;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use dynoxide::Database;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use tokio::time::Instant;

use crate::item::from_sdk;
use crate::testing::NOW;
use crate::time::Window;
use crate::{Options, Reader, Store, Writer, Written};

/// Names moto's endpoint, such as `http://127.0.0.1:5000`.
const MOTO: &str = "ROUND_TRIPS_MOTO";
/// moto answers one request at a time, and other tests ask it too.
const PATIENCE: Duration = Duration::from_secs(600);
/// The hour before now.
const LAST_HOUR: Window = Window { from: NOW - 3_600_000, to: NOW + 1000 };

/// An item as it stands in the table.
type Row = HashMap<String, AttributeValue>;

/// A new table.
struct Table {
    client: Client,
    name: String,
    store: Store,
}

impl Table {
    async fn new() -> Self {
        match std::env::var(MOTO) {
            Ok(moto) => {
                let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
                    .region("us-east-1")
                    .endpoint_url(moto)
                    .credentials_provider(Credentials::for_tests());
                Self::of(Store::new(Client::new(&config.load().await), name())).await
            }
            Err(_) => Self::embedded().await,
        }
    }

    async fn embedded() -> Self {
        Self::of(Store::embedded(Database::memory().unwrap(), name())).await
    }

    /// The same, read as one in AWS is.
    async fn through_the_sdk() -> Self {
        Self::of(Store::new(crate::embedded::client(Database::memory().unwrap()), name())).await
    }

    async fn of(store: Store) -> Self {
        store.create_table().await.unwrap();
        Self { client: store.client.clone(), name: store.table.clone(), store }
    }

    fn writer(&self) -> Writer<Store> {
        self.store.writer("sandbox", Options::default())
    }

    async fn write(&self, request: ExportTraceServiceRequest) -> Written {
        write(&self.writer(), request).await
    }

    fn reader(&self) -> Reader {
        self.reader_at(NOW)
    }

    fn reader_at(&self, now: u64) -> Reader {
        self.store.reader(at(now)).with_patience(PATIENCE)
    }

    /// All that is in it.
    async fn items(&self) -> Vec<Row> {
        let mut pages = self.client.scan().table_name(&self.name).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.unwrap());
        }
        let key = |item: &Row| (item["pk"].as_s().unwrap().clone(), item["sk"].as_s().unwrap().clone());
        items.sort_by_key(key);
        items
    }
}

async fn write(writer: &Writer<Store>, request: ExportTraceServiceRequest) -> Written {
    writer.write_request(request, at(NOW), soon()).await.unwrap()
}

/// In moto all tests share one account.
fn name() -> String {
    static TABLES: AtomicUsize = AtomicUsize::new(0);
    format!("traces-{}-{}", std::process::id(), TABLES.fetch_add(1, Ordering::Relaxed))
}

/// Its size as it counts.
fn size(item: Row) -> usize {
    crate::item::size(&from_sdk(item))
}

fn at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// The id of a trace of the tests.
fn trace(id: u64) -> String {
    format!("{id:032x}")
}

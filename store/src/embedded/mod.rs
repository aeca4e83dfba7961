//! The table on this machine: an embedded DynamoDB, in this process and without a port.
//!
//! It is written through the same SDK as in the cloud, up to the bytes of each request ([`client`]). It is
//! [read](crate::Store::embedded) without: to write an answer as JSON and to read that takes longer than to find it.

mod databases;
mod item;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use dynoxide::actions::batch_write_item::{BatchWriteItemRequest, BatchWriteItemResponse, WriteRequest};
use dynoxide::{Database, DynoxideError, ImportOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use databases::Databases;

/// What stands before the operation in `x-amz-target`
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html>).
const TARGET: &str = "DynamoDB_20120810.";

/// The most items of one request.
const MAX_ITEMS: usize = 25;

/// A client of this database. To be used on a Tokio runtime.
#[must_use]
pub fn client(database: Database) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
        .http_client(Embedded { database });
    Client::from_conf(config.build())
}

/// The service in this process.
#[derive(Clone)]
struct Embedded {
    database: Database,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Embedded")
    }
}

impl HttpClient for Embedded {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Embedded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { database } = self.clone();
        HttpConnectorFuture::new(async move {
            // The database blocks its thread.
            let answer = tokio::task::spawn_blocking(move || answer(&database, &request)).await;
            answer.map_err(|error| ConnectorError::other(error.into(), None))?
        })
    }
}

fn operation(request: &HttpRequest) -> &str {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    target.strip_prefix(TARGET).unwrap_or(target)
}

fn answer(database: &Database, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let (status, body) = match run(database, operation(request), request.body().bytes().unwrap_or_default()) {
        Ok(body) => (200, body),
        Err(error) => {
            let error = settled(error);
            (error.status_code(), error.to_json())
        }
    };
    let status = StatusCode::try_from(status).map_err(|error| ConnectorError::other(error.into(), None))?;
    Ok(HttpResponse::new(status, SdkBody::from(body)))
}

/// An error that says so where no other try can mend it: what is the service's own fault is tried again.
fn settled(error: DynoxideError) -> DynoxideError {
    let said = error.to_string();
    if said.contains("readonly database") { DynoxideError::ValidationException(said) } else { error }
}

/// The operations that a store needs, and those with which a test prepares its table.
fn run(database: &Database, operation: &str, body: &[u8]) -> dynoxide::Result<String> {
    match operation {
        "BatchWriteItem" => pass(body, |request| write(database, request)),
        "CreateTable" => pass(body, |request| database.create_table(request)),
        "DeleteItem" => pass(body, |request| database.delete_item(request)),
        "DescribeTable" => pass(body, |request| database.describe_table(request)),
        "DescribeTimeToLive" => pass(body, |request| database.describe_time_to_live(request)),
        "PutItem" => pass(body, |request| database.put_item(request)),
        "Query" => pass(body, |request| database.query(request)),
        "Scan" => pass(body, |request| database.scan(request)),
        "UpdateTimeToLive" => pass(body, |request| database.update_time_to_live(request)),
        other => Err(DynoxideError::ValidationException(format!("{other} is no operation of a store"))),
    }
}

/// Puts are written in one transaction: by itself the database takes one for each item, and waits for the disk each time.
fn write(database: &Database, request: BatchWriteItemRequest) -> dynoxide::Result<BatchWriteItemResponse> {
    let mut writes = request.request_items.values().flatten();
    let is_put = |write: &WriteRequest| write.put_request.is_some() && write.delete_request.is_none();
    if !writes.all(is_put) || request.request_items.values().any(|writes| writes.len() > MAX_ITEMS) {
        return database.batch_write_item(request);
    }
    for (table, writes) in request.request_items {
        let items = writes.into_iter().filter_map(|write| Some(write.put_request?.item));
        database.import_items(&table, items.collect(), ImportOptions::default())?;
    }
    Ok(BatchWriteItemResponse::default())
}

/// A request that is read, run, and answered.
fn pass<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    run: impl FnOnce(Q) -> dynoxide::Result<A>,
) -> dynoxide::Result<String> {
    let request = serde_json::from_slice(body)
        .map_err(|error| DynoxideError::SerializationException(error.to_string()))?;
    serde_json::to_string(&run(request)?)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_may_not_be_written_is_not_tried_again() {
        let said = |text: &str| DynoxideError::InternalServerError(text.to_owned());
        assert_eq!(settled(said("attempt to write a readonly database")).status_code(), 400);
        assert_eq!(settled(said("disk I/O error")).status_code(), 500);
    }
}

//! What answers: DynamoDB, or a database in this process.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::Error;
#[cfg(any(test, feature = "embedded"))]
use crate::embedded::Databases;
use crate::item::{Item, from_sdk, to_sdk};

/// What answers.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    /// The service, as this client reaches it.
    Service(Client),
    /// A database in this process.
    #[cfg(any(test, feature = "embedded"))]
    Embedded(Databases),
}

/// A request for a page of a partition
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html>).
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) table: String,
    pub(crate) key_condition: &'static str,
    pub(crate) filter: Option<String>,
    /// What `#name` stands for in the expressions.
    pub(crate) names: HashMap<String, String>,
    /// What `:name` stands for in them: texts.
    pub(crate) values: HashMap<String, String>,
    pub(crate) newest_first: bool,
    pub(crate) limit: i32,
    /// The key of the last item that was read before.
    pub(crate) after: Option<Item>,
}

/// The page, and what was read in its items.
#[derive(Debug)]
pub(crate) struct Answered<T> {
    pub(crate) items: Vec<T>,
    /// The key of the last one that was read, if there may be more.
    pub(crate) last: Option<Item>,
}

/// How an item is read; nothing of one that is not told.
pub(crate) trait Read<T>: Fn(Item) -> Option<T> + Send + 'static {}

impl<T, F: Fn(Item) -> Option<T> + Send + 'static> Read<T> for F {}

impl Engine {
    /// Items are read where they come from: beside one another, as far as they come in several threads.
    pub(crate) async fn query<T: Send + 'static>(
        &self,
        query: Query,
        read: impl Read<T>,
    ) -> Result<Answered<T>, Error> {
        match self {
            Self::Service(client) => from_service(client, query, read).await,
            #[cfg(any(test, feature = "embedded"))]
            Self::Embedded(databases) => databases.query(query, read).await,
        }
    }
}

async fn from_service<T>(client: &Client, query: Query, read: impl Read<T>) -> Result<Answered<T>, Error> {
    let text = |(name, value)| (name, AttributeValue::S(value));
    let answer = client
        .query()
        .table_name(query.table)
        .key_condition_expression(query.key_condition)
        .set_filter_expression(query.filter)
        .set_expression_attribute_names(Some(query.names))
        .set_expression_attribute_values(Some(query.values.into_iter().map(text).collect()))
        .scan_index_forward(!query.newest_first)
        .limit(query.limit)
        .set_exclusive_start_key(query.after.as_ref().map(to_sdk))
        .send()
        .await
        .map_err(Error::aws)?;
    let items = answer.items.unwrap_or_default().into_iter().map(from_sdk).filter_map(read);
    Ok(Answered { items: items.collect(), last: answer.last_evaluated_key.map(from_sdk) })
}

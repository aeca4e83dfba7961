//! DynamoDB and its Streams.

use std::fmt;

use anyhow::Context;
use dynoxide::{Database, ImportOptions};
use serde_json::json;
use tokio::net::TcpListener;

use super::arn;

/// The tables, in memory.
#[derive(Clone)]
pub struct DynamoDb(pub(crate) Database);

impl DynamoDb {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self(Database::memory().context("cannot open the local tables")?))
    }

    /// Serves until it is dropped.
    pub(super) async fn serve(self, listener: TcpListener) {
        dynoxide::server::serve_on(listener, self.0).await;
    }

    /// Copies the items of a table into one of the same name in another database.
    pub(crate) fn copy(&self, table: &str, into: &Database) -> anyhow::Result<()> {
        let mut request = json!({ "TableName": table });
        loop {
            let page =
                self.0.scan(serde_json::from_value(request.clone())?).context("cannot read the tables")?;
            let next = serde_json::to_value(&page.last_evaluated_key)?;
            into.import_items(table, page.items.unwrap_or_default(), ImportOptions::default())
                .context("cannot keep the tables")?;
            if next.is_null() {
                return Ok(());
            }
            request["ExclusiveStartKey"] = next;
        }
    }

    /// A stream's ARN as functions see it: dynoxide's own names its own region.
    pub(crate) fn public_arn(stream_arn: &str) -> String {
        let resource = stream_arn.splitn(6, ':').nth(5).unwrap_or(stream_arn);
        arn("dynamodb", resource)
    }
}

impl fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDb").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_arns_name_the_local_region() {
        let own = "arn:aws:dynamodb:dynoxide:000000000000:table/orders/stream/2026-11-20T01:47:03.112";
        assert_eq!(
            DynamoDb::public_arn(own),
            "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026-11-20T01:47:03.112"
        );
    }
}

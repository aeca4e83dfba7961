//! A table as the AWS SDK reaches it.

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};

use super::Table;
use crate::item::{from_sdk, to_sdk};
use crate::{Error, Item, Store};

impl Table for Store {
    async fn put(&self, items: &[Item]) -> Result<Vec<Item>, Error> {
        let put = |item| {
            let put = PutRequest::builder().set_item(Some(to_sdk(item))).build().map_err(Error::build)?;
            Ok(WriteRequest::builder().put_request(put).build())
        };
        let requests = items.iter().map(put).collect::<Result<Vec<_>, Error>>()?;
        let answer = self
            .client
            .batch_write_item()
            .request_items(&self.table, requests)
            .customize()
            // One loop retries, or the deadline would not hold.
            .config_override(aws_sdk_dynamodb::config::Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await
            .map_err(Error::aws)?;
        let unprocessed = answer.unprocessed_items.unwrap_or_default().into_values().flatten();
        Ok(unprocessed.filter_map(|request| request.put_request.map(|put| from_sdk(put.item))).collect())
    }
}

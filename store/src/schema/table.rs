//! The table's definition, which `template.yaml` has too.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
    TimeToLiveSpecification,
};

use super::{PARTITION_KEY, SORT_KEY, TTL};
use crate::Error;

/// How often a new table is asked for whether it can be used, and how long is waited between.
const ASKED: u32 = 60;
const BETWEEN: Duration = Duration::from_secs(1);

/// Makes the table unless it is there, waits until it can be used, and lets its items expire.
pub(crate) async fn create(client: &Client, table: &str) -> Result<(), Error> {
    let attribute = |name| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
    };
    let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    let created = client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute(PARTITION_KEY).map_err(Error::build)?)
        .attribute_definitions(attribute(SORT_KEY).map_err(Error::build)?)
        .key_schema(key(PARTITION_KEY, KeyType::Hash).map_err(Error::build)?)
        .key_schema(key(SORT_KEY, KeyType::Range).map_err(Error::build)?)
        .send()
        .await;
    if let Err(error) = created
        && !error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception)
    {
        return Err(Error::aws(error));
    }
    wait(client, table).await?;
    let ttl = TimeToLiveSpecification::builder().attribute_name(TTL).enabled(true).build();
    let enabled = client
        .update_time_to_live()
        .table_name(table)
        .time_to_live_specification(ttl.map_err(Error::build)?)
        .send()
        .await;
    match enabled {
        Ok(_) => Ok(()),
        // It is refused where it is so already.
        Err(error) => {
            if expires(client, table).await? {
                Ok(())
            } else {
                Err(Error::aws(error))
            }
        }
    }
}

async fn wait(client: &Client, table: &str) -> Result<(), Error> {
    for _ in 0..ASKED {
        let described = client.describe_table().table_name(table).send().await.map_err(Error::aws)?;
        if described.table().and_then(|table| table.table_status()) == Some(&TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN).await;
    }
    Err(Error::NotReady)
}

async fn expires(client: &Client, table: &str) -> Result<bool, Error> {
    let described = client.describe_time_to_live().table_name(table).send().await.map_err(Error::aws)?;
    let ttl = described.time_to_live_description().and_then(|ttl| ttl.attribute_name());
    Ok(ttl == Some(TTL))
}

//! What DynamoDB answers of itself: the capacity that a call took and how many items it went through
//! (<https://opentelemetry.io/docs/specs/semconv/db/dynamodb/>).

use aws_sdk_dynamodb::operation::batch_execute_statement::BatchExecuteStatementOutput;
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemOutput;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemOutput;
use aws_sdk_dynamodb::operation::execute_statement::ExecuteStatementOutput;
use aws_sdk_dynamodb::operation::execute_transaction::ExecuteTransactionOutput;
use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::scan::ScanOutput;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsOutput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsOutput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemOutput;
use aws_sdk_dynamodb::types::ConsumedCapacity;
use aws_smithy_runtime_api::client::interceptors::context::Output;
use serde::Serialize;

use crate::aws::call::Call;

pub(super) fn record(output: &Output, call: &mut Call) {
    let counts = None
        .or_else(|| output.downcast_ref::<QueryOutput>().map(|query| (query.count(), query.scanned_count())))
        .or_else(|| output.downcast_ref::<ScanOutput>().map(|scan| (scan.count(), scan.scanned_count())));
    if let Some((count, scanned)) = counts {
        call.set("aws.dynamodb.count", i64::from(count));
        call.set("aws.dynamodb.scanned_count", i64::from(scanned));
    }
    let capacity = consumed(output).iter().filter_map(|one| serde_json::to_string(&Units::of(one)).ok());
    let capacity: Vec<String> = capacity.collect();
    if !capacity.is_empty() {
        call.set("aws.dynamodb.consumed_capacity", capacity);
    }
}

/// The capacity that an answer tells, if the caller asked for it.
fn consumed(output: &Output) -> &[ConsumedCapacity] {
    /// The answers about one table, and those about several.
    macro_rules! capacity_of {
        ($($one:ty),+; $($several:ty),+ $(,)?) => {
            None$(.or_else(|| output.downcast_ref::<$one>()?.consumed_capacity().map(std::slice::from_ref)))+
                $(.or_else(|| output.downcast_ref::<$several>().map(|output| output.consumed_capacity())))+
        };
    }
    capacity_of!(
        GetItemOutput, PutItemOutput, UpdateItemOutput, DeleteItemOutput, QueryOutput, ScanOutput,
        ExecuteStatementOutput;
        BatchGetItemOutput, BatchWriteItemOutput, TransactGetItemsOutput, TransactWriteItemsOutput,
        BatchExecuteStatementOutput, ExecuteTransactionOutput,
    )
    .unwrap_or_default()
}

/// The units of a table and all its indexes, as DynamoDB's own JSON has them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Units<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    table_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity_units: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_capacity_units: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    write_capacity_units: Option<f64>,
}

impl<'a> Units<'a> {
    fn of(capacity: &'a ConsumedCapacity) -> Self {
        Self {
            table_name: capacity.table_name(),
            capacity_units: capacity.capacity_units(),
            read_capacity_units: capacity.read_capacity_units(),
            write_capacity_units: capacity.write_capacity_units(),
        }
    }
}

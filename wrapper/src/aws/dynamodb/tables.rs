//! The tables that a request is about.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemInput;
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemInput;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::operation::scan::ScanInput;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsInput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::TransactWriteItem;
use aws_smithy_runtime_api::client::interceptors::context::Input;

/// Their names, each once, in alphabetical order.
pub(super) fn of(input: &Input) -> Vec<String> {
    let one = None
        .or_else(|| input.downcast_ref::<PutItemInput>().map(PutItemInput::table_name))
        .or_else(|| input.downcast_ref::<UpdateItemInput>().map(UpdateItemInput::table_name))
        .or_else(|| input.downcast_ref::<DeleteItemInput>().map(DeleteItemInput::table_name))
        .or_else(|| input.downcast_ref::<GetItemInput>().map(GetItemInput::table_name))
        .or_else(|| input.downcast_ref::<QueryInput>().map(QueryInput::table_name))
        .or_else(|| input.downcast_ref::<ScanInput>().map(ScanInput::table_name));
    let several = || {
        None.or_else(|| input.downcast_ref::<BatchGetItemInput>().map(|input| keys(input.request_items())))
            .or_else(|| input.downcast_ref::<BatchWriteItemInput>().map(|input| keys(input.request_items())))
            .or_else(|| input.downcast_ref::<TransactGetItemsInput>().map(got))
            .or_else(|| input.downcast_ref::<TransactWriteItemsInput>().map(written))
            .unwrap_or_default()
    };
    let arns = one.map_or_else(several, |table| table.into_iter().collect());
    let mut names: Vec<String> = arns.into_iter().map(|arn| name(arn).to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The name at the end of an ARN.
pub(super) fn name(table: &str) -> &str {
    table.rsplit('/').next().unwrap_or(table)
}

fn keys<T>(requests: Option<&HashMap<String, T>>) -> Vec<&str> {
    requests.into_iter().flat_map(HashMap::keys).map(String::as_str).collect()
}

fn got(input: &TransactGetItemsInput) -> Vec<&str> {
    input.transact_items().iter().filter_map(|item| Some(item.get()?.table_name())).collect()
}

fn written(input: &TransactWriteItemsInput) -> Vec<&str> {
    input.transact_items().iter().filter_map(table_of).collect()
}

fn table_of(item: &TransactWriteItem) -> Option<&str> {
    None.or_else(|| item.put().map(|put| put.table_name()))
        .or_else(|| item.update().map(|update| update.table_name()))
        .or_else(|| item.delete().map(|delete| delete.table_name()))
        .or_else(|| item.condition_check().map(|check| check.table_name()))
}

//! Takes `_throughline` out of everything that DynamoDB gives back: the caller sees the items it wrote.

use aws_sdk_dynamodb::operation::batch_execute_statement::BatchExecuteStatementOutput;
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemOutput;
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemError, DeleteItemOutput};
use aws_sdk_dynamodb::operation::execute_statement::ExecuteStatementOutput;
use aws_sdk_dynamodb::operation::execute_transaction::ExecuteTransactionOutput;
use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemOutput};
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::scan::ScanOutput;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsOutput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::ItemResponse;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Output, OutputOrError};
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;

use super::item::Item;
use crate::propagation::MEMBER;

pub(super) fn strip(result: &mut OutputOrError) {
    match result {
        Ok(output) => from_output(output),
        Err(error) if error.as_operation_error().is_some_and(shows_an_item) => {
            // The SDK lends no operation error for changing: take it out and put it back.
            let taken = std::mem::replace(error, OrchestratorError::other("the error is being changed"));
            *error = taken.map_operation_error(from_error);
        }
        Err(_) => {}
    }
}

fn from_output(output: &mut Output) {
    if let Some(output) = output.downcast_mut::<GetItemOutput>() {
        items(&mut output.item);
    } else if let Some(output) = output.downcast_mut::<QueryOutput>() {
        items(output.items.iter_mut().flatten());
    } else if let Some(output) = output.downcast_mut::<ScanOutput>() {
        items(output.items.iter_mut().flatten());
    } else if let Some(output) = output.downcast_mut::<BatchGetItemOutput>() {
        items(output.responses.iter_mut().flat_map(|tables| tables.values_mut()).flatten());
    } else if let Some(output) = output.downcast_mut::<TransactGetItemsOutput>() {
        responses(&mut output.responses);
    } else if let Some(output) = output.downcast_mut::<PutItemOutput>() {
        attributes(&mut output.attributes);
    } else if let Some(output) = output.downcast_mut::<UpdateItemOutput>() {
        attributes(&mut output.attributes);
    } else if let Some(output) = output.downcast_mut::<DeleteItemOutput>() {
        attributes(&mut output.attributes);
    } else if let Some(output) = output.downcast_mut::<BatchWriteItemOutput>() {
        // What the caller sends again gets a context and a time of its own.
        let requests = output.unprocessed_items.iter_mut().flat_map(|tables| tables.values_mut()).flatten();
        items(requests.filter_map(|request| Some(&mut request.put_request.as_mut()?.item)));
    } else if let Some(output) = output.downcast_mut::<ExecuteStatementOutput>() {
        items(output.items.iter_mut().flatten());
    } else if let Some(output) = output.downcast_mut::<ExecuteTransactionOutput>() {
        responses(&mut output.responses);
    } else if let Some(output) = output.downcast_mut::<BatchExecuteStatementOutput>() {
        items(output.responses.iter_mut().flatten().filter_map(|response| response.item.as_mut()));
    }
}

fn items<'a>(items: impl IntoIterator<Item = &'a mut Item>) {
    for item in items {
        item.remove(MEMBER);
    }
}

fn responses(responses: &mut Option<Vec<ItemResponse>>) {
    items(responses.iter_mut().flatten().filter_map(|response| response.item.as_mut()));
}

/// Attributes that an update changed; where it changed none but ours the answer had had none.
fn attributes(attributes: &mut Option<Item>) {
    let removed = attributes.as_mut().and_then(|known| known.remove(MEMBER)).is_some();
    if removed {
        attributes.take_if(|left| left.is_empty());
    }
}

/// Whether the error of a failed condition shows an item with our attribute.
fn shows_an_item(error: &Error) -> bool {
    let condition = None
        .or_else(|| match error.downcast_ref::<PutItemError>()? {
            PutItemError::ConditionalCheckFailedException(failed) => failed.item(),
            _ => None,
        })
        .or_else(|| match error.downcast_ref::<UpdateItemError>()? {
            UpdateItemError::ConditionalCheckFailedException(failed) => failed.item(),
            _ => None,
        })
        .or_else(|| match error.downcast_ref::<DeleteItemError>()? {
            DeleteItemError::ConditionalCheckFailedException(failed) => failed.item(),
            _ => None,
        });
    let canceled = || match error.downcast_ref::<TransactWriteItemsError>() {
        Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
            canceled.cancellation_reasons().iter().filter_map(|reason| reason.item()).any(is_marked)
        }
        _ => false,
    };
    condition.is_some_and(is_marked) || canceled()
}

fn is_marked(item: &Item) -> bool {
    item.contains_key(MEMBER)
}

fn from_error(mut error: Error) -> Error {
    if let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.downcast_mut() {
        items(&mut failed.item);
    } else if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.downcast_mut() {
        items(&mut failed.item);
    } else if let Some(DeleteItemError::ConditionalCheckFailedException(failed)) = error.downcast_mut() {
        items(&mut failed.item);
    } else if let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.downcast_mut()
    {
        let reasons = canceled.cancellation_reasons.iter_mut().flatten();
        items(reasons.filter_map(|reason| reason.item.as_mut()));
    }
    error
}

#[cfg(test)]
mod tests;

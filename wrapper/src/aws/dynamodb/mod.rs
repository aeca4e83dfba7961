//! DynamoDB: the context as attribute `_throughline` of the items that are written, in the tables that the
//! configuration names; taken out of what is read.
//!
//! No two contexts are equal, so that an item which carries one changes with every write. A function that reads the
//! stream of a table and writes to it may end on a write that changes nothing, of which the stream has no record
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html>): items of that table are left as
//! they are there.

mod answer;
mod expression;
mod item;
mod key;
mod strip;
mod tables;
mod update;

use std::time::UNIX_EPOCH;

use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError;
use aws_sdk_dynamodb::operation::batch_write_item::{
    BatchWriteItemError, BatchWriteItemInput, BatchWriteItemOutput,
};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemInput};
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::scan::ScanError;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsInput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemInput};
use aws_sdk_dynamodb::types::{TransactWriteItem, WriteRequest};
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output, OutputOrError};
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::ErrorMetadata;

#[cfg(feature = "internals")]
pub(crate) use self::expression::with_assignment;
use self::item::Mark;
use self::update::Update;
use super::call::Call;
use super::interceptor::Idempotent;
use super::outcome::{Injected, Outcome, Skipped};
use super::service::{Service, metadata_of};
use crate::invocation::Invocation;

/// The most bytes of all items of a transaction.
const MAX_TRANSACTION: usize = 4 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct DynamoDb;

impl Service for DynamoDb {
    fn name(&self) -> &'static str {
        "DynamoDB"
    }

    fn is_idempotent(&self, input: &Input) -> bool {
        let transaction = input.downcast_ref::<TransactWriteItemsInput>();
        transaction.is_some_and(|input| input.client_request_token.is_some())
    }

    fn inject(&self, input: &mut Input, call: &mut Call, cfg: &ConfigBag) {
        inject(input, call, cfg);
    }

    fn finish(&self, output: &Output, call: &mut Call) {
        answer::record(output, call);
        if let Some(output) = output.downcast_ref::<BatchWriteItemOutput>() {
            call.disjoin(&key::joins_of_writes(output.unprocessed_items()));
        }
    }

    fn strip(&self, result: &mut OutputOrError) {
        strip::strip(result);
    }

    fn metadata<'a>(&self, error: &'a Error) -> Option<&'a ErrorMetadata> {
        metadata_of!(
            error,
            PutItemError,
            UpdateItemError,
            DeleteItemError,
            GetItemError,
            QueryError,
            ScanError,
            BatchGetItemError,
            BatchWriteItemError,
            TransactGetItemsError,
            TransactWriteItemsError,
        )
    }
}

fn inject(input: &mut Input, call: &mut Call, cfg: &ConfigBag) {
    describe(call, &tables::of(input));
    call.join(key::joins(input));
    if !matches!(call.operation(), "PutItem" | "UpdateItem" | "BatchWriteItem" | "TransactWriteItems") {
        return;
    }
    let invocation = call.scope().invocation().clone();
    let at = invocation.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mark = Mark::new(call.hop().carrier, at);

    let mut marking = Marking::default();
    if let Some(input) = input.downcast_mut::<PutItemInput>() {
        marking.add(enabled(&invocation, input.table_name.as_deref()).and_then(|()| put_item(input, &mark)));
    } else if let Some(input) = input.downcast_mut::<UpdateItemInput>() {
        marking
            .add(enabled(&invocation, input.table_name.as_deref()).and_then(|()| update_item(input, &mark)));
    } else if let Some(input) = input.downcast_mut::<BatchWriteItemInput>() {
        batch_write(input, &invocation, &mark, &mut marking);
    } else if let Some(input) = input.downcast_mut::<TransactWriteItemsInput>() {
        if cfg.load::<Idempotent>().is_some() {
            marking.add(Err(Skipped::Idempotent));
        } else {
            let items = input.transact_items.as_deref_mut().unwrap_or_default();
            transact_write(items, &invocation, &mark, &mut marking);
        }
    }
    if let Some(outcome) = marking.outcome() {
        call.injected(outcome);
    }
}

/// The database attributes (<https://opentelemetry.io/docs/specs/semconv/db/dynamodb/>).
fn describe(call: &mut Call, tables: &[String]) {
    let operation = call.operation().to_owned();
    call.set("db.system.name", "aws.dynamodb");
    call.set("db.operation.name", operation);
    if let [table] = tables {
        call.set("db.collection.name", table.as_str());
    }
    if !tables.is_empty() {
        call.set("aws.dynamodb.table_names", tables.to_vec());
    }
}

/// Whether items of `table` may carry the context.
fn enabled(invocation: &Invocation, table: Option<&str>) -> Result<(), Skipped> {
    match table {
        Some(table) if invocation.settings().tables.contains(table) => {
            let own = invocation.reads_stream_of(tables::name(table));
            if own { Err(Skipped::OwnStream) } else { Ok(()) }
        }
        _ => Err(Skipped::NotEnabled),
    }
}

fn put_item(input: &mut PutItemInput, mark: &Mark) -> Result<usize, Skipped> {
    // Without an item the request is the caller's error to see.
    input.item.as_mut().map_or(Ok(0), |item| mark.put(item, usize::MAX))
}

fn update_item(input: &mut UpdateItemInput, mark: &Mark) -> Result<usize, Skipped> {
    let legacy =
        input.attribute_updates.is_some() || input.expected.is_some() || input.conditional_operator.is_some();
    if legacy {
        return Err(Skipped::NoExpression);
    }
    let expression = input.update_expression.as_deref();
    let update = Update::plan(
        expression,
        input.expression_attribute_names.as_ref(),
        input.expression_attribute_values.as_ref(),
        input.condition_expression.as_deref(),
    )?;
    input.update_expression = Some(update.apply(
        mark,
        input.expression_attribute_names.get_or_insert_default(),
        input.expression_attribute_values.get_or_insert_default(),
    ));
    Ok(mark.size())
}

fn batch_write(input: &mut BatchWriteItemInput, invocation: &Invocation, mark: &Mark, marking: &mut Marking) {
    for (table, requests) in input.request_items.iter_mut().flatten() {
        // 25 items of 400 KB don't reach the 16 MB of a request.
        for WriteRequest { put_request, .. } in requests {
            if let Some(put) = put_request {
                marking
                    .add(enabled(invocation, Some(table)).and_then(|()| mark.put(&mut put.item, usize::MAX)));
            }
        }
    }
}

fn transact_write(
    items: &mut [TransactWriteItem],
    invocation: &Invocation,
    mark: &Mark,
    marking: &mut Marking,
) {
    let mut left = MAX_TRANSACTION.saturating_sub(items.iter().map(request_size).sum());
    for item in items {
        let marked = if let Some(put) = &mut item.put {
            enabled(invocation, Some(&put.table_name)).and_then(|()| mark.put(&mut put.item, left))
        } else if let Some(update) = &mut item.update {
            enabled(invocation, Some(&update.table_name)).and_then(|()| {
                if mark.size() > left {
                    return Err(Skipped::TooLarge);
                }
                let plan = Update::plan(
                    Some(&update.update_expression),
                    update.expression_attribute_names.as_ref(),
                    update.expression_attribute_values.as_ref(),
                    update.condition_expression.as_deref(),
                )?;
                update.update_expression = plan.apply(
                    mark,
                    update.expression_attribute_names.get_or_insert_default(),
                    update.expression_attribute_values.get_or_insert_default(),
                );
                Ok(mark.size())
            })
        } else {
            continue;
        };
        left -= marked.unwrap_or_default();
        marking.add(marked);
    }
}

/// The bytes of an action that the request shows. What the item of an update, a delete or a check has besides,
/// only the table knows.
fn request_size(action: &TransactWriteItem) -> usize {
    let put = action.put.as_ref().map(|put| (&put.item, &put.expression_attribute_values));
    let update = action.update.as_ref().map(|update| (&update.key, &update.expression_attribute_values));
    let delete = action.delete.as_ref().map(|delete| (&delete.key, &delete.expression_attribute_values));
    let check = action.condition_check.as_ref().map(|check| (&check.key, &check.expression_attribute_values));
    put.or(update)
        .or(delete)
        .or(check)
        .map_or(0, |(item, values)| item::size(item) + values.as_ref().map_or(0, item::size))
}

/// What became of the items of one request: the first reason against one of them speaks for all.
#[derive(Default)]
struct Marking {
    done: bool,
    skipped: Option<Skipped>,
}

impl Marking {
    fn add(&mut self, result: Result<usize, Skipped>) {
        match result {
            Ok(_) => self.done = true,
            Err(why) => self.skipped = self.skipped.or(Some(why)),
        }
    }

    fn outcome(self) -> Option<Outcome> {
        let injected = if self.done { Injected::Attributes } else { Injected::None };
        (self.done || self.skipped.is_some()).then_some(Outcome { injected, skipped: self.skipped })
    }
}

#[cfg(all(test, feature = "sqs"))]
mod tests;

mod limits;
mod own_stream;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeValue, AttributeValueUpdate, ConditionCheck, Delete, DeleteRequest, Put, PutRequest,
    ReturnValue, Update as TransactUpdate,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;

use super::*;
use crate::aws::testing::{Lambda, Service, attribute, client, injection, traceparent};
use crate::propagation::MEMBER;

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn item() -> HashMap<String, AttributeValue> {
    HashMap::from([("id".to_owned(), s("o-1"))])
}

fn put(table: &str) -> PutItemInput {
    PutItemInput::builder().table_name(table).set_item(Some(item())).build().unwrap()
}

fn inject_one<T: std::fmt::Debug + Send + Sync + 'static>(operation: &'static str, input: T) -> (T, Span) {
    let (input, spans) = Lambda::new().inject("DynamoDB", operation, input);
    (input, spans.into_iter().next().unwrap())
}

fn skipped(why: &str) -> (String, Option<String>) {
    ("none".to_owned(), Some(why.to_owned()))
}

fn done() -> (String, Option<String>) {
    ("attributes".to_owned(), None)
}

#[test]
fn an_item_of_a_named_table_carries_the_context() {
    let (input, span) = inject_one("PutItem", put("arn:aws:dynamodb:eu-west-1:123456789012:table/orders"));
    assert_eq!((span.name.as_str(), span.kind()), ("DynamoDB.PutItem", SpanKind::Client));
    assert_eq!(attribute(&span, "db.collection.name").as_deref(), Some("orders"));
    let map = input.item.as_ref().unwrap()[MEMBER].as_m().unwrap();
    assert_eq!(map["traceparent"], AttributeValue::S(traceparent(&span)));
    assert_eq!(map["at"], AttributeValue::N("1790000000000".to_owned()));
    assert_eq!(injection(&span), done());
}

#[test]
fn an_item_of_another_table_stays_and_a_context_that_came_along_does_not() {
    let (input, span) = inject_one("PutItem", put("carts"));
    assert_eq!(input, put("carts"));
    assert_eq!(injection(&span), skipped("not-enabled"));

    let mut own = put("orders");
    own.item.get_or_insert_default().insert(MEMBER.to_owned(), s("mine"));
    let (input, span) = inject_one("PutItem", own);
    let item = input.item.unwrap();
    assert_eq!(item[MEMBER].as_m().unwrap()["traceparent"], s(&traceparent(&span)));
    assert_eq!(injection(&span), done());
}

fn update() -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemInputBuilder {
    UpdateItemInput::builder().table_name("orders").key("id", s("o-1"))
}

#[test]
fn an_update_also_writes_the_context() {
    let input = update()
        .update_expression("REMOVE #set set offset = :set")
        .expression_attribute_names("#set", "set")
        .expression_attribute_values(":set", s("SET"));
    let (input, span) = inject_one("UpdateItem", input.build().unwrap());
    assert_eq!(input.update_expression(), Some("REMOVE #set set #throughline = :throughline, offset = :set"));
    assert_eq!(input.expression_attribute_names().unwrap()["#throughline"], MEMBER);
    let values = input.expression_attribute_values().unwrap();
    assert_eq!(values[":throughline"].as_m().unwrap()["traceparent"], AttributeValue::S(traceparent(&span)));
    assert_eq!(values[":set"], s("SET"));
    assert_eq!(injection(&span), done());

    let (input, _) = inject_one("UpdateItem", update().build().unwrap());
    assert_eq!(input.update_expression(), Some("SET #throughline = :throughline"));
}

#[test]
fn an_update_that_cannot_be_changed_stays() {
    let legacy = update().attribute_updates("a", AttributeValueUpdate::builder().value(s("x")).build());
    let own = update()
        .update_expression("SET #t = :t")
        .expression_attribute_names("#t", MEMBER)
        .expression_attribute_values(":t", s("mine"));
    let long = update().update_expression(format!("SET a = {}", vec![":v"; 1400].join("+")));
    let empty = update().update_expression(" ");
    for (input, why) in
        [(legacy, "no-expression"), (own, "caller-set"), (long, "too-large"), (empty, "no-expression")]
    {
        let input = input.build().unwrap();
        let (after, span) = inject_one("UpdateItem", input.clone());
        assert_eq!(after, input);
        assert_eq!(injection(&span), skipped(why));
    }
}

#[test]
fn the_callers_placeholders_keep_their_meaning() {
    let input = update()
        .update_expression("SET #throughline = :throughline")
        .expression_attribute_names("#throughline", "a")
        .expression_attribute_values(":throughline", s("b"));
    let (input, _) = inject_one("UpdateItem", input.build().unwrap());
    assert_eq!(
        input.update_expression(),
        Some("SET #throughline2 = :throughline2, #throughline = :throughline")
    );
    assert_eq!(input.expression_attribute_names().unwrap()["#throughline"], "a");
    assert_eq!(input.expression_attribute_names().unwrap()["#throughline2"], MEMBER);
    assert_eq!(input.expression_attribute_values().unwrap()[":throughline"], s("b"));
}

#[test]
fn a_batch_marks_the_items_of_named_tables() {
    let write = || {
        let put = PutRequest::builder().set_item(Some(item())).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    let delete = DeleteRequest::builder().key("id", s("x")).build().unwrap();
    let delete = WriteRequest::builder().delete_request(delete).build();
    let input = BatchWriteItemInput::builder()
        .request_items("orders", vec![write(), delete])
        .request_items("carts", vec![write()]);
    let (input, span) = inject_one("BatchWriteItem", input.build().unwrap());
    let tables = input.request_items().unwrap();
    let has = |request: &WriteRequest| request.put_request().unwrap().item().contains_key(MEMBER);
    assert!(has(&tables["orders"][0]) && !has(&tables["carts"][0]));
    assert_eq!(injection(&span), ("attributes".to_owned(), Some("not-enabled".to_owned())));
    assert_eq!(attribute(&span, "aws.dynamodb.table_names").as_deref(), Some("carts,orders"));
}

fn transaction() -> [TransactWriteItem; 2] {
    let put = Put::builder().table_name("orders").set_item(Some(item())).build().unwrap();
    let update =
        TransactUpdate::builder().table_name("orders").key("id", s("o-2")).update_expression("REMOVE a");
    [
        TransactWriteItem::builder().put(put).build(),
        TransactWriteItem::builder().update(update.build().unwrap()).build(),
    ]
}

#[test]
fn a_transaction_of_any_actions_stays_under_its_limit() {
    // A hundred of them are under the limit, but not with a hundred marks.
    const BYTES: usize = 41_900;
    let key = |n: u32| HashMap::from([("id".to_owned(), s(&format!("{n:02}")))]);
    let text = || s(&"x".repeat(BYTES));
    let update = |n: u32| {
        let update = TransactUpdate::builder().table_name("orders").set_key(Some(key(n)));
        let update = update.update_expression("SET d = :d").expression_attribute_values(":d", text());
        TransactWriteItem::builder().update(update.build().unwrap()).build()
    };
    let delete = |n: u32| {
        let delete = Delete::builder().table_name("orders").set_key(Some(key(n)));
        let delete = delete.condition_expression("d = :d").expression_attribute_values(":d", text());
        TransactWriteItem::builder().delete(delete.build().unwrap()).build()
    };
    let check = |n: u32| {
        let check = ConditionCheck::builder().table_name("orders").set_key(Some(key(n)));
        let check = check.condition_expression("d = :d").expression_attribute_values(":d", text());
        TransactWriteItem::builder().condition_check(check.build().unwrap()).build()
    };
    let mark = |action: &TransactWriteItem| {
        let value = action.update()?.expression_attribute_values()?.get(":throughline")?;
        Some(item::size(&HashMap::from([(MEMBER.to_owned(), value.clone())])))
    };
    let mixed = (0..50).map(update).chain((50..75).map(delete)).chain((75..100).map(check)).collect();
    for actions in [(0..100).map(update).collect(), mixed] {
        let input = TransactWriteItemsInput::builder().set_transact_items(Some(actions)).build().unwrap();
        let (input, span) = inject_one("TransactWriteItems", input);
        let marks: usize = input.transact_items().iter().filter_map(mark).sum();
        assert!(100 * (BYTES + "id".len() + "99".len() + ":d".len()) + marks <= MAX_TRANSACTION, "{marks}");
        assert_eq!(injection(&span), ("attributes".to_owned(), Some("too-large".to_owned())));
    }
}

const WRITTEN: (u16, &str) = (200, "{}");

#[tokio::test]
async fn a_transaction_carries_the_context_though_the_sdk_makes_a_token() {
    let (lambda, service) = (Lambda::new(), Service::answering([WRITTEN]));
    let client = client!(aws_sdk_dynamodb, service);
    let call = client.transact_write_items().set_transact_items(Some(transaction().into()));
    lambda.run(call.send()).await.unwrap();

    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(injection(&span), done());
    let sent = service.requests()[0].json();
    assert!(sent["ClientRequestToken"].is_string());
    let [put, update] = [&sent["TransactItems"][0]["Put"], &sent["TransactItems"][1]["Update"]];
    assert_eq!(put["Item"][MEMBER]["M"]["traceparent"]["S"], traceparent(&span));
    assert_eq!(update["UpdateExpression"], "REMOVE a SET #throughline = :throughline");
    assert_eq!(update["ExpressionAttributeNames"]["#throughline"], MEMBER);
}

#[tokio::test]
async fn a_transaction_with_a_token_of_the_caller_is_left_as_it_is() {
    let (lambda, service) = (Lambda::new(), Service::answering([WRITTEN, WRITTEN]));
    let client = client!(aws_sdk_dynamodb, service);
    let call = || {
        let call = client.transact_write_items().client_request_token("t-1");
        call.set_transact_items(Some(transaction().into())).send()
    };
    call().await.unwrap();
    lambda.run(call()).await.unwrap();

    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(injection(&span), skipped("idempotent"));
    let [outside, inside] = service.requests().try_into().unwrap();
    assert_eq!(inside.json(), outside.json());
}

#[tokio::test]
async fn a_read_does_not_show_the_context() {
    let answer = json!({"Item": {"id": {"S": "o-1"}, MEMBER: {"M": {"traceparent": {"S": "x"}}}}});
    let (lambda, service) = (Lambda::new(), Service::answering([(200, &answer.to_string())]));
    let client = client!(aws_sdk_dynamodb, service);
    let read = lambda.run(client.get_item().table_name("orders").key("id", s("o-1")).send()).await;
    assert_eq!(read.unwrap().item, Some(item()));
    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(span.name, "DynamoDB.GetItem");
    for (key, value) in [
        ("db.system.name", "aws.dynamodb"),
        ("db.operation.name", "GetItem"),
        ("aws.dynamodb.table_names", "orders"),
    ] {
        assert_eq!(attribute(&span, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(attribute(&span, "throughline.injected"), None);
}

#[tokio::test]
async fn the_item_of_a_failed_condition_does_not_show_the_context() {
    let answer = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        "message": "The conditional request failed",
        "Item": {"id": {"S": "o-1"}, MEMBER: {"M": {}}},
    });
    let (lambda, service) = (Lambda::new(), Service::answering([(400, &answer.to_string())]));
    let client = client!(aws_sdk_dynamodb, service);
    let call =
        client.put_item().table_name("orders").set_item(Some(item())).return_values(ReturnValue::AllOld);
    let error = lambda.run(call.send()).await.unwrap_err().into_service_error();
    let PutItemError::ConditionalCheckFailedException(failed) = &error else { panic!("{error:?}") };
    assert_eq!(failed.item(), Some(&item()));
    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("ConditionalCheckFailedException"));
}

//! DynamoDB: writes that a stream carries on, reads that don't show it, transactions, sizes, retries.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, KeysAndAttributes, Put, PutRequest, ReturnValue,
    ReturnValuesOnConditionCheckFailure, TransactGetItem, TransactWriteItem, Update, WriteRequest,
};

use crate::check::{assert_child, injections, outcome};
use crate::emulator::{Emulator, clients, sdk, unique};
use crate::function::Function;
use crate::proxy::Proxy;
use crate::table::{Item, Table, key, n, s};

mod limits;

const MEMBER: &str = "_throughline";

fn item(id: &str) -> Item {
    let mut item = key(id);
    item.insert("note".to_owned(), s("SET REMOVE"));
    item
}

#[tokio::test]
async fn a_write_is_the_parent_of_its_change_in_the_stream() {
    let emulator = Emulator::start().await;
    let (traced, _) = clients!(aws_sdk_dynamodb, sdk(emulator.tables()).await);
    let table = Table::new(&emulator).await;
    let (sender, receiver) = (table.function(), Function::new());
    let put = traced.put_item().table_name(&table.name).set_item(Some(item("o-1")));
    sender.sends(async || put.send().await).await.unwrap();
    let [seen] = table.deliver(&receiver).await.try_into().unwrap();
    assert_eq!(seen.payload, "INSERT");
    seen.assert_baggage();
    assert_eq!(injections(&sender), [outcome("attributes", None)]);
    let writer = sender.spans_where(|span| span.span.name == "DynamoDB.PutItem").remove(0);
    let record = receiver.spans_where(|span| !span.is_invocation()).remove(0);
    assert_child(&receiver, &record, &writer);
}

#[tokio::test]
async fn a_write_without_us_and_a_removal_are_linked_to_the_writer_before() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_dynamodb, sdk(emulator.tables()).await);
    let table = Table::new(&emulator).await;
    let (sender, receiver) = (table.function(), Function::new());
    let put = traced.put_item().table_name(&table.name).set_item(Some(item("o-1")));
    sender.sends(async || put.send().await).await.unwrap();
    table.changes().await;
    let writer = sender.spans_where(|span| span.span.name == "DynamoDB.PutItem").remove(0);

    let update = plain.update_item().table_name(&table.name).set_key(Some(key("o-1")));
    update.update_expression("SET a = :a").expression_attribute_values(":a", n("1")).send().await.unwrap();
    let delete = traced.delete_item().table_name(&table.name).set_key(Some(key("o-1")));
    sender.sends(async || delete.send().await).await.unwrap();
    let seen = table.deliver(&receiver).await;
    assert_eq!(seen.iter().map(|seen| seen.payload.as_str()).collect::<Vec<_>>(), ["MODIFY", "REMOVE"]);
    for record in receiver.spans_where(|span| !span.is_invocation()) {
        assert_ne!(record.span.trace_id, writer.span.trace_id, "it did not cause this change");
        assert!(record.span.links.iter().any(|link| link.span_id == writer.span.span_id));
    }
}

#[tokio::test]
async fn reads_through_a_traced_client_do_not_show_the_context() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_dynamodb, sdk(emulator.tables()).await);
    let table = Table::new(&emulator).await;
    let (sender, name) = (table.function(), &table.name);
    let put = traced.put_item().table_name(name).set_item(Some(item("o-1")));
    sender.sends(async || put.send().await).await.unwrap();
    assert!(table.stored(&plain, "o-1").await.unwrap().contains_key(MEMBER));

    // Inside an invocation and outside of one.
    let reads = async || {
        let get =
            traced.get_item().table_name(name).set_key(Some(key("o-1"))).send().await.unwrap().item.unwrap();
        let query = traced.query().table_name(name).key_condition_expression("id = :id");
        let query = query.expression_attribute_values(":id", s("o-1")).send().await.unwrap().items.unwrap();
        let scan = traced.scan().table_name(name).send().await.unwrap().items.unwrap();
        let keys = KeysAndAttributes::builder().keys(key("o-1")).build().unwrap();
        let batch = traced.batch_get_item().request_items(name, keys).send().await.unwrap();
        let batch = batch.responses.unwrap().remove(name).unwrap();
        let get_one =
            aws_sdk_dynamodb::types::Get::builder().table_name(name).set_key(Some(key("o-1"))).build();
        let transact = TransactGetItem::builder().get(get_one.unwrap()).build();
        let transact = traced.transact_get_items().transact_items(transact).send().await.unwrap();
        let transact = transact.responses.unwrap().remove(0).item.unwrap();
        let statement =
            traced.execute_statement().statement(format!("SELECT * FROM \"{name}\" WHERE id = 'o-1'"));
        let statement = statement.send().await.unwrap().items.unwrap();
        [vec![get], query, scan, batch, vec![transact], statement].concat()
    };
    let (inside, outside) = (sender.sends(&reads).await, reads().await);
    assert_eq!(inside, vec![item("o-1"); 6]);
    assert_eq!(outside, inside);

    for values in [ReturnValue::AllNew, ReturnValue::UpdatedNew, ReturnValue::AllOld, ReturnValue::UpdatedOld]
    {
        let update = |client: &Client, id: &str| {
            let call =
                client.update_item().table_name(name).set_key(Some(key(id))).return_values(values.clone());
            call.update_expression("SET a = :a").expression_attribute_values(":a", n("1"))
        };
        let put = plain.put_item().table_name(name).set_item(Some(item("o-2")));
        put.send().await.unwrap();
        let without = update(&plain, "o-2").send().await.unwrap().attributes.unwrap_or_default();
        let put = traced.put_item().table_name(name).set_item(Some(item("o-3")));
        sender.sends(async || put.send().await).await.unwrap();
        let update = update(&traced, "o-3");
        let mut with =
            sender.sends(async || update.send().await).await.unwrap().attributes.unwrap_or_default();
        with.entry("id".to_owned()).and_modify(|id| *id = s("o-2"));
        assert_eq!(with, without, "{values:?}");
    }
    let delete =
        traced.delete_item().table_name(name).set_key(Some(key("o-3"))).return_values(ReturnValue::AllOld);
    assert!(
        !sender.sends(async || delete.send().await).await.unwrap().attributes.unwrap().contains_key(MEMBER)
    );
}

#[tokio::test]
async fn conditions_hold_and_fail_as_without_us() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_dynamodb, sdk(emulator.tables()).await);
    let table = Table::new(&emulator).await;
    let sender = table.function();
    let put = |client: &Client, id: &str| {
        let call = client.put_item().table_name(&table.name).set_item(Some(item(id)));
        let call = call.condition_expression("attribute_not_exists(id)");
        call.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    };
    put(&plain, "without").send().await.unwrap();
    let call = put(&traced, "with");
    sender.sends(async || call.send().await).await.unwrap();
    for (client, id) in [(&plain, "without"), (&traced, "with")] {
        let call = put(client, id);
        let failed = sender.sends(async || call.send().await).await.unwrap_err().into_service_error();
        let PutItemError::ConditionalCheckFailedException(failed) = failed else { panic!("{failed:?}") };
        assert_eq!(failed.item.unwrap(), item(id));
    }
    // An update whose condition names what its expression names.
    for (client, id) in [(&plain, "without"), (&traced, "with")] {
        let update = |expected: &str| {
            let call = client.update_item().table_name(&table.name).set_key(Some(key(id)));
            let call = call.update_expression("SET #n = :new").condition_expression("#n = :old");
            call.expression_attribute_names("#n", "note")
                .expression_attribute_values(":new", s("new"))
                .expression_attribute_values(":old", s(expected))
        };
        let (wrong, right) = (update("wrong"), update("SET REMOVE"));
        assert!(sender.sends(async || wrong.send().await).await.is_err());
        sender.sends(async || right.send().await).await.unwrap();
        assert_eq!(table.stored(&plain, id).await.unwrap()["note"], s("new"));
    }
}

#[tokio::test]
async fn a_transaction_with_the_callers_token_is_idempotent_as_without_us() {
    let emulator = Emulator::start().await;
    let wire = Proxy::flaky(0, emulator.tables()).await;
    let (traced, plain) = clients!(aws_sdk_dynamodb, sdk(wire.endpoint()).await);
    let table = Table::new(&emulator).await;
    let call = |client: &Client, token: Option<&str>| {
        let put = Put::builder().table_name(&table.name).set_item(Some(item("o-1"))).build().unwrap();
        let update = Update::builder().table_name(&table.name).set_key(Some(key("o-2")));
        let update = update.update_expression("ADD hits :one").expression_attribute_values(":one", n("1"));
        client
            .transact_write_items()
            .set_client_request_token(token.map(str::to_owned))
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().update(update.build().unwrap()).build())
    };
    let (sender, token) = (table.function(), unique("token"));
    // Two invocations. A changed item under the same token would be an IdempotentParameterMismatch.
    for client in [&traced, &traced, &plain] {
        let call = call(client, Some(&token));
        sender.sends(async || call.send().await).await.unwrap();
    }
    let sent = wire.bodies();
    assert!(sent.len() == 3 && sent.iter().all(|one| *one == sent[2]), "{sent:?}");
    assert_eq!(injections(&sender), vec![outcome("none", Some("idempotent")); 2]);
    assert_eq!(table.stored(&plain, "o-1").await.unwrap(), item("o-1"));
    // moto knows no tokens and applies it each time; AWS and dynoxide apply it once.
    let hits = if emulator.is_moto() { "3" } else { "1" };
    assert_eq!(table.stored(&plain, "o-2").await.unwrap()["hits"], n(hits));

    let (sender, call) = (table.function(), call(&traced, None));
    sender.sends(async || call.send().await).await.unwrap();
    assert_eq!(injections(&sender), [outcome("attributes", None)]);
    for id in ["o-1", "o-2"] {
        assert!(table.stored(&plain, id).await.unwrap().contains_key(MEMBER));
    }
}

#[tokio::test]
async fn a_batch_marks_puts_of_named_tables_alone() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_dynamodb, sdk(emulator.tables()).await);
    let (named, other) = (Table::new(&emulator).await, Table::new(&emulator).await);
    let (sender, receiver) = (named.function(), Function::new());
    plain.put_item().table_name(&named.name).set_item(Some(item("gone"))).send().await.unwrap();
    named.changes().await;
    let put = |id: &str| {
        let put = PutRequest::builder().set_item(Some(item(id))).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    let delete = DeleteRequest::builder().set_key(Some(key("gone"))).build().unwrap();
    let delete = WriteRequest::builder().delete_request(delete).build();
    let call = traced
        .batch_write_item()
        .request_items(&named.name, vec![put("a"), delete, put("b")])
        .request_items(&other.name, vec![put("c")]);
    sender.sends(async || call.send().await).await.unwrap();
    assert_eq!(injections(&sender), [outcome("attributes", Some("not-enabled"))]);
    assert!(named.stored(&plain, "a").await.unwrap().contains_key(MEMBER));
    assert_eq!(named.stored(&plain, "gone").await, None);
    assert_eq!(other.stored(&plain, "c").await.unwrap(), item("c"));
    let writer = sender.spans_where(|span| span.span.name == "DynamoDB.BatchWriteItem").remove(0);
    let seen = named.deliver(&receiver).await;
    let children =
        receiver.spans_where(|span| !span.is_invocation() && span.span.parent_span_id == writer.span.span_id);
    assert_eq!((seen.len(), seen.iter().filter(|seen| seen.tenant.is_some()).count()), (3, 2));
    assert_eq!(children.len(), 2);
}

#[tokio::test]
async fn retries_carry_one_context() {
    let emulator = Emulator::start().await;
    let table = Table::new(&emulator).await;
    let flaky = Proxy::flaky(2, emulator.tables()).await;
    let (traced, _) = clients!(aws_sdk_dynamodb, sdk(flaky.endpoint()).await);
    let (_, plain) = clients!(aws_sdk_dynamodb, sdk(emulator.tables()).await);
    let sender = table.function();
    let update = traced.update_item().table_name(&table.name).set_key(Some(key("o-1")));
    let update = update.update_expression("ADD hits :one").expression_attribute_values(":one", n("1"));
    sender.sends(async || update.send().await).await.unwrap();
    flaky.assert_same(3);
    let stored = table.stored(&plain, "o-1").await.unwrap();
    assert_eq!(stored["hits"], n("1"));
    assert!(matches!(stored[MEMBER], AttributeValue::M(_)));
}

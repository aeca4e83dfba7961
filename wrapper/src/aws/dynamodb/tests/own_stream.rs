//! A function that reads the stream of a table and writes to it.

use super::*;

/// An invocation by the streams of `tables`, where all tables are named by the configuration.
fn reader_of(tables: &[&str]) -> Lambda {
    let record = |table: &&str| {
        json!({
            "eventSource": "aws:dynamodb",
            "eventName": "MODIFY",
            "eventSourceARN":
                format!("arn:aws:dynamodb:eu-west-1:123456789012:table/{table}/stream/2026-01-01T00:00:00.000"),
            "dynamodb": {"Keys": {"id": {"S": "o-1"}}, "SequenceNumber": "1"},
        })
    };
    let event = json!({"Records": tables.iter().map(record).collect::<Vec<_>>()});
    Lambda::reading(&event.to_string(), &[("THROUGHLINE_DYNAMODB_TABLES", "*")])
}

fn inject<T: std::fmt::Debug + Send + Sync + 'static>(operation: &'static str, input: T) -> (T, Span) {
    let (input, spans) = reader_of(&["carts", "orders"]).inject("DynamoDB", operation, input);
    let span = spans.into_iter().find(|span| span.name.starts_with("DynamoDB")).unwrap();
    (input, span)
}

#[test]
fn what_changes_nothing_still_changes_nothing() {
    for table in ["orders", "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"] {
        let (input, span) = inject("PutItem", put(table));
        assert_eq!(input, put(table));
        assert_eq!(injection(&span), skipped("own-stream"));
    }
    let input = update().update_expression("REMOVE a").build().unwrap();
    let (after, span) = inject("UpdateItem", input.clone());
    assert_eq!(after, input);
    assert_eq!(injection(&span), skipped("own-stream"));

    let input =
        TransactWriteItemsInput::builder().set_transact_items(Some(transaction().into())).build().unwrap();
    let (after, span) = inject("TransactWriteItems", input.clone());
    assert_eq!(after, input);
    assert_eq!(injection(&span), skipped("own-stream"));
}

#[test]
fn other_tables_carry_the_context() {
    let write = || {
        let put = PutRequest::builder().set_item(Some(item())).build().unwrap();
        vec![WriteRequest::builder().put_request(put).build()]
    };
    let input =
        BatchWriteItemInput::builder().request_items("orders", write()).request_items("order", write());
    let (input, span) = inject("BatchWriteItem", input.build().unwrap());
    let has = |table| {
        let put = input.request_items().unwrap()[table][0].put_request().unwrap();
        put.item().contains_key(MEMBER)
    };
    assert!(has("order") && !has("orders"));
    assert_eq!(injection(&span), ("attributes".to_owned(), Some("own-stream".to_owned())));
}

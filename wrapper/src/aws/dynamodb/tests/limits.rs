//! At and over each limit, through whole requests.

use super::*;

const MAX_ITEM: usize = 400 * 1024;

/// An item of so many bytes.
fn sized(bytes: usize) -> HashMap<String, AttributeValue> {
    let mut item = item();
    let own = item::size(&item);
    item.insert("d".to_owned(), s(&"x".repeat(bytes - own - 1)));
    item
}

/// What the context takes in an item.
fn mark() -> usize {
    let (input, _) = inject_one("PutItem", put("orders"));
    item::size(&input.item.unwrap()) - item::size(&item())
}

#[test]
fn an_item() {
    let mark = mark();
    for (bytes, expected) in [
        (MAX_ITEM - mark, done()),
        (MAX_ITEM - mark + 1, skipped("too-large")),
        (MAX_ITEM, skipped("too-large")),
    ] {
        let mut input = put("orders");
        input.item = Some(sized(bytes));
        let (input, span) = inject_one("PutItem", input);
        assert!(item::size(input.item.as_ref().unwrap()) <= MAX_ITEM);
        assert_eq!(injection(&span), expected, "{bytes}");

        let put = PutRequest::builder().set_item(Some(sized(bytes))).build().unwrap();
        let write = WriteRequest::builder().put_request(put).build();
        let input = BatchWriteItemInput::builder().request_items("orders", vec![write]).build().unwrap();
        assert_eq!(injection(&inject_one("BatchWriteItem", input).1), expected, "{bytes}");
    }
}

#[test]
fn a_transaction() {
    let mark = mark();
    let items = 16;
    for (room, expected) in [
        (items * mark, done()),
        (items * mark - 1, ("attributes".to_owned(), Some("too-large".to_owned()))),
        (mark - 1, skipped("too-large")),
    ] {
        let part = (MAX_TRANSACTION - room) / items;
        let rest = MAX_TRANSACTION - room - (items - 1) * part;
        let puts = (1..items).map(|_| part).chain([rest]).map(|bytes| {
            let put = Put::builder().table_name("orders").set_item(Some(sized(bytes))).build().unwrap();
            TransactWriteItem::builder().put(put).build()
        });
        let input =
            TransactWriteItemsInput::builder().set_transact_items(Some(puts.collect())).build().unwrap();
        let (input, span) = inject_one("TransactWriteItems", input);
        assert!(input.transact_items().iter().map(request_size).sum::<usize>() <= MAX_TRANSACTION);
        assert_eq!(injection(&span), expected, "{room}");
    }
}

#[test]
fn an_expression() {
    let added = " #throughline = :throughline,".len();
    for (bytes, expected) in [(4096 - added, done()), (4096 - added + 1, skipped("too-large"))] {
        let own = format!("SET a = {}", "b".repeat(bytes - "SET a = ".len()));
        let (input, span) = inject_one("UpdateItem", update().update_expression(&own).build().unwrap());
        assert_eq!(injection(&span), expected, "{bytes}");
        assert!(input.update_expression().unwrap().len() <= 4096);
    }
}

//! Items, transactions and batches at and over their limits.

use super::*;

/// An item of so many bytes as DynamoDB counts them
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>).
fn sized(id: &str, bytes: usize) -> Item {
    let mut item = key(id);
    item.insert("d".to_owned(), s(&"x".repeat(bytes - "id".len() - id.len() - "d".len())));
    item
}

#[tokio::test]
async fn an_item_at_its_limit_is_taken_with_us_if_it_is_without() {
    const LIMIT: usize = 400 * 1024;
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_dynamodb, sdk(emulator.tables()).await);
    let table = Table::new(&emulator).await;
    for (bytes, expected) in [
        (LIMIT - 8 * 1024, outcome("attributes", None)),
        (LIMIT - 20, outcome("none", Some("too-large"))),
        (LIMIT, outcome("none", Some("too-large"))),
        (LIMIT + 1, outcome("none", Some("too-large"))),
    ] {
        // moto's limit is 405,000 bytes: between that and AWS's it says nothing.
        if emulator.is_moto() && (405_000..=LIMIT).contains(&bytes) {
            continue;
        }
        let put =
            |client: &Client| client.put_item().table_name(&table.name).set_item(Some(sized("o", bytes)));
        let without = put(&plain).send().await;
        assert_eq!(without.is_ok(), bytes <= LIMIT, "{bytes}: {without:?}");
        let (sender, call) = (table.function(), put(&traced));
        assert_eq!(sender.sends(async || call.send().await).await.is_ok(), without.is_ok(), "{bytes}");
        assert_eq!(injections(&sender), [expected], "{bytes}");
    }
}

/// The one case in which a call fails because of us, which the module's documentation names: how large the item is that an
/// update changes, nobody knows beforehand.
#[tokio::test]
async fn an_update_cannot_know_what_room_its_item_has() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_dynamodb, sdk(emulator.tables()).await);
    let table = Table::new(&emulator).await;
    let update = |client: &Client| {
        let call = client.update_item().table_name(&table.name).set_key(Some(key("o")));
        call.update_expression("SET a = :a").expression_attribute_values(":a", n("1"))
    };
    // moto's limit is 405,000 bytes, which its updates are under as long as their expression is short.
    let full = if emulator.is_moto() { 404_950 } else { 400 * 1024 - 20 };
    plain.put_item().table_name(&table.name).set_item(Some(sized("o", full))).send().await.unwrap();
    update(&plain).send().await.unwrap();
    let (sender, call) = (table.function(), update(&traced));
    let failed = sender.sends(async || call.send().await).await.unwrap_err();
    assert_eq!(failed.code(), Some("ValidationException"));
    assert!(!table.stored(&plain, "o").await.unwrap().contains_key(MEMBER), "the item is as it was");
}

#[tokio::test]
async fn a_transaction_at_its_limit_is_taken_with_us_if_it_is_without() {
    const LIMIT: usize = 4 * 1024 * 1024;
    const ITEMS: usize = 16;
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_dynamodb, sdk(emulator.tables()).await);
    for (room, expected) in [
        (16 * 1024, outcome("attributes", None)),
        (1024, outcome("attributes", Some("too-large"))),
        (0, outcome("none", Some("too-large"))),
    ] {
        let table = Table::new(&emulator).await;
        let each = (LIMIT - room) / ITEMS;
        let call = |client: &Client| {
            let puts = (0..ITEMS).map(|n| {
                let item = sized(&format!("o-{n:02}"), each);
                let put = Put::builder().table_name(&table.name).set_item(Some(item)).build().unwrap();
                TransactWriteItem::builder().put(put).build()
            });
            client.transact_write_items().set_transact_items(Some(puts.collect()))
        };
        let without = call(&plain).send().await;
        let (sender, call) = (table.function(), call(&traced));
        let with = sender.sends(async || call.send().await).await;
        assert_eq!((with.is_ok(), without.is_ok()), (true, true), "{room}: {with:?} {without:?}");
        assert_eq!(injections(&sender), [expected], "{room}");
        for n in 0..ITEMS {
            let id = format!("o-{n:02}");
            let mut stored = table.stored(&plain, &id).await.unwrap();
            stored.remove(MEMBER);
            assert_eq!(stored, sized(&id, each));
        }
    }
}

/// 25 items of 400 KB are less than the 16 MB of a batch: the item's limit is the one that counts.
#[tokio::test]
async fn a_batch_is_full_before_it_is_too_large() {
    // Also below moto's own limit of an item.
    const EACH: usize = 390 * 1024;
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_dynamodb, sdk(emulator.tables()).await);
    let table = Table::new(&emulator).await;
    let writes = (0..25).map(|n| {
        let put = PutRequest::builder().set_item(Some(sized(&format!("o-{n:02}"), EACH))).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    });
    let call = traced.batch_write_item().request_items(&table.name, writes.collect());
    let sender = table.function();
    let written = sender.sends(async || call.send().await).await.unwrap();
    assert!(written.unprocessed_items().is_none_or(|items| items.is_empty()));
    assert_eq!(injections(&sender), [outcome("attributes", None)]);
    for n in 0..25 {
        assert!(table.stored(&plain, &format!("o-{n:02}")).await.unwrap().contains_key(MEMBER));
    }
}

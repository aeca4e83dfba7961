//! Updates of every shape: the item afterwards is the one that the same update makes without us.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeAction, AttributeValue, AttributeValueUpdate};

use crate::check::{assert_child, injections, outcome};
use crate::emulator::{Emulator, clients, sdk};
use crate::function::Function;
use crate::table::{Item, Table, key, n, s};

const MEMBER: &str = "_throughline";

/// The item before: something of every kind.
fn before(id: &str) -> Item {
    let list = AttributeValue::L(vec![n("1"), n("2")]);
    let map = AttributeValue::M(
        [("inner".to_owned(), AttributeValue::M([("deep".to_owned(), n("1"))].into()))].into(),
    );
    let mut item = key(id);
    item.extend([
        ("a".to_owned(), n("1")),
        ("b".to_owned(), s("b")),
        ("set".to_owned(), s("a reserved word")),
        ("offset".to_owned(), n("5")),
        ("tags".to_owned(), AttributeValue::Ss(vec!["x".to_owned(), "y".to_owned()])),
        ("list".to_owned(), list),
        ("map".to_owned(), map),
    ]);
    item
}

/// An expression, its names and its values.
type Shape = (&'static str, &'static [(&'static str, &'static str)], Vec<(&'static str, AttributeValue)>);

fn shapes() -> Vec<Shape> {
    let tags = |tag: &str| AttributeValue::Ss(vec![tag.to_owned()]);
    let list = || AttributeValue::L(vec![n("3")]);
    vec![
        ("SET a = :v", &[], vec![(":v", n("2"))]),
        ("set a = :v", &[], vec![(":v", n("2"))]),
        ("SeT a=:v,b=:v", &[], vec![(":v", n("2"))]),
        ("  SET\n\ta = :v , b = :w ", &[], vec![(":v", n("2")), (":w", s("SET x REMOVE y"))]),
        ("SET a = a + :v", &[], vec![(":v", n("2"))]),
        ("SET a = :v - a", &[], vec![(":v", n("2"))]),
        ("SET a = if_not_exists(a, :v), c = if_not_exists(c, :v)", &[], vec![(":v", n("2"))]),
        ("SET #l = list_append(#l, :l)", &[("#l", "list")], vec![(":l", list())]),
        ("SET #l[0] = :v REMOVE #l[1]", &[("#l", "list")], vec![(":v", n("9"))]),
        ("SET #m.#i.deep = :v", &[("#m", "map"), ("#i", "inner")], vec![(":v", n("9"))]),
        ("REMOVE a", &[], vec![]),
        ("remove a, b", &[], vec![]),
        ("ADD a :v", &[], vec![(":v", n("2"))]),
        ("ADD tags :t", &[], vec![(":t", tags("z"))]),
        ("DELETE tags :t", &[], vec![(":t", tags("x"))]),
        ("REMOVE b SET a = :v", &[], vec![(":v", n("2"))]),
        (
            "ADD a :v SET b = :w REMOVE #o DELETE tags :t",
            &[("#o", "offset")],
            vec![(":v", n("2")), (":w", s("SET")), (":t", tags("x"))],
        ),
        ("DELETE tags :t ADD a :v", &[], vec![(":t", tags("x")), (":v", n("2"))]),
        ("SET #set = :set", &[("#set", "set")], vec![(":set", s("SET #set = :set"))]),
        ("REMOVE #set", &[("#set", "set")], vec![]),
        (
            "SET #offset = :set REMOVE #remove",
            &[("#offset", "offset"), ("#remove", "a")],
            vec![(":set", n("6"))],
        ),
        ("SET setting = :v, resetset = :v", &[], vec![(":v", s("remove"))]),
        ("SET #throughline = :throughline", &[("#throughline", "b")], vec![(":throughline", s("own"))]),
        // Wrong ones stay wrong.
        ("", &[], vec![]),
        ("SET", &[], vec![]),
        ("SET a = :missing", &[], vec![]),
        ("SET a = :v SET b = :v", &[], vec![(":v", n("2"))]),
        ("SET a = :v, a = :v", &[], vec![(":v", n("2"))]),
        ("SETa = :v", &[], vec![(":v", n("2"))]),
        ("nonsense", &[], vec![]),
        ("SET id = :v", &[], vec![(":v", s("x"))]),
    ]
}

fn update(
    client: &Client,
    table: &Table<'_>,
    id: &str,
    (expression, names, values): &Shape,
) -> UpdateItemFluentBuilder {
    let call =
        client.update_item().table_name(&table.name).set_key(Some(key(id))).update_expression(*expression);
    let call = names.iter().fold(call, |call, (name, means)| call.expression_attribute_names(*name, *means));
    values.iter().fold(call, |call, (name, value)| call.expression_attribute_values(*name, value.clone()))
}

async fn prepare(client: &Client, table: &Table<'_>) {
    for id in ["with", "without"] {
        client.put_item().table_name(&table.name).set_item(Some(before(id))).send().await.unwrap();
    }
}

/// The item `id` without its key and without what is ours.
async fn after(client: &Client, table: &Table<'_>, id: &str) -> (Item, bool) {
    let mut item = table.stored(client, id).await.unwrap();
    item.remove("id");
    let ours = item.remove(MEMBER).is_some();
    (item, ours)
}

#[tokio::test]
async fn an_update_does_what_it_does_without_us() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_dynamodb, sdk(emulator.tables()).await);
    let table = Table::new(&emulator).await;
    for shape in shapes() {
        prepare(&plain, &table).await;
        let without = update(&plain, &table, "without", &shape).send().await;
        let (sender, call) = (table.function(), update(&traced, &table, "with", &shape));
        let with = sender.sends(async || call.send().await).await;
        let code = |error: &_| aws_sdk_dynamodb::error::SdkError::code(error).map(str::to_owned);
        assert_eq!(
            with.as_ref().err().map(code),
            without.as_ref().err().map(code),
            "{shape:?}: {with:?} {without:?}"
        );
        let (item, ours) = after(&plain, &table, "with").await;
        assert_eq!(item, after(&plain, &table, "without").await.0, "{shape:?}");
        if with.is_ok() {
            assert!(ours, "{shape:?}");
            assert_eq!(injections(&sender), [outcome("attributes", None)], "{shape:?}");
        }
    }
}

#[tokio::test]
async fn an_update_of_nothing_and_one_in_the_old_form_do_what_they_do_without_us() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_dynamodb, sdk(emulator.tables()).await);
    let table = Table::new(&emulator).await;
    prepare(&plain, &table).await;
    let (sender, call) =
        (table.function(), traced.update_item().table_name(&table.name).set_key(Some(key("with"))));
    sender.sends(async || call.send().await).await.unwrap();
    let (item, ours) = after(&plain, &table, "with").await;
    assert!(ours && item == after(&plain, &table, "without").await.0);

    let sender = table.function();
    let value = AttributeValueUpdate::builder().value(n("1")).action(AttributeAction::Add).build();
    for (client, id) in [(&plain, "without"), (&traced, "with")] {
        let call = client
            .update_item()
            .table_name(&table.name)
            .set_key(Some(key(id)))
            .attribute_updates("a", value.clone());
        sender.sends(async || call.send().await).await.unwrap();
    }
    assert_eq!(after(&plain, &table, "with").await.0, after(&plain, &table, "without").await.0);
    assert_eq!(injections(&sender), [outcome("none", Some("no-expression"))]);
}

#[tokio::test]
async fn an_update_goes_on_in_the_stream() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_dynamodb, sdk(emulator.tables()).await);
    let table = Table::new(&emulator).await;
    prepare(&plain, &table).await;
    table.changes().await;
    let (sender, receiver) = (table.function(), Function::new());
    let call = update(&traced, &table, "with", &shapes()[0]);
    sender.sends(async || call.send().await).await.unwrap();
    let [seen] = table.deliver(&receiver).await.try_into().unwrap();
    assert_eq!(seen.payload, "MODIFY");
    seen.assert_baggage();
    let writer = sender.spans_where(|span| span.span.name == "DynamoDB.UpdateItem").remove(0);
    let record = receiver.spans_where(|span| !span.is_invocation()).remove(0);
    assert_child(&receiver, &record, &writer);
    let join = writer.attribute("throughline.join.out").unwrap();
    assert!(join.starts_with("dynamodb:"));
    assert_eq!(record.attribute("throughline.join.in"), Some(join));
}

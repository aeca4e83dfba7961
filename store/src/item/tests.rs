//! Items are read as they were written, and whatever else stands in them is an error.

use proptest::prelude::*;

use super::*;
use crate::run::{Card, Failure, Name, Way, group};
use crate::testing::{Told as _, invocation, otlp, span};

pub(crate) fn value() -> impl Strategy<Value = AttributeValue> {
    let leaf = prop_oneof![
        ".{0,8}".prop_map(AttributeValue::S),
        any::<i64>().prop_map(|number| AttributeValue::N(number.to_string())),
        ".{0,4}".prop_map(AttributeValue::N),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(AttributeValue::B),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null(true)),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let names = prop::collection::hash_map(".{0,3}", inner.clone(), 0..3);
        let list = prop::collection::vec(inner, 0..3).prop_map(AttributeValue::L);
        prop_oneof![list, names.prop_map(AttributeValue::M)]
    })
}

fn foreign() -> impl Strategy<Value = Item> {
    let name = "pk|sk|ttl|spans|logs|part|parts|bytes|digest|encoding|request_id|span_id|trace_id|function|start|error|names";
    prop::collection::hash_map(name, value(), 0..16).prop_map(Item::from)
}

fn place() -> Place {
    Place { partition: Partition::Trace("t".into()), sort: "1".into(), expires: 7 }
}

proptest! {
    #[test]
    fn a_card_is_read_as_it_was_written(
        text in ".{0,9}", number in any::<u64>(), flag in any::<bool>(), optional in prop::option::of(".{0,9}")
    ) {
        let card = Card {
            request_id: text.clone(),
            function: text.clone(),
            start: number,
            duration: number,
            began: flag,
            error: optional.clone().map(|message| Failure { kind: text.clone(), message }),
            user: optional,
            queued: flag.then_some(number),
            ..Card::default()
        };
        let item = place().item(&card).unwrap();
        prop_assert_eq!(number_of(&item, "ttl"), Some(7));
        prop_assert_eq!(read::<Card>(item).unwrap(), card);
    }

    #[test]
    fn a_pointer_is_read_as_it_was_written(text in ".{0,9}", at in any::<u64>(), out in any::<bool>()) {
        let way = if out { Way::Out } else { Way::Correlation };
        let names = vec![Name { way, name: text.clone() }];
        let pointer = Pointer { request_id: text, at, failed: out, names, ..Pointer::default() };
        prop_assert_eq!(read::<Pointer>(place().item(&pointer).unwrap()).unwrap(), pointer);
    }

    #[test]
    fn any_item_is_something_or_damaged(items in prop::collection::vec(foreign(), 0..4)) {
        for item in &items {
            let _ = (read::<Card>(item.clone()).is_ok(), read::<Pointer>(item.clone()).is_ok());
            let _ = (expired(item, 5), size(item), write_units(item));
        }
        let (_, damaged) = unpack(&items);
        prop_assert!(damaged.len() <= items.len());
        let (_, damaged) = unpack_logs(&items);
        prop_assert!(damaged.len() <= items.len());
    }

    #[test]
    fn spans_are_read_as_they_were_packed_and_torn_ones_are_not(
        count in 1..5_u64, text in ".{0,50}", at in any::<prop::sample::Index>(), flip in 1..=255_u8
    ) {
        let spans = (2..2 + count).map(|id| span(1, id, Some(1)).attribute("text", &text));
        let request = otlp("f", [invocation(1, 1, "r-1")].into_iter().chain(spans));
        let run = group(request.clone()).remove(0);
        let items = |run| pack(run).unwrap().into_iter().map(|(sort, item)| Place { sort, ..place() }.holding(item));
        let mut items: Vec<Item> = items(&run).collect();
        prop_assert_eq!(unpack(&items), (request.resource_spans, vec![]));
        let mut torn = bytes(&items[0], "spans").unwrap().to_vec();
        let at = at.index(torn.len());
        torn[at] ^= flip;
        items[0].insert("spans".into(), AttributeValue::B(torn));
        let (read, damaged) = unpack(&items);
        // A bit of the frame's header may say nothing of what is in it.
        prop_assert!(damaged.len() == 1 && read.is_empty() || read == run.otlp);
    }
}

fn number_of(item: &Item, name: &str) -> Option<u64> {
    number(item, name)
}

#[test]
fn sizes_are_counted_as_dynamodb_counts_them() {
    let some = item([
        ("pk", AttributeValue::S("abc".into())),
        ("n", AttributeValue::N("1234".into())),
        ("b", AttributeValue::B(vec![0; 1000])),
    ]);
    assert_eq!(size(&some), 2 + 3 + 1 + 3 + 1 + 1000);
    assert_eq!(write_units(&some), 1);
    assert_eq!(write_units(&item([("b", AttributeValue::B(vec![0; 1024]))])), 2);
}

/// A small body that says it is large is not made room for.
#[test]
fn a_bomb_is_no_spans() {
    let bomb = zstd::bulk::compress(&vec![0; 1 << 20], 3).unwrap();
    for (bytes, why) in [("10", "Destination buffer is too small"), ("99999999999", "more than a run has")] {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let bomb = item([
            ("pk", text("spans#r")),
            ("sk", text("s#d#0000")),
            ("spans", AttributeValue::B(bomb.clone())),
            ("encoding", text("zstd")),
            ("part", AttributeValue::N("0".into())),
            ("parts", AttributeValue::N("1".into())),
            ("bytes", AttributeValue::N(bytes.into())),
            ("digest", text("d")),
        ]);
        let (spans, damaged) = unpack(&[bomb]);
        assert!(spans.is_empty() && damaged[0].why.contains(why), "{damaged:?}");
    }
}

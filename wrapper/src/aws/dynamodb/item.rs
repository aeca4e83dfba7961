//! The attribute `_throughline` and the size of items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::aws::outcome::Skipped;
use crate::propagation::{Carrier, MEMBER};

pub(super) type Item = HashMap<String, AttributeValue>;

/// The most bytes of an item, names and values counted.
const MAX_ITEM: usize = 400 * 1024;

/// The context as an item carries it, with the time of the write: by that a reader of the table's stream tells
/// the writer at hand from a previous one.
#[derive(Debug)]
pub(super) struct Mark {
    value: AttributeValue,
    size: usize,
}

impl Mark {
    /// `at`: milliseconds since 1970.
    pub(super) fn new(carrier: Carrier, at: u128) -> Self {
        let texts = [
            ("traceparent", Some(carrier.traceparent)),
            ("tracestate", carrier.tracestate),
            ("baggage", carrier.baggage),
        ];
        let mut map: Item = texts
            .into_iter()
            .filter_map(|(name, text)| Some((name.to_owned(), AttributeValue::S(text?))))
            .collect();
        map.insert("at".to_owned(), AttributeValue::N(at.to_string()));
        let value = AttributeValue::M(map);
        let size = MEMBER.len() + value_size(&value);
        Self { value, size }
    }

    pub(super) fn value(&self) -> AttributeValue {
        self.value.clone()
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Adds the attribute to an item, or puts it in place of the one there, unless the item then were too large or more
    /// than `left` bytes were added. Gives the bytes that were.
    ///
    /// One that is there came along from a client that shows it, in an item that was read and is written back, or
    /// from outside: whoever wrote it, this write is not its.
    pub(super) fn put(&self, item: &mut Item, left: usize) -> Result<usize, Skipped> {
        let old = item.get(MEMBER).map_or(0, |old| MEMBER.len() + value_size(old));
        let added = self.size.saturating_sub(old);
        if added > left || size(item) + added > MAX_ITEM {
            return Err(Skipped::TooLarge);
        }
        item.insert(MEMBER.to_owned(), self.value());
        Ok(added)
    }
}

/// The bytes that an item counts for, or a little more.
pub(super) fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

/// Numbers are stored in about half of their digits: counting all is on the safe side.
fn value_size(value: &AttributeValue) -> usize {
    /// Of a list or map itself, and of each of its elements.
    const CONTAINER: usize = 3;
    const ELEMENT: usize = 1;
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number.len() + 1,
        AttributeValue::B(blob) => blob.as_ref().len(),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|number| number.len() + 1).sum(),
        AttributeValue::Bs(blobs) => blobs.iter().map(|blob| blob.as_ref().len()).sum(),
        AttributeValue::L(list) => {
            CONTAINER + list.iter().map(|value| ELEMENT + value_size(value)).sum::<usize>()
        }
        AttributeValue::M(map) => CONTAINER + map.len() * ELEMENT + size(map),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        let carrier =
            Carrier { traceparent: "t".repeat(55), tracestate: None, baggage: Some("k=v".to_owned()) };
        Mark::new(carrier, 1_700_000_000_123)
    }

    #[test]
    fn the_attribute_is_a_map_with_the_time_of_the_write() {
        let mut item = Item::from([("id".to_owned(), AttributeValue::S("1".to_owned()))]);
        assert_eq!(mark().put(&mut item, usize::MAX), Ok(mark().size()));
        let map = item[MEMBER].as_m().unwrap();
        assert_eq!(map["at"], AttributeValue::N("1700000000123".to_owned()));
        assert_eq!(map["baggage"], AttributeValue::S("k=v".to_owned()));
        assert!(!map.contains_key("tracestate"));
    }

    #[test]
    fn an_item_stays_under_its_limit() {
        let fits = MAX_ITEM - "d".len() - mark().size();
        let item = |bytes: usize| Item::from([("d".to_owned(), AttributeValue::S("x".repeat(bytes)))]);
        assert!(mark().put(&mut item(fits), usize::MAX).is_ok());
        let mut full = item(fits + 1);
        assert_eq!(mark().put(&mut full, usize::MAX), Err(Skipped::TooLarge));
        assert_eq!(full.len(), 1);
        assert_eq!(mark().put(&mut item(1), mark().size() - 1), Err(Skipped::TooLarge));
    }

    #[test]
    fn what_is_there_came_along_with_the_item_and_is_replaced() {
        let old = AttributeValue::S("x".repeat(MAX_ITEM - MEMBER.len()));
        let mut item = Item::from([(MEMBER.to_owned(), old)]);
        assert_eq!(mark().put(&mut item, 0), Ok(0));
        assert_eq!(item, Item::from([(MEMBER.to_owned(), mark().value())]));
        assert_eq!(size(&item), mark().size());
    }

    #[test]
    fn every_kind_of_value_counts() {
        let text = || AttributeValue::S("abc".to_owned());
        assert_eq!(value_size(&AttributeValue::L(vec![text(), text()])), 3 + 2 * (1 + 3));
        assert_eq!(value_size(&AttributeValue::M(Item::from([("n".to_owned(), text())]))), 3 + 1 + 1 + 3);
        assert_eq!(value_size(&AttributeValue::Null(true)), 1);
        assert_eq!(value_size(&AttributeValue::Ss(vec!["ab".to_owned(), "c".to_owned()])), 3);
    }
}

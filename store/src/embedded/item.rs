//! Items as the embedded database has them, and back.

use dynoxide::AttributeValue as Embedded;
use serde_dynamo::{AttributeValue, Item};

/// An item of the database's.
pub(super) fn to_embedded(item: Item) -> dynoxide::Item {
    item.into_inner().into_iter().map(|(name, value)| (name, value_to_embedded(value))).collect()
}

/// An item of ours.
pub(super) fn from_embedded(item: dynoxide::Item) -> Item {
    let mut ours = Item::default();
    ours.extend(item.into_iter().map(|(name, value)| (name, value_from_embedded(value))));
    ours
}

fn value_to_embedded(value: AttributeValue) -> Embedded {
    match value {
        AttributeValue::N(number) => Embedded::N(number),
        AttributeValue::S(text) => Embedded::S(text),
        AttributeValue::Bool(value) => Embedded::BOOL(value),
        AttributeValue::B(bytes) => Embedded::B(bytes),
        AttributeValue::Null(value) => Embedded::NULL(value),
        AttributeValue::M(map) => {
            Embedded::M(map.into_iter().map(|(name, value)| (name, value_to_embedded(value))).collect())
        }
        AttributeValue::L(list) => Embedded::L(list.into_iter().map(value_to_embedded).collect()),
        AttributeValue::Ss(texts) => Embedded::SS(texts),
        AttributeValue::Ns(numbers) => Embedded::NS(numbers),
        AttributeValue::Bs(all) => Embedded::BS(all),
    }
}

fn value_from_embedded(value: Embedded) -> AttributeValue {
    match value {
        Embedded::N(number) => AttributeValue::N(number),
        Embedded::S(text) => AttributeValue::S(text),
        Embedded::BOOL(value) => AttributeValue::Bool(value),
        Embedded::B(bytes) => AttributeValue::B(bytes),
        Embedded::NULL(value) => AttributeValue::Null(value),
        Embedded::M(map) => AttributeValue::M(
            map.into_iter().map(|(name, value)| (name, value_from_embedded(value))).collect(),
        ),
        Embedded::L(list) => AttributeValue::L(list.into_iter().map(value_from_embedded).collect()),
        Embedded::SS(texts) => AttributeValue::Ss(texts),
        Embedded::NS(numbers) => AttributeValue::Ns(numbers),
        Embedded::BS(all) => AttributeValue::Bs(all),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::item::tests::value;

    proptest! {
        #[test]
        fn a_value_comes_back_as_it_was(value in value()) {
            prop_assert_eq!(value_from_embedded(value_to_embedded(value.clone())), value);
        }
    }
}

//! How large an item is, as DynamoDB counts
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>).

use serde_dynamo::{AttributeValue, Item};

/// What an item costs that is written: a unit for each KB.
#[must_use]
pub(crate) fn write_units(item: &Item) -> u64 {
    (size(item) as u64).div_ceil(1024).max(1)
}

/// The size in bytes.
pub(crate) fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + of_value(value)).sum()
}

fn of_value(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        // A byte for two digits, and one more.
        AttributeValue::N(number) => number.trim_matches(['-', '0', '.']).len().div_ceil(2) + 1,
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + of_value(value)).sum::<usize>(),
        AttributeValue::M(map) => {
            3 + map.iter().map(|(name, value)| 1 + name.len() + of_value(value)).sum::<usize>()
        }
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|number| number.len().div_ceil(2) + 1).sum(),
        AttributeValue::Bs(all) => all.iter().map(Vec::len).sum(),
        // A truth or nothing.
        _ => 1,
    }
}

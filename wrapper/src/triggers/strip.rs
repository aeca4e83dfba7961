//! Takes members out of a JSON text and leaves every other byte as it was: the handler must not see what we
//! injected, and must see all else exactly as it was sent.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::carrier::Carrier;
use super::scan::{self, Scanner};
use crate::propagation::MEMBER;

/// Parts of a text: mostly one, and many records have it.
pub(super) type Ranges = SmallVec<[Range<usize>; 1]>;

/// `event` without the records of its batch that are `taken`, in their order; `None` if it has not so many.
pub(crate) fn without_records(event: &str, taken: &[bool]) -> Option<String> {
    // Lists of records; and objects of such lists, one for each partition of Kafka and queue of RabbitMQ.
    const LISTS: [&str; 2] = ["Records", "messages"];
    const OBJECTS: [&str; 2] = ["records", "rmqMessagesByQueue"];
    let mut edits = Edits::new(event);
    let mut taken = taken.iter();
    let mut list = |scanner: &mut Scanner<'_>| {
        let mut left = Vec::new();
        let whole = scanner.text_of(|scanner| {
            scanner.list(|scanner| {
                let record = scanner.value()?;
                if !*taken.next()? {
                    left.push(record);
                }
                Some(())
            })
        })?;
        let at = offset(event, whole)?;
        edits.edits.push((at..at + whole.len(), format!("[{}]", left.join(","))));
        Some(())
    };
    scan::whole(event, |scanner| {
        scanner.object(|name, scanner| match &*name {
            name if LISTS.contains(&name) => list(scanner),
            name if OBJECTS.contains(&name) => scanner.object(|_, scanner| list(scanner)),
            _ => scanner.value().map(drop),
        })
    })?;
    if taken.next().is_some() { None } else { edits.apply() }
}

/// Changes to an event, gathered while it is read.
#[derive(Debug)]
pub(super) struct Edits<'a> {
    event: &'a str,
    edits: SmallVec<[(Range<usize>, String); 1]>,
}

impl<'a> Edits<'a> {
    pub(super) fn new(event: &'a str) -> Self {
        Self { event, edits: SmallVec::new() }
    }

    /// Takes the members called `name` out of `object`, a slice of the event.
    pub(super) fn cut(&mut self, object: &'a str, name: &str) {
        self.cut_values(name, values(object, name));
    }

    /// Takes our member out of `object`, of which `carrier` was read: that is not done again.
    pub(super) fn cut_ours(&mut self, object: &'a str, carrier: &Carrier<'a>) {
        match carrier.ours() {
            Some(values) => self.cut_values(MEMBER, values),
            None => self.cut(object, MEMBER),
        }
    }

    /// Takes the members called `name` out that have these values, slices of the event. They are all the members of
    /// that name in their objects, in order.
    pub(super) fn cut_values(&mut self, name: &str, values: impl IntoIterator<Item = &'a str>) {
        let ranges = around(self.event, name, values);
        self.edits.extend(ranges.into_iter().map(|range| (range, String::new())));
    }

    /// Puts `new` in the place of `old`, a slice of the event.
    pub(super) fn replace(&mut self, old: &'a str, new: String) {
        if let Some(at) = offset(self.event, old) {
            self.edits.push((at..at + old.len(), new));
        }
    }

    /// The event with all changes; `None` if there are none.
    pub(super) fn apply(mut self) -> Option<String> {
        if self.edits.is_empty() {
            return None;
        }
        self.edits.sort_by_key(|(range, _)| range.start);
        let mut changed = String::with_capacity(self.event.len());
        let mut at = 0;
        for (range, new) in self.edits {
            changed.push_str(self.event.get(at..range.start)?);
            changed.push_str(&new);
            at = range.end;
        }
        changed.push_str(self.event.get(at..)?);
        Some(changed)
    }
}

/// Where `part`, a slice of `whole`, begins in it.
pub(super) fn offset(whole: &str, part: &str) -> Option<usize> {
    let at = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (at + part.len() <= whole.len()).then_some(at)
}

/// What to take out of `object` so that it has no member `name`: each with the comma before it, or, if nothing
/// is left before it, the one after it. Nothing, if `object` is not a JSON object.
pub(super) fn members(object: &str, name: &str) -> Ranges {
    around(object, name, values(object, name))
}

/// The values of the members called `name`. What is spelled with escapes is another name.
fn values<'a>(object: &'a str, name: &str) -> SmallVec<[&'a str; 1]> {
    let mut values = SmallVec::new();
    let is_read = scan::whole(object, |scanner| {
        scanner.object(|key, scanner| {
            let value = scanner.value()?;
            if matches!(key, Cow::Borrowed(key) if key == name) {
                values.push(value);
            }
            Some(())
        })
    });
    if is_read.is_some() { values } else { SmallVec::new() }
}

/// What to take out of `text`, by the values of the members.
fn around<'a>(text: &'a str, name: &str, values: impl IntoIterator<Item = &'a str>) -> Ranges {
    let mut ranges = Ranges::new();
    // Where the last range ends before which nothing is left of its object.
    let mut first_left = None;
    for value in values {
        let Some((key, end)) = member(text, name, value) else { continue };
        let before = trim_end(text.get(..key).unwrap_or_default());
        if before.ends_with('{') || first_left == Some(before.len()) {
            let comma = end + spaces(text.get(end..).unwrap_or_default());
            let until = if text.as_bytes().get(comma) == Some(&b',') { comma + 1 } else { end };
            let begin = first_left.filter(|left| *left == before.len()).unwrap_or(key);
            ranges.push(begin..until);
            first_left = Some(until);
        } else {
            // From the comma on: the white space before it was there before the member was.
            ranges.push(before.len().saturating_sub(1)..end);
        }
    }
    ranges
}

/// Where the member begins that has this value, with its key, and where it ends.
fn member(text: &str, name: &str, value: &str) -> Option<(usize, usize)> {
    let at = offset(text, value)?;
    let key = trim_end(trim_end(text.get(..at)?).strip_suffix(':')?);
    let before = key.strip_suffix('"')?.strip_suffix(name)?.strip_suffix('"')?;
    Some((before.len(), at + value.len()))
}

const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

fn trim_end(text: &str) -> &str {
    text.trim_end_matches(SPACE)
}

/// How much white space a text begins with.
fn spaces(text: &str) -> usize {
    text.len() - text.trim_start_matches(SPACE).len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    fn cut(object: &str) -> Option<String> {
        let mut edits = Edits::new(object);
        edits.cut(object, "x");
        edits.apply()
    }

    #[test]
    fn the_comma_goes_along_wherever_the_member_stands() {
        for (object, left) in [
            (r#"{"x":1}"#, r"{}"),
            (r#" { "x" : 1 } "#, r" {  } "),
            (r#"{ "x": 1 , "b" : 2 }"#, r#"{  "b" : 2 }"#),
            (r#"{"a":1 , "x":[{"x":1}] ,"b":2}"#, r#"{"a":1  ,"b":2}"#),
            ("{\"a\": 1,\n  \"x\": \"},\"\n}", "{\"a\": 1\n}"),
            ("{\"a\": 1\n,\"x\":1}", "{\"a\": 1\n}"),
            ("{\"a\":1\t,\"x\":1 ,\"x\":2\n}", "{\"a\":1\t \n}"),
            (r#"{"x":1,"x":2}"#, r"{}"),
            (r#"{"x":1, "x":2,"b":3}"#, r#"{"b":3}"#),
            (r#"{"x":1,"a":0,"x":2,"x":3,"b":3,"x":4}"#, r#"{"a":0,"b":3}"#),
        ] {
            assert_eq!(cut(object).as_deref(), Some(left), "{object}");
        }
    }

    #[test]
    fn what_has_no_such_member_is_left_alone() {
        for text in ["", "{", "[1]", "null", r#"{"a":{"x":1}}"#, r#"{"a":"x"}"#, r#"{"x":1"#, r#"["x"]"#] {
            assert_eq!(cut(text), None, "{text}");
        }
    }

    #[test]
    fn edits_need_not_come_in_order_and_foreign_text_is_refused() {
        let event = r#"{"a":{"x":1},"b":{"x":2,"c":"d"}}"#;
        let mut edits = Edits::new(event);
        edits.cut(&event[17..32], "x");
        edits.replace(&event[28..31], "\"e\"".to_owned());
        edits.cut(&event[5..12], "x");
        edits.replace("elsewhere, and longer than the event that is edited here", String::new());
        assert_eq!(edits.apply().unwrap(), r#"{"a":{},"b":{"c":"e"}}"#);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("[xyz,\"]{0,2}", inner, 0..4)
                    .prop_map(|members| Value::from(Map::from_iter(members))),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_rest_is_the_same_in_value_and_in_bytes(
            members in prop::collection::vec(("[xyz,}\"]{1,2}", any_value()), 0..6),
            space in "[ \t\r\n]{0,2}",
        ) {
            // Later members replace earlier ones, as a parser reads them.
            let write = |members: &[(String, Value)]| {
                let members = members.iter().map(|(key, value)| {
                    format!("{space}{}{space}:{space}{value}{space}", Value::from(key.as_str()))
                });
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            };
            let object = write(&members);
            let kept: Vec<_> = members.iter().filter(|(key, _)| key != "x").cloned().collect();
            match cut(&object) {
                None => prop_assert_eq!(kept.len(), members.len()),
                Some(left) => {
                    prop_assert!(kept.len() < members.len());
                    let value: Value = serde_json::from_str(&left).unwrap();
                    prop_assert_eq!(value, serde_json::from_str::<Value>(&write(&kept)).unwrap());
                    // Every kept member stands there byte for byte.
                    let mut rest = left.as_str();
                    for (key, value) in &kept {
                        let member = format!("{}{space}:{space}{value}", Value::from(key.as_str()));
                        let at = rest.find(&member).unwrap();
                        rest = &rest[at + member.len()..];
                    }
                }
            }
        }

        #[test]
        fn any_text_is_survived(text in ".*") {
            prop_assert_eq!(cut(&text), None);
        }
    }
}

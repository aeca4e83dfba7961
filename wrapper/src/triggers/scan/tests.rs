use std::fmt;

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::*;
use crate::triggers::json::{Json as _, Part};

/// Keys, of an object, and values.
type Found<'a> = Vec<(Option<Cow<'a, str>>, &'a str)>;

/// Everything that stands in an object or a list, as text.
fn all(text: &str) -> Option<Found<'_>> {
    let mut found = Vec::new();
    whole(text, |scanner| match scanner.peek()? {
        b'{' => scanner.object(|name, scanner| {
            found.push((Some(name), scanner.value()?));
            Some(())
        }),
        _ => scanner.list(|scanner| {
            found.push((None, scanner.value()?));
            Some(())
        }),
    })?;
    Some(found)
}

fn part(text: &str) -> Option<Part<'_>> {
    whole(text, Part::read)
}

#[test]
fn members_and_items_are_slices_of_the_text() {
    let text = "\u{20}{ \"a\" : [1 , {\"b\":\"]\"}] ,\"\\u0062\":-1.5e+3\n,\"c\":null, \"c\":\"\\\"}\" } ";
    let members = all(text).unwrap();
    let found: Vec<_> = members.iter().map(|(key, value)| (key.as_deref().unwrap(), *value)).collect();
    let expected = [("a", "[1 , {\"b\":\"]\"}]"), ("b", "-1.5e+3"), ("c", "null"), ("c", "\"\\\"}\"")];
    assert_eq!(found, expected);
    let items: Vec<_> =
        all("[ [] , {} ,\"\\\\\",0,true ]").unwrap().into_iter().map(|(_, item)| item).collect();
    assert_eq!(items, ["[]", "{}", "\"\\\\\"", "0", "true"]);
    assert_eq!((all("{}"), all(" [ ] ")), (Some(Vec::new()), Some(Vec::new())));
}

#[test]
fn what_is_torn_or_has_no_commas_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{1:1}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "[\"a]",
        "[\"a\\\"]",
        "[[]",
        "[[1]",
        "[{]",
        "{}}",
        "[] []",
        "{\"a\":1 \"b\":2}",
        "{\"\\ud800\":1}",
        "[?]",
        "nul",
        "1",
    ] {
        assert_eq!(all(text), None, "{text}");
    }
}

#[test]
fn the_first_item_is_found_whatever_follows() {
    assert_eq!(first_item(" [ {\"a\":[]} , ?"), Some("{\"a\":[]}"));
    assert_eq!(
        (first_item("[]"), first_item("{}"), first_item("[\"a"), first_item("")),
        (None, None, None, None)
    );
}

#[test]
fn depth_is_nothing() {
    let deep = format!("[{}{}]", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(all(&deep).unwrap().len(), 1);
    assert_eq!(all(&deep[..deep.len() - 1]), None);
}

#[test]
fn backslashes_are_paired_across_blocks() {
    for spaces in 0..140 {
        for slashes in 0..6 {
            let text = format!("[{}\"{}\"]", " ".repeat(spaces), "\\".repeat(slashes));
            let nested = format!("[{text}]");
            assert_eq!(all(&text).is_some(), slashes % 2 == 0, "{text}");
            assert_eq!(all(&nested).is_some(), slashes % 2 == 0, "{nested}");
        }
    }
}

/// JSON of any shape, spaced and escaped in any way.
pub(in crate::triggers) fn any_json() -> impl Strategy<Value = String> {
    let escape = |text: String, escaped: Vec<bool>| {
        let mut written = String::from("\"");
        let mut escaped = escaped.into_iter().cycle();
        for c in text.chars() {
            match c {
                _ if escaped.next() == Some(true) => {
                    c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| written += &format!("\\u{unit:04x}"));
                }
                '"' | '\\' => written.extend(['\\', c]),
                '\0'..'\u{20}' => written += &format!("\\u{:04x}", u32::from(c)),
                c => written.push(c),
            }
        }
        written + "\""
    };
    let text = prop_oneof![3 => "[\\PC]{0,12}", 2 => "[\"\\\\{}\\[\\], a]{0,90}", 1 => "[ -~]{50,150}"];
    let string =
        (text, prop::collection::vec(prop::bool::weighted(0.1), 1..9)).prop_map(move |(t, e)| escape(t, e));
    let leaf = prop_oneof![
        3 => string.clone(),
        1 => prop::sample::select(vec!["null", "true", "false", "0", "-1", "1.5", "1e999", "-0.0E-7"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 80, 6, move |inner| {
        let space = || "[ \t\r\n]{0,3}";
        let item = (space(), inner.clone(), space()).prop_map(|(a, item, b)| format!("{a}{item}{b}"));
        let member = (space(), string.clone(), space(), item.clone())
            .prop_map(|(a, key, b, value)| format!("{a}{key}{b}:{value}"));
        prop_oneof![
            (prop::collection::vec(item, 0..6), space()).prop_map(|(items, space)| match items.as_slice() {
                [] => format!("[{space}]"),
                items => format!("[{}]", items.join(",")),
            }),
            (prop::collection::vec(member, 0..6), space()).prop_map(|(members, space)| {
                match members.as_slice() {
                    [] => format!("{{{space}}}"),
                    members => format!("{{{}}}", members.join(",")),
                }
            }),
        ]
    })
}

/// The same by `serde_json`.
fn expected(text: &str) -> Vec<(Option<String>, String)> {
    struct Raw(Vec<(Option<String>, String)>);
    impl<'de> Deserialize<'de> for Raw {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct RawVisitor;
            impl<'de> Visitor<'de> for RawVisitor {
                type Value = Raw;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object or a list")
                }
                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                    let mut found = Vec::new();
                    while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                        found.push((Some(key), value.get().to_owned()));
                    }
                    Ok(Raw(found))
                }
                fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
                    let mut found = Vec::new();
                    while let Some(value) = list.next_element::<&RawValue>()? {
                        found.push((None, value.get().to_owned()));
                    }
                    Ok(Raw(found))
                }
            }
            deserializer.deserialize_any(RawVisitor)
        }
    }
    serde_json::from_str::<Raw>(text).unwrap().0
}

fn found(text: &str) -> Option<Vec<(Option<String>, String)>> {
    let owned = |(key, value): (Option<Cow<'_, str>>, &str)| (key.map(Cow::into_owned), value.to_owned());
    all(text).map(|found| found.into_iter().map(owned).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn it_agrees_with_serde_json_on_every_json(text in any_json()) {
        serde_json::from_str::<Value>(&text.replace("1e999", "1")).unwrap();
        if text.starts_with(['{', '[']) {
            prop_assert_eq!(found(&text).unwrap(), expected(&text));
        } else {
            let value: Option<Value> = serde_json::from_str(&text).ok();
            let string = part(&text).unwrap().text();
            prop_assert_eq!(string.as_deref(), value.as_ref().and_then(Value::as_str));
        }
    }

    #[test]
    fn what_begins_as_json_and_is_torn_is_refused(text in any_json(), at in any::<prop::sample::Index>()) {
        let torn = at.index(text.len());
        if text.starts_with(['{', '[']) && text.is_char_boundary(torn) {
            prop_assert_eq!(all(&text[..torn]), None);
        }
    }

    #[test]
    fn any_text_is_survived(text in ".*", json in "[\\[\\]{}\",:\\\\ a1]{0,200}") {
        let _ = (all(&text), part(&text));
        if let Some(found) = all(&json) {
            // What is given out are slices of it, in order.
            let mut rest = json.as_str();
            for (_, value) in found {
                let at = rest.find(value).unwrap();
                rest = &rest[at + value.len()..];
            }
        }
    }
}

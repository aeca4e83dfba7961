//! A JSON object that gets one more member, as text: every other byte stays as it is.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::outcome::Skipped;
use crate::propagation::{Carrier, MEMBER};

/// `body` with the context as a member, in at most `limit` bytes: the last one, or in place of what is there under its
/// name.
///
/// No function sees that member, as it is cut out of every event: so the one that is there comes from outside, in a
/// document that is passed on as it came. What else a caller put there stays: a `traceparent`, as CloudEvents have it.
///
/// The body is read once and nothing of it is kept, so the cost is linear in a size that `limit` bounds.
pub(super) fn with_member(body: &[u8], carrier: &Carrier, limit: usize) -> Result<Vec<u8>, Skipped> {
    if body.len() > limit {
        return Err(Skipped::TooLarge);
    }
    let text = std::str::from_utf8(body).map_err(|_| Skipped::NotJsonObject)?;
    let object: Object<'_> = serde_json::from_str(text).map_err(|_| Skipped::NotJsonObject)?;
    let value = serde_json::to_string(carrier).map_err(|_| Skipped::NotJsonObject)?;
    let body = if object.ours.is_empty() {
        if object.carries_context {
            return Err(Skipped::CallerSet);
        }
        // After the last brace of a valid object there is white space alone.
        let end = text.rfind('}').ok_or(Skipped::NotJsonObject)?;
        let comma = if object.is_empty { "" } else { "," };
        [&text[..end], comma, "\"", MEMBER, "\":", &value, &text[end..]].concat()
    } else {
        let mut replaced = String::with_capacity(text.len() + value.len());
        let mut rest = text;
        for old in object.ours {
            let (before, after) = around(rest, old).ok_or(Skipped::NotJsonObject)?;
            replaced.extend([before, &value]);
            rest = after;
        }
        replaced + rest
    };
    if body.len() > limit {
        return Err(Skipped::TooLarge);
    }
    Ok(body.into_bytes())
}

/// What stands before and after `part` in the text that it is a slice of.
fn around<'a>(text: &'a str, part: &str) -> Option<(&'a str, &'a str)> {
    let start = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    Some((text.get(..start)?, text.get(start + part.len()..)?))
}

/// What must be known of an object to add a member to it.
struct Object<'a> {
    is_empty: bool,
    /// The caller put one there itself.
    carries_context: bool,
    /// The values under our name.
    ours: Vec<&'a str>,
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Object<'de>, A::Error> {
        let mut object = Object { is_empty: true, carries_context: false, ours: Vec::new() };
        while let Some(key) = members.next_key()? {
            object.is_empty = false;
            match key {
                Key::Ours => object.ours.push(members.next_value::<&RawValue>()?.get()),
                Key::Context => {
                    object.carries_context = true;
                    members.next_value::<IgnoredAny>()?;
                }
                Key::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(object)
    }
}

/// What a member's name says.
enum Key {
    Ours,
    Context,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Name)
    }
}

struct Name;

impl Visitor<'_> for Name {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(match name {
            MEMBER => Key::Ours,
            "traceparent" => Key::Context,
            _ => Key::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::triggers::{self, Caller};

    fn carrier() -> Carrier {
        Carrier { traceparent: "00-1-2-01".to_owned(), tracestate: None, baggage: Some("k=v".to_owned()) }
    }

    fn add(body: &str) -> Result<String, Skipped> {
        with_member(body.as_bytes(), &carrier(), 1024).map(|body| String::from_utf8(body).unwrap())
    }

    const ADDED: &str = r#""_throughline":{"traceparent":"00-1-2-01","baggage":"k=v"}"#;

    #[test]
    fn an_object_gets_the_member_and_keeps_every_other_byte() {
        assert_eq!(add("{}").unwrap(), format!("{{{ADDED}}}"));
        assert_eq!(add(" { } \n").unwrap(), format!(" {{ {ADDED}}} \n"));
        assert_eq!(add(r#"{"a": 1.50, "b":"}"}"#).unwrap(), format!(r#"{{"a": 1.50, "b":"}}",{ADDED}}}"#));
        assert_eq!(
            add(r#"{"a":{"_throughline":1}} "#).unwrap(),
            format!(r#"{{"a":{{"_throughline":1}},{ADDED}}} "#)
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for body in [
            "",
            "1",
            "[]",
            "[{}]",
            "null",
            "\"{}\"",
            "{",
            "}",
            "{}{}",
            "{}x",
            "{a:1}",
            "{\"a\":1,}",
            "\u{feff}{}",
        ] {
            assert_eq!(add(body), Err(Skipped::NotJsonObject), "{body}");
        }
        assert_eq!(with_member(b"{\"a\":\"\xff\"}", &carrier(), 1024), Err(Skipped::NotJsonObject));
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let body = with_member(deep.as_bytes(), &carrier(), usize::MAX).unwrap();
        assert!(body.starts_with(&deep.as_bytes()[..deep.len() - 1]));
    }

    #[test]
    fn a_context_of_the_caller_stays() {
        for body in [r#"{"traceparent":"x"}"#, r#"{"a":1, "trace\u0070arent" : null}"#] {
            assert_eq!(add(body), Err(Skipped::CallerSet), "{body}");
        }
    }

    #[test]
    fn what_is_there_under_our_name_comes_from_outside_and_is_replaced() {
        let ours = &ADDED[r#""_throughline":"#.len()..];
        for (body, added) in [
            (r#"{"_throughline":null}"#, format!(r#"{{"_throughline":{ours}}}"#)),
            (
                r#"{"a":"}", "_throughline" : {"traceparent":"x"} , "b":1} "#,
                format!(r#"{{"a":"}}", "_throughline" : {ours} , "b":1}} "#),
            ),
            (
                r#"{"\u005fthroughline":[],"traceparent":"x","_throughline":"{}"}"#,
                format!(r#"{{"\u005fthroughline":{ours},"traceparent":"x","_throughline":{ours}}}"#),
            ),
        ] {
            assert_eq!(add(body).unwrap(), added);
        }
        let long = format!(r#"{{"_throughline":"{}"}}"#, "x".repeat(900));
        assert!(add(&long).unwrap().len() < 100);
    }

    #[test]
    fn the_limit_counts_the_member() {
        let body = b"{\"a\":1}";
        let whole = body.len() + 1 + ADDED.len();
        assert_eq!(with_member(body, &carrier(), whole).unwrap().len(), whole);
        assert_eq!(with_member(body, &carrier(), whole - 1), Err(Skipped::TooLarge));
        assert_eq!(with_member(b"not JSON", &carrier(), 3), Err(Skipped::TooLarge));
    }

    /// The data as the handler sees it that a Kinesis stream gives it to.
    fn received(data: &str) -> String {
        let record = json!({"eventSource": "aws:kinesis", "kinesis": {"data": BASE64_STANDARD.encode(data)}});
        let event = json!({"Records": [record]}).to_string();
        let settings = Settings::from_env(&|_| None);
        let event = triggers::read(&event.into(), &Caller::default(), &settings).stripped.unwrap();
        let event: Value = serde_json::from_slice(&event).unwrap();
        let data = event["Records"][0]["kinesis"]["data"].as_str().unwrap();
        String::from_utf8(BASE64_STANDARD.decode(data).unwrap()).unwrap()
    }

    #[test]
    fn the_function_at_the_other_end_gets_the_body_as_it_was() {
        for body in
            ["{}", "{ }", "{\n  \"a\": 1\n}", "{\"a\":1 }", "{\"a\":1}\n", " {\"a\" : [ ]\t,\"a\":{ } \r\n} "]
        {
            assert_eq!(received(&add(body).unwrap()), body);
        }
    }

    /// White space, or none, as JSON allows it around every token.
    fn space() -> impl Strategy<Value = String> {
        "[ \t\r\n]{0,2}"
    }

    /// The text of an object with such members.
    fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
        let key = "[ab{},:\"\\\\]{0,2}".prop_map(|key| Value::from(key).to_string());
        let member = (space(), key, space(), space(), value, space())
            .prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"));
        (space(), prop::collection::vec(member, 0..4))
            .prop_map(|(space, members)| format!("{{{space}{}}}", members.join(",")))
    }

    /// The text of an object, however it is laid out.
    fn object_text() -> impl Strategy<Value = String> {
        let leaf = json().prop_map(|value| value.to_string());
        let value = leaf.prop_recursive(3, 16, 4, |inner| {
            let item = (space(), inner.clone(), space()).prop_map(|(a, item, b)| format!("{a}{item}{b}"));
            let list = prop::collection::vec(item, 0..4).prop_map(|items| format!("[{}]", items.join(",")));
            prop_oneof![list, object(inner)]
        });
        (space(), object(value), space())
            .prop_map(|(before, object, after)| format!("{before}{object}{after}"))
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(".*", inner, 0..4).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_is_refused_or_gains_just_the_member(value in json()) {
            let text = value.to_string();
            match with_member(text.as_bytes(), &carrier(), usize::MAX) {
                Ok(body) => {
                    let mut read: Value = serde_json::from_slice(&body).unwrap();
                    let added = read.as_object_mut().unwrap().remove(MEMBER);
                    prop_assert_eq!(added, Some(serde_json::to_value(carrier()).unwrap()));
                    prop_assert_eq!(read, value);
                }
                Err(why) => prop_assert!(why == Skipped::NotJsonObject && !value.is_object()),
            }
        }

        #[test]
        fn any_object_comes_out_as_it_went_in(body in object_text()) {
            let sent = with_member(body.as_bytes(), &carrier(), usize::MAX).unwrap();
            prop_assert_eq!(received(std::str::from_utf8(&sent).unwrap()), body);
        }

        #[test]
        fn any_bytes_are_taken_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = with_member(&bytes, &carrier(), 1024);
        }
    }
}

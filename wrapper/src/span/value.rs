//! Values of attributes, and attributes in bytes.

use std::borrow::Cow;
use std::ops::Range;

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};

use super::wire;
use crate::mask::Keys;

/// The longest text of one attribute or status, in bytes; more is cut at a character.
pub(super) const MAX_TEXT: usize = 8 * 1024;

/// Numbers of the fields of OTLP's `KeyValue`, of texts and arrays in its `AnyValue`, and of the values in an array
/// (<https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto>).
const KEY: u8 = 1;
const VALUE: u8 = 2;
const TEXT: u8 = 1;
const ARRAY: u8 = 5;
const VALUES: u8 = 1;

/// A value of an attribute.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    /// Most are texts, and most of them are somebody else's.
    Text(Cow<'a, str>),
    Texts(Vec<String>),
    Other(any_value::Value),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(cut(text).into())
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(cut_off(text).into())
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Other(any_value::Value::IntValue(number))
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Self::Other(any_value::Value::DoubleValue(number))
    }
}

impl From<bool> for Value<'_> {
    fn from(truth: bool) -> Self {
        Self::Other(any_value::Value::BoolValue(truth))
    }
}

impl From<Vec<String>> for Value<'_> {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts.into_iter().map(cut_off).collect())
    }
}

impl<'a> From<&'a KeyValue> for Value<'a> {
    fn from(attribute: &'a KeyValue) -> Self {
        match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(any_value::Value::StringValue(text)) => Self::Text(text.into()),
            Some(other) => Self::Other(other.clone()),
            None => Self::Text(Cow::default()),
        }
    }
}

impl<'a> From<&'a Value<'_>> for Value<'a> {
    fn from(value: &'a Value<'_>) -> Self {
        match value {
            Value::Text(text) => Self::Text(Cow::Borrowed(text)),
            Value::Texts(texts) => Self::Texts(texts.clone()),
            Value::Other(other) => Self::Other(other.clone()),
        }
    }
}

impl Value<'_> {
    /// The value of an attribute of that name without what in it is secret.
    pub(crate) fn masked(self, name: &str, keys: &Keys) -> Self {
        match self {
            Self::Text(text) => {
                let masked = keys.field(name, &text).map(Cow::into_owned);
                Self::Text(masked.map_or(text, Cow::Owned))
            }
            Self::Texts(texts) => {
                let field =
                    |text: String| keys.field(name, &text).map_or_else(|| text.clone(), Cow::into_owned);
                Self::Texts(texts.into_iter().map(field).collect())
            }
            Self::Other(any_value::Value::IntValue(number)) => match keys.number(name, number) {
                Some(mask) => Self::Text(mask.into()),
                None => Self::Other(any_value::Value::IntValue(number)),
            },
            other => other,
        }
    }

    /// The same where the name is one of ours, and says nothing of what is in it: every invocation asks for some.
    pub(crate) fn masked_by_look(self, keys: &Keys) -> Self {
        let look = |text: &str| match keys.text(text) {
            Cow::Owned(masked) => Some(masked),
            Cow::Borrowed(_) => None,
        };
        match self {
            Self::Text(text) => Self::Text(look(&text).map_or(text, Cow::Owned)),
            Self::Texts(texts) => {
                Self::Texts(texts.into_iter().map(|text| look(&text).unwrap_or(text)).collect())
            }
            other => other,
        }
    }

    fn into_otlp(self) -> any_value::Value {
        match self {
            Self::Text(text) => any_value::Value::StringValue(text.into_owned()),
            Self::Texts(texts) => {
                let value = |text| AnyValue { value: Some(any_value::Value::StringValue(text)) };
                any_value::Value::ArrayValue(ArrayValue { values: texts.into_iter().map(value).collect() })
            }
            Self::Other(value) => value,
        }
    }

    /// Its size as an `AnyValue`.
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => wire::size(text.len()),
            Self::Texts(texts) => wire::size(size_of_array(texts)),
            Self::Other(value) => value.encoded_len(),
        }
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Text(text) => wire::put(TEXT, text.as_bytes(), bytes),
            Self::Texts(texts) => {
                wire::begin(ARRAY, size_of_array(texts), bytes);
                for text in texts {
                    wire::begin(VALUES, wire::size(text.len()), bytes);
                    wire::put(TEXT, text.as_bytes(), bytes);
                }
            }
            Self::Other(value) => value.encode(bytes),
        }
    }
}

/// An attribute as OTLP has it.
pub(crate) fn attribute<'a>(key: &str, value: impl Into<Value<'a>>) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value.into().into_otlp()) }),
        ..KeyValue::default()
    }
}

/// Appends an attribute as the field `number`; where its key stands.
pub(super) fn put(number: u8, key: &str, value: &Value<'_>, bytes: &mut Vec<u8>) -> Range<usize> {
    let size = value.size();
    wire::begin(number, wire::size(key.len()) + wire::size(size), bytes);
    wire::put(KEY, key.as_bytes(), bytes);
    let end = bytes.len();
    wire::begin(VALUE, size, bytes);
    value.put(bytes);
    end - key.len()..end
}

/// The size of an array of texts.
fn size_of_array(texts: &[String]) -> usize {
    texts.iter().map(|text| wire::size(wire::size(text.len()))).sum()
}

fn cut_off(mut text: String) -> String {
    text.truncate(cut(&text).len());
    text
}

pub(super) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default()
}

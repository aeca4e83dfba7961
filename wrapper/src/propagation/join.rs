//! Ids that join a hop whose carrier was impossible: the producer's span records what AWS gave back
//! (`throughline.join.out`), the consumer's what it was called with (`throughline.join.in`). Equal strings join.
//!
//! Both sides write them here, so that they are equal. A batch has one a record, and `format!` takes several times as long
//! as `concat`.

use std::borrow::Cow;

use serde::{Serialize, Serializer as _};
use smallvec::SmallVec;

use super::hex;
use crate::fnv::fnv1a;

/// `sqs:<MessageId>`.
pub(crate) fn sqs(message_id: &str) -> String {
    ["sqs:", message_id].concat()
}

/// `sns:<MessageId>`.
pub(crate) fn sns(message_id: &str) -> String {
    ["sns:", message_id].concat()
}

/// `eventbridge:<EventId>`.
pub(crate) fn eventbridge(event_id: &str) -> String {
    ["eventbridge:", event_id].concat()
}

/// `kinesis:<stream>/<shard>:<sequence number>`.
pub(crate) fn kinesis(stream: &str, shard: &str, sequence_number: &str) -> String {
    ["kinesis:", stream, "/", shard, ":", sequence_number].concat()
}

/// `lambda:<request id>`, of the invocation, which is also what `Invoke` answers.
pub(crate) fn lambda(request_id: &str) -> String {
    ["lambda:", request_id].concat()
}

/// `sfn:<execution ARN>`.
pub(crate) fn step_functions(execution_arn: &str) -> String {
    ["sfn:", execution_arn].concat()
}

/// `s3:<x-amz-request-id>`, of the request that changed the object.
pub(crate) fn s3(request_id: &str) -> String {
    ["s3:", request_id].concat()
}

/// `dynamodb:<hash>`, the same for every write of the item with this key: a weak link.
///
/// The hash is FNV-1a (64 bit, 16 lower-case hex digits) of the table's name, directly followed by the key as
/// DynamoDB's JSON without white space, attributes sorted by name: `orders{"id":{"S":"42"},"n":{"N":"15e-1"}}`.
/// See [`KeyValue`] for values.
pub(crate) fn dynamodb(table: &str, mut key: Key<'_>) -> String {
    const PREFIX: &str = "dynamodb:";
    // For a name and a key as most are, in bytes.
    const ROOM: usize = 256;
    key.sort_unstable_by_key(|(name, _)| *name);
    let mut text = Vec::with_capacity(ROOM);
    text.extend_from_slice(table.as_bytes());
    // Into memory, and of texts: that cannot fail.
    let _ = serde_json::Serializer::new(&mut text).collect_map(key);
    let mut join = String::with_capacity(PREFIX.len() + 16);
    join.push_str(PREFIX);
    hex::push(&mut join, fnv1a(text).to_be_bytes());
    join
}

/// A primary key: one attribute or two, by their names, each of which is there once.
pub(crate) type Key<'a> = SmallVec<[(&'a str, KeyValue<'a>); 2]>;

/// A value that an attribute of a primary key can have
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.CoreComponents.html>).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) enum KeyValue<'a> {
    /// Text as it is.
    S(Cow<'a, str>),
    /// A number in [`number`]'s form: whoever writes `1.50` reads `1.5` back.
    N(String),
    /// Binary in padded Base64.
    B(Cow<'a, str>),
}

/// A decimal number in one form only: the significant digits without zeros at either end, then, if it isn't 0, `e`
/// and the power of ten they stand for: `-15e-1` is -1.5, `1e2` is 100, `0` is 0. `None` for what is no number.
pub(crate) fn number(text: &str) -> Option<String> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // DynamoDB holds 38 digits; longer text is no number of its.
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 512 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let significant = digits.trim_start_matches('0');
    let shortest = significant.trim_end_matches('0');
    if shortest.is_empty() {
        return Some("0".to_owned());
    }
    let exponent = exponent.checked_add(i64::try_from(significant.len() - shortest.len()).ok()?)?;
    Some(format!("{sign}{shortest}e{exponent}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_has_one_form() {
        for (texts, form) in [
            (vec!["0", "-0", "0.00", "0e7", ".0"], "0"),
            (vec!["1.5", "+1.50", "01.5", "15e-1", "0.15E1", "150e-2"], "15e-1"),
            (vec!["-100", "-1e2", "-1E+2", "-100.0"], "-1e2"),
            (vec!["42", "42."], "42e0"),
        ] {
            for text in texts {
                assert_eq!(number(text).as_deref(), Some(form), "{text}");
            }
        }
        for text in ["", "-", "e1", "1e", "1.2.3", "0x1", "1e99999999999999999999", "١", "--1", "1 "] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn an_item_is_the_same_whoever_writes_its_key() {
        let hash = |table, number_text| {
            let number = KeyValue::N(number(number_text).unwrap());
            dynamodb(table, [("sort", number), ("id", KeyValue::S("42".into()))].into_iter().collect())
        };
        assert_eq!(hash("orders", "1.5"), hash("orders", "1.50"));
        assert_ne!(hash("orders", "1.5"), hash("orders", "15"));
        assert_ne!(hash("orders", "1.5"), hash("order", "1.5"));
        let text = r#"orders{"id":{"S":"42"},"sort":{"N":"15e-1"}}"#;
        assert_eq!(hash("orders", "1.5"), format!("dynamodb:{:016x}", fnv1a(text.bytes())));
    }

    proptest! {
        #[test]
        fn any_text_is_a_number_or_none(text in "[-+]?[0-9.eE]{0,12}|.*") {
            if let Some(form) = number(&text) {
                prop_assert_eq!(number(&form), Some(form));
            }
        }
    }
}

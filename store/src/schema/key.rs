//! Keys: text, so that a person who looks into the table can read them.
//!
//! What may be any text stands last, so that it needs no escapes. Nothing is longer than [`MAX_TEXT`]: DynamoDB takes
//! partition keys of 2,048 bytes and sort keys of 1,024
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::hash::hash;
use crate::time::{HOUR, LAST, Window};

/// The longest text of a key, in bytes. A longer one ends with its hash.
const MAX_TEXT: usize = 256;

/// Which partition an item is in.
///
/// ```
/// use throughline_store::schema::Partition;
///
/// let key = Partition::Runs { day: 20_777, shard: 7, function: "email-sender".into() };
/// assert_eq!(key.to_string(), "runs#20777#07#email-sender");
/// assert_eq!("runs#20777#07#email-sender".parse(), Ok(key));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Partition {
    /// The spans of the runs with this request id.
    Spans(String),
    /// The log lines of the runs with this request id, by the time of their first.
    Logs(String),
    /// The runs that have to do with a trace.
    Trace(String),
    /// The runs of a function that began on a day, by time.
    Runs {
        /// Since 1970.
        day: u64,
        /// One of 16.
        shard: u8,
        /// Its name.
        function: String,
    },
    /// Those of them that failed, by time.
    Failures {
        /// Since 1970.
        day: u64,
        /// One of 16.
        shard: u8,
        /// Its name.
        function: String,
    },
    /// The runs with which a transaction may have begun, by time.
    Begun {
        /// Since 1970.
        day: u64,
        /// One of 16.
        shard: u8,
    },
    /// What a correlation id or the id of a message names.
    Id(String),
    /// The runs on behalf of a user, or of what another member of the baggage says, by time.
    Baggage {
        /// One of 16.
        shard: u8,
        /// The member's key.
        key: String,
        /// Its value.
        value: String,
    },
    /// What the sandboxes have counted on a day, by hour.
    Totals {
        /// Since 1970.
        day: u64,
        /// One of 16.
        shard: u8,
    },
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spans(request) => write!(f, "spans#{request}"),
            Self::Logs(request) => write!(f, "logs#{request}"),
            Self::Trace(id) => write!(f, "trace#{id}"),
            Self::Runs { day, shard, function } => write!(f, "runs#{day:05}#{shard:02}#{function}"),
            Self::Failures { day, shard, function } => write!(f, "failures#{day:05}#{shard:02}#{function}"),
            Self::Begun { day, shard } => write!(f, "begun#{day:05}#{shard:02}"),
            Self::Id(id) => write!(f, "id#{id}"),
            Self::Baggage { shard, key, value } => write!(f, "baggage#{shard:02}#{key}={value}"),
            Self::Totals { day, shard } => write!(f, "totals#{day:05}#{shard:02}"),
        }
    }
}

/// A key that is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no partition of a trace store")]
pub struct Foreign;

impl FromStr for Partition {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let (kind, rest) = text.split_once('#').ok_or(Foreign)?;
        let daily = || {
            let (day, rest) = rest.split_once('#').ok_or(Foreign)?;
            let (shard, rest) = rest.split_once('#').unwrap_or((rest, ""));
            Ok((number(day)?, u8::try_from(number(shard)?).map_err(|_| Foreign)?, rest.to_owned()))
        };
        let key = match kind {
            "spans" => Self::Spans(rest.to_owned()),
            "logs" => Self::Logs(rest.to_owned()),
            "trace" => Self::Trace(rest.to_owned()),
            "runs" => daily().map(|(day, shard, function)| Self::Runs { day, shard, function })?,
            "failures" => daily().map(|(day, shard, function)| Self::Failures { day, shard, function })?,
            "begun" => daily().map(|(day, shard, _)| Self::Begun { day, shard })?,
            "id" => Self::Id(rest.to_owned()),
            "baggage" => {
                let (shard, member) = rest.split_once('#').ok_or(Foreign)?;
                let (key, value) = member.split_once('=').ok_or(Foreign)?;
                let shard = u8::try_from(number(shard)?).map_err(|_| Foreign)?;
                Self::Baggage { shard, key: key.to_owned(), value: value.to_owned() }
            }
            "totals" => daily().map(|(day, shard, _)| Self::Totals { day, shard })?,
            _ => return Err(Foreign),
        };
        // One way to write each: what is written otherwise is not ours.
        if key.to_string() == text { Ok(key) } else { Err(Foreign) }
    }
}

fn number(text: &str) -> Result<u64, Foreign> {
    text.parse().map_err(|_| Foreign)
}

/// `text`, or as much of it as a key takes, with the hash of all of it.
pub(crate) fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT {
        return Cow::Borrowed(text);
    }
    let kept = text.floor_char_boundary(MAX_TEXT - "~".len() - 16);
    Cow::Owned(format!("{}~{:016x}", text.get(..kept).unwrap_or_default(), hash([text.as_bytes()])))
}

/// The sort key of what is found by time.
pub(crate) fn sort(at: u64, request: &str, span: &str) -> String {
    format!("{:013}#{}#{}", at.min(LAST), bounded(request), bounded(span))
}

/// The sort key of what a sandbox has counted of a function in an hour.
pub(crate) fn sort_of_totals(hour: u64, function: &str, sandbox: &str) -> String {
    format!("{hour:06}#{}#{sandbox}", bounded(function))
}

/// The first and the last sort keys of what was counted in the hours of a window.
pub(crate) fn totals_within(window: Window) -> (String, String) {
    (format!("{:06}", window.from / HOUR), format!("{:06}$", window.to / HOUR))
}

/// After the last sort key of what was at `at`.
pub(crate) fn until(at: u64) -> String {
    // '$' comes after '#'.
    format!("{:013}$", at.min(LAST))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn partitions() -> impl Strategy<Value = Partition> {
        let text = "[a-z#=~ é]{0,12}";
        prop_oneof![
            text.prop_map(Partition::Spans),
            text.prop_map(Partition::Logs),
            text.prop_map(Partition::Trace),
            text.prop_map(Partition::Id),
            (0..9_999_999_u64, 0..16_u8, text).prop_map(|(day, shard, function)| Partition::Runs {
                day,
                shard,
                function
            }),
            (0..9_999_999_u64, 0..16_u8, text).prop_map(|(day, shard, function)| Partition::Failures {
                day,
                shard,
                function
            }),
            (0..9_999_999_u64, 0..16_u8).prop_map(|(day, shard)| Partition::Begun { day, shard }),
            (0..9_999_999_u64, 0..16_u8).prop_map(|(day, shard)| Partition::Totals { day, shard }),
            (0..16_u8, "[a-z.]{1,9}", text).prop_map(|(shard, key, value)| Partition::Baggage {
                shard,
                key,
                value
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_partition_is_read_as_it_was_written(partition in partitions()) {
            prop_assert_eq!(partition.to_string().parse::<Partition>(), Ok(partition));
        }

        #[test]
        fn any_text_is_a_partition_or_foreign(text in "(spans|logs|runs|begun|totals|baggage|id|x)?#?[0-9#=]{0,16}|.*") {
            if let Ok(partition) = text.parse::<Partition>() {
                prop_assert_eq!(partition.to_string(), text);
            }
        }

        #[test]
        fn sort_keys_are_in_the_order_of_time(a in 0..=LAST, b in 0..=LAST, text in ".{0,9}") {
            let (first, second) = (sort(a, &text, "s"), sort(b, "", "s"));
            prop_assert!(a >= b || first < second);
            prop_assert!(sort(a, &text, &text) < until(a));
            prop_assert!(a >= b || until(a) < second);
        }

        #[test]
        fn no_text_is_too_long_for_a_key(text in ".{0,600}") {
            let kept = bounded(&text);
            prop_assert!(kept.len() <= MAX_TEXT);
            prop_assert_eq!(bounded(&kept).into_owned(), kept.clone().into_owned());
            prop_assert!(text.len() > MAX_TEXT || kept == text);
        }
    }

    #[test]
    fn long_texts_stay_apart() {
        let (a, b) = ("x".repeat(300) + "a", "x".repeat(300) + "b");
        assert_ne!(bounded(&a), bounded(&b));
        assert!(sort(1, &a, &a).len() < 1024);
    }
}

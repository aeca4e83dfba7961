//! The context as attributes of a message: what fits, in which order it is given up.

use super::limits;
use super::outcome::Skipped;
use crate::propagation::Carrier;

/// The most attributes that a message may have. SNS takes more, but with raw delivery to SQS it then discards
/// the message.
const MAX_ATTRIBUTES: usize = 10;

/// The sizes at which SQS and SNS may refuse a message, in bytes: what the caller's message is under before it
/// must be under afterwards. Which of them holds is the queue's or topic's setting, which we don't know.
const LIMITS: [usize; 2] = [256 * 1024, 1024 * 1024];

/// Data type of the attributes that are written.
pub(super) const STRING: &str = "String";

/// How many bytes may be added to a message, or to a batch, of `size` bytes.
pub(super) fn room(size: usize) -> usize {
    limits::room(size, &LIMITS)
}

/// What an attribute counts for.
pub(super) fn size(name: &str, data_type: &str, value: usize) -> usize {
    name.len() + data_type.len() + value
}

/// The attributes to add to a message that has `taken` of them and room for so many bytes.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) attributes: Vec<(&'static str, String)>,
    /// Why not all of the context is there.
    pub(super) skipped: Option<Skipped>,
}

/// Chooses the attributes: baggage is given up first, then `tracestate`, then `traceparent`. One that the
/// caller set is left to the caller; with a `traceparent` of its own the message has a context already.
pub(super) fn choose(carrier: Carrier, set: impl Fn(&str) -> bool, taken: usize, room: usize) -> Choice {
    if set("traceparent") {
        return Choice { attributes: Vec::new(), skipped: Some(Skipped::CallerSet) };
    }
    let wanted = [
        ("traceparent", Some(carrier.traceparent)),
        ("tracestate", carrier.tracestate),
        ("baggage", carrier.baggage),
    ];
    let mut attributes: Vec<_> = wanted
        .into_iter()
        .filter(|(name, _)| !set(name))
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let mut skipped = None;
    while !attributes.is_empty() {
        let bytes: usize = attributes.iter().map(|(name, value)| size(name, STRING, value.len())).sum();
        if taken + attributes.len() > MAX_ATTRIBUTES {
            skipped = Some(Skipped::AttributesFull);
        } else if bytes > room {
            skipped = Some(Skipped::TooLarge);
        } else {
            break;
        }
        attributes.pop();
    }
    Choice { attributes, skipped }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carrier() -> Carrier {
        Carrier {
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
            tracestate: Some("vendor=1".to_owned()),
            baggage: Some("correlation.id=c-1".to_owned()),
        }
    }

    fn names(taken: usize, room: usize) -> (Vec<&'static str>, Option<Skipped>) {
        let choice = choose(carrier(), |_| false, taken, room);
        (choice.attributes.into_iter().map(|(name, _)| name).collect(), choice.skipped)
    }

    #[test]
    fn with_the_attributes_of_the_caller_there_are_never_more_than_ten() {
        let full = Some(Skipped::AttributesFull);
        assert_eq!(names(7, usize::MAX), (vec!["traceparent", "tracestate", "baggage"], None));
        assert_eq!(names(8, usize::MAX), (vec!["traceparent", "tracestate"], full));
        assert_eq!(names(9, usize::MAX), (vec!["traceparent"], full));
        assert_eq!(names(10, usize::MAX), (vec![], full));
        assert_eq!(names(11, usize::MAX), (vec![], full));
    }

    #[test]
    fn what_would_not_fit_is_given_up_in_order() {
        let sizes = [11 + 6 + 55, 10 + 6 + 8, 7 + 6 + 18];
        let large = Some(Skipped::TooLarge);
        let all: usize = sizes.iter().sum();
        assert_eq!(names(0, all), (vec!["traceparent", "tracestate", "baggage"], None));
        assert_eq!(names(0, all - 1), (vec!["traceparent", "tracestate"], large));
        assert_eq!(names(0, sizes[0] + sizes[1] - 1), (vec!["traceparent"], large));
        assert_eq!(names(0, sizes[0] - 1), (vec![], large));
    }

    #[test]
    fn what_the_caller_set_stays() {
        let choice = choose(carrier(), |name| name == "traceparent", 1, usize::MAX);
        assert_eq!(choice, Choice { attributes: vec![], skipped: Some(Skipped::CallerSet) });
        let choice = choose(carrier(), |name| name == "baggage", 1, usize::MAX);
        assert_eq!(
            choice.attributes.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            ["traceparent", "tracestate"]
        );
    }
}

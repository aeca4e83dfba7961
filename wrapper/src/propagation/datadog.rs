//! Datadog's `x-datadog-*`
//! (<https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation/>): ids in decimal, of a trace
//! id only the lower half; the upper half stands among the tags as `_dd.p.tid`, 16 hex digits.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Before a key of baggage that has a header of its own.
pub(super) const BAGGAGE_PREFIX: &str = "ot-baggage-";

/// The span that the values of these headers name; `None` without a trace id and a parent id.
///
/// A trace that Datadog dropped (priority 0 and below) gives ids all the same, and the flag `sampled` is off. Tags
/// other than `_dd.p.tid` are left alone.
pub(super) fn parse(
    trace: &str,
    parent: &str,
    priority: Option<&str>,
    tags: Option<&str>,
) -> Option<SpanContext> {
    let lower = decimal(trace)?;
    let parent = decimal(parent)?;
    let upper = tags.and_then(upper_half).unwrap_or_default();
    let dropped = priority.and_then(|priority| priority.trim().parse::<i32>().ok()).is_some_and(|p| p <= 0);
    let flags = if dropped { TraceFlags::NOT_SAMPLED } else { TraceFlags::SAMPLED };
    let trace = TraceId::from(u128::from(upper) << 64 | u128::from(lower));
    Some(SpanContext::new(trace, SpanId::from(parent), flags, true, TraceState::default()))
}

/// The digits of an id, which is never 0.
fn decimal(id: &str) -> Option<u64> {
    let id = id.trim();
    // `parse` alone would take a sign.
    id.bytes().all(|b| b.is_ascii_digit()).then(|| id.parse().ok()).flatten().filter(|id| *id != 0)
}

fn upper_half(tags: &str) -> Option<u64> {
    let digits = tags.split(',').find_map(|tag| tag.trim().strip_prefix("_dd.p.tid="))?;
    let is_half = digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_half.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(span: &SpanContext) -> (String, String) {
        (span.trace_id().to_string(), span.span_id().to_string())
    }

    #[test]
    fn ids_are_decimal_and_the_upper_half_stands_among_the_tags() {
        // An example of Datadog's, with the upper half.
        let (trace, parent) = ("4611686018427387904", "4611686018427387905");
        let span = parse(trace, parent, Some("2"), Some("_dd.p.dm=-4,_dd.p.tid=640cfd8d00000000")).unwrap();
        assert_eq!(ids(&span), ("640cfd8d000000004000000000000000".into(), "4000000000000001".into()));
        assert!(span.is_remote() && span.is_sampled());
        let short = parse(trace, parent, None, None).unwrap();
        assert_eq!(ids(&short).0, "00000000000000004000000000000000");
        assert!(short.is_sampled());
    }

    #[test]
    fn what_datadog_dropped_gives_ids() {
        for (priority, sampled) in [("-1", false), ("0", false), ("1", true), ("soon", true)] {
            assert_eq!(parse("1", "2", Some(priority), None).unwrap().is_sampled(), sampled, "{priority}");
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for (trace, parent) in [
            ("", "1"),
            ("1", ""),
            ("0", "1"),
            ("1", "0"),
            ("-1", "1"),
            ("+1", "1"),
            ("1", "18446744073709551616"),
            ("4bf92f3577b34da6", "1"),
            ("1,1", "1"),
        ] {
            assert_eq!(parse(trace, parent, None, None), None, "{trace} {parent}");
        }
    }

    #[test]
    fn a_malformed_upper_half_is_left_out() {
        for tags in [
            "",
            "_dd.p.tid=",
            "_dd.p.tid=640cfd8d",
            "_dd.p.tid=+40cfd8d00000000",
            "x_dd.p.tid=640cfd8d00000000",
        ] {
            let span = parse("1", "2", None, Some(tags)).unwrap();
            assert_eq!(ids(&span).0, "00000000000000000000000000000001", "{tags}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_valid(trace in "[0-9a-f+-]{0,21}|.*", parent in "[0-9]{0,21}|.*", tags in ".*") {
            if let Some(span) = parse(&trace, &parent, Some(&tags), Some(&tags)) {
                prop_assert!(span.is_valid());
            }
        }

        #[test]
        fn any_ids_are_read(trace in any::<u128>(), parent in 1_u64..) {
            let lower = trace as u64;
            prop_assume!(lower != 0);
            let tags = format!("_dd.p.tid={:016x}", (trace >> 64) as u64);
            let span = parse(&lower.to_string(), &parent.to_string(), Some("1"), Some(&tags)).unwrap();
            prop_assert_eq!(ids(&span), (format!("{trace:032x}"), format!("{parent:016x}")));
        }
    }
}

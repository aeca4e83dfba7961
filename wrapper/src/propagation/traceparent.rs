//! W3C Trace Context: `traceparent` and `tracestate` (<https://www.w3.org/TR/trace-context/>).

use std::str::FromStr;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use super::hex;

/// The longest `tracestate` that is read, in bytes.
const MAX_READ: usize = 8 * 1024;
/// The longest that is passed on: what the specification asks for. Members that don't fit are left out whole, as
/// it allows.
const MAX_TRACESTATE: usize = 512;

/// `00-<32 hex>-<16 hex>-<2 hex>`; later versions may append members after a dash, version 00 may not.
pub(super) fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<SpanContext> {
    let value = traceparent.trim_ascii();
    if !value.is_ascii() || value.len() < 55 {
        return None;
    }
    let (head, rest) = value.split_at_checked(55)?;
    let [v1, v2, b'-', trace @ .., b'-', f1, f2] = head.as_bytes() else { return None };
    let (trace, span) = (trace.get(..32)?, trace.get(32..)?.strip_prefix(b"-")?);
    let version = hex::read(&[*v1, *v2])?;
    if version == [0xff] || !rest.is_empty() && (version == [0] || !rest.starts_with('-')) {
        return None;
    }
    let state = tracestate
        .filter(|state| state.len() <= MAX_READ)
        .and_then(|state| TraceState::from_str(&shortened(state)).ok())
        .unwrap_or_default();
    let context = SpanContext::new(
        TraceId::from_bytes(hex::read(trace)?),
        SpanId::from_bytes(hex::read(span)?),
        TraceFlags::new(u8::from_be_bytes(hex::read(&[*f1, *f2])?)),
        true,
        state,
    );
    context.is_valid().then_some(context)
}

/// The `traceparent` of `span`, always version 00.
pub(super) fn format(span: &SpanContext) -> String {
    let mut header = String::with_capacity(55);
    header.push_str("00-");
    hex::push(&mut header, span.trace_id().to_bytes());
    header.push('-');
    hex::push(&mut header, span.span_id().to_bytes());
    header.push('-');
    // Only the two flags that version 00 knows (sampled, random) are passed on.
    hex::push(&mut header, [span.trace_flags().to_u8() & 0x03]);
    header
}

/// The first members of a `tracestate` that fit.
fn shortened(state: &str) -> String {
    let mut kept = String::new();
    for member in state.split(',').map(str::trim).filter(|member| !member.is_empty()) {
        if kept.len() + 1 + member.len() <= MAX_TRACESTATE {
            if !kept.is_empty() {
                kept.push(',');
            }
            kept.push_str(member);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_header_is_read_and_written_back() {
        let span = parse(VALID, Some("vendor=value,other=x")).unwrap();
        assert!(span.is_remote() && span.is_sampled());
        assert_eq!(span.trace_state().header(), "vendor=value,other=x");
        assert_eq!(format(&span), VALID);
    }

    #[test]
    fn a_child_is_sampled_and_its_trace_as_random_as_the_parent_says() {
        let head = "00-4bf92f3577b34da6a3ce929d0e0e4736";
        for (flags, of_child) in [("00", "01"), ("01", "01"), ("02", "03"), ("03", "03"), ("ff", "03")] {
            let parent = parse(&format!("{head}-00f067aa0ba902b7-{flags}"), Some("vendor=1")).unwrap();
            let child = crate::propagation::child_of(&parent);
            assert!(format(&child).starts_with(head) && child.span_id() != parent.span_id());
            assert!(format(&child).ends_with(&format!("-{of_child}")), "{flags}");
            assert_eq!(child.trace_state(), parent.trace_state());
        }
    }

    #[test]
    fn what_the_specification_forbids_is_refused() {
        for (value, why) in [
            ("", "empty"),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "upper case"),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", "zero trace id"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "zero span id"),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "version ff"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", "version 00 with more"),
            ("00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01", "dashes elsewhere"),
            ("00-4bf92f3577b34da6a3ce929d0e0e47é-00f067aa0ba902b7-01", "not ASCII"),
        ] {
            assert_eq!(parse(value, None), None, "{why}");
        }
    }

    #[test]
    fn a_later_version_may_have_more_members() {
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what";
        assert!(parse(later, None).is_some());
        assert_eq!(parse(&later.replace("-what", "what"), None), None);
    }

    #[test]
    fn a_long_tracestate_loses_whole_members() {
        let long = format!("a=1,big={},b=2", "v".repeat(600));
        assert_eq!(parse(VALID, Some(&long)).unwrap().trace_state().header(), "a=1,b=2");
    }

    #[test]
    fn a_bad_tracestate_is_dropped_alone() {
        let span = parse(VALID, Some("no equals sign")).unwrap();
        assert_eq!(span.trace_state().header(), "");
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_survives_a_round_trip(value in ".*", state in ".*") {
            if let Some(span) = parse(&value, Some(&state)) {
                let again = parse(&format(&span), Some(&span.trace_state().header())).unwrap();
                prop_assert_eq!(again.trace_id(), span.trace_id());
                prop_assert_eq!(again.span_id(), span.span_id());
            }
        }

        #[test]
        fn any_ids_survive_a_round_trip(trace in 1_u128.., span in 1_u64.., flags in 0_u8..4) {
            let value = format!("00-{trace:032x}-{span:016x}-{flags:02x}");
            let read = parse(&value, None).unwrap();
            prop_assert_eq!(format(&read), value);
        }
    }
}

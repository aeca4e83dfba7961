//! AWS X-Ray's `X-Amzn-Trace-Id` (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html>).

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use super::hex;

/// The longest header that is read, in bytes.
const MAX_READ: usize = 8 * 1024;

/// A parsed header: `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=<0|1>;Lineage=…`.
///
/// Members other than `Root` and `Parent` are kept as they are: AWS's own loop detection counts in `Lineage`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct XrayHeader {
    /// The trace, from `Root`.
    pub(crate) trace_id: TraceId,
    /// The caller's segment, if there is one.
    pub(crate) parent: Option<SpanId>,
    /// `Sampled`, `Lineage` and every member that we don't know.
    others: Vec<String>,
}

impl XrayHeader {
    /// Reads a header; `None` if it has no valid `Root`.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        if header.len() > MAX_READ {
            return None;
        }
        let (mut trace_id, mut parent, mut others) = (None, None, Vec::new());
        for member in header.split(';').map(str::trim) {
            match member.split_once('=') {
                Some(("Root", root)) => trace_id = trace_of(root),
                Some(("Parent", id)) => parent = span_of(id),
                Some(("Self", _)) | None => {}
                Some(_) => others.push(member.to_owned()),
            }
        }
        Some(Self { trace_id: trace_id?, parent, others })
    }

    /// The caller as a remote parent; `None` without `Parent`. `Sampled=0` still gives ids.
    pub(crate) fn span(&self) -> Option<SpanContext> {
        let parent = self.parent?;
        Some(SpanContext::new(self.trace_id, parent, TraceFlags::SAMPLED, true, TraceState::default()))
    }

    /// The header that makes `span` the parent and keeps every other member of `incoming`, the header that
    /// this invocation was called with.
    pub(crate) fn for_span(span: &SpanContext, incoming: Option<&Self>) -> String {
        let [t1, t2, t3, t4, rest @ ..] = span.trace_id().to_bytes();
        // With the mark that most have and AWS's own count of hops.
        let mut header = String::with_capacity(128);
        header.push_str("Root=1-");
        hex::push(&mut header, [t1, t2, t3, t4]);
        header.push('-');
        hex::push(&mut header, rest);
        header.push_str(";Parent=");
        hex::push(&mut header, span.span_id().to_bytes());
        match incoming {
            Some(incoming) if !incoming.others.is_empty() => {
                for member in &incoming.others {
                    header.push(';');
                    header.push_str(member);
                }
            }
            _ => header.push_str(";Sampled=1"),
        }
        header
    }
}

fn trace_of(root: &str) -> Option<TraceId> {
    let mut parts = root.split('-');
    let (version, time, rest) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || version != "1" || time.len() != 8 || rest.len() != 24 {
        return None;
    }
    let all_hex = time.bytes().chain(rest.bytes()).all(|b| b.is_ascii_hexdigit());
    let id = TraceId::from_hex(&format!("{time}{rest}")).ok().filter(|_| all_hex)?;
    (id != TraceId::INVALID).then_some(id)
}

fn span_of(id: &str) -> Option<SpanId> {
    if id.len() != 16 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    SpanId::from_hex(id).ok().filter(|id| *id != SpanId::INVALID)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str =
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=25:a87bd80c:1";

    #[test]
    fn our_span_replaces_the_parent_and_the_lineage_stays() {
        let incoming = XrayHeader::parse(HEADER).unwrap();
        let parent = incoming.span().unwrap();
        assert_eq!(parent.trace_id().to_string(), "5759e988bd862e3fe1be46a994272793");
        assert_eq!(XrayHeader::for_span(&parent, Some(&incoming)), HEADER);
    }

    #[test]
    fn a_header_without_parent_still_gives_the_trace() {
        let header = XrayHeader::parse("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0").unwrap();
        assert_eq!(header.span(), None);
    }

    #[test]
    fn wrong_roots_are_refused() {
        for header in [
            "",
            "Root=",
            "Root=1-zzzze988-bd862e3fe1be46a994272793",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-00000000-000000000000000000000000",
            "Parent=53995c3f42cd8ad8",
        ] {
            assert_eq!(XrayHeader::parse(header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_survives(header in ".*", root in 1_u128.., parent in 1_u64..) {
            let _ = XrayHeader::parse(&header);
            let trace = format!("{root:032x}");
            let header = format!("Root=1-{}-{};Parent={parent:016x};Sampled=1", &trace[..8], &trace[8..]);
            let read = XrayHeader::parse(&header).unwrap();
            prop_assert_eq!(XrayHeader::for_span(&read.span().unwrap(), Some(&read)), header);
        }
    }
}

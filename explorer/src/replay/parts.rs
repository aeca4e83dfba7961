//! Requests in parts, joined: what was too long for a line is in several.

use std::collections::VecDeque;
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

use super::found::{Found, Part};
use crate::otlp::from_protobuf;
use crate::unzip::{Most, Unzip};

/// Base64 that waits for its other parts.
const WAITING: usize = 64 * 1024 * 1024;
/// The largest request.
const LARGEST: Most = Most { bytes: 64 * 1024 * 1024, each: 0 };
/// The most parts of one: the extension's are some hundred kilobytes each.
const MOST: usize = 1024;

/// Parts whose others are still to come, those that wait longest first.
#[derive(Debug, Default)]
pub(super) struct Parts {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Requests of which a part never came.
    given_up: u64,
}

#[derive(Debug)]
struct Waiting {
    id: String,
    signal: String,
    parts: Vec<Option<String>>,
}

// === impl Parts ===

impl Parts {
    /// Takes a part; the request, if it is whole now.
    pub(super) fn add(&mut self, part: Part) -> Result<Option<Found>, String> {
        if part.part == 0 || part.part > part.of || part.of > MOST {
            return Err(format!("is part {} of {}", part.part, part.of));
        }
        let known = self
            .waiting
            .iter()
            .position(|one| (&one.id, &one.signal, one.parts.len()) == (&part.id, &part.signal, part.of));
        let at = known.unwrap_or_else(|| {
            let parts = vec![None; part.of];
            self.waiting.push_back(Waiting { id: part.id, signal: part.signal, parts });
            self.waiting.len() - 1
        });
        self.bytes += part.gzip.len();
        let waiting = &mut self.waiting[at];
        self.bytes -= waiting.parts[part.part - 1].replace(part.gzip).map_or(0, |former| former.len());
        if waiting.parts.iter().all(Option::is_some) {
            return self.waiting.remove(at).map(|whole| self.joined(whole)).transpose();
        }
        while self.bytes > WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.bytes -= oldest.bytes();
            self.given_up += 1;
        }
        Ok(None)
    }

    /// Requests that lack a part.
    pub(super) fn incomplete(&self) -> u64 {
        self.given_up + self.waiting.len() as u64
    }

    fn joined(&mut self, whole: Waiting) -> Result<Found, String> {
        self.bytes -= whole.bytes();
        let text: String = whole.parts.into_iter().flatten().collect();
        let packed = STANDARD.decode(text).map_err(|error| format!("is torn: {error}"))?;
        let mut bytes = Vec::new();
        let unpacked = Unzip::new(packed.as_slice(), LARGEST).read_to_end(&mut bytes);
        unpacked.map_err(|error| format!("is torn: {error}"))?;
        let found = match whole.signal.as_str() {
            "traces" => from_protobuf(&bytes)
                .map(|(r, none): (ExportTraceServiceRequest, _)| Found::Traces(r.resource_spans, none)),
            "metrics" => from_protobuf(&bytes)
                .map(|(r, none): (ExportMetricsServiceRequest, _)| Found::Metrics(r.resource_metrics, none)),
            "logs" => from_protobuf(&bytes)
                .map(|(r, none): (ExportLogsServiceRequest, _)| Found::Logs(r.resource_logs, none)),
            other => return Err(format!("is of {other:?}, not traces, metrics or logs")),
        };
        found.map_err(|error| format!("is no OTLP: {error}"))
    }
}

// === impl Waiting ===

impl Waiting {
    fn bytes(&self) -> usize {
        self.parts.iter().flatten().map(String::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
    use prost::Message as _;

    use super::*;
    use crate::unzip::gzip;

    fn parts(id: &str, of: usize) -> Vec<Part> {
        let resource_spans = vec![ResourceSpans { schema_url: id.repeat(50), ..ResourceSpans::default() }];
        let text = STANDARD.encode(gzip(&ExportTraceServiceRequest { resource_spans }.encode_to_vec()));
        let pieces = text.as_bytes().chunks(text.len().div_ceil(of));
        let piece = |(at, piece): (usize, &[u8])| Part {
            id: id.into(),
            signal: "traces".into(),
            part: at + 1,
            of,
            gzip: String::from_utf8(piece.to_vec()).unwrap(),
        };
        pieces.enumerate().map(piece).collect()
    }

    #[test]
    fn parts_come_in_any_order_and_more_than_once() {
        let (a, b) = (parts("a", 3), parts("b", 2));
        let mut all = Parts::default();
        for part in [&a[2], &b[1], &a[0], &a[0]] {
            assert_eq!(all.add(part.clone()), Ok(None));
        }
        assert_eq!(all.incomplete(), 2);
        let Ok(Some(Found::Traces(whole, _))) = all.add(a[1].clone()) else { panic!("whole") };
        assert_eq!(whole[0].schema_url, "a".repeat(50));
        assert_eq!(all.incomplete(), 1);
        assert_eq!(all.bytes, b[1].gzip.len());
    }

    #[test]
    fn what_is_no_part_is_told() {
        let good = parts("a", 1).remove(0);
        for bad in [
            Part { part: 0, ..good.clone() },
            Part { part: 2, ..good.clone() },
            Part { of: usize::MAX, ..good.clone() },
            Part { gzip: "%".into(), ..good.clone() },
            Part { gzip: "AAAA".into(), ..good.clone() },
            Part { signal: "profiles".into(), ..good.clone() },
        ] {
            assert!(Parts::default().add(bad.clone()).is_err(), "{bad:?}");
        }
    }
}

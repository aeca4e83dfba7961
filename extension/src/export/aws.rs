//! CloudWatch's OTLP endpoints: traces go to X-Ray's, logs to CloudWatch Logs', signed
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-OTLPEndpoint.html>). For metrics
//! there is none.

use super::Outcome;
use super::connector::Connector;
use super::credentials::{Keyring, Source};
use super::otlp_http::OtlpHttp;
use super::signing::Signing;
use crate::buffer::{Batch, Entry};
use crate::endpoint::Endpoint;
use crate::intake::Encoding;
use crate::otlp::{Signal, largest_item, split};
use http::HeaderMap;
use std::borrow::Cow;

/// A span or log record that is larger is refused, and its neighbours with it.
const MAX_ITEM: usize = 200_000;

/// What `aws` stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Aws {
    /// The region.
    pub region: String,
    /// Where credentials come from.
    pub source: Source,
    /// Where traces go.
    pub traces: Endpoint,
    /// Where logs go.
    pub logs: Endpoint,
    /// `x-aws-log-group` and `x-aws-log-stream`, which logs need, and whatever else is set.
    pub headers: HeaderMap,
    /// Protobuf or JSON.
    pub encoding: Encoding,
}

/// The backend.
#[derive(Debug)]
pub(super) struct CloudWatch {
    region: String,
    keyring: Keyring,
    traces: OtlpHttp,
    logs: OtlpHttp,
}

// === impl CloudWatch ===

impl CloudWatch {
    /// Connects to nothing yet.
    pub(super) fn new(aws: Aws, connector: &Connector) -> Self {
        let Aws { region, source, traces, logs, headers, encoding } = aws;
        let traces = OtlpHttp::new(traces, headers.clone(), encoding, connector.clone());
        let logs = OtlpHttp::new(logs, headers, encoding, connector.clone());
        Self { region, keyring: Keyring::new(source), traces, logs }
    }

    /// Whether a request may have arrived although nobody said so; asked once.
    pub(super) fn take_unanswered(&self) -> bool {
        [&self.traces, &self.logs].iter().any(|endpoint| endpoint.take_unanswered())
    }

    /// Sends a batch, without what is too large.
    pub(super) async fn send(&mut self, batch: &Batch) -> Outcome {
        let (service, endpoint) = match batch.signal {
            Signal::Traces => ("xray", &mut self.traces),
            Signal::Logs => ("logs", &mut self.logs),
            Signal::Metrics => return Outcome::Unsupported,
        };
        let (batch, too_large) = without_too_large(batch);
        let why = || format!("larger than the {MAX_ITEM} bytes that CloudWatch takes");
        if batch.entries.is_empty() {
            return Outcome::Refused { divisible: false, why: why() };
        }
        let credentials = match self.keyring.credentials().await {
            Ok(credentials) => credentials,
            Err(why) => return Outcome::Failed { after: None, why },
        };
        let signing = Signing { credentials: &credentials, region: &self.region, service };
        let reply = match endpoint.exchange(&batch, Some(signing)).await {
            Ok(reply) => reply,
            Err(outcome) => return outcome,
        };
        match endpoint.outcome(&reply) {
            // The credentials are too old, the clock is wrong, or the role lacks a permission that it may get.
            Outcome::Refused { why, .. } if reply.status.as_u16() == 403 => {
                self.keyring.forget();
                Outcome::Failed { after: None, why }
            }
            Outcome::Delivered { rejected, .. } if too_large > 0 => {
                Outcome::Delivered { rejected: rejected + too_large, why: why() }
            }
            outcome => outcome,
        }
    }
}

/// The batch without the items that are too large, and how many they are.
fn without_too_large(batch: &Batch) -> (Cow<'_, Batch>, u64) {
    if batch.entries.iter().all(|entry| entry.bytes.len() <= MAX_ITEM) {
        return (Cow::Borrowed(batch), 0);
    }
    let (mut entries, mut too_large) = (Vec::new(), 0);
    for entry in &batch.entries {
        for bytes in split(&entry.bytes, MAX_ITEM) {
            // A piece that is larger has one item, and what that stands under.
            if bytes.len() > MAX_ITEM && largest_item(&bytes) > MAX_ITEM {
                too_large += 1;
            } else {
                entries.push(Entry { bytes, ..entry.clone() });
            }
        }
    }
    (Cow::Owned(Batch { signal: batch.signal, entries }), too_large)
}

#[cfg(test)]
mod tests {
    use super::{MAX_ITEM, without_too_large};
    use crate::buffer::{Batch, Entry};
    use crate::otlp::Signal;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message as _;

    fn batch(lengths: &[usize]) -> Batch {
        let span = |length: &usize| Span { name: "x".repeat(*length), ..Span::default() };
        let spans = lengths.iter().map(span).collect();
        let scope_spans = vec![ScopeSpans { spans, schema_url: "y".repeat(10_000), ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let bytes = ExportTraceServiceRequest { resource_spans }.encode_to_vec().into();
        let items = lengths.len() as u64;
        Batch { signal: Signal::Traces, entries: vec![Entry::new(Signal::Traces, bytes, items, None)] }
    }

    #[test]
    fn only_what_is_too_large_itself_is_left_out() {
        let small = batch(&[10, 20]);
        assert_eq!(*without_too_large(&small).0, small);
        let mixed = batch(&[10, MAX_ITEM + 1, MAX_ITEM - 100, 20]);
        let (left, too_large) = without_too_large(&mixed);
        let request = ExportTraceServiceRequest::decode(left.body()).expect("a request");
        let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        let lengths: Vec<usize> = scopes.flat_map(|scope| &scope.spans).map(|span| span.name.len()).collect();
        assert_eq!((lengths, too_large), (vec![10, MAX_ITEM - 100, 20], 1));
        assert!(without_too_large(&batch(&[MAX_ITEM])).0.entries.is_empty());
    }
}

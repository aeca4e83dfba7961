//! What the extension is compared with: decoders of others, which build everything that the extension reads in passing.

use http::{HeaderMap, HeaderValue};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::{DecodeError, Message};
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::io::Read as _;
use throughline_extension::otlp::Signal;

/// A request as `prost` decodes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
}

impl Request {
    pub fn decode(signal: Signal, bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(match signal {
            Signal::Traces => Self::Traces(Message::decode(bytes)?),
            Signal::Metrics => Self::Metrics(Message::decode(bytes)?),
            Signal::Logs => Self::Logs(Message::decode(bytes)?),
        })
    }

    /// Each field once and in its order, and nothing unknown.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Traces(request) => request.encode_to_vec(),
            Self::Metrics(request) => request.encode_to_vec(),
            Self::Logs(request) => request.encode_to_vec(),
        }
    }

    /// Each span, metric or log record, with the scope and the resource that it stands under.
    pub fn items(&self) -> Vec<Item> {
        macro_rules! items {
            ($request:expr, $resources:ident, $scopes:ident, $items:ident) => {{
                let mut all = Vec::new();
                for mut resource in $request.$resources.clone() {
                    let scopes = std::mem::take(&mut resource.$scopes);
                    for mut scope in scopes {
                        let items = std::mem::take(&mut scope.$items);
                        let above = (resource.encode_to_vec(), scope.encode_to_vec());
                        all.extend(items.iter().map(|item| (above.clone(), item.encode_to_vec())));
                    }
                }
                all
            }};
        }
        match self {
            Self::Traces(request) => items!(request, resource_spans, scope_spans, spans),
            Self::Metrics(request) => items!(request, resource_metrics, scope_metrics, metrics),
            Self::Logs(request) => items!(request, resource_logs, scope_logs, log_records),
        }
    }

    pub fn spans(&self) -> Vec<&Span> {
        let Self::Traces(request) = self else { return Vec::new() };
        let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| &scope.spans).collect()
    }
}

/// Resource and scope, then the item.
pub type Item = ((Vec<u8>, Vec<u8>), Vec<u8>);

/// Whether it is one JSON object, whatever is in it.
pub fn is_object(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text).unwrap_or_default();
    serde_json::from_str::<HashMap<String, IgnoredAny>>(text).is_ok()
}

/// The invocations that a span says are its own.
pub fn invocations(span: &Span) -> impl Iterator<Item = &str> {
    let values = span.attributes.iter().filter(|attribute| attribute.key == "faas.invocation_id");
    values
        .filter_map(|attribute| match attribute.value.as_ref()?.value.as_ref()? {
            Value::StringValue(id) => Some(id.as_str()),
            _ => None,
        })
        .filter(|id| !id.is_empty() && id.len() <= 128)
}

/// Whether a span says that it failed.
pub fn failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == 2)
}

/// How a body is sent, as one byte chooses it.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub signal: Signal,
    pub content_type: &'static str,
    pub encoding: &'static str,
}

impl Sent {
    pub fn chosen(by: u8) -> Self {
        Self {
            signal: Signal::ALL[usize::from(by % 3)],
            content_type: ["application/x-protobuf", "application/json"][usize::from(by / 3 % 2)],
            encoding: ["identity", "gzip", "zstd"][usize::from(by / 6 % 3)],
        }
    }

    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(self.content_type));
        headers.insert("content-encoding", HeaderValue::from_static(self.encoding));
        headers
    }

    /// The body without its compression, of at most `limit` bytes. gzip is read member by member, zstd frame by frame.
    pub fn inflated(&self, body: &[u8], limit: usize) -> Option<Vec<u8>> {
        let mut inflated = Vec::new();
        match self.encoding {
            "gzip" => {
                let mut rest = body;
                while !rest.is_empty() {
                    let mut member = flate2::bufread::GzDecoder::new(rest);
                    (&mut member).take(limit as u64 + 1).read_to_end(&mut inflated).ok()?;
                    if inflated.len() > limit {
                        return None;
                    }
                    rest = member.into_inner();
                }
            }
            "zstd" => {
                let mut rest = body;
                while !rest.is_empty() {
                    let mut frame = zstd::stream::read::Decoder::with_buffer(rest).ok()?.single_frame();
                    (&mut frame).take(limit as u64 + 1).read_to_end(&mut inflated).ok()?;
                    if inflated.len() > limit {
                        return None;
                    }
                    rest = frame.finish();
                }
            }
            _ => inflated = body.to_vec(),
        }
        (inflated.len() <= limit).then_some(inflated)
    }
}

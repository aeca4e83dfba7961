//! A request as bytes.
//!
//! Protobuf puts a message's length before it, and prost asks every message for its length again on each level round it:
//! five times for a span, with all its attributes. Here the levels are built from the innermost outwards, so that a span
//! is asked once.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, message};

/// The same bytes as `encode_to_vec` makes.
pub(super) fn encode(request: &ExportTraceServiceRequest) -> Vec<u8> {
    let mut body = Vec::new();
    for resource_spans in &request.resource_spans {
        put(1, &of_resource(resource_spans), &mut body);
    }
    body
}

fn of_resource(of: &ResourceSpans) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(resource) = &of.resource {
        message::encode(1, resource, &mut bytes);
    }
    for scope_spans in &of.scope_spans {
        put(2, &of_scope(scope_spans), &mut bytes);
    }
    put_text(3, &of.schema_url, &mut bytes);
    bytes
}

fn of_scope(of: &ScopeSpans) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(scope) = &of.scope {
        message::encode(1, scope, &mut bytes);
    }
    for span in &of.spans {
        message::encode(2, span, &mut bytes);
    }
    put_text(3, &of.schema_url, &mut bytes);
    bytes
}

/// Text that is there only if it is not empty, as proto3 has it.
fn put_text(tag: u32, text: &str, bytes: &mut Vec<u8>) {
    if !text.is_empty() {
        put(tag, text.as_bytes(), bytes);
    }
}

fn put(tag: u32, content: &[u8], bytes: &mut Vec<u8>) {
    bytes.reserve(content.len() + encoded_len_varint(content.len() as u64) + 1);
    encode_key(tag, WireType::LengthDelimited, bytes);
    encode_varint(content.len() as u64, bytes);
    bytes.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message as _;

    use super::*;
    use crate::span::attribute;

    #[test]
    fn the_bytes_are_those_of_prost() {
        let attributes = vec![attribute("a", "b"), attribute("n", 7_i64)];
        let span = |n: u8| Span {
            trace_id: vec![n; 16],
            name: "x".repeat(usize::from(n) * 60),
            attributes: attributes.clone(),
            ..Span::default()
        };
        let scope = Some(InstrumentationScope { name: "throughline".to_owned(), ..Default::default() });
        let scope_spans = ScopeSpans { scope, spans: (0..5).map(span).collect(), schema_url: "s".to_owned() };
        let resource = Some(Resource { attributes: attributes.clone(), ..Resource::default() });
        let schema_url = "https://opentelemetry.io/schemas".to_owned();
        let whole =
            ResourceSpans { resource, scope_spans: vec![scope_spans, ScopeSpans::default()], schema_url };
        for resource_spans in [vec![], vec![ResourceSpans::default()], vec![whole.clone(), whole]] {
            let request = ExportTraceServiceRequest { resource_spans };
            assert_eq!(encode(&request), request.encode_to_vec());
        }
    }
}

//! The ended invocation spans of a request: whose they are, and whether they say that all went well.
//!
//! Few requests hold one, so these bytes are read a second time only where [`inspect`](super::inspect) has found some.

use super::wire::{Reader, Value, invocation_id};

/// Number of the resources in a request, and of the scopes in a resource and the spans in a scope.
const RESOURCE: u32 = 1;
const INNER: u32 = 2;
/// Numbers of the fields of a `Span`, and of the code in its `Status`.
const TRACE_ID: u32 = 1;
const SPAN_ID: u32 = 2;
const ATTRIBUTE: u32 = 9;
const STATUS: u32 = 15;
const CODE: u32 = 3;
/// `STATUS_CODE_ERROR`.
const ERROR: u32 = 2;
/// Noted of one request; a function hands over one.
const MAX: usize = 16;

/// An ended invocation span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationSpan {
    /// The request that it is about.
    pub request_id: String,
    /// Its trace; zeros, if it has none.
    pub trace_id: [u8; 16],
    /// Its id; zeros, if it has none.
    pub span_id: [u8; 8],
    /// Whether its status is `ERROR`.
    pub failed: bool,
}

/// The invocation spans of an encoded request, 16 at most. Bytes that are no request hold none.
pub fn invocations(request: &[u8]) -> Vec<InvocationSpan> {
    spans(request).filter_map(invocation).take(MAX).collect()
}

/// The trace of the first span in an encoded request.
pub fn first_trace(request: &[u8]) -> Option<[u8; 16]> {
    let found = fields(spans(request).next()?, TRACE_ID).next()?;
    <[u8; 16]>::try_from(found).ok().filter(|id| *id != [0; 16])
}

fn spans(request: &[u8]) -> impl Iterator<Item = &[u8]> {
    let scopes = fields(request, RESOURCE).flat_map(|resource| fields(resource, INNER));
    scopes.flat_map(|scope| fields(scope, INNER))
}

/// What stands under this number in a message.
fn fields(message: &[u8], wanted: u32) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader(message);
    std::iter::from_fn(move || reader.field().ok().flatten()).filter_map(move |field| match field {
        (number, Value::Bytes(bytes)) if number == wanted => Some(bytes),
        _ => None,
    })
}

fn invocation(span: &[u8]) -> Option<InvocationSpan> {
    let request_id = fields(span, ATTRIBUTE).find_map(|attribute| invocation_id(attribute).ok().flatten())?;
    let id = |number| fields(span, number).last();
    Some(InvocationSpan {
        request_id,
        trace_id: id(TRACE_ID).and_then(|id| id.try_into().ok()).unwrap_or_default(),
        span_id: id(SPAN_ID).and_then(|id| id.try_into().ok()).unwrap_or_default(),
        failed: fields(span, STATUS).any(is_error),
    })
}

fn is_error(status: &[u8]) -> bool {
    let mut reader = Reader(status);
    std::iter::from_fn(move || reader.field().ok().flatten())
        .any(|field| matches!(field, (CODE, Value::Varint(code)) if code as u32 == ERROR))
}

#[cfg(test)]
mod tests {
    use super::{InvocationSpan, first_trace, invocations};
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
    use proptest::prelude::*;
    use prost::Message as _;

    fn span(id: u8, request_id: Option<&str>, code: i32) -> Span {
        let text = |id: &str| Some(AnyValue { value: Some(Value::StringValue(id.into())) });
        let attribute =
            |id| KeyValue { key: "faas.invocation_id".into(), value: text(id), ..Default::default() };
        Span {
            trace_id: vec![id; 16],
            span_id: vec![id; 8],
            attributes: request_id.map(attribute).into_iter().collect(),
            status: Some(Status { code, message: "why".into() }),
            ..Span::default()
        }
    }

    fn request(spans: Vec<Span>) -> Vec<u8> {
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    #[test]
    fn invocations_are_found_with_their_ids_and_their_end() {
        let bytes = request(vec![span(1, None, 2), span(2, Some("a"), 0), span(3, Some("b"), 2)]);
        let found = |id, request_id: &str, failed| InvocationSpan {
            request_id: request_id.into(),
            trace_id: [id; 16],
            span_id: [id; 8],
            failed,
        };
        assert_eq!(invocations(&bytes), [found(2, "a", false), found(3, "b", true)]);
        assert_eq!(first_trace(&bytes), Some([1; 16]));
        assert_eq!(first_trace(&request(vec![span(0, None, 0)])), None);
        assert_eq!(first_trace(&[]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let _ = (invocations(&bytes).len(), first_trace(&bytes));
        }
    }
}

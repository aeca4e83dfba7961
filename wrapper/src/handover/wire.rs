//! A request as bytes, round spans that are bytes already.

use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::encoding::message;

use super::instrumentation;
use crate::span::{EndedSpan, begin, put, size};

/// The `ExportTraceServiceRequest` of spans of `resource`
/// (<https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>).
pub(super) fn encode(resource: &Resource, spans: &[EndedSpan]) -> Vec<u8> {
    // Lengths stand first, so that they are added up before: the spans, up to megabytes, are copied once.
    let instrumentation = instrumentation();
    let in_spans: usize = spans.iter().map(|span| size(span.size())).sum();
    let scope_spans = message::encoded_len(1, &instrumentation) + in_spans;
    let resource_spans = message::encoded_len(1, resource) + size(scope_spans);
    let mut request = Vec::with_capacity(size(resource_spans));
    begin(1, resource_spans, &mut request);
    message::encode(1, resource, &mut request);
    begin(2, scope_spans, &mut request);
    message::encode(1, &instrumentation, &mut request);
    for span in spans {
        put(2, span.bytes(), &mut request);
    }
    request
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message as _;

    use super::*;
    use crate::handover::lines;
    use crate::span::attribute;
    use crate::testing::ended;

    #[test]
    fn the_bytes_are_a_request() {
        let resource = Resource { attributes: vec![attribute("a", "b")], ..Resource::default() };
        for count in [0, 1, 5] {
            let spans: Vec<_> = (0..count).map(|n| ended(&"x".repeat(n * 60), [])).collect();
            let request = ExportTraceServiceRequest::decode(&*encode(&resource, &spans));
            assert_eq!(request, Ok(lines::request(&resource, &spans)));
        }
    }
}

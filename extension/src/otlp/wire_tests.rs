use super::{MAX_DEPTH, Malformed, inspect};
use crate::otlp::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint, Metric,
    ResourceMetrics, ScopeMetrics, metric::Data,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

/// The items and the ended invocations.
type Found = (u64, Vec<String>);

fn found(bytes: &[u8]) -> Result<Found, Malformed> {
    inspect(Signal::Traces, bytes).map(|found| (found.items, found.invocations))
}

fn text(value: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(value.into())) }
}

fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(value), ..KeyValue::default() }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }],
    }
}

fn invocation(id: &str) -> Span {
    Span { attributes: vec![attribute("faas.invocation_id", text(id))], ..Span::default() }
}

#[test]
fn spans_are_counted_and_the_ended_invocation_is_found() {
    let bytes = request(vec![Span::default(), invocation("req-1")]).encode_to_vec();
    assert_eq!(found(&bytes), Ok((2, vec!["req-1".into()])));
}

#[test]
fn concatenated_requests_are_one_request() {
    let mut bytes = request(vec![invocation("a")]).encode_to_vec();
    bytes.extend(request(vec![invocation("b"), Span::default()]).encode_to_vec());
    assert_eq!(found(&bytes), Ok((3, vec!["a".into(), "b".into()])));
    let decoded = ExportTraceServiceRequest::decode(bytes.as_slice()).expect("prost takes it too");
    assert_eq!(decoded.resource_spans.len(), 2);
}

#[test]
fn only_a_span_s_own_string_attribute_marks_an_invocation() {
    let id = || attribute("faas.invocation_id", text("req-1"));
    let number = attribute("faas.invocation_id", AnyValue { value: Some(Value::IntValue(7)) });
    let event = Event { attributes: vec![id()], ..Event::default() };
    let span = Span {
        attributes: vec![number, attribute("aws.request_id", text("req-1"))],
        events: vec![event],
        ..Span::default()
    };
    let mut all = request(vec![span]);
    all.resource_spans[0].resource = Some(Resource { attributes: vec![id()], ..Resource::default() });
    assert_eq!(found(&all.encode_to_vec()), Ok((1, vec![])));
}

#[test]
fn what_a_collector_would_refuse_is_refused() {
    let wrong_id = Span { trace_id: vec![1; 15], ..Span::default() };
    assert!(inspect(Signal::Traces, &request(vec![wrong_id]).encode_to_vec()).is_err());
    let whole = request(vec![invocation("req-1")]).encode_to_vec();
    assert!(inspect(Signal::Traces, &whole[..whole.len() - 1]).is_err(), "cut off");
    assert!(inspect(Signal::Traces, b"{\"resourceSpans\":[]}").is_err(), "JSON");
    assert!(inspect(Signal::Traces, &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).is_err());
}

#[test]
fn a_span_that_failed_is_noticed() {
    let ended = |code: i32| Span { status: Some(Status { code, ..Status::default() }), ..Span::default() };
    let has_error =
        |spans| inspect(Signal::Traces, &request(spans).encode_to_vec()).map(|found| found.has_error);
    assert_eq!(has_error(vec![Span::default(), ended(0), ended(1)]), Ok(false));
    assert_eq!(has_error(vec![ended(2), ended(1)]), Ok(true));
    // A code of 64 bits, of which decoders keep 32.
    let status = [0x7a, 6, 0x18, 0x82, 0x80, 0x80, 0x80, 0x10];
    let request = [&[0x0a, 12, 0x12, 10, 0x12, 8], status.as_slice()].concat();
    assert_eq!(inspect(Signal::Traces, &request).map(|found| found.has_error), Ok(true));
    let decoded = ExportTraceServiceRequest::decode(request.as_slice()).expect("a request");
    let status = decoded.resource_spans[0].scope_spans[0].spans[0].status.as_ref().expect("a status");
    assert_eq!(status.code, 2);
}

#[test]
fn messages_are_counted() {
    // Request, resource, scope, two spans, an attribute and its value.
    let bytes = request(vec![Span::default(), invocation("req-1")]).encode_to_vec();
    assert_eq!(inspect(Signal::Traces, &bytes).map(|found| found.messages), Ok(7));
}

#[test]
fn nesting_is_bounded() {
    let deep = (0..MAX_DEPTH).fold(text("core"), |inner, _| AnyValue {
        value: Some(Value::ArrayValue(ArrayValue { values: vec![inner] })),
    });
    let span = Span { attributes: vec![attribute("deep", deep)], ..Span::default() };
    assert!(inspect(Signal::Traces, &request(vec![span]).encode_to_vec()).is_err());
}

#[test]
fn packed_numbers_of_metrics_are_read() {
    let buckets = Some(Buckets { offset: -3, bucket_counts: vec![1, 300, u64::MAX] });
    let exponential = ExponentialHistogramDataPoint { positive: buckets, ..Default::default() };
    let plain =
        HistogramDataPoint { bucket_counts: vec![1, 2], explicit_bounds: vec![0.5], ..Default::default() };
    let data = [
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![exponential],
            ..Default::default()
        }),
        Data::Histogram(Histogram { data_points: vec![plain], ..Default::default() }),
    ];
    let metrics = data.into_iter().map(|data| Metric { data: Some(data), ..Metric::default() }).collect();
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    let bytes = ExportMetricsServiceRequest { resource_metrics }.encode_to_vec();
    assert_eq!(inspect(Signal::Metrics, &bytes).map(|found| found.items), Ok(2));
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        any::<f64>().prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..20).prop_map(Value::BytesValue),
    ]
    .prop_map(|value| AnyValue { value: Some(value) });
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(inner.prop_map(|value| attribute("k", value)), 0..4)
                .prop_map(|values| Value::KvlistValue(KeyValueList { values })),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop_oneof![Just("faas.invocation_id".to_owned()), any::<String>()];
    vec((key, any_value()).prop_map(|(key, value)| attribute(&key, value)), 0..4)
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(vec![]), vec(any::<u8>(), length)]
}

fn span() -> impl Strategy<Value = Span> {
    (id(16), id(8), any::<String>(), any::<i32>(), any::<u64>(), attributes(), attributes(), id(16)).prop_map(
        |(trace_id, span_id, name, kind, time, attributes, inner, linked)| Span {
            trace_id,
            parent_span_id: span_id.clone(),
            span_id,
            trace_state: name.clone(),
            status: Some(Status { message: name.clone(), code: kind }),
            events: vec![Event { time_unix_nano: time, attributes: inner.clone(), ..Event::default() }],
            links: vec![Link { trace_id: linked, attributes: inner, flags: 7, ..Link::default() }],
            name,
            kind,
            start_time_unix_nano: time,
            attributes,
            flags: 0x101,
            ..Span::default()
        },
    )
}

/// The reference: the same facts, read from prost's structs.
fn reference(request: &ExportTraceServiceRequest) -> Found {
    let spans = || request.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans);
    let invocations = spans()
        .flat_map(|span| &span.attributes)
        .filter(|attribute| attribute.key == "faas.invocation_id")
        .filter_map(|attribute| match &attribute.value.as_ref()?.value {
            Some(Value::StringValue(id)) if !id.is_empty() && id.len() <= 128 => Some(id.clone()),
            _ => None,
        })
        .take(16)
        .collect();
    (spans().count() as u64, invocations)
}

/// Bytes that are nearly a request: a real one with some bytes changed.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (vec(span(), 0..3), vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)).prop_map(
        |(spans, changes)| {
            let mut bytes = request(spans).encode_to_vec();
            for (at, byte) in changes {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            bytes
        },
    )
}

proptest! {
    #[test]
    fn agrees_with_prost_on_what_prost_writes(spans in vec(span(), 0..4)) {
        let request = request(spans);
        prop_assert_eq!(found(&request.encode_to_vec()), Ok(reference(&request)));
    }

    #[test]
    fn what_is_accepted_decodes(bytes in prop_oneof![vec(any::<u8>(), 0..200), damaged()]) {
        if inspect(Signal::Traces, &bytes).is_ok() {
            prop_assert!(ExportTraceServiceRequest::decode(bytes.as_slice()).is_ok());
        }
        if inspect(Signal::Metrics, &bytes).is_ok() {
            prop_assert!(ExportMetricsServiceRequest::decode(bytes.as_slice()).is_ok());
        }
        if inspect(Signal::Logs, &bytes).is_ok() {
            prop_assert!(ExportLogsServiceRequest::decode(bytes.as_slice()).is_ok());
        }
    }
}

//! Requests of OTLP as others wrote them. Where a span is none, with an id of no hexadecimal digits, a time beyond all
//! numbers or text that is no UTF-8, it alone is left out, and so are metrics and log records.

use std::fmt::Display;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::bytes::Bytes;
use prost::{DecodeError, Message};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What was left out of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// How many spans, metrics or log records.
    pub(crate) items: u64,
    /// What is wrong with the first of them.
    pub(crate) why: String,
}

/// A request of one signal.
pub(crate) trait Request: Message + Default + DeserializeOwned {
    /// A span, a metric or a log record.
    type Item: Message + Default + DeserializeOwned;
    /// What JSON calls resources, scopes and items.
    const NAMES: [&'static str; 3];
}

impl Request for ExportTraceServiceRequest {
    type Item = Span;
    const NAMES: [&'static str; 3] = ["resourceSpans", "scopeSpans", "spans"];
}

impl Request for ExportMetricsServiceRequest {
    type Item = Metric;
    const NAMES: [&'static str; 3] = ["resourceMetrics", "scopeMetrics", "metrics"];
}

impl Request for ExportLogsServiceRequest {
    type Item = LogRecord;
    const NAMES: [&'static str; 3] = ["resourceLogs", "scopeLogs", "logRecords"];
}

/// A request in Protocol Buffers.
///
/// # Errors
///
/// When it is none, whatever its items are.
pub(crate) fn from_protobuf<R: Request>(bytes: &[u8]) -> Result<(R, Rejected), DecodeError> {
    if let Ok(request) = R::decode(bytes) {
        return Ok((request, Rejected::default()));
    }
    let (mut lax, mut rejected) = (Lax::decode(bytes)?, Rejected::default());
    for scope in lax.resources.iter_mut().flat_map(|resource| &mut resource.scopes) {
        scope.items.retain(|item| rejected.unless(R::Item::decode(item.clone())));
    }
    Ok((R::decode(&*lax.encode_to_vec())?, rejected))
}

/// A request in JSON.
///
/// # Errors
///
/// When it is none, whatever its items are.
pub(crate) fn from_json<R: Request>(text: &[u8]) -> serde_json::Result<(R, Rejected)> {
    match serde_json::from_slice(text) {
        Ok(request) => Ok((request, Rejected::default())),
        Err(error) if error.is_data() => from_value(serde_json::from_slice(text)?),
        Err(error) => Err(error),
    }
}

/// A request in JSON of which no more is known than that it is JSON.
///
/// # Errors
///
/// When it is none, whatever its items are.
pub(crate) fn from_value<R: Request>(mut request: Value) -> serde_json::Result<(R, Rejected)> {
    let [resources, scopes, items] = R::NAMES;
    let mut rejected = Rejected::default();
    for scope in list(&mut request, resources).flat_map(|resource| list(resource, scopes)) {
        if let Some(Value::Array(items)) = scope.get_mut(items) {
            items.retain(|item| rejected.unless(read::<R::Item>(item)));
        }
    }
    Ok((R::deserialize(request)?, rejected))
}

/// Leaves out spans without ids: nobody could ask for them, and all would be one
/// (<https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>).
pub(crate) fn retain_with_ids(request: &mut ExportTraceServiceRequest, rejected: &mut Rejected) {
    let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    scopes.for_each(|scope| scope.spans.retain(|span| rejected.unless(ids(span))));
}

fn ids(span: &Span) -> Result<(), String> {
    for (name, id, length) in [("traceId", &span.trace_id, 16), ("spanId", &span.span_id, 8)] {
        if id.len() != length || id.iter().all(|byte| *byte == 0) {
            return Err(format!("{name}: an id is {length} bytes, and not all of them 0"));
        }
    }
    Ok(())
}

impl Rejected {
    /// Adds others.
    pub(crate) fn add(&mut self, items: u64, why: &str) {
        if self.items == 0 {
            why.clone_into(&mut self.why);
        }
        self.items += items;
    }

    /// For people.
    pub(crate) fn told(&self) -> String {
        format!("left out {}, no OTLP: {}", self.items, self.why)
    }

    /// Counts what could not be read. `true` if it could.
    fn unless<T>(&mut self, read: Result<T, impl Display>) -> bool {
        read.map_err(|error| self.add(1, &error.to_string())).is_ok()
    }
}

/// A request of any signal, of whose items nothing is known: all three have the same numbers.
#[derive(Clone, PartialEq, Message)]
struct Lax {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<LaxResource>,
}

#[derive(Clone, PartialEq, Message)]
struct LaxResource {
    #[prost(bytes = "bytes", optional, tag = "1")]
    resource: Option<Bytes>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<LaxScope>,
    #[prost(bytes = "bytes", tag = "3")]
    schema_url: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct LaxScope {
    #[prost(bytes = "bytes", optional, tag = "1")]
    scope: Option<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    items: Vec<Bytes>,
    #[prost(bytes = "bytes", tag = "3")]
    schema_url: Bytes,
}

/// The members of a list, if there is one.
fn list<'a>(object: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten()
}

/// An item; if it is none, which of its members is to blame.
fn read<T: DeserializeOwned>(item: &Value) -> Result<T, String> {
    T::deserialize(item).map_err(|error| {
        let is_bad = |(name, value): &(&String, &Value)| {
            T::deserialize(Value::Object(Map::from_iter([((*name).clone(), (*value).clone())]))).is_err()
        };
        match item.as_object().and_then(|members| members.iter().find(is_bad)) {
            Some((name, _)) => format!("{name}: {error}"),
            None => error.to_string(),
        }
    })
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    type Traces = ExportTraceServiceRequest;

    fn names(request: &Traces) -> Vec<&str> {
        let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| &scope.spans).map(|span| span.name.as_str()).collect()
    }

    fn good() -> Value {
        json!({ "traceId": "07".repeat(16), "spanId": "07".repeat(8), "name": "good", "startTimeUnixNano": "5" })
    }

    fn traces(spans: &[Value]) -> Value {
        let resource =
            json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "web" } }] });
        json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "scope": { "name": "s" }, "spans": spans }] }] })
    }

    #[test]
    fn what_is_no_span_is_left_out_of_json_and_the_others_are_kept() {
        for (name, bad, why) in [
            ("traceId", json!("a trace"), "traceId: "),
            ("spanId", json!(7), "spanId: invalid type: integer `7`"),
            ("startTimeUnixNano", json!("99999999999999999999"), "startTimeUnixNano: "),
            ("endTimeUnixNano", json!(-1), "endTimeUnixNano: "),
            ("attributes", json!({ "user": "u-1" }), "attributes: invalid type: map"),
            ("links", json!([{ "traceId": "no" }]), "links: "),
        ] {
            let mut span = good();
            span[name] = bad;
            let text = traces(&[good(), span, json!("no span"), good()]).to_string();
            let (request, rejected) = from_json::<Traces>(text.as_bytes()).unwrap();
            assert_eq!(names(&request), ["good", "good"]);
            assert_eq!(request.resource_spans[0].resource.as_ref().unwrap().attributes.len(), 1);
            assert_eq!(rejected.items, 2);
            assert!(rejected.why.starts_with(why), "{}", rejected.why);
        }
        let all_good = from_json::<Traces>(traces(&[good()]).to_string().as_bytes()).unwrap();
        assert_eq!(all_good.1, Rejected::default());
    }

    #[test]
    fn what_is_no_request_is_none_however_good_its_spans_are() {
        for text in ["[1]", "7", "{", r#"{"resourceSpans":7}"#, r#"{"resourceSpans":[{"resource":7}]}"#] {
            assert!(from_json::<Traces>(text.as_bytes()).is_err(), "{text}");
        }
        assert!(from_protobuf::<Traces>(&[0xff; 8]).is_err());
    }

    /// A span whose name is no UTF-8, as programs in C may send it.
    #[test]
    fn what_is_no_span_is_left_out_of_protocol_buffers() {
        let span = |name: &str| Span { trace_id: vec![7; 16], name: name.into(), ..Span::default() };
        let scope_spans = vec![ScopeSpans {
            spans: vec![span("first"), span("bad"), span("last")],
            schema_url: "s".into(),
            ..ScopeSpans::default()
        }];
        let resource_spans =
            vec![ResourceSpans { scope_spans, schema_url: "r".into(), ..ResourceSpans::default() }];
        let mut expected = Traces { resource_spans };
        let mut bytes = expected.encode_to_vec();
        let at = bytes.windows(3).position(|window| window == b"bad").unwrap();
        bytes[at] = 0xff;
        let (request, rejected) = from_protobuf::<Traces>(&bytes).unwrap();
        expected.resource_spans[0].scope_spans[0].spans.remove(1);
        assert_eq!((request, rejected.items), (expected, 1));
        assert!(rejected.why.contains("name") && rejected.why.contains("UTF-8"), "{}", rejected.why);
    }

    #[test]
    fn log_records_and_metrics_are_left_out_alike() {
        let record = |time| json!({ "timeUnixNano": time, "body": { "stringValue": "said" } });
        let logs =
            json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [record("1"), record("soon")] }] }] });
        let (request, rejected) = from_value::<ExportLogsServiceRequest>(logs).unwrap();
        assert_eq!((request.resource_logs[0].scope_logs[0].log_records.len(), rejected.items), (1, 1));
        let metrics = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [{ "name": "m" }, { "name": 7 }] }] }] });
        let (request, rejected) = from_value::<ExportMetricsServiceRequest>(metrics).unwrap();
        assert_eq!((request.resource_metrics[0].scope_metrics[0].metrics.len(), rejected.items), (1, 1));
    }

    #[test]
    fn who_has_no_ids_is_left_out() {
        let span =
            |trace: &[u8], id: &[u8]| Span { trace_id: trace.into(), span_id: id.into(), ..Span::default() };
        let spans = vec![
            span(&[7; 16], &[7; 8]),
            span(&[7; 15], &[7; 8]),
            span(&[], &[7; 8]),
            span(&[0; 16], &[7; 8]),
            span(&[7; 16], &[0; 8]),
        ];
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let mut request =
            Traces { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
        let mut rejected = Rejected::default();
        retain_with_ids(&mut request, &mut rejected);
        assert_eq!((names(&request).len(), rejected.items), (1, 4));
        assert_eq!(rejected.why, "traceId: an id is 16 bytes, and not all of them 0");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = from_protobuf::<Traces>(&bytes);
            let _ = from_json::<Traces>(&bytes);
        }
    }
}

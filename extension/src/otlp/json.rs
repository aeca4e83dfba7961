//! OTLP/JSON: taken at the intake, written to stdout.

use super::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Objects in a request that is decoded. Each becomes a struct: 300 bytes for a span, 600 with what the
/// vectors around it keep free, so some 35 MB at worst. A batch of 1,500 spans with 20 attributes has as many.
const MAX_OBJECTS: usize = 65_536;
/// Values of any kind, 8 to 64 bytes each: some 30 MB at worst, if all of them are numbers.
const MAX_VALUES: usize = 524_288;

/// Whether decoding would take more memory than a small function can spare: text of a few megabytes can
/// become structs of hundreds. Tells it from the text alone, valid or not.
pub fn is_too_much(json: &[u8]) -> bool {
    let (mut objects, mut values) = (0, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' => objects += 1,
            b'[' | b',' => values += 1,
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    objects > MAX_OBJECTS || objects + values > MAX_VALUES
}

/// Goes behind the end of a string that has begun.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

/// Re-encodes an OTLP/JSON request as protobuf.
///
/// # Errors
///
/// If the text is not an OTLP/JSON request of this signal.
pub fn to_protobuf(signal: Signal, json: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    fn encode<T: DeserializeOwned + Message>(json: &str) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::from_str::<T>(json).map(|request| request.encode_to_vec())
    }
    // serde would pass over members that it does not know, whatever is in them.
    let json = std::str::from_utf8(json).map_err(serde::de::Error::custom)?;
    // serde would also take an array of the members' values.
    if !json.trim_ascii_start().starts_with('{') {
        return Err(serde::de::Error::custom("not a JSON object"));
    }
    match signal {
        Signal::Traces => encode::<ExportTraceServiceRequest>(json),
        Signal::Metrics => encode::<ExportMetricsServiceRequest>(json),
        Signal::Logs => encode::<ExportLogsServiceRequest>(json),
    }
}

/// Writes an encoded request as one line of OTLP/JSON, without the line end.
///
/// # Errors
///
/// If the bytes are not a request of this signal; those that [`inspect`](super::inspect) accepted are.
pub fn from_protobuf(signal: Signal, bytes: &[u8]) -> Result<String, Unwritable> {
    fn decode<T: Message + Default + Serialize>(bytes: &[u8]) -> Result<String, Unwritable> {
        Ok(serde_json::to_string(&T::decode(bytes)?)?)
    }
    match signal {
        Signal::Traces => decode::<ExportTraceServiceRequest>(bytes),
        Signal::Metrics => decode::<ExportMetricsServiceRequest>(bytes),
        Signal::Logs => decode::<ExportLogsServiceRequest>(bytes),
    }
}

/// A request that could not be written as JSON.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// The bytes are not an OTLP request.
    #[error("not an OTLP request: {0}")]
    Decode(#[from] prost::DecodeError),
    /// The request has no JSON form.
    #[error("no JSON form: {0}")]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests {
    use super::{MAX_OBJECTS, MAX_VALUES, from_protobuf, is_too_much, to_protobuf};
    use crate::otlp::{Signal, inspect};

    const SPAN: &str = r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"spans":[{
        "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"work",
        "startTimeUnixNano":"1544712660000000000","unknownMember":[1],
        "attributes":[{"key":"faas.invocation_id","value":{"stringValue":"req-1"}},
                      {"key":"n","value":{"intValue":"42"}}]}]}]}]}"#;

    #[test]
    fn json_becomes_protobuf_and_json_again() {
        let bytes = to_protobuf(Signal::Traces, SPAN.as_bytes()).expect("valid");
        let found = inspect(Signal::Traces, &bytes).expect("what we encode is well-formed");
        assert_eq!((found.items, found.invocations), (1, vec!["req-1".to_owned()]));
        let line = from_protobuf(Signal::Traces, &bytes).expect("written");
        assert!(
            !line.contains('\n') && line.contains(r#""traceId":"5b8efff798038103d269b633813fc60c""#),
            "{line}"
        );
        assert_eq!(to_protobuf(Signal::Traces, line.as_bytes()).expect("reads its own"), bytes);
    }

    #[test]
    fn numbers_are_read_to_the_last_bit() {
        for number in [4.444444444444445e106, 0.1 + 0.2, f64::MIN_POSITIVE] {
            let json = format!(
                r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m","gauge":
                {{"dataPoints":[{{"asDouble":{number:?}}}]}}}}]}}]}}]}}"#
            );
            let bytes = to_protobuf(Signal::Metrics, json.as_bytes()).expect("valid");
            assert!(bytes.ends_with(&number.to_le_bytes()), "{number}");
        }
    }

    #[test]
    fn each_signal_has_its_json() {
        let logs = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hi"}}]}]}]}"#;
        let bytes = to_protobuf(Signal::Logs, logs).expect("valid");
        assert_eq!(inspect(Signal::Logs, &bytes).map(|found| found.items), Ok(1));
        let metrics = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m"}]}]}]}"#;
        let bytes = to_protobuf(Signal::Metrics, metrics).expect("valid");
        assert_eq!(inspect(Signal::Metrics, &bytes).map(|found| found.items), Ok(1));
    }

    #[test]
    fn what_would_fill_the_memory_is_told_before_it_is_decoded() {
        let array =
            |element: &str, count: usize| format!("[{}{element}]", format!("{element},").repeat(count - 1));
        assert!(!is_too_much(array("{}", MAX_OBJECTS).as_bytes()));
        assert!(is_too_much(array("{}", MAX_OBJECTS + 1).as_bytes()));
        assert!(!is_too_much(array("1", MAX_VALUES).as_bytes()));
        assert!(is_too_much(array("1", MAX_VALUES + 1).as_bytes()));
        let text = format!(r#"["{}", "\\", "\"{}"]"#, "{".repeat(MAX_OBJECTS + 1), "{".repeat(MAX_OBJECTS));
        assert!(!is_too_much(text.as_bytes()), "braces in strings are text");
    }

    #[test]
    fn what_is_not_otlp_json_is_refused() {
        for bad in ["", "[", "[]", "null", r#"{"resourceSpans":3}"#] {
            assert!(to_protobuf(Signal::Traces, bad.as_bytes()).is_err(), "{bad}");
        }
        let not_utf8 = b"{\"unknownMember\":\"\xff\"}";
        assert!(to_protobuf(Signal::Traces, not_utf8).is_err());
    }
}

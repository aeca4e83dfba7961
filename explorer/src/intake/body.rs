//! Bodies of OTLP over HTTP: what comes in, bounded, and what goes out.

use std::io::{ErrorKind, Read};

use bytes::Bytes;
use http::StatusCode;
use prost::Message;
use serde_json::json;

use super::guard::{Refused, Signal};
use crate::otlp::{self, Rejected, Request};
use crate::unzip::{Most, Unzip};

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Protocol Buffers.
    Protobuf,
    /// JSON.
    Json,
}

impl Encoding {
    /// What a content type means; `None` if it is none of OTLP.
    pub(super) fn of(content_type: &str) -> Option<Self> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/x-protobuf") {
            Some(Self::Protobuf)
        } else {
            kind.eq_ignore_ascii_case("application/json").then_some(Self::Json)
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// `google.rpc.Status`, as OTLP wants errors told
/// (<https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto>).
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
}

/// The answer to what was taken
/// (<https://opentelemetry.io/docs/specs/otlp/#partial-success-1>). Those of all signals have the same numbers.
#[derive(Clone, PartialEq, Message)]
struct Accepted {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// What is gzipped, up to `limit` bytes.
pub(super) fn unzip(body: &[u8], limit: usize) -> Result<Bytes, Refused> {
    let mut plain = Vec::new();
    let most = Most { bytes: limit as u64, each: 0 };
    match Unzip::new(body, most).read_to_end(&mut plain) {
        Ok(_) => Ok(plain.into()),
        Err(error) if error.kind() == ErrorKind::FileTooLarge => {
            Err(Refused(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is too large: {error}")))
        }
        Err(error) => Err(Refused(StatusCode::BAD_REQUEST, format!("the body is no gzip: {error}"))),
    }
}

/// The request that a body is, and what of it is none.
pub(super) fn decode<R: Request>(body: &[u8], encoding: Encoding) -> Result<(R, Rejected), String> {
    match encoding {
        Encoding::Protobuf => otlp::from_protobuf(body).map_err(|error| error.to_string()),
        Encoding::Json => otlp::from_json(body).map_err(|error| error.to_string()),
    }
    .map_err(|error| format!("the body is no request of OTLP: {error}"))
}

/// It was accepted, but for what is told: an empty message, if that is nothing.
pub(super) fn accepted(encoding: Encoding, signal: Signal, rejected: &Rejected) -> Bytes {
    let partial = (rejected.items > 0).then_some(rejected);
    match encoding {
        Encoding::Protobuf => {
            let partial_success = partial.map(|Rejected { items, why }| PartialSuccess {
                rejected: i64::try_from(*items).unwrap_or(i64::MAX),
                error_message: why.clone(),
            });
            Accepted { partial_success }.encode_to_vec().into()
        }
        Encoding::Json => {
            // 64 bits are text in the JSON of Protocol Buffers.
            let partial = partial.map(|Rejected { items, why }| {
                json!({ "partialSuccess": { signal.rejected(): items.to_string(), "errorMessage": why } })
            });
            partial.unwrap_or_else(|| json!({})).to_string().into()
        }
    }
}

/// It was not, and why.
pub(super) fn refused(encoding: Encoding, why: &str) -> Bytes {
    match encoding {
        Encoding::Protobuf => Status { message: why.to_owned() }.encode_to_vec().into(),
        Encoding::Json => json!({ "message": why }).to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest as Logs;
    use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTraceServiceRequest as Traces, ExportTraceServiceResponse as TracesAccepted,
    };

    use super::*;
    use crate::unzip::gzip;

    #[test]
    fn content_types_may_have_parameters() {
        assert_eq!(Encoding::of("application/x-protobuf"), Some(Encoding::Protobuf));
        assert_eq!(Encoding::of("Application/JSON; charset=utf-8"), Some(Encoding::Json));
        for other in ["text/plain", "", "application/jsonp", "multipart/form-data; x=application/json"] {
            assert_eq!(Encoding::of(other), None, "{other}");
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let body = gzip(&vec![0; 1001]);
        assert!(body.len() < 100);
        assert_eq!(unzip(&body, 1000).unwrap_err().0, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(unzip(b"no gzip", 1000).unwrap_err().0, StatusCode::BAD_REQUEST);
        assert_eq!(unzip(&body, 1001).unwrap().len(), 1001);
    }

    #[test]
    fn what_was_not_accepted_is_told_as_otlp_has_it() {
        let rejected = Rejected { items: 2, why: "traceId: no".to_owned() };
        let body = accepted(Encoding::Protobuf, Signal::Traces, &rejected);
        let partial = TracesAccepted::decode(body).unwrap().partial_success.unwrap();
        assert_eq!((partial.rejected_spans, &*partial.error_message), (2, "traceId: no"));
        let body = accepted(Encoding::Json, Signal::Logs, &rejected);
        assert_eq!(body, r#"{"partialSuccess":{"errorMessage":"traceId: no","rejectedLogRecords":"2"}}"#);
        for (encoding, all) in [(Encoding::Protobuf, ""), (Encoding::Json, "{}")] {
            assert_eq!(accepted(encoding, Signal::Traces, &Rejected::default()), all);
        }
    }

    #[test]
    fn an_empty_request_is_a_request() {
        assert!(decode::<Traces>(b"", Encoding::Protobuf).is_ok());
        assert!(decode::<Traces>(b"{}", Encoding::Json).is_ok());
        assert!(decode::<Traces>(b"[1]", Encoding::Json).is_err());
        assert!(decode::<Traces>(&[0xff; 8], Encoding::Protobuf).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = unzip(&bytes, 1000);
            for encoding in [Encoding::Protobuf, Encoding::Json] {
                let _ = (decode::<Traces>(&bytes, encoding), decode::<Logs>(&bytes, encoding));
            }
            prop_assert_eq!(unzip(&gzip(&bytes), bytes.len()).unwrap(), bytes);
        }
    }
}

//! Bodies of OTLP over HTTP: what comes in, bounded, and what goes out.

use std::io::{ErrorKind, Read};

use bytes::Bytes;
use http::StatusCode;
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::guard::Refused;
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

/// The request that a body is.
pub(super) fn decode<T: Message + Default + DeserializeOwned>(
    body: &[u8],
    encoding: Encoding,
) -> Result<T, String> {
    match encoding {
        Encoding::Protobuf => T::decode(body).map_err(|error| error.to_string()),
        Encoding::Json => serde_json::from_slice(body).map_err(|error| error.to_string()),
    }
    .map_err(|error| format!("the body is no request of OTLP: {error}"))
}

/// Everything was accepted: an empty message.
pub(super) fn accepted(encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Protobuf => Bytes::new(),
        Encoding::Json => Bytes::from_static(b"{}"),
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
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest as Logs;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Traces;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

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

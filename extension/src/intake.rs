//! Taking OTLP: from the bytes of a request to an entry of the buffer, or a reason why not.

use crate::otlp::{Findings, Signal, inspect, json};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use prost::Message as _;
use std::io::Read;
use zstd::stream::read::Decoder as ZstdDecoder;

/// Largest body on the wire.
pub const MAX_BODY: usize = 4 * 1024 * 1024;
/// Largest body after decompression, if the buffer is not smaller still.
pub const MAX_INFLATED: usize = 16 * 1024 * 1024;
/// The largest window of a zstd frame, 8 MiB: what RFC 8878 (3.1.1.1.2) asks of every decoder. A frame that wants a
/// larger one is not taken: the window is memory.
const ZSTD_WINDOW_LOG: u32 = 23;
/// Messages in a request: eight bytes each in a body of the largest size, fewer than any attribute takes with its value,
/// so that a full hand-over is never refused. Empty ones take two and are worth nothing; they are decoded only where
/// they are written to stdout, in pieces.
pub const MAX_MESSAGES: usize = MAX_BODY / 8;

const NOT_ZSTD: &str = "the body is not zstd";

/// How an OTLP body is encoded; the answer is encoded alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

/// An OTLP request that was taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Encoded as protobuf.
    pub bytes: Bytes,
    /// Number of spans, metrics or log records.
    pub items: u64,
    /// Request ids of the ended invocations in it.
    pub invocations: Vec<String>,
    /// Whether a span in it has the status `ERROR`.
    pub has_error: bool,
}

/// A refusal: the status and a sentence for the sender.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal(pub StatusCode, pub String);

/// Takes one OTLP body, at most `max_inflated` bytes after decompression.
///
/// # Errors
///
/// 400 if it is malformed, 413 if it is too large, 415 if type or compression are not known.
pub fn accept(
    signal: Signal,
    headers: &HeaderMap,
    body: Bytes,
    max_inflated: usize,
) -> Result<Accepted, Refusal> {
    let encoding = encoding(headers).ok_or_else(|| {
        refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/x-protobuf or application/json")
    })?;
    let body = match header(headers, CONTENT_ENCODING.as_str()).as_str() {
        "" | "identity" => body,
        "gzip" => inflate(MultiGzDecoder::new(&*body), max_inflated, "the body is not gzip")?,
        "zstd" => inflate(zstd(&body)?, max_inflated, NOT_ZSTD)?,
        _ => return Err(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send gzip, zstd or no compression")),
    };
    if body.len() > max_inflated {
        return Err(too_large());
    }
    let malformed = |why: &dyn std::fmt::Display| refusal(StatusCode::BAD_REQUEST, &why.to_string());
    let bytes = match encoding {
        Encoding::Protobuf => body,
        Encoding::Json if json::is_too_much(&body) => return Err(too_large()),
        Encoding::Json => json::to_protobuf(signal, &body).map_err(|why| malformed(&why))?.into(),
    };
    let found = inspect(signal, &bytes).map_err(|why| malformed(&why))?;
    if found.messages > MAX_MESSAGES {
        return Err(too_large());
    }
    let Findings { items, invocations, has_error, .. } = found;
    Ok(Accepted { bytes, items, invocations, has_error })
}

/// The encoding that the headers name.
pub fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    match header(headers, CONTENT_TYPE.as_str()).split(';').next().unwrap_or_default().trim() {
        "application/x-protobuf" | "application/protobuf" => Some(Encoding::Protobuf),
        "application/json" => Some(Encoding::Json),
        _ => None,
    }
}

/// The answer to a request that was taken.
pub fn success(encoding: Encoding) -> Response<Full<Bytes>> {
    // An empty message: everything was accepted.
    let body = match encoding {
        Encoding::Protobuf => Bytes::new(),
        Encoding::Json => Bytes::from_static(b"{}"),
    };
    answer(StatusCode::OK, encoding, body)
}

/// The 413.
pub fn too_large() -> Refusal {
    refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
}

// === impl Refusal ===

impl Refusal {
    /// The answer: a `google.rpc.Status` with a message, as OTLP asks.
    pub fn into_response(self, encoding: Encoding) -> Response<Full<Bytes>> {
        #[derive(prost::Message)]
        struct Status {
            #[prost(string, tag = "2")]
            message: String,
        }
        let Refusal(status, message) = self;
        let body = match encoding {
            Encoding::Json => serde_json::json!({ "message": message }).to_string().into_bytes(),
            Encoding::Protobuf => Status { message }.encode_to_vec(),
        };
        answer(status, encoding, body.into())
    }
}

fn refusal(status: StatusCode, message: &str) -> Refusal {
    Refusal(status, message.to_owned())
}

fn answer(status: StatusCode, encoding: Encoding, body: Bytes) -> Response<Full<Bytes>> {
    let kind = match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

/// Reads to the end, or to the limit. `not` is what is wrong with a body that cannot be read.
fn inflate(body: impl Read, limit: usize, not: &str) -> Result<Bytes, Refusal> {
    let mut inflated = Vec::new();
    body.take(limit as u64 + 1)
        .read_to_end(&mut inflated)
        .map_err(|_| refusal(StatusCode::BAD_REQUEST, not))?;
    if inflated.len() > limit {
        return Err(too_large());
    }
    // It is kept: what the vector has in reserve would be kept with it.
    inflated.shrink_to_fit();
    Ok(inflated.into())
}

fn zstd(body: &[u8]) -> Result<impl Read, Refusal> {
    let mut decoder =
        ZstdDecoder::with_buffer(body).map_err(|_| refusal(StatusCode::BAD_REQUEST, NOT_ZSTD))?;
    decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| refusal(StatusCode::BAD_REQUEST, NOT_ZSTD))?;
    Ok(decoder)
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;

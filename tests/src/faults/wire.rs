//! What goes over a connection: just enough HTTP/1.1 to answer wrongly.

use std::io::{self, Read as _};
use std::time::Duration;

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::spans::Arrived;

/// No request has a longer head.
const MAX_HEAD: usize = 16 * 1024;

/// A request that was read.
pub(super) struct Incoming {
    pub(super) traces: bool,
    pub(super) spans: Vec<Arrived>,
}

/// Waits for so long, unless the other side goes away first, which is an error.
pub(super) async fn gone_within(stream: &mut (impl AsyncRead + Unpin), duration: Duration) -> io::Result<()> {
    // One request a connection at a time: what can be read before its answer is the end.
    match tokio::time::timeout(duration, stream.read_u8()).await {
        Ok(_) => Err(io::ErrorKind::ConnectionAborted.into()),
        Err(_) => Ok(()),
    }
}

/// Byte by byte: what follows is left in the socket.
pub(super) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The spans of a request; of other signals there are none.
pub(super) fn decode(head: &str, body: &[u8]) -> io::Result<Incoming> {
    let traces = head.split_whitespace().nth(1).is_some_and(|path| path.ends_with("/v1/traces"));
    if !traces {
        return Ok(Incoming { traces, spans: Vec::new() });
    }
    let mut plain = Vec::new();
    match header(head, "content-encoding") {
        Some("gzip") => _ = GzDecoder::new(body).read_to_end(&mut plain)?,
        _ => plain.extend_from_slice(body),
    }
    let request = ExportTraceServiceRequest::decode(plain.as_slice()).map_err(io::Error::other)?;
    Ok(Incoming { traces, spans: Arrived::all_of(request) })
}

pub(super) fn partial_success(rejected_spans: i64) -> Vec<u8> {
    let partial = ExportTracePartialSuccess { rejected_spans, error_message: "one too many".into() };
    ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
}

pub(super) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(super) async fn respond(
    stream: &mut (impl AsyncWrite + Unpin),
    status: &str,
    headers: &str,
    body: &[u8],
) -> io::Result<()> {
    stream.write_all(&response(status, headers, body)).await?;
    stream.flush().await
}

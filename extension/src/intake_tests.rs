use super::{Accepted, MAX_BODY, MAX_MESSAGES, accept};
use crate::otlp::Signal;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use std::io::Write;

const LIMIT: usize = 500_000;
const PROTOBUF: &str = "application/x-protobuf";
/// One resource with one scope with one empty span.
const SPAN: &[u8] = &[0x0a, 4, 0x12, 2, 0x12, 0];

fn take(kind: &str, compression: &str, body: &[u8]) -> Result<Accepted, StatusCode> {
    take_within(LIMIT, kind, compression, body)
}

fn take_within(limit: usize, kind: &str, compression: &str, body: &[u8]) -> Result<Accepted, StatusCode> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_str(kind).expect("a header"));
    if !compression.is_empty() {
        headers.insert("content-encoding", HeaderValue::from_str(compression).expect("a header"));
    }
    accept(Signal::Traces, &headers, Bytes::copy_from_slice(body), limit).map_err(|refusal| refusal.0)
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 3).expect("memory")
}

#[test]
fn every_combination_that_otlp_allows_is_taken() {
    let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}"#;
    for (kind, body) in [
        (PROTOBUF, SPAN),
        ("Application/X-Protobuf; charset=x", SPAN),
        ("application/json", &json[..]),
        ("application/json; charset=utf-8", &json[..]),
    ] {
        for (compression, body) in
            [("", body.to_vec()), ("identity", body.to_vec()), ("GZIP", gzip(body)), ("zstd", zstd(body))]
        {
            let accepted = take(kind, compression, &body).expect(kind);
            assert_eq!((accepted.items, accepted.invocations.len()), (1, 0), "{kind} {compression}");
            assert_eq!(accepted.bytes, SPAN, "{kind} {compression}");
        }
    }
}

#[test]
fn what_is_not_otlp_is_refused_with_the_right_status() {
    let bomb = gzip(&vec![0; 50 * LIMIT]);
    assert!(bomb.len() < LIMIT, "small on the wire");
    // The frame's header asks for a window of 16 MiB, of which nothing is used.
    let mut wide = zstd::Encoder::new(Vec::new(), 3).expect("memory");
    wide.window_log(24).expect("a window");
    wide.write_all(SPAN).expect("memory");
    let wide = wide.finish().expect("memory");
    for (kind, compression, body, status) in [
        (PROTOBUF, "", &b"nonsense"[..], 400),
        (PROTOBUF, "gzip", SPAN, 400),
        (PROTOBUF, "gzip", &gzip(SPAN)[..10], 400),
        (PROTOBUF, "gzip", &bomb, 413),
        (PROTOBUF, "", &vec![0; LIMIT + 1], 413),
        (PROTOBUF, "zstd", SPAN, 400),
        (PROTOBUF, "zstd", &zstd(SPAN)[..10], 400),
        (PROTOBUF, "zstd", &zstd(&vec![0; 50 * LIMIT]), 413),
        (PROTOBUF, "zstd", &wide, 400),
        (PROTOBUF, "br", SPAN, 415),
        (PROTOBUF, "gzip, zstd", SPAN, 415),
        (PROTOBUF, "gzip, gzip", SPAN, 415),
        ("application/json", "", b"{\"resourceSpans\":", 400),
        ("text/plain", "", SPAN, 415),
        ("", "", SPAN, 415),
    ] {
        assert_eq!(
            take(kind, compression, body).map_err(|s| s.as_u16()),
            Err(status),
            "{kind} {compression}"
        );
    }
}

#[test]
fn many_small_parts_are_refused_however_few_bytes_they_are() {
    // The request itself is a message, too.
    let resources = |count: usize| [0x0a, 0].repeat(count - 1);
    assert!(take_within(MAX_BODY, PROTOBUF, "", &resources(MAX_MESSAGES)).is_ok());
    let too_large = Err(StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(take_within(MAX_BODY, PROTOBUF, "", &resources(MAX_MESSAGES + 1)), too_large);
    let json = format!(r#"{{"resourceSpans":[{}{{}}]}}"#, "{},".repeat(100_000));
    assert_eq!(take("application/json", "gzip", &gzip(json.as_bytes())), too_large);
}

#[test]
fn an_empty_request_is_valid_and_empty() {
    assert_eq!(take(PROTOBUF, "", b"").map(|accepted| accepted.items), Ok(0));
}

proptest! {
    #[test]
    fn no_bytes_do_harm(
        body in prop::collection::vec(any::<u8>(), 0..300),
        kind in 0..2_usize,
        is_zstd: bool,
        compressed: bool,
    ) {
        let kind = [PROTOBUF, "application/json"][kind];
        let (name, compress) = if is_zstd { ("zstd", zstd as fn(&[u8]) -> _) } else { ("gzip", gzip as _) };
        let _ = take(kind, name, &if compressed { compress(&body) } else { body });
    }
}

//! One item that is longer than a log line may be, as several lines that `throughline replay` joins.
//!
//! CloudWatch cuts an event at 256 KiB, and JSON that is cut is nobody's. So the request is compressed, which
//! most often makes it one line again, and what is still too long is cut here, where each piece can say whose it
//! is: `{"otlpPart":{"id":"…","signal":"traces","part":1,"of":2,"gzip":"…"}}`, the last in base64.

use super::otlp_http::gzip;
use crate::otlp::Signal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Characters of base64 in one line.
const PIECE: usize = 240_000;

/// The lines of an encoded request; `id` tells them from those of others.
pub(super) fn lines(signal: Signal, request: &[u8], id: u64) -> String {
    let text = STANDARD.encode(gzip(request));
    let of = text.len().div_ceil(PIECE);
    let name = signal.path().trim_start_matches("/v1/");
    let line = |(at, piece): (usize, &[u8])| {
        // Base64 is ASCII.
        let piece = String::from_utf8_lossy(piece);
        let part = at + 1;
        format!(
            r#"{{"otlpPart":{{"id":"{id:016x}","signal":"{name}","part":{part},"of":{of},"gzip":"{piece}"}}}}"#
        )
    };
    text.as_bytes().chunks(PIECE).enumerate().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{PIECE, lines};
    use crate::otlp::Signal;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use flate2::read::GzDecoder;
    use std::io::Read as _;

    fn joined(lines: &str) -> Vec<u8> {
        let texts = lines.lines().enumerate().map(|(at, line)| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let part = &line["otlpPart"];
            assert_eq!((&part["part"], &part["of"]), (&(at + 1).into(), &lines.lines().count().into()));
            assert_eq!((&part["signal"], &part["id"]), (&"logs".into(), &"00000000000000ff".into()));
            part["gzip"].as_str().expect("text").to_owned()
        });
        let bytes = STANDARD.decode(texts.collect::<String>()).expect("base64");
        let mut whole = Vec::new();
        GzDecoder::new(bytes.as_slice()).read_to_end(&mut whole).expect("gzip");
        whole
    }

    #[test]
    fn lines_are_short_and_hold_everything() {
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(700_000).collect();
        let text = vec![b'x'; 700_000];
        for (bytes, one) in [(noise, false), (text, true)] {
            let lines = lines(Signal::Logs, &bytes, 255);
            assert_eq!(lines.lines().count() == 1, one);
            assert!(lines.lines().all(|line| line.len() < PIECE + 200));
            assert_eq!(joined(&lines), bytes);
        }
    }
}

//! The body of a function's response, buffered or streamed: its limits, its end, and the client that doesn't wait for it.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Lambda's limit for a buffered response: 6 MiB and 100 bytes, as its own emulator has it.
const MAX_BUFFERED: usize = 6 * 1024 * 1024 + 100;
/// Lambda's limit for a streamed response.
const MAX_STREAM: usize = 200 * 1024 * 1024;

/// What arrived of a response.
pub(super) enum Arrived {
    /// All of it, with the trailers of a stream.
    Whole(Bytes, HeaderMap),
    /// More than Lambda takes.
    TooLarge { bytes: usize, most: usize },
    /// The runtime broke off.
    Truncated,
    /// The client went away; it had these bytes.
    Deserted(Bytes),
}

/// Reads a response, no further than `patience` bytes if that is how long the client waits for a stream.
pub(super) async fn read(mut body: Incoming, streamed: bool, patience: Option<usize>) -> Arrived {
    let most = if streamed { MAX_STREAM } else { MAX_BUFFERED };
    let mut kept = BytesMut::new();
    let mut bytes = 0;
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Arrived::Truncated };
        match frame.into_data() {
            // What is too much is read all the same: a runtime that is still writing would not see the refusal.
            Ok(data) => {
                bytes += data.len();
                if bytes <= most {
                    kept.extend_from_slice(&data);
                }
            }
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
        if let Some(patience) = patience.filter(|patience| streamed && bytes >= *patience) {
            kept.truncate(patience);
            return Arrived::Deserted(kept.freeze());
        }
    }
    if bytes > most { Arrived::TooLarge { bytes, most } } else { Arrived::Whole(kept.freeze(), trailers) }
}

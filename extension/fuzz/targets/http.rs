//! Whole connections. Any bytes on one are answered, and what is kept of them is well-formed and counted. A request's answer,
//! and what is kept of it, do not depend on the pieces in which it arrives.
//! The first byte chooses: a connection's bytes as they are; or a body that is sent with its length, or in chunks, whose
//! signal, type and compression are the next byte's and whose pieces are as long as the third says.
#![no_main]

use bytes::Bytes;
use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use std::time::Duration;
use throughline_extension::body::Bodies;
use throughline_extension::http::speak;
use throughline_extension::intake::accept;
use throughline_extension::otlp::inspect;
use throughline_extension::receiver::take_otlp;
use throughline_extension::shared::Shared;
use throughline_extension_fuzz::Sent;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

const LIMIT: usize = 1024 * 1024;
/// Longer than any wait of the extension's.
const LONG: Duration = Duration::from_secs(60);
/// What a request may be answered with; the last is hyper's own, to a head that is too long.
const ANSWERS: [u16; 9] = [200, 400, 404, 405, 408, 413, 415, 503, 431];

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    let shared = Arc::new(Shared::new(LIMIT, true));
    if mode % 3 == 0 {
        let answers = talk(&shared, rest, LIMIT);
        assert!(answers.iter().all(|status| ANSWERS.contains(status)), "{answers:?}");
        let taken = answers.iter().filter(|status| **status == 200).count();
        assert!(shared.lock().entries().count() <= taken, "more was kept than was taken");
    } else {
        let [choice, size, body @ ..] = rest else { return };
        let sent = Sent::chosen(*choice);
        let framed = framed(sent, body, mode % 3 == 2, usize::from(*size) + 1);
        let answers = talk(&shared, &framed, usize::from(*size) + 1);
        let inner = shared.lock();
        let kept: Vec<_> = inner.entries().map(|entry| (&entry.bytes, entry.items)).collect();
        match accept(sent.signal, &sent.headers(), Bytes::copy_from_slice(body), LIMIT) {
            Ok(accepted) => {
                assert_eq!(answers, [200]);
                let expected = [(&accepted.bytes, accepted.items)];
                assert_eq!(kept, if accepted.items > 0 { &expected[..] } else { &[] });
            }
            Err(refusal) => {
                assert_eq!(answers, [refusal.0.as_u16()]);
                assert!(kept.is_empty());
            }
        }
    }
    let inner = shared.lock();
    let kept: u64 = inner.entries().map(|entry| entry.items).sum();
    assert!(inner.queued() <= LIMIT);
    for entry in inner.entries() {
        assert_eq!(inspect(entry.signal, &entry.bytes).map(|found| found.items), Ok(entry.items));
    }
    let summary = inner.accounts.summary();
    let signals = summary.as_object().expect("rows");
    assert_eq!(kept, signals.values().map(|row| row["kept"].as_u64().expect("a count")).sum::<u64>());
});

/// A body as one request.
fn framed(sent: Sent, body: &[u8], in_chunks: bool, size: usize) -> Vec<u8> {
    let Sent { signal, content_type, encoding } = sent;
    let path = signal.path();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {content_type}\r\ncontent-encoding: {encoding}\r\n"
    );
    if !in_chunks {
        return [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
    }
    let mut framed = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(size) {
        framed.extend(format!("{:x}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()).chain(*b"\r\n"));
    }
    [framed.as_slice(), b"0\r\n\r\n"].concat()
}

/// Sends it over a connection that holds `size` bytes at a time, and returns the statuses that come back.
fn talk(shared: &Arc<Shared>, sent: &[u8], size: usize) -> Vec<u16> {
    // Its clock goes on by itself when nothing else does: no limit in time is waited for.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let (client, server) = duplex(size);
        let bodies = Arc::new(Bodies::new());
        let server = speak(server, |request| {
            let (shared, bodies) = (Arc::clone(shared), Arc::clone(&bodies));
            async move { take_otlp(request, &shared, &bodies).await }
        });
        let (mut answers, mut requests) = tokio::io::split(client);
        let write = async {
            // It may be closed before it has read all.
            let _ = requests.write_all(sent).await;
            // Who closes before the answer gets none.
            tokio::time::sleep(LONG).await;
            let _ = requests.shutdown().await;
        };
        let mut text = Vec::new();
        let read = async { answers.read_to_end(&mut text).await.expect("in memory") };
        tokio::join!(server, write, read);
        statuses(&text)
    })
}

/// Bodies are binary, but none holds a status line: `HTTP/1.1 200`.
fn statuses(answers: &[u8]) -> Vec<u16> {
    let found = answers.windows(12).filter(|window| window.starts_with(b"HTTP/1."));
    let found = found.filter_map(|window| std::str::from_utf8(&window[9..]).ok()?.parse().ok());
    found.filter(|status| *status != StatusCode::CONTINUE.as_u16()).collect()
}

//! The recorder's format: what stands where, and a frame in bytes. `ARCHITECTURE.md` has all of it.
//!
//! `u32` length of the payload, `u32` checksum, `u8` kind, payload; integers are little-endian. The checksum (CRC-32,
//! that of zlib) begins with the invocation's nonce and the number of the page, so that frames that an earlier invocation
//! or page left behind fail it.

/// What the file begins with.
pub(super) const MAGIC: [u8; 8] = *b"THRLREC2";
/// Where the nonce stands. Zero says that nothing is under way.
pub(super) const NONCE: usize = 8;
/// Where the invocation's own part of the journal ends, and the pages of spans begin.
pub(super) const SPANS: usize = 64 * 1024;
/// The size of a page.
pub(super) const PAGE: usize = 240 * 1024;
/// How many pages there are.
pub(super) const PAGES: usize = 4;
/// Where the journal ends, and the ring of log lines begins.
pub(super) const JOURNAL_END: usize = SPANS + PAGES * PAGE;
/// How many lines the ring has.
pub(super) const LINES: u64 = 64;
/// The size of a line's place in the ring.
pub(super) const LINE: usize = 1024;
/// The size of the file.
pub(super) const SIZE: usize = JOURNAL_END + LINES as usize * LINE;
/// What stands before a payload.
pub(super) const HEAD: usize = 9;

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(super) enum Kind {
    /// The request id.
    RequestId = b'I',
    /// OTLP's `Resource`.
    Resource = b'R',
    /// OTLP's `Span` as it stood then; the last one of a span id counts.
    Span = b'S',
    /// The masked beginning of the event.
    Event = b'E',
    /// The number of a page of spans, from one on: what each begins with.
    Page = b'P',
    /// How many spans are missing so far, for want of room.
    Full = b'F',
    /// The number of a log line, and the line.
    Line = b'L',
}

/// Appends a frame whose payload `write` appends; `seed` is the nonce and, in a page of spans, the page's number.
pub(super) fn put(kind: Kind, seed: u64, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD - 1]);
    out.push(kind as u8);
    write(out);
    seal(seed, out, start);
}

/// Writes length and checksum into the frame that begins at `start` and ends `out`.
pub(super) fn seal(seed: u64, out: &mut [u8], start: usize) {
    let Some((head, payload)) = out.get_mut(start..).and_then(|frame| frame.split_at_mut_checked(HEAD - 1))
    else {
        return;
    };
    let length = u32::try_from(payload.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let checksum = checksum(seed, payload);
    for (to, from) in head.iter_mut().zip(length.to_le_bytes().into_iter().chain(checksum.to_le_bytes())) {
        *to = from;
    }
}

/// The checksum of a frame, whose kind and payload follow each other.
pub(super) fn checksum(seed: u64, kind_and_payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(kind_and_payload);
    hasher.finalize()
}

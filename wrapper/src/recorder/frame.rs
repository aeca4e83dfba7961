//! The recorder's format: what stands where, and a frame in bytes. `ARCHITECTURE.md` has all of it.
//!
//! `u32` length of the payload, `u32` checksum, `u8` kind, payload; integers are little-endian. The checksum (CRC-32,
//! that of zlib) begins with the invocation's nonce, so that frames that an earlier invocation left behind fail it.

/// What the file begins with.
pub(super) const MAGIC: [u8; 8] = *b"THRLREC1";
/// Where the nonce stands. Zero says that nothing is under way.
pub(super) const NONCE: usize = 8;
/// Where the first frame stands.
const FIRST: usize = 16;
/// Where the journal ends, and the ring of log lines begins.
pub(super) const JOURNAL_END: usize = 1024 * 1024;
/// Where the journal ends for all spans but the invocation's own.
pub(super) const SPANS_END: usize = JOURNAL_END - 64 * 1024;
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
    /// The journal was full: later spans are missing.
    Full = b'F',
    /// The number of a log line, and the line.
    Line = b'L',
}

/// Appends a frame whose payload `write` appends.
pub(super) fn put(kind: Kind, nonce: u64, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD - 1]);
    out.push(kind as u8);
    write(out);
    let length = u32::try_from(out.len() - start - HEAD).unwrap_or(u32::MAX);
    let Some((head, payload)) = out.get_mut(start..).and_then(|frame| frame.split_at_mut_checked(HEAD - 1))
    else {
        return;
    };
    let checksum = checksum(nonce, payload);
    for (to, from) in head.iter_mut().zip(length.to_le_bytes().into_iter().chain(checksum.to_le_bytes())) {
        *to = from;
    }
}

/// Kind and payload of the frames of a journal that this process wrote.
pub(super) fn frames(journal: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = journal.get(FIRST..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, _) = rest.split_first_chunk()?;
        let end = HEAD.checked_add(u32::from_le_bytes(*length) as usize)?;
        let frame;
        (frame, rest) = rest.split_at_checked(end)?;
        Some((*frame.get(HEAD - 1)?, frame.get(HEAD..)?))
    })
}

/// The checksum of a frame, whose kind and payload follow each other.
pub(super) fn checksum(nonce: u64, kind_and_payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&nonce.to_le_bytes());
    hasher.update(kind_and_payload);
    hasher.finalize()
}

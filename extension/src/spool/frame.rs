//! The format of a spool file: a head, then accepted requests, one frame after the other. Integers are little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 0 to 7 | `THRLSPL1` |
//! | 8 to 11 | CRC-32 of the destinations' names, each with a line end |
//! | 12 … | frames |
//!
//! | bytes of a frame | what |
//! |---|---|
//! | 0 to 4 | a state for each destination: `K` waits, `S` may have been sent, `D` is done with, or not there |
//! | 5 | signal: 0 traces, 1 metrics, 2 logs |
//! | 6 | length of the request id |
//! | 7 to 10 | length of the body |
//! | 11 to 14 | CRC-32 of everything but the states and itself |
//! | 15 … | the request id, then the body: the encoded OTLP request |
//!
//! Only states are ever written again. Whatever is not a whole frame ends a file: behind it nothing can be found.

use crate::config::MOST_DESTINATIONS;
use crate::otlp::Signal;

/// What a file begins with; the digit is the version.
const MAGIC: &[u8; 8] = b"THRLSPL1";
/// Bytes in front of the first frame.
pub(super) const FILE_HEAD: usize = MAGIC.len() + 4;
/// Bytes of a frame in front of the request id.
const HEAD: usize = MOST_DESTINATIONS + 10;
/// Request ids are UUIDs; the visitor takes none that is longer.
const MAX_ID: usize = 128;

/// How far a request has come on its way to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    /// It waits.
    Waits = b'K',
    /// It is being sent, or was, and no answer came: it may have arrived.
    MaybeSent = b'S',
    /// The destination is done with it.
    Done = b'D',
}

/// A frame as it stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// Where it begins, which is where its states stand.
    pub(super) at: usize,
    pub(super) states: [State; MOST_DESTINATIONS],
    pub(super) signal: Signal,
    /// Empty if it is not known.
    pub(super) request_id: &'a str,
    pub(super) body: &'a [u8],
}

impl Frame<'_> {
    /// The byte behind it.
    pub(super) fn end(&self) -> usize {
        self.at + HEAD + self.request_id.len() + self.body.len()
    }
}

/// The head of a file for these destinations.
pub(super) fn file_head(destinations: &[String]) -> [u8; FILE_HEAD] {
    let mut crc = crc32fast::Hasher::new();
    destinations.iter().for_each(|name| [name.as_bytes(), b"\n"].iter().for_each(|part| crc.update(part)));
    let mut head = [0; FILE_HEAD];
    head[..MAGIC.len()].copy_from_slice(MAGIC);
    head[MAGIC.len()..].copy_from_slice(&crc.finalize().to_le_bytes());
    head
}

/// What stands in front of the body, of a request that waits for so many destinations.
///
/// `None` if the lengths do not fit, which of accepted requests they do.
pub(super) fn head(destinations: usize, signal: Signal, request_id: &str, body: &[u8]) -> Option<Vec<u8>> {
    let request_id = Some(request_id).filter(|id| id.len() <= MAX_ID).unwrap_or_default();
    let state = |to| if to < destinations { State::Waits } else { State::Done };
    let mut head = Vec::with_capacity(HEAD + request_id.len());
    head.extend((0..MOST_DESTINATIONS).map(|to| state(to) as u8));
    head.extend([signal as u8, u8::try_from(request_id.len()).ok()?]);
    head.extend(u32::try_from(body.len()).ok()?.to_le_bytes());
    head.extend(checksum(&head[MOST_DESTINATIONS..], request_id.as_bytes(), body).to_le_bytes());
    head.extend(request_id.as_bytes());
    Some(head)
}

/// Whether it begins as a spool file does.
pub(super) fn is_ours(file: &[u8]) -> bool {
    file.starts_with(MAGIC) && file.len() >= FILE_HEAD
}

/// The frames of a file, up to the first that is not whole; of a file with another beginning none.
pub(super) fn frames(file: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let mut at = if is_ours(file) { FILE_HEAD } else { file.len() };
    std::iter::from_fn(move || {
        let (frame, length) = frame(file, at)?;
        at += length;
        Some(frame)
    })
}

/// The frame that begins at `at`, and its length.
fn frame(file: &[u8], at: usize) -> Option<(Frame<'_>, usize)> {
    let (head, rest) = file.get(at..)?.split_first_chunk::<HEAD>()?;
    let (states, checked) = head.split_first_chunk()?;
    let [signal, id_length, b0, b1, b2, b3, crc @ ..] = checked else { return None };
    let signal = *Signal::ALL.get(usize::from(*signal))?;
    let id_length = usize::from(*id_length);
    let (request_id, rest) = rest.split_at_checked(id_length).filter(|_| id_length <= MAX_ID)?;
    let body = rest.get(..usize::try_from(u32::from_le_bytes([*b0, *b1, *b2, *b3])).ok()?)?;
    if checksum(&checked[..6], request_id, body).to_le_bytes() != crc {
        return None;
    }
    let request_id = std::str::from_utf8(request_id).ok()?;
    Some((
        Frame { at, states: read_states(states)?, signal, request_id, body },
        HEAD + id_length + body.len(),
    ))
}

fn read_states(bytes: &[u8; MOST_DESTINATIONS]) -> Option<[State; MOST_DESTINATIONS]> {
    let mut states = [State::Done; MOST_DESTINATIONS];
    for (state, byte) in states.iter_mut().zip(bytes) {
        *state = match byte {
            b'K' => State::Waits,
            b'S' => State::MaybeSent,
            b'D' => State::Done,
            _ => return None,
        };
    }
    Some(states)
}

fn checksum(head: &[u8], request_id: &[u8], body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    [head, request_id, body].iter().for_each(|part| crc.update(part));
    crc.finalize()
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;

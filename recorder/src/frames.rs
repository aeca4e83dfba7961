//! The file as frames: those of the invocation under way, up to the first that is torn.

use std::ops::Range;

use crate::Unreadable;

pub(crate) const MAGIC: &[u8; 8] = b"THRLREC1";
/// Magic and nonce.
pub(crate) const HEADER: usize = 16;
/// Where the journal ends and the debug ring begins.
pub(crate) const RING: usize = 1024 * 1024;
pub(crate) const SLOT: usize = 1024;
pub(crate) const SLOTS: usize = 64;
/// No byte beyond this one means anything.
pub(crate) const END: usize = RING + SLOTS * SLOT;
/// Length, checksum and kind.
pub(crate) const PREFIX: usize = 9;

pub(crate) mod kind {
    pub(crate) const REQUEST_ID: u8 = b'I';
    pub(crate) const RESOURCE: u8 = b'R';
    pub(crate) const SPAN: u8 = b'S';
    pub(crate) const EVENT: u8 = b'E';
    pub(crate) const FULL: u8 = b'F';
    pub(crate) const LINE: u8 = b'L';
}

/// A file that bears our mark and has an invocation under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frames<'a> {
    bytes: &'a [u8],
    nonce: u64,
}

/// One frame whose checksum holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: u8,
    pub(crate) payload: &'a [u8],
}

impl<'a> Frames<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(Unreadable::Foreign)?;
        let nonce = rest.first_chunk().ok_or(Unreadable::Torn)?;
        match u64::from_le_bytes(*nonce) {
            0 => Err(Unreadable::Cleared),
            nonce => Ok(Self { bytes, nonce }),
        }
    }

    /// The journal's frames, oldest first.
    pub(crate) fn journal(self) -> impl Iterator<Item = Frame<'a>> {
        let mut at = HEADER;
        std::iter::from_fn(move || {
            let frame = self.frame(at..RING)?;
            at += PREFIX + frame.payload.len();
            Some(frame)
        })
    }

    /// The log lines in the ring, oldest first.
    pub(crate) fn lines(self) -> Vec<&'a [u8]> {
        let mut lines: Vec<(u64, &[u8])> = (0..SLOTS)
            .filter_map(|slot| {
                let at = RING + slot * SLOT;
                let frame = self.frame(at..at + SLOT).filter(|frame| frame.kind == kind::LINE)?;
                let (number, line) = frame.payload.split_first_chunk()?;
                let number = u64::from_le_bytes(*number);
                (number % SLOTS as u64 == slot as u64).then_some((number, line))
            })
            .collect();
        lines.sort_unstable_by_key(|(number, _)| *number);
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// The frame that begins where `room` does and does not reach beyond it.
    fn frame(self, room: Range<usize>) -> Option<Frame<'a>> {
        let room = self.bytes.get(room.start..room.end.min(self.bytes.len()))?;
        let (length, rest) = room.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first()?;
        let payload = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        (u32::from_le_bytes(*sum) == checksum(self.nonce, *kind, payload))
            .then_some(Frame { kind: *kind, payload })
    }
}

/// CRC-32 as zlib computes it. The nonce makes what an earlier invocation left behind fail.
pub(crate) fn checksum(nonce: u64, kind: u8, payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&nonce.to_le_bytes());
    sum.update(&[kind]);
    sum.update(payload);
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::File;

    #[test]
    fn the_checksum_is_zlib_s() {
        // The check value of CRC-32/ISO-HDLC, over "123456789".
        assert_eq!(checksum(u64::from_le_bytes(*b"12345678"), b'9', b""), 0xcbf4_3926);
    }

    #[test]
    fn a_frame_lies_where_the_format_says() {
        let bytes = File::new(7, "r-1").into_bytes();
        assert_eq!(bytes[..16], *b"THRLREC1\x07\0\0\0\0\0\0\0");
        assert_eq!(bytes[16..20], [3, 0, 0, 0]);
        assert_eq!(bytes[20..24], checksum(7, b'I', b"r-1").to_le_bytes());
        assert_eq!(bytes[24..], *b"Ir-1");
    }

    #[test]
    fn lines_come_in_their_order_and_only_from_their_own_slots() {
        let mut file = File::new(7, "r");
        for number in 60..130 {
            file.line(number, &number.to_string());
        }
        // A line in another's slot.
        let mut bytes = file.into_bytes();
        let (from, to) = (RING + 3 * SLOT, RING + 5 * SLOT);
        bytes.copy_within(from..from + SLOT, to);
        let lines = Frames::new(&bytes).unwrap().lines();
        let lines: Vec<&str> = lines.into_iter().map(|line| std::str::from_utf8(line).unwrap()).collect();
        let expected: Vec<String> =
            (66..130).filter(|number| number % 64 != 5).map(|n| n.to_string()).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_frame_beyond_the_journal_or_its_slot_is_torn() {
        let mut file = File::new(7, "r");
        let left = RING - HEADER - 2 * PREFIX - 1;
        file.frame(b'x', &vec![0; left]);
        let bytes = file.clone().into_bytes();
        assert_eq!((bytes.len(), Frames::new(&bytes).unwrap().journal().count()), (RING, 2));
        let mut file = File::new(7, "r");
        file.frame(b'x', &vec![0; left + 1]);
        let bytes = file.into_bytes();
        assert_eq!(Frames::new(&bytes).unwrap().journal().count(), 1);

        let mut file = File::new(7, "r");
        file.line(0, &"x".repeat(SLOT - PREFIX - 8));
        file.line(2, &"x".repeat(SLOT - PREFIX - 8 + 1));
        assert_eq!(Frames::new(&file.into_bytes()).unwrap().lines().len(), 1);
    }
}

//! The file as frames: those of the invocation under way, of each part up to the first that is torn.

use std::ops::Range;

use crate::Unreadable;

pub(crate) const MAGIC: &[u8; 8] = b"THRLREC2";
/// Magic and nonce.
pub(crate) const HEADER: usize = 16;
/// Where the invocation's own part of the journal ends and the pages of spans begin.
pub(crate) const SPANS: usize = 64 * 1024;
pub(crate) const PAGE: usize = 240 * 1024;
pub(crate) const PAGES: usize = 4;
/// Where the journal ends and the debug ring begins.
pub(crate) const RING: usize = SPANS + PAGES * PAGE;
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
    pub(crate) const PAGE: u8 = b'P';
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

    /// The journal's frames, oldest first: those of the invocation, then those of the pages.
    pub(crate) fn journal(self) -> impl Iterator<Item = Frame<'a>> {
        let pages = self.pages().into_iter();
        let pages = pages.flat_map(move |(number, page)| self.run(page, self.nonce.wrapping_add(number)));
        self.run(HEADER..SPANS, self.nonce).chain(pages)
    }

    /// Whether the first pages were overwritten.
    pub(crate) fn is_overwritten(self) -> bool {
        self.pages().first().is_some_and(|(number, _)| *number > 1)
    }

    /// The pages by their numbers, and where the frames behind those are.
    fn pages(self) -> Vec<(u64, Range<usize>)> {
        let mut pages: Vec<_> = (0..PAGES)
            .filter_map(|page| {
                let room = SPANS + page * PAGE..SPANS + (page + 1) * PAGE;
                let frame = self.frame(room.clone(), self.nonce).filter(|frame| frame.kind == kind::PAGE)?;
                let number = u64::from_le_bytes(frame.payload.try_into().ok()?);
                let is_its_own = number.checked_sub(1)? % PAGES as u64 == page as u64;
                is_its_own.then_some((number, room.start + PREFIX + frame.payload.len()..room.end))
            })
            .collect();
        pages.sort_unstable_by_key(|(number, _)| *number);
        pages
    }

    /// The frames one after another in some room, whose checksums begin with `seed`.
    fn run(self, mut room: Range<usize>, seed: u64) -> impl Iterator<Item = Frame<'a>> {
        std::iter::from_fn(move || {
            let frame = self.frame(room.clone(), seed)?;
            room.start += PREFIX + frame.payload.len();
            Some(frame)
        })
    }

    /// The log lines in the ring, oldest first.
    pub(crate) fn lines(self) -> Vec<&'a [u8]> {
        let mut lines: Vec<(u64, &[u8])> = (0..SLOTS)
            .filter_map(|slot| {
                let at = RING + slot * SLOT;
                let frame = self.frame(at..at + SLOT, self.nonce).filter(|frame| frame.kind == kind::LINE)?;
                let (number, line) = frame.payload.split_first_chunk()?;
                let number = u64::from_le_bytes(*number);
                (number % SLOTS as u64 == slot as u64).then_some((number, line))
            })
            .collect();
        lines.sort_unstable_by_key(|(number, _)| *number);
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// The frame that begins where `room` does and does not reach beyond it.
    fn frame(self, room: Range<usize>, seed: u64) -> Option<Frame<'a>> {
        let room = self.bytes.get(room.start..room.end.min(self.bytes.len()))?;
        let (length, rest) = room.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first()?;
        let payload = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        (u32::from_le_bytes(*sum) == checksum(seed, *kind, payload)).then_some(Frame { kind: *kind, payload })
    }
}

/// CRC-32 as zlib computes it. The nonce and the number of the page make what was left behind fail.
pub(crate) fn checksum(seed: u64, kind: u8, payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&seed.to_le_bytes());
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
        assert_eq!(bytes[..16], *b"THRLREC2\x07\0\0\0\0\0\0\0");
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
    fn a_frame_beyond_its_room_is_torn() {
        let room = SPANS - HEADER - PREFIX - 1 - PREFIX;
        for (more, frames) in [(0, 2), (1, 1)] {
            let mut file = File::new(7, "r");
            file.frame(b'x', &vec![0; room + more]);
            assert_eq!(Frames::new(&file.into_bytes()).unwrap().journal().count(), frames);
            let mut file = File::new(7, "r");
            for _ in 0..=PAGES {
                file.turn();
                file.frame(b'x', &vec![0; PAGE - PREFIX - 8 - PREFIX + more]);
            }
            let bytes = file.into_bytes();
            let read = Frames::new(&bytes).unwrap();
            // One that is too long lies over the number of the next page, and the last one over that of the second.
            assert_eq!(
                (read.journal().count(), read.is_overwritten()),
                (if more == 0 { 1 + PAGES } else { 1 }, true)
            );
        }
        let mut file = File::new(7, "r");
        file.line(0, &"x".repeat(SLOT - PREFIX - 8));
        file.line(2, &"x".repeat(SLOT - PREFIX - 8 + 1));
        assert_eq!(Frames::new(&file.into_bytes()).unwrap().lines().len(), 1);
    }
}

//! Where spans are written down: pages that are used in turn, so that the newest are kept. In a process that was killed the
//! last spans matter most, and of those the ones that were open.
//!
//! A page that is overwritten takes what ended on it along; that is counted. Open spans and the invocation's own are written
//! again before: whenever a page is begun, those of the page that is to be overwritten *next*, so that a process that is
//! killed meanwhile leaves each of them in one page or the other.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use opentelemetry::trace::SpanId;

use super::frame::{self, HEAD, Kind, PAGE, PAGES, SPANS};
use super::map::Map;

/// What a page begins with at most: its number, and how many spans are missing.
const START: usize = 2 * (HEAD + size_of::<u64>());
/// The most that is written again of open spans in a page, the newest first: the rest is for new ones.
const MAX_AGAIN: usize = PAGE / 2;
/// The largest span, in its frame: it has room in each page.
const MAX_SPAN: usize = PAGE - START - MAX_AGAIN;
/// What is kept of the room for open spans between two invocations.
const ROOM: usize = 64;

/// The pages of the invocation under way.
#[derive(Debug)]
pub(super) struct Pages {
    nonce: u64,
    /// The span that is written again even when it has ended: its beginning stands elsewhere, and is never overwritten.
    invocation: u64,
    /// The number of the page that is written to; none before the first span.
    page: u64,
    /// Where in the file the next frame goes.
    at: usize,
    /// The last state of each span that is to be written again.
    kept: HashMap<u64, Place, BuildHasherDefault<IdHasher>>,
    /// How many spans have ended on each of the pages.
    ended: [u64; PAGES],
    /// How many are missing.
    missing: u64,
}

/// Where a span is written down.
#[derive(Clone, Copy, Debug)]
struct Place {
    page: u64,
    /// Where in the file its frame ends.
    end: usize,
    length: usize,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            nonce: 0,
            invocation: 0,
            page: 0,
            at: 0,
            kept: HashMap::default(),
            ended: [0; PAGES],
            missing: 0,
        }
    }
}

impl Pages {
    pub(super) fn begin(&mut self, nonce: u64, invocation: SpanId) {
        let mut kept = std::mem::take(&mut self.kept);
        kept.clear();
        kept.shrink_to(ROOM);
        *self = Self { nonce, invocation: number(invocation), kept, ..Self::default() };
    }

    /// Writes a span down as it stands, by way of a buffer that is empty.
    pub(super) fn span(
        &mut self,
        map: &mut Map,
        buffer: &mut Vec<u8>,
        id: SpanId,
        is_open: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        frame::put(Kind::Span, self.seed(), buffer, write);
        if buffer.len() > MAX_SPAN {
            self.missing += 1;
            buffer.clear();
            self.put_missing(buffer);
            return self.append(map, buffer);
        }
        let (id, length) = (number(id), buffer.len());
        self.append(map, buffer);
        if is_open || id == self.invocation {
            self.kept.insert(id, Place { page: self.page, end: self.at, length });
        } else {
            self.kept.remove(&id);
            self.ended[index(self.page)] += 1;
        }
    }

    /// What was written down of the spans that have not ended, but for the invocation's own.
    pub(super) fn open_spans(&self, map: &Map) -> Vec<Vec<u8>> {
        let open = self.kept.iter().filter(|(id, _)| **id != self.invocation);
        open.map(|(_, place)| place.read(map).get(HEAD..).unwrap_or_default().to_vec()).collect()
    }

    /// Writes the frame in the buffer behind the last, or into the next page.
    fn append(&mut self, map: &mut Map, buffer: &mut Vec<u8>) {
        if self.at + buffer.len() > self.page_end() {
            self.turn(map, buffer);
        }
        map.write(self.at, buffer);
        self.at += buffer.len();
    }

    /// Goes to the next page, over the oldest one: what is in the buffer is the first that comes there.
    fn turn(&mut self, map: &mut Map, buffer: &mut Vec<u8>) {
        self.page += 1;
        self.at = SPANS + PAGE * index(self.page);
        self.missing += std::mem::take(&mut self.ended[index(self.page)]) + self.forget_overwritten();
        let mut page = Vec::with_capacity(START + buffer.len());
        frame::put(Kind::Page, self.nonce, &mut page, |out| out.extend_from_slice(&self.page.to_le_bytes()));
        self.write_again(map, &mut page);
        if self.missing > 0 {
            self.put_missing(&mut page);
        }
        let first = page.len();
        page.append(buffer);
        frame::seal(self.seed(), &mut page, first);
        *buffer = page;
    }

    /// Forgets open spans for which there was no room in a later page; how many these are.
    fn forget_overwritten(&mut self) -> u64 {
        let all = self.kept.len();
        let oldest = (self.page + 1).saturating_sub(PAGES as u64);
        self.kept.retain(|_, place| place.page >= oldest);
        (all - self.kept.len()) as u64
    }

    /// Writes the spans again that are to be kept and whose page comes next.
    fn write_again(&mut self, map: &Map, out: &mut Vec<u8>) {
        let next = (self.page + 1).saturating_sub(PAGES as u64);
        let (seed, invocation, start) = (self.seed(), self.invocation, out.len());
        let mut leaving: Vec<_> = self.kept.iter_mut().filter(|(_, place)| place.page == next).collect();
        leaving.sort_unstable_by_key(|(id, place)| (**id != invocation, Reverse(place.end)));
        for (_, place) in leaving {
            if out.len() - start + place.length > MAX_AGAIN {
                continue;
            }
            let first = out.len();
            out.extend_from_slice(place.read(map));
            frame::seal(seed, out, first);
            *place = Place { page: self.page, end: self.at + out.len(), ..*place };
        }
    }

    fn put_missing(&self, out: &mut Vec<u8>) {
        frame::put(Kind::Full, self.seed(), out, |out| out.extend_from_slice(&self.missing.to_le_bytes()));
    }

    /// What the checksums of the page begin with.
    fn seed(&self) -> u64 {
        self.nonce.wrapping_add(self.page)
    }

    fn page_end(&self) -> usize {
        if self.page == 0 { 0 } else { SPANS + PAGE * (1 + index(self.page)) }
    }
}

impl Place {
    fn read(self, map: &Map) -> &[u8] {
        map.read(self.end - self.length..self.end)
    }
}

/// Ids of spans are random: they are as good as their hash, and every span is looked up.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn number(id: SpanId) -> u64 {
    u64::from_ne_bytes(id.to_bytes())
}

/// The place of a page, by its number.
fn index(page: u64) -> usize {
    (page.saturating_sub(1) % PAGES as u64) as usize
}

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::frame::{JOURNAL_END, MAGIC, SIZE};
use super::super::testing::{missing, walk};
use super::*;

const NONCE: u64 = 7;
const INVOCATION: u64 = 1;

/// What was written, and what is to be found of it.
struct Written {
    map: Map,
    pages: Pages,
    open: BTreeMap<u64, Vec<u8>>,
    /// What has ended, the oldest first, and how many bytes had been written then.
    ended: Vec<(u64, usize)>,
    bytes: usize,
}

impl Written {
    fn new() -> Self {
        let mut map = Map::of(tempfile::tempfile().unwrap(), SIZE).unwrap();
        map.write(0, &[MAGIC, NONCE.to_le_bytes()].concat());
        let mut pages = Pages::default();
        pages.begin(NONCE, SpanId::from_bytes(INVOCATION.to_be_bytes()));
        Self { map, pages, open: BTreeMap::new(), ended: Vec::new(), bytes: 0 }
    }

    /// Writes a span with an id and so many other bytes.
    fn span(&mut self, id: u64, is_open: bool, size: usize) {
        let mut span = [id.to_be_bytes().to_vec(), vec![u8::from(is_open)]].concat();
        span.extend((0..size).map(|n| (n + self.bytes) as u8));
        let id_bytes = SpanId::from_bytes(id.to_be_bytes());
        let write = |out: &mut Vec<u8>| out.extend_from_slice(&span);
        self.pages.span(&mut self.map, &mut Vec::new(), id_bytes, is_open, write);
        self.bytes += span.len();
        if is_open || id == INVOCATION {
            self.open.insert(id, span);
        } else {
            self.open.remove(&id);
            self.ended.push((id, self.bytes));
        }
    }

    fn is_about_to_turn(&self, size: usize) -> bool {
        self.pages.at + HEAD + 9 + size > self.pages.page_end()
    }

    fn file(&self) -> Vec<u8> {
        self.map.read(0..SIZE).to_vec()
    }
}

/// The last state of each span of a file, by its id.
fn last(file: &[u8]) -> BTreeMap<u64, Vec<u8>> {
    let spans = walk(file).unwrap().into_iter().filter(|(kind, _)| *kind == b'S');
    spans.map(|(_, span)| (u64::from_be_bytes(*span.first_chunk().unwrap()), span.to_vec())).collect()
}

fn is_open(span: &[u8]) -> bool {
    span[8] == 1
}

/// How many of the spans that ended are in a file, all of which have ended there too; the newest are.
fn ended_of(written: &Written, found: &BTreeMap<u64, Vec<u8>>, largest: usize) -> usize {
    // A page has room for as much again and one span that went to the next.
    let sure = (PAGES - 1) * (MAX_SPAN - largest);
    let is_there =
        |id: u64| found.get(&id).inspect(|span| assert!(!is_open(span), "{id} has ended")).is_some();
    for (id, at) in &written.ended {
        assert!(is_there(*id) || written.bytes - at > sure, "{id} is among the newest");
    }
    written.ended.iter().filter(|(id, _)| is_there(*id)).count()
}

const LARGEST: usize = 10_000;
const MOST_OPEN: usize = 5;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_open_and_the_newest_are_there_wherever_it_was_torn(
        spans in vec((0_u8..9, any::<prop::sample::Index>(), 0..LARGEST), 0..600),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut written = Written::new();
        let mut next = INVOCATION;
        for (what, which, size) in spans {
            let open: Vec<u64> = written.open.keys().copied().filter(|id| *id != INVOCATION).collect();
            let (id, is_open) = match (what, &open[..]) {
                (0, _) if size < LARGEST / 20 => (INVOCATION, size % 7 > 0),
                (1, [oldest, ..]) if size < LARGEST / 20 => (*oldest, which.index(2) == 0),
                // The first ones stay open for long.
                (2, [_, _, .., newest]) => (*newest, true),
                (_, [_, _, .., newest]) if what > 5 || open.len() == MOST_OPEN => (*newest, false),
                _ => {
                    next += 1;
                    (next, true)
                }
            };
            let before = written.is_about_to_turn(size).then(|| (written.file(), written.open.clone()));
            written.span(id, is_open, size);
            let Some((before, mut open)) = before else { continue };
            let after = written.file();
            let start = after.iter().zip(&before).take_while(|(after, before)| after == before).count();
            let cut = start + cut.index(written.pages.at - start + 1);
            let torn = [&after[..cut], &before[cut..]].concat();
            let mut found = last(&torn);
            // Of that which was being written there is what was before, or is now.
            let being_written = (found.remove(&id), open.remove(&id));
            prop_assert!(being_written.0 == being_written.1 || being_written.0.as_ref() == last(&after).get(&id));
            for (id, span) in &open {
                prop_assert_eq!(found.get(id), Some(span));
            }
            let ended = written.ended.last().copied();
            written.ended.retain(|(ended, _)| *ended != id);
            let there = ended_of(&written, &found, LARGEST);
            prop_assert!(missing(&torn) <= (written.ended.len() - there) as u64);
            written.ended.extend(ended.filter(|(ended, _)| *ended == id));
        }
        let file = written.file();
        let found = last(&file);
        for (id, span) in &written.open {
            prop_assert_eq!(found.get(id), Some(span));
        }
        let there = ended_of(&written, &found, LARGEST);
        prop_assert_eq!(found.len(), written.open.len() + there);
        prop_assert_eq!(missing(&file), (written.ended.len() - there) as u64);
        prop_assert!(file[JOURNAL_END..].iter().all(|byte| *byte == 0), "which is for lines");
        let open = written.pages.open_spans(&written.map);
        prop_assert_eq!(open.len(), written.open.keys().filter(|id| **id != INVOCATION).count());
    }
}

#[test]
fn of_more_open_spans_than_there_is_room_for_the_newest_are_kept() {
    let mut written = Written::new();
    written.span(INVOCATION, true, 1000);
    let many = 4 * (JOURNAL_END / 1000) as u64;
    let ids = INVOCATION + 1..=INVOCATION + many;
    ids.clone().for_each(|id| written.span(id, true, 1000));
    let file = written.file();
    let found = last(&file);
    assert_eq!(found.get(&INVOCATION), written.open.get(&INVOCATION));
    let there = ids.clone().filter(|id| found.contains_key(id)).count() as u64;
    assert!(there > many / 8 && ids.rev().take(there as usize / 2).all(|id| found.contains_key(&id)));
    assert_eq!(missing(&file), many - there);
    assert!(written.pages.kept.len() as u64 <= there + 1, "what is kept is bounded by the file");
}

#[test]
fn what_is_larger_than_half_a_page_is_missing_and_nothing_else() {
    let mut written = Written::new();
    written.span(2, true, 100);
    written.span(3, true, PAGE);
    assert_eq!(missing(&written.file()), 1);
    // Exactly as large as may be, and one more.
    let largest = MAX_SPAN - HEAD - 9;
    written.span(4, true, largest);
    assert_eq!(missing(&written.file()), 1);
    written.span(5, true, largest + 1);
    let file = written.file();
    assert_eq!(missing(&file), 2);
    assert_eq!(last(&file).into_keys().collect::<Vec<_>>(), [2, 4]);
    written.span(4, false, 100);
    (0..20).for_each(|_| written.span(INVOCATION, true, largest));
    written.span(6, true, 100);
    let found = last(&written.file());
    for id in [INVOCATION, 2, 6] {
        assert_eq!(found.get(&id), written.open.get(&id), "beside the largest");
    }
}

#[test]
fn that_the_invocation_has_ended_is_not_overwritten() {
    let mut written = Written::new();
    written.span(INVOCATION, true, 1000);
    written.span(INVOCATION, false, 1000);
    (2..4000).for_each(|id| written.span(id, false, 1000));
    assert_eq!(last(&written.file()).get(&INVOCATION), written.open.get(&INVOCATION));
    assert_eq!(written.pages.kept.len(), 1);
}

//! Any bytes are read without harm, and of a file that was damaged all before the damage is read.

use opentelemetry_proto::tonic::trace::v1::span::Link;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::frames::{PAGE, PAGES, PREFIX, RING, SLOT, SPANS};
use crate::testing::{File, invocation, span, text};

const ENDING: Ending = Ending { time_unix_nano: 5_000_000, failure: None };

/// What the tests build files of.
#[derive(Debug, Clone)]
enum Step {
    Open(u8),
    End(u8),
    Event(String),
    Full(u64),
    Turn,
    Line(u64, String),
    Foreign(u8, Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (2_u8..9).prop_map(Step::Open),
        4 => (2_u8..9).prop_map(Step::End),
        1 => ".{0,30}".prop_map(Step::Event),
        1 => any::<u64>().prop_map(Step::Full),
        1 => Just(Step::Turn),
        1 => (0_u64..200, ".{0,30}").prop_map(|(number, line)| Step::Line(number, line)),
        1 => (any::<u8>(), vec(any::<u8>(), 0..40)).prop_map(|(kind, bytes)| Step::Foreign(kind, bytes)),
    ]
}

fn file(nonce: u64, steps: &[Step]) -> File {
    let mut file = File::new(nonce, "r-1");
    file.span(&invocation("r-1", "f"));
    for step in steps {
        match step {
            Step::Open(id) => file.span(&span(*id, "call")),
            Step::End(id) => file.span(&Span { end_time_unix_nano: 1 << 40, ..span(*id, "call") }),
            Step::Event(event) => file.event(event),
            Step::Full(missing) => file.full(*missing),
            Step::Turn => file.turn(),
            Step::Line(number, line) => file.line(*number, line),
            Step::Foreign(kind, bytes) => file.frame(*kind, bytes),
        }
    }
    file
}

/// Steps that come one behind the other in the file, with so many pages.
fn journal(steps: Vec<Step>, pages: usize) -> Vec<Step> {
    let mut turns = 0;
    let is_next = |step: &Step| match step {
        Step::Line(..) => false,
        Step::Turn => {
            turns += 1;
            turns <= pages
        }
        _ => true,
    };
    steps.into_iter().filter(is_next).collect()
}

/// Reads, completes, and checks what holds of anything that was read.
fn survives(bytes: &[u8]) -> Option<Vec<Span>> {
    let recording = read(bytes).ok()?;
    assert!(recording.spans.len() <= MAX_SPANS && recording.lines.len() <= 64);
    let request = recording.into_request(&ENDING);
    let encoded = request.encode_to_vec();
    assert_eq!(ExportTraceServiceRequest::decode(encoded.as_slice()).as_ref(), Ok(&request));
    let spans = request.resource_spans[0].scope_spans[0].spans.clone();
    for span in &spans {
        assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
        assert_ne!(span.end_time_unix_nano, 0);
    }
    let mut ids: Vec<_> = spans.iter().map(|span| &span.span_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), spans.len(), "each span once");
    Some(spans)
}

/// What a file says that ends after so many of its frames.
fn after(frames: &[Step]) -> Vec<Span> {
    survives(&file(7, frames).into_bytes()).expect("whole")
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in vec(any::<u8>(), 0..2000)) {
        survives(&bytes);
        // And behind a header that is right.
        survives(&[b"THRLREC2\x07\0\0\0\0\0\0\0".as_slice(), &bytes].concat());
    }

    #[test]
    fn a_file_torn_anywhere_says_what_it_said_before(steps in vec(step(), 0..12), at in 0.0..1.0_f64) {
        let journal = journal(steps, PAGES);
        let whole = file(7, &journal).into_bytes();
        let at = (whole.len() as f64 * at) as usize;
        let read = survives(&whole[..at]);
        // How many whole frames there are before the tear.
        let counted = (0..=journal.len()).rev().find(|count| file(7, &journal[..*count]).into_bytes().len() <= at);
        match counted {
            Some(count) => prop_assert_eq!(read, Some(after(&journal[..count]))),
            // Torn within the frames that the tests begin with.
            None => prop_assert!(read.unwrap_or_default().is_empty()),
        }
    }

    #[test]
    fn a_flipped_bit_ends_its_part_of_the_journal(steps in vec(step(), 1..12), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let journal = journal(steps, 0);
        let mut bytes = file(7, &journal).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let read = survives(&bytes);
        let counted = (0..=journal.len()).rev().find(|count| file(7, &journal[..*count]).into_bytes().len() <= at);
        match counted {
            Some(count) if at >= 16 => prop_assert_eq!(read, Some(after(&journal[..count]))),
            _ => prop_assert!(read.unwrap_or_default().is_empty()),
        }
    }

    #[test]
    fn a_flipped_bit_in_a_page_spares_the_others(turns in 1_u8..11, page in 0..PAGES, at in 0_usize..300, bit in 0_u8..8) {
        let mut file = file(7, &[]);
        for id in 10..10 + turns {
            file.turn();
            file.span(&span(id, "call"));
            file.span(&span(id + 100, "call"));
        }
        let mut bytes = file.into_bytes();
        let ids = |bytes: &[u8]| -> Vec<u8> {
            survives(bytes).expect("the invocation").iter().map(|span| span.span_id[0]).collect()
        };
        let whole = ids(&bytes);
        let Some(byte) = bytes.get_mut(SPANS + page * PAGE + at) else { return Ok(()) };
        *byte ^= 1 << bit;
        let read = ids(&bytes);
        let is_of_page = |id: u8| id >= 10 && (id % 100 - 10) as usize % PAGES == page;
        prop_assert!(whole.iter().all(|id| read.contains(id) || is_of_page(*id)), "{read:?} of {whole:?}");
        prop_assert!(read.iter().all(|id| whole.contains(id)), "{read:?} of {whole:?}");
    }

    #[test]
    fn what_an_earlier_invocation_left_is_not_this_one_s(old in vec(step(), 1..12), new in vec(step(), 0..6)) {
        let old = file(6, &old).into_bytes();
        let alone = file(7, &new).into_bytes();
        let mut both = alone.clone();
        // The new one's journal lies over the old one's; the old one's ring is still there.
        if old.len() > both.len() {
            both.extend_from_slice(&old[both.len()..]);
        }
        let (alone, both) = (read(&alone).unwrap(), read(&both).unwrap());
        // Chance may put a frame of the old journal where the new one ends; its checksum betrays it.
        prop_assert_eq!(alone, both);
    }

    #[test]
    fn a_huge_length_is_a_tear(length in (RING as u32 - 200)..=u32::MAX) {
        let mut bytes = file(7, &[]).into_bytes();
        let end = bytes.len();
        bytes.extend(length.to_le_bytes());
        bytes.extend([0; PREFIX + SLOT]);
        prop_assert_eq!(read(&bytes).unwrap(), read(&bytes[..end]).unwrap());
    }

    /// A frame's checksum is no seal: whoever may write to the file can make one.
    #[test]
    fn a_damaged_span_under_a_right_checksum_does_no_harm(
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut linked = Span { parent_span_id: vec![1; 8], trace_state: "a=b".into(), ..span(2, "call") };
        linked.links = vec![Link { trace_id: vec![3; 16], span_id: vec![3; 8], ..Link::default() }];
        linked.attributes = vec![text("key", "value")];
        let mut bytes = linked.encode_to_vec();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let mut file = file(7, &[]);
        file.frame(b'S', &bytes);
        file.frame(b'S', &bytes[..cut.index(bytes.len())]);
        file.frame(b'R', &bytes);
        file.span(&span(9, "last"));
        let names: Vec<String> =
            survives(&file.into_bytes()).expect("whole").into_iter().map(|span| span.name).collect();
        prop_assert_eq!(names.first().map(String::as_str), Some("f"));
        prop_assert_eq!(names.last().map(String::as_str), Some("last"));
    }
}

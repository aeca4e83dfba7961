//! Files that were cut or changed.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What is written, in the order that it is.
#[derive(Clone, Debug)]
enum Written {
    Span(String),
    Ended(String),
    Line(String),
}

fn written() -> impl Strategy<Value = Written> {
    prop_oneof![
        ".{0,300}".prop_map(Written::Span),
        ".{0,300}".prop_map(Written::Ended),
        ".{0,2000}".prop_map(Written::Line),
    ]
}

proptest! {
    #[test]
    fn of_a_file_that_was_cut_or_changed_only_what_was_written_is_read(
        earlier in vec(written(), 0..12),
        later in vec(written(), 0..12),
        cut in any::<prop::sample::Index>(),
        flips in vec((any::<prop::sample::Index>(), 1_u8..), 0..4),
    ) {
        let (recorder, _tmp) = recorder();
        for all in [&earlier, &later] {
            // Dropped without being cleared, as by a process that went on after all.
            let journal = open(&recorder, "r-1");
            for one in all {
                match one {
                    Written::Span(name) => journal.begun(&span(name)),
                    Written::Ended(name) => journal.ended(&span(name).end(now())),
                    Written::Line(line) => journal.line(line),
                }
            }
        }
        let file = files(&recorder.folder).remove(0);
        let whole = walk(&file).unwrap();
        let names = spans(&file).into_iter().skip(1).map(|span| span.name);
        let expected = later.into_iter().filter_map(|one| match one {
            Written::Span(name) | Written::Ended(name) => Some(name),
            Written::Line(_) => None,
        });
        prop_assert_eq!(names.collect::<Vec<_>>(), expected.collect::<Vec<_>>());

        let mut torn = file[..cut.index(file.len() + 1)].to_vec();
        for (at, flip) in flips {
            let at = at.index(8 * 1024);
            // In the invocation's own part, or in the first page of spans; there is nothing between.
            let at = if at < 4096 { at } else { SPANS + at - 4096 };
            if let Some(byte) = torn.get_mut(at) {
                *byte ^= flip;
            }
        }
        let read = walk(&torn).unwrap_or_default();
        let mut rest = whole.into_iter();
        prop_assert!(read.iter().all(|frame| rest.any(|written| written == *frame)), "{read:?}");
    }
}

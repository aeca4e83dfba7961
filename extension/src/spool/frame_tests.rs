use super::{FILE_HEAD, Frame, State, file_head, frames, head};
use crate::otlp::Signal;
use proptest::collection::vec;
use proptest::prelude::*;

type Written = Vec<(usize, String, Vec<u8>)>;

fn file(written: &Written) -> Vec<u8> {
    let mut file = file_head(&["one".into(), "two".into()]).to_vec();
    for (signal, id, body) in written {
        file.extend(head(2, Signal::ALL[*signal], id, body).expect("it fits"));
        file.extend(body);
    }
    file
}

fn read(file: &[u8]) -> Written {
    let owned = |frame: Frame<'_>| (frame.signal.index(), frame.request_id.to_owned(), frame.body.to_vec());
    frames(file).map(owned).collect()
}

fn written() -> impl Strategy<Value = Written> {
    vec((0..3_usize, "[a-z0-9-]{0,36}", vec(any::<u8>(), 0..200)), 0..6)
}

#[test]
fn the_format_is_this() {
    let file = file(&vec![(2, "r".into(), b"ab".to_vec())]);
    let head = [b"THRLSPL1".as_slice(), &[0xe6, 0x0b, 0xba, 0x12]];
    let frame = [b"KKDDD\x02\x01\x02\0\0\0".as_slice(), &[0x33, 0xcb, 0xe5, 0x1b], b"rab"];
    assert_eq!(file, [head.concat(), frame.concat()].concat());
}

#[test]
fn a_head_is_of_its_destinations() {
    let head = |names: &[&str]| file_head(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(head(&["a", "b"]), head(&["a", "b"]));
    assert_ne!(head(&["a", "b"]), head(&["b", "a"]));
    assert_ne!(head(&["a", "b"]), head(&["ab"]));
}

#[test]
fn states_may_be_written_over() {
    let mut file = file(&vec![(0, "r".into(), vec![1]), (0, "s".into(), vec![2])]);
    let second = frames(&file).nth(1).expect("two").at;
    file[FILE_HEAD] = State::Done as u8;
    file[second + 1] = State::MaybeSent as u8;
    let states: Vec<_> = frames(&file).map(|frame| [frame.states[0], frame.states[1]]).collect();
    assert_eq!(states, [[State::Done, State::Waits], [State::Waits, State::MaybeSent]]);
}

#[test]
fn an_id_that_is_too_long_is_left_out() {
    let id = "x".repeat(129);
    let file = file(&vec![(0, id, vec![1])]);
    assert_eq!(read(&file), [(0, String::new(), vec![1])]);
}

proptest! {
    #[test]
    fn what_was_written_is_read(written in written()) {
        prop_assert_eq!(read(&file(&written)), written);
    }

    #[test]
    fn of_a_torn_file_whole_frames_are_read(written in written(), keep in 0.0..1.0_f64) {
        let mut file = file(&written);
        file.truncate((file.len() as f64 * keep) as usize);
        let read = read(&file);
        prop_assert_eq!(&read[..], &written[..read.len()]);
    }

    #[test]
    fn a_flipped_bit_is_noticed(written in written(), at: prop::sample::Index, bit in 0..8_u32) {
        let mut file = file(&written);
        prop_assume!(!written.is_empty());
        let at = FILE_HEAD + at.index(file.len() - FILE_HEAD);
        file[at] ^= 1 << bit;
        let read = read(&file);
        prop_assert!(read.len() < written.len(), "the frame is not read");
        prop_assert_eq!(&read[..], &written[..read.len()]);
    }

    #[test]
    fn no_bytes_do_harm(noise in vec(any::<u8>(), 0..300), headed: bool) {
        let file = if headed { [file(&vec![]), noise].concat() } else { noise };
        prop_assert!(frames(&file).count() <= file.len() / 14);
    }
}

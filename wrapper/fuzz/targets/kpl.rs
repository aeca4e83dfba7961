//! Any message in the frame of the KPL: refused, or taken apart and put together again as it was; and with other data
//! in one part, all others stay.
#![no_main]

use libfuzzer_sys::fuzz_target;
use md5::{Digest as _, Md5};
use throughline::internals::{kpl_parts, kpl_with};

fuzz_target!(|message: &[u8]| {
    let data = [b"\xf3\x89\x9a\xc2", message, Md5::digest(message).as_slice()].concat();
    let Some(parts) = kpl_parts(&data) else { return };
    let changed = |changes: &[Option<Vec<u8>>]| kpl_with(&data, changes).expect("it was taken apart before");
    assert_eq!(changed(&vec![None; parts.len()]), data);
    // One part at the most, and another one each time, or a message of many would take long.
    let Some(at) = message.iter().map(|byte| usize::from(*byte)).sum::<usize>().checked_rem(parts.len())
    else {
        return;
    };
    let mut changes = vec![None; parts.len()];
    changes[at] = Some(b"other".to_vec());
    let mut expected = parts;
    expected[at] = b"other".to_vec();
    assert_eq!(kpl_parts(&changed(&changes)), Some(expected));
});

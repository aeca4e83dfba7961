//! Any `baggage`: what is passed on is bounded, is ASCII, and is read as it was written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline::internals;

fuzz_target!(|header: &str| {
    let Some(written) = internals::baggage(header) else { return };
    assert!(written.is_ascii() && !written.is_empty() && written.len() <= 1024, "{written:?}");
    assert_eq!(internals::baggage(&written), Some(written));
});

//! Any headers, a line each, as `name:value`: every dialect gives a valid context or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline::internals;

fuzz_target!(|headers: &str| {
    let headers: Vec<_> = headers.lines().filter_map(|line| line.split_once(':')).collect();
    for traceparent in internals::named(&headers) {
        assert!(internals::traceparent(&traceparent, "").is_some(), "{traceparent:?}");
    }
});

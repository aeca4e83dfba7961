//! Any `traceparent` and, behind a line feed, any `tracestate`: refused, or written as it is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline::internals;

fuzz_target!(|headers: &str| {
    let (traceparent, tracestate) = headers.split_once('\n').unwrap_or((headers, ""));
    let Some((traceparent, tracestate)) = internals::traceparent(traceparent, tracestate) else { return };
    assert!(traceparent.len() == 55 && tracestate.len() <= 512);
    let again = internals::traceparent(&traceparent, &tracestate);
    assert_eq!(again, Some((traceparent, tracestate)));
});

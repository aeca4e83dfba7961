//! Any X-Ray header: refused, or written as it is read again, `Lineage` included.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline::internals;

fuzz_target!(|header: &str| {
    let Some(written) = internals::xray(header) else { return };
    for lineage in header.split(';').map(str::trim).filter(|member| member.starts_with("Lineage=")) {
        assert!(written.split(';').any(|member| member == lineage), "{written:?}");
    }
    assert_eq!(internals::xray(&written), Some(written));
});

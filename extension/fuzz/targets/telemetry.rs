//! Any bytes are read as a batch of the Telemetry API.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_extension::telemetry::runtime_done;

fuzz_target!(|batch: &[u8]| {
    for event in runtime_done(batch) {
        assert!(batch.len() > event.request_id.len());
    }
});

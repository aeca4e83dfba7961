//! Any bytes are read as a batch of the Telemetry API, and what they say is told once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_extension::facts::{Facts, event};

fuzz_target!(|batch: &[u8]| {
    let mut facts = Facts::default();
    let events = event::read(batch);
    assert!(events.len() <= batch.len());
    for told in [&events, &events] {
        told.iter().for_each(|event| facts.told(event));
    }
    let accounts = facts.due(None);
    assert!(accounts.iter().all(|account| batch.len() > account.request_id.len()));
    assert_eq!(facts.due(None), [], "once");
});

//! Any text is read as OTLP/JSON or refused; what is read can be written, and the same is read from that.
//! The first byte chooses the signal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_extension::otlp::{Signal, inspect, json};
use throughline_extension_fuzz::{Request, is_object};

fuzz_target!(|input: &[u8]| {
    let Some((signal, text)) = input.split_first() else { return };
    let signal = Signal::ALL[usize::from(signal % 3)];
    assert!(!json::is_too_much(text), "there is no room for so much here");
    let Ok(bytes) = json::to_protobuf(signal, text) else { return };
    assert!(is_object(text));
    let request = Request::decode(signal, &bytes).expect("a request");
    assert_eq!(request.encode(), bytes);
    // An id may have a wrong length; then it is refused here.
    let Ok(found) = inspect(signal, &bytes) else { return };
    assert_eq!(found.items, request.items().len() as u64);
    let line = json::from_protobuf(signal, &bytes).expect("what was taken can be written");
    assert!(!line.contains(['\n', '\r']));
    assert_eq!(json::to_protobuf(signal, line.as_bytes()).expect("it reads its own"), bytes);
});

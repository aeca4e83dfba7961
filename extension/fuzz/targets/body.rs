//! Any body under any compression and type is taken or refused, within its bound. What is taken is what other decoders
//! make of it, and a request that is taken again as it is. The first byte chooses signal, type and compression.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use throughline_extension::intake::accept;
use throughline_extension_fuzz::{Request, Sent, is_object};

const LIMIT: usize = 1024 * 1024;

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else { return };
    let sent = Sent::chosen(*choice);
    let Ok(accepted) = accept(sent.signal, &sent.headers(), Bytes::copy_from_slice(body), LIMIT) else {
        return;
    };

    let inflated = sent.inflated(body, LIMIT).expect("others inflate it, too, and to no more");
    let request = Request::decode(sent.signal, &accepted.bytes).expect("others decode it, too");
    assert_eq!(accepted.items, request.items().len() as u64);
    if sent.content_type == "application/json" {
        assert!(is_object(&inflated));
        assert_eq!(accepted.bytes, request.encode());
    } else {
        assert_eq!(accepted.bytes, inflated);
    }
    assert_eq!(
        accept(sent.signal, &Sent::chosen(0).headers(), accepted.bytes.clone(), usize::MAX),
        Ok(accepted)
    );
});

use super::Shared;
use crate::buffer::OVERHEAD;
use crate::otlp::Signal;
use bytes::Bytes;

#[test]
fn a_request_of_too_many_spans_is_taken_apart() {
    let shared = Shared::new(1 << 20, true);
    let spans = [[0x12, 0]; 25_000].concat();
    let nested = |bytes: Vec<u8>, tag| {
        let mut message = vec![tag];
        prost::encoding::encode_varint(bytes.len() as u64, &mut message);
        [message, bytes].concat()
    };
    let request = nested(nested(spans, 0x12), 0x0a);
    shared.received(Signal::Traces, request.into(), 25_000, &[]);
    let items: Vec<u64> = shared.lock().queues[0].entries().map(|entry| entry.items).collect();
    assert_eq!(items, [10_000, 10_000, 5_000]);
}

#[test]
fn a_request_that_carries_nothing_is_not_kept() {
    let shared = Shared::new(1000, true);
    // A resource without spans.
    shared.received(Signal::Traces, Bytes::from_static(&[0x0a, 0]), 0, &[]);
    assert_eq!(shared.lock().queued(), 0);
    shared.received(Signal::Traces, Bytes::from_static(&[0x0a, 4, 0x12, 2, 0x12, 0]), 1, &[]);
    assert_eq!(shared.lock().queued(), OVERHEAD + 6);
}

//! What the visitor takes every decoder takes, and finds in it what the visitor has found; requests put one after the other
//! are one request with all that they hold; and however it is split, nothing is lost.
//! The first byte chooses the signal, the next two the size of the pieces.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use throughline_extension::otlp::{
    Findings, InvocationSpan, Signal, first_trace, inspect, invocations, json, largest_item, split,
    split_within,
};
use throughline_extension_fuzz::{self as reference, Item, Request};

/// Invocations noted of one request.
const MOST: usize = 16;

fuzz_target!(|input: &[u8]| {
    let [signal, size, most, bytes @ ..] = input else { return };
    let signal = Signal::ALL[usize::from(signal % 3)];
    let Ok(found) = inspect(signal, bytes) else { return };
    let request = Request::decode(signal, bytes).expect("a decoder takes it, too");
    let items = request.items();
    assert_eq!(found.items, items.len() as u64);
    assert!(found.messages <= bytes.len() / 2 + 1 && found.messages > items.len());
    // A field may stand there twice, and a decoder keeps the last.
    let failed = request.spans().into_iter().any(reference::failed);
    assert!(found.has_error || !failed);

    let plain = request.encode();
    let found_plain = inspect(signal, &plain).expect("it is the same request");
    assert_eq!(found_plain.has_error, failed);
    let ids = request.spans().into_iter().flat_map(reference::invocations).take(MOST);
    assert_eq!(found_plain.invocations, ids.collect::<Vec<_>>());
    assert_eq!(largest_item(&plain), items.iter().map(|(_, item)| item.len()).max().unwrap_or_default());
    if signal == Signal::Traces {
        check_spans(&request, &plain);
    }

    let both = [bytes, &plain].concat();
    assert_eq!(inspect(signal, &both).expect("two requests are one"), sum(&found, &found_plain));
    let twice = Request::decode(signal, &both).expect("two requests are one").items();
    assert_eq!(twice, [items.clone(), items.clone()].concat());

    check_pieces(signal, bytes, &items, usize::from(*size) * 4, usize::from(*most).max(1));
    let line = json::from_protobuf(signal, bytes).expect("it can be written down");
    assert!(!line.contains(['\n', '\r']));
    let again = json::to_protobuf(signal, line.as_bytes()).expect("and read again");
    assert!(again == plain || is_of_profiles(&request), "{line}");
});

/// Whether there are indices into a table of strings, which only profiles have: they are not written down.
fn is_of_profiles(request: &Request) -> bool {
    let text = format!("{request:?}").replace("key_strindex: 0", "");
    text.contains("key_strindex") || text.contains("StringValueStrindex")
}

fn sum(one: &Findings, other: &Findings) -> Findings {
    let mut invocations = [one.invocations.clone(), other.invocations.clone()].concat();
    invocations.truncate(MOST);
    Findings {
        items: one.items + other.items,
        // The outermost message is one.
        messages: one.messages + other.messages - 1,
        invocations,
        has_error: one.has_error || other.has_error,
    }
}

/// Spans are read a second time where they tell an invocation.
fn check_spans(request: &Request, plain: &[u8]) {
    let spans = request.spans();
    let first = spans.first().and_then(|span| <[u8; 16]>::try_from(span.trace_id.as_slice()).ok());
    assert_eq!(first_trace(plain), first.filter(|id| *id != [0; 16]));
    let expected = spans.into_iter().filter_map(|span| {
        Some(InvocationSpan {
            request_id: reference::invocations(span).next()?.to_owned(),
            trace_id: span.trace_id.as_slice().try_into().unwrap_or_default(),
            span_id: span.span_id.as_slice().try_into().unwrap_or_default(),
            failed: reference::failed(span),
        })
    });
    assert_eq!(invocations(plain), expected.take(MOST).collect::<Vec<_>>());
}

fn check_pieces(signal: Signal, bytes: &[u8], items: &[Item], max: usize, most: usize) {
    let bytes = Bytes::copy_from_slice(bytes);
    let within = split_within(&bytes, max, most);
    let whole = split(&bytes, max);
    for (pieces, most) in [(&within, most), (&whole, usize::MAX)] {
        let mut found: Vec<Item> = Vec::new();
        for piece in pieces {
            let request = Request::decode(signal, piece).expect("a request");
            let in_piece = request.items();
            assert_eq!(inspect(signal, piece).expect("a request").items, in_piece.len() as u64);
            assert!(in_piece.len() <= most && (piece.len() <= max || in_piece.len() <= 1));
            found.extend(in_piece);
        }
        assert_eq!(found, items);
    }
}

//! Any bytes are read as a flight recorder; and any frames whose checksums hold. What comes out is a request that every
//! backend takes, all of whose spans have ended, and not much longer than the file.
//! The first byte chooses: a file's bytes as they are, or steps in which a file is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use throughline_extension::otlp::{Signal, inspect};
use throughline_recorder::testing::File;
use throughline_recorder::{Ending, Failure, read};

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    let file = if mode % 2 == 0 { rest.to_vec() } else { written(rest) };
    let Ok(recording) = read(&file) else { return };
    let (request_id, spans) = (recording.request_id().to_owned(), recording.spans().len());
    assert!(!request_id.is_empty());
    let failure = Failure { error_type: "Sandbox.Failure".into(), message: "gone".into() };
    let ending = Ending { time_unix_nano: recording.last_moment(1), failure: Some(failure) };
    let invocation = recording.invocation().cloned();
    let request = recording.into_request(&ending);
    let bytes = request.encode_to_vec();
    let found = inspect(Signal::Traces, &bytes).expect("a request");
    assert_eq!(found.items, spans as u64);
    // What is no UTF-8 takes three bytes for one; and each span is told that it is partial.
    assert!(bytes.len() <= 3 * file.len() + 64 * spans + 4096 + 64 * 64, "{} of {}", bytes.len(), file.len());
    let ended: Vec<Span> = request
        .resource_spans
        .into_iter()
        .flat_map(|resource| resource.scope_spans)
        .flat_map(|scope| scope.spans)
        .collect();
    assert!(ended.iter().all(|span| span.end_time_unix_nano > 0));
    if let Some(open) = invocation.filter(|span| span.end_time_unix_nano == 0) {
        assert!(found.has_error && found.invocations.contains(&request_id));
        let told = ended.iter().find(|span| span.span_id == open.span_id).expect("it is told");
        assert!(told.events.iter().any(|event| event.name == "exception"));
    }
});

/// Steps of one byte that says what, one for the length, and a payload.
fn written(mut steps: &[u8]) -> Vec<u8> {
    let mut file = File::without_request(7);
    let mut lines = 0;
    while let [step, length, rest @ ..] = steps {
        let (payload, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        steps = rest;
        match step % 9 {
            0 => file.frame(b'I', payload),
            1 => file.frame(b'R', payload),
            2 => file.frame(b'S', payload),
            3 => file.frame(b'E', payload),
            4 => file.frame(b'F', payload),
            5 => file.turn(),
            6 => {
                lines += u64::from(*step / 9);
                file.line(lines, &String::from_utf8_lossy(payload));
                lines += 1;
            }
            // Another state of a span: whole ones are rarely made from noise.
            7 => file.span(&Span {
                trace_id: vec![1; 16],
                span_id: vec![step / 9 + 1; 8],
                start_time_unix_nano: u64::from(*length),
                ..Span::decode(payload).unwrap_or_default()
            }),
            _ => file.frame(*length, payload),
        }
    }
    file.into_bytes()
}

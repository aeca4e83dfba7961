//! Calls of a run that failed: with them whom they called.

use std::collections::BTreeMap;

use super::Run;
use crate::schema::bounded;
use crate::span::{Kind, Span};

/// How many calls that failed are kept of a run, in each of its traces.
const MAX_CALLS: usize = 20;

/// How often a request was sent before, as its client tells
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client>).
const RESENT: &str = "http.request.resend_count";

/// Calls that failed, by their spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FailedCalls {
    pub(crate) all: Vec<String>,
    /// Those that their client sent again, as it tells, and that went well then. Who merely asks for the same may mean
    /// another thing.
    pub(crate) mended: Vec<String>,
}

/// Those of a run, by trace.
pub(crate) fn failed_calls(run: &Run) -> BTreeMap<&str, FailedCalls> {
    let is_call = |span: &&Span| span.kind == Kind::Client;
    let failed = run.spans.iter().filter(is_call).filter(|span| span.error().is_some());
    let is_resent = |span: &&Span| {
        let count = span.attribute(RESENT).and_then(|count| count.parse::<u64>().ok());
        count.is_some_and(|count| count > 0) && span.error().is_none() && !span.is_open()
    };
    let resent: Vec<&Span> = run.spans.iter().filter(is_call).filter(is_resent).collect();
    let mut calls: BTreeMap<&str, FailedCalls> = BTreeMap::new();
    for call in failed {
        let FailedCalls { all, mended } = calls.entry(&call.trace_id).or_default();
        if all.len() < MAX_CALLS {
            let id = bounded(&call.span_id).into_owned();
            let is_again = |again: &&Span| again.trace_id == call.trace_id && again.asks_again(call);
            mended.extend(resent.iter().any(is_again).then(|| id.clone()));
            all.push(id);
        }
    }
    calls
}

//! What is on the spans of an invocation and of its records.

use std::time::SystemTime;

use super::Call;
use crate::propagation::Baggage;
use crate::settings::Settings;
use crate::span::{Span, Value};
use crate::triggers::{Reading, Record};

/// What Lambda says of the call.
pub(super) fn describe_call(span: &mut Span, call: &Call, reading: &Reading) {
    span.set("faas.trigger", reading.trigger);
    span.set("faas.invocation_id", call.request_id.as_str());
    span.set("faas.coldstart", call.cold_start);
    span.set("aws.lambda.invoked_arn", call.function_arn.as_str());
    // arn:partition:lambda:region:account:function:name
    if let Some(account) = call.function_arn.split(':').nth(4).filter(|account| !account.is_empty()) {
        span.set("cloud.account.id", account);
    }
    if let Some(tenant) = &call.tenant_id {
        span.set("throughline.tenant_id", tenant.as_str());
    }
    span.set("throughline.event_bytes", i64::try_from(call.event_bytes).unwrap_or(i64::MAX));
}

pub(super) fn describe(
    span: &mut Span,
    call: &Call,
    reading: &Reading,
    baggage: &Baggage,
    settings: &Settings,
) {
    for attribute in &reading.attributes {
        // A path or an agent may say anything.
        span.set(&attribute.key, Value::from(attribute).masked_by_look(&settings.keys));
    }
    if let Some(build) = &settings.build_id {
        span.set("throughline.build_id", build.as_str());
    }
    span.set("throughline.source", reading.source.as_str());
    if let Some(id) = &reading.join {
        span.set("throughline.join.in", vec![id.clone()]);
    }
    describe_baggage(span, baggage, settings);
    // One record waits as its invocation does; of several each says its own time.
    if let [record] = reading.records.as_slice() {
        describe_record(span, record, call.received);
    }
}

/// For whom and from where, and whether it goes on without end: on every span of a function and of a record.
pub(super) fn describe_baggage(span: &mut Span, baggage: &Baggage, settings: &Settings) {
    for (key, value) in baggage.attributes() {
        span.set(key, settings.keys.id(value));
    }
    settings.loop_guard.mark(span, baggage.hops());
    for (_, attribute) in Baggage::MARKS.into_iter().filter(|(mark, _)| baggage.marked(mark)) {
        span.set(attribute, true);
    }
}

pub(super) fn describe_record(span: &mut Span, record: &Record, received: SystemTime) {
    for (key, value) in record.attributes() {
        span.set(key, value);
    }
    span.set("throughline.source", &*record.source);
    if let Some(id) = record.join() {
        span.set("throughline.join.in", vec![id]);
    }
    if let Some(sent) = record.sent {
        let waited = received.duration_since(sent).unwrap_or_default().as_millis();
        span.set("throughline.queue_time_ms", i64::try_from(waited).unwrap_or(i64::MAX));
    }
}

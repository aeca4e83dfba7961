//! Kinesis: the context as member `_throughline` of data that is a JSON object, each record its own.

use aws_sdk_kinesis::operation::put_record::{PutRecordError, PutRecordInput, PutRecordOutput};
use aws_sdk_kinesis::operation::put_records::{PutRecordsError, PutRecordsInput, PutRecordsOutput};
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_types::Blob;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::ErrorMetadata;

use super::call::{Call, Hop};
use super::json::with_member;
use super::outcome::{Injected, Outcome};
use super::service::{Service, metadata_of};
use crate::propagation::join;
use crate::span::SpanKind;

const SYSTEM: &str = "aws.kinesis";

/// The most bytes of a record's data and partition key. A stream may allow ten times as much, but which one
/// does we don't know.
const MAX_RECORD: usize = 1024 * 1024;

/// The most bytes of all records of a request, keys included.
const MAX_REQUEST: usize = 10 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Kinesis;

impl Service for Kinesis {
    fn name(&self) -> &'static str {
        "Kinesis"
    }

    fn kind(&self, operation: &str) -> SpanKind {
        match operation {
            "PutRecord" | "PutRecords" => SpanKind::Producer,
            _ => SpanKind::Client,
        }
    }

    fn destination<'a>(&self, input: &'a Input) -> Option<&'a str> {
        stream(input)
    }

    fn inject(&self, input: &mut Input, call: &mut Call, _cfg: &ConfigBag) {
        inject(input, call);
    }

    fn finish(&self, output: &Output, call: &mut Call) {
        finish(output, call);
    }

    fn metadata<'a>(&self, error: &'a Error) -> Option<&'a ErrorMetadata> {
        metadata_of!(error, PutRecordError, PutRecordsError)
    }
}

/// The name of the stream, given as such or at the end of its ARN.
fn stream(input: &Input) -> Option<&str> {
    let (name, arn) = if let Some(input) = input.downcast_ref::<PutRecordInput>() {
        (input.stream_name(), input.stream_arn())
    } else {
        let input = input.downcast_ref::<PutRecordsInput>()?;
        (input.stream_name(), input.stream_arn())
    };
    name.or_else(|| arn?.rsplit('/').next())
}

fn inject(input: &mut Input, call: &mut Call) {
    if let Some(input) = input.downcast_mut::<PutRecordInput>() {
        describe(call, None);
        if let Some(data) = &mut input.data {
            let key = input.partition_key.as_deref().unwrap_or_default();
            let outcome = write(data, &call.hop(), MAX_RECORD.saturating_sub(key.len()));
            call.injected(outcome);
        }
    } else if let Some(input) = input.downcast_mut::<PutRecordsInput>() {
        let records = input.records.as_deref_mut().unwrap_or_default();
        describe(call, Some(records.len()));
        let size = |record: &PutRecordsRequestEntry| record.data.as_ref().len() + key_size(record);
        let total: usize = records.iter().map(size).sum();
        let mut left = MAX_REQUEST.saturating_sub(total);
        for (index, record) in records.iter_mut().enumerate() {
            call.create(index.to_string(), SYSTEM);
            let before = record.data.as_ref().len();
            let limit = MAX_RECORD.saturating_sub(key_size(record)).min(before + left);
            let outcome = write(&mut record.data, &call.hop(), limit);
            call.injected(outcome);
            left -= record.data.as_ref().len() - before;
        }
    }
}

fn finish(output: &Output, call: &mut Call) {
    if let Some(output) = output.downcast_ref::<PutRecordOutput>() {
        sent(call, None, output.shard_id(), output.sequence_number());
    } else if let Some(output) = output.downcast_ref::<PutRecordsOutput>() {
        // The answer has the records in the order of the request.
        for (index, record) in output.records().iter().enumerate() {
            let entry = index.to_string();
            if let (Some(shard), Some(sequence)) = (record.shard_id(), record.sequence_number()) {
                sent(call, Some(&entry), shard, sequence);
            } else if let Some(code) = record.error_code() {
                call.refused(&entry, code, record.error_message().unwrap_or_default());
            }
        }
    }
}

fn sent(call: &mut Call, entry: Option<&str>, shard: &str, sequence: &str) {
    let join = join::kinesis(call.destination().unwrap_or_default(), shard, sequence);
    call.sent(entry, sequence, join);
}

fn describe(call: &mut Call, batch: Option<usize>) {
    call.sends(SYSTEM, batch);
    if let Some(name) = call.destination().map(str::to_owned) {
        call.set("aws.kinesis.stream_name", name);
    }
}

fn key_size(record: &PutRecordsRequestEntry) -> usize {
    record.partition_key.as_deref().map_or(0, str::len)
}

/// Writes a context into the data of a record.
fn write(data: &mut Blob, hop: &Hop, limit: usize) -> Outcome {
    match with_member(data.as_ref(), &hop.carrier, limit) {
        Ok(written) => {
            *data = Blob::new(written);
            Outcome::done(Injected::Body)
        }
        Err(why) => Outcome::skipped(why),
    }
}

#[cfg(all(test, feature = "sqs"))]
mod tests;

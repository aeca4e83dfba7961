//! Firehose: the context as member `_throughline` of records that are JSON objects, only in the streams that the
//! configuration names, because it ends where the records do: in a data lake.

use aws_sdk_firehose::operation::put_record::{PutRecordError, PutRecordInput, PutRecordOutput};
use aws_sdk_firehose::operation::put_record_batch::{
    PutRecordBatchError, PutRecordBatchInput, PutRecordBatchOutput,
};
use aws_sdk_firehose::types::Record;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_types::Blob;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::ErrorMetadata;

use super::call::{Call, Hop};
use super::json::with_member;
use super::limits::room;
use super::outcome::{Injected, Outcome, Skipped};
use super::service::{Service, metadata_of};
use crate::span::SpanKind;

const SYSTEM: &str = "aws.firehose";

/// The most bytes of a record, before Base64
/// (<https://docs.aws.amazon.com/firehose/latest/APIReference/API_Record.html>).
const MAX_RECORD: usize = 1000 * 1024;

/// The most bytes of all records of a request: 4 MiB, of which it is not said whether they are those before Base64
/// or after (<https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html>).
const LIMITS: [usize; 2] = [3 * 1024 * 1024, 4 * 1024 * 1024];

#[derive(Debug)]
pub(super) struct Firehose;

impl Service for Firehose {
    fn name(&self) -> &'static str {
        "Firehose"
    }

    fn kind(&self, operation: &str) -> SpanKind {
        match operation {
            "PutRecord" | "PutRecordBatch" => SpanKind::Producer,
            _ => SpanKind::Client,
        }
    }

    fn destination<'a>(&self, input: &'a Input) -> Option<&'a str> {
        let single = || input.downcast_ref::<PutRecordInput>()?.delivery_stream_name();
        let batch = || input.downcast_ref::<PutRecordBatchInput>()?.delivery_stream_name();
        single().or_else(batch)
    }

    fn inject(&self, input: &mut Input, call: &mut Call, _cfg: &ConfigBag) {
        let streams = &call.scope().invocation().settings().firehose_streams;
        let enabled = call.destination().is_some_and(|stream| streams.contains(stream));
        if let Some(input) = input.downcast_mut::<PutRecordInput>() {
            call.sends(SYSTEM, None);
            if !enabled {
                call.injected(Outcome::skipped(Skipped::NotEnabled));
            } else if let Some(record) = &mut input.record {
                let outcome = write(&mut record.data, &call.hop(), MAX_RECORD);
                call.injected(outcome);
            }
        } else if let Some(input) = input.downcast_mut::<PutRecordBatchInput>() {
            let records = input.records.as_deref_mut().unwrap_or_default();
            call.sends(SYSTEM, Some(records.len()));
            if enabled {
                batch(records, call);
            } else {
                call.injected(Outcome::skipped(Skipped::NotEnabled));
            }
        }
    }

    fn finish(&self, output: &Output, call: &mut Call) {
        if let Some(output) = output.downcast_ref::<PutRecordOutput>() {
            call.identified(None, output.record_id());
        } else if let Some(output) = output.downcast_ref::<PutRecordBatchOutput>() {
            // The answer has the records in the order of the request.
            for (index, result) in output.request_responses().iter().enumerate() {
                let entry = index.to_string();
                if let Some(id) = result.record_id() {
                    call.identified(Some(&entry), id);
                } else if let Some(code) = result.error_code() {
                    call.refused(&entry, code, result.error_message().unwrap_or_default());
                }
            }
        }
    }

    fn metadata<'a>(&self, error: &'a Error) -> Option<&'a ErrorMetadata> {
        metadata_of!(error, PutRecordError, PutRecordBatchError)
    }
}

fn batch(records: &mut [Record], call: &mut Call) {
    let size = |record: &Record| record.data.as_ref().len();
    let mut total: usize = records.iter().map(size).sum();
    for (index, record) in records.iter_mut().enumerate() {
        call.create(index.to_string(), SYSTEM);
        let before = size(record);
        let outcome = write(&mut record.data, &call.hop(), MAX_RECORD.min(before + room(total, &LIMITS)));
        call.injected(outcome);
        total += size(record) - before;
    }
}

/// Writes a context into a record. A newline at its end, by which records are told apart in a file, stays there.
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

//! The calls that would carry the context if the feature of their service were on. They say so: where the interceptor is
//! in the client and makes spans, nobody expects that a transaction ends there.

use super::call::Call;
use super::outcome::{Outcome, Skipped};
use crate::diagnostics::warn_once;
use crate::settings::Settings;

/// The SDK's name of each service, its feature, and the operations that the context goes with.
const FEATURES: &[(&str, &str, &[&str])] = &[
    ("SQS", "sqs", &["SendMessage", "SendMessageBatch"]),
    ("SNS", "sns", &["Publish", "PublishBatch"]),
    ("Kinesis", "kinesis", &["PutRecord", "PutRecords"]),
    ("DynamoDB", "dynamodb", &["PutItem", "UpdateItem", "TransactWriteItems", "BatchWriteItem"]),
    ("EventBridge", "eventbridge", &["PutEvents"]),
    ("Lambda", "lambda", &["Invoke", "InvokeWithResponseStream"]),
    ("SFN", "sfn", &["StartExecution", "StartSyncExecution"]),
    ("Firehose", "firehose", &["PutRecord", "PutRecordBatch"]),
    ("S3", "s3", &["PutObject", "CreateMultipartUpload", "CopyObject"]),
];

/// Says of a call of `service`, of which no feature that is on knows, if the context should have gone with it: on its
/// span, and once in the log.
pub(super) fn missed(service: &str, call: &mut Call) {
    let needed = needed(service, call.operation(), call.scope().invocation().settings());
    if let Some(feature) = needed.filter(|_| !call.is_presigned()) {
        warn_once(&format!(
            "calls of {service} go out without the context: enable the feature '{feature}' of the crate throughline"
        ));
        call.injected(Outcome::skipped(Skipped::FeatureOff));
    }
}

/// The feature that an operation needs for the context to go with it, where the settings want it to.
fn needed(service: &str, operation: &str, settings: &Settings) -> Option<&'static str> {
    let (_, feature, operations) = FEATURES.iter().find(|(known, ..)| *known == service)?;
    let wanted = match *feature {
        "dynamodb" => !settings.tables.is_empty(),
        "firehose" => !settings.firehose_streams.is_empty(),
        "s3" => !settings.buckets.is_empty(),
        _ => true,
    };
    (wanted && operations.contains(&operation)).then_some(feature)
}

#[cfg(test)]
mod tests;

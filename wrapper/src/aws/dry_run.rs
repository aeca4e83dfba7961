//! What becomes of a call in a dry run.

use std::sync::{Mutex, PoisonError};

use aws_smithy_runtime_api::client::interceptors::context::{Input, Output};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_types::config_bag::{Storable, StoreReplace};

use super::call::Call;
use crate::dry_run::{Mark, Refused, Why, for_operation};

/// Messages: they go on, so that every function is reached that they lead to.
const MESSAGES: &[(&str, &[&str])] = &[
    ("SQS", &["SendMessage", "SendMessageBatch"]),
    ("SNS", &["Publish", "PublishBatch"]),
    ("Kinesis", &["PutRecord", "PutRecords"]),
    ("EventBridge", &["PutEvents"]),
    ("Lambda", &["Invoke", "InvokeWithResponseStream"]),
];

/// What the names of operations begin with that only read, in AWS's own way to name them.
const READS: &[&str] = &["BatchGet", "Describe", "Get", "Head", "List", "Query", "Scan", "TransactGet"];

/// The program's own answer, until the SDK has come to the end of the call.
#[derive(Debug)]
pub(super) struct Stubbed(Mutex<Option<Output>>);

impl Storable for Stubbed {
    type Storer = StoreReplace<Self>;
}

impl Stubbed {
    pub(super) fn take(&self) -> Option<Output> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Why a call is not made, of which `call` knows what was written into it; and the program's own answer, if it has one.
pub(super) fn refuse(
    mark: Mark,
    metadata: &Metadata,
    input: &Input,
    call: &mut Call,
) -> Option<(Refused, Option<Stubbed>)> {
    let stub = || (mark == Mark::DryRun && !call.is_presigned()).then(|| for_operation(input)).flatten();
    let (why, stubbed) = match stub() {
        Some(output) => (Why::Writes, Some(Stubbed(Mutex::new(Some(output))))),
        None => (why_not(mark, metadata, call)?, None),
    };
    call.is_kept_back = true;
    let done = if stubbed.is_some() { "throughline.dry_run.stubbed" } else { "throughline.dry_run.refused" };
    call.set(done, true);
    Some((refused(metadata, why), stubbed))
}

/// The refusal of a call.
pub(super) fn refused(metadata: &Metadata, why: Why) -> Refused {
    Refused::new(format!("{}.{}", metadata.service(), metadata.name()), why)
}

/// `None` if the call may be made.
fn why_not(mark: Mark, metadata: &Metadata, call: &Call) -> Option<Why> {
    let (service, operation) = (metadata.service(), metadata.name());
    let rules = &call.scope().invocation().settings().dry_run;
    if rules.refused.has_operation(service, operation) {
        return Some(Why::Listed);
    }
    if rules.allowed.has_operation(service, operation) || reads(operation) {
        return None;
    }
    if mark == Mark::Mixed {
        return Some(Why::Mixed);
    }
    let is_message = MESSAGES.iter().any(|(known, names)| *known == service && names.contains(&operation));
    match is_message {
        true if call.carried == Some(true) => None,
        true => Some(Why::Unmarked),
        false if call.is_presigned() => Some(Why::Presigned),
        false => Some(Why::Writes),
    }
}

/// Whether an operation is named as one that reads.
fn reads(operation: &str) -> bool {
    READS.iter().any(|verb| {
        let rest = operation.strip_prefix(verb);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_uppercase()))
    })
}

#[cfg(all(test, feature = "full"))]
mod tests;

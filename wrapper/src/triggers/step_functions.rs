//! A task of Step Functions: its input may name the execution, and then all tasks of that are of one trace.
//!
//! `StartExecution` can't hand a context on in the input (the input is never touched), so that tasks whose input has
//! none begin a trace. Its id is made of the execution's ARN: the first 128 bits of its SHA-256, the first bit of
//! each half cleared, as Datadog makes it
//! (<https://github.com/DataDog/datadog-lambda-python/blob/main/datadog_lambda/tracing.py>).
//!
//! Input names the execution where the state machine's author writes so, by one of these conventions:
//! `Execution.Id` of the context object, at the top level, in `_datadog` or in `Payload` (what Datadog asks for);
//! `AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID` (what AWS asks for in nested executions); `ExecutionArn`.

use std::borrow::Cow;

use memchr::memmem;
use opentelemetry::trace::TraceId;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use sha2::{Digest as _, Sha256};

use super::json::{self, Part, shape};
use crate::propagation::join;
use crate::span::attribute;

/// The longest ARN that is read, in bytes.
const MAX_ARN: usize = 2 * 1024;

/// The execution that a task belongs to.
#[derive(Debug)]
pub(super) struct Execution {
    arn: String,
    /// The execution that began it all, which gives the trace its id.
    root: String,
    state: Option<String>,
}

impl Execution {
    /// The execution that an input names.
    pub(super) fn of(input: &str) -> Option<Self> {
        memmem::find(input.as_bytes(), b":states:")?;
        let input: Input<'_> = json::object(input)?;
        // Where Lambda's optimized integration wraps the input, it stands in `Payload`.
        input.execution().or_else(|| input.payload.object::<Input<'_>>()?.execution())
    }

    pub(super) fn trace(&self) -> TraceId {
        let hash = Sha256::digest(self.root.as_bytes());
        let half = |at: usize| {
            let bytes = hash.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
            (u64::from_be_bytes(bytes) & (u64::MAX >> 1)).max(1)
        };
        TraceId::from_bytes((u128::from(half(0)) << 64 | u128::from(half(8))).to_be_bytes())
    }

    pub(super) fn join(&self) -> String {
        join::step_functions(&self.arn)
    }

    pub(super) fn source(&self) -> String {
        format!("step functions {}", machine(&self.arn).unwrap_or("unknown"))
    }

    pub(super) fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = vec![attribute("throughline.step_functions.execution", self.arn.as_str())];
        let state = self.state.as_deref();
        attributes.extend(state.map(|state| attribute("throughline.step_functions.state", state)));
        attributes
    }
}

shape! {
    struct Input {
        datadog: "_datadog",
        execution: "Execution",
        execution_arn: "ExecutionArn",
        payload: "Payload",
        root_execution_id: "RootExecutionId",
        started_by: "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID",
        state: "State",
    }
}

shape! {
    /// A part of the context object
    /// (<https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html>).
    struct Named {
        id: "Id",
        name: "Name",
    }
}

impl Input<'_> {
    fn execution(&self) -> Option<Execution> {
        let of_datadog = || self.datadog.object::<Input<'_>>()?.context();
        of_datadog().or_else(|| self.context()).or_else(|| {
            let arn = arn(self.execution_arn).or_else(|| arn(self.started_by))?.into_owned();
            Some(Execution { root: arn.clone(), arn, state: None })
        })
    }

    fn context(&self) -> Option<Execution> {
        let arn_of = |part: Part<'_>| arn(part).map(Cow::into_owned);
        let arn = arn_of(self.execution.object::<Named<'_>>()?.id)?;
        let state = self.state.object::<Named<'_>>().and_then(|state| state.name.header().map(Into::into));
        Some(Execution { root: arn_of(self.root_execution_id).unwrap_or_else(|| arn.clone()), arn, state })
    }
}

/// The ARN of an execution.
fn arn(part: Part<'_>) -> Option<Cow<'_, str>> {
    part.header().filter(|arn| arn.len() <= MAX_ARN && machine(arn).is_some())
}

/// The state machine in `arn:<partition>:states:<region>:<account>:execution:<machine>:<name>`, and in
/// `…:express:<machine>:<name>:<id>`.
fn machine(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    let is_arn = parts.next() == Some("arn") && parts.nth(1) == Some("states");
    let is_execution = ["execution", "express"].contains(&parts.nth(2)?);
    let machine = parts.next().filter(|name| !name.is_empty())?;
    (is_arn && is_execution && parts.next().is_some()).then_some(machine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_arn_of_an_execution_is_one() {
        let ok = "arn:aws:states:eu-west-1:111122223333:execution:orders:42";
        assert_eq!(machine(ok), Some("orders"));
        assert_eq!(machine("arn:aws-cn:states:cn-north-1:1:express:orders:42:7"), Some("orders"));
        for wrong in [
            "",
            "orders",
            "arn:aws:states:eu-west-1:111122223333:stateMachine:orders",
            "arn:aws:states:eu-west-1:111122223333:execution:orders",
            "arn:aws:states:eu-west-1:111122223333:execution::42",
            "arn:aws:sqs:eu-west-1:111122223333:execution:orders:42",
        ] {
            assert_eq!(machine(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_trace_id_is_datadogs() {
        // Computed with `_generate_sfn_trace_id` of datadog-lambda-python.
        let arn = "arn:aws:states:eu-west-1:111122223333:execution:orders:42".to_owned();
        let execution = Execution { root: arn.clone(), arn, state: None };
        assert_eq!(execution.trace().to_string(), "3024f79669fd367e34854d8d8a8296e3");
    }
}

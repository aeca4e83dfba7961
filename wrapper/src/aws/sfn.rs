//! Step Functions: the context as `traceHeader` of an execution.
//!
//! The input is never touched: an execution of a known name with another input is an error
//! (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>).

use aws_sdk_sfn::operation::create_state_machine::CreateStateMachineError;
use aws_sdk_sfn::operation::describe_activity::DescribeActivityInput;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionError;
use aws_sdk_sfn::operation::describe_state_machine::{DescribeStateMachineError, DescribeStateMachineInput};
use aws_sdk_sfn::operation::get_activity_task::{GetActivityTaskError, GetActivityTaskInput};
use aws_sdk_sfn::operation::list_executions::{ListExecutionsError, ListExecutionsInput};
use aws_sdk_sfn::operation::send_task_failure::SendTaskFailureError;
use aws_sdk_sfn::operation::send_task_heartbeat::SendTaskHeartbeatError;
use aws_sdk_sfn::operation::send_task_success::SendTaskSuccessError;
use aws_sdk_sfn::operation::start_execution::{
    StartExecutionError, StartExecutionInput, StartExecutionOutput,
};
use aws_sdk_sfn::operation::start_sync_execution::{
    StartSyncExecutionError, StartSyncExecutionInput, StartSyncExecutionOutput,
};
use aws_sdk_sfn::operation::stop_execution::StopExecutionError;
use aws_sdk_sfn::types::SyncExecutionStatus;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::ErrorMetadata;

use super::call::Call;
use super::outcome::{Injected, Outcome, Skipped};
use super::service::{Service, metadata_of};
use crate::propagation::join;

/// The longest `traceHeader`, of ASCII characters.
const MAX_HEADER: usize = 256;

#[derive(Debug)]
pub(super) struct StepFunctions;

impl Service for StepFunctions {
    fn name(&self) -> &'static str {
        "SFN"
    }

    fn inject(&self, input: &mut Input, call: &mut Call, _cfg: &ConfigBag) {
        if let Some(arn) = state_machine(input) {
            call.set("aws.step_functions.state_machine.arn", arn);
        }
        if let Some(arn) = activity(input) {
            call.set("aws.step_functions.activity.arn", arn);
        }
        if let Some(input) = input.downcast_mut::<StartExecutionInput>() {
            write(&mut input.trace_header, call);
        } else if let Some(input) = input.downcast_mut::<StartSyncExecutionInput>() {
            write(&mut input.trace_header, call);
        }
    }

    fn finish(&self, output: &Output, call: &mut Call) {
        if let Some(output) = output.downcast_ref::<StartExecutionOutput>() {
            call.join(vec![join::step_functions(output.execution_arn())]);
        }
        let Some(output) = output.downcast_ref::<StartSyncExecutionOutput>() else { return };
        call.join(vec![join::step_functions(output.execution_arn())]);
        // The call succeeds whatever became of the execution. Its cause may hold what the program works on.
        match output.status() {
            SyncExecutionStatus::Failed => {
                call.fail(output.error().unwrap_or("_OTHER"), "the execution failed");
            }
            SyncExecutionStatus::TimedOut => call.fail("timeout", "the execution timed out"),
            _ => {}
        }
    }

    fn metadata<'a>(&self, error: &'a Error) -> Option<&'a ErrorMetadata> {
        metadata_of!(
            error,
            StartExecutionError,
            StartSyncExecutionError,
            StopExecutionError,
            DescribeExecutionError,
            ListExecutionsError,
            SendTaskSuccessError,
            SendTaskFailureError,
            SendTaskHeartbeatError,
            GetActivityTaskError,
            CreateStateMachineError,
            DescribeStateMachineError,
        )
    }
}

fn state_machine(input: &Input) -> Option<&str> {
    None.or_else(|| input.downcast_ref::<StartExecutionInput>()?.state_machine_arn())
        .or_else(|| input.downcast_ref::<StartSyncExecutionInput>()?.state_machine_arn())
        .or_else(|| input.downcast_ref::<DescribeStateMachineInput>()?.state_machine_arn())
        .or_else(|| input.downcast_ref::<ListExecutionsInput>()?.state_machine_arn())
}

fn activity(input: &Input) -> Option<&str> {
    None.or_else(|| input.downcast_ref::<GetActivityTaskInput>()?.activity_arn())
        .or_else(|| input.downcast_ref::<DescribeActivityInput>()?.activity_arn())
}

fn write(header: &mut Option<String>, call: &mut Call) {
    let xray = call.hop().xray;
    let outcome = if header.is_some() {
        // A header of the request would win over it.
        call.leave_header();
        Outcome::skipped(Skipped::CallerSet)
    } else if xray.len() > MAX_HEADER || !xray.is_ascii() {
        Outcome { injected: Injected::Header, skipped: Some(Skipped::TooLarge) }
    } else {
        *header = Some(xray);
        Outcome::done(Injected::Header)
    };
    call.injected(outcome);
}

#[cfg(all(test, feature = "sqs"))]
mod tests;

//! Lambda: the context of a synchronous invoke in its `ClientContext`, of an asynchronous one, where AWS drops that,
//! as member `_throughline` of the payload; and both ways in the X-Ray header.

mod client_context;

use aws_sdk_lambda::operation::invoke::{InvokeError, InvokeInput, InvokeOutput};
use aws_sdk_lambda::operation::invoke_with_response_stream::{
    InvokeWithResponseStreamError, InvokeWithResponseStreamInput, InvokeWithResponseStreamOutput,
};
use aws_sdk_lambda::types::{InvocationType, ResponseStreamingInvocationType};
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_types::Blob;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::ErrorMetadata;
use aws_types::region::Region;

use super::call::Call;
use super::json::with_member;
use super::limits::room;
use super::outcome::{Injected, Outcome, Skipped};
use super::service::{Service, metadata_of};
use crate::propagation::join;

/// The most bytes of the payload of an asynchronous invoke: 256 KB until October 2025, since then 1 MB
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>).
const LIMITS: [usize; 2] = [256 * 1024, 1024 * 1024];

#[derive(Debug)]
pub(super) struct Lambda;

impl Service for Lambda {
    fn name(&self) -> &'static str {
        "Lambda"
    }

    fn inject(&self, input: &mut Input, call: &mut Call, cfg: &ConfigBag) {
        if let Some(input) = input.downcast_mut::<InvokeInput>() {
            describe(call, input.function_name(), cfg);
            let outcome = match input.invocation_type() {
                None | Some(InvocationType::RequestResponse) => sync(&mut input.client_context, call),
                Some(InvocationType::Event) => event(input, call),
                // Nothing runs.
                _ => return,
            };
            call.injected(outcome);
        } else if let Some(input) = input.downcast_mut::<InvokeWithResponseStreamInput>() {
            describe(call, input.function_name(), cfg);
            if matches!(
                input.invocation_type(),
                None | Some(ResponseStreamingInvocationType::RequestResponse)
            ) {
                let outcome = sync(&mut input.client_context, call);
                call.injected(outcome);
            }
        }
    }

    fn finish(&self, output: &Output, call: &mut Call) {
        let streamed = output.downcast_ref::<InvokeWithResponseStreamOutput>().is_some();
        let invoked = output.downcast_ref::<InvokeOutput>();
        // The answer's request id is that of the invocation. A dry run, answered by 204, has none.
        let runs = streamed || invoked.is_some_and(|output| output.status_code() != 204);
        if let Some(join) = call.request_id().filter(|_| runs).map(join::lambda) {
            call.join(vec![join]);
        }
        // The call succeeds whatever became of the function. What it says of its error is the payload, which is
        // not ours to record; in a stream it comes after the call.
        if let Some(error) = invoked.and_then(InvokeOutput::function_error) {
            call.fail(error, "the function failed");
        }
    }

    fn metadata<'a>(&self, error: &'a Error) -> Option<&'a ErrorMetadata> {
        metadata_of!(error, InvokeError, InvokeWithResponseStreamError)
    }
}

/// The attributes of an outgoing invocation
/// (<https://opentelemetry.io/docs/specs/semconv/faas/faas-spans/#outgoing-invocations>).
fn describe(call: &mut Call, function: Option<&str>, cfg: &ConfigBag) {
    let Some(function) = function else { return };
    let (region, name) = parts(function);
    call.set("faas.invoked_name", name);
    call.set("faas.invoked_provider", "aws");
    if let Some(region) = region.or_else(|| cfg.load::<Region>().map(Region::as_ref)) {
        call.set("faas.invoked_region", region);
    }
}

/// The region, if it says one, and the name of a function that is given as a name or as a whole or partial ARN,
/// with or without a version or an alias.
fn parts(function: &str) -> (Option<&str>, &str) {
    let (before, name) = function.split_once(":function:").unwrap_or(("", function));
    let region = before.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2));
    (region.filter(|region| !region.is_empty()), name.split(':').next().unwrap_or(name))
}

fn sync(own: &mut Option<String>, call: &Call) -> Outcome {
    match client_context::with_context(own.as_deref(), &call.hop().carrier) {
        Ok((written, skipped)) => {
            *own = Some(written);
            Outcome { injected: Injected::Attributes, skipped }
        }
        Err(why) => header_alone(why),
    }
}

fn event(input: &mut InvokeInput, call: &Call) -> Outcome {
    // A durable execution of a known name with another payload is an error.
    if input.durable_execution_name().is_some() {
        return header_alone(Skipped::Idempotent);
    }
    let payload = input.payload().map(Blob::as_ref).unwrap_or_default();
    let limit = payload.len() + room(payload.len(), &LIMITS);
    match with_member(payload, &call.hop().carrier, limit) {
        Ok(written) => {
            input.payload = Some(Blob::new(written));
            Outcome::done(Injected::Body)
        }
        Err(why) => header_alone(why),
    }
}

/// The X-Ray header of the request reaches the function in any case.
const fn header_alone(why: Skipped) -> Outcome {
    Outcome { injected: Injected::Header, skipped: Some(why) }
}

#[cfg(all(test, feature = "sqs"))]
mod tests;

//! AWS SDK clients: one interceptor for all services.
//!
//! [`interceptor`] makes a span of every call that is made inside an invocation, and writes the context into
//! what is sent, so that the next function goes on with the same transaction:
//!
//! | feature | calls | where the context goes |
//! |---|---|---|
//! | `sqs` | `SendMessage`, `SendMessageBatch` | message attributes, system attribute `AWSTraceHeader` |
//! | `sns` | `Publish`, `PublishBatch` to topics | message attributes |
//! | `kinesis` | `PutRecord`, `PutRecords` | member `_throughline` of data that is a JSON object |
//! | `dynamodb` | `PutItem`, `UpdateItem`, `TransactWriteItems`, `BatchWriteItem` | attribute `_throughline` of items of the tables in `THROUGHLINE_DYNAMODB_TABLES` |
//! | `eventbridge` | `PutEvents` | member `_throughline` of `detail`; `TraceHeader` |
//! | `lambda` | `Invoke`, `InvokeWithResponseStream`, synchronous | `custom` of `ClientContext` |
//! | `lambda` | `Invoke`, asynchronous | member `_throughline` of a payload that is a JSON object |
//! | `sfn` | `StartExecution`, `StartSyncExecution` | `traceHeader`; never the input |
//! | `firehose` | `PutRecord`, `PutRecordBatch` | member `_throughline` of records that are JSON objects, in the streams in `THROUGHLINE_FIREHOSE_STREAMS` |
//! | `s3` | `PutObject`, `CreateMultipartUpload`, `CopyObject` with the caller's metadata | user metadata `traceparent` of objects in the buckets in `THROUGHLINE_S3_BUCKETS` |
//!
//! The three settings are names with commas between them, or `*` for all; unset is none.
//!
//! Each message of a batch carries a context of its own. Calls of other services, or of services whose feature
//! is off, get a span and the X-Ray header alone. Reads from DynamoDB don't show `_throughline`. A presigned request
//! is for somebody else to send: nothing is added to it.
//!
//! A context that the caller put into a message stays. Where there is no room (ten attributes, the size of a
//! message), parts are left out: of attributes and of `ClientContext` first the baggage, then `tracestate`, then all.
//! Two attributes of the span say what was done:
//!
//! | `throughline.injected` | the context is in |
//! |---|---|
//! | `attributes` | attributes of the message or item, `custom` of a `ClientContext`, metadata of the object |
//! | `body` | member `_throughline` |
//! | `header` | the X-Ray header that the service hands on, alone |
//! | `none` | nothing |
//!
//! | `throughline.inject.skipped` | why it, or a part, is not there |
//! |---|---|
//! | `attributes-full` | the message would have more than ten attributes |
//! | `too-large` | the message, or the whole request, would be |
//! | `not-json-object` | the body is none, or the `ClientContext` isn't of the shape that `lambda_runtime` reads |
//! | `idempotent` | the caller's token or name stands for this very request |
//! | `presigned` | somebody else sends the request |
//! | `caller-set` | there is a context of the caller's |
//! | `not-enabled` | the setting doesn't name the table, stream or bucket; a copy keeps its metadata; an SMS or a push notification |
//! | `no-expression` | an update in DynamoDB's old form, which can't be mixed with expressions |
//!
//! Ids that AWS gives back are in `throughline.join.out`, and join where no context could travel.
//! `throughline.throttled` counts the attempts that a service refused because there were too many. An error of a
//! function whose answer streams comes after the call, so it isn't on the call's span.
//!
//! A message that was under 256 KiB or 1 MiB, the limits of most queues and topics, is under it afterwards. Another
//! `MaximumMessageSize` of a queue, from 1 KiB on, the interceptor doesn't know: a message just under it becomes
//! too large, and SQS refuses it. Send to such a queue with as much room as the attributes may take
//! (72 bytes of `traceparent`, up to 1 KiB of baggage, the `tracestate` that came in), or with a client that has
//! no interceptor.
//!
//! The interceptor itself never fails a call: outside an invocation, with `THROUGHLINE_ENABLED=false` and whenever
//! something goes wrong in it, the call goes out as the caller made it.
//!
//! # Example
//!
//! ```
//! # #[cfg(feature = "sqs")] {
//! use aws_sdk_sqs::config::{BehaviorVersion, Builder, Intercept as _};
//!
//! // In a function: Builder::from(&aws_config::load_defaults(BehaviorVersion::latest()).await)
//! let config = Builder::new()
//!     .behavior_version(BehaviorVersion::latest())
//!     .interceptor(throughline::aws::interceptor())
//!     .build();
//! assert!(config.interceptors().any(|known| known.name() == "Throughline"));
//! # }
//! ```

#[cfg(any(feature = "sqs", feature = "sns"))]
mod attributes;
// One service uses a part of it, all of them use all.
#[cfg_attr(not(feature = "full"), allow(dead_code))]
mod call;
#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(feature = "eventbridge")]
mod eventbridge;
mod failure;
#[cfg(feature = "firehose")]
mod firehose;
#[cfg(any(feature = "kinesis", feature = "eventbridge", feature = "lambda", feature = "firehose"))]
mod json;
#[cfg(feature = "kinesis")]
mod kinesis;
#[cfg(feature = "lambda")]
mod lambda;
#[cfg_attr(not(feature = "full"), allow(dead_code))]
mod limits;
#[cfg(feature = "s3")]
mod s3;
mod service;
#[cfg(feature = "sfn")]
mod sfn;
#[cfg(feature = "sns")]
mod sns;
#[cfg(feature = "sqs")]
mod sqs;
// The tests of every service borrow a type or two from the SDK of this one.
#[cfg(all(test, feature = "sqs"))]
mod testing;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextMut, BeforeSerializationInterceptorContextRef,
    BeforeTransmitInterceptorContextMut, FinalizerInterceptorContextMut, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use self::call::Call;
use crate::diagnostics::warn_once;
use crate::scope::Scope;

/// Name of the header that X-Ray reads on requests to AWS.
const XRAY_HEADER: &str = "x-amzn-trace-id";

/// The interceptor for the configuration of any AWS SDK client.
pub fn interceptor() -> Interceptor {
    Interceptor::default()
}

/// Makes a span of each call of an AWS SDK client and sends the context along; see the
/// [module's documentation](self).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Interceptor {
    /// Makes every hook panic.
    #[cfg(all(test, feature = "sqs"))]
    broken: bool,
}

/// The call while it runs, in the SDK's own bag: it is dropped, and so ended, with it.
#[derive(Debug)]
struct Running(Mutex<Option<Call>>);

impl Storable for Running {
    type Storer = StoreReplace<Self>;
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Option<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The caller itself made the request idempotent: not a byte of it may change.
#[derive(Debug)]
struct Idempotent;

impl Storable for Idempotent {
    type Storer = StoreReplace<Self>;
}

impl Interceptor {
    /// Runs a hook so that nothing of it reaches the caller.
    fn guarded(&self, hook: impl FnOnce()) -> Result<(), BoxError> {
        let hook = || {
            #[cfg(all(test, feature = "sqs"))]
            assert!(!self.broken, "broken on purpose");
            hook();
        };
        // The state behind the hook is either put back whole or not at all, and is given up after a panic.
        if catch_unwind(AssertUnwindSafe(hook)).is_err() {
            warn_once("the AWS SDK interceptor panicked: calls go on without it");
        }
        Ok(())
    }
}

impl Intercept for Interceptor {
    fn name(&self) -> &'static str {
        "Throughline"
    }

    fn read_before_execution(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.guarded(|| {
            // Asked here: later the SDK itself may have filled in a token.
            if service::is_idempotent(context.input()) {
                cfg.interceptor_state().store_put(Idempotent);
            }
        })
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.guarded(|| {
            let Some(scope) = Scope::current().filter(|scope| scope.invocation().settings().enabled) else {
                return;
            };
            // A client that was given two of these interceptors still makes one call.
            if cfg.load::<Running>().is_some() {
                return;
            }
            let Some(metadata) = cfg.load::<Metadata>() else { return };
            let mut call = Call::start(scope, metadata, context.input(), cfg, is_presigned(components));
            if let Some(service) = call.service() {
                service.inject(context.input_mut(), &mut call, cfg);
            }
            cfg.interceptor_state().store_put(Running(Mutex::new(Some(call))));
        })
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.guarded(|| {
            let Some(running) = cfg.load::<Running>() else { return };
            let mut running = running.lock();
            let Some(call) = running.as_mut() else { return };
            call.addressed(context.request().uri());
            if let Some(service) = call.service() {
                service.sign(context.request_mut().headers_mut(), call);
            }
            if let Some(header) = call.xray() {
                // A value that is no header's leaves what the SDK itself put there.
                let _ = context.request_mut().headers_mut().try_insert(XRAY_HEADER, header);
            }
        })
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.guarded(|| {
            let Some(Err(error)) = context.output_or_error() else { return };
            let Some(running) = cfg.load::<Running>() else { return };
            if let Some(call) = running.lock().as_mut().filter(|call| failure::is_throttle(error, call)) {
                call.throttled();
            }
        })
    }

    fn modify_before_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.guarded(|| {
            let service = service::of(cfg.load::<Metadata>());
            if let (Some(service), Some(result)) = (service, context.output_or_error_mut()) {
                service.strip(result);
            }
        })
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.guarded(|| {
            let running = cfg.load::<Running>();
            let Some(mut call) = running.and_then(|running| running.lock().take()) else { return };
            call.answered(context.response(), cfg);
            match context.output_or_error() {
                Some(Ok(output)) => {
                    if let Some(service) = call.service() {
                        service.finish(output, &mut call);
                    }
                }
                Some(Err(error)) => failure::record(error, &mut call),
                None => {}
            }
        })
    }
}

/// Whether the request is only signed, for somebody else to send: the SDK then has an interceptor of this name.
fn is_presigned(components: &RuntimeComponents) -> bool {
    components.interceptors().any(|known| known.name() == "SigV4PresigningInterceptor")
}

#[cfg(all(test, feature = "full"))]
mod table_tests;
#[cfg(all(test, feature = "sqs"))]
mod tests;

//! The hooks that the SDK calls: a call of ours runs beside each of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextMut, BeforeSerializationInterceptorContextRef,
    BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextMut,
    FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use super::call::Call;
use super::dry_run::{self, Stubbed};
use super::{failure, features, service};
use crate::diagnostics::warn_once;
use crate::dry_run::Why;
use crate::scope::Scope;

/// Name of the header that X-Ray reads on requests to AWS.
pub(super) const XRAY_HEADER: &str = "x-amzn-trace-id";

/// The interceptor for the configuration of any AWS SDK client.
pub fn interceptor() -> Interceptor {
    Interceptor::default()
}

/// Makes a span of each call of an AWS SDK client and sends the context along; see the
/// [module's documentation](super).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Interceptor {
    /// Makes every hook panic.
    #[cfg(all(test, feature = "sqs"))]
    pub(super) broken: bool,
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
pub(super) struct Idempotent;

impl Storable for Idempotent {
    type Storer = StoreReplace<Self>;
}

impl Interceptor {
    /// Runs a hook so that nothing of it reaches the caller.
    fn guarded(&self, hook: impl FnOnce()) -> Result<(), BoxError> {
        self.attempted(hook);
        Ok(())
    }

    /// The same of a hook that gives something; `None` if it panicked.
    fn attempted<T>(&self, hook: impl FnOnce() -> T) -> Option<T> {
        let hook = || {
            #[cfg(all(test, feature = "sqs"))]
            assert!(!self.broken, "broken on purpose");
            hook()
        };
        // The state behind the hook is either put back whole or not at all, and is given up after a panic.
        let done = catch_unwind(AssertUnwindSafe(hook));
        done.inspect_err(|_| warn_once("the AWS SDK interceptor panicked: calls go on without it")).ok()
    }
}

// Without it the SDK asks at each of its nineteen hooks whether this interceptor was disabled.
#[dyn_dispatch_hint]
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
        let scope = Scope::of_call().filter(|scope| scope.invocation().settings().enabled);
        let (Some(scope), Some(metadata)) = (scope, cfg.load::<Metadata>().cloned()) else { return Ok(()) };
        let mark = scope.dry_run();
        let kept_back = self.attempted(|| {
            // A client that was given two of these interceptors still makes one call.
            if cfg.load::<Running>().is_some() {
                return None;
            }
            let metadata = &metadata;
            let mut call = Call::start(scope, metadata, context.input(), cfg, is_presigned(components));
            match call.service() {
                Some(service) => service.inject(context.input_mut(), &mut call, cfg),
                None => features::missed(metadata.service(), &mut call),
            }
            let refused = mark.and_then(|mark| dry_run::refuse(mark, metadata, context.input(), &mut call));
            call.write_down();
            cfg.interceptor_state().store_put(Running(Mutex::new(Some(call))));
            let (refused, stubbed) = refused?;
            if let Some(stubbed) = stubbed {
                cfg.interceptor_state().store_put(stubbed);
            }
            Some(refused)
        });
        // What nobody can tell of is not sent for real either.
        let kept_back = kept_back.unwrap_or_else(|| mark.map(|_| dry_run::refused(&metadata, Why::Writes)));
        kept_back.map_or(Ok(()), |refused| Err(refused.into()))
    }

    fn read_after_serialization(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.guarded(|| {
            let Some(running) = cfg.load::<Running>() else { return };
            if let Some(call) = running.lock().as_mut() {
                call.serialized(context.request(), cfg);
            }
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
            // The call was stopped by an error of ours, before anything was sent, and ends with the program's own answer.
            let stubbed = cfg.load::<Stubbed>().and_then(Stubbed::take);
            if let (Some(stubbed), Some(result)) = (stubbed, context.output_or_error_mut()) {
                *result = Ok(stubbed);
            }
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
            if call.is_kept_back {
                return;
            }
            call.answered(context.response(), cfg);
            match context.output_or_error() {
                Some(Ok(output)) => {
                    if let Some(service) = call.service() {
                        service.finish(output, &mut call);
                    }
                    call.succeeded();
                }
                Some(Err(error)) => failure::record(error, &mut call),
                None => {}
            }
            call.tell_bodies(context.response(), cfg);
        })
    }
}

/// Whether the request is only signed, for somebody else to send: the SDK then has an interceptor of this name.
fn is_presigned(components: &RuntimeComponents) -> bool {
    components.interceptors().any(|known| known.name() == "SigV4PresigningInterceptor")
}

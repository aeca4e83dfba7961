//! The inner layer: what the handler did.

use std::any::Any;
use std::cell::Cell;
use std::fmt::{self, Debug, Display};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lambda_runtime::{Diagnostic, FunctionResponse, IntoFunctionResponse, LambdaEvent, StreamResponse};
use tower::Service;

use super::{ObservedResponse, ObservedStream};
use crate::diagnostics::{causes, written};
use crate::dry_run::Refusal;
use crate::invocation::Invocation;
use crate::panics;
use crate::scope::Scope;
use crate::span::Failure;

thread_local! {
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a [`Handler`] is among those that `poll_ready` asks. A service asks the one that it wraps, and so on.
pub(super) fn is_asked<T>(poll_ready: impl FnOnce() -> T) -> (bool, T) {
    ASKED.set(false);
    let ready = poll_ready();
    (ASKED.get(), ready)
}

/// Wraps a handler, for programs that build their `lambda_runtime::Runtime` themselves.
///
/// It needs [`InvocationLayer`](super::InvocationLayer) round it; without that layer it does nothing. That layer without
/// this traces invocations, but not what the handler answered, and says so in the log.
///
/// ```no_run
/// use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
/// use serde_json::Value;
///
/// async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
///     Ok(event.payload)
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Error> {
///     let handler = throughline::handler(service_fn(echo));
///     Runtime::new(handler).layer(throughline::InvocationLayer::new()).run().await
/// }
/// ```
pub fn handler<H, B, S>(handler: H) -> Handler<H, B, S> {
    Handler { handler, response: PhantomData }
}

/// A handler whose result, error or panic ends up on the invocation span. Made by [`handler`].
pub struct Handler<H, B, S> {
    handler: H,
    response: PhantomData<fn() -> (B, S)>,
}

impl<H: Clone, B, S> Clone for Handler<H, B, S> {
    fn clone(&self) -> Self {
        handler(self.handler.clone())
    }
}

impl<H, B, S> Debug for Handler<H, B, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").finish_non_exhaustive()
    }
}

impl<A, H, B, S> Service<LambdaEvent<A>> for Handler<H, B, S>
where
    H: Service<LambdaEvent<A>>,
    H::Response: IntoFunctionResponse<B, S>,
    H::Error: Into<Diagnostic> + Debug + 'static,
{
    type Response = FunctionResponse<ObservedResponse<B>, ObservedStream<S>>;
    type Error = HandlerError;
    type Future = HandlerFuture<H::Future, B, S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        ASKED.set(true);
        self.handler.poll_ready(cx).map_err(|error| HandlerError(error.into()))
    }

    fn call(&mut self, event: LambdaEvent<A>) -> Self::Future {
        let scope = Scope::current();
        let invocation = scope.as_ref().map(|scope| scope.invocation().as_ref());
        if let Some(invocation) = invocation {
            invocation.reach(code_name(std::any::type_name::<H>()));
        }
        if let Some(refusal) = invocation.and_then(Invocation::refusal) {
            let work = Work::Refused(refuse(invocation, refusal));
            return HandlerFuture { work, scope, response: PhantomData };
        }
        // Boxed, so that wrapping a handler doesn't add to the depth of its future's type, which the compiler limits.
        let work = Work::Handler(Box::pin(observe_panic(invocation, || self.handler.call(event))));
        HandlerFuture { work, scope, response: PhantomData }
    }
}

/// What a [`Handler`] failed with: what Lambda is told of it. The runtime writes it into the log as it is debugged: for people.
pub struct HandlerError(Diagnostic);

impl Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.error_type, self.0.error_message)
    }
}

impl Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl std::error::Error for HandlerError {}

impl From<HandlerError> for Diagnostic {
    fn from(error: HandlerError) -> Self {
        error.0
    }
}

/// The future of [`Handler`].
pub struct HandlerFuture<F, B, S> {
    work: Work<F>,
    scope: Option<Scope>,
    response: PhantomData<fn() -> (B, S)>,
}

enum Work<F> {
    Handler(Pin<Box<F>>),
    /// The handler is not called. Why, taken when it is said; `None` if all is done as it is.
    Refused(Option<Diagnostic>),
}

impl<F, B, S> Debug for HandlerFuture<F, B, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerFuture").finish_non_exhaustive()
    }
}

impl<F, B, S, R, E> Future for HandlerFuture<F, B, S>
where
    F: Future<Output = Result<R, E>>,
    R: IntoFunctionResponse<B, S>,
    E: Into<Diagnostic> + Debug + 'static,
{
    type Output = Result<FunctionResponse<ObservedResponse<B>, ObservedStream<S>>, HandlerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let invocation = this.scope.as_ref().map(|scope| scope.invocation().as_ref());
        let future = match &mut this.work {
            Work::Handler(future) => future.as_mut(),
            Work::Refused(refusal) => {
                return Poll::Ready(match refusal.take() {
                    Some(refusal) => Err(HandlerError(refusal)),
                    None => Ok(FunctionResponse::BufferedResponse(ObservedResponse::done(this.scope.take()))),
                });
            }
        };
        let result = ready!(observe_panic(invocation, || future.poll(cx)));
        Poll::Ready(match result {
            Ok(response) => Ok(observe(response.into_response(), this.scope.take())),
            Err(error) => {
                let told = Told::of(&error);
                // The runtime would make the same diagnostic of it: what Lambda gets is unchanged.
                let diagnostic: Diagnostic = observe_panic(invocation, || error.into());
                fail(invocation, told.of_diagnostic(&diagnostic));
                Err(HandlerError(diagnostic))
            }
        })
    }
}

/// Tells of a refusal; what Lambda is told of it.
fn refuse(invocation: Option<&Invocation>, refusal: &Refusal) -> Option<Diagnostic> {
    if refusal.is_done {
        if let Some(invocation) = invocation {
            invocation.with_span(|span| span.set("throughline.dry_run.refused", true));
        }
        return None;
    }
    let Refusal { error_type, message, .. } = refusal;
    fail(invocation, Failure::new(error_type, message));
    Some(Diagnostic { error_type: (*error_type).to_owned(), error_message: message.clone() })
}

fn observe<B, S>(
    response: FunctionResponse<B, S>,
    scope: Option<Scope>,
) -> FunctionResponse<ObservedResponse<B>, ObservedStream<S>> {
    match response {
        FunctionResponse::BufferedResponse(body) => {
            FunctionResponse::BufferedResponse(ObservedResponse::new(body, scope))
        }
        FunctionResponse::StreamingResponse(response) => {
            if let Some(scope) = &scope {
                scope.invocation().answer_status(response.metadata_prelude.status_code.as_u16());
            }
            FunctionResponse::StreamingResponse(StreamResponse {
                metadata_prelude: response.metadata_prelude,
                stream: ObservedStream::new(response.stream, scope),
            })
        }
    }
}

/// The path of the function that a handler's type was made of: `ServiceFn<shop::checkout>` is `shop::checkout`.
fn code_name(handler: &str) -> &str {
    const WRAPPER: &str = "ServiceFn<";
    let Some(begin) = handler.find(WRAPPER).map(|at| at + WRAPPER.len()) else { return handler };
    let inner = &handler[begin..];
    let mut depth = 0_usize;
    let end = inner.char_indices().find(|&(_, c)| match c {
        '<' => {
            depth += 1;
            false
        }
        '>' if depth > 0 => {
            depth -= 1;
            false
        }
        '>' | ',' => depth == 0,
        _ => false,
    });
    inner.get(..end.map_or(inner.len(), |(at, _)| at)).unwrap_or(handler)
}

/// What an error says that its diagnostic does not.
struct Told {
    /// Itself and its causes.
    message: Option<String>,
    stacktrace: Option<String>,
}

impl Told {
    fn of<E: Debug + 'static>(error: &E) -> Self {
        /// Reports that write all causes, and where they began, when they are debugged.
        const REPORTS: [&str; 3] = ["anyhow::Error", "eyre::Report", "miette::eyreish::Report"];
        let boxed = (error as &dyn Any).downcast_ref::<lambda_runtime::Error>();
        let is_report = REPORTS.contains(&std::any::type_name::<E>());
        Self {
            message: boxed.map(|error| causes(&**error)),
            stacktrace: is_report.then(|| written(|| format!("{error:?}"))),
        }
    }

    fn of_diagnostic(self, diagnostic: &Diagnostic) -> Failure {
        let message = self.message.as_deref().unwrap_or(&diagnostic.error_message);
        Failure { stacktrace: self.stacktrace, ..Failure::new(&diagnostic.error_type, message) }
    }
}

/// Runs `work`; a panic is put on the span and goes on to the runtime, which answers for it as always.
pub(super) fn observe_panic<T>(invocation: Option<&Invocation>, work: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => value,
        Err(panic) => {
            fail(invocation, panics::failure(&*panic));
            resume_unwind(panic)
        }
    }
}

fn fail(invocation: Option<&Invocation>, failure: Failure) {
    if let Some(invocation) = invocation {
        invocation.fail(failure);
    }
}

#[cfg(test)]
mod tests {
    use super::{Told, code_name};

    #[test]
    fn a_report_is_told_as_it_writes_itself() {
        let report = anyhow::anyhow!("denied").context("charging");
        let told = Told::of(&report).stacktrace.unwrap();
        assert!(told.starts_with("charging\n\nCaused by:\n    denied"), "{told}");
        assert!(Told::of(&std::fmt::Error).stacktrace.is_none(), "which may write anything");
    }

    #[test]
    fn a_handler_is_called_as_its_function_is() {
        for (handler, name) in [
            ("tower::util::service_fn::ServiceFn<shop::checkout>", "shop::checkout"),
            ("lambda_http::Adapter<R, tower::util::ServiceFn<shop::api<A<B>>>, E>", "shop::api<A<B>>"),
            ("tower::util::ServiceFn<shop::main::{{closure}}>", "shop::main::{{closure}}"),
            ("axum::routing::Router", "axum::routing::Router"),
            ("ServiceFn<", ""),
        ] {
            assert_eq!(code_name(handler), name);
        }
    }
}

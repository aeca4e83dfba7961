//! A function in this process: its handler under the wrapper's own layers, its spans at an extension of its own.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Response};
use lambda_runtime::tower::{Layer as _, Service as _, service_fn};
use lambda_runtime::{Config, Context, Error, FunctionResponse, LambdaEvent, LambdaInvocation};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use throughline::InvocationLayer;
use throughline_host::sandbox_folder;
use throughline_tests::backend::Backend;
use throughline_tests::spans::Arrived;

/// The trace that senders are called in, and its state.
pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(crate) const TRACESTATE: &str = "vendor=1";

type NoStream = stream::Empty<Result<Bytes, Error>>;
type Answer = FunctionResponse<(), NoStream>;

/// A wrapped function.
pub(crate) struct Function {
    layer: InvocationLayer,
    extension: Backend,
    folder: PathBuf,
}

impl Function {
    /// Starts one with `more` in its environment.
    pub(crate) fn with(more: &[(&str, String)]) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let api = format!("trips-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let extension = Backend::start([]).unwrap();
        let folder = sandbox_folder(&api);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).unwrap();
        let port = extension.endpoint().rsplit(':').next().unwrap().to_owned();
        fs::write(folder.join("port"), format!("{port}\n")).unwrap();
        let layer = InvocationLayer::from_env(&|name| match name {
            "AWS_LAMBDA_RUNTIME_API" => Some(api.clone()),
            _ => more.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()),
        });
        Self { layer, extension, folder }
    }

    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// Runs `work` as the handler of one invocation; it is given the event as the handler sees it.
    pub(crate) async fn invoke<T>(&self, call: Call, work: impl AsyncFnOnce(Box<RawValue>) -> T) -> T {
        let (work, done) = (Mutex::new(Some(work)), Mutex::new(None));
        let handle = async |event: LambdaEvent<Box<RawValue>>| {
            let work = work.lock().unwrap().take().expect("called once");
            let result = work(event.payload).await;
            *done.lock().unwrap() = Some(result);
            Ok::<Answer, Error>(FunctionResponse::BufferedResponse(()))
        };
        // Stands for the runtime's own services: deserializes the event, calls the handler, posts the response.
        let handle = &handle;
        let platform = service_fn(|invocation: LambdaInvocation| async move {
            let payload = serde_json::from_slice(&invocation.body)?;
            let mut handler = throughline::handler::<_, (), NoStream>(service_fn(handle));
            let called = handler.call(LambdaEvent::new(payload, invocation.context)).await;
            Ok(called.map(drop)?)
        });
        self.layer.layer(platform).call(call.into_invocation()).await.unwrap();
        done.into_inner().unwrap().expect("the handler was reached")
    }

    /// Runs `work` in an invocation that has a trace, a state and baggage already.
    pub(crate) async fn sends<T>(&self, work: impl AsyncFnOnce() -> T) -> T {
        self.sends_in(TRACE, "tenant=acme", work).await
    }

    /// The same in this trace, with such baggage.
    pub(crate) async fn sends_in<T>(&self, trace: &str, baggage: &str, work: impl AsyncFnOnce() -> T) -> T {
        let context = json!({
            "traceparent": format!("00-{trace}-00f067aa0ba902b7-01"),
            "tracestate": TRACESTATE,
            "baggage": format!("correlation.id=c-1,{baggage}"),
        });
        self.invoke(Call::of(&json!({ "_throughline": context })), async |_| work().await).await
    }

    /// The spans of all invocations so far.
    pub(crate) fn spans(&self) -> Vec<Arrived> {
        self.extension.arrived()
    }

    /// The spans of the last invocation.
    pub(crate) fn invocation(&self) -> Arrived {
        let spans = self.spans();
        spans.into_iter().rev().find(Arrived::is_invocation).expect("an invocation")
    }

    /// The spans that `is` is true of.
    pub(crate) fn spans_where(&self, is: impl Fn(&Arrived) -> bool) -> Vec<Arrived> {
        self.spans().into_iter().filter(is).collect()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a function is invoked with.
pub(crate) struct Call {
    id: String,
    body: Bytes,
    headers: HeaderMap,
}

impl Call {
    pub(crate) fn of(event: &Value) -> Self {
        Self::of_bytes(event.to_string())
    }

    pub(crate) fn of_bytes(event: impl Into<Bytes>) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let deadline = SystemTime::now() + Duration::from_secs(60);
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
        let id = format!("request-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let call = Self { id, body: event.into(), headers: HeaderMap::new() };
        call.header("lambda-runtime-deadline-ms", &deadline)
    }

    /// Its X-Ray header.
    pub(crate) fn traced(self, header: &str) -> Self {
        self.header("lambda-runtime-trace-id", header)
    }

    /// Its request id.
    pub(crate) fn known_as(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// The `ClientContext` of its caller, as JSON.
    pub(crate) fn with_client_context(self, context: &str) -> Self {
        self.header("lambda-runtime-client-context", context)
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    /// What the runtime reads of Lambda's answer. What it can't read ends its process.
    pub(crate) fn context(&self) -> Context {
        Context::new(&self.id, Arc::new(Config::default()), &self.headers).unwrap()
    }

    fn into_invocation(self) -> LambdaInvocation {
        let (parts, ()) = Response::new(()).into_parts();
        let context = self.context();
        LambdaInvocation { parts, body: self.body, context }
    }
}

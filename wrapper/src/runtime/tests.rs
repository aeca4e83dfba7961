use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Waker};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use lambda_runtime::{
    Context, Diagnostic, Error, FunctionResponse, LambdaEvent, LambdaInvocation, Service, service_fn,
};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::{Value, json};
use tower::Layer as _;
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::context;
use crate::testing::{Charging, Extension, subscribe, text};
use crate::tracer::Tracer;

/// Stands for the runtime's own services: deserializes the event, calls the handler, posts the response.
#[derive(Clone)]
pub(super) struct Platform<H> {
    pub(super) handler: H,
    pub(super) posted: Arc<Mutex<Vec<Result<Value, Diagnostic>>>>,
}

impl<H, S> Service<LambdaInvocation> for Platform<H>
where
    H: Service<
            LambdaEvent<Value>,
            Response = FunctionResponse<ObservedResponse<Value>, ObservedStream<S>>,
            Error = HandlerError,
        >,
    H::Future: Send + 'static,
    S: Stream<Item = Result<Bytes, Error>> + Unpin + Send + 'static,
{
    type Response = ();
    type Error = Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        self.handler.poll_ready(cx).map_err(|error| Diagnostic::from(error).error_message.into())
    }

    fn call(&mut self, event: LambdaInvocation) -> Self::Future {
        let posted = self.posted.clone();
        let Ok(payload) = serde_json::from_slice(&event.body) else { return Box::pin(async { Ok(()) }) };
        let result = self.handler.call(LambdaEvent::new(payload, event.context));
        Box::pin(async move {
            let response = match result.await {
                Ok(FunctionResponse::BufferedResponse(response)) => {
                    Ok(serde_json::to_value(&response).unwrap())
                }
                // As the runtime does: the stream is polled on a task of its own.
                Ok(FunctionResponse::StreamingResponse(response)) => {
                    let items = tokio::spawn(response.stream.collect::<Vec<_>>()).await?;
                    Ok(json!(items.into_iter().flatten().map(|item| item.to_vec()).collect::<Vec<_>>()))
                }
                Err(error) => {
                    // As the runtime logs it, and then posts it.
                    let logged = format!("{error:?}");
                    let diagnostic = Diagnostic::from(error);
                    let Diagnostic { error_type, error_message } = &diagnostic;
                    assert_eq!(logged, format!("{error_type}: {error_message}"));
                    Err(diagnostic)
                }
            };
            posted.lock().unwrap().push(response);
            Ok(())
        })
    }
}

pub(super) type NoStream = stream::Empty<Result<Bytes, Error>>;

pub(super) async fn invoke<F, Fut, R, S>(
    tracer: &Arc<Tracer>,
    handle: F,
    request_id: &str,
    event: &[u8],
) -> Vec<Result<Value, Diagnostic>>
where
    F: Fn(LambdaEvent<Value>) -> Fut,
    Fut: Future<Output = Result<R, Error>> + Send + 'static,
    R: IntoFunctionResponse<Value, S> + 'static,
    S: Stream<Item = Result<Bytes, Error>> + Unpin + Send + 'static,
{
    let posted = Arc::default();
    let platform =
        Platform { handler: handler::<_, Value, S>(service_fn(handle)), posted: Arc::clone(&posted) };
    let mut service = InvocationLayer::with(tracer.clone()).layer(platform);
    assert!(service.poll_ready(&mut TaskContext::from_waker(Waker::noop())).is_ready());
    service.call(invocation(request_id, event)).await.unwrap();
    posted.lock().unwrap().drain(..).collect()
}

pub(super) fn invocation(request_id: &str, event: &[u8]) -> LambdaInvocation {
    let (parts, ()) = http::Response::new(()).into_parts();
    let mut context = Context::default();
    context.request_id = request_id.to_owned();
    context.deadline = crate::span::unix_nanos(crate::testing::now()) / 1_000_000 + 60_000;
    LambdaInvocation { parts, body: Bytes::copy_from_slice(event), context }
}

pub(super) async fn answer(event: LambdaEvent<Value>) -> Result<FunctionResponse<Value, NoStream>, Error> {
    Ok(FunctionResponse::BufferedResponse(event.payload))
}

#[tokio::test]
async fn an_invocation_is_handed_over_in_one_request_over_one_connection() {
    let extension = Extension::start().await;
    let tracer = extension.tracer(&[]);
    for id in ["r-1", "r-2"] {
        let posted = invoke(&tracer, answer, id, br#"{"a": 1}"#).await;
        assert_eq!(posted[0].as_ref().unwrap(), &json!({"a": 1}));
    }
    let spans = extension.spans();
    assert_eq!((spans.len(), extension.requests(), extension.connections()), (2, 2, 1));
    assert_eq!(text(&spans[0], "faas.invocation_id").as_deref(), Some("r-1"));
    assert_eq!(text(&spans[0], "correlation.id").as_deref(), Some("r-1"));
    assert_eq!(text(&spans[0], "faas.coldstart"), Some("BoolValue(true)".to_owned()));
    assert_eq!(text(&spans[1], "faas.coldstart"), Some("BoolValue(false)".to_owned()));
    assert_ne!(spans[0].trace_id, spans[1].trace_id);
}

#[tokio::test]
async fn an_error_is_on_the_span_and_reaches_lambda_unchanged() {
    let extension = Extension::start().await;
    let fails = |_| async { Err::<FunctionResponse<Value, NoStream>, Error>("550 sender unverified".into()) };
    let posted = invoke(&extension.tracer(&[]), fails, "r-1", b"{}").await;
    let expected: Diagnostic = Error::from("550 sender unverified").into();
    assert_eq!(posted[0].as_ref().unwrap_err(), &expected);
    let span = extension.spans().remove(0);
    let status = span.status.unwrap();
    assert_eq!((status.code(), status.message.as_str()), (StatusCode::Error, "550 sender unverified"));
    assert_eq!(span.events[0].name, "exception");
}

#[tokio::test]
async fn an_error_is_told_with_its_causes_and_reaches_lambda_without() {
    let extension = Extension::start().await;
    let fails = |_| async {
        let denied = std::io::Error::other(Charging(std::fmt::Error));
        Err::<FunctionResponse<Value, NoStream>, Error>(denied.into())
    };
    let posted = invoke(&extension.tracer(&[]), fails, "r-1", b"{}").await;
    assert_eq!(posted[0].as_ref().unwrap_err().error_message, "charging");
    let status = extension.spans().remove(0).status.unwrap();
    assert_eq!(status.message, format!("charging: {}", std::fmt::Error));
}

#[tokio::test]
async fn a_panic_is_on_the_span_and_goes_on() {
    let extension = Extension::start().await;
    let tracer = extension.tracer(&[]);
    let task = tokio::spawn({
        let tracer = tracer.clone();
        async move {
            let panics = |event: LambdaEvent<Value>| async move {
                assert!(event.payload.is_null(), "not for {}", event.payload);
                Ok(FunctionResponse::<Value, NoStream>::BufferedResponse(Value::Null))
            };
            invoke(&tracer, panics, "r-1", b"{}").await
        }
    });
    // The runtime catches it between our two layers; here nobody does.
    assert!(task.await.unwrap_err().is_panic());
}

#[tokio::test]
async fn an_event_that_the_handler_never_saw_is_an_error() {
    let extension = Extension::start().await;
    invoke(&extension.tracer(&[]), answer, "r-1", b"not json").await;
    let span = extension.spans().remove(0);
    assert!(span.status.unwrap().message.contains("not reached"));
}

#[tokio::test]
async fn a_stream_runs_inside_the_context_though_another_task_polls_it() {
    let extension = Extension::start().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let streams = {
        let seen = seen.clone();
        move |_| {
            let seen = seen.clone();
            async move {
                let items = stream::iter(0..3).map(move |_| {
                    seen.lock().unwrap().push(context::correlation_id());
                    Ok::<_, Error>(Bytes::from_static(b"x"))
                });
                Ok(lambda_runtime::FunctionResponse::<Value, _>::StreamingResponse(items.into()))
            }
        }
    };
    invoke(&extension.tracer(&[]), streams, "r-1", b"{}").await;
    assert_eq!(*seen.lock().unwrap(), vec![Some("r-1".to_owned()); 3]);
    assert!(extension.spans()[0].events.is_empty());
}

#[tokio::test]
async fn invocations_at_once_never_see_each_other() {
    let extension = Extension::start().await;
    let tracer = extension.tracer(&[]);
    let looks = |event: LambdaEvent<Value>| async move {
        for _ in 0..20 {
            assert_eq!(context::correlation_id(), Some(event.context.request_id.clone()));
            context::set_baggage("own", &event.context.request_id);
            tokio::task::yield_now().await;
            assert_eq!(context::baggage("own"), Some(event.context.request_id.clone()));
        }
        Ok(FunctionResponse::<Value, NoStream>::BufferedResponse(Value::Null))
    };
    let ids: Vec<_> = (0..64).map(|n| format!("r-{n}")).collect();
    let all = ids.iter().map(|id| invoke(&tracer, looks, id, b"{}"));
    futures_util::future::join_all(all).await;
    let mut traces: Vec<_> = extension.spans().into_iter().map(|span| span.trace_id).collect();
    traces.sort();
    traces.dedup();
    assert_eq!(traces.len(), 64);
}

#[tokio::test]
async fn the_programs_spans_are_children_also_in_a_spawned_task() {
    let extension = Extension::start().await;
    let _guard = subscribe(tracing_subscriber::registry().with(crate::layer()));
    let works = |_| async {
        async {
            let inner = async { context::correlation_id() }
                .instrument(tracing::info_span!(target: "shop", "inner", n = 3));
            assert_eq!(tokio::spawn(inner).await.unwrap().as_deref(), Some("r-1"));
            tracing::error!(target: "shop", "charge refused");
        }
        .instrument(tracing::info_span!(target: "shop", "outer"))
        .await;
        // As the SDK does round each call: it is no span of the program's, and nobody's parent.
        tracing::info_span!(target: "aws_sdk_sqs::client", "left out").in_scope(|| {
            drop(tracing::info_span!(target: "shop", "within"));
        });
        Ok(FunctionResponse::<Value, NoStream>::BufferedResponse(Value::Null))
    };
    invoke(&extension.tracer(&[]), works, "r-1", b"{}").await;
    let (outer, inner) = (extension.span("outer"), extension.span("inner"));
    let invocation =
        extension.spans().into_iter().find(|span| text(span, "faas.invocation_id").is_some()).unwrap();
    assert_eq!(inner.parent_span_id, outer.span_id);
    assert_eq!(outer.parent_span_id, invocation.span_id);
    assert_eq!(text(&inner, "n").as_deref(), Some("IntValue(3)"));
    assert_eq!(outer.events[0].name, "charge refused");
    assert_eq!(outer.status.unwrap().message, "charge refused");
    assert_eq!(extension.span("within").parent_span_id, invocation.span_id);
    assert_eq!(extension.spans().len(), 4);
}

#[tokio::test]
async fn a_task_that_is_carried_belongs_to_the_invocation() {
    let extension = Extension::start().await;
    let spawns = |_| async {
        let lost = tokio::spawn(async { context::correlation_id() }).await.unwrap();
        let carried = tokio::spawn(context::carry(async { context::correlation_id() })).await.unwrap();
        Ok(FunctionResponse::<Value, NoStream>::BufferedResponse(json!([lost, carried])))
    };
    let posted = invoke(&extension.tracer(&[]), spawns, "r-1", b"{}").await;
    assert_eq!(posted[0].as_ref().unwrap(), &json!([null, "r-1"]));
}

#[tokio::test]
async fn switched_off_it_is_a_pass_through() {
    let extension = Extension::start().await;
    let looks = |_| async {
        assert_eq!(context::correlation_id(), None);
        Ok(FunctionResponse::<Value, NoStream>::BufferedResponse(json!("untouched")))
    };
    let posted = invoke(&extension.tracer(&[("THROUGHLINE_ENABLED", "false")]), looks, "r-1", b"{}").await;
    assert_eq!(posted[0].as_ref().unwrap(), "untouched");
    assert!(extension.spans().is_empty());
}

/// What `lambda_runtime::run` takes compiles here too; none of it is run.
#[test]
fn any_payload_and_response_is_taken() {
    use lambda_runtime::StreamResponse;

    #[derive(serde::Deserialize)]
    struct Order {
        id: String,
    }
    fn taken<F: Future>(_: F) {}

    taken(run(service_fn(|event: LambdaEvent<Value>| async move { Ok::<_, Error>(event.payload) })));
    taken(run(service_fn(|event: LambdaEvent<Order>| async move { Ok::<_, Diagnostic>(event.payload.id) })));
    taken(run(service_fn(|_: LambdaEvent<()>| async { Err::<(), _>(std::fmt::Error.to_string()) })));
    taken(run(service_fn(|_: LambdaEvent<Value>| async {
        Ok::<_, Error>(StreamResponse::from(stream::iter([Ok::<_, Error>(Bytes::new())])))
    })));
    taken(run_concurrent(service_fn(
        |event: LambdaEvent<Value>| async move { Ok::<_, Error>(event.payload) },
    )));
    taken(async {
        let handler =
            handler(service_fn(|event: LambdaEvent<Value>| async move { Ok::<_, Error>(event.payload) }));
        Runtime::new(handler).layer(InvocationLayer::new()).run_concurrent().await
    });
}

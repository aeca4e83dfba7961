use http::{Request, Response};
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracer, SdkTracerProvider, SpanData};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

use super::*;
use crate::outside::tests::in_service;
use crate::scope::Scoped;
use crate::testing::{scope, subscribe};
use crate::{context, transaction};

/// A program with an OpenTelemetry of its own.
struct Program {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
    exporter: InMemorySpanExporter,
}

impl Program {
    fn new() -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        Self { tracer: provider.tracer("shop"), provider, exporter }
    }

    fn spans(&self) -> Vec<SpanData> {
        self.provider.force_flush().unwrap();
        self.exporter.get_finished_spans().unwrap()
    }
}

/// The headers that an outgoing call takes along.
async fn call() -> http::HeaderMap {
    let client = crate::http::layer().layer(service_fn(|request: Request<()>| async {
        Ok::<_, std::io::Error>(Response::new(request.into_parts().0.headers))
    }));
    let request = Request::get("https://api.example/").body(()).unwrap();
    client.oneshot(request).await.unwrap().into_body().into_inner().unwrap()
}

fn close(scope: &Scope) -> Vec<opentelemetry_proto::tonic::trace::v1::Span> {
    crate::testing::close(scope.invocation())
}

#[tokio::test]
async fn the_programs_spans_are_ours_children_and_its_calls_theirs() {
    let (program, scope) = (Program::new(), scope());
    let work = async {
        context::set_user("u-1");
        // Every await is a poll of its own.
        tokio::task::yield_now().await;
        let user = opentelemetry::Context::current().baggage().get("user.id").map(ToString::to_string);
        assert_eq!(user.as_deref(), Some("u-1"));
        let span = program.tracer.start("reserve");
        async {
            tokio::task::yield_now().await;
            call().await
        }
        .with_context(opentelemetry::Context::current_with_span(span))
        .await
    };
    let headers = Scoped::new(work, scope.clone()).await;
    assert!(!opentelemetry::Context::current().has_active_span(), "nothing stays behind");

    let [reserve] = program.spans().try_into().unwrap();
    assert_eq!(reserve.span_context.trace_id(), scope.span().trace_id());
    assert_eq!(reserve.parent_span_id, scope.span().span_id());
    assert!(reserve.parent_span_is_remote);
    let spans = close(&scope);
    assert_eq!(spans[0].parent_span_id, reserve.span_context.span_id().to_bytes());
    let sent = headers["traceparent"].to_str().unwrap();
    assert!(sent.starts_with(&format!("00-{}", scope.span().trace_id())), "{sent}");
}

#[tokio::test]
async fn a_span_of_another_trace_is_no_parent_of_ours() {
    let (program, scope) = (Program::new(), scope());
    let foreign = opentelemetry::Context::new().with_span(program.tracer.start("foreign"));
    Scoped::new(call().with_context(foreign), scope.clone()).await;
    assert_eq!(close(&scope)[0].parent_span_id, scope.span().span_id().to_bytes());
}

#[tokio::test]
async fn a_record_is_current_in_its_own_scope_and_a_task_takes_the_programs_span_along() {
    let (program, scope) = (Program::new(), scope());
    let record = scope.invocation().open_record("m-1", &scope);
    let inner = Scoped::new(
        async {
            let span = program.tracer.start("in the record");
            let context = opentelemetry::Context::current_with_span(span);
            let here = || (context::trace_id(), current_span());
            let (task, thread) = {
                let _current = context.clone().attach();
                (context::spawn(async move { here() }), std::thread::spawn(context::carry_fn(here)))
            };
            let task = task.await.unwrap();
            assert_eq!(thread.join().unwrap(), task);
            (context.span().span_context().clone(), task)
        },
        record.clone(),
    );
    let (span, (trace, in_task)) = Scoped::new(inner, scope.clone()).await;
    assert_eq!(in_task, Some(span));
    assert_eq!(trace, Some(record.span().trace_id().to_string()));
    assert_eq!(program.spans()[0].parent_span_id, record.span().span_id());
}

#[tokio::test]
async fn baggage_of_the_programs_travels_and_marks_are_not_its_to_set() {
    let scope = scope();
    let members = [("tenant", "acme"), ("throughline.debug", "true"), ("correlation.id", "forged")];
    let members = members.map(|(key, value)| KeyValue::new(key, value));
    scope.enter(|| {
        let _current = opentelemetry::Context::current_with_baggage(members).attach();
        let sent = scope.context(scope.span()).baggage;
        assert_eq!((sent.get("tenant"), sent.marked(Baggage::DEBUG)), (Some("acme"), false));
        assert_eq!(sent.get(Baggage::CORRELATION_ID), scope.correlation_id().as_deref());
    });
}

#[tokio::test]
async fn spans_of_tracing_opentelemetry_are_ours_children_too() {
    let (program, scope) = (Program::new(), scope());
    let layer = tracing_opentelemetry::layer()
        .with_tracer(program.tracer.clone())
        .with_filter(filter_fn(|span| span.target() != crate::subscriber::MARKER));
    let _guard = subscribe(tracing_subscriber::registry().with(layer));
    let work = async {
        use tracing::Instrument as _;
        call().instrument(tracing::info_span!(target: "shop", "reserve")).await
    };
    Scoped::new(work, scope.clone()).await;

    let [reserve] = program.spans().try_into().unwrap();
    assert_eq!((reserve.name.as_ref(), reserve.parent_span_id), ("reserve", scope.span().span_id()));
    assert_eq!(reserve.span_context.trace_id(), scope.span().trace_id());
    assert_eq!(close(&scope)[0].parent_span_id, reserve.span_context.span_id().to_bytes());
}

#[tokio::test]
async fn outside_lambda_transactions_and_calls_join_the_programs_trace() {
    let program = Program::new();
    let server = program.tracer.start("GET /report");
    let context = opentelemetry::Context::new().with_span(server);
    let id = context.span().span_context().clone();
    let (spans, _) = in_service(
        async {
            transaction("report", async {}).await;
            call().await
        }
        .with_context(context),
    )
    .await;
    let [report, get] = spans.try_into().unwrap();
    for span in [report, get] {
        assert_eq!(span.trace_id, id.trace_id().to_bytes(), "{}", span.name);
        assert_eq!(span.parent_span_id, id.span_id().to_bytes(), "{}", span.name);
    }
}

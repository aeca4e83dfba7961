//! What others put beside a function: X-Ray's active tracing, and the layer of AWS's Distro for OpenTelemetry.

use opentelemetry_proto::tonic::trace::v1::Span;
use throughline_host::{Invocation, Source};
use throughline_tests::backend::Backend;
use throughline_tests::handlers::Kind;

use crate::support::{Setup, command};

/// The trace that X-Ray's headers here name.
const TRACE: &str = "5759e988bd862e3fe1be46a994272793";

/// X-Ray's header of an invocation, with all that others put into it.
fn trace_header(sampled: u8) -> String {
    let (time, rest) = TRACE.split_at(8);
    format!("Root=1-{time}-{rest};Parent=53995c3f42cd8ad8;Sampled={sampled};Lineage=25:a87bd80c:1")
}

/// Whether this is the first span of X-Ray's trace: its segments are in no OTLP backend.
fn begins_trace(span: &Span) -> bool {
    span.parent_span_id.is_empty() && span.trace_id == u128::from_str_radix(TRACE, 16).unwrap().to_be_bytes()
}

#[tokio::test]
async fn active_tracing_names_the_trace_and_does_not_choose_who_is_traced() {
    for kind in [Kind::Command, Kind::Concurrent] {
        let backend = Backend::start([]).unwrap();
        let setup = Setup::wrapped(kind).exporting_to(&backend).await;
        // Where X-Ray's own SDKs send segments to; nobody listens.
        let setup = setup.env("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR");
        let mut function = setup.env("AWS_XRAY_DAEMON_ADDRESS", "169.254.79.129:2000").start().await;
        for sampled in [1, 0] {
            let event = Invocation::from(command("ok", 2)).trace_header(trace_header(sampled));
            let reply = function.sandbox.invoke(event).await;
            function.ledger.expect(&reply.request_id, 2);
        }
        function.shutdown().await.ledger.assert(&backend.arrived());
        let invocations: Vec<_> = backend.arrived().into_iter().filter(|span| span.is_invocation()).collect();
        assert!(invocations.iter().all(|invocation| begins_trace(&invocation.span)), "{invocations:#?}");
    }
}

/// The layer as <https://aws-otel.github.io/docs/getting-started/lambda> sets it up: its collector listens where
/// OTLP is expected, and variables tell every OpenTelemetry SDK so.
#[tokio::test]
async fn beside_adot_each_span_arrives_once() {
    let collector = Backend::start([]).unwrap();
    let backend = Backend::start([]).unwrap();
    let mut setup = Setup::wrapped(Kind::Command).exporting_to(&backend).await;
    let taken = collector.endpoint();
    for (name, value) in [
        ("AWS_LAMBDA_EXEC_WRAPPER", "/opt/otel-handler"),
        ("OPENTELEMETRY_COLLECTOR_CONFIG_URI", "/opt/collector-config/config.yaml"),
        ("OTEL_PROPAGATORS", "xray"),
        ("OTEL_TRACES_EXPORTER", "otlp"),
        ("OTEL_TRACES_SAMPLER", "always_off"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &taken),
        ("OTEL_SERVICE_NAME", "shop"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        // The collector was there first: the port is 4318 in Lambda, and one of the test's own here.
        ("THROUGHLINE_LISTEN", taken.trim_start_matches("http://")),
    ] {
        setup = setup.env(name, value);
    }
    let mut function = setup.start().await;
    for spans in 0..4 {
        let event = Invocation::from(command("ok", spans)).trace_header(trace_header(0));
        let reply = function.sandbox.invoke(event).await;
        function.ledger.expect(&reply.request_id, spans);
        function.sandbox.settled().await;
        function.ledger.assert(&backend.arrived());
    }
    function.command("error", 1).await;
    let ended = function.shutdown().await;
    ended.ledger.assert(&backend.arrived());
    assert!(
        collector.exchanges().is_empty(),
        "the collector was sent something: {:?}",
        collector.exchanges()
    );
    assert_eq!(ended.printed.spans(Source::Function).len(), 0);
    let first = &backend.arrived()[0];
    assert_eq!(first.of_resource("service.name").as_deref(), Some("shop"));
}

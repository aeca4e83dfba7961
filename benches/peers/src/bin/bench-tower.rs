//! The measured function with `opentelemetry-lambda-tower`, set up as its README says: its layer with the extractor of
//! the trigger, the tracer provider to flush at the end, and the `tracing` subscriber that it builds on.

#[path = "../../../src/handlers.rs"]
mod handlers;

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use handlers::{charge, charge_all, greet, takes_batches};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_lambda_tower::{ApiGatewayV2Extractor, OtelTracingLayer, SqsEventExtractor};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tower::ServiceBuilder;
use tracing::Instrument as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build()?;
    let provider = Arc::new(SdkTracerProvider::builder().with_batch_exporter(exporter).build());
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let subscriber = tracing_subscriber::registry()
        .with(EnvFilter::new("info"))
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("bench")));
    tracing::subscriber::set_global_default(subscriber)?;
    if takes_batches() {
        let layer = OtelTracingLayer::builder(SqsEventExtractor::new()).tracer_provider(provider).build();
        let handler = service_fn(|event: LambdaEvent<SqsEvent>| {
            charge_all(event.payload, |message| {
                let span = tracing::info_span!("process", messaging.message.id = message.message_id);
                charge(message).instrument(span)
            })
        });
        lambda_runtime::run(ServiceBuilder::new().layer(layer).service(handler)).await
    } else {
        let layer = OtelTracingLayer::builder(ApiGatewayV2Extractor::new()).tracer_provider(provider).build();
        lambda_runtime::run(ServiceBuilder::new().layer(layer).service(service_fn(greet))).await
    }
}

//! The measured function with `lambda-otel-lite`, set up as its README says: the processor for Lambda, the mode `async`
//! ("best for production use"), and an OTLP exporter with a blocking client, as its documentation demands.

#[path = "../../../src/handlers.rs"]
mod handlers;

use std::collections::HashMap;

use aws_lambda_events::event::sqs::SqsEvent;
use handlers::{charge, charge_all, greet, takes_batches};
use lambda_otel_lite::{
    LambdaSpanProcessor, ProcessorMode, SpanAttributes, SpanAttributesExtractor, TelemetryConfig,
    create_traced_handler, init_telemetry,
};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Link, TraceContextExt as _};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build()?;
    let processor = LambdaSpanProcessor::builder().exporter(exporter).build();
    let config = TelemetryConfig::builder()
        .processor_mode(ProcessorMode::Async)
        .with_span_processor(processor)
        .build();
    let (_tracer, completion) = init_telemetry(config).await?;
    if takes_batches() {
        let handler = create_traced_handler("bench", completion, |event: LambdaEvent<Batch>| {
            charge_all(event.payload.0, |message| {
                let span = tracing::info_span!("process", messaging.message.id = message.message_id);
                charge(message).instrument(span)
            })
        });
        Runtime::new(service_fn(handler)).run().await
    } else {
        Runtime::new(service_fn(create_traced_handler("bench", completion, greet))).run().await
    }
}

/// It knows no SQS events; this is how its documentation teaches it one: with a link to each sender.
#[derive(Deserialize, Serialize)]
#[serde(transparent)]
struct Batch(SqsEvent);

impl SpanAttributesExtractor for Batch {
    fn extract_span_attributes(&self) -> SpanAttributes {
        let propagator = TraceContextPropagator::new();
        let links = self.0.records.iter().map(|message| {
            let attributes = message.message_attributes.iter();
            let carrier: HashMap<String, String> = attributes
                .filter_map(|(name, value)| Some((name.clone(), value.string_value.clone()?)))
                .collect();
            Link::with_context(propagator.extract(&carrier).span().span_context().clone())
        });
        SpanAttributes::builder()
            .kind("CONSUMER".to_owned())
            .span_name("process orders".to_owned())
            .trigger("pubsub".to_owned())
            .attributes(HashMap::from([("messaging.system".to_owned(), "aws_sqs".into())]))
            .links(links.collect())
            .build()
    }
}

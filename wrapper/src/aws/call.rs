//! A call while it runs: its span, the spans of a batch's messages, and what is said on them before it is answered.

mod answer;

mod bodies;

use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_types::config_bag::ConfigBag;
use aws_types::region::Region;

use super::endpoint;
use super::outcome::Outcome;
use super::service::{self, Service};
use crate::capture::Taken;
use crate::propagation::{Carrier, XrayHeader};
use crate::scope::{OpenSpan, Scope};
use crate::span::{SpanKind, Value};

/// The context of one message, as its carriers want it.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    pub(super) carrier: Carrier,
    /// For `AWSTraceHeader`.
    pub(super) xray: String,
}

/// A call that was begun. Its spans end when it is dropped.
#[derive(Debug)]
pub(super) struct Call {
    scope: Scope,
    /// What is particular to the service; `None` for one that we know nothing of.
    service: Option<&'static dyn Service>,
    operation: String,
    span: OpenSpan,
    /// The request is signed for somebody else to send: nothing may be added to it.
    presigned: bool,
    /// The X-Ray header of the request, unless it must stay as it is.
    header: Option<String>,
    /// The request gets our metadata before it is signed.
    with_metadata: bool,
    /// Attempts that the service refused because there were too many.
    throttled: i64,
    /// The id of the request, once it was answered.
    request_id: Option<String>,
    /// What was sent, if that is to be told.
    request: Option<Taken>,
    /// By what the effects of the call are joined to it.
    joins: Vec<String>,
    /// Name of the queue, topic, bus or stream that is sent to.
    destination: Option<String>,
    /// The messages of a batch, in order.
    entries: Vec<Entry>,
    /// Whether the whole context is in all that it was to be written into; `None` if that was nothing.
    pub(super) carried: Option<bool>,
    /// The request is not sent: the call is part of a dry run.
    pub(super) is_kept_back: bool,
}

/// One message of a batch.
#[derive(Debug)]
struct Entry {
    /// What the answer names it by.
    id: String,
    span: OpenSpan,
}

impl Call {
    /// Begins the span of a call (<https://opentelemetry.io/docs/specs/semconv/cloud-providers/aws-sdk/>).
    ///
    /// A span of messages that are sent is named by their destination, every other one by the call.
    pub(super) fn start(
        scope: Scope,
        metadata: &Metadata,
        input: &Input,
        cfg: &ConfigBag,
        presigned: bool,
    ) -> Self {
        let service = service::of(Some(metadata));
        let (service_name, operation) = (metadata.service(), metadata.name().to_owned());
        let destination = service.and_then(|service| service.destination(input)).map(str::to_owned);
        let kind = match service {
            // No request goes out.
            _ if presigned => SpanKind::Internal,
            Some(service) => service.kind(&operation),
            None => SpanKind::Client,
        };
        let name = match kind {
            SpanKind::Producer => named("send", destination.as_deref()),
            _ => [service_name, ".", &operation].concat(),
        };
        let mut span = scope.start_span(kind, &name);
        span.set("rpc.system.name", "aws-api");
        span.set("rpc.method", [service_name, "/", &operation].concat());
        if let Some(region) = cfg.load::<Region>() {
            span.set("cloud.region", region.as_ref());
        }
        let header = (!presigned).then(|| XrayHeader::for_span(&span.context(), scope.invocation().xray()));
        Self {
            scope,
            service,
            operation,
            span,
            presigned,
            header,
            with_metadata: false,
            throttled: 0,
            request_id: None,
            request: None,
            joins: Vec::new(),
            destination,
            entries: Vec::new(),
            carried: None,
            is_kept_back: false,
        }
    }

    /// Writes its spans down in the flight recorder, before the request is sent.
    pub(super) fn write_down(&self) {
        self.span.write_down();
        self.entries.iter().for_each(|entry| entry.span.write_down());
    }

    pub(super) fn service(&self) -> Option<&'static dyn Service> {
        self.service
    }

    pub(super) fn operation(&self) -> &str {
        &self.operation
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn set<'a>(&mut self, key: &str, value: impl Into<Value<'a>>) {
        self.span.set(key, value);
    }

    /// Describes the call as the sending of messages
    /// (<https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>).
    pub(super) fn sends(&mut self, system: &str, batch: Option<usize>) {
        describe(&mut self.span, "send", system, self.destination.as_deref());
        if let Some(count) = batch {
            self.span.set("messaging.batch.message_count", i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn destination(&self) -> Option<&str> {
        self.destination.as_deref()
    }

    /// Begins the span of one message of a batch; what is said next of a message is said of this one.
    pub(super) fn create(&mut self, id: impl Into<String>, system: &str) {
        let destination = self.destination.clone();
        self.create_for(destination.as_deref(), id, system);
    }

    /// As [`create`](Self::create), for a batch whose messages may go to several destinations.
    pub(super) fn create_for(&mut self, destination: Option<&str>, id: impl Into<String>, system: &str) {
        let name = named("create", destination);
        let mut span = self.scope.start_child(&self.span.context(), SpanKind::Producer, &name);
        describe(&mut span, "create", system, destination);
        self.entries.push(Entry { id: id.into(), span });
    }

    /// The context that travels with the message at hand.
    pub(super) fn hop(&self) -> Hop {
        let span = self.entries.last().map_or(&self.span, |entry| &entry.span).context();
        let xray = match &self.header {
            Some(header) if self.entries.is_empty() => header.clone(),
            _ => XrayHeader::for_span(&span, self.scope.invocation().xray()),
        };
        let mut carrier = self.scope.context(&span).to_carrier();
        // A foreign tracer's state may hold what SQS and SNS refuse, and quotes break SNS filter policies.
        carrier.tracestate.take_if(|state| {
            state.bytes().any(|byte| !(b' '..=b'~').contains(&byte) || byte == b'"' || byte == b'\\')
        });
        Hop { carrier, xray }
    }

    /// Records what became of the context of the message at hand.
    pub(super) fn injected(&mut self, outcome: Outcome) {
        self.carried = Some(self.carried.unwrap_or(true) && outcome.is_whole());
        let span = self.entries.last_mut().map_or(&mut self.span, |entry| &mut entry.span);
        span.set("throughline.injected", outcome.injected.as_str());
        if let Some(why) = outcome.skipped {
            span.set("throughline.inject.skipped", why.as_str());
        }
    }

    /// The X-Ray header of the request, unless it must stay as it is.
    pub(super) fn xray(&self) -> Option<String> {
        self.header.clone()
    }

    /// Leaves the X-Ray header of the request as it is.
    pub(super) fn leave_header(&mut self) {
        self.header = None;
    }

    /// Whether nothing may be added to the request.
    pub(super) fn is_presigned(&self) -> bool {
        self.presigned
    }

    /// Has the context written into the request's metadata before it is signed.
    pub(super) fn add_metadata(&mut self) {
        self.with_metadata = true;
    }

    /// Whether it is to be written there.
    pub(super) fn adds_metadata(&self) -> bool {
        self.with_metadata
    }

    /// Records where the request goes.
    pub(super) fn addressed(&mut self, uri: &str) {
        if let Some(host) = endpoint::host(uri) {
            self.span.set("server.address", host);
        }
    }

    /// The id of the request, once it was answered.
    pub(super) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Notes by what the effects of the call are joined to it, if it succeeds.
    pub(super) fn join(&mut self, joins: Vec<String>) {
        self.joins = joins;
    }

    /// Takes back what turned out to have no effect.
    pub(super) fn disjoin(&mut self, joins: &[String]) {
        self.joins.retain(|join| !joins.contains(join));
    }
}

fn describe(span: &mut OpenSpan, operation: &str, system: &str, destination: Option<&str>) {
    span.set("messaging.system", system);
    span.set("messaging.operation.name", operation);
    span.set("messaging.operation.type", operation);
    if let Some(destination) = destination {
        span.set("messaging.destination.name", destination);
    }
}

fn named(operation: &str, destination: Option<&str>) -> String {
    destination.map_or_else(|| operation.to_owned(), |destination| [operation, " ", destination].concat())
}

//! What the benches and the fuzz targets reach inside. It is no API: the feature `internals` is for them alone, and
//! what is here changes without notice.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::invocation::{Call, Invocation};
use crate::propagation::{Baggage, Context, Named, XrayHeader};
use crate::scope::Scope;
use crate::span::SpanKind;
use crate::tracer::Tracer;
use crate::triggers::{self, Aggregated, Caller, Reading};

/// What was found in an event.
#[derive(Debug)]
pub struct Summary {
    /// `faas.trigger`.
    pub trigger: &'static str,
    /// Messages of a batch.
    pub records: usize,
    /// How many of these, or whether the event itself, said who sent them.
    pub senders: usize,
    /// The event as the handler sees it, if it is another.
    pub stripped: Option<Bytes>,
}

/// Reads an event.
#[must_use]
pub fn read(event: &Bytes) -> Summary {
    summary(&reading(event))
}

/// An invocation that has begun.
#[derive(Debug)]
pub struct Begun(
    #[expect(dead_code, reason = "held, so that a bench can leave out its end")] Arc<Invocation>,
);

/// Reads an event and begins its invocation, as is done before the handler is called.
#[must_use]
pub fn begin(event: &Bytes) -> Begun {
    Begun(Invocation::open(tracer().clone(), call(tracer(), event), reading(event)).0)
}

/// An invocation in which calls are made.
#[derive(Debug)]
pub struct Calling(Scope);

impl Calling {
    /// Begins one in a function, as the event of a direct invoke begins it.
    #[must_use]
    pub fn begin(function: &Function) -> Self {
        let event = Bytes::from_static(b"{\"order\":1}");
        let reading = triggers::read(&event, &Caller::default(), function.0.settings());
        let scope = Invocation::open(function.0.clone(), call(&function.0, &event), reading).1;
        scope.invocation().reach("handler");
        Self(scope)
    }

    /// Makes the span of a call, as an AWS client does, and ends it.
    pub fn call(&self) {
        let mut span = self.0.start_span(SpanKind::Client, "DynamoDB.GetItem");
        for (key, value) in [
            ("rpc.system.name", "aws-api"),
            ("rpc.method", "DynamoDB/GetItem"),
            ("cloud.region", "eu-west-1"),
            ("db.system.name", "aws.dynamodb"),
            ("throughline.injected", "none"),
            ("server.address", "dynamodb.eu-west-1.amazonaws.com"),
        ] {
            span.set(key, value);
        }
        span.write_down();
        span.set("http.response.status_code", 200);
        span.set("aws.request_id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd");
    }

    /// Runs `work` inside it.
    pub fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.enter(work)
    }

    /// Begins to watch its deadline, and ends that.
    pub fn watch(&self, function: &Function) {
        let deadline = function.0.now() + Duration::from_secs(60);
        drop(function.0.watch(self.0.invocation(), deadline));
    }

    /// Ends it; its spans go nowhere.
    pub fn end(self) {
        drop(self.0.invocation().close());
        self.0.invocation().forget();
    }
}

/// A function, with or without the flight recorder.
#[derive(Debug)]
pub struct Function(Arc<Tracer>);

impl Function {
    /// One whose files are in the folder of the sandbox `runtime_api`.
    #[must_use]
    pub fn new(runtime_api: &str, recorder: bool) -> Self {
        let env = |name: &str| match name {
            "AWS_LAMBDA_RUNTIME_API" => Some(runtime_api.to_owned()),
            "AWS_LAMBDA_FUNCTION_NAME" => Some("bench".to_owned()),
            "THROUGHLINE_RECORDER" => Some(if recorder { "on" } else { "off" }.to_owned()),
            _ => None,
        };
        Self(Tracer::new(&env, SystemTime::now))
    }
}

/// The folder of that sandbox.
#[must_use]
pub fn sandbox_folder(runtime_api: &str) -> PathBuf {
    crate::sandbox::folder(runtime_api)
}

fn call(tracer: &Tracer, event: &Bytes) -> Call {
    Call {
        event: Some(tracer.settings().capture.take(event)),
        request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned(),
        function_name: "bench".to_owned(),
        function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:bench".to_owned(),
        tenant_id: None,
        xray: None,
        cold_start: false,
        event_bytes: event.len(),
        received: tracer.now(),
    }
}

fn tracer() -> &'static Arc<Tracer> {
    static TRACER: OnceLock<Arc<Tracer>> = OnceLock::new();
    TRACER.get_or_init(|| Tracer::new(&|_| None, SystemTime::now))
}

fn reading(event: &Bytes) -> Reading {
    triggers::read(event, &Caller::default(), tracer().settings())
}

fn summary(reading: &Reading) -> Summary {
    let of_records = reading.records.iter().filter(|record| record.sender.is_some()).count();
    Summary {
        trigger: reading.trigger,
        records: reading.records.len(),
        senders: of_records + usize::from(reading.sender.is_some()),
        stripped: reading.stripped.clone(),
    }
}

/// W3C's `traceparent` and `tracestate`, read and written again.
#[must_use]
pub fn traceparent(traceparent: &str, tracestate: &str) -> Option<(String, String)> {
    let carrier = Context::from_headers(traceparent, Some(tracestate), None)?.to_carrier();
    Some((carrier.traceparent, carrier.tracestate.unwrap_or_default()))
}

/// W3C's `baggage`, read and written again.
#[must_use]
pub fn baggage(header: &str) -> Option<String> {
    Baggage::parse(header).header()
}

/// An X-Ray header, read and written again.
#[must_use]
pub fn xray(header: &str) -> Option<String> {
    let header = XrayHeader::parse(header)?;
    Some(XrayHeader::for_span(&header.span()?, Some(&header)))
}

/// The `traceparent` of every dialect in which these headers have one.
#[must_use]
pub fn named(headers: &[(&str, &str)]) -> Vec<String> {
    let mut named = Named::default();
    for (name, value) in headers {
        named.add(name, (*value).into());
    }
    drop(named.ids());
    let contexts = [named.w3c(), named.xray(), named.datadog()].into_iter().flatten();
    contexts.map(|context| context.to_carrier().traceparent).collect()
}

/// The data of the records that the Kinesis Producer Library put into one.
#[must_use]
pub fn kpl_parts(data: &[u8]) -> Option<Vec<Vec<u8>>> {
    Some(Aggregated::parse(data)?.data().map(<[u8]>::to_vec).collect())
}

/// The same record with other data in some of its parts.
#[must_use]
pub fn kpl_with(data: &[u8], changes: &[Option<Vec<u8>>]) -> Option<Vec<u8>> {
    Some(Aggregated::parse(data)?.with(changes))
}

/// An `UpdateExpression` with one more assignment.
#[cfg(feature = "dynamodb")]
#[must_use]
pub fn with_assignment(expression: &str, assignment: &str) -> String {
    crate::aws::with_assignment(expression, assignment)
}

//! For the tests of this module: an invocation to make calls in, and a service that answers as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sdk_sqs::config::{AsyncSleep, Sleep};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::{Headers, StatusCode};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value as Json;

use super::call::Call;
use crate::invocation::{Call as LambdaCall, Invocation};
use crate::propagation::{Context, XrayHeader};
use crate::scope::{Scope, Scoped};
use crate::settings::Settings;
use crate::testing::close;
use crate::tracer::Tracer;
use crate::triggers::{Caller, Sender, read};

/// The trace that the invocation's sender began.
pub(super) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What travels on from the invocation: its sender was the first function.
pub(super) const BAGGAGE: &str =
    "correlation.id=c-1,throughline.entry=timer,throughline.hops=2,tenant=a%20%22b%22";

/// An event that says nothing.
const NOTHING: &str = "{}";

/// What Lambda says of the invocation to X-Ray.
const XRAY: &str =
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=25:a87bd80c:1";

/// The time of all that happens.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

/// An invocation that runs.
pub(super) struct Lambda {
    invocation: Arc<Invocation>,
    pub(super) scope: Scope,
}

impl Lambda {
    /// One whose items of table `orders` carry the context.
    pub(super) fn new() -> Self {
        Self::with(&[("THROUGHLINE_DYNAMODB_TABLES", "orders")], "vendor=1")
    }

    /// One whose own X-Ray header ends in `more`.
    pub(super) fn called_with(more: &str) -> Self {
        Self::open(NOTHING, &[], "", &format!("{XRAY}{more}"))
    }

    /// One with another environment, and `tracestate` as its sender's.
    pub(super) fn with(env: &[(&str, &str)], tracestate: &str) -> Self {
        Self::open(NOTHING, env, tracestate, XRAY)
    }

    /// One of an event, with another environment.
    pub(super) fn reading(event: &str, env: &[(&str, &str)]) -> Self {
        Self::open(event, env, "", XRAY)
    }

    /// One of a batch whose records tell who sent them.
    pub(super) fn reading_batch(event: &str, env: &[(&str, &str)]) -> Self {
        let env =
            |key: &str| env.iter().find(|(known, _)| *known == key).map(|(_, value)| (*value).to_owned());
        let tracer = Tracer::new(&env, now);
        let event = Bytes::copy_from_slice(event.as_bytes());
        let reading = read(&event, &Caller::default(), tracer.settings());
        let (invocation, scope) = Invocation::open(tracer, crate::testing::call(), reading);
        Self { invocation, scope }
    }

    fn open(event: &str, env: &[(&str, &str)], tracestate: &str, xray: &str) -> Self {
        let env =
            |key: &str| env.iter().find(|(known, _)| *known == key).map(|(_, value)| (*value).to_owned());
        let sender = Context::from_headers(
            &format!("00-{TRACE}-00f067aa0ba902b7-01"),
            Some(tracestate),
            Some("correlation.id=c-1,throughline.entry=timer,throughline.hops=1,tenant=a%20%22b%22"),
        );
        let event = Bytes::copy_from_slice(event.as_bytes());
        let mut reading = read(&event, &Caller::default(), &Settings::from_env(&env));
        reading.sender = sender.map(Sender::Parent);
        let call = LambdaCall { xray: XrayHeader::parse(xray), ..crate::testing::call() };
        let (invocation, scope) = Invocation::open(Tracer::new(&env, now), call, reading);
        Self { invocation, scope }
    }

    /// Runs `work` inside the invocation.
    pub(super) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        Scoped::new(work, self.scope.clone()).await
    }

    /// Writes the context into `input`, as the hook does, and ends the invocation.
    pub(super) fn inject<T: std::fmt::Debug + Send + Sync + 'static>(
        &self,
        service: &'static str,
        operation: &'static str,
        input: T,
    ) -> (T, Vec<Span>) {
        let mut input = Input::erase(input);
        let metadata = Metadata::new(operation, service);
        let mut call = Call::start(self.scope.clone(), &metadata, &input, &ConfigBag::base(), false);
        let service = call.service().expect("the service is known");
        service.inject(&mut input, &mut call, &ConfigBag::base());
        drop(call);
        (input.downcast().unwrap(), self.spans())
    }

    /// Ends the invocation: the spans of its calls, those of a batch's messages last.
    pub(super) fn spans(&self) -> Vec<Span> {
        let mut spans = close(&self.invocation);
        spans.retain(|span| span.name != "checkout");
        spans.sort_by_key(|span| span.name.starts_with("create"));
        spans
    }
}

/// No answer: the connection breaks.
pub(super) const BROKEN: (u16, &str) = (0, "");

/// A service that keeps what it is asked and answers in turn, then never.
#[derive(Clone, Debug, Default)]
pub(super) struct Service {
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    requests: Arc<Mutex<Vec<Request>>>,
    /// Of every answer.
    headers: Vec<(&'static str, &'static str)>,
}

/// A request as it went out.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) xray: Option<String>,
    pub(super) uri: String,
    /// The header of the signature, which names what is signed.
    pub(super) signed: Option<String>,
    /// Those by which two requests for the same differ are left out.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Request {
    pub(super) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Service {
    pub(super) fn answering<const N: usize>(answers: [(u16, &str); N]) -> Self {
        let answers = answers.map(|(status, body)| (status, body.to_owned()));
        Self {
            answers: Arc::new(Mutex::new(answers.into())),
            headers: vec![("x-amzn-requestid", "aws-1")],
            ..Self::default()
        }
    }

    /// With headers of its own on every answer, in the place of the request's id.
    pub(super) fn saying(mut self, headers: &[(&'static str, &'static str)]) -> Self {
        self.headers = headers.to_vec();
        self
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl HttpConnector for Service {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.lock().unwrap().push(Request {
            xray: request.headers().get(super::interceptor::XRAY_HEADER).map(str::to_owned),
            uri: request.uri().to_owned(),
            signed: request.headers().get("authorization").map(str::to_owned),
            headers: steady(request.headers()),
            body: String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap(),
        });
        let Some((status, body)) = self.answers.lock().unwrap().pop_front() else {
            return HttpConnectorFuture::new(std::future::pending());
        };
        if status == BROKEN.0 {
            return HttpConnectorFuture::ready(Err(ConnectorError::io("the connection broke".into())));
        }
        let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
        for (name, value) in &self.headers {
            response.headers_mut().insert(*name, *value);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl HttpClient for Service {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// The headers that say what is asked, without those of the attempt, its time and its signature.
pub(super) fn steady(headers: &Headers) -> BTreeMap<String, String> {
    let varies = [
        "authorization",
        "x-amz-date",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        super::interceptor::XRAY_HEADER,
    ];
    let steady = headers.iter().filter(|(name, _)| !varies.contains(name));
    steady.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A back-off that takes no time.
#[derive(Debug)]
pub(super) struct NoSleep;

impl AsyncSleep for NoSleep {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(std::future::ready(()))
    }
}

pub(super) fn credentials() -> Credentials {
    Credentials::new("id", "secret", None, None, "tests")
}

/// A client of the SDK crate that talks to a [`Service`] through an interceptor.
macro_rules! client {
    ($sdk:ident, $service:expr, $interceptor:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .region($sdk::config::Region::new("eu-west-1"))
                .credentials_provider($crate::aws::testing::credentials())
                .http_client($service.clone())
                .sleep_impl($crate::aws::testing::NoSleep)
                .interceptor($interceptor)
                .build(),
        )
    };
    ($sdk:ident, $service:expr) => {
        $crate::aws::testing::client!($sdk, $service, $crate::aws::interceptor())
    };
}
pub(super) use client;

/// Hex of a span's ids as in `traceparent`.
pub(super) fn traceparent(span: &Span) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id))
}

/// An attribute of a span, whatever its type, as text.
pub(super) fn attribute(span: &Span, key: &str) -> Option<String> {
    fn text(value: Value) -> String {
        match value {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            Value::ArrayValue(list) => list
                .values
                .into_iter()
                .filter_map(|value| value.value)
                .map(text)
                .collect::<Vec<_>>()
                .join(","),
            other => format!("{other:?}"),
        }
    }
    let attribute = span.attributes.iter().find(|attribute| attribute.key == key)?;
    attribute.value.clone()?.value.map(text)
}

/// What a span says of the injection: where to, and why not.
pub(super) fn injection(span: &Span) -> (String, Option<String>) {
    let injected = attribute(span, "throughline.injected").unwrap_or_default();
    (injected, attribute(span, "throughline.inject.skipped"))
}

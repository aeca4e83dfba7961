//! A request while it is out: its span, and what is said on it.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Extensions, Method, StatusCode, Version};

use super::dry_run::KeptBack;
use super::target::Target;
use super::{Resend, Template};
use crate::capture::{Capture, Taken};
use crate::propagation::Carrier;
use crate::scope::{OpenSpan, Scope};
use crate::span::SpanKind;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// Methods that are told as they are: those of RFC 9110, `PATCH`, and `QUERY`
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];

/// A request that is out. Its span ends when it is dropped.
#[derive(Debug)]
pub(super) struct Call {
    span: OpenSpan,
    /// What was sent, if that is to be told.
    request: Option<Taken>,
}

impl Call {
    /// Begins the span of a request and writes the context into `headers`. `None` where nothing is traced.
    ///
    /// `baggage`: whether what is sent goes to `target` and nowhere else.
    pub(super) fn begin(
        method: &Method,
        target: &Target,
        headers: &mut HeaderMap,
        extensions: &Extensions,
        baggage: bool,
    ) -> Option<Self> {
        let scope = Scope::of_call().filter(|scope| scope.invocation().settings().enabled)?;
        let known = METHODS.contains(&method.as_str());
        let name = if known { method.as_str() } else { "HTTP" };
        let template = extensions.get::<Template>().map(|template| template.0.as_ref());
        let name = template.map_or_else(|| name.to_owned(), |template| format!("{name} {template}"));

        let mut span = scope.start_span(SpanKind::Client, &name);
        span.set("http.request.method", if known { method.as_str() } else { "_OTHER" });
        if !known {
            span.set("http.request.method_original", scope.keys().text(method.as_str()));
        }
        for (key, value) in [
            ("url.template", template),
            ("server.address", target.host.as_deref()),
            ("url.full", target.full.as_deref().map(|full| scope.keys().text(full)).as_deref()),
        ] {
            if let Some(value) = value {
                span.set(key, value);
            }
        }
        if let Some(port) = target.port {
            span.set("server.port", i64::from(port));
        }
        if let Some(Resend(count @ 1..)) = extensions.get() {
            span.set("http.request.resend_count", i64::from(*count));
        }
        let skipped = inject(&scope, &span, target, headers, baggage);
        span.set("throughline.injected", if skipped.is_none() { "header" } else { "none" });
        if let Some(why) = skipped {
            span.set("throughline.inject.skipped", why);
        }
        span.write_down();
        Some(Self { span, request: None })
    }

    /// Records that the request is not sent, and whether the program answers it itself.
    pub(super) fn kept_back(&mut self, kept_back: &KeptBack) {
        let key = match kept_back {
            KeptBack::Stubbed(_) => "throughline.dry_run.stubbed",
            KeptBack::Refused(_) => "throughline.dry_run.refused",
        };
        self.span.set(key, true);
    }

    /// Takes what is sent, if that is asked for.
    pub(super) fn sends(&mut self, body: impl FnOnce(&Capture) -> Option<Taken>) {
        let capture = self.span.capture_calls();
        if !capture.is_off() {
            self.request = body(capture);
        }
    }

    /// Records what is there of the response's body, after all else.
    pub(super) fn got(&mut self, body: impl FnOnce(&Capture) -> Option<Taken>) {
        let capture = self.span.capture_calls();
        if !capture.is_off() {
            let response = body(capture);
            self.span.tell("throughline.response", response.as_ref());
        }
    }

    /// Records the head of the response.
    pub(super) fn answered(&mut self, status: StatusCode, version: Version) {
        self.span.set("http.response.status_code", i64::from(status.as_u16()));
        let version = match version {
            Version::HTTP_10 => Some("1.0"),
            Version::HTTP_11 => Some("1.1"),
            Version::HTTP_2 => Some("2"),
            Version::HTTP_3 => Some("3"),
            _ => None,
        };
        if let Some(version) = version {
            self.span.set("network.protocol.version", version);
        }
        if status.is_client_error() || status.is_server_error() {
            self.span.set("error.type", status.as_str());
            // The status code says it all: the conventions want no description beside it.
            self.span.fail_quietly(status.as_str(), "");
        }
        self.span.tell("throughline.request", self.request.as_ref());
    }

    /// Records that there was no response.
    pub(super) fn failed(&mut self, error_type: &str, message: &str) {
        self.span.fail(error_type, message);
        self.span.tell("throughline.request", self.request.as_ref());
    }
}

/// Writes the context into the headers; the reason why not, if it was not.
fn inject(
    scope: &Scope,
    span: &OpenSpan,
    target: &Target,
    headers: &mut HeaderMap,
    baggage: bool,
) -> Option<&'static str> {
    if target.presigned {
        return Some("presigned");
    }
    if headers.contains_key(TRACEPARENT) {
        return Some("caller-set");
    }
    let hosts = &scope.invocation().settings().baggage_hosts;
    let trusted = baggage && target.host.as_deref().is_some_and(|host| hosts.contains(host));
    let carrier: Carrier = scope.context(&span.context()).to_carrier();
    let values = [
        (TRACEPARENT, Some(carrier.traceparent)),
        (TRACESTATE, carrier.tracestate),
        (BAGGAGE, carrier.baggage.filter(|_| trusted)),
    ];
    for (name, value) in values {
        // A foreign tracer's state may hold what no header may.
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.entry(name).or_insert(value);
        }
    }
    None
}

//! The public edge: HTTP requests through API Gateway or a function URL.

mod http_api;
mod rest_api;

use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::Reading;
use super::event::Event;
use super::headers::Headers;
use super::json::Part;
use crate::settings::Trust;
use crate::span::{SpanKind, Value, attribute};

/// What the semantic conventions take for a method
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).
const METHODS: [&str; 10] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"];

pub(super) fn read(event: &Event<'_>, trust: Trust) -> Option<Reading> {
    let request = http_api::read(event).or_else(|| rest_api::read(event))?;
    Some(request.reading(&Headers::of(event), trust))
}

/// A request, wherever its parts stand in the event.
#[derive(Debug)]
struct Request<'a> {
    method: String,
    /// The pattern that matched; `None` where all requests go to one function.
    route: Option<String>,
    path: Part<'a>,
    id: Part<'a>,
    host: Part<'a>,
    protocol: Part<'a>,
    client: Part<'a>,
    user_agent: Part<'a>,
}

impl Request<'_> {
    fn reading(&self, headers: &Headers<'_>, trust: Trust) -> Reading {
        let known = METHODS.contains(&self.method.as_str());
        let method = if known { self.method.as_str() } else { "_OTHER" };
        let name = match (&self.route, known) {
            (Some(route), true) => format!("{method} {route}"),
            (None, true) => method.to_owned(),
            (Some(route), false) => format!("HTTP {route}"),
            (None, false) => "HTTP".to_owned(),
        };
        Reading {
            trigger: "http",
            kind: SpanKind::Server,
            name: Some(name),
            // `$default` is what API Gateway calls the route of all that has no other.
            source: format!("http {method} {}", self.route.as_deref().unwrap_or("$default")),
            attributes: self.attributes(method, headers),
            sender: headers.sender(trust),
            join: None,
            records: Vec::new(),
            partial: None,
            request_id: self.id.text().filter(|id| !id.is_empty()).map(Into::into),
            stripped: None,
        }
    }

    fn attributes(&self, method: &str, headers: &Headers<'_>) -> Vec<KeyValue> {
        let mut attributes = vec![attribute("http.request.method", method)];
        let mut add = |key: &str, value: Option<Value>| {
            attributes.extend(value.map(|value| attribute(key, value)));
        };
        let text = |part: Part<'_>| part.text().map(|text| Value::from(text.into_owned()));
        let version = self.protocol.text().and_then(|protocol| Some(protocol.strip_prefix("HTTP/")?.into()));
        add("http.request.method_original", (method != self.method).then(|| self.method.as_str().into()));
        add("http.route", self.route.as_deref().map(Value::from));
        add("url.path", text(self.path));
        let scheme =
            headers.get("x-forwarded-proto").filter(|scheme| ["http", "https"].contains(&scheme.as_str()));
        add("url.scheme", scheme.map(Value::from));
        add("server.address", text(self.host));
        add("client.address", text(self.client));
        add("user_agent.original", text(self.user_agent));
        add("network.protocol.version", version);
        attributes
    }
}

#[cfg(test)]
mod tests;

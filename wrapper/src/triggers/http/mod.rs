//! The public edge: HTTP requests through API Gateway, a function URL, a load balancer, VPC Lattice or AppSync, and
//! the authorizers that guard them. A file each says where the parts of a [`Request`] stand in its event.
//!
//! The attributes are those of the semantic conventions
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span>), but for `url.query`: a query
//! may hold a secret under any name, so it is left out. So are headers, cookies and tokens.

mod alb;
mod appsync;
mod authorizer;
mod http_api;
mod lattice;
mod rest_api;
mod websocket;

use std::net::{IpAddr, SocketAddr};

use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::event::Event;
use super::headers::Headers;
use super::json::{Part, shape};
use super::{Answers, Reading};
use crate::settings::Trust;
use crate::span::{SpanKind, Value, attribute};

/// What the semantic conventions take for a method.
const METHODS: [&str; 10] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"];

pub(super) fn read(event: &Event<'_>, trust: Trust) -> Option<Reading> {
    let context: RequestContext<'_> = event.request_context.object().unwrap_or_default();
    let request = authorizer::read(event, &context)
        .or_else(|| websocket::read(event, &context))
        .or_else(|| http_api::read(event, &context))
        .or_else(|| rest_api::read(event, &context))
        .or_else(|| alb::read(event, &context))
        .or_else(|| lattice::read(event, &context))
        .or_else(|| appsync::read(event))?;
    Some(request.reading(trust))
}

shape! {
    /// What API Gateway, load balancers, VPC Lattice and AppSync know of a request.
    struct RequestContext {
        api_id: "apiId",
        connection_id: "connectionId",
        domain_name: "domainName",
        elb: "elb",
        event_type: "eventType",
        /// What the API itself calls the request. In place of a REST API's `requestId` the client may send one
        /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-access-logging.html>), and the correlation
        /// id is nobody's to choose.
        extended_request_id: "extendedRequestId",
        http: "http",
        identity: "identity",
        protocol: "protocol",
        /// Where there is no other, as in an HTTP API: the service's own.
        request_id: "requestId",
        route_key: "routeKey",
        service_arn: "serviceArn",
        service_network_arn: "serviceNetworkArn",
    }
}

shape! {
    /// `identity` of a request context.
    struct Identity {
        source_ip: "sourceIp",
        user_agent: "userAgent",
    }
}

/// A request, wherever its parts stand in the event.
#[derive(Debug, Default)]
struct Request<'a> {
    name: String,
    /// As in [`Reading::source`].
    source: String,
    method: Option<String>,
    /// The pattern that matched; `None` where all requests go to one function.
    route: Option<String>,
    path: Part<'a>,
    id: Part<'a>,
    protocol: Part<'a>,
    // What follows stands in the headers too, if it is not here.
    host: Part<'a>,
    client: Part<'a>,
    user_agent: Part<'a>,
    headers: Headers<'a>,
    answers: Answers,
    /// Attributes that only this trigger has.
    more: Vec<KeyValue>,
}

impl<'a> Request<'a> {
    /// A request that the function answers itself. Where no route has a name, its source ends in `otherwise`.
    fn http(event: &Event<'a>, method: String, route: Option<String>, otherwise: &str) -> Self {
        let known = known_method(&method);
        let route_after_space = route.as_ref().map(|route| format!(" {route}"));
        let name = format!("{}{}", known.unwrap_or("HTTP"), route_after_space.as_deref().unwrap_or_default());
        let source = route_after_space.as_deref().unwrap_or(otherwise);
        let source = format!("http {}{source}", known.unwrap_or("_OTHER"));
        Self {
            name,
            source,
            method: Some(method),
            route,
            answers: Answers::Response,
            headers: Headers::of(event),
            ..Self::default()
        }
    }

    fn reading(self, trust: Trust) -> Reading {
        Reading {
            trigger: "http",
            kind: SpanKind::Server,
            attributes: self.attributes(),
            sender: self.headers.sender(trust),
            trace: None,
            join: None,
            records: Vec::new(),
            answers: self.answers,
            request_id: self.id.header().filter(|id| !id.is_empty()).map(Into::into),
            dry_runs: Vec::new(),
            stripped: None,
            name: Some(self.name),
            source: self.source,
        }
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = self.more.clone();
        let mut add = |key: &str, value: Option<Value>| {
            attributes.extend(value.map(|value| attribute(key, value)));
        };
        let text = |part: Part<'_>| part.text().filter(|text| !text.is_empty()).map(|text| text.into_owned());
        let header = |name: &str| self.headers.get(name);
        if let Some(method) = &self.method {
            let known = known_method(method);
            add("http.request.method", Some(known.unwrap_or("_OTHER").into()));
            add("http.request.method_original", known.is_none().then(|| method.as_str().into()));
        }
        add("http.route", self.route.as_deref().map(Value::from));
        add("url.path", text(self.path).map(Value::from));
        let scheme =
            header("x-forwarded-proto").filter(|scheme| ["http", "https"].contains(&scheme.as_str()));
        add("url.scheme", scheme.map(Value::from));
        let host = text(self.host).or_else(|| header("host"));
        let (address, port) = host.as_deref().map(host_and_port).unwrap_or_default();
        let port = port.or_else(|| header("x-forwarded-port")?.parse().ok());
        add("server.address", address.map(Value::from));
        add("server.port", port.filter(|_| address.is_some()).map(|port| i64::from(port).into()));
        let client = text(self.client).or_else(|| client_of(&header("x-forwarded-for")?));
        add("client.address", client.map(Value::from));
        add("user_agent.original", text(self.user_agent).or_else(|| header("user-agent")).map(Value::from));
        let version =
            self.protocol.text().and_then(|protocol| Some(protocol.strip_prefix("HTTP/")?.to_owned().into()));
        add("network.protocol.version", version);
        attributes
    }
}

/// A method that may be in a name.
fn known_method(method: &str) -> Option<&'static str> {
    METHODS.into_iter().find(|known| *known == method)
}

/// A `Host`, which may name a port; an IPv6 address stands in brackets.
fn host_and_port(host: &str) -> (Option<&str>, Option<u16>) {
    let (address, port) = match host.rsplit_once(':') {
        Some((address, port)) if !host.ends_with(']') => (address, port.parse().ok()),
        _ => (host, None),
    };
    (Some(address.trim_matches(['[', ']'])).filter(|address| !address.is_empty()), port)
}

/// The client in `X-Forwarded-For`: the first, if it is an address, which a load balancer may give with a port.
fn client_of(forwarded: &str) -> Option<String> {
    let first = forwarded.split(',').next()?.trim();
    let address: IpAddr = first.parse().ok().or_else(|| Some(first.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_string())
}

/// What stands behind the last slash of an ARN, or the ARN's resource.
fn last_part(arn: Part<'_>) -> Option<String> {
    let arn = arn.text()?;
    arn.rsplit(['/', ':']).next().filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod trust_tests;

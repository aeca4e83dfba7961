//! Whom a span calls: as its attributes say it, by the semantic conventions of today and by those before them, which
//! most libraries still write (<https://opentelemetry.io/docs/specs/semconv/registry/attributes/>).

use std::collections::HashMap;

use crate::run::Run;
use crate::span::{Kind, Span};

/// Services that are called, by trace and id of the span that calls them. Of functions nothing: what one calls comes in a
/// request of its own.
#[derive(Debug, Default)]
pub(crate) struct Called<'a>(HashMap<(&'a str, &'a str), &'a str>);

impl<'a> Called<'a> {
    /// Those among these runs.
    pub(crate) fn among(runs: &'a [Run]) -> Self {
        let spans = runs.iter().filter(|run| run.is_of_service()).flat_map(|run| &run.spans);
        let servers = spans.filter(|span| span.kind == Kind::Server);
        let caller = |span: &'a Span| {
            Some(((span.trace_id.as_str(), span.parent_id.as_deref()?), span.function.as_str()))
        };
        Self(servers.filter_map(caller).collect())
    }

    /// Whom a span of a client calls: another service whose span is known, else what it says of it, named as
    /// `throughline.source` names what triggers a function.
    pub(super) fn by(&self, span: &Span) -> Option<String> {
        if !matches!(span.kind, Kind::Client | Kind::Producer) {
            return None;
        }
        let known = self.0.get(&(span.trace_id.as_str(), span.span_id.as_str()));
        let known = known.filter(|service| **service != span.function);
        known.map(|service| (*service).to_owned()).or_else(|| said(span))
    }
}

/// What a consumer of other tools takes its messages from.
pub(super) fn received_from(span: &Span) -> Option<String> {
    (span.kind == Kind::Consumer).then(|| messaging(span)).flatten()
}

fn said(span: &Span) -> Option<String> {
    let named = |kind: &str, name| Some(format!("{kind} {}", span.attribute(name)?));
    messaging(span)
        .or_else(|| first(span, &["faas.invoked_name"]))
        .or_else(|| database(span))
        .or_else(|| named("s3", "aws.s3.bucket"))
        .or_else(|| span.attribute("rpc.method")?.split_once('/').map(|(service, _)| service.to_owned()))
        .or_else(|| first(span, &["service.peer.name", "peer.service"]))
        .or_else(|| {
            let kind = span.attribute("rpc.system").unwrap_or("http");
            let peer = first(span, &["server.address", "net.peer.name", "rpc.service"])?;
            Some(format!("{kind} {peer}"))
        })
}

fn messaging(span: &Span) -> Option<String> {
    let system = span.attribute("messaging.system")?;
    // As the semantic conventions write them, and as sources do.
    let kind = system.strip_prefix("aws_").or_else(|| system.strip_prefix("aws.")).unwrap_or(system);
    let destination = first(span, &["messaging.destination.name", "messaging.destination"])?;
    Some(format!("{kind} {destination}"))
}

/// A statement may be of many tables, or tell none: then it is the database, or where that is.
fn database(span: &Span) -> Option<String> {
    let system = first(span, &["db.system.name", "db.system"])?;
    let system = system.strip_prefix("aws.").unwrap_or(&system);
    let of = [
        "db.collection.name",
        "db.sql.table",
        "db.mongodb.collection",
        "db.namespace",
        "db.name",
        "server.address",
        "net.peer.name",
    ];
    Some(first(span, &of).map_or_else(|| system.to_owned(), |of| format!("{system} {of}")))
}

fn first(span: &Span, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| span.attribute(name)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::group;
    use crate::testing::{Told as _, otlp};

    fn client(attributes: &[(&str, &str)]) -> Span {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Span { kind: Kind::Client, attributes: attributes.collect(), ..Span::default() }
    }

    #[test]
    fn what_is_called_is_named_by_new_conventions_and_by_old() {
        for (attributes, callee) in [
            (&[("db.system.name", "postgresql"), ("db.collection.name", "orders")][..], "postgresql orders"),
            (
                &[("db.system", "postgresql"), ("db.sql.table", "orders"), ("db.name", "shop")],
                "postgresql orders",
            ),
            (&[("db.system", "mysql"), ("db.name", "shop"), ("net.peer.name", "db")], "mysql shop"),
            (&[("db.system", "redis"), ("net.peer.name", "valkey-cart")], "redis valkey-cart"),
            (&[("db.system.name", "aws.dynamodb"), ("db.collection.name", "t")], "dynamodb t"),
            (&[("db.system", "redis")], "redis"),
            (&[("messaging.system", "kafka"), ("messaging.destination", "orders")], "kafka orders"),
            (&[("messaging.system", "aws_sqs"), ("messaging.destination.name", "q")], "sqs q"),
            (&[("http.method", "GET"), ("net.peer.name", "quote")], "http quote"),
            (&[("server.address", "quote"), ("server.port", "80")], "http quote"),
            (&[("rpc.system", "grpc"), ("net.peer.name", "cart"), ("rpc.service", "o.Cart")], "grpc cart"),
            (&[("rpc.system", "grpc"), ("rpc.service", "o.Cart"), ("rpc.method", "Get")], "grpc o.Cart"),
            (&[("peer.service", "quote"), ("server.address", "10.0.0.7")], "quote"),
        ] {
            assert_eq!(Called::default().by(&client(attributes)).as_deref(), Some(callee));
        }
        let inner = Span { kind: Kind::Internal, ..client(&[("db.system", "redis")]) };
        assert_eq!(Called::default().by(&inner), None);
    }

    #[test]
    fn a_service_is_named_by_the_span_that_it_was_called_with() {
        use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

        let of = |kind: SpanKind, id, parent| {
            let span = crate::testing::span(1, id, parent).attribute("server.address", "10.0.0.7");
            opentelemetry_proto::tonic::trace::v1::Span { kind: kind as i32, ..span }
        };
        let mut request = otlp("web", [of(SpanKind::Client, 2, Some(1)), of(SpanKind::Client, 3, Some(1))]);
        let cart = [
            of(SpanKind::Server, 4, Some(2)),
            of(SpanKind::Client, 5, Some(4)),
            of(SpanKind::Server, 6, Some(5)),
        ];
        request.resource_spans.extend(otlp("cart", cart).resource_spans);
        let runs = group(request);
        let called = Called::among(&runs);
        let by = |at: usize, span: usize| called.by(&runs[at].spans[span]).unwrap();
        assert_eq!((by(2, 0), by(2, 1)), ("cart".to_owned(), "http 10.0.0.7".to_owned()));
        assert_eq!(by(0, 1), "http 10.0.0.7", "it called itself");
    }
}

//! AppSync, direct Lambda resolvers (<https://docs.aws.amazon.com/appsync/latest/devguide/direct-lambda-reference.html>):
//! the field that is resolved, and the headers of the request. A batch is a list of them, all of one request.
//!
//! With a request mapping an event has any shape: see `triggers::invoke`.

use super::Request;
use crate::span::attribute;
use crate::triggers::event::Event;
use crate::triggers::headers::Headers;
use crate::triggers::json::shape;
use crate::triggers::scan::first_item;

pub(super) fn read<'a>(event: &Event<'a>) -> Option<Request<'a>> {
    // The others of a batch are of the same request.
    first_item(event.text).map_or_else(|| resolver(event), |first| resolver(&Event::parse(first)))
}

fn resolver<'a>(event: &Event<'a>) -> Option<Request<'a>> {
    let info: Info<'a> = event.info.object()?;
    let (parent, field) = (info.parent_type_name.text()?, info.field_name.text()?);
    let http: Http<'a> = event.request.object()?;
    let source = format!("graphql {parent}.{field}");
    let operation = match &*parent {
        "Query" => Some("query"),
        "Mutation" => Some("mutation"),
        "Subscription" => Some("subscription"),
        // A field of what another resolver found: nothing says in which operation.
        _ => None,
    };
    Some(Request {
        name: source.clone(),
        source,
        host: http.domain_name,
        headers: Headers::single(http.headers),
        more: operation.map(|operation| attribute("graphql.operation.type", operation)).into_iter().collect(),
        ..Request::default()
    })
}

shape! {
    struct Info {
        field_name: "fieldName",
        parent_type_name: "parentTypeName",
    }
}

shape! {
    struct Http {
        domain_name: "domainName",
        headers: "headers",
    }
}

//! API Gateway REST API, proxy integration, and payload format 1.0 of an HTTP API, which is the same
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>).
//! Without proxy integration an event has any shape: see `triggers::invoke`.

use super::{Identity, Request, RequestContext};
use crate::triggers::event::Event;

pub(super) fn read<'a>(event: &Event<'a>, context: &RequestContext<'a>) -> Option<Request<'a>> {
    event.request_context.raw()?;
    // A load balancer's request has a method too, but no resource.
    let resource = event.resource.text()?.into_owned();
    let method = event.http_method.text()?.into_owned();
    let identity: Identity<'a> = context.identity.object().unwrap_or_default();
    Some(Request {
        path: event.path,
        id: context.extended_request_id,
        host: context.domain_name,
        protocol: context.protocol,
        client: identity.source_ip,
        user_agent: identity.user_agent,
        ..Request::http(event, method, Some(resource), "")
    })
}

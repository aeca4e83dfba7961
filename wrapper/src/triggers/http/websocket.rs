//! API Gateway WebSocket API (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html>):
//! a client connects, sends messages, and is gone. Only the connection's own request has headers of the client;
//! a message has none, so that only the invocation's X-Ray header tells where it belongs.

use super::{Identity, Request, RequestContext};
use crate::span::attribute;
use crate::triggers::Answers;
use crate::triggers::event::Event;
use crate::triggers::headers::Headers;

pub(super) fn read<'a>(event: &Event<'a>, context: &RequestContext<'a>) -> Option<Request<'a>> {
    let connection = context.connection_id.text()?;
    let kind = context.event_type.text()?;
    // `$connect`, `$disconnect`, `$default` or a route of the API's own: never what the client wrote.
    let route = context.route_key.text().unwrap_or_else(|| kind.clone());
    let identity: Identity<'a> = context.identity.object().unwrap_or_default();
    let source = format!("websocket {route}");
    Some(Request {
        name: source.clone(),
        source,
        id: context.extended_request_id,
        host: context.domain_name,
        client: identity.source_ip,
        user_agent: identity.user_agent,
        headers: Headers::of(event),
        // A connection is refused with a status; a message's goes nowhere, and says how it went all the same.
        answers: Answers::Response,
        more: vec![
            attribute("network.protocol.name", "websocket"),
            attribute("throughline.websocket.event", &*kind),
            attribute("throughline.websocket.connection", &*connection),
        ],
        ..Request::default()
    })
}

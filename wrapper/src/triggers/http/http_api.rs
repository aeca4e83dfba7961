//! API Gateway HTTP API, payload format 2.0, and function URLs, which speak the same but have no routes
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads>).

use super::{Request, RequestContext};
use crate::triggers::Answers;
use crate::triggers::event::Event;
use crate::triggers::json::shape;

pub(super) fn read<'a>(event: &Event<'a>, context: &RequestContext<'a>) -> Option<Request<'a>> {
    let http: Http<'a> = context.http.object()?;
    let method = http.method.text()?.into_owned();
    // The route key is `$default` or `POST /orders/{id}`.
    let route = event.route_key.text().and_then(|key| Some(key.split_once(' ')?.1.to_owned()));
    let is_function_url = context.domain_name.text().is_some_and(|domain| domain.contains(".lambda-url."));
    let otherwise = if is_function_url { "" } else { " $default" };
    Some(Request {
        path: event.raw_path,
        id: context.request_id,
        host: context.domain_name,
        protocol: http.protocol,
        client: http.source_ip,
        user_agent: http.user_agent,
        answers: Answers::ResponseOrBody,
        ..Request::http(event, method, route, otherwise)
    })
}

shape! {
    pub(super) struct Http {
        pub(super) method: "method",
        protocol: "protocol",
        source_ip: "sourceIp",
        user_agent: "userAgent",
    }
}

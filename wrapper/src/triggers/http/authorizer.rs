//! Authorizers of API Gateway
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html>), AppSync
//! (<https://docs.aws.amazon.com/appsync/latest/devguide/security-authz.html#aws-lambda-authorization>) and IoT
//! (<https://docs.aws.amazon.com/iot/latest/developerguide/custom-auth-lambda.html>). What is in their events is of
//! the request that they guard, and read as that. The token is not looked at.

use super::{Identity, Request, RequestContext, http_api, known_method, rest_api};
use crate::triggers::Answers;
use crate::triggers::event::Event;
use crate::triggers::headers::Headers;
use crate::triggers::json::shape;

pub(super) fn read<'a>(event: &Event<'a>, context: &RequestContext<'a>) -> Option<Request<'a>> {
    api_gateway(event, context).or_else(|| appsync(event, context)).or_else(|| iot(event))
}

fn api_gateway<'a>(event: &Event<'a>, context: &RequestContext<'a>) -> Option<Request<'a>> {
    matches!(event.kind.text().as_deref(), Some("TOKEN" | "REQUEST")).then_some(())?;
    let arn = event.method_arn.text().or_else(|| event.route_arn.text())?;
    // Format 1.0 has the shape of a REST API's request, 2.0 that of an HTTP API's, a WebSocket's neither.
    let guarded = rest_api::read(event, context).or_else(|| http_api::read(event, context));
    let guarded = guarded.unwrap_or_else(|| {
        let identity: Identity<'a> = context.identity.object().unwrap_or_default();
        Request {
            id: context.extended_request_id,
            host: context.domain_name,
            client: identity.source_ip,
            user_agent: identity.user_agent,
            headers: Headers::of(event),
            ..Request::default()
        }
    });
    let what = match (&guarded.method, &guarded.route) {
        (Some(method), Some(route)) => format!("{} {route}", known_method(method).unwrap_or("_OTHER")),
        (Some(method), None) => format!("{} $default", known_method(method).unwrap_or("_OTHER")),
        // A path in an ARN is the client's: only what the API itself named is told.
        (None, _) => match context.route_key.text() {
            Some(route) => route.into_owned(),
            None => stage(&arn).unwrap_or("unknown").to_owned(),
        },
    };
    Some(named(guarded, &what))
}

/// `<api>/<stage>` of `arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>`.
fn stage(arn: &str) -> Option<&str> {
    let resource = arn.splitn(6, ':').nth(5)?;
    let end = resource.match_indices('/').nth(1).map_or(resource.len(), |(at, _)| at);
    resource.get(..end).filter(|stage| !stage.is_empty())
}

fn appsync<'a>(event: &Event<'a>, context: &RequestContext<'a>) -> Option<Request<'a>> {
    event.authorization_token.raw()?;
    let api = context.api_id.text()?;
    let headers = Headers::single(event.request_headers);
    Some(named(Request { id: context.request_id, headers, ..Request::default() }, &format!("graphql {api}")))
}

fn iot<'a>(event: &Event<'a>) -> Option<Request<'a>> {
    event.signature_verified.raw()?;
    let protocols: Protocols<'a> = event.protocol_data.object()?;
    let http: IotHttp<'a> = protocols.http.object().unwrap_or_default();
    Some(named(Request { headers: Headers::single(http.headers), ..Request::default() }, "iot"))
}

fn named<'a>(guarded: Request<'a>, what: &str) -> Request<'a> {
    let source = format!("authorizer {what}");
    // It answers with a policy, not with a response to the request.
    Request { name: source.clone(), source, answers: Answers::Opaque, ..guarded }
}

shape! {
    struct Protocols {
        http: "http",
    }
}

shape! {
    struct IotHttp {
        headers: "headers",
    }
}

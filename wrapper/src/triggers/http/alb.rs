//! Application Load Balancer, with single or multi-value headers as its target group is set
//! (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html>). It has no routes
//! that one could see: what is low in number is the target group.

use super::{Request, RequestContext};
use crate::triggers::event::Event;
use crate::triggers::json::shape;

pub(super) fn read<'a>(event: &Event<'a>, context: &RequestContext<'a>) -> Option<Request<'a>> {
    let balancer: Balancer<'a> = context.elb.object()?;
    let method = event.http_method.text()?.into_owned();
    let group = balancer.target_group_arn.text().and_then(|arn| group(&arn).map(str::to_owned));
    let otherwise = group.map_or_else(|| " < alb".to_owned(), |group| format!(" < alb {group}"));
    Some(Request { path: event.path, ..Request::http(event, method, None, &otherwise) })
}

/// `arn:…:targetgroup/<name>/<id>`.
fn group(arn: &str) -> Option<&str> {
    arn.split_once(":targetgroup/")?.1.split('/').next().filter(|name| !name.is_empty())
}

shape! {
    struct Balancer {
        target_group_arn: "targetGroupArn",
    }
}

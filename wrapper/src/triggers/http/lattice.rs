//! VPC Lattice, event structure 1 (`raw_path`, several values of a header are one with commas) and 2 (headers are
//! lists) (<https://docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html#receive-event-from-service>).
//! Other services of the company call through it, so it is an edge all the same.

use super::{Request, RequestContext, last_part};
use crate::triggers::event::Event;

pub(super) fn read<'a>(event: &Event<'a>, context: &RequestContext<'a>) -> Option<Request<'a>> {
    let method = event.method.text()?.into_owned();
    let second = context.service_network_arn.text().is_some();
    let first = event.request_context.raw().is_none() && event.raw_path_v1.text().is_some();
    let path = if second { event.path } else { event.raw_path_v1 };
    let service = last_part(context.service_arn);
    let otherwise =
        service.map_or_else(|| " < lattice".to_owned(), |service| format!(" < lattice {service}"));
    // The headers tell it from a direct invoke that happens to have such members.
    event.headers.raw()?;
    (first || second).then(|| Request { path, ..Request::http(event, method, None, &otherwise) })
}

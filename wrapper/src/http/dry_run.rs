//! What becomes of a request in a dry run.

use bytes::Bytes;
use http::{Method, Response, Uri};

use crate::dry_run::{Mark, Refused, Why, for_request};
use crate::scope::Scope;

/// A request that is not sent.
#[derive(Debug)]
pub(super) enum KeptBack {
    /// The program answers it itself.
    Stubbed(Response<Bytes>),
    Refused(Refused),
}

/// Whether the request that is about to be made is kept back; `None` if it goes out.
pub(super) fn keep_back(method: &Method, uri: &Uri) -> Option<KeptBack> {
    let scope = Scope::of_call().filter(|scope| scope.invocation().settings().enabled)?;
    let mark = scope.dry_run()?;
    let stub = (mark == Mark::DryRun).then(|| for_request(method, uri)).flatten();
    if let Some(response) = stub {
        return Some(KeptBack::Stubbed(response));
    }
    let rules = &scope.invocation().settings().dry_run;
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let why = match mark {
        _ if rules.refused.has_address(uri) => Why::Listed,
        _ if reads || rules.allowed.has_address(uri) => return None,
        Mark::Mixed => Why::Mixed,
        Mark::DryRun => Why::Writes,
    };
    // The path and the query may hold secrets.
    let what = uri.host().map_or_else(|| method.to_string(), |host| format!("{method} {host}"));
    Some(KeptBack::Refused(Refused::new(what, why)))
}

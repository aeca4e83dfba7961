//! Bodies of clients that are a `tower` service: of any type, and only some can be looked at without reading them.

use std::any::Any;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body::Body as _;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;

use crate::capture::{Capture, Taken};

/// Takes a body if it is in memory; of another, that it is a stream. `None` of one that is empty.
pub(super) fn take<B: 'static>(body: &B, capture: &Capture) -> Option<Taken> {
    let body: &dyn Any = body;
    let is_end = |body: &Incoming| body.is_end_stream();
    if body.is::<()>() || body.is::<Empty<Bytes>>() || body.downcast_ref().is_some_and(is_end) {
        return None;
    }
    if let Some(whole) = body.downcast_ref::<Full<Bytes>>() {
        // Its bytes are shared, and only a copy of it gives them away.
        let data = whole.clone().frame().now_or_never()??.ok()?.into_data().ok()?;
        return capture.take_body(Some(&data));
    }
    #[cfg(feature = "reqwest")]
    if let Some(body) = body.downcast_ref::<reqwest::Body>() {
        return capture.take_body(body.as_bytes());
    }
    let text = || body.downcast_ref::<String>().map(String::as_bytes);
    let literal = || body.downcast_ref::<&'static str>().map(|text| text.as_bytes());
    let bytes = || body.downcast_ref::<Bytes>().map(AsRef::as_ref);
    let vec = || body.downcast_ref::<Vec<u8>>().map(AsRef::as_ref);
    capture.take_body(text().or_else(literal).or_else(bytes).or_else(vec))
}

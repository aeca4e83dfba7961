//! The body of a response: the service's, or in a dry run one of ours.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response of [`HttpService`](super::HttpService): the inner service's own, unless a
    /// [dry run](crate::dry_run) kept the request back.
    #[derive(Debug)]
    pub struct HttpBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProj]
    enum Kind<B> {
        Service { #[pin] body: B },
        /// Taken when it was read.
        Ours { body: Option<Bytes> },
    }
}

impl<B> HttpBody<B> {
    pub(super) fn of_service(body: B) -> Self {
        Self { kind: Kind::Service { body } }
    }

    pub(super) fn ours(body: Bytes) -> Self {
        Self { kind: Kind::Ours { body: Some(body).filter(|body| !body.is_empty()) } }
    }

    /// The inner service's own body; `None` if it was not asked.
    pub fn into_inner(self) -> Option<B> {
        match self.kind {
            Kind::Service { body } => Some(body),
            Kind::Ours { .. } => None,
        }
    }
}

impl<B: Body> Body for HttpBody<B>
where
    B::Data: From<Bytes>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.project().kind.project() {
            KindProj::Service { body } => body.poll_frame(cx),
            KindProj::Ours { body } => Poll::Ready(body.take().map(|body| Ok(Frame::data(body.into())))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Service { body } => body.is_end_stream(),
            Kind::Ours { body } => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Service { body } => body.size_hint(),
            Kind::Ours { body } => {
                let length = body.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
        }
    }
}

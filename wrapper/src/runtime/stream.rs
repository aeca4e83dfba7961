//! A response stream: polled on another task, so the context is entered again at each poll.

use std::fmt::{self, Debug};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::handler::observe_panic;
use crate::diagnostics::written;
use crate::scope::Scope;
use crate::span::Failure;

/// What the runtime tells Lambda of every stream that ends with an error.
const BROKEN_OFF: &str = "Runtime.StreamError";

/// A response stream that runs inside its invocation's context and tells the invocation span how it ended.
pub struct ObservedStream<S> {
    stream: S,
    /// Taken when the stream has ended.
    scope: Option<Scope>,
}

impl<S> ObservedStream<S> {
    pub(super) fn new(stream: S, scope: Option<Scope>) -> Self {
        if let Some(scope) = &scope {
            scope.invocation().stream_begins();
        }
        Self { stream, scope }
    }
}

impl<S> Debug for ObservedStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedStream").finish_non_exhaustive()
    }
}

impl<S, D, E> Stream for ObservedStream<S>
where
    S: Stream<Item = Result<D, E>> + Unpin,
    E: Debug,
{
    type Item = Result<D, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(scope) = &this.scope else {
            return Pin::new(&mut this.stream).poll_next(cx);
        };
        let poll = || Pin::new(&mut this.stream).poll_next(cx);
        let polled = scope.enter(|| observe_panic(Some(scope.invocation()), poll));
        match &polled {
            Poll::Ready(None) => scope.invocation().stream_ends(),
            Poll::Ready(Some(Err(error))) => {
                let message = written(|| format!("{error:?}"));
                scope.invocation().fail(Failure::new(BROKEN_OFF, &message));
                scope.invocation().stream_ends();
            }
            Poll::Ready(Some(Ok(_))) | Poll::Pending => return polled,
        }
        this.scope = None;
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use futures_util::{FutureExt as _, StreamExt as _, stream};
    use opentelemetry_proto::tonic::trace::v1::Span;

    use super::*;
    use crate::testing::{scope, text};

    type Item = Result<&'static str, &'static str>;

    /// The invocation span of a stream of which so many items were asked for.
    fn asked(items: Vec<Item>, times: usize, status: Option<u16>) -> Span {
        let scope = scope();
        let mut stream = ObservedStream::new(stream::iter(items), Some(scope.clone()));
        for _ in 0..times {
            let _ = stream.next().now_or_never();
        }
        if let Some(status) = status {
            scope.invocation().is_refused(status);
        }
        drop(stream);
        scope.invocation().reach("shop::report");
        scope.invocation().close().remove(0).decode()
    }

    #[test]
    fn a_client_that_goes_away_is_no_error() {
        let failed = |span: &Span| span.status.as_ref().map(|status| status.message.clone());
        let gone = |span: &Span| text(span, "throughline.client_gone");
        let whole = asked(vec![Ok("a"), Ok("b")], 3, None);
        assert_eq!((gone(&whole), failed(&whole)), (None, None));
        for status in [None, Some(500)] {
            let left = asked(vec![Ok("a"), Ok("b")], 1, status);
            assert_eq!((gone(&left).as_deref(), failed(&left)), (Some("BoolValue(true)"), None));
        }
        let broken = asked(vec![Ok("a"), Err("no more")], 2, None);
        assert_eq!((gone(&broken), failed(&broken).as_deref()), (None, Some("\"no more\"")));
        assert_eq!(text(&broken, "error.type").as_deref(), Some(BROKEN_OFF));
        let large = asked(vec![Ok("a"), Ok("b")], 1, Some(413));
        assert_eq!(text(&large, "error.type").as_deref(), Some("Function.ResponseSizeTooLarge"));
        let refused = asked(vec![], 1, Some(410));
        assert_eq!(failed(&refused).as_deref(), Some("Lambda refused the response with status 410"));
    }

    #[test]
    fn a_stream_that_panics_has_failed_and_nobody_has_left_it() {
        let scope = scope();
        let broken = stream::poll_fn(|_| -> Poll<Option<Item>> { panic!("on purpose") });
        let mut stream = ObservedStream::new(broken, Some(scope.clone()));
        let next = AssertUnwindSafe(|| stream.next().now_or_never());
        assert!(catch_unwind(next).is_err(), "it is the runtime's to answer for");
        scope.invocation().reach("shop::report");
        let span = scope.invocation().close().remove(0).decode();
        assert_eq!(text(&span, "error.type").as_deref(), Some("panic"));
        assert_eq!(text(&span, "throughline.client_gone"), None);
        assert_eq!(span.status.unwrap().message, "on purpose");
    }
}

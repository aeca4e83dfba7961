//! What must hold of every hop.

use throughline_tests::spans::Arrived;

use crate::function::Function;

/// What a handler saw of a message, next to the message itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    /// The message's own id, as the service gave it.
    pub(crate) id: String,
    /// The payload.
    pub(crate) payload: String,
    /// The baggage `tenant`.
    pub(crate) tenant: Option<String>,
    pub(crate) correlation_id: Option<String>,
}

impl Seen {
    /// What the running record's handler sees.
    pub(crate) fn now(id: impl Into<String>, payload: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            payload: payload.into(),
            tenant: throughline::context::baggage("tenant"),
            correlation_id: throughline::context::correlation_id(),
        }
    }

    /// The baggage is the sender's.
    #[track_caller]
    pub(crate) fn assert_baggage(&self) {
        assert_eq!(self.tenant.as_deref(), Some("acme"), "{self:?}");
        assert_eq!(self.correlation_id.as_deref(), Some("c-1"), "{self:?}");
    }
}

/// The sender's span of a message, by the id that the service gave it.
#[track_caller]
pub(crate) fn producer(sender: &Function, join: &str) -> Arrived {
    let found = sender.spans_where(|span| span.attribute("throughline.join.out").as_deref() == Some(join));
    assert_eq!(found.len(), 1, "senders of {join} among {:?}", names(sender));
    found.into_iter().next().unwrap()
}

/// The receiver's span that was called with, or processed, a message.
#[track_caller]
pub(crate) fn consumer(receiver: &Function, join: &str) -> Arrived {
    let joins = |span: &Arrived| {
        span.attribute("throughline.join.in").is_some_and(|ids| ids.split(',').any(|id| id == join))
    };
    // Of one record both the invocation and the record have the id; the record's span ends first.
    receiver
        .spans()
        .into_iter()
        .find(joins)
        .unwrap_or_else(|| panic!("nobody was called with {join}: {:?}", names(receiver)))
}

/// `span` is the child of `sender`, or of the invocation that is.
#[track_caller]
pub(crate) fn assert_child(receiver: &Function, span: &Arrived, sender: &Arrived) {
    assert_eq!(span.span.trace_id, sender.span.trace_id, "another trace");
    let parent = &span.span.parent_span_id;
    let invocation = receiver.invocation();
    let through_invocation =
        *parent == invocation.span.span_id && invocation.span.parent_span_id == sender.span.span_id;
    assert!(
        *parent == sender.span.span_id || through_invocation,
        "{} is not the child of {}",
        span.span.name,
        sender.span.name
    );
}

/// The sender's spans that say what became of a context, in the order of their end.
pub(crate) fn injections(sender: &Function) -> Vec<(String, Option<String>)> {
    let said = sender.spans_where(|span| span.attribute("throughline.injected").is_some());
    said.iter().map(injection).collect()
}

/// `throughline.injected` and `throughline.inject.skipped`.
pub(crate) fn injection(span: &Arrived) -> (String, Option<String>) {
    (span.attribute("throughline.injected").unwrap_or_default(), span.attribute("throughline.inject.skipped"))
}

/// What [`injection`] is compared with.
pub(crate) fn outcome(injected: &str, skipped: Option<&str>) -> (String, Option<String>) {
    (injected.to_owned(), skipped.map(str::to_owned))
}

fn names(function: &Function) -> Vec<String> {
    function.spans().into_iter().map(|span| span.span.name).collect()
}

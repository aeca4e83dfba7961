//! Which spans are entered on this thread, and by which task: where a task without task-locals belongs.
//!
//! A guard that is held over an await leaves its span entered while other tasks run on the thread
//! (<https://docs.rs/tracing/latest/tracing/struct.Span.html#in-asynchronous-code>). They may be another customer's:
//! only what a task has entered itself says where it belongs.

use std::cell::RefCell;

use opentelemetry::trace::SpanContext;
use tokio::task;
use tracing::span::Id;

use crate::scope::Scope;

/// The most spans that one thread may have entered at once and be known here.
const MAX_ENTERED: usize = 256;

thread_local! {
    static ENTERED: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

struct Entered {
    id: Id,
    /// Who entered it; `None` outside of tasks.
    task: Option<task::Id>,
    scope: Scope,
    context: SpanContext,
}

/// The innermost span of `scope` that this task has entered.
pub(crate) fn entered_span(scope: &Scope) -> Option<SpanContext> {
    innermost(|entry| entry.scope.is(scope), |entry| entry.context.clone())
}

/// The scope of the innermost span that this task has entered.
pub(crate) fn entered_scope() -> Option<Scope> {
    innermost(|_| true, |entry| entry.scope.clone())
}

/// Whether a span is entered on this thread by other tasks alone.
pub(super) fn is_elsewhere(id: &Id) -> bool {
    let here = innermost(|entry| entry.id == *id, |_| ()).is_some();
    !here && with(|entered| entered.iter().any(|entry| entry.id == *id)).unwrap_or_default()
}

/// What `get` takes of the innermost entry of this task that `is` the one.
fn innermost<T>(is: impl Fn(&Entered) -> bool, get: impl FnOnce(&Entered) -> T) -> Option<T> {
    let task = task::try_id();
    with(|entered| entered.iter().rev().find(|entry| entry.task == task && is(entry)).map(get))?
}

pub(super) fn enter(id: &Id, scope: Scope, context: SpanContext) {
    let entry = Entered { id: id.clone(), task: task::try_id(), scope, context };
    // What is pushed out is dropped outside the borrow: dropping a scope may end a span.
    let _oldest = with(|entered| {
        // Guards that were held across an await leave entries behind: the oldest go.
        let oldest = (entered.len() >= MAX_ENTERED).then(|| entered.remove(0));
        entered.push(entry);
        oldest
    });
}

pub(super) fn exit(id: &Id) {
    let task = task::try_id();
    let _exited = with(|entered| {
        let index = entered.iter().rposition(|entry| entry.task == task && entry.id == *id)?;
        Some(entered.remove(index))
    });
}

/// `None` while the thread ends, when its thread-locals are gone, and from within itself.
fn with<T>(work: impl FnOnce(&mut Vec<Entered>) -> T) -> Option<T> {
    ENTERED.try_with(|entered| entered.try_borrow_mut().ok().map(|mut entered| work(&mut entered))).ok()?
}

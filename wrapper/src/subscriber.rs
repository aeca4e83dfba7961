//! The program's own `tracing` spans and events, as spans of the invocation that they happen in.
//!
//! The wrapper's own spans need no subscriber: they are right whatever the program installed. This layer adds
//! the program's. An entered span also tells [`Scope`] where a spawned task belongs.

mod entered;
mod fields;
pub(crate) mod installed;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use opentelemetry::trace::SpanContext;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::debug;
use crate::logs;
use crate::runtime;
use crate::scope::{OpenSpan, Scope};
use crate::settings::process_env;
use crate::span::{Failure, SpanKind, attribute};
pub(crate) use entered::{entered_scope, entered_span};
use fields::Fields;
pub(crate) use installed::install;

/// Crates whose spans say nothing of the user's program: the HTTP stack's, the runtime's, our own.
const LEFT_OUT: [&str; 13] = [
    "h2",
    "hyper",
    "hyper_rustls",
    "hyper_util",
    "lambda_runtime",
    "lambda_runtime_api_client",
    "rustls",
    "throughline",
    "tokio",
    "tokio_util",
    "tonic",
    "tower",
    "tower_http",
];

/// The SDK's crates, by how their names begin.
const LEFT_OUT_OF_SDK: [&str; 8] = [
    "aws_config",
    "aws_credential_types",
    "aws_endpoint",
    "aws_runtime",
    "aws_sdk_",
    "aws_sigv4",
    "aws_smithy_",
    "aws_types",
];

/// The most events of one span that are kept.
const MAX_EVENTS: usize = 128;

/// A `tracing` layer that records the program's spans as children of the invocation.
///
/// [`run`](crate::run) installs it where no global subscriber is set. A program that installs its own adds it; without
/// it the program's spans are not recorded, while all else (invocation, record and call spans, the ids in log lines)
/// works as before.
///
/// The layer also takes the DEBUG lines that are written only where an invocation fails or is being debugged. So that they
/// come to it, filter the program's own layers one by one, not all together; `RUST_LOG` and `AWS_LAMBDA_LOG_LEVEL` are
/// taken for what the program filters by, and the lines that these let through are left to it. Where it writes DEBUG lines
/// for another reason, `THROUGHLINE_DEBUG_LINES=false` keeps them from being written twice.
///
/// The same holds of INFO. The ids in log lines come from a `tracing` span of that level (target `throughline::scope`), and
/// by it the layer knows where an event belongs. A filter over all layers that hides it, as
/// `registry().with(EnvFilter::new("warn"))` does, hides it from everybody: lines of `fmt::layer()` bear no ids, `error!`
/// is not counted as a swallowed error, and the program's spans at INFO are not recorded. Give the filter to the layer that
/// writes the log, `fmt::layer().with_filter(EnvFilter::new("warn,throughline::scope=info"))`, where the second part keeps
/// the ids; the others then see all.
///
/// ```
/// use tracing_subscriber::filter::LevelFilter;
/// use tracing_subscriber::{Layer as _, layer::SubscriberExt as _};
///
/// let log = tracing_subscriber::fmt::layer().with_filter(LevelFilter::INFO);
/// let subscriber = tracing_subscriber::registry().with(log).with(throughline::layer());
/// # drop(subscriber);
/// ```
#[must_use]
pub fn layer() -> TraceLayer {
    TraceLayer { logged: Some(Arc::new(logs::filter(&process_env))) }
}

/// The layer that [`layer`] makes.
#[derive(Clone, Debug)]
pub struct TraceLayer {
    /// What is logged anyway; `None` where another layer takes the DEBUG lines.
    logged: Option<Arc<EnvFilter>>,
}

/// Target of the wrapper's own `tracing` spans: they give log lines their ids and tell where a task belongs, but
/// they are no spans of the transaction, which has its own.
pub(crate) const MARKER: &str = "throughline::scope";

/// The `tracing` span that gives the log lines of a scope their ids, whatever subscriber the program installed.
///
/// A macro, since `tracing` wants names and fields where a span is written down.
macro_rules! log_span {
    ($scope:expr, $name:literal $(, $field:ident = $value:expr)*) => {{
        let scope: &$crate::scope::Scope = $scope;
        scope.enter(|| {
            tracing::info_span!(
                target: $crate::subscriber::MARKER,
                $name,
                $($field = $value,)*
                trace_id = %scope.span().trace_id(),
                span_id = %scope.span().span_id(),
                correlation_id = scope.correlation_id().map(|id| scope.keys().id(&id).into_owned()),
            )
        })
    }};
}
pub(crate) use log_span;

/// What a `tracing` span is to us.
struct Traced {
    scope: Scope,
    context: SpanContext,
    /// `None` for a marker.
    span: Option<OpenSpan>,
    events: usize,
}

impl<S> Layer<S> for TraceLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        // A program may have added the layer twice.
        if is_traced(&span) {
            return;
        }
        let metadata = attributes.metadata();
        let traced = if metadata.target() == MARKER {
            let Some(scope) = Scope::current() else { return };
            // Within a span of its own scope it tells nothing new, and would hide the program's.
            if above(&span, attributes.is_contextual()).is_some_and(|(of, _)| of.is(&scope)) {
                return;
            }
            Traced { context: scope.span().clone(), scope, span: None, events: 0 }
        } else if is_left_out(metadata.target()) {
            return;
        } else {
            let Some((scope, parent)) = place(&span, attributes.is_contextual()) else { return };
            let mut open = scope.start_child(&parent, SpanKind::Internal, metadata.name());
            open.extend(code(metadata));
            open.extend(Fields::of(|fields| attributes.record(fields)).0);
            open.write_down();
            Traced { scope, context: open.context(), span: Some(open), events: 0 }
        };
        span.extensions_mut().replace(traced);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        let Some(span) = cx.span(id).filter(is_traced) else { return };
        // Before the lock is taken: a value's `Debug` may itself log.
        let fields = Fields::of(|fields| values.record(fields));
        if let Some(open) = span.extensions_mut().get_mut::<Traced>().and_then(|traced| traced.span.as_mut())
        {
            open.extend(fields.0);
            open.write_down();
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        if is_left_out(event.metadata().target()) {
            runtime::heed(event);
            return;
        }
        if let Some(logged) = &self.logged
            && debug::is_kept(event.metadata())
            && !logged.enabled(event.metadata(), cx.clone())
        {
            debug::take(event);
        }
        let spans = cx.event_scope(event).into_iter().flatten();
        let Some(span) = innermost(spans, event.is_contextual()) else { return };
        let mut fields = Fields::of(|fields| event.record(fields));
        let name = fields.said().unwrap_or_else(|| event.metadata().name().to_owned());
        let mut attributes = vec![attribute("level", event.metadata().level().as_str())];
        attributes.extend(fields.0);

        let mut extensions = span.extensions_mut();
        let Some(traced) = extensions.get_mut::<Traced>().filter(|traced| traced.events < MAX_EVENTS) else {
            return;
        };
        traced.events += 1;
        let is_error = *event.metadata().level() == Level::ERROR;
        match &mut traced.span {
            Some(open) => {
                open.event(&name, attributes);
                if is_error {
                    open.fail_quietly("_OTHER", &name);
                }
            }
            None if is_error => traced.scope.note_error(Failure::new("_OTHER", &name)),
            None => {}
        }
    }

    fn on_enter(&self, id: &Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        let place =
            span.extensions().get::<Traced>().map(|traced| (traced.scope.clone(), traced.context.clone()));
        if let Some((scope, context)) = place {
            entered::enter(id, scope, context);
        }
    }

    fn on_exit(&self, id: &Id, _cx: Context<'_, S>) {
        entered::exit(id);
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        if let Some(span) = cx.span(&id) {
            let _ended = span.extensions_mut().remove::<Traced>();
        }
    }
}

fn is_traced<S: for<'a> LookupSpan<'a>>(span: &SpanRef<'_, S>) -> bool {
    span.extensions().get::<Traced>().is_some()
}

/// The innermost traced one of `spans`: of those that the program named, or that `tracing` takes for the current ones
/// of the context, as they are the thread's.
fn innermost<'a, S>(
    mut spans: impl Iterator<Item = SpanRef<'a, S>>,
    contextual: bool,
) -> Option<SpanRef<'a, S>>
where
    S: for<'b> LookupSpan<'b>,
{
    spans.find(is_traced).filter(|span| !(contextual && entered::is_elsewhere(&span.id())))
}

/// Where a new span belongs: its scope, and its parent there.
fn place<S>(span: &SpanRef<'_, S>, contextual: bool) -> Option<(Scope, SpanContext)>
where
    S: for<'a> LookupSpan<'a>,
{
    match (Scope::current(), above(span, contextual)) {
        (Some(scope), Some((of, context))) if scope.is(&of) => Some((scope, context)),
        (Some(scope), _) => {
            let own = scope.span().clone();
            Some((scope, own))
        }
        (None, above) => above,
    }
}

/// The innermost traced span above a new one: its scope, and itself.
fn above<S>(span: &SpanRef<'_, S>, contextual: bool) -> Option<(Scope, SpanContext)>
where
    S: for<'a> LookupSpan<'a>,
{
    let spans = span.parent().into_iter().flat_map(|parent| parent.scope());
    let above = innermost(spans, contextual)?;
    above.extensions().get::<Traced>().map(|traced| (traced.scope.clone(), traced.context.clone()))
}

/// Whether `target`, a path that begins with a crate's name, is none of the user's. Whole names count: a
/// program may well be called `tower_crane` or `aws_orders`.
pub(crate) fn is_left_out(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    LEFT_OUT.contains(&name) || LEFT_OUT_OF_SDK.iter().any(|prefix| name.starts_with(prefix))
}

/// Where the span stands in the code (<https://opentelemetry.io/docs/specs/semconv/code/>).
fn code(metadata: &Metadata<'_>) -> impl Iterator<Item = KeyValue> {
    let file = metadata.file().map(|file| attribute("code.file.path", file));
    let line = metadata.line().map(|line| attribute("code.line.number", i64::from(line)));
    file.into_iter().chain(line)
}

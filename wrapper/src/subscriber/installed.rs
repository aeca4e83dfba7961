//! The subscriber of programs that have none: our spans, JSON logs and kept DEBUG lines.
//!
//! One layer that asks one filter. Three layers with a filter each would be asked for theirs at every enter, exit and close of
//! a span, of which each record of a batch has some: a fifth of what a batch costs.

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Registry};

use super::TraceLayer;
use crate::debug;
use crate::logs::{self, Logs};
use crate::mask::Keys;
use crate::scope::Scope;
use crate::settings::{Env, process_env, switch};

/// Installs it, unless the program has installed one of its own.
pub(crate) fn install() {
    let subscriber = Registry::default().with(Installed::from_env(&process_env));
    // An error means that there is one already: the program's own choice stands.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The layer that it has.
#[derive(Debug)]
pub(crate) struct Installed {
    trace: TraceLayer,
    logs: Logs,
    /// What is logged.
    logged: EnvFilter,
    /// Whether DEBUG lines that are not logged are kept. Where they aren't, they cost what they cost without us.
    keeps: bool,
}

impl Installed {
    pub(crate) fn from_env(env: &Env<'_>) -> Self {
        Self {
            trace: TraceLayer { logged: None },
            logs: Logs::from_env(env, Keys::from_env(env)),
            logged: logs::filter(env),
            keeps: switch(env, "THROUGHLINE_DEBUG_LINES", true),
        }
    }

    fn keeps(&self, metadata: &Metadata<'_>) -> bool {
        self.keeps && debug::is_kept(metadata)
    }

    /// The same for the filter's own questions, of which there are two of each name.
    fn filter<S: Subscriber>(&self) -> &dyn Layer<S> {
        &self.logged
    }
}

/// What is logged and what is traced are two questions: a log level of ERROR takes no span away.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO
}

impl<S> Layer<S> for Installed
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Asked in any case: what a filter says of fields of spans begins here.
        let interest = self.filter::<S>().register_callsite(metadata);
        if is_traced(metadata) || self.keeps(metadata) { Interest::always() } else { interest }
    }

    fn enabled(&self, metadata: &Metadata<'_>, cx: Context<'_, S>) -> bool {
        is_traced(metadata) || self.keeps(metadata) || self.filter().enabled(metadata, cx)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let own = if self.keeps { LevelFilter::DEBUG } else { LevelFilter::INFO };
        Some(self.filter::<S>().max_level_hint()?.max(own))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        self.filter().on_new_span(attributes, id, cx.clone());
        self.trace.on_new_span(attributes, id, cx);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        self.filter().on_record(id, values, cx.clone());
        self.trace.on_record(id, values, cx);
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let metadata = event.metadata();
        let is_logged = self.filter().enabled(metadata, cx.clone());
        if is_logged || is_traced(metadata) {
            self.trace.on_event(event, cx);
        }
        if is_logged {
            logs::write(&self.logs.line(event, Scope::current().as_ref()));
        } else if self.keeps(metadata) {
            debug::take(event);
        }
    }

    fn on_enter(&self, id: &Id, cx: Context<'_, S>) {
        self.filter().on_enter(id, cx.clone());
        self.trace.on_enter(id, cx);
    }

    fn on_exit(&self, id: &Id, cx: Context<'_, S>) {
        self.filter().on_exit(id, cx.clone());
        self.trace.on_exit(id, cx);
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        self.filter().on_close(id.clone(), cx.clone());
        self.trace.on_close(id, cx);
    }
}

#[cfg(test)]
mod tests;

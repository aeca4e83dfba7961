//! Debugging one transaction in production: DEBUG lines that the log level takes out are kept while an invocation runs,
//! and written if it ends badly or its transaction bears the debug mark.
//!
//! The lines of the program itself, that is: those of the HTTP stack and the SDK are never kept. They wait in a bounded
//! ring ([`Ring`]) of the invocation, each under the span of the record it belongs to; one that fails, panics or runs out of
//! time writes them, one that ends well drops them. The mark is baggage, so the functions downstream write theirs as well.

mod ring;
#[cfg(test)]
mod tests;
mod when;

use sha2::{Digest as _, Sha256};
use tracing::{Event, Level, Metadata};

use crate::diagnostics::{guarded, warn_of, warn_once};
use crate::invocation::Ids;
use crate::logs;
use crate::propagation::Baggage;
use crate::scope::Scope;
use crate::settings::{Env, switch};
use crate::subscriber::is_left_out;
pub(crate) use ring::Ring;
use when::When;

/// Which transactions are to be debugged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Debug {
    /// DEBUG lines are kept at all (`THROUGHLINE_DEBUG_LINES`).
    pub(crate) lines: bool,
    /// Every transaction that comes through is marked (`THROUGHLINE_DEBUG`).
    pub(crate) always: bool,
    /// The share of those that begin here (`THROUGHLINE_DEBUG_SAMPLE_RATE`).
    rate: f64,
    /// Those of certain users and the like (`THROUGHLINE_DEBUG_WHEN`).
    when: When,
}

impl Debug {
    pub(crate) fn from_env(env: &Env<'_>) -> Self {
        Self {
            lines: switch(env, "THROUGHLINE_DEBUG_LINES", true),
            always: switch(env, "THROUGHLINE_DEBUG", false),
            rate: rate(env),
            when: When::from_env(env),
        }
    }

    /// Whether a transaction that has come here is to be marked.
    pub(crate) fn marks(&self, baggage: &Baggage) -> bool {
        // Only the first function draws lots: the others see the mark, or its absence.
        let is_first = baggage.hops() <= 1;
        self.always
            || self.when.is_in(baggage)
            || (is_first && baggage.get(Baggage::CORRELATION_ID).is_some_and(|id| self.samples(id)))
    }

    /// Whether the transaction of that id is one of the sample. By the correlation id, so that a message that comes again is
    /// decided on as before; and not by the trace id, which a public caller may choose.
    fn samples(&self, id: &str) -> bool {
        if self.rate <= 0.0 || self.rate >= 1.0 {
            return self.rate >= 1.0;
        }
        let hash = Sha256::digest(id);
        let lot = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        f64::from(lot) < self.rate * (f64::from(u32::MAX) + 1.0)
    }
}

fn rate(env: &Env<'_>) -> f64 {
    const NAME: &str = "THROUGHLINE_DEBUG_SAMPLE_RATE";
    let Some(text) = env(NAME).filter(|text| !text.trim().is_empty()) else { return 0.0 };
    let rate = text.trim().parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    rate.unwrap_or_else(|| {
        warn_once(&format!("{NAME} is '{text}', not a number from 0 to 1: 0 is used"));
        0.0
    })
}

/// Whether events of a callsite are lines to be kept, where the log level takes them out.
pub(crate) fn is_kept(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && *metadata.level() == Level::DEBUG && !is_left_out(metadata.target())
}

/// Takes a line that nobody else writes: it is kept, or written at once where the transaction is being debugged.
pub(crate) fn take(event: &Event<'_>) {
    let Some(scope) = Scope::current().filter(Scope::keeps_debug_lines) else { return };
    // How a value writes itself is the program's code. Without us it would not have run.
    let line = || scope.invocation().settings().logs.debug_line(event, &scope);
    let Some(line) = guarded("a value in a DEBUG line", line) else { return };
    let invocation = scope.invocation();
    if let Some(journal) = invocation.journal() {
        journal.line(line.trim_end());
    }
    if scope.is_debug() {
        logs::write(&line);
    } else {
        invocation.debug_lines().keep(scope.span().span_id(), line);
    }
}

impl Scope {
    /// In functions: elsewhere the log is the program's own.
    fn keeps_debug_lines(&self) -> bool {
        self.invocation().in_lambda() && self.invocation().settings().debug.lines
    }

    /// Whether the transaction is being debugged.
    pub(crate) fn is_debug(&self) -> bool {
        self.is_marked(Baggage::DEBUG)
    }

    /// Sees to what follows from a member of the baggage that was just set.
    pub(crate) fn debug_when(&self, key: &str, value: &str) {
        if key == Baggage::DEBUG {
            self.write_debug_lines();
        } else if self.invocation().settings().debug.when.is(key, value) && !self.is_debug() {
            self.set_baggage(Baggage::DEBUG, "true");
        }
    }

    /// Writes the lines that were kept, of a record its own: it has failed, or is being debugged from here on.
    pub(crate) fn write_debug_lines(&self) {
        let of = self.is_record().then(|| self.span().span_id());
        self.invocation().debug_lines().write(of, self.invocation().ids());
    }

    /// Drops the lines of a record that ended well: there is more room for the others.
    pub(crate) fn drop_debug_lines(&self) {
        let _ended_well = self.invocation().debug_lines().take(Some(self.span().span_id()));
    }
}

impl Ring {
    /// Writes what is kept, or of it what is of the record whose span that is.
    pub(crate) fn write(&self, of: Option<opentelemetry::trace::SpanId>, ids: Ids<'_>) {
        let count = self.take_dropped();
        if count > 0 {
            let request_id = ids.request_id;
            warn_of(
                ids,
                &format!(
                    "{count} DEBUG lines of request {request_id} were dropped: the last 64 are kept, of a batch 64 of each record, 64 KiB in all"
                ),
            );
        }
        let lines = self.take(of);
        if !lines.is_empty() {
            logs::write(&lines.concat());
        }
    }
}

//! Going on where an extension that died has stopped.

use super::{Owed, Spool};
use crate::buffer::Entry;
use crate::log::{self, Level};
use crate::shared::Shared;
use crate::told::Teller;
use serde_json::json;

impl Shared {
    /// Writes what waits into this spool from now on, and keeps what an extension that died has left there. To be called
    /// before the flight recorders are told: what is in the spool is told already, and by the function.
    pub fn resume(&self, mut spool: Spool) {
        if !self.is_enabled() {
            return;
        }
        let left = spool.left();
        let mut inner = self.lock();
        inner.spool = spool;
        for span in &left.invocations {
            // Not as an end: Lambda tries asynchronous invocations again, under the same request id.
            inner.told.note(&span.request_id, span.span_id, Teller::Function);
        }
        if left.requests.is_empty() {
            return;
        }
        // It has waited for long.
        inner.urgent = true;
        log::line(
            Level::Info,
            "an extension died before it had sent everything; what it had accepted is sent now",
            json!({
                "requests": left.requests.len(),
                "maybe_sent": left.requests.iter().filter(|owed| owed.to.iter().any(|it| it.maybe_sent)).count(),
            }),
        );
        for Owed { signal, bytes, items, request_id, to } in left.requests {
            for missing in &to {
                inner.accounts.received_for(missing.to, signal, items);
                if missing.maybe_sent {
                    inner.accounts.unanswered(missing.to, signal, items);
                }
            }
            let entry = Entry::new(signal, bytes, items, request_id);
            inner.queue(&entry, to.into_iter().map(|missing| (missing.to, missing.ticket)));
        }
    }
}

//! What was dropped because a buffer was full, gathered into one log line for each destination and kind of telemetry:
//! beside a dead backend a busy function would make one for each request, and log lines cost.

use crate::buffer::Entry;
use crate::otlp::Signal;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Request ids that a line names.
const MOST_IDS: usize = 32;

/// What was dropped since it was told last.
#[derive(Debug, Default)]
pub struct Overflow(BTreeMap<(usize, Signal), Lost>);

/// What one destination lost of one kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Spans, metrics or log records.
    pub items: u64,
    /// Of these invocations, and of more if there are as many as are named.
    pub request_ids: Vec<Arc<str>>,
}

// === impl Overflow ===

impl Overflow {
    /// The destination does not get this.
    pub fn add(&mut self, to: usize, entry: &Entry) {
        let lost = self.0.entry((to, entry.signal)).or_default();
        lost.items += entry.items;
        if let Some(id) = &entry.request_id
            && lost.request_ids.len() < MOST_IDS
            && lost.request_ids.last() != Some(id)
        {
            lost.request_ids.push(Arc::clone(id));
        }
    }

    /// All of it, to be told now.
    pub fn take(&mut self) -> BTreeMap<(usize, Signal), Lost> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_IDS, Overflow};
    use crate::buffer::Entry;
    use crate::otlp::Signal;
    use bytes::Bytes;

    #[test]
    fn a_flood_is_one_line_for_each_who_misses_it() {
        let mut overflow = Overflow::default();
        for number in 0..1000 {
            let entry = Entry::new(Signal::Traces, Bytes::new(), 2, Some(format!("r{}", number / 10).into()));
            overflow.add(1, &entry);
        }
        overflow.add(0, &Entry::new(Signal::Logs, Bytes::new(), 1, None));
        let told = overflow.take();
        assert_eq!(told.keys().copied().collect::<Vec<_>>(), [(0, Signal::Logs), (1, Signal::Traces)]);
        let spans = &told[&(1, Signal::Traces)];
        assert_eq!((spans.items, spans.request_ids.len()), (2000, MOST_IDS));
        assert_eq!([&*spans.request_ids[0], &*spans.request_ids[1]], ["r0", "r1"]);
        assert!(overflow.take().is_empty());
    }
}

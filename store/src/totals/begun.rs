//! With which run of a trace its transaction began, of services whose spans come one after another: whoever was called by
//! whom nothing has come yet may have been the first.

use std::collections::{HashMap, VecDeque};

use crate::hash::hash;
use crate::run::Run;

/// How many traces are remembered, the newest: their spans come within seconds.
const MAX_TRACES: usize = 10_000;

/// Where a run was counted: hour and function, entry point and build.
pub(super) type Counted = ((u64, String), (String, String));

/// The run of each trace with which its transaction is counted as begun.
#[derive(Debug, Default)]
pub(super) struct Begun {
    first: HashMap<u64, First>,
    order: VecDeque<u64>,
}

#[derive(Debug)]
struct First {
    counted: Counted,
    /// Whether nobody called it.
    is_root: bool,
}

impl Begun {
    /// Of a run with which a transaction may have begun, and that was counted as such, which is not to be, after all: this
    /// one, where another is known already, or that other, if this is the root.
    pub(super) fn not_first(&mut self, run: &Run, counted: Counted) -> Option<Counted> {
        let head = run.head().filter(|_| run.is_of_service() && run.may_begin())?;
        let (trace, is_root) = (hash([head.trace_id.as_bytes()]), run.began());
        if let Some(first) = self.first.get_mut(&trace) {
            if is_root && !first.is_root {
                let other = std::mem::replace(first, First { counted, is_root });
                return Some(other.counted);
            }
            return Some(counted);
        }
        self.first.insert(trace, First { counted, is_root });
        self.order.push_back(trace);
        if self.order.len() > MAX_TRACES
            && let Some(oldest) = self.order.pop_front()
        {
            self.first.remove(&oldest);
        }
        None
    }
}

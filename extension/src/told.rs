//! Which invocations have been told, and by whom, so that none is told twice.
//!
//! An invocation has two ways to the backend: its function hands it over, or its flight recorder is read after the
//! process is gone. Both can happen: a process is killed while its hand-over is on the way, thaws at SHUTDOWN and goes on
//! with it, or is gone before it has cleared the recorder of what was taken. Its span has the same id on both ways, so the
//! second is recognized by request and span; by request alone it is not, for Lambda tries again under the same.

use std::collections::VecDeque;

/// Invocations remembered; with several at once one crash is the end of all.
const REMEMBERED: usize = 64;

/// Who told an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// Its function, which handed it over.
    Function,
    /// Its flight recorder.
    Recorder,
}

/// Tellers by request and span.
#[derive(Debug, Default)]
pub struct Told(VecDeque<(String, [u8; 8], Teller)>);

// === impl Told ===

impl Told {
    /// Notes who told this invocation; the first one counts.
    pub fn note(&mut self, request_id: &str, span_id: [u8; 8], by: Teller) {
        if self.by(request_id, span_id).is_some() {
            return;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((request_id.to_owned(), span_id, by));
    }

    /// Who told this invocation first, if anyone did.
    pub fn by(&self, request_id: &str, span_id: [u8; 8]) -> Option<Teller> {
        let found = self.0.iter().find(|(request, span, _)| *span == span_id && request == request_id);
        found.map(|(_, _, teller)| *teller)
    }
}

#[cfg(test)]
mod tests {
    use super::{REMEMBERED, Teller, Told};

    #[test]
    fn the_first_teller_counts_for_each_attempt() {
        let mut told = Told::default();
        told.note("r", [1; 8], Teller::Recorder);
        told.note("r", [1; 8], Teller::Function);
        assert_eq!(told.by("r", [1; 8]), Some(Teller::Recorder));
        assert_eq!(told.by("r", [2; 8]), None, "the next attempt has a span of its own");
        told.note("r", [2; 8], Teller::Function);
        assert_eq!(told.by("r", [2; 8]), Some(Teller::Function));
        assert_eq!(told.by("s", [1; 8]), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut told = Told::default();
        for number in 0..1000 {
            told.note(&number.to_string(), [1; 8], Teller::Function);
        }
        assert_eq!(told.0.len(), REMEMBERED);
        assert!(told.by("999", [1; 8]).is_some() && told.by("0", [1; 8]).is_none());
    }
}

//! What was found and what became of it, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::groups::Signal;
use super::outbox::Counts;

/// The end of a replay.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) files: u64,
    pub(super) lines: u64,
    pub(super) lines_with_otlp: u64,
    /// Requests that are torn or no OTLP.
    pub(super) torn: u64,
    /// Files that could not be read, or not to their end.
    pub(super) unread: u64,
    /// Where to, unless it was a dry run.
    pub(super) endpoint: Option<String>,
    /// By signal.
    pub(super) counts: [Counts; 3],
    /// Requests sent again that the backend may have taken before.
    pub(super) unanswered: u64,
    /// Why there was no use in going on.
    pub(super) stopped: Option<String>,
}

// === impl Summary ===

impl Summary {
    /// Whether everything that was found is where it belongs.
    pub(super) fn is_fine(&self) -> bool {
        let lost = self.counts.iter().any(|counts| counts.refused + counts.unsent > 0);
        !lost && self.torn + self.unread == 0 && self.stopped.is_none()
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{} files, {} lines: {} with OTLP, {} of something else\n",
            self.files,
            self.lines,
            self.lines_with_otlp,
            self.lines.saturating_sub(self.lines_with_otlp)
        );
        for (signal, counts) in Signal::ALL.into_iter().zip(&self.counts) {
            if counts.found == 0 && signal != Signal::Traces {
                continue;
            }
            let _ = write!(text, "{} {}", counts.found, signal.items());
            if counts.repeated > 0 {
                let _ = write!(text, ", {} of them repeated", counts.repeated);
            }
            match &self.endpoint {
                _ if counts.found == 0 => {}
                None => text.push_str(": not sent, this is a dry run"),
                Some(endpoint) => {
                    let _ = write!(text, ": {} sent to {endpoint}", counts.sent);
                    for (number, word) in [(counts.refused, "refused"), (counts.unsent, "not sent")] {
                        if number > 0 {
                            let _ = write!(text, ", {number} {word}");
                        }
                    }
                }
            }
            text.push('\n');
            for (why, number) in &counts.why {
                let _ = writeln!(text, "  {number}: {why}");
            }
        }
        for (number, what) in [
            (self.torn, "requests are torn or no OTLP, and were left out"),
            (self.unread, "files could not be read, or not to their end"),
            (
                self.unanswered,
                "requests were sent again after no answer came: the backend may hold them twice",
            ),
        ] {
            if number > 0 {
                let _ = writeln!(text, "{number} {what}");
            }
        }
        if let Some(why) = &self.stopped {
            let _ = writeln!(text, "stopped before the end: {why}");
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let mut object = Map::new();
        for (name, number) in [
            ("files", self.files),
            ("lines", self.lines),
            ("lines_with_otlp", self.lines_with_otlp),
            ("torn", self.torn),
            ("unread", self.unread),
            ("unanswered", self.unanswered),
        ] {
            object.insert(name.into(), number.into());
        }
        object.insert("endpoint".into(), json!(self.endpoint));
        object.insert("stopped".into(), json!(self.stopped));
        for (signal, counts) in Signal::ALL.into_iter().zip(&self.counts) {
            let counts = json!({
                "found": counts.found, "repeated": counts.repeated, "sent": counts.sent,
                "refused": counts.refused, "unsent": counts.unsent, "why": counts.why,
            });
            object.insert(signal.items().replace(' ', "_"), counts);
        }
        object.into()
    }
}

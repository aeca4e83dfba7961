//! How invocations end whose process is gone, in the platform's words and in ours.

use std::collections::VecDeque;
use std::time::Duration;

use throughline_recorder::Failure;

/// Bad ends remembered until they are told; with several invocations at once one crash is the end of all.
const REMEMBERED: usize = 64;
/// Of the errors that the platform tells, those after which the function's process is gone.
const GONE: [&str; 2] = ["Runtime.ExitError", "Runtime.OutOfMemory"];

/// How an invocation ended whose process is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct BadEnd {
    /// What happened.
    pub kind: Kind,
    /// The platform's own name for it.
    pub error_type: Option<String>,
    /// How long the invocation ran, as the platform says.
    pub ran: Option<Duration>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It ran into its deadline.
    TimedOut,
    /// The process exited or was killed.
    Died,
    /// The sandbox was shut down.
    ShutDown,
    /// The sandbox was reset, and its extension with it: nobody has seen how it ended.
    Reset,
}

/// Bad ends by request id, until they are told.
#[derive(Debug, Default)]
pub struct BadEnds(VecDeque<(String, BadEnd)>);

// === impl BadEnd ===

impl BadEnd {
    /// What `platform.runtimeDone` says; `None` if the runtime lives.
    pub fn told(status: &str, error_type: &str, duration_ms: Option<f64>) -> Option<Self> {
        let kind = match status {
            "timeout" => Kind::TimedOut,
            "failure" => Kind::Died,
            // A process that died is an `error` too, as AWS's emulator has it (`internal/lambda/rapid/handlers.go`);
            // the others are errors that the handler returned, and its runtime goes on.
            "error" if GONE.contains(&error_type) || error_type.starts_with("Extension.") => Kind::Died,
            _ => return None,
        };
        let ran = duration_ms.and_then(|millis| Duration::try_from_secs_f64(millis / 1000.0).ok());
        Some(Self { kind, error_type: Some(error_type.to_owned()).filter(|name| !name.is_empty()), ran })
    }

    /// What the reason of a SHUTDOWN says of invocations under way.
    pub fn of_shutdown(reason: &str) -> Self {
        Self::from(match reason {
            "timeout" => Kind::TimedOut,
            "failure" => Kind::Died,
            _ => Kind::ShutDown,
        })
    }

    /// For a span: Lambda's own name for it, and a sentence for people. `ran` is how long the invocation ran.
    pub fn failure(&self, ran: Option<Duration>) -> Failure {
        let named = self.error_type.as_deref();
        let (error_type, message) = match (self.kind, named) {
            (Kind::TimedOut, _) => (
                "Sandbox.Timedout",
                match ran {
                    Some(ran) => format!("timed out after {:.2} s", ran.as_secs_f64()),
                    None => "timed out".to_owned(),
                },
            ),
            (Kind::Died, Some("Runtime.OutOfMemory")) => {
                ("Runtime.OutOfMemory", "the process ran out of memory and was killed".to_owned())
            }
            (Kind::Died, Some(name)) if name.starts_with("Extension.") => {
                (name, "an extension crashed, and the sandbox with it".to_owned())
            }
            (Kind::Died, Some(name)) if name.starts_with("Sandbox.") => {
                (name, "the sandbox failed".to_owned())
            }
            (Kind::Died, _) => ("Runtime.ExitError", "the process exited or was killed".to_owned()),
            (Kind::ShutDown, _) => ("Sandbox.Failure", "the sandbox was shut down under it".to_owned()),
            (Kind::Reset, _) => {
                ("Sandbox.Failure", "the sandbox was reset under it; how it ended is not known".to_owned())
            }
        };
        Failure { error_type: named.unwrap_or(error_type).to_owned(), message }
    }
}

impl From<Kind> for BadEnd {
    fn from(kind: Kind) -> Self {
        Self { kind, error_type: None, ran: None }
    }
}

// === impl BadEnds ===

impl BadEnds {
    /// Remembers an end; of too many the oldest is forgotten, and told at SHUTDOWN.
    pub fn push(&mut self, request_id: String, bad_end: BadEnd) {
        self.0.retain(|(known, _)| *known != request_id);
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((request_id, bad_end));
    }

    /// How this request ended, if that is known.
    pub fn find(&self, request_id: &str) -> Option<&BadEnd> {
        self.0.iter().find(|(known, _)| known == request_id).map(|(_, bad_end)| bad_end)
    }

    /// Whether nothing is to be told.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{BadEnd, BadEnds, Kind, REMEMBERED};
    use std::time::Duration;

    #[test]
    fn the_platform_s_word_decides_whether_the_process_is_gone() {
        for (status, error_type, kind) in [
            ("success", "", None),
            ("error", "", None),
            ("error", "Runtime.Unknown", None),
            ("error", "MyError", None),
            ("error", "Runtime.ExitError", Some(Kind::Died)),
            ("error", "Runtime.OutOfMemory", Some(Kind::Died)),
            ("error", "Extension.Crash", Some(Kind::Died)),
            ("failure", "", Some(Kind::Died)),
            ("failure", "Sandbox.Failure", Some(Kind::Died)),
            ("timeout", "", Some(Kind::TimedOut)),
        ] {
            let told = BadEnd::told(status, error_type, Some(1.5));
            assert_eq!(told.as_ref().map(|end| end.kind), kind, "{status} {error_type}");
            let ran = kind.map(|_| Duration::from_micros(1500));
            assert_eq!(told.and_then(|end| end.ran), ran);
        }
        assert_eq!(BadEnd::told("timeout", "", Some(-1.0)).and_then(|end| end.ran), None);
    }

    #[test]
    fn each_end_has_lambda_s_name_and_a_sentence() {
        let ran = Some(Duration::from_millis(3001));
        let told = |status, error_type| BadEnd::told(status, error_type, None).expect("gone");
        for (end, ran, error_type, message) in [
            (told("timeout", ""), ran, "Sandbox.Timedout", "timed out after 3.00 s"),
            (BadEnd::of_shutdown("timeout"), None, "Sandbox.Timedout", "timed out"),
            (told("error", "Runtime.OutOfMemory"), ran, "Runtime.OutOfMemory", "ran out of memory"),
            (told("error", "Runtime.ExitError"), ran, "Runtime.ExitError", "exited or was killed"),
            (told("failure", ""), ran, "Runtime.ExitError", "exited or was killed"),
            (told("failure", "Sandbox.Failure"), ran, "Sandbox.Failure", "the sandbox failed"),
            (told("error", "Extension.Crash"), ran, "Extension.Crash", "an extension crashed"),
            (BadEnd::of_shutdown("failure"), None, "Runtime.ExitError", "exited or was killed"),
            (BadEnd::of_shutdown("spindown"), None, "Sandbox.Failure", "was shut down"),
            (BadEnd::from(Kind::Reset), None, "Sandbox.Failure", "was reset"),
        ] {
            let failure = end.failure(ran);
            assert_eq!(failure.error_type, error_type);
            assert!(failure.message.contains(message), "{failure:?}");
        }
    }

    #[test]
    fn memory_is_bounded_and_the_last_word_counts() {
        let mut ends = BadEnds::default();
        for number in 0..1000 {
            ends.push(number.to_string(), Kind::Died.into());
        }
        ends.push("999".into(), Kind::TimedOut.into());
        assert_eq!(ends.0.len(), REMEMBERED);
        assert_eq!(ends.find("999").map(|end| end.kind), Some(Kind::TimedOut));
        assert_eq!(ends.find("0"), None);
        ends.clear();
        assert!(ends.is_empty());
    }
}

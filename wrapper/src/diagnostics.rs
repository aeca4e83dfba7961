//! The wrapper's own log lines.

use std::collections::HashSet;
use std::error::Error;
use std::iter::successors;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::invocation::Ids;
use crate::logs::{self, Format};
use crate::mask::Keys;
use crate::settings::process_env;

/// The most different lines that one process says: a broken surrounding must not flood the log.
const MAX_LINES: usize = 64;

/// The most bytes that are kept of an error: twice what a span tells, which is cut once its secrets are out.
const MAX_ERROR: usize = 16 * 1024;
/// The most causes that are told of an error.
const MAX_CAUSES: usize = 32;

static SAID: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// Writes a warning, unless it was said before.
pub(crate) fn warn_once(message: &str) {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.len() < MAX_LINES && said.insert(message.to_owned()) {
        warn(message);
    }
}

/// Writes a warning.
pub(crate) fn warn(message: &str) {
    say(None, message);
}

/// Writes a warning about one invocation, with its ids.
pub(crate) fn warn_of(ids: Ids<'_>, message: &str) {
    say(Some(ids), message);
}

fn say(ids: Option<Ids<'_>>, message: &str) {
    static FORMAT: LazyLock<Format> = LazyLock::new(|| Format::of(&process_env).unwrap_or_default());
    // What is said of a wrong value or of an error may hold one.
    static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::from_env(&process_env));
    logs::write(&logs::own_line(*FORMAT, &KEYS, ids, message));
}

/// An error with its causes: `outer: inner: innermost`. A cause that the one before ends with is not said again.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = written(|| error.to_string());
    for cause in successors(cause(error), |&error| cause(error)).take(MAX_CAUSES) {
        let cause = written(|| cause.to_string());
        if !text.ends_with(&cause) {
            text.extend([": ", &cause]);
        }
    }
    text.truncate(text.floor_char_boundary(MAX_ERROR));
    text
}

/// What the program's error names as its cause; nothing, if that panics.
fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    guarded("the cause of an error", || error.source()).flatten()
}

/// What the program's error writes; nothing, if that panics.
pub(crate) fn written(write: impl FnOnce() -> String) -> String {
    guarded("the text of an error", write).unwrap_or_default()
}

/// Runs `work` of ours in the user's call: if it panics, the call goes on without, and `what` is said to have failed.
pub(crate) fn guarded<T>(what: &str, work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.inspect_err(|_| warn_once(&format!("{what} panicked: calls go on without it"))).ok()
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    /// An error with as many causes, each of which says the same.
    #[derive(Debug)]
    struct Nested(&'static str, Option<Box<Self>>);

    impl fmt::Display for Nested {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Nested {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_ref().map(|cause| &**cause as _)
        }
    }

    fn nested(texts: &[&'static str]) -> Nested {
        let cause = texts[1..].first().map(|_| Box::new(nested(&texts[1..])));
        Nested(texts[0], cause)
    }

    #[test]
    fn an_error_is_told_with_its_causes_each_once() {
        assert_eq!(
            causes(&nested(&["service error", "unhandled", "denied"])),
            "service error: unhandled: denied"
        );
        assert_eq!(causes(&nested(&["charging: denied", "denied"])), "charging: denied");
        assert_eq!(causes(&nested(&["alone"])), "alone");
    }

    #[test]
    fn what_is_told_of_an_error_is_bounded() {
        let long: &'static str = "é".repeat(MAX_ERROR).leak();
        assert_eq!(causes(&nested(&[long, "cause"])).len(), MAX_ERROR);
        assert_eq!(causes(&nested(&["a", "b"].repeat(100))).len(), 1 + 3 * MAX_CAUSES);
    }

    #[test]
    fn an_error_that_panics_is_told_as_far_as_it_goes() {
        #[derive(Debug)]
        struct Broken;
        impl fmt::Display for Broken {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("broken")
            }
        }
        impl Error for Broken {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                panic!("on purpose")
            }
        }
        assert_eq!(causes(&Broken), "broken");
    }
}

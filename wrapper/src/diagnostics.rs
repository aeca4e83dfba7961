//! The wrapper's own log lines, as JSON: on stdout in a function, whose log that is, and elsewhere on stderr, because
//! there stdout is the program's own.

use std::collections::HashSet;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::settings::in_lambda;

/// The most different lines that one process says: a broken surrounding must not flood the log.
const MAX_LINES: usize = 64;

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
    let line = serde_json::json!({"level": "WARN", "target": "throughline", "message": message});
    // A log that is closed is no reason to disturb the program.
    let _ = if in_lambda() {
        writeln!(std::io::stdout(), "{line}")
    } else {
        writeln!(std::io::stderr(), "{line}")
    };
}

/// Runs `work` of ours in the user's call: if it panics, the call goes on without, and `what` is said to have failed.
pub(crate) fn guarded<T>(what: &str, work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.inspect_err(|_| warn_once(&format!("{what} panicked: calls go on without it"))).ok()
}

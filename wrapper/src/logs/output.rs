//! Where log lines go: to stdout in a function, whose log that is, and elsewhere to stderr, because there stdout is the
//! program's own.

use std::io::Write as _;

use crate::settings::in_lambda;

/// Writes whole lines at once, so that those of threads don't mix.
pub(crate) fn write(lines: &str) {
    #[cfg(test)]
    if crate::testing::listened(lines) {
        return;
    }
    // A log that is closed is no reason to disturb the program.
    let _ = if in_lambda() {
        std::io::stdout().lock().write_all(lines.as_bytes())
    } else {
        std::io::stderr().lock().write_all(lines.as_bytes())
    };
}

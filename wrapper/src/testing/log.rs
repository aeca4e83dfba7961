//! What is logged while a test runs.

use std::cell::RefCell;

thread_local! {
    static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Listens to what this thread logs, for as long as it lives.
pub(crate) struct Listener(());

impl Listener {
    pub(crate) fn new() -> Self {
        HEARD.set(Some(String::new()));
        Self(())
    }

    /// The lines since they were last asked for.
    pub(crate) fn lines(&self) -> Vec<String> {
        let heard = HEARD.replace(Some(String::new())).unwrap_or_default();
        heard.lines().map(str::to_owned).collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        HEARD.set(None);
    }
}

/// Whether somebody has heard these lines, so that they need not be written.
pub(crate) fn listened(lines: &str) -> bool {
    HEARD.with_borrow_mut(|heard| heard.as_mut().map(|heard| heard.push_str(lines)).is_some())
}

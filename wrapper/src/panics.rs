//! Panics of the program: what they say, and where they began, which only a hook is told.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

use crate::scope::Scope;
use crate::span::Failure;

thread_local! {
    /// Where the last panic of this thread began that happened in an invocation.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The most bytes of a trace that are told: its beginning is what counts.
const MAX_TRACE: usize = 8 * 1024;
/// In what the frames are named that lie between a panic and the hook.
const MACHINERY: [&str; 5] =
    ["core::panicking", "std::panicking", "std::sys::backtrace", "rust_begin_unwind", "__rustc"];

/// Has the hook told of every panic from here on, before the one that is installed.
pub(crate) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            note(info);
            others(info);
        }));
    });
}

/// Notes a panic of an invocation: in a task that nobody waits for it would be told by nobody. What runs here must not panic
/// itself, for that would abort the process.
fn note(info: &PanicHookInfo<'_>) {
    let Some(scope) = Scope::current() else { return };
    let frames = Backtrace::force_capture().to_string();
    let at = info.location().map(|location| format!("at {location}\n")).unwrap_or_default();
    let mut trace = [&at, own(&frames)].concat();
    trace.truncate(trace.floor_char_boundary(MAX_TRACE));
    let message = info.payload_as_str().unwrap_or(NO_MESSAGE);
    scope.note_error(Failure { stacktrace: Some(trace.clone()), ..Failure::new("panic", message) });
    // Where panics abort the process, nobody comes after this.
    scope.write_debug_lines();
    let _ = LAST.try_with(|last| last.try_borrow_mut().map(|mut last| *last = Some(trace)));
}

/// The frames of the program: those above the machinery of this panic. Who catches it further up has such frames as well.
fn own(frames: &str) -> &str {
    let is_machinery = |line: &str| MACHINERY.iter().any(|name| line.contains(name));
    let mut at = 0;
    let mut follows = false;
    for line in frames.split_inclusive('\n') {
        // `  12: name`, and in the next line `at file:line:column`.
        let is_frame = line.split(':').next().is_some_and(|number| number.trim().parse::<u32>().is_ok());
        if is_frame && follows && !is_machinery(line) {
            return frames.get(at..).unwrap_or_default();
        }
        if is_frame {
            follows = is_machinery(line);
        }
        at += line.len();
    }
    frames
}

const NO_MESSAGE: &str = "the panic has no message";

/// Why a panic that was just caught here failed what ran.
pub(crate) fn failure(payload: &(dyn Any + Send)) -> Failure {
    let stacktrace = LAST.try_with(|last| last.try_borrow_mut().ok()?.take()).ok().flatten();
    Failure { stacktrace, ..Failure::new("panic", &message(payload)) }
}

/// What a panic says.
fn message(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(message), _) => (*message).to_owned(),
        (_, Some(message)) => message.clone(),
        _ => NO_MESSAGE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn what_a_panic_says_is_its_text() {
        for (panics, says) in [
            ((|| panic!("no more")) as fn(), "no more"),
            (|| panic!("no more than {}", 7), "no more than 7"),
            (|| panic::panic_any(7), NO_MESSAGE),
        ] {
            assert_eq!(failure(&*catch_unwind(panics).unwrap_err()).message, says);
        }
    }

    #[test]
    fn the_frames_of_the_machinery_are_left_out() {
        let frames = "   0: std::backtrace::Backtrace::create\n   1: std::panicking::rust_panic_with_hook\n             \
                      at /rustc/x.rs:1:2\n   2: __rustc::rust_begin_unwind\n   3: core::panicking::panic_fmt\n   \
                      4: shop::charge\n             at src/main.rs:7:9\n   5: shop::main\n";
        assert_eq!(own(frames), "   4: shop::charge\n             at src/main.rs:7:9\n   5: shop::main\n");
        for foreign in ["", "<disabled>", "   0: shop::main\n"] {
            assert_eq!(own(foreign), foreign);
        }
    }

    #[inline(never)]
    fn charge(card: Option<u32>) -> u32 {
        card.map(|card| card + 1).unwrap()
    }

    #[test]
    fn the_frames_of_the_program_are_there_whoever_catches_it() {
        watch();
        let scope = crate::testing::scope();
        let charging = || scope.enter(|| std::hint::black_box(charge)(None));
        let caught = catch_unwind(panic::AssertUnwindSafe(charging));
        let trace = failure(&*caught.unwrap_err()).stacktrace.unwrap();
        let first = trace.lines().take(8).collect::<Vec<_>>().join("\n");
        assert!(first.contains("charge") && !first.contains("panicking"), "{trace}");
    }
}

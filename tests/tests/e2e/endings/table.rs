//! The endings: how a function is made to end so, and what is told of it.

use std::time::Duration;

use throughline_host::SandboxConfig;
use throughline_tests::endings::STEPS;
use throughline_tests::handlers::Kind;

/// A row of the table.
pub(super) struct Ending {
    /// As the table has it, and as the environment of the function names it.
    pub(super) name: &'static str,
    pub(super) handler: Kind,
    pub(super) sandbox: fn(SandboxConfig) -> SandboxConfig,
    pub(super) client: Client,
    /// The triggers where it can happen; all, if none is named.
    pub(super) triggers: &'static [&'static str],
    pub(super) told: Told,
}

/// What the client does while the response comes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Client {
    Stays,
    /// It goes away when it has so many bytes.
    Leaves(usize),
}

/// What must be on the invocation span, and in the logs.
pub(super) struct Told {
    /// `error.type` and what the status says; `None` for an end that is no error.
    pub(super) error: Option<(&'static str, &'static str)>,
    /// What is in the stack trace of its exception, if there is one.
    pub(super) stacktrace: Option<&'static str>,
    /// The errors that were swallowed, by their messages.
    pub(super) swallowed: &'static [&'static str],
    /// The spans that the handler made.
    pub(super) steps: usize,
    /// Whether it is told by the flight recorder, completed by the extension: one more span had begun.
    pub(super) partial: bool,
    /// Other attributes.
    pub(super) attributes: &'static [(&'static str, &'static str)],
    /// Whether the handler has got as far as to log.
    pub(super) logs: bool,
    /// Whether the DEBUG lines are written, as they are when something is to be explained.
    pub(super) debug_lines: bool,
}

const TOLD: Told = Told {
    error: None,
    stacktrace: None,
    swallowed: &[],
    steps: STEPS,
    partial: false,
    attributes: &[],
    logs: true,
    debug_lines: false,
};

const FAILED: Told = Told { debug_lines: true, ..TOLD };

const KILLED: Told = Told {
    error: Some(("Runtime.ExitError", "the process exited or was killed")),
    steps: STEPS + 1,
    partial: true,
    ..TOLD
};

const ENDING: Ending = Ending {
    name: "ok",
    handler: Kind::Ends,
    sandbox: |config| config.timeout(Duration::from_secs(20)),
    client: Client::Stays,
    triggers: &[],
    told: TOLD,
};

pub(super) const ENDINGS: &[Ending] = &[
    ENDING,
    Ending {
        name: "error",
        told: Told { error: Some(("_OTHER", "the order is refused")), ..FAILED },
        ..ENDING
    },
    Ending {
        name: "nested",
        told: Told {
            error: Some(("_OTHER", "charging the card: connecting to the provider: port 443 is closed")),
            ..FAILED
        },
        ..ENDING
    },
    Ending {
        name: "panic",
        told: Told {
            error: Some(("panic", "no stock of number 7")),
            stacktrace: Some("tests/src/endings.rs:"),
            ..FAILED
        },
        ..ENDING
    },
    Ending {
        name: "spawned",
        told: Told {
            swallowed: &["the mail was not written"],
            stacktrace: Some("tests/src/endings.rs:"),
            ..FAILED
        },
        ..ENDING
    },
    Ending {
        name: "swallowed",
        told: Told { swallowed: &["invalid digit found in string", "the receipt was not printed"], ..TOLD },
        ..ENDING
    },
    Ending {
        name: "unreadable",
        handler: Kind::Reads,
        told: Told {
            error: Some((
                "Throughline.HandlerNotReached",
                "the event could not be deserialized: missing field `unheard_of` at line 1 column",
            )),
            steps: 0,
            logs: false,
            ..TOLD
        },
        ..ENDING
    },
    Ending {
        name: "large",
        told: Told {
            error: Some(("Function.ResponseSizeTooLarge", "the response is larger than Lambda takes")),
            ..FAILED
        },
        ..ENDING
    },
    Ending {
        name: "broken",
        handler: Kind::Streams,
        triggers: super::triggers::STREAMS,
        told: Told { error: Some(("Runtime.StreamError", "the report broke off")), ..FAILED },
        ..ENDING
    },
    Ending {
        name: "gone",
        handler: Kind::Streams,
        triggers: super::triggers::STREAMS,
        // Past the prelude and the first chunk.
        client: Client::Leaves(160),
        told: Told { attributes: &[("throughline.client_gone", "true")], ..TOLD },
        ..ENDING
    },
    Ending {
        name: "time-out",
        sandbox: |config| config.timeout(Duration::from_millis(1500)),
        told: Told {
            error: Some(("Sandbox.Timedout", "timed out after 1.5")),
            // Written at the deadline's margin.
            debug_lines: true,
            ..KILLED
        },
        ..ENDING
    },
    Ending { name: "exit", told: KILLED, ..ENDING },
    Ending { name: "abort", told: KILLED, ..ENDING },
    Ending { name: "SIGKILL", told: KILLED, ..ENDING },
    Ending {
        name: "memory",
        sandbox: |config| config.memory_limit(128),
        told: Told {
            error: Some(("Runtime.OutOfMemory", "the process ran out of memory and was killed")),
            ..KILLED
        },
        ..ENDING
    },
];

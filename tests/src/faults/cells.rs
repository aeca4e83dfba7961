//! The cells of the matrix: what the backend does, when the extension sends, whether the sandbox freezes, and how an
//! invocation ends.

use std::fmt;

/// What the backend does with those who come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 503 three times.
    Unavailable,
    /// 429 once, with `Retry-After`.
    Limited,
    /// Nobody listens.
    Refused,
    /// The connection is reset in the middle of the request's body, three times.
    Reset,
    /// No answer, twice.
    Hang,
    /// An answer that comes byte by byte, twice.
    Drip,
    /// 400.
    BadRequest,
    /// A certificate that nobody signed.
    Tls,
    /// One span of each request is not taken.
    Partial,
    /// Nobody listens for a while.
    Back,
}

/// `THROUGHLINE_FLUSH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// At the end of each invocation.
    End,
    /// With the next invocation.
    Deferred,
    /// As the invocations come.
    Adaptive,
}

/// How the third invocation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With a response.
    Normal,
    /// With an error of the handler.
    Error,
    /// With a panic.
    Panic,
    /// With its deadline.
    TimeOut,
    /// With a SIGKILL for its memory.
    Memory,
    /// With its process.
    Exit,
    /// With a response; then the process dies, and SHUTDOWN comes while its spans are being sent.
    MidFlush,
}

/// What becomes of the spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// All arrive.
    Delivered,
    /// They arrive, or are on stdout if their sandbox ended before the backend was well.
    DeliveredOrSpilled,
    /// All are on stdout.
    Spilled,
    /// All are refused for good.
    Dropped,
    /// Some are refused for good, all others arrive.
    PartlyDropped,
}

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// What the backend does.
    pub fault: Fault,
    /// When the extension sends.
    pub policy: Policy,
    /// Whether the sandbox freezes between invocations.
    pub freeze: bool,
    /// How an invocation ends.
    pub ending: Ending,
}

impl Fault {
    /// All, in the table's order.
    pub const ALL: [Self; 10] = [
        Self::Unavailable,
        Self::Limited,
        Self::Refused,
        Self::Reset,
        Self::Hang,
        Self::Drip,
        Self::BadRequest,
        Self::Tls,
        Self::Partial,
        Self::Back,
    ];

    /// As the table has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "503 x3",
            Self::Limited => "429",
            Self::Refused => "refused",
            Self::Reset => "reset x3",
            Self::Hang => "hang x2",
            Self::Drip => "drip x2",
            Self::BadRequest => "400",
            Self::Tls => "TLS",
            Self::Partial => "partial",
            Self::Back => "back later",
        }
    }
}

impl Policy {
    /// All, in the table's order.
    pub const ALL: [Self; 3] = [Self::End, Self::Deferred, Self::Adaptive];

    /// The value of `THROUGHLINE_FLUSH`.
    pub fn name(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Deferred => "deferred",
            Self::Adaptive => "adaptive",
        }
    }
}

impl Ending {
    /// All, in the table's order.
    pub const ALL: [Self; 7] =
        [Self::Normal, Self::Error, Self::Panic, Self::TimeOut, Self::Memory, Self::Exit, Self::MidFlush];

    /// As the table has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Error => "error",
            Self::Panic => "panic",
            Self::TimeOut => "time-out",
            Self::Memory => "memory",
            Self::Exit => "exit",
            Self::MidFlush => "mid-flush",
        }
    }

    /// What the handler is told to do.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Normal | Self::MidFlush => "ok",
            Self::Error => "error",
            Self::Panic => "panic",
            Self::TimeOut => "hang",
            Self::Memory => "memory",
            Self::Exit => "exit",
        }
    }

    /// A part of the error that the client gets.
    pub(super) fn error(self) -> Option<&'static str> {
        match self {
            Self::Normal | Self::MidFlush => None,
            Self::Error => Some("failed after"),
            Self::Panic => Some("panicked after"),
            Self::TimeOut => Some("Sandbox.Timedout"),
            Self::Memory => Some("signal: killed"),
            Self::Exit => Some("Runtime.ExitError"),
        }
    }

    /// Whether the sandbox ends with it.
    pub(super) fn is_reset(self) -> bool {
        matches!(self, Self::TimeOut | Self::Memory | Self::Exit | Self::MidFlush)
    }
}

impl Cell {
    /// The whole matrix.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for policy in Policy::ALL {
            for freeze in [true, false] {
                for fault in Fault::ALL {
                    all.extend(Ending::ALL.map(|ending| Self { fault, policy, freeze, ending }));
                }
            }
        }
        all
    }

    /// What must become of its spans.
    pub fn fate(self) -> Fate {
        match self.fault {
            Fault::Refused | Fault::Tls => Fate::Spilled,
            Fault::BadRequest => Fate::Dropped,
            Fault::Partial => Fate::PartlyDropped,
            _ if self.ending.is_reset() => Fate::DeliveredOrSpilled,
            _ => Fate::Delivered,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let freeze = if self.freeze { "freeze" } else { "no freeze" };
        write!(f, "{} × {} × {freeze} × {}", self.fault.name(), self.policy.name(), self.ending.name())
    }
}

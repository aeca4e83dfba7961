//! What may wait, and until when: `THROUGHLINE_FLUSH`.
//!
//! Of each policy three questions are asked: whether to send beside the handler what the invocations before
//! have left, whether to ask for the next event ahead of the invocation's end, and whether to send at its
//! end. A failure never waits for its turn.

use std::time::Duration;

/// `adaptive` keeps nothing longer, as long as invocations come: it bounds what a burst leaves behind when
/// silence follows. At ten invocations a second one in twenty sends.
const HELD_FOR: Duration = Duration::from_secs(2);
/// Nor more than this part of the buffer.
const HELD_PART: usize = 4;
/// Functions with less memory (MB) have under 0.3 of a processor
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>: 1,769 MB are one): what is
/// sent beside the handler would slow it.
const AMPLE_MB: u32 = 512;

/// When to send what arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// After each invocation.
    End,
    /// Beside the next invocation's handler.
    Deferred,
    /// After an invocation, if the last flush was longer ago.
    Interval(Duration),
    /// As `End` while invocations are rare. While they are frequent what they leave is sent every two seconds,
    /// beside the handler, or at an end where the processor's share is small.
    Adaptive,
}

/// What the function has shown of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Nothing yet.
    Unknown,
    /// It hands over its invocation span: it waits for the answer, and until then nothing freezes.
    Wrapped,
    /// It does not.
    Unwrapped,
}

/// What a policy goes by.
#[derive(Debug, Clone, Copy)]
pub struct Unsent {
    /// A failure came since the last flush.
    pub urgent: bool,
    /// Something was unsent when the invocation began.
    pub tail: bool,
    /// How long the oldest has waited.
    pub age: Duration,
    /// How long ago something was sent last.
    pub since_flush: Option<Duration>,
    /// Whether the next invocation is expected soon.
    pub frequent: bool,
    /// Whether there is processor enough to send beside the handler.
    pub ample: bool,
    /// Who tells the end.
    pub function: Function,
    /// Bytes in the buffer.
    pub buffered: usize,
    /// The buffer's bound, in bytes.
    pub limit: usize,
}

// === impl Policy ===

impl Policy {
    /// Reads the value of `THROUGHLINE_FLUSH`.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.to_ascii_lowercase();
        match value.as_str() {
            "end" => Some(Policy::End),
            "deferred" => Some(Policy::Deferred),
            "adaptive" => Some(Policy::Adaptive),
            _ => interval(value.strip_prefix("interval=")?.trim()).map(Policy::Interval),
        }
    }

    /// Whether what earlier invocations left is sent now, while the handler runs.
    pub fn sends_beside(self, unsent: &Unsent) -> bool {
        let turn = match self {
            Policy::End | Policy::Interval(_) => false,
            Policy::Deferred => true,
            Policy::Adaptive => unsent.ample && unsent.is_due(),
        };
        unsent.tail && (turn || unsent.urgent)
    }

    /// Whether the next event is asked for before the invocation's end is known: what is still to come waits.
    pub fn asks_ahead(self, unsent: &Unsent) -> bool {
        match (self, unsent.function) {
            (Policy::End | Policy::Interval(_), _) | (_, Function::Unknown) => false,
            (Policy::Deferred, _) => true,
            // Who else fails is only told by the platform, and after the end.
            (Policy::Adaptive, function) => function == Function::Wrapped && unsent.may_wait(),
        }
    }

    /// Whether what is there at the end of an invocation is sent then.
    pub fn sends_at_end(self, unsent: &Unsent) -> bool {
        let turn = match self {
            Policy::End => true,
            // A tail is still there only if nothing else could be done for it.
            Policy::Deferred => unsent.tail,
            Policy::Interval(interval) => unsent.since_flush.is_none_or(|since| since >= interval),
            Policy::Adaptive => !unsent.may_wait(),
        };
        turn || unsent.urgent
    }
}

// === impl Unsent ===

impl Unsent {
    fn is_due(&self) -> bool {
        self.age >= HELD_FOR || self.buffered >= self.limit / HELD_PART
    }

    fn may_wait(&self) -> bool {
        self.frequent && !self.is_due()
    }
}

/// Whether a function with this much memory (MB) has processor enough; if it is not known, it has.
pub fn is_ample(memory_mb: Option<u32>) -> bool {
    memory_mb.is_none_or(|memory| memory >= AMPLE_MB)
}

/// A number with `ms`, `s` or `m`: 100 ms to an hour.
fn interval(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return None,
    };
    let millis = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (100..=3_600_000).contains(&millis).then(|| Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::{Policy, is_ample};
    use std::time::Duration;

    #[test]
    fn policies_are_read_as_they_are_written() {
        let interval = |millis| Some(Policy::Interval(Duration::from_millis(millis)));
        for (value, policy) in [
            ("end", Some(Policy::End)),
            ("Deferred", Some(Policy::Deferred)),
            ("adaptive", Some(Policy::Adaptive)),
            ("interval=20s", interval(20_000)),
            ("interval=100ms", interval(100)),
            ("interval=60m", interval(3_600_000)),
            ("interval=61m", None),
            ("interval=99ms", None),
            ("interval=20", None),
            ("interval=s", None),
            ("interval=-1s", None),
            ("interval=18446744073709551615m", None),
            ("interval", None),
            ("", None),
        ] {
            assert_eq!(Policy::parse(value), policy, "{value}");
        }
    }

    #[test]
    fn a_small_function_has_little_processor() {
        assert!(!is_ample(Some(128)) && !is_ample(Some(511)));
        assert!(is_ample(Some(512)) && is_ample(None));
    }
}

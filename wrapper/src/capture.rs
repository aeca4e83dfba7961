//! Payloads on spans: what an invocation was called with and what it answered, where somebody will want to know.

use crate::diagnostics::warn_once;
use crate::mask::{Keys, masked};
use crate::settings::{Env, word};
use crate::span::Span;

/// The most bytes that are kept: secrets that are hidden and white space take less place when it is told.
const MAX_KEPT: usize = 16 * 1024;
/// The most bytes of a payload on a span that failed.
const MAX_FAILED: usize = 4 * 1024;
/// The same on any other.
const MAX: usize = 2 * 1024;

/// Which payloads are told, and what of them (`THROUGHLINE_CAPTURE`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Capture {
    when: When,
    keys: Keys,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Off,
    /// The default.
    OnError,
    Always,
}

impl Capture {
    pub(crate) fn from_env(env: &Env<'_>, keys: Keys) -> Self {
        Self { when: When::from_env(env), keys }
    }

    /// The beginning of a payload, to be told when its invocation has ended.
    pub(crate) fn take(&self, payload: &[u8]) -> Taken {
        if self.when == When::Off {
            return Taken(None);
        }
        let beginning = payload.get(..MAX_KEPT).unwrap_or(payload);
        let text = std::str::from_utf8(beginning).or_else(|error| match error.error_len() {
            // Cut in the midst of a character.
            None => std::str::from_utf8(beginning.get(..error.valid_up_to()).unwrap_or_default()),
            Some(_) => Err(error),
        });
        Taken(text.ok().map(Into::into))
    }

    /// The beginning of what was taken, without its secrets; `None` if it is not to be told.
    pub(crate) fn head(&self, taken: &Taken) -> Option<String> {
        taken.0.as_deref().map(|text| masked(text, &self.keys, MAX))
    }

    /// Tells what was taken, without its secrets, if it is to be told on this span; where it would be and can't, why not.
    pub(crate) fn tell(&self, span: &mut Span, key: &str, taken: &Taken) {
        let failed = span.failure().is_some();
        if !failed && self.when != When::Always {
            return;
        }
        let most = if failed { MAX_FAILED } else { MAX };
        match &taken.0 {
            Some(text) => span.set(key, masked(text, &self.keys, most)),
            None => {
                let why = if self.when == When::Off { "off" } else { "not-text" };
                span.set(&[key, ".skipped"].concat(), why);
            }
        }
    }
}

/// The beginning of a payload as it came, its secrets among it: to mask it takes longer than all else, and most is never
/// told. `None` of what is not to be told, or is no text.
#[derive(Clone, Debug)]
pub(crate) struct Taken(Option<Box<str>>);

impl When {
    fn from_env(env: &Env<'_>) -> Self {
        match word(env, "THROUGHLINE_CAPTURE").as_deref() {
            None | Some("" | "on-error") => Self::OnError,
            Some("off") => Self::Off,
            Some("always") => Self::Always,
            Some(other) => {
                warn_once(&format!(
                    "THROUGHLINE_CAPTURE is '{other}', not off, on-error or always: on-error is used"
                ));
                Self::OnError
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::Span as Ended;

    use super::*;
    use crate::propagation::root;
    use crate::span::SpanKind;
    use crate::testing::{now, text};

    const PAYLOAD: &[u8] = br#"{"user":"u-1","password":"hunter2"}"#;

    fn told(when: &str, payload: &[u8], fails: bool) -> Ended {
        let capture = Capture::from_env(
            &|name| (name == "THROUGHLINE_CAPTURE").then(|| when.to_owned()),
            Keys::default(),
        );
        let mut span = Span::start(root(None), None, SpanKind::Server, "checkout", now());
        if fails {
            span.fail("Refused", "no", now());
        }
        capture.tell(&mut span, "throughline.event", &capture.take(payload));
        span.end(now()).decode()
    }

    #[test]
    fn a_payload_is_told_when_it_is_asked_for_and_else_why_not() {
        let masked = Some(r#"{"user":"u-1","password":"***"}"#);
        for (when, payload, fails, event, skipped) in [
            ("", PAYLOAD, true, masked, None),
            ("on-error", PAYLOAD, false, None, None),
            ("always", PAYLOAD, false, masked, None),
            ("off", PAYLOAD, true, None, Some("off")),
            ("off", PAYLOAD, false, None, None),
            ("what", PAYLOAD, true, masked, None),
            ("always", b"\xff", true, None, Some("not-text")),
        ] {
            let span = told(when, payload, fails);
            let found = (text(&span, "throughline.event"), text(&span, "throughline.event.skipped"));
            assert_eq!((found.0.as_deref(), found.1.as_deref()), (event, skipped), "{when} {fails}");
        }
    }

    #[test]
    fn more_is_told_of_what_failed() {
        let long = format!(r#"{{"text":"{}"}}"#, "é".repeat(80_000));
        for (fails, most) in [(true, MAX_FAILED), (false, MAX)] {
            let told = text(&told("always", long.as_bytes(), fails), "throughline.event").unwrap();
            assert!(told.len() <= most && told.len() > most - 8, "{}", told.len());
        }
    }
}

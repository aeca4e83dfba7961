//! Payloads on spans: what an invocation was called with and what it answered, where somebody will want to know; and what
//! its calls sent and got, where somebody asked for that.

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

/// Which payloads are told, and what of them: an invocation's (`THROUGHLINE_CAPTURE`), or those of its calls
/// (`THROUGHLINE_CAPTURE_CALLS`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Capture {
    when: When,
    keys: Keys,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    /// The default for calls.
    Off,
    /// The default for an invocation.
    OnError,
    Always,
}

impl Capture {
    pub(crate) fn from_env(env: &Env<'_>, keys: Keys) -> Self {
        Self { when: When::from_env(env, "THROUGHLINE_CAPTURE", When::OnError), keys }
    }

    /// Of outgoing calls.
    pub(crate) fn of_calls(env: &Env<'_>, keys: Keys) -> Self {
        Self { when: When::from_env(env, "THROUGHLINE_CAPTURE_CALLS", When::Off), keys }
    }

    /// The beginning of a payload, to be told when its invocation has ended.
    pub(crate) fn take(&self, payload: &[u8]) -> Taken {
        if self.is_off() {
            return Taken(Err("off"));
        }
        let beginning = payload.get(..MAX_KEPT).unwrap_or(payload);
        let text = std::str::from_utf8(beginning).or_else(|error| match error.error_len() {
            // Cut in the midst of a character.
            None => std::str::from_utf8(beginning.get(..error.valid_up_to()).unwrap_or_default()),
            Some(_) => Err(error),
        });
        Taken(text.map(Into::into).map_err(|_| "not-text"))
    }

    /// The same of the body of a call, which is a stream if it is not in memory; `None` if there is nothing to tell of it,
    /// not even why.
    pub(crate) fn take_body(&self, body: Option<&[u8]>) -> Option<Taken> {
        if self.is_off() {
            return None;
        }
        match body {
            None => Some(Taken(Err("stream"))),
            Some([]) => None,
            Some(bytes) => Some(self.take(bytes)),
        }
    }

    /// Whether nothing is told at all.
    pub(crate) fn is_off(&self) -> bool {
        self.when == When::Off
    }

    /// The beginning of what was taken, without its secrets; `None` if it is not to be told.
    pub(crate) fn head(&self, taken: &Taken) -> Option<String> {
        taken.0.as_deref().ok().map(|text| masked(text, &self.keys, MAX))
    }

    /// Tells what was taken, without its secrets, if it is to be told on this span; where it would be and can't, why not.
    pub(crate) fn tell(&self, span: &mut Span, key: &str, taken: &Taken) {
        let failed = span.failure().is_some();
        if !failed && self.when != When::Always {
            return;
        }
        let most = if failed { MAX_FAILED } else { MAX };
        match &taken.0 {
            Ok(text) => span.set(key, masked(text, &self.keys, most)),
            Err(why) => span.set(&[key, ".skipped"].concat(), *why),
        }
    }
}

/// The beginning of a payload as it came, its secrets among it: to mask it takes longer than all else, and most is never
/// told. Or why there is nothing: it is not to be told (`off`), is no text (`not-text`), goes by as a stream, which nobody
/// else reads (`stream`), or is a secret whatever it looks like (`secret`).
#[derive(Clone, Debug)]
pub(crate) struct Taken(Result<Box<str>, &'static str>);

impl Taken {
    pub(crate) const SECRET: Self = Self(Err("secret"));
}

impl When {
    fn from_env(env: &Env<'_>, name: &str, default: Self) -> Self {
        match word(env, name).as_deref() {
            None | Some("") => default,
            Some("on-error") => Self::OnError,
            Some("off") => Self::Off,
            Some("always") => Self::Always,
            Some(other) => {
                let default_name = if default == Self::Off { "off" } else { "on-error" };
                warn_once(&format!(
                    "{name} is '{other}', not off, on-error or always: {default_name} is used"
                ));
                default
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
    fn bodies_of_calls_are_told_only_when_asked_for() {
        for (when, body, fails, request, skipped) in [
            ("", Some(PAYLOAD), true, false, None),
            ("what", Some(PAYLOAD), true, false, None),
            ("off", None, true, false, None),
            ("on-error", Some(PAYLOAD), true, true, None),
            ("on-error", Some(PAYLOAD), false, false, None),
            ("always", Some(PAYLOAD), false, true, None),
            ("always", Some(&b""[..]), false, false, None),
            ("always", Some(&b"\xff"[..]), false, false, Some("not-text")),
            ("always", None, false, false, Some("stream")),
            ("on-error", None, false, false, None),
        ] {
            let env = |name: &str| (name == "THROUGHLINE_CAPTURE_CALLS").then(|| when.to_owned());
            let capture = Capture::of_calls(&env, Keys::default());
            let mut span = Span::start(root(None), None, SpanKind::Client, "GET", now());
            if fails {
                span.fail("Refused", "no", now());
            }
            if let Some(taken) = capture.take_body(body) {
                capture.tell(&mut span, "throughline.request", &taken);
            }
            let span = span.end(now()).decode();
            let told = text(&span, "throughline.request");
            let due = request.then_some(r#"{"user":"u-1","password":"***"}"#);
            let found = text(&span, "throughline.request.skipped");
            assert_eq!((told.as_deref(), found.as_deref()), (due, skipped), "{when} {body:?} {fails}");
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

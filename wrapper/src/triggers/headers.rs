//! HTTP headers, and how far a caller at the public edge is trusted.

use super::Sender;
use super::carrier::{self, Carrier};
use super::event::Event;
use super::json::{MAX_HEADER, Part};
use crate::propagation::{Baggage, Context, Named};
use crate::settings::Trust;

/// The headers that describe a request; those of a context are [`Named`]'s. A value of any other is never looked at.
pub(super) const REQUEST: [&str; 5] =
    ["host", "user-agent", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"];

/// The headers of an event, with one or several values each.
#[derive(Debug, Default)]
pub(super) struct Headers<'a> {
    multi: Carrier<'a>,
    single: Carrier<'a>,
}

impl<'a> Headers<'a> {
    pub(super) fn of(event: &Event<'a>) -> Self {
        Self {
            multi: event.multi_value_headers.object().unwrap_or_default(),
            single: event.headers.object().unwrap_or_default(),
        }
    }

    /// Those of an object, one value each or a list.
    pub(super) fn single(headers: Part<'a>) -> Self {
        Self { single: headers.object().unwrap_or_default(), ..Self::default() }
    }

    /// The value of a known header; several values, and several spellings of a name, are one list.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        list(&self.multi, name).or_else(|| list(&self.single, name)).filter(|value| value.len() <= MAX_HEADER)
    }

    /// Who called, as far as `trust` goes: ids of a trace and a span in any dialect, and the rest only if it is
    /// trusted. What is ours to say (see [`Baggage::without_ours`]) is never taken.
    pub(super) fn sender(&self, trust: Trust) -> Option<Sender> {
        let named = self.named();
        let span = named.w3c().or_else(|| named.xray()).or_else(|| named.datadog());
        let ids = match trust {
            Trust::None | Trust::Trace => Baggage::default(),
            Trust::Baggage => named.beside(span.as_ref()).without_ours(),
        };
        let span = span.map(|Context { span, baggage }| {
            let baggage = if trust == Trust::Baggage { baggage.without_ours() } else { Baggage::default() };
            Context { span, baggage }
        });
        match (trust, span) {
            (Trust::None, span) => span.map(Sender::Link),
            (Trust::Trace | Trust::Baggage, span) => carrier::sender(span, ids),
        }
    }

    fn named(&self) -> Named<'static> {
        let mut named = Named::default();
        let mut seen: Vec<&str> = Vec::new();
        for name in self.multi.names().chain(self.single.names()).filter(|name| Named::knows(name)) {
            if !seen.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                seen.push(name);
                if let Some(value) = self.get(name) {
                    named.add(name, value.into());
                }
            }
        }
        named
    }
}

fn list(headers: &Carrier<'_>, name: &str) -> Option<String> {
    let mut values = Vec::new();
    for value in headers.all(name) {
        match value.header() {
            Some(value) => values.push(value),
            None => values.extend(value.list().unwrap_or_default().into_iter().filter_map(Part::header)),
        }
    }
    (!values.is_empty()).then(|| values.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(event: &str, name: &str) -> Option<String> {
        Headers::of(&Event::parse(event)).get(name)
    }

    #[test]
    fn names_have_no_case_and_values_may_be_several() {
        assert_eq!(get(r#"{"headers":{"TraceParent":"a"}}"#, "traceparent").as_deref(), Some("a"));
        let several = r#"{"headers":{"TraceState":"b"},"multiValueHeaders":{"tracestate":["a","b"]}}"#;
        assert_eq!(get(several, "tracestate").as_deref(), Some("a,b"));
        let spelled_twice = r#"{"headers":{"Tracestate":"a","tracestate":"b"}}"#;
        assert_eq!(get(spelled_twice, "tracestate").as_deref(), Some("a,b"));
    }

    #[test]
    fn what_is_no_header_is_absent() {
        for event in [
            r#"{"headers":{"traceparent":1}}"#,
            r#"{"headers":{"traceparent":null}}"#,
            r#"{"headers":["traceparent","x"]}"#,
            r#"{"headers":null,"multiValueHeaders":{"traceparent":[]}}"#,
            r#"{"headers":{"cookie":"traceparent"}}"#,
        ] {
            assert_eq!(get(event, "traceparent"), None, "{event}");
        }
        let wrong = r#"{"multiValueHeaders":{"traceparent":{"a":1}},"headers":{"traceparent":"b"}}"#;
        assert_eq!(get(wrong, "traceparent").as_deref(), Some("b"), "the wrong one hides nothing");
    }
}

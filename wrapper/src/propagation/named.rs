//! Values that stand side by side by name, as headers, message attributes and members of an object do, and what
//! they say in each dialect.

use std::borrow::Cow;

use super::{Baggage, Context, XrayHeader, datadog, dazn};

/// What a name may begin with that people chose.
const PREFIXES: [&str; 2] = [dazn::PREFIX, datadog::BAGGAGE_PREFIX];
/// The longest value that is read, in bytes.
const MAX_VALUE: usize = 8 * 1024;
/// The most values with a chosen name that are kept.
const MAX_CHOSEN: usize = 64;

/// The values that a context may be made of, by name. Names have no case.
#[derive(Debug, Default)]
pub(crate) struct Named<'a> {
    values: [Option<Cow<'a, str>>; Named::NAMES.len()],
    chosen: Vec<(String, Cow<'a, str>)>,
}

/// What a name says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meaning {
    /// It is this one of [`Named::NAMES`].
    Known(usize),
    /// It begins with one of [`PREFIXES`].
    Chosen,
}

impl<'a> Named<'a> {
    /// The names that one looks for; see also [`PREFIXES`].
    pub(crate) const NAMES: [&'static str; 10] = [
        "baggage",
        "call-chain-length",
        "debug-log-enabled",
        "traceparent",
        "tracestate",
        "x-amzn-trace-id",
        "x-datadog-parent-id",
        "x-datadog-sampling-priority",
        "x-datadog-tags",
        "x-datadog-trace-id",
    ];

    /// Whether a value of this name would be kept.
    pub(crate) fn knows(name: &str) -> bool {
        Self::meaning(name).is_some()
    }

    /// What a name says, if it is one of those that one looks for.
    pub(crate) fn meaning(name: &str) -> Option<Meaning> {
        let of_many = || Self::is_chosen(name).then_some(Meaning::Chosen);
        position(name).map(Meaning::Known).or_else(of_many)
    }

    /// Whether people choose what such a name ends in, so that there may be many.
    pub(crate) fn is_chosen(name: &str) -> bool {
        let begins =
            |prefix: &str| name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        PREFIXES.into_iter().any(begins)
    }

    /// Keeps a value, if its name says something and it is not too long. The last of a name wins.
    pub(crate) fn add(&mut self, name: &str, value: Cow<'a, str>) {
        if let Some(meaning) = Self::meaning(name) {
            self.put(meaning, name, value);
        }
    }

    /// [`Self::add`] with a name whose meaning is known already.
    pub(crate) fn put(&mut self, meaning: Meaning, name: &str, value: Cow<'a, str>) {
        if value.len() > MAX_VALUE {
            return;
        }
        match meaning {
            Meaning::Known(at) => {
                if let Some(slot) = self.values.get_mut(at) {
                    *slot = Some(value);
                }
            }
            Meaning::Chosen if self.chosen.len() < MAX_CHOSEN => {
                self.chosen.push((name.to_ascii_lowercase(), value));
            }
            Meaning::Chosen => {}
        }
    }

    /// W3C: `traceparent`, `tracestate` and `baggage`; and `ot-baggage-*`, for Datadog's tracers write W3C's ids and
    /// their own baggage.
    pub(crate) fn w3c(&self) -> Option<Context> {
        let w3c =
            Context::from_headers(self.get("traceparent")?, self.get("tracestate"), self.get("baggage"))?;
        Some(Context { baggage: self.with_ot_baggage(w3c.baggage), ..w3c })
    }

    /// AWS X-Ray: `X-Amzn-Trace-Id`, if it has a parent.
    pub(crate) fn xray(&self) -> Option<Context> {
        let span = XrayHeader::parse(self.get("x-amzn-trace-id")?)?.span()?;
        Some(Context { span, baggage: Baggage::default() })
    }

    /// Datadog: `x-datadog-*`, and baggage as `baggage` or `ot-baggage-*`.
    pub(crate) fn datadog(&self) -> Option<Context> {
        let span = datadog::parse(
            self.get("x-datadog-trace-id")?,
            self.get("x-datadog-parent-id")?,
            self.get("x-datadog-sampling-priority"),
            self.get("x-datadog-tags"),
        )?;
        let baggage = self.get("baggage").map(Baggage::parse).unwrap_or_default();
        Some(Context { span, baggage: self.with_ot_baggage(baggage) })
    }

    /// What is said beside `span`, or without one: DAZN's ids, and W3C's baggage, which needs no span
    /// (<https://www.w3.org/TR/baggage/>).
    pub(crate) fn beside(&self, span: Option<&Context>) -> Baggage {
        let is_read = span.is_some_and(|span| !span.baggage.is_empty());
        let baggage = self.get("baggage").filter(|_| !is_read).map(Baggage::parse);
        baggage.unwrap_or_default().and(&self.ids())
    }

    /// DAZN's lambda-powertools: `x-correlation-*`, `debug-log-enabled` and `call-chain-length`.
    pub(crate) fn ids(&self) -> Baggage {
        let mut ids = Baggage::default();
        let named = ["debug-log-enabled", "call-chain-length"].map(|name| Some((name, self.get(name)?)));
        let chosen = self.chosen.iter().map(|(name, value)| (name.as_str(), &**value));
        for (name, value) in named.into_iter().flatten().chain(chosen) {
            dazn::read(name, value, &mut ids);
        }
        ids
    }

    /// Baggage with the members that have a value of their own; the baggage's own win.
    fn with_ot_baggage(&self, mut baggage: Baggage) -> Baggage {
        for (name, value) in &self.chosen {
            if let Some(key) = name.strip_prefix(datadog::BAGGAGE_PREFIX)
                && baggage.get(key).is_none()
            {
                baggage.set(key, value);
            }
        }
        baggage
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(position(name)?)?.as_deref()
    }
}

fn position(name: &str) -> Option<usize> {
    Named::NAMES.iter().position(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named<'a>(values: &[(&str, &'a str)]) -> Named<'a> {
        let mut named = Named::default();
        for (name, value) in values {
            named.add(name, Cow::Borrowed(value));
        }
        named
    }

    #[test]
    fn datadog_brings_its_baggage_in_either_form() {
        let context = named(&[
            ("X-Datadog-Trace-Id", "1"),
            ("x-datadog-parent-id", "2"),
            ("baggage", "user.id=u-1"),
            ("OT-Baggage-Tenant", "t-1"),
            ("ot-baggage-user.id", "other"),
        ])
        .datadog()
        .unwrap();
        assert_eq!(context.baggage.header().as_deref(), Some("user.id=u-1,tenant=t-1"));
    }

    #[test]
    fn only_a_known_name_is_kept_and_only_so_many() {
        assert!(Named::knows("TRACEPARENT") && Named::knows("X-Correlation-Order"));
        assert!(!Named::knows("authorization") && !Named::knows("x-correlatioñ") && !Named::knows(""));
        let mut many = Named::default();
        for n in 0..100 {
            many.add(&format!("x-correlation-{n}"), "v".into());
        }
        assert_eq!(many.chosen.len(), MAX_CHOSEN);
        many.add("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
        assert!(many.w3c().is_some(), "they don't take the place of what is known");
    }

    #[test]
    fn a_value_over_8_kib_is_not_read() {
        let mut ids = Named::default();
        ids.add("x-correlation-id", " ".repeat(MAX_VALUE).into());
        ids.add("x-correlation-id", format!("c{}", " ".repeat(MAX_VALUE)).into());
        assert_eq!(ids.ids(), Baggage::default());
        ids.add("x-correlation-id", format!("c{}", " ".repeat(MAX_VALUE - 1)).into());
        assert_eq!(ids.ids().get("correlation.id"), Some("c"));
    }

    proptest! {
        #[test]
        fn any_names_and_values_are_survived(
            values in prop::collection::vec(
                (prop_oneof![prop::sample::select(Named::NAMES.to_vec()).prop_map(str::to_owned), "(x-correlation-|ot-baggage-)?.{0,8}"], ".*"),
                0..12,
            ),
        ) {
            let mut named = Named::default();
            for (name, value) in &values {
                named.add(name, value.into());
            }
            for context in [named.w3c(), named.xray(), named.datadog()].into_iter().flatten() {
                prop_assert!(context.span.is_valid());
            }
            let _ = named.ids();
        }
    }
}

//! A question asked of production without shipping code: `THROUGHLINE_DEBUG_WHEN=user.id=u-1,account.plan=enterprise`.

use crate::diagnostics::warn_once;
use crate::propagation::Baggage;
use crate::settings::Env;

const NAME: &str = "THROUGHLINE_DEBUG_WHEN";

/// Members of the baggage, any of which has a transaction debugged.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct When(Vec<(String, String)>);

impl When {
    pub(super) fn from_env(env: &Env<'_>) -> Self {
        let conditions = env(NAME).unwrap_or_default();
        let (when, wrong) = Self::parse(&conditions);
        if !wrong.is_empty() {
            let wrong = wrong.join(",");
            warn_once(&format!(
                "{NAME} has '{wrong}', no members of the baggage as in user.id=u-1: it is left out"
            ));
        }
        when
    }

    /// The conditions, and what is none.
    fn parse(conditions: &str) -> (Self, Vec<&str>) {
        let conditions = conditions.split(',').map(str::trim).filter(|condition| !condition.is_empty());
        let (good, wrong): (Vec<_>, Vec<_>) = conditions.partition(|text| condition(text).is_some());
        (Self(good.into_iter().filter_map(condition).collect()), wrong)
    }

    /// Whether that member is one of them.
    pub(super) fn is(&self, key: &str, value: &str) -> bool {
        self.0.iter().any(|(known, wanted)| known == key && wanted == value)
    }

    /// Whether one of them is there.
    pub(super) fn is_in(&self, baggage: &Baggage) -> bool {
        self.0.iter().any(|(key, wanted)| baggage.get(key) == Some(wanted))
    }
}

/// A member that a program may set.
fn condition(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    (!value.is_empty() && Baggage::is_settable(key)).then(|| (key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn any_of_the_conditions_will_do() {
        let (when, wrong) = When::parse(" user.id = u-1, ,account.plan=enterprise,tenant=a=b");
        assert!(wrong.is_empty());
        for (key, value, holds) in [
            ("user.id", "u-1", true),
            ("user.id", "u-2", false),
            ("account.plan", "enterprise", true),
            ("account.id", "u-1", false),
            ("tenant", "a=b", true),
        ] {
            assert_eq!(when.is(key, value), holds, "{key}={value}");
            let mut baggage = Baggage::default();
            baggage.set("other", "u-1");
            baggage.set(key, value);
            assert_eq!(when.is_in(&baggage), holds, "{key}={value}");
        }
    }

    #[test]
    fn what_no_program_can_set_is_no_condition() {
        for text in ["user.id", "user.id=", "=u-1", "a b=c", "throughline.hops=1", "correlation.id=c-1"] {
            assert_eq!(When::parse(text), (When::default(), vec![text]), "{text}");
        }
        assert_eq!(When::parse(","), (When::default(), Vec::new()));
        let (when, wrong) = When::parse("nonsense,user.id=u-1");
        assert!(when.is("user.id", "u-1") && wrong == ["nonsense"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let (when, _) = When::parse(&text);
            prop_assert!(when.0.iter().all(|(key, value)| Baggage::is_settable(key) && !value.is_empty()));
        }

        #[test]
        fn what_is_asked_for_is_found(key in "[a-z][a-z.]{0,8}", value in "[a-z0-9=-]{1,8}") {
            let text = format!("x=y,{key}={value}");
            let (when, _) = When::parse(&text);
            prop_assert!(when.is(&key, &value));
        }
    }
}

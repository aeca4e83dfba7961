//! Marks and members of the baggage, as one asks for them: `debug`, `dry-run`, `account.plan=gold`.

use std::fmt;
use std::str::FromStr;

use throughline_store::Filter;

/// A mark, or a member of the baggage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flag {
    /// The transaction's debug lines were asked for.
    Debug,
    /// The transaction was to change nothing.
    DryRun,
    /// A member of the baggage has this value.
    Member(String, String),
}

impl Flag {
    /// Asks for it; whether that is all that can be: nothing else was asked of the same before. What runs say of
    /// themselves is asked of them; by other members the store finds runs if its writer was told to.
    pub(super) fn ask(&self, filter: &mut Filter) -> bool {
        match self {
            Self::Debug => only(&mut filter.debug, true),
            Self::DryRun => only(&mut filter.dry_run, true),
            Self::Member(key, value) => match key.as_str() {
                "user.id" => only(&mut filter.user, value.clone()),
                "user.test" => only(&mut filter.test_user, value == "true"),
                "account.id" => only(&mut filter.account, value.clone()),
                "account.plan" => only(&mut filter.plan, value.clone()),
                "correlation.id" => only(&mut filter.correlation_id, value.clone()),
                _ => filter.baggage.entry(key.clone()).or_insert_with(|| value.clone()) == value,
            },
        }
    }
}

fn only<T: PartialEq>(place: &mut Option<T>, value: T) -> bool {
    let is_same = place.as_ref().is_none_or(|asked| *asked == value);
    *place = Some(value);
    is_same
}

impl FromStr for Flag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.split_once('=')) {
            ("debug" | "throughline.debug=true", _) => Ok(Self::Debug),
            ("dry-run" | "throughline.dry-run=true", _) => Ok(Self::DryRun),
            (_, Some((key, value))) if !key.is_empty() && !value.is_empty() => {
                Ok(Self::Member(key.to_owned(), value.to_owned()))
            }
            _ => {
                Err("is neither debug nor dry-run nor a member of the baggage (account.plan=gold)".to_owned())
            }
        }
    }
}

/// As it is read again.
impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debug => f.write_str("debug"),
            Self::DryRun => f.write_str("dry-run"),
            Self::Member(key, value) => write!(f, "{key}={value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_members_are_asked_for() {
        let filter = |text: &str| {
            let mut filter = Filter::default();
            let flag: Flag = text.parse().unwrap();
            assert_eq!(flag.to_string().parse(), Ok(flag.clone()));
            assert!(flag.ask(&mut filter) && flag.ask(&mut filter.clone()));
            filter
        };
        let any = Filter::default;
        assert_eq!(filter("debug"), Filter { debug: Some(true), ..any() });
        assert_eq!(filter("throughline.dry-run=true"), Filter { dry_run: Some(true), ..any() });
        assert_eq!(filter("user.id=u-1"), Filter { user: Some("u-1".into()), ..any() });
        assert_eq!(filter("user.test=false"), Filter { test_user: Some(false), ..any() });
        assert_eq!(filter("account.plan=gold"), Filter { plan: Some("gold".into()), ..any() });
        assert_eq!(
            filter("tenant=a=b"),
            Filter { baggage: [("tenant".into(), "a=b".into())].into(), ..any() }
        );
        for wrong in ["", "gold", "=x", "x="] {
            assert!(wrong.parse::<Flag>().is_err(), "{wrong}");
        }
    }
}

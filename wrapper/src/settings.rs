//! What the environment says, read once and checked: a bad value is one log line and a safe default.

mod hosts;

use crate::diagnostics::warn_once;
pub(crate) use hosts::Hosts;

/// Looks a variable up. Passed in, so that tests need no environment of their own.
pub(crate) type Env<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The process's own environment.
pub(crate) fn process_env(key: &str) -> Option<String> {
    std::env::var(key).ok()
}

/// What a public caller may bring along (`THROUGHLINE_TRUST_INBOUND`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The caller's span becomes a link.
    None,
    /// Trace and span ids; the default.
    Trace,
    /// Baggage too.
    Baggage,
}

/// Some tables, streams or buckets, by a list of names or `*`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Names {
    All,
    Named(Vec<String>),
}

impl Names {
    /// Whether `resource`, a name or an ARN, is among them.
    pub(crate) fn contains(&self, resource: &str) -> bool {
        let name = resource.rsplit(['/', ':']).next().unwrap_or(resource);
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|known| known == name),
        }
    }
}

/// The wrapper's configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) enabled: bool,
    pub(crate) trust: Trust,
    /// Which DynamoDB tables have items that may carry the context (`THROUGHLINE_DYNAMODB_TABLES`).
    pub(crate) tables: Names,
    /// Which Firehose streams have records that may (`THROUGHLINE_FIREHOSE_STREAMS`).
    pub(crate) firehose_streams: Names,
    /// Which S3 buckets have objects that may (`THROUGHLINE_S3_BUCKETS`).
    pub(crate) buckets: Names,
    pub(crate) baggage_hosts: Hosts,
    /// Which build of the program runs (`THROUGHLINE_BUILD_ID`).
    pub(crate) build_id: Option<String>,
}

impl Settings {
    pub(crate) fn from_env(env: &Env<'_>) -> Self {
        Self {
            enabled: enabled(env),
            trust: trust(env),
            tables: names(env, "THROUGHLINE_DYNAMODB_TABLES"),
            firehose_streams: names(env, "THROUGHLINE_FIREHOSE_STREAMS"),
            buckets: names(env, "THROUGHLINE_S3_BUCKETS"),
            baggage_hosts: Hosts::from_env(env),
            build_id: build_id(env),
        }
    }
}

/// A value that is one of a few words, in any case.
fn word(env: &Env<'_>, name: &str) -> Option<String> {
    env(name).map(|value| value.trim().to_ascii_lowercase())
}

fn enabled(env: &Env<'_>) -> bool {
    match word(env, "THROUGHLINE_ENABLED").as_deref() {
        None | Some("" | "true" | "1") => true,
        Some("false" | "0") => false,
        Some(other) => {
            warn_once(&format!("THROUGHLINE_ENABLED is '{other}', not true or false: tracing stays on"));
            true
        }
    }
}

fn trust(env: &Env<'_>) -> Trust {
    match word(env, "THROUGHLINE_TRUST_INBOUND").as_deref() {
        None | Some("" | "trace") => Trust::Trace,
        Some("none") => Trust::None,
        Some("baggage") => Trust::Baggage,
        Some(other) => {
            warn_once(&format!(
                "THROUGHLINE_TRUST_INBOUND is '{other}', not none, trace or baggage: trace is used"
            ));
            Trust::Trace
        }
    }
}

fn names(env: &Env<'_>, variable: &str) -> Names {
    let names: Vec<String> = env(variable)
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    if names.iter().any(|name| name == "*") { Names::All } else { Names::Named(names) }
}

fn build_id(env: &Env<'_>) -> Option<String> {
    env("THROUGHLINE_BUILD_ID").map(|id| id.trim().to_owned()).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Settings {
        Settings::from_env(&|key| {
            pairs.iter().find(|(known, _)| *known == key).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_set_gives_the_defaults() {
        let settings = from(&[]);
        assert!(settings.enabled);
        assert_eq!(settings.trust, Trust::Trace);
        assert!(!settings.tables.contains("orders"));
    }

    #[test]
    fn values_are_taken_and_wrong_ones_are_not() {
        let settings = from(&[
            ("THROUGHLINE_ENABLED", "no"),
            ("THROUGHLINE_TRUST_INBOUND", "everything"),
            ("THROUGHLINE_DYNAMODB_TABLES", " orders , carts"),
        ]);
        assert!(settings.enabled);
        assert_eq!(settings.trust, Trust::Trace);
        assert!(settings.tables.contains("carts"));
        assert!(settings.tables.contains("arn:aws:dynamodb:eu-west-1:123456789012:table/orders"));
        assert!(!settings.tables.contains("others"));
        let others = from(&[("THROUGHLINE_FIREHOSE_STREAMS", "lake"), ("THROUGHLINE_S3_BUCKETS", "uploads")]);
        assert!(others.firehose_streams.contains("lake") && !others.tables.contains("lake"));
        assert!(others.buckets.contains("uploads") && others.buckets.contains("arn:aws:s3:::uploads"));
        assert!(from(&[("THROUGHLINE_DYNAMODB_TABLES", "*")]).tables.contains("others"));
        assert!(!from(&[("THROUGHLINE_ENABLED", " False")]).enabled);
        assert_eq!(from(&[("THROUGHLINE_TRUST_INBOUND", "None")]).trust, Trust::None);
    }
}

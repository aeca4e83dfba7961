//! What the environment says, read once and checked: a bad value is one log line and a safe default.

mod hosts;

use std::sync::LazyLock;

use crate::capture::Capture;
use crate::debug::Debug;
use crate::diagnostics::warn_once;
use crate::dry_run::DryRun;
use crate::logs::Logs;
use crate::loop_guard::LoopGuard;
use crate::mask::Keys;
use crate::propagation::Baggage;
pub(crate) use hosts::Hosts;

/// Looks a variable up. Passed in, so that tests need no environment of their own.
pub(crate) type Env<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The process's own environment.
pub(crate) fn process_env(key: &str) -> Option<String> {
    std::env::var(key).ok()
}

/// Whether this process is a function.
pub(crate) fn in_lambda() -> bool {
    static IN_LAMBDA: LazyLock<bool> = LazyLock::new(|| process_env("AWS_LAMBDA_RUNTIME_API").is_some());
    *IN_LAMBDA
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

/// What the sender of a record is to the record's span (`THROUGHLINE_RECORD_SENDER`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordSender {
    /// Its parent: the transaction goes on in the sender's trace; the default.
    Parent,
    /// A link: the record stays in the trace of its invocation, for backends that show links well.
    Link,
}

/// Some tables, streams or buckets, by a list of names or `*`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Names {
    All,
    Named(Vec<String>),
}

impl Names {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Named(names) if names.is_empty())
    }

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
    pub(crate) record_sender: RecordSender,
    pub(crate) loop_guard: LoopGuard,
    pub(crate) capture: Capture,
    /// The same of the bodies of its calls.
    pub(crate) capture_calls: Capture,
    /// Which names are secret (`THROUGHLINE_MASK`).
    pub(crate) keys: Keys,
    pub(crate) logs: Logs,
    pub(crate) debug: Debug,
    /// What is done with dry runs (`THROUGHLINE_DRY_RUN`).
    pub(crate) dry_run: DryRun,
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
        let keys = Keys::from_env(env);
        Self {
            enabled: switch(env, "THROUGHLINE_ENABLED", true),
            trust: trust(env),
            record_sender: record_sender(env),
            loop_guard: LoopGuard::from_env(env),
            capture: Capture::from_env(env, keys.clone()),
            capture_calls: Capture::of_calls(env, keys.clone()),
            logs: Logs::from_env(env, keys.clone()),
            keys,
            debug: Debug::from_env(env),
            dry_run: DryRun::from_env(env),
            tables: names(env, "THROUGHLINE_DYNAMODB_TABLES"),
            firehose_streams: names(env, "THROUGHLINE_FIREHOSE_STREAMS"),
            buckets: names(env, "THROUGHLINE_S3_BUCKETS"),
            baggage_hosts: Hosts::from_env(env),
            build_id: build_id(env),
        }
    }

    /// Sets the marks that a transaction gets here.
    pub(crate) fn mark(&self, baggage: &mut Baggage) {
        for (on, mark) in
            [(self.debug.marks(baggage), Baggage::DEBUG), (self.dry_run.is_always(), Baggage::DRY_RUN)]
        {
            if on {
                baggage.set(mark, "true");
            }
        }
    }
}

/// A value that is one of a few words, in any case.
pub(crate) fn word(env: &Env<'_>, name: &str) -> Option<String> {
    env(name).map(|value| value.trim().to_ascii_lowercase())
}

/// On or off, and `default` where nothing that makes sense is said.
pub(crate) fn switch(env: &Env<'_>, name: &str, default: bool) -> bool {
    match word(env, name).as_deref() {
        None | Some("") => default,
        Some("true" | "1") => true,
        Some("false" | "0") => false,
        Some(other) => {
            warn_once(&format!("{name} is '{other}', not true or false: it stays {default}"));
            default
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

fn record_sender(env: &Env<'_>) -> RecordSender {
    match word(env, "THROUGHLINE_RECORD_SENDER").as_deref() {
        None | Some("" | "parent") => RecordSender::Parent,
        Some("link") => RecordSender::Link,
        Some(other) => {
            warn_once(&format!("THROUGHLINE_RECORD_SENDER is '{other}', not parent or link: parent is used"));
            RecordSender::Parent
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
        assert_eq!(settings.record_sender, RecordSender::Parent);
        assert!(!settings.debug.always && !settings.dry_run.is_always());
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
        assert_eq!(from(&[("THROUGHLINE_RECORD_SENDER", "link")]).record_sender, RecordSender::Link);
        assert_eq!(from(&[("THROUGHLINE_RECORD_SENDER", "child")]).record_sender, RecordSender::Parent);
        assert!(from(&[("THROUGHLINE_DEBUG", "true")]).debug.always);
    }
}

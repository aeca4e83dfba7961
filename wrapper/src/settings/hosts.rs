//! Hosts that may know for whom a transaction runs.

use super::Env;
use crate::diagnostics::warn_once;

const NAME: &str = "THROUGHLINE_BAGGAGE_HOSTS";

/// The hosts that outgoing HTTP requests take the baggage to (`THROUGHLINE_BAGGAGE_HOSTS`): names, or `*.` and the
/// name that they end in. None by default: a user id is not for third parties.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(super) fn from_env(env: &Env<'_>) -> Self {
        let value = env(NAME).unwrap_or_default();
        let hosts = value.split(',').map(normal).filter(|host| !host.is_empty());
        Self(hosts.filter(|host| is_host(host)).collect())
    }

    /// Whether `host` is among them.
    pub(crate) fn contains(&self, host: &str) -> bool {
        let host = normal(host);
        self.0.iter().any(|known| match known.strip_prefix('*') {
            // `*.example.com` are the names below it, not itself.
            Some(end) => host.len() > end.len() && host.ends_with(end),
            None => host == *known,
        })
    }
}

/// In lower case, without the dot of a name's root and the brackets of an IPv6 address.
fn normal(host: &str) -> String {
    host.trim().trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// A wrong one is left out, with a log line: it could only ever mean too much or nothing.
fn is_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let good = !name.is_empty() && !name.starts_with('.') && !name.contains(['*', '/', '@', ' ']);
    if !good {
        warn_once(&format!("{NAME}: '{host}' is neither a host nor *. and a domain: it is left out"));
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(value: &str) -> Hosts {
        Hosts::from_env(&|_| Some(value.to_owned()))
    }

    #[test]
    fn a_host_is_named_or_below_a_named_domain() {
        let hosts = hosts(" api.internal , *.Example.com,::1");
        for known in ["api.internal", "API.internal.", "a.example.com", "a.b.example.com", "[::1]"] {
            assert!(hosts.contains(known), "{known}");
        }
        for other in [
            "internal",
            "x.api.internal",
            "example.com",
            ".example.com",
            "evilexample.com",
            "example.com.evil",
            "",
        ] {
            assert!(!hosts.contains(other), "{other}");
        }
    }

    #[test]
    fn nobody_is_everybody() {
        for value in ["", "*", "*.", "*.*", "**", "https://api.internal", ","] {
            assert_eq!(hosts(value), Hosts::default(), "{value}");
        }
        assert_eq!(Hosts::from_env(&|_| None), Hosts::default());
    }
}

//! Which function takes part in dry runs, and what the program itself says of its calls.

use http::Uri;

use super::is_accepted;
use crate::diagnostics::warn_once;
use crate::settings::{Env, word};

/// What `THROUGHLINE_DRY_RUN` and the lists beside it say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DryRun {
    role: Role,
    pub(crate) allowed: Calls,
    pub(crate) refused: Calls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Refuses,
    Accepts,
    /// Every transaction that comes through is one.
    Always,
}

impl DryRun {
    pub(crate) fn from_env(env: &Env<'_>) -> Self {
        Self {
            role: role(env),
            allowed: Calls::from_env(env, "THROUGHLINE_DRY_RUN_ALLOW"),
            refused: Calls::from_env(env, "THROUGHLINE_DRY_RUN_REFUSE"),
        }
    }

    /// Whether the function takes part in dry runs.
    pub(crate) fn accepts(&self) -> bool {
        self.role != Role::Refuses || is_accepted()
    }

    /// Whether every transaction that comes through is one.
    pub(crate) fn is_always(&self) -> bool {
        self.role == Role::Always
    }
}

fn role(env: &Env<'_>) -> Role {
    match word(env, "THROUGHLINE_DRY_RUN").as_deref() {
        None | Some("" | "refuse" | "false" | "0") => Role::Refuses,
        Some("accept") => Role::Accepts,
        Some("always" | "true" | "1") => Role::Always,
        Some(other) => {
            warn_once(&format!(
                "THROUGHLINE_DRY_RUN is '{other}', not refuse, accept or always: refuse is used"
            ));
            Role::Refuses
        }
    }
}

/// Calls that the program names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Calls(Vec<Named>);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Named {
    /// An operation of a service, both in lower case; `*` for all of them.
    Operation {
        service: String,
        operation: String,
    },
    Address(Address),
}

/// Where an HTTP request goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Address {
    scheme: String,
    host: String,
    port: u16,
    path: String,
}

impl Calls {
    fn from_env(env: &Env<'_>, variable: &str) -> Self {
        let value = env(variable).unwrap_or_default();
        let entries = value.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let named = entries.filter_map(|entry| {
            let named = Named::parse(entry);
            if named.is_none() {
                warn_once(&format!(
                    "{variable}: '{entry}' is neither service:Operation nor an address: it is left out"
                ));
            }
            named
        });
        Self(named.collect())
    }

    /// Whether an operation is among them; the service as the SDK calls it.
    pub(crate) fn has_operation(&self, service: &str, operation: &str) -> bool {
        self.0.iter().any(|named| match named {
            Named::Operation { service: known, operation: name } => {
                let service = service.bytes().filter(|byte| *byte != b' ');
                let same = service.map(|byte| byte.to_ascii_lowercase()).eq(known.bytes());
                same && (name == "*" || name.eq_ignore_ascii_case(operation))
            }
            Named::Address(_) => false,
        })
    }

    /// Whether an address is among them, or below one of them.
    pub(crate) fn has_address(&self, uri: &Uri) -> bool {
        let Some(address) = Address::of(uri) else { return false };
        self.0.iter().any(|named| match named {
            Named::Address(known) => known.holds(&address),
            Named::Operation { .. } => false,
        })
    }
}

impl Named {
    pub(super) fn parse(entry: &str) -> Option<Self> {
        if entry.contains("://") {
            return Address::of(&entry.parse().ok()?).map(Self::Address);
        }
        let (service, operation) = entry.split_once(':')?;
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_name(service) && (operation == "*" || is_name(operation))).then(|| Self::Operation {
            service: service.to_ascii_lowercase(),
            operation: operation.to_ascii_lowercase(),
        })
    }
}

impl Address {
    /// `None` of what says less than where it goes, and of a path that leads up again: where, only the server knows.
    fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let port = uri.port_u16().or(match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        })?;
        let path = uri.path();
        let leads_up = path.contains("..") || path.to_ascii_lowercase().contains("%2e");
        let host = uri.host()?.trim_end_matches('.').to_ascii_lowercase();
        (!leads_up).then(|| Self { scheme, host, port, path: path.to_owned() })
    }

    /// Whether `other` is this address or below it.
    fn holds(&self, other: &Self) -> bool {
        let below = other.path.strip_prefix(&self.path);
        (&self.scheme, &self.host, self.port) == (&other.scheme, &other.host, other.port)
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'))
    }
}

//! How much is logged and in which form, as Lambda's logging controls and `RUST_LOG` say
//! (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>).

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter};

use crate::diagnostics::warn_once;
use crate::settings::{Env, word};

const FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";
const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
const RUST_LOG: &str = "RUST_LOG";

/// What a line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// One object a line; the default, since ids that no tool can read help nobody.
    #[default]
    Json,
    Text,
}

impl Format {
    pub(crate) fn from_env(env: &Env<'_>) -> Self {
        Self::of(env).unwrap_or_else(|other| {
            warn_once(&format!("{FORMAT} is '{other}', not JSON or Text: JSON is used"));
            Self::default()
        })
    }

    /// The same, and what makes no sense as it is.
    pub(crate) fn of(env: &Env<'_>) -> Result<Self, String> {
        match word(env, FORMAT).unwrap_or_default().as_str() {
            "" | "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            other => Err(other.to_owned()),
        }
    }
}

/// What is logged: what `RUST_LOG` says, else `AWS_LAMBDA_LOG_LEVEL`, else INFO and above.
pub(crate) fn filter(env: &Env<'_>) -> EnvFilter {
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    // What is left are directives that were read one by one: together they are read as well.
    builder.parse_lossy(directives(env))
}

fn directives(env: &Env<'_>) -> String {
    match env(RUST_LOG).filter(|directives| !directives.trim().is_empty()) {
        Some(directives) => valid(&directives),
        None => lambda_level(env).map(directive).unwrap_or_default().to_owned(),
    }
}

/// The directives that are some.
fn valid(directives: &str) -> String {
    let parts = directives.split(',').map(str::trim).filter(|part| !part.is_empty());
    let (good, bad): (Vec<_>, Vec<_>) = parts.partition(|part| part.parse::<Directive>().is_ok());
    if !bad.is_empty() {
        let bad = bad.join(",");
        warn_once(&format!("{RUST_LOG} has '{bad}', which is no directive: it is left out"));
    }
    good.join(",")
}

/// The level that Lambda lets through, as it writes it.
fn lambda_level(env: &Env<'_>) -> Option<&'static str> {
    let level = word(env, LEVEL).filter(|level| !level.is_empty())?;
    let known = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    let found = known.into_iter().find(|known| known.eq_ignore_ascii_case(&level));
    if found.is_none() {
        warn_once(&format!("{LEVEL} is '{level}', not one of {}: INFO is used", known.join(", ")));
    }
    found
}

/// Nothing that `tracing` knows is fatal.
fn directive(level: &'static str) -> &'static str {
    if level == "FATAL" { "off" } else { level }
}

/// The level that a line must claim to come through, whatever it is: Lambda itself takes the lines of lower levels out,
/// by what they say of themselves. `None` where it lets them through.
pub(crate) fn let_through(env: &Env<'_>) -> Option<&'static str> {
    let is_filtered = word(env, FORMAT).as_deref() == Some("json");
    lambda_level(env).filter(|level| is_filtered && !matches!(*level, "TRACE" | "DEBUG"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::env;

    #[test]
    fn the_format_is_what_lambda_says() {
        for (value, format) in
            [("", Format::Json), ("JSON", Format::Json), ("Text", Format::Text), ("xml", Format::Json)]
        {
            assert_eq!(Format::from_env(&env(&[(FORMAT, value)])), format, "{value}");
        }
        assert_eq!(Format::from_env(&env(&[])), Format::Json);
    }

    #[test]
    fn a_level_is_lambdas_unless_rust_log_says_more() {
        for (pairs, directives) in [
            (&[][..], "info"),
            (&[(LEVEL, "debug")], "debug"),
            (&[(LEVEL, "TRACE")], "trace"),
            (&[(LEVEL, "Error")], "error"),
            (&[(LEVEL, "FATAL")], "off"),
            (&[(LEVEL, "loud")], "info"),
            (&[(LEVEL, "ERROR"), (RUST_LOG, "shop=debug")], "shop=debug"),
            (&[(LEVEL, "ERROR"), (RUST_LOG, " ")], "error"),
            (&[(RUST_LOG, "warn, shop=debug ,[[[")], "shop=debug,warn"),
            (&[(RUST_LOG, "[[[")], "info"),
        ] {
            assert_eq!(filter(&env(pairs)).to_string(), directives, "{pairs:?}");
        }
    }

    #[test]
    fn a_debug_line_claims_a_level_only_where_lambda_filters() {
        for (pairs, level) in [
            (&[][..], None),
            (&[(LEVEL, "WARN")], None),
            (&[(FORMAT, "Text"), (LEVEL, "WARN")], None),
            (&[(FORMAT, "JSON"), (LEVEL, "warn")], Some("WARN")),
            (&[(FORMAT, "JSON"), (LEVEL, "DEBUG")], None),
            (&[(FORMAT, "JSON"), (LEVEL, "loud")], None),
        ] {
            assert_eq!(let_through(&env(pairs)), level, "{pairs:?}");
        }
    }
}

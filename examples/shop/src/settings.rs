//! What a function is told by its environment.

use std::env;

/// A variable that the template sets; an empty one counts as missing.
///
/// # Errors
///
/// The variable is not set: the function must not start.
pub fn setting(name: &'static str) -> Result<String, MissingSetting> {
    present(env::var(name).ok()).ok_or(MissingSetting(name))
}

fn present(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}

/// A variable that is not set.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is not set")]
pub struct MissingSetting(pub &'static str);

/// Fails in the function that `SHOP_FAIL` names: a fault to look at.
///
/// # Errors
///
/// `SHOP_FAIL` names this function.
pub fn fail_if_asked(function: &'static str) -> Result<(), AskedToFail> {
    fail_if(setting("SHOP_FAIL").ok().as_deref(), function)
}

fn fail_if(asked: Option<&str>, function: &'static str) -> Result<(), AskedToFail> {
    if asked == Some(function) { Err(AskedToFail(function)) } else { Ok(()) }
}

/// Whether this program has the bug of that name, for whoever learns to find bugs: `SHOP_BUG` says which it has, and
/// each place in the code that asks says what the bug is.
#[must_use]
pub fn has_bug(name: &str) -> bool {
    setting("SHOP_BUG").is_ok_and(|bug| bug == name)
}

/// The fault that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0} fails because SHOP_FAIL says so")]
pub struct AskedToFail(&'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_missing() {
        assert_eq!(present(Some("orders".into())).as_deref(), Some("orders"));
        assert_eq!(present(Some(String::new())), None);
        assert_eq!(present(None), None);
    }

    #[test]
    fn only_the_function_that_is_named_fails() {
        let error = fail_if(Some("lunchbot"), "lunchbot").expect_err("asked to");
        assert_eq!(error.to_string(), "lunchbot fails because SHOP_FAIL says so");
        assert!(fail_if(Some("lunchbot"), "checkout-api").is_ok());
        assert!(fail_if(None, "checkout-api").is_ok());
    }
}

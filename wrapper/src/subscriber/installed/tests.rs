use super::*;
use crate::span::Failure;
use crate::testing::{Listener, close, scope, subscribe};

/// What is logged, what is kept for a bad end, and the names of the program's spans, where the environment is this.
fn told(env: &[(&str, &str)]) -> [Vec<String>; 3] {
    let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let (log, scope) = (Listener::new(), scope());
    let _guard = subscribe(Registry::default().with(Installed::from_env(&env)));
    scope.enter(|| {
        tracing::info_span!(target: "shop", "pay", order = 7).in_scope(|| {
            tracing::trace!(target: "shop", "all");
            tracing::debug!(target: "shop", "detail");
            tracing::info!(target: "shop", "paid");
        });
        tracing::debug_span!(target: "shop", "look").in_scope(|| tracing::warn!(target: "shop", "slow"));
    });
    let message = |line: String| {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        line["message"].as_str().unwrap().to_owned()
    };
    let lines = || log.lines().into_iter().map(message).collect();
    let logged = lines();
    scope.invocation().fail(Failure::new("Boom", "no"));
    let kept = lines();
    let names = close(scope.invocation()).into_iter().map(|span| span.name);
    [logged, kept, names.filter(|name| ["pay", "look"].contains(&name.as_str())).collect()]
}

#[test]
fn the_level_says_what_is_logged_and_takes_no_span_away() {
    assert_eq!(told(&[]), [vec!["paid", "slow"], vec!["detail"], vec!["pay"]]);
    let level = |level| told(&[("AWS_LAMBDA_LOG_LEVEL", level)]);
    assert_eq!(level("ERROR"), [vec![], vec!["detail"], vec!["pay"]]);
    assert_eq!(level("WARN"), [vec!["slow"], vec!["detail"], vec!["pay"]]);
    assert_eq!(level("DEBUG"), [vec!["detail", "paid", "slow"], vec![], vec!["pay", "look"]]);
}

#[test]
fn a_filter_may_ask_for_a_span_and_its_fields() {
    let told = told(&[("RUST_LOG", "warn,shop[pay{order=7}]=trace")]);
    assert_eq!(told, [vec!["all", "detail", "paid", "slow"], vec![], vec!["pay"]]);
}

#[test]
fn debug_lines_are_kept_unless_that_is_switched_off() {
    let told = told(&[("THROUGHLINE_DEBUG_LINES", "false")]);
    assert_eq!(told, [vec!["paid", "slow"], vec![], vec!["pay"]]);
}

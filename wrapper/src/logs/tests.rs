use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::invocation::Invocation;
use crate::mask::Keys;
use crate::scope::Scope;
use crate::testing::{Listener, call, env, now, scope, scope_in};
use crate::tracer::Tracer;
use crate::triggers::{Caller, read};

struct Kept(Logs, Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Kept {
    fn on_event(&self, event: &Event<'_>, _cx: Context<'_, S>) {
        let scope = Scope::current();
        let line = match &scope {
            Some(scope) if *event.metadata().level() == tracing::Level::DEBUG => {
                self.0.debug_line(event, scope)
            }
            _ => self.0.line(event, scope.as_ref()),
        };
        self.1.lock().unwrap().push(line);
    }
}

/// The lines of what `work` logs.
fn lines(pairs: &[(&str, &str)], work: impl FnOnce()) -> Vec<String> {
    let kept = Arc::default();
    let layer = Kept(Logs::from_env(&env(pairs), Keys::default()), Arc::clone(&kept));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    let lines = kept.lock().unwrap();
    lines.clone()
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn a_line_is_one_json_object_and_no_field_hides_a_member() {
    let lines = lines(&[], || {
        tracing::info!(
            level = "fake",
            count = 3,
            odd = f64::NAN,
            half = 0.5,
            requestId = "forged",
            "two\nlines"
        );
    });
    assert_eq!(lines[0].matches('\n').count(), 1);
    let line = json(&lines[0]);
    assert_eq!((&line["level"], &line["field.level"]), (&"INFO".into(), &"fake".into()));
    assert_eq!((&line["count"], &line["half"], &line["odd"]), (&3.into(), &0.5.into(), &"NaN".into()));
    assert_eq!((&line["message"], &line["field.requestId"]), (&"two\nlines".into(), &"forged".into()));
    assert_eq!((line.get("trace_id"), line.get("requestId")), (None, None));
}

#[test]
fn ids_chosen_baggage_and_marks_are_on_every_line() {
    let scope = scope();
    for (key, value) in [("user.id", "u-1"), ("tenant", "t\"1"), ("secret", "no"), (Baggage::DRY_RUN, "true")]
    {
        assert!(scope.set_baggage(key, value));
    }
    let lines = lines(&[("THROUGHLINE_LOG_BAGGAGE", "tenant, ,account.plan,correlation.id")], || {
        scope.enter(|| tracing::info!(user.id = "forged", tenant = 7, account.plan = "own", "hello"));
    });
    let line = json(&lines[0]);
    for (member, value) in [
        ("request_id", "r-1"),
        ("requestId", "r-1"),
        ("correlation_id", "r-1"),
        ("trace_id", &scope.span().trace_id().to_string()),
        ("span_id", &scope.span().span_id().to_string()),
        ("user.id", "u-1"),
        ("field.user.id", "forged"),
        ("tenant", "t\"1"),
        // There is none in the baggage that it could hide.
        ("account.plan", "own"),
    ] {
        assert_eq!(line[member], value, "{member}");
    }
    assert_eq!((&line["field.tenant"], &line[Baggage::DRY_RUN]), (&7.into(), &true.into()));
    assert_eq!((line.get("secret"), line.get(Baggage::DEBUG), line.get("account.id")), (None, None, None));
    assert_eq!(lines[0].matches("correlation").count(), 1);
}

#[test]
fn text_has_the_ids_as_well() {
    let scope = scope();
    let lines =
        lines(&[("AWS_LAMBDA_LOG_FORMAT", "Text")], || scope.enter(|| tracing::warn!(n = 3, "hello")));
    assert!(lines[0].contains("WARN throughline::logs::tests: hello n=3 requestId=\"r-1\""), "{}", lines[0]);
    assert!(lines[0].contains(&format!("trace_id=\"{}\"", scope.span().trace_id())), "{}", lines[0]);
}

#[test]
fn a_debug_line_is_bounded_whole_and_has_its_ids() {
    let scope = scope_in(&[]);
    let long = "\"é".repeat(MAX_DEBUG_LINE);
    let lines = lines(&[], || scope.enter(|| tracing::debug!(long, more = ?long, "{long}")));
    assert!(lines[0].len() <= MAX_DEBUG_LINE, "{}", lines[0].len());
    let line = json(&lines[0]);
    assert_eq!((&line["level"], &line["request_id"]), (&"DEBUG".into(), &"r-1".into()));
    assert!(line["message"].as_str().unwrap().ends_with('…'));
}

#[test]
fn a_debug_line_comes_through_lambdas_own_filter() {
    let scope = scope();
    let env = [("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_LOG_LEVEL", "ERROR")];
    let lines = lines(&env, || scope.enter(|| tracing::debug!("hello")));
    let line = json(&lines[0]);
    assert_eq!((&line["level"], &line["severity_text"]), (&"ERROR".into(), &"DEBUG".into()));
}

/// Opens an invocation with that event: its scope, and the lines that this took.
fn opened(environment: &[(&str, &str)], baggage: &str) -> (Scope, Vec<String>) {
    let log = Listener::new();
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let event = serde_json::json!({"_throughline": {"traceparent": traceparent, "baggage": baggage}});
    let tracer = Tracer::new(&env(environment), now);
    let reading = read(&event.to_string().into(), &Caller::default(), tracer.settings());
    let (_, scope) = Invocation::open(tracer, call(), reading);
    (scope, log.lines())
}

#[test]
fn a_line_of_ours_about_an_invocation_has_its_ids() {
    for (environment, baggage, says) in [
        (&[][..], "throughline.dry-run=true,correlation.id=c-1", "r-1: it is a dry run"),
        (
            &[("THROUGHLINE_MAX_HOPS", "2")],
            "throughline.hops=7,correlation.id=c-1",
            "r-1: the transaction came",
        ),
    ] {
        let (scope, lines) = opened(environment, baggage);
        let line = json(&lines[0]);
        assert!(line["message"].as_str().unwrap().contains(says), "{line}");
        assert_eq!((&line["level"], &line["requestId"]), (&"WARN".into(), &"r-1".into()));
        assert_eq!((&line["request_id"], &line["correlation_id"]), (&"r-1".into(), &"c-1".into()));
        assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(line["span_id"], scope.span().span_id().to_string());
    }
}

#[test]
fn a_line_of_ours_in_text_has_them_too_and_one_about_the_process_has_none() {
    let scope = scope();
    let keys = Keys::default();
    let line = own_line(Format::Text, &keys, Some(scope.invocation().ids()), "dropped");
    let ids = format!("trace_id=\"{}\" span_id=\"{}\"", scope.span().trace_id(), scope.span().span_id());
    let said = format!(
        "WARN throughline: dropped requestId=\"r-1\" request_id=\"r-1\" {ids} correlation_id=\"r-1\"\n"
    );
    assert!(line.ends_with(&said), "{line}");
    let line = json(&own_line(Format::Json, &keys, None, "off"));
    assert_eq!((line.get("requestId"), line.get("trace_id")), (None, None));
}

//! What only the platform knows: of functions that nobody wrapped, and of cold starts.

use std::time::Duration;
use throughline_host::Source;
use throughline_tests::backend::Backend;
use throughline_tests::handlers::Kind;
use throughline_tests::spans::Arrived;

use crate::support::{Setup, eventually};

#[tokio::test]
async fn an_invocation_that_ends_badly_has_a_span_whatever_the_function_is_made_of() {
    for (ending, error_type) in [("exit", "Runtime.ExitError"), ("hang", "Sandbox.Timedout"), ("error", "")] {
        let backend = Backend::start([]).unwrap();
        let setup = Setup::plain(Kind::Command).exporting_to(&backend).await;
        let mut function = setup.with(|config| config.timeout(Duration::from_secs(2))).start().await;
        let failed = function.sandbox.invoke(crate::support::command(ending, 0)).await;
        assert!(failed.outcome.error().is_some());
        // Its own span is believed to come until the next invocation has none either.
        assert!(function.command("ok", 0).await.error().is_none());
        let ended = function.shutdown().await;
        eventually(|| (backend.arrived().len() != 1).then(|| format!("{ending}: {:?}", backend.arrived())))
            .await;
        let told = &backend.arrived()[0];
        assert_eq!(
            told.attribute("faas.invocation_id").as_deref(),
            Some(failed.request_id.as_str()),
            "{ending}"
        );
        assert_eq!(told.of_resource("faas.name").as_deref(), Some("test-function"));
        let told = told.attribute("error.type").unwrap();
        assert!(told == error_type || (error_type.is_empty() && !told.is_empty()), "{ending}: {told}");
        assert_eq!(ended.printed.spans(Source::Extension).len(), 0);
    }
}

#[tokio::test]
async fn the_phases_of_a_cold_start_stand_under_its_invocation() {
    let backend = Backend::start([]).unwrap();
    let setup =
        Setup::wrapped(Kind::Command).exporting_to(&backend).await.env("THROUGHLINE_PHASES", "cold-starts");
    let mut function = setup.start().await;
    let cold = function.sandbox.invoke(crate::support::command("ok", 0)).await;
    for _ in 0..2 {
        function.command("ok", 0).await;
    }
    function.shutdown().await;
    let arrived = backend.arrived();
    let (invocations, phases): (Vec<Arrived>, Vec<Arrived>) =
        arrived.into_iter().partition(Arrived::is_invocation);
    let cold = invocations
        .iter()
        .find(|span| span.attribute("faas.invocation_id").as_ref() == Some(&cold.request_id));
    let cold = cold.expect("told");
    assert_eq!(invocations.len(), 3);
    assert!(phases.iter().any(|phase| phase.span.name == "init"), "{phases:?}");
    for phase in phases {
        assert_eq!(phase.span.parent_span_id, cold.span.span_id, "{phase:?}");
        assert_eq!(phase.span.trace_id, cold.span.trace_id);
    }
}

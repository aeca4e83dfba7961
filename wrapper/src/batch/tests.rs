use super::run;
use crate::context;
use crate::invocation::Invocation;
use crate::scope::Scoped;
use crate::testing::{Charging, Written, call, close, now, subscribe, text};
use crate::tracer::Tracer;
use crate::triggers::{self, Caller};

const EVENT: &str = r#"{"Records":[
    {"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:e:1:payments","messageId":"m-1","messageAttributes":{
        "traceparent":{"stringValue":"00-00000000000000000000000000000007-0000000000000001-01"},
        "baggage":{"stringValue":"correlation.id=c-7"}}},
    {"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:e:1:payments","messageId":"m-2","messageAttributes":{
        "traceparent":{"stringValue":"00-00000000000000000000000000000008-0000000000000002-01"},
        "baggage":{"stringValue":"correlation.id=c-8"}}}]}"#;

/// With a subscriber of the program's own, which knows nothing of us.
#[tokio::test]
async fn the_log_lines_of_a_record_carry_its_own_ids() {
    let written = Written::default();
    let _guard = subscribe(written.subscriber());

    let tracer = Tracer::new(&|_| None, now);
    let event = bytes::Bytes::from_static(EVENT.as_bytes());
    let reading = triggers::read(&event, &Caller::default(), tracer.settings());
    let (_invocation, scope) = Invocation::open(tracer, call(), reading);
    for (id, own) in [("m-1", "c-7"), ("m-2", "c-8")] {
        let process = || async move {
            assert_eq!(context::correlation_id().as_deref(), Some(own));
            tracing::info!(target: "shop", "working on {id}");
            Err("refused")
        };
        assert!(!Scoped::new(run(id, process), scope.clone()).await);
    }

    let lines = written.lines();
    assert_eq!(lines.len(), 4, "{lines:?}");
    for (line, own) in lines.iter().zip(["c-7", "c-7", "c-8", "c-8"]) {
        assert!(line.contains(&format!("correlation_id=\"{own}\"")), "{line}");
    }
    assert!(lines[1].contains("a record failed") && lines[3].contains("a record failed"));
}

#[tokio::test]
async fn a_record_that_failed_says_the_cause() {
    let written = Written::default();
    let _guard = subscribe(written.subscriber());
    let tracer = Tracer::new(&|_| None, now);
    let reading = triggers::read(&EVENT.into(), &Caller::default(), tracer.settings());
    let (invocation, scope) = Invocation::open(tracer, call(), reading);
    let process = || async { Err(std::io::Error::other(Charging(std::fmt::Error))) };
    assert!(!Scoped::new(run("m-1", process), scope).await);
    let said = format!("charging: {}", std::fmt::Error);
    assert!(written.lines()[0].contains(&said), "{:?}", written.lines());
    assert_eq!(close(&invocation)[0].status.as_ref().unwrap().message, said);
}

#[tokio::test]
async fn a_record_that_goes_round_in_a_loop_is_refused_and_the_other_is_not() {
    let refuses = |name: &str| (name == "THROUGHLINE_ON_LOOP").then(|| "refuse".to_owned());
    let tracer = Tracer::new(&refuses, now);
    let event = EVENT.replace("correlation.id=c-7", "correlation.id=c-7,throughline.hops=12");
    let reading = triggers::read(&event.into(), &Caller::default(), tracer.settings());
    let (invocation, scope) = Invocation::open(tracer, call(), reading);
    assert_eq!(invocation.refusal(), None, "one of its records may go on");
    let processed = std::sync::Mutex::new(Vec::new());
    for (id, goes_on) in [("m-1", false), ("m-2", true)] {
        let process = || async {
            processed.lock().unwrap().push(id);
            Ok::<_, std::io::Error>(())
        };
        assert_eq!(Scoped::new(run(id, process), scope.clone()).await, goes_on, "{id}");
    }
    assert_eq!(*processed.lock().unwrap(), ["m-2"]);
    let [refused, other, batch] = close(&invocation).try_into().unwrap();
    assert_eq!(text(&refused, "error.type").as_deref(), Some("Throughline.LoopRefused"));
    assert_eq!(text(&refused, "throughline.hops").as_deref(), Some("IntValue(13)"));
    assert_eq!((text(&other, "throughline.loop"), other.status), (None, None));
    assert_eq!(
        text(&batch, "throughline.hops").as_deref(),
        Some("IntValue(13)"),
        "it is found there as well"
    );
}

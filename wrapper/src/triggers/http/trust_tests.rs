//! What the public may not set, these tests try to set: through every trigger, in every dialect and spelling.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::propagation::Baggage;
use crate::settings::Trust;
use crate::triggers::tests::*;
use crate::triggers::{self, Caller, Sender};

/// The events of all HTTP triggers with these headers; the name of each is its sample's.
fn events(headers: &[(String, String)]) -> Vec<(&'static str, Value)> {
    let single: Value =
        headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>().into();
    let lists: Value =
        headers.iter().map(|(name, value)| (name.clone(), json!([value]))).collect::<Map<_, _>>().into();
    let with = |name: &'static str, at: &[&str], headers: &Value| {
        let path = format!("{}/tests/fixtures/samples/example-{name}.json", env!("CARGO_MANIFEST_DIR"));
        let mut event: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        event.as_object_mut().unwrap().remove("multiValueHeaders");
        *at.iter().fold(&mut event, |part, key| &mut part[*key]) = headers.clone();
        (name, event)
    };
    let mut events = vec![
        with("apigw-request", &["headers"], &single),
        with("apigw-request", &["multiValueHeaders"], &lists),
        with("apigw-v2-request-no-authorizer", &["headers"], &single),
        with("apigw-websocket-request-without-method", &["headers"], &single),
        with("apigw-websocket-request-without-method", &["multiValueHeaders"], &lists),
        with("alb-lambda-target-request-headers-only", &["headers"], &single),
        with("alb-lambda-target-request-multivalue-headers", &["multiValueHeaders"], &lists),
        with("vpc-lattice-v1-request", &["headers"], &single),
        with("vpc-lattice-v2-request", &["headers"], &lists),
        with("appsync-direct-resolver", &["request", "headers"], &single),
        with("apigw-custom-auth-request-type-request", &["headers"], &single),
        with("apigw-v2-custom-authorizer-v1-request", &["headers"], &single),
        with("apigw-v2-custom-authorizer-v2-request", &["headers"], &single),
        with("apigw-v2-custom-authorizer-websocket-request", &["headers"], &single),
        with("appsync-lambda-auth-request", &["requestHeaders"], &single),
        with("iot-custom-auth-request", &["protocolData", "http", "headers"], &single),
    ];
    let (_, resolver) = with("appsync-direct-resolver", &["request", "headers"], &single);
    events.push(("a batch of resolvers", json!([resolver])));
    events.push(("a service that is not known", json!({"headers": single})));
    events
}

/// `text` with the case of each letter as `upper` says.
fn spelled(text: &str, upper: u64) -> String {
    let spell = |(at, letter): (usize, char)| {
        if upper >> (at % 64) & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
    };
    text.chars().enumerate().map(spell).collect()
}

fn baggage(sender: Option<Sender>) -> (bool, Baggage) {
    match sender {
        Some(Sender::Parent(context) | Sender::Link(context)) => (true, context.baggage),
        Some(Sender::Ids(ids)) => (false, ids),
        None => (false, Baggage::default()),
    }
}

const OURS: [&str; 4] = ["throughline.debug", "throughline.dry-run", "throughline.entry", "throughline.hops"];
const W3C: [(&str, &str); 1] = [("traceparent", TRACEPARENT)];
const DATADOG: [(&str, &str); 3] = [
    ("x-datadog-trace-id", "11803532876627986230"),
    ("x-datadog-parent-id", "67667974448284343"),
    ("x-datadog-tags", "_dd.p.tid=4bf92f3577b34da6,throughline.debug=true"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn marks_are_never_taken_and_baggage_only_where_it_is_trusted(
        ours in prop::sample::select(OURS.to_vec()),
        upper in any::<u64>(),
        space in " {0,2}",
        property in prop::sample::select(vec!["", ";p=1", " ; throughline.debug"]),
        is_datadog in any::<bool>(),
        trust in prop::sample::select(vec![Trust::None, Trust::Trace, Trust::Baggage]),
    ) {
        let key = spelled(ours, upper);
        let ids: &[(&str, &str)] = if is_datadog { &DATADOG } else { &W3C };
        let mut headers: Vec<(String, String)> =
            ids.iter().map(|(name, value)| (spelled(name, upper), (*value).to_owned())).collect();
        let mut add = |name: &str, value: String| headers.push((spelled(name, upper.rotate_left(7)), value));
        add("baggage", format!("user.id=u-1,{space}{key}{space}={space}true{property},tenant=t"));
        add(&format!("ot-baggage-{ours}"), "true".to_owned());
        add("debug-log-enabled", "true".to_owned());
        add("call-chain-length", "9".to_owned());
        add(&format!("x-correlation-{ours}"), "true".to_owned());
        add("x-correlation-id", "c-1".to_owned());
        for (name, event) in events(&headers) {
            let event = event.to_string().into();
            let reading = triggers::read(&event, &Caller::default(), &settings(trust));
            let (has_span, baggage) = baggage(reading.sender);
            prop_assert!(has_span, "{name}: the ids are taken");
            prop_assert_eq!(reading.stripped, None);
            if trust == Trust::Baggage {
                prop_assert_eq!(baggage.get("user.id"), Some("u-1"), "{}", name);
                prop_assert_eq!(baggage.get("correlation.id"), Some("c-1"), "{}", name);
                let header = baggage.header().unwrap().to_ascii_lowercase();
                prop_assert!(!header.split(',').any(|member| member.starts_with("throughline.")), "{name}: {header}");
            } else {
                prop_assert_eq!(baggage, Baggage::default(), "{}", name);
            }
        }
    }
}

#[test]
fn ids_alone_are_baggage() {
    let headers = [("x-correlation-id".to_owned(), "c-1".to_owned())];
    for (name, event) in events(&headers) {
        let event = event.to_string().into();
        let read = |trust| triggers::read(&event, &Caller::default(), &settings(trust)).sender;
        assert_eq!((read(Trust::None), read(Trust::Trace)), (None, None), "{name}");
        let ids = Some(Sender::Ids(Baggage::parse("correlation.id=c-1")));
        assert_eq!(read(Trust::Baggage), ids, "{name}");
    }
}

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::settings::Trust;
use crate::span::SpanKind;
use crate::triggers::tests::*;
use crate::triggers::{self, Answers, Caller, Reading, Sender};

fn request(event: &Value, trust: Trust) -> Reading {
    triggers::read(&event.to_string().into(), &Caller::default(), &settings(trust))
}

#[test]
fn the_http_api_sample_says_method_path_and_caller() {
    let reading = read(&sample!("http-api"));
    assert_eq!((reading.trigger, reading.kind), ("http", SpanKind::Server));
    assert_eq!((reading.name.as_deref(), reading.source.as_str()), (Some("GET"), "http GET $default"));
    assert_eq!(reading.request_id.as_deref(), Some("LV7fzho-PHcEJPw="));
    assert_eq!(reading.sender, None, "an X-Ray header without a parent is no sender");
    assert_eq!(
        lines(&reading.attributes),
        [
            "client.address=1.2.3.4",
            "http.request.method=GET",
            "network.protocol.version=1.1",
            "server.address=aaaaaaaaaa.execute-api.us-west-2.amazonaws.com",
            "server.port=443",
            "url.path=/",
            "url.scheme=https",
            "user_agent.original=curl/7.58.0",
        ]
    );
}

#[test]
fn the_rest_api_sample_says_its_resource() {
    let reading = read(&sample!("rest-api"));
    assert_eq!((reading.trigger, reading.kind), ("http", SpanKind::Server));
    assert_eq!(
        (reading.name.as_deref(), reading.source.as_str()),
        (Some("POST /{proxy+}"), "http POST /{proxy+}")
    );
    assert_eq!(reading.request_id, None, "it has only the one that a client may choose");
    assert_eq!(
        lines(&reading.attributes),
        [
            "client.address=192.168.196.186",
            "http.request.method=POST",
            "http.route=/{proxy+}",
            "network.protocol.version=1.1",
            "server.address=gy415nuibc.execute-api.us-east-2.amazonaws.com",
            "server.port=443",
            "url.path=/hello/world",
            "url.scheme=https",
            "user_agent.original=PostmanRuntime/2.4.5",
        ]
    );
}

#[test]
fn the_route_is_the_pattern_and_not_the_path() {
    let mut event = sample!("http-api");
    for (key, name, source) in [
        (json!("POST /orders/{id}"), "POST /orders/{id}", "http POST /orders/{id}"),
        (json!("ANY /orders"), "POST /orders", "http POST /orders"),
        (json!("$default"), "POST", "http POST $default"),
        (Value::Null, "POST", "http POST $default"),
    ] {
        event["routeKey"] = key;
        event["requestContext"]["http"]["method"] = json!("POST");
        let reading = read(&event);
        assert_eq!((reading.name.as_deref(), reading.source.as_str()), (Some(name), source));
    }
}

#[test]
fn a_method_of_their_own_does_not_become_a_name() {
    let mut event = sample!("http-api");
    event["routeKey"] = json!("ANY /orders");
    event["requestContext"]["http"]["method"] = json!("BREW-1234");
    let reading = read(&event);
    assert_eq!(
        (reading.name.as_deref(), reading.source.as_str()),
        (Some("HTTP /orders"), "http _OTHER /orders")
    );
    let attributes = lines(&reading.attributes);
    assert!(attributes.contains(&"http.request.method=_OTHER".to_owned()));
    assert!(attributes.contains(&"http.request.method_original=BREW-1234".to_owned()));
}

#[test]
fn trust_decides_what_a_caller_brings_along() {
    let headers = json!({
        "TraceParent": TRACEPARENT,
        "baggage": "user.id=u-1,throughline.dry-run=1,throughline.debug=1",
        "X-Amzn-Trace-Id": XRAY,
    });
    let with_baggage = Some(Sender::Parent(context(TRACEPARENT, Some("user.id=u-1"))));
    for mut event in [sample!("http-api"), sample!("rest-api")] {
        event["headers"] = headers.clone();
        assert_eq!(request(&event, Trust::Trace).sender, parent(TRACEPARENT));
        assert_eq!(request(&event, Trust::None).sender, link(TRACEPARENT));
        assert_eq!(request(&event, Trust::Baggage).sender, with_baggage, "but never what changes behaviour");
        event["headers"]["TraceParent"] = json!("what");
        assert_eq!(request(&event, Trust::Trace).sender, xray());
    }
}

#[test]
fn several_values_are_one_list() {
    let mut event = sample!("rest-api");
    event["headers"] = json!({"tracestate": "b=2", "traceparent": OTHER});
    event["multiValueHeaders"] = json!({"Tracestate": ["a=1", "b=2"], "TRACEPARENT": [TRACEPARENT]});
    let Some(Sender::Parent(sender)) = read(&event).sender else { panic!("no sender") };
    assert_eq!(sender.span.trace_state().header(), "a=1,b=2");
    event["multiValueHeaders"]["TRACEPARENT"] = json!([TRACEPARENT, OTHER]);
    assert_eq!(read(&event).sender, None, "two parents are none");
}

#[test]
fn no_secret_reaches_an_attribute_and_nothing_is_cut_from_a_request() {
    let mut event = sample!("http-api");
    event["rawQueryString"] = json!("token=hunter2");
    event["headers"]["authorization"] = json!("Bearer hunter2");
    event["cookies"] = json!(["session=hunter2"]);
    event["body"] = json!("{\"_throughline\":{\"password\":\"hunter2\"}}");
    let reading = read(&event);
    assert!(!format!("{reading:?}").contains("hunter2"));
    assert_eq!(reading.stripped, None);
}

#[test]
fn a_host_may_name_a_port_and_a_client_may_have_one() {
    for (host, address, port) in [
        ("a.example", Some("a.example"), None),
        ("a.example:8443", Some("a.example"), Some(8443)),
        ("a.example:", Some("a.example"), None),
        ("a.example:99999", Some("a.example"), None),
        ("[2001:db8::1]", Some("2001:db8::1"), None),
        ("[2001:db8::1]:80", Some("2001:db8::1"), Some(80)),
        (":80", None, Some(80)),
        ("", None, None),
    ] {
        assert_eq!(super::host_and_port(host), (address, port), "{host}");
    }
    for (forwarded, client) in [
        ("203.0.113.7", Some("203.0.113.7")),
        (" 203.0.113.7:4711 , 10.0.0.1", Some("203.0.113.7")),
        ("[2001:db8::1]:4711", Some("2001:db8::1")),
        ("2001:db8::1", Some("2001:db8::1")),
        ("<script>, 10.0.0.1", None),
        ("", None),
    ] {
        assert_eq!(super::client_of(forwarded).as_deref(), client, "{forwarded}");
    }
}

/// A sample of `aws_lambda_events`.
macro_rules! shipped {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/samples/example-", $name, ".json"))
    };
}

#[test]
fn an_answer_is_a_response_only_where_the_function_answers_the_client() {
    use Answers::{Opaque, Response, ResponseOrBody};
    for (event, answers) in [
        (shipped!("apigw-request"), Response),
        (shipped!("apigw-v2-request-no-authorizer"), ResponseOrBody),
        (shipped!("apigw-websocket-request-without-method"), Response),
        (shipped!("alb-lambda-target-request-headers-only"), Response),
        (shipped!("vpc-lattice-v2-request"), Response),
        (shipped!("appsync-direct-resolver"), Opaque),
        (shipped!("apigw-custom-auth-request-type-request"), Opaque),
        (shipped!("apigw-v2-custom-authorizer-v2-request"), Opaque),
        (shipped!("apigw-v2-custom-authorizer-websocket-request"), Opaque),
        (shipped!("iot-custom-auth-request"), Opaque),
    ] {
        let reading = read_bytes(event);
        assert_eq!(reading.answers, answers, "{}", reading.source);
    }
}

proptest! {
    #[test]
    fn any_host_and_any_client_are_survived(text in "[\\[\\]:.0-9a-z]{0,12}|.*") {
        let _ = super::host_and_port(&text);
        let _ = super::client_of(&text);
    }
}

//! Lambda: what a function is invoked with by another, beside its payload or in it. moto answers what it is sent; to run
//! a function it would need Docker, so the invocation is made here of the request, as Lambda makes it.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::invoke::builders::InvokeFluentBuilder;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType::{self, Event, RequestResponse};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::json;

use crate::check::{Seen, assert_child, consumer, injections, outcome, producer};
use crate::emulator::{Emulator, clients, sdk, send};
use crate::function::{Call, Function, TRACESTATE};
use crate::proxy::Proxy;

const KIB: usize = 1024;

/// Where functions are invoked.
async fn endpoint(emulator: &Emulator) -> Proxy {
    if emulator.is_moto() {
        // Without Docker moto answers what it was invoked with.
        let host = emulator.endpoint().strip_prefix("http://").unwrap();
        let config = json!({ "lambda": { "use_docker": false } }).to_string();
        let request = Request::post("/moto-api/config").header("host", host);
        send(host, request.body(Bytes::from(config).into()).unwrap()).await;
    }
    Proxy::recording(emulator, |request| {
        let kind = request.headers().get("x-amz-invocation-type");
        let status = if kind.is_some_and(|kind| kind == "Event") { 202 } else { 200 };
        let response = Response::builder().status(status).header("x-amzn-requestid", "r-1");
        response.body(request.body().clone()).unwrap()
    })
    .await
}

fn invoke(client: &Client, kind: InvocationType, payload: &str) -> InvokeFluentBuilder {
    client.invoke().function_name("payments").invocation_type(kind).payload(Blob::new(payload))
}

/// The invocation that Lambda makes of a request: an asynchronous one has no `ClientContext`.
fn invocation(request: &Request<Bytes>, request_id: &str) -> Call {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
    let mut call = Call::of_bytes(request.body().clone()).known_as(request_id);
    if let Some(context) = header("x-amz-client-context").filter(|_| !is_event(request)) {
        let context = String::from_utf8(BASE64_STANDARD.decode(context).unwrap()).unwrap();
        call = call.with_client_context(&context);
    }
    call.traced(header("x-amzn-trace-id").expect("the header of X-Ray"))
}

fn is_event(request: &Request<Bytes>) -> bool {
    request.headers().get("x-amz-invocation-type").is_some_and(|kind| kind == "Event")
}

#[tokio::test]
async fn a_function_that_is_waited_for_gets_the_same_payload_in_its_callers_trace() {
    let emulator = Emulator::start().await;
    let proxy = endpoint(&emulator).await;
    let (traced, plain) = clients!(aws_sdk_lambda, sdk(proxy.endpoint()).await);
    let own = r#"{"custom":{"k":"v"},"environment":{"locale":"de"}}"#;
    for (payload, context) in [("{\"a\": 1.50}\n", None), ("[1]", None), ("{}", Some(own))] {
        let context = context.map(|context| BASE64_STANDARD.encode(context));
        let call = |client| invoke(client, RequestResponse, payload).set_client_context(context.clone());
        let without = call(&plain).send().await.unwrap();
        let (sender, receiver, call) = (Function::new(), Function::new(), call(&traced));
        let with = sender.sends(async || call.send().await).await.unwrap();
        assert_eq!((with.status_code(), with.payload()), (without.status_code(), without.payload()));

        let [plain_request, request] =
            proxy.requests().split_off(proxy.requests().len() - 2).try_into().unwrap();
        assert_eq!((request.uri(), request.body()), (plain_request.uri(), plain_request.body()));
        assert_eq!(request.body(), payload.as_bytes());
        let own_id = aws_sdk_lambda::operation::RequestId::request_id(&with).unwrap();
        let call = invocation(&request, own_id);
        if context.is_some() {
            let read = call.context().client_context.unwrap();
            assert_eq!((read.custom["k"].as_str(), read.environment["locale"].as_str()), ("v", "de"));
        }
        let seen = receiver
            .invoke(call, async |seen| {
                assert_eq!(seen.get(), payload.trim_end());
                Seen::now("", "")
            })
            .await;
        seen.assert_baggage();
        let join = format!("lambda:{own_id}");
        let invoked = consumer(&receiver, &join);
        assert_eq!(invoked.span.trace_state, TRACESTATE);
        assert_child(&receiver, &invoked, &producer(&sender, &join));
        assert_eq!(injections(&sender), [outcome("attributes", None)]);
    }
}

#[tokio::test]
async fn a_function_that_is_not_waited_for_finds_the_context_in_its_payload_and_its_handler_does_not() {
    let emulator = Emulator::start().await;
    let proxy = endpoint(&emulator).await;
    let (traced, plain) = clients!(aws_sdk_lambda, sdk(proxy.endpoint()).await);
    for (payload, expected) in [
        ("{\"a\": 1.50, \"b\":\"ü\"}", outcome("body", None)),
        ("{}", outcome("body", None)),
        ("[1]", outcome("header", Some("not-json-object"))),
        ("\"text\"", outcome("header", Some("not-json-object"))),
    ] {
        let without = invoke(&plain, Event, payload).send().await.unwrap();
        let (sender, receiver) = (Function::new(), Function::new());
        let call = invoke(&traced, Event, payload);
        let with = sender.sends(async || call.send().await).await.unwrap();
        assert_eq!(with.status_code(), without.status_code());
        assert_eq!(injections(&sender), std::slice::from_ref(&expected), "{payload}");
        let request = proxy.requests().pop().unwrap();
        let id = aws_sdk_lambda::operation::RequestId::request_id(&with).unwrap();
        let seen = receiver
            .invoke(invocation(&request, id), async |seen| {
                assert_eq!(seen.get(), payload);
                Seen::now("", "")
            })
            .await;
        let join = format!("lambda:{id}");
        let (invoked, producer) = (consumer(&receiver, &join), producer(&sender, &join));
        if expected.1.is_none() {
            seen.assert_baggage();
            assert_child(&receiver, &invoked, &producer);
        } else {
            // Of the header's parent Lambda makes a segment of its own.
            assert_eq!(invoked.span.trace_id, producer.span.trace_id);
        }
    }
}

#[tokio::test]
async fn a_client_context_at_its_limit_is_never_made_too_long() {
    const LIMIT: usize = 3583;
    let emulator = Emulator::start().await;
    let proxy = endpoint(&emulator).await;
    let (traced, _) = clients!(aws_sdk_lambda, sdk(proxy.endpoint()).await);
    let large = || Some("too-large");
    // 2,685 bytes are 3,580 in Base64, three more are too many.
    for (length, expected) in [
        (2000, outcome("attributes", None)),
        (2590, outcome("attributes", large())),
        (2613, outcome("attributes", large())),
        (2614, outcome("header", large())),
        (2685, outcome("header", large())),
    ] {
        let own = r#"{"custom":{"k":""}}"#;
        let own = own.replace("\"\"", &format!("\"{}\"", "x".repeat(length - own.len())));
        let (sender, receiver) = (Function::new(), Function::new());
        let call = invoke(&traced, RequestResponse, "{}").client_context(BASE64_STANDARD.encode(&own));
        sender.sends(async || call.send().await).await.unwrap();
        assert_eq!(injections(&sender), [expected], "{length}");
        let request = proxy.requests().pop().unwrap();
        assert!(request.headers()["x-amz-client-context"].len() <= LIMIT, "{length}");
        // The runtime can read it.
        receiver.invoke(invocation(&request, "r"), async |_| ()).await;
        let sent = sender.spans_where(|span| span.attribute("throughline.injected").is_some()).remove(0);
        assert_eq!(receiver.invocation().span.trace_id, sent.span.trace_id);
    }
}

#[tokio::test]
async fn a_payload_at_a_limit_is_taken_with_us_if_it_is_without() {
    let emulator = Emulator::start().await;
    let proxy = endpoint(&emulator).await;
    let (traced, _) = clients!(aws_sdk_lambda, sdk(proxy.endpoint()).await);
    for (kind, limit) in [(Event, 256 * KIB), (Event, 1024 * KIB), (RequestResponse, 6 * 1024 * KIB)] {
        for room in [1000, 50, 0] {
            let payload = json!({ "a": "x".repeat(limit - room - 8) }).to_string();
            let (sender, call) = (Function::new(), invoke(&traced, kind.clone(), &payload));
            sender.sends(async || call.send().await).await.unwrap();
            let body = proxy.requests().pop().unwrap().into_body();
            assert!(body.len() <= limit, "{kind} {room}");
            let carries = kind == Event && room == 1000;
            assert_eq!(body.len() > payload.len(), carries, "{kind} {room}");
            let expected = match (&kind, room) {
                (Event, 1000) => outcome("body", None),
                (Event, _) => outcome("header", Some("too-large")),
                _ => outcome("attributes", None),
            };
            assert_eq!(injections(&sender), [expected], "{kind} {room}");
        }
    }
}

#[tokio::test]
async fn retries_carry_one_context() {
    let emulator = Emulator::start().await;
    let proxy = endpoint(&emulator).await;
    let flaky = Proxy::flaky(2, proxy.endpoint()).await;
    let (traced, _) = clients!(aws_sdk_lambda, sdk(flaky.endpoint()).await);
    for kind in [Event, RequestResponse] {
        let before = flaky.requests().len();
        let (sender, call) = (Function::new(), invoke(&traced, kind, "{}"));
        sender.sends(async || call.send().await).await.unwrap();
        let requests = flaky.requests().split_off(before);
        let carried = |request: &Request<Bytes>| {
            let header = |name: &str| request.headers().get(name).cloned();
            (request.body().clone(), header("x-amz-client-context"), header("x-amzn-trace-id"))
        };
        assert!(requests.iter().all(|request| carried(request) == carried(&requests[0])), "{requests:?}");
    }
    assert_eq!(flaky.requests().len(), 3 + 1, "the first call was refused twice");
}

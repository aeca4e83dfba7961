use std::io;

use http::{Method, StatusCode};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as SpanStatus;
use tower::{ServiceBuilder, ServiceExt as _, service_fn};
use tower_http::follow_redirect::FollowRedirectLayer;

use super::*;
use crate::http::testing::{Function, NAMED, OTHER, Server, traceparent};
use crate::http::{Resend, Template};
use crate::testing::text;

type Body = Empty<bytes::Bytes>;

fn to(url: &str) -> Request<Body> {
    Request::get(url).body(Body::new()).unwrap()
}

/// Sends `request` to a service that answers with `status`; the request as it went out.
async fn sent(function: &Function, request: Request<Body>, status: u16) -> Request<Body> {
    let (heard, hear) = std::sync::mpsc::channel();
    let client = layer().layer(service_fn(move |request: Request<Body>| {
        heard.send(request).unwrap();
        std::future::ready(Response::builder().status(status).body(()).map_err(io::Error::other))
    }));
    function.run(client.oneshot(request)).await.unwrap();
    hear.recv().unwrap()
}

fn only(function: &Function) -> Span {
    let [span] = function.spans().try_into().unwrap();
    span
}

#[tokio::test]
async fn a_request_is_a_span_and_its_context_travels() {
    let function = Function::new();
    let request = sent(&function, to("https://u:p@api.example:8443/users/42?token=s3cret"), 200).await;
    let span = only(&function);
    assert_eq!((span.name.as_str(), span.kind()), ("GET", SpanKind::Client));
    assert_eq!(span.parent_span_id, function.scope.span().span_id().to_bytes());
    assert_eq!(span.status, None);
    for (key, value) in [
        ("http.request.method", "GET"),
        ("server.address", "api.example"),
        ("server.port", "IntValue(8443)"),
        ("url.full", "https://REDACTED:REDACTED@api.example:8443/users/42?token=REDACTED"),
        ("http.response.status_code", "IntValue(200)"),
        ("network.protocol.version", "1.1"),
        ("throughline.injected", "header"),
    ] {
        assert_eq!(text(&span, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(request.headers()["traceparent"], traceparent(&span));
    assert_eq!(request.headers()["tracestate"], "vendor=1");
    assert!(!request.headers().contains_key("baggage"), "for third parties there is none");
}

#[tokio::test]
async fn a_template_and_a_count_are_told_and_an_odd_method_is_another() {
    let function = Function::new();
    let mut request = to("https://api.example/users/42");
    *request.method_mut() = Method::from_bytes(b"PURGE").unwrap();
    request.extensions_mut().insert(Template::new("/users/{id}"));
    request.extensions_mut().insert(Resend(2));
    sent(&function, request, 200).await;
    let span = only(&function);
    assert_eq!(span.name, "HTTP /users/{id}");
    assert_eq!(text(&span, "url.template").as_deref(), Some("/users/{id}"));
    assert_eq!(text(&span, "http.request.method").as_deref(), Some("_OTHER"));
    assert_eq!(text(&span, "http.request.method_original").as_deref(), Some("PURGE"));
    assert_eq!(text(&span, "http.request.resend_count").as_deref(), Some("IntValue(2)"));
}

#[tokio::test]
async fn answers_of_400_and_above_are_errors() {
    for (status, error) in [(302, None), (404, Some("404")), (503, Some("503"))] {
        let function = Function::new();
        sent(&function, to("https://api.example/"), status).await;
        let span = only(&function);
        assert_eq!(text(&span, "error.type").as_deref(), error);
        assert_eq!(span.status.map(|status| status.code()), error.map(|_| SpanStatus::Error));
    }
}

#[tokio::test]
async fn a_request_without_an_answer_says_why_and_one_given_up_still_ends() {
    let function = Function::new();
    let refused = layer()
        .layer(service_fn(|_: Request<Body>| async { Err::<Response<()>, _>(io::Error::other("refused")) }));
    function.run(refused.oneshot(to("https://api.example/"))).await.unwrap_err();
    let never = layer()
        .layer(service_fn(|_: Request<Body>| std::future::pending::<Result<Response<()>, io::Error>>()));
    let mut given_up = Box::pin(function.run(never.oneshot(to("https://api.example/"))));
    assert!(futures_util::poll!(&mut given_up).is_pending());
    drop(given_up);

    let [refused, given_up] = function.spans().try_into().unwrap();
    assert_eq!(text(&refused, "error.type").as_deref(), Some("std::io::error::Error"));
    assert_eq!(refused.status.unwrap().message, "refused");
    assert_eq!(text(&given_up, "http.response.status_code"), None);
    assert_eq!(given_up.status, None);
}

#[tokio::test]
async fn what_the_caller_set_stays() {
    let function = Function::new();
    let mut request = to("http://127.0.0.1/");
    let own = "00-00000000000000000000000000000009-0000000000000009-00";
    request.headers_mut().insert("traceparent", own.parse().unwrap());
    let request = sent(&function, request, 200).await;
    assert_eq!(request.headers()["traceparent"], own);
    assert_eq!(request.headers().len(), 1, "a tracestate or a baggage of ours is none of its context");

    let mut request = to("http://127.0.0.1/");
    request.headers_mut().insert("baggage", "mine=1".parse().unwrap());
    let request = sent(&function, request, 200).await;
    assert_eq!(request.headers().get_all("baggage").iter().collect::<Vec<_>>(), ["mine=1"]);
    assert!(request.headers().contains_key("traceparent"));
    let [kept, sent] = function.spans().try_into().unwrap();
    assert_eq!(text(&kept, "throughline.inject.skipped").as_deref(), Some("caller-set"));
    assert_eq!(text(&sent, "throughline.injected").as_deref(), Some("header"));
}

#[tokio::test]
async fn to_a_presigned_address_nothing_is_added() {
    let function = Function::new();
    let request = sent(&function, to("http://127.0.0.1/key?X-Amz-Signature=f00d"), 200).await;
    assert!(request.headers().is_empty());
    let span = only(&function);
    assert_eq!(text(&span, "throughline.injected").as_deref(), Some("none"));
    assert_eq!(text(&span, "throughline.inject.skipped").as_deref(), Some("presigned"));
}

#[tokio::test]
async fn switched_off_the_request_goes_out_as_it_is() {
    let function = Function::with(&|key| (key == "THROUGHLINE_ENABLED").then(|| "false".to_owned()));
    assert!(sent(&function, to("http://127.0.0.1/"), 200).await.headers().is_empty());
    assert!(function.spans().is_empty());
}

/// Against real servers: the first sends the client on to another host.
#[tokio::test]
async fn baggage_stays_behind_where_a_redirect_leads_out() {
    let function = Function::new();
    let other = Server::start(OTHER, 200, None).await;
    let named = Server::start(NAMED, 307, Some(other.url.clone())).await;
    let client = ServiceBuilder::new()
        .layer(FollowRedirectLayer::new())
        .layer(layer())
        .service(Client::builder(TokioExecutor::new()).build_http::<Body>());
    let response = function.run(client.oneshot(to(&named.url))).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);

    let [first, second] = function.spans().try_into().unwrap();
    assert_eq!(named.seen("traceparent"), [traceparent(&first)]);
    assert_eq!(other.seen("traceparent"), [traceparent(&second)]);
    assert!(named.seen("baggage")[0].contains("user.id=u-1"));
    assert_eq!(other.seen("baggage"), ["-"]);
}

#[tokio::test]
async fn in_a_dry_run_only_what_reads_goes_out() {
    crate::dry_run::stub_http(|method, uri| {
        assert_ne!(uri.path(), "/panics", "a stub that panics has no answer");
        let charge = method == Method::POST && uri.path() == "/layer/charges";
        charge.then(|| Response::builder().status(201).body("charged").unwrap())
    });
    let dry = Function::with(&|name| match name {
        "THROUGHLINE_DRY_RUN" => Some("always".to_owned()),
        "THROUGHLINE_DRY_RUN_ALLOW" => Some("https://sandbox.example".to_owned()),
        "THROUGHLINE_DRY_RUN_REFUSE" => Some("https://secret.example/".to_owned()),
        _ => None,
    });
    let sent = std::sync::Mutex::new(Vec::new());
    let client = layer().layer(service_fn(|request: Request<Body>| {
        sent.lock().unwrap().push(request.uri().to_string());
        std::future::ready(Ok::<_, io::Error>(Response::new(http_body_util::Full::new(bytes::Bytes::from(
            "sent",
        )))))
    }));
    for (method, url, status, body) in [
        ("GET", "https://api.example/", 200, "sent"),
        ("POST", "https://sandbox.example/charges", 200, "sent"),
        ("POST", "https://api.example/layer/charges", 201, "charged"),
        (
            "POST",
            "https://u:s3cret@api.example/s3cret?s3cret",
            424,
            "POST api.example is refused in a dry run",
        ),
        ("DELETE", "https://api.example/panics", 424, "DELETE api.example is refused in a dry run"),
        ("GET", "https://secret.example/", 424, "GET secret.example is refused in a dry run"),
    ] {
        let request = Request::builder().method(method).uri(url).body(Body::new()).unwrap();
        let response = dry.run(client.clone().oneshot(request)).await.unwrap();
        assert_eq!(response.status(), status, "{method} {url}");
        let read = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        let read = std::str::from_utf8(&read).unwrap();
        assert!(read.starts_with(body) && !read.contains("s3cret"), "{read}");
    }
    assert_eq!(*sent.lock().unwrap(), ["https://api.example/", "https://sandbox.example/charges"]);
    let spans = dry.spans();
    let kept_back: Vec<_> = spans
        .iter()
        .map(|span| {
            assert_eq!(
                (text(span, "throughline.dry_run").as_deref(), &span.status),
                (Some("BoolValue(true)"), &None)
            );
            let key = |key: &str| text(span, &format!("throughline.dry_run.{key}")).is_some();
            (key("stubbed"), key("refused"))
        })
        .collect();
    assert_eq!(
        kept_back,
        [(false, false), (false, false), (true, false), (false, true), (false, true), (false, true)]
    );

    // Where there is no dry run, no stub is asked.
    let request = Request::post("https://api.example/layer/charges").body(Body::new()).unwrap();
    assert_eq!(Function::new().run(client.oneshot(request)).await.unwrap().status(), 200);
}

/// The only span of a call whose service answers with `status` and `response`.
async fn telling<B: 'static, R: Clone + 'static>(when: &str, request: B, status: u16, response: R) -> Span {
    let function = Function::with(&|name| (name == "THROUGHLINE_CAPTURE_CALLS").then(|| when.to_owned()));
    let client = layer().layer(service_fn(move |_: Request<B>| {
        std::future::ready(
            Response::builder().status(status).body(response.clone()).map_err(io::Error::other),
        )
    }));
    let request = Request::post("https://api.example/").body(request).unwrap();
    function.run(client.oneshot(request)).await.unwrap();
    only(&function)
}

#[tokio::test]
async fn bodies_in_memory_are_told_where_they_are_asked_for() {
    use bytes::Bytes;
    use http_body_util::{BodyExt as _, Full};

    const SENT: &str = r#"{"user":"u-1","password":"hunter2"}"#;
    const GOT: &str = "token=s3cret&state=done";
    let told = |span: &Span| (text(span, "throughline.request"), text(span, "throughline.response"));
    let skipped =
        |span: &Span| (text(span, "throughline.request.skipped"), text(span, "throughline.response.skipped"));
    let both = (Some(SENT.replace("hunter2", "***")), Some("token=***&state=done".to_owned()));
    for (when, status, tells) in
        [("", 500, false), ("on-error", 200, false), ("on-error", 500, true), ("always", 200, true)]
    {
        let span = telling(when, SENT.to_owned(), status, Full::new(Bytes::from(GOT))).await;
        assert_eq!(told(&span), if tells { both.clone() } else { (None, None) }, "{when} {status}");
        assert_eq!(skipped(&span), (None, None));
    }
    for span in [
        telling("always", SENT, 200, GOT.as_bytes().to_vec()).await,
        telling("always", Bytes::from(SENT), 200, GOT.to_owned()).await,
    ] {
        assert_eq!(told(&span), both);
    }
    let none = telling("always", Body::new(), 200, ()).await;
    assert_eq!((told(&none), skipped(&none)), ((None, None), (None, None)));
    let stream = Full::new(Bytes::from(SENT)).boxed();
    let span = telling("always", stream, 200, b"\xff".to_vec()).await;
    assert_eq!(told(&span), (None, None));
    assert_eq!(skipped(&span), (Some("stream".to_owned()), Some("not-text".to_owned())));
}

#[tokio::test]
async fn what_was_sent_is_told_of_a_request_without_an_answer() {
    let function =
        Function::with(&|name| (name == "THROUGHLINE_CAPTURE_CALLS").then(|| "on-error".to_owned()));
    let refused = layer().layer(service_fn(|_: Request<String>| async {
        Err::<Response<()>, _>(io::Error::other("refused"))
    }));
    let request = Request::post("https://api.example/").body("pwd=hunter2&a=1".to_owned()).unwrap();
    function.run(refused.oneshot(request)).await.unwrap_err();
    assert_eq!(text(&only(&function), "throughline.request").as_deref(), Some("pwd=***&a=1"));
}

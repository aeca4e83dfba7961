use super::*;
use crate::http::Template;
use crate::http::testing::{Function, NAMED, OTHER, Server, env, traceparent};
use crate::testing::text;

fn safe() -> ClientWithMiddleware {
    client_within(reqwest::Client::builder(), Settings::from_env(&env).baggage_hosts).unwrap()
}

fn plain() -> ClientBuilder {
    ClientBuilder::new(reqwest::Client::new())
}

async fn get(function: &Function, client: &ClientWithMiddleware, url: &str) -> Response {
    function.run(client.get(url).header("authorization", "Bearer s3cret").send()).await.unwrap()
}

#[tokio::test]
async fn a_request_is_a_span_and_a_template_is_in_its_name() {
    let (function, server) = (Function::new(), Server::start(NAMED, 404, None).await);
    let client = plain().with(middleware()).build();
    let request = client
        .get(format!("{}users/42?token=s3cret", server.url))
        .with_extension(Template::new("/users/{id}"));
    function.run(request.send()).await.unwrap();
    let [span] = function.spans().try_into().unwrap();
    assert_eq!(span.name, "GET /users/{id}");
    assert_eq!(server.seen("traceparent"), [traceparent(&span)]);
    assert_eq!(text(&span, "server.address").as_deref(), Some(NAMED));
    assert_eq!(text(&span, "url.full"), Some(format!("{}users/42?token=REDACTED", server.url)));
    assert_eq!(text(&span, "error.type").as_deref(), Some("404"));
}

#[tokio::test]
async fn without_a_word_on_redirects_no_baggage_is_sent() {
    let (function, server) = (Function::new(), Server::start(NAMED, 200, None).await);
    get(&function, &plain().with(middleware()).build(), &server.url).await;
    get(&function, &plain().with(middleware().with_baggage()).build(), &server.url).await;
    get(&function, &safe(), &server.url).await;
    let [none, told, safe] = server.seen("baggage").try_into().unwrap();
    assert_eq!(none, "-");
    assert!(told.contains("user.id=u-1") && safe == told, "{told} {safe}");
}

/// What makes `client` necessary: `reqwest` by itself takes the headers along.
#[tokio::test]
async fn baggage_stays_behind_where_a_redirect_leads_out() {
    let function = Function::new();
    let last = Server::start(OTHER, 200, None).await;
    let out = Server::start(NAMED, 307, Some(last.url.clone())).await;
    let named = Server::start(NAMED, 302, Some(out.url.clone())).await;

    let response = get(&function, &safe(), &named.url).await;
    assert_eq!((response.status(), response.url().as_str()), (StatusCode::OK, last.url.as_str()));
    assert!(named.seen("baggage")[0].contains("user.id=u-1"));
    assert!(out.seen("baggage")[0].contains("user.id=u-1"), "within the hosts it goes along");
    assert_eq!(
        (last.seen("baggage"), last.seen("authorization")),
        (vec!["-".to_owned()], vec!["-".to_owned()])
    );
    let [first, second] = function.spans().try_into().unwrap();
    assert_eq!(last.seen("traceparent"), [traceparent(&second)]);
    assert_eq!(named.seen("traceparent"), [traceparent(&first)]);
    assert_eq!(text(&second, "http.request.resend_count").as_deref(), Some("IntValue(1)"));

    let function = Function::new();
    get(&function, &plain().with(middleware().with_baggage()).build(), &named.url).await;
    assert!(last.seen("baggage")[1].contains("user.id=u-1"), "else the above would prove nothing");
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_again_ends_at_the_border() {
    let function = Function::new();
    let last = Server::start(OTHER, 200, None).await;
    let named = Server::start(NAMED, 307, Some(last.url.clone())).await;
    let response = function.run(safe().post(&named.url).body("order").send()).await.unwrap();
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    assert!(last.seen("baggage").is_empty());
}

#[tokio::test]
async fn redirects_from_other_hosts_are_followed_as_ever() {
    let function = Function::new();
    let last = Server::start(NAMED, 200, None).await;
    let first = Server::start(OTHER, 307, Some(last.url.clone())).await;
    let response = function.run(safe().post(&first.url).body("order").send()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!((first.seen("baggage"), last.seen("baggage")), (vec!["-".to_owned()], vec!["-".to_owned()]));
}

#[tokio::test]
async fn what_goes_wrong_is_told_without_the_address() {
    let function = Function::new();
    let client = plain().with(middleware()).build();
    // Port 1: nobody listens.
    function.run(client.get("http://127.0.0.1:1/?token=s3cret").send()).await.unwrap_err();
    let [span] = function.spans().try_into().unwrap();
    assert_eq!(text(&span, "error.type").as_deref(), Some("connect"));
    assert!(!format!("{span:?}").contains("s3cret"));
}

#[tokio::test]
async fn attempts_of_a_retrying_client_are_counted() {
    struct Twice;

    #[async_trait::async_trait]
    impl Middleware for Twice {
        async fn handle(
            &self,
            request: Request,
            extensions: &mut Extensions,
            next: Next<'_>,
        ) -> Result<Response> {
            let again = request.try_clone().unwrap();
            next.clone().run(request, extensions).await?;
            next.run(again, extensions).await
        }
    }

    let (function, server) = (Function::new(), Server::start(NAMED, 503, None).await);
    get(&function, &plain().with(Twice).with(middleware()).build(), &server.url).await;
    let [first, second] = function.spans().try_into().unwrap();
    assert_eq!(text(&first, "http.request.resend_count"), None);
    assert_eq!(text(&second, "http.request.resend_count").as_deref(), Some("IntValue(1)"));
    assert_eq!(server.seen("traceparent"), [traceparent(&first), traceparent(&second)]);
}

#[tokio::test]
async fn in_a_dry_run_a_write_is_an_error_of_ours_or_the_programs_own_answer() {
    crate::dry_run::stub_http(|method, uri| {
        let stubbed = method == Method::PUT && uri.path() == "/reqwest/stubbed";
        stubbed.then(|| http::Response::builder().status(202).body("done").unwrap())
    });
    let dry = Function::with(&|name| (name == "THROUGHLINE_DRY_RUN").then(|| "always".to_owned()));
    let (server, client) = (Server::start(NAMED, 200, None).await, plain().with(middleware()).build());
    let refused = dry.run(client.post(&server.url).body("{}").send()).await.unwrap_err();
    let Error::Middleware(error) = &refused else { panic!("{refused:?}") };
    assert!(error.downcast_ref::<crate::dry_run::Refused>().is_some(), "{error:?}");
    let stubbed = client.put(format!("{}reqwest/stubbed", server.url));
    let stubbed = dry.run(stubbed.send()).await.unwrap();
    assert_eq!((stubbed.status().as_u16(), stubbed.text().await.unwrap().as_str()), (202, "done"));
    assert!(server.seen("host").is_empty());
    get(&dry, &client, &server.url).await;
    assert_eq!(server.seen("host").len(), 1);
    let [refused, stubbed, read] = dry.spans().try_into().unwrap();
    assert!(text(&refused, "throughline.dry_run.refused").is_some() && refused.status.is_none());
    assert!(text(&stubbed, "throughline.dry_run.stubbed").is_some());
    assert_eq!(text(&read, "throughline.dry_run").as_deref(), Some("BoolValue(true)"));
}

#[tokio::test]
async fn what_is_sent_is_told_where_it_is_asked_for_and_a_response_is_a_stream() {
    struct Answers(u16);

    #[async_trait::async_trait]
    impl Middleware for Answers {
        async fn handle(&self, _: Request, _: &mut Extensions, _: Next<'_>) -> Result<Response> {
            let body = if self.0 == 204 { "" } else { "token=s3cret" };
            Ok(http::Response::builder().status(self.0).body(body).unwrap().into())
        }
    }

    const SENT: &str = r#"{"user":"u-1","password":"hunter2"}"#;
    let masked = Some(r#"{"user":"u-1","password":"***"}"#);
    for (when, status, request, response) in [
        ("", 500, None, None),
        ("on-error", 200, None, None),
        ("on-error", 500, masked, Some("stream")),
        ("always", 200, masked, Some("stream")),
        ("always", 204, masked, None),
    ] {
        let function = Function::with(&|name| (name == "THROUGHLINE_CAPTURE_CALLS").then(|| when.to_owned()));
        let client = plain().with(middleware()).with(Answers(status)).build();
        function.run(client.post("https://api.example/").body(SENT).send()).await.unwrap();
        let [span] = function.spans().try_into().unwrap();
        assert_eq!(text(&span, "throughline.request").as_deref(), request, "{when} {status}");
        assert_eq!(text(&span, "throughline.response.skipped").as_deref(), response, "{when} {status}");
    }
}

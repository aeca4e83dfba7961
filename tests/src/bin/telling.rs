//! A wrapped function that tells what it is given wherever a program can: in fields, lines, errors, baggage, calls and its
//! answer. The order's member `secrets` has a text for each place.

use std::fmt;

use aws_config::BehaviorVersion;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use throughline::context;
use tower::{Layer as _, ServiceExt as _};
use tracing::Instrument as _;

/// An error that has a cause.
#[derive(Debug)]
struct Failure(String, Option<Box<Self>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let config = aws_sdk_sqs::config::Builder::from(&config).interceptor(throughline::aws::interceptor());
    let sqs = aws_sdk_sqs::Client::from_conf(config.build());
    throughline::run(service_fn(move |event| handle(event, sqs.clone()))).await
}

async fn handle(event: LambdaEvent<Value>, sqs: aws_sdk_sqs::Client) -> Result<Value, Error> {
    let order: Value = serde_json::from_str(event.payload["body"].as_str().unwrap_or_default())?;
    let say = |place: &str| order["secrets"][place].as_str().unwrap_or_default().to_owned();

    context::set_user(&say("user"));
    context::set_account(&say("account"), "free");
    context::set_baggage("note", &say("set_baggage"));
    tracing::info!(note = say("line_field"), "{}", say("line"));
    tracing::debug!(note = ?say("debug_field"), "{}", say("debug_line"));
    let work = async {
        tracing::error!("{}", say("error_line"));
        let send = |text: String| {
            sqs.send_message().queue_url("http://sqs/000000000000/orders").message_body(text).send()
        };
        let _ = send(say("message")).await;
        let _ = send(format!("refuse {}", say("refused_message"))).await;
        post(say("request")).await;
        post(format!("refuse {}", say("refused_request"))).await;
    };
    work.instrument(tracing::info_span!("charge", note = say("span_field"))).await;
    let _ = throughline::observe(Err::<(), _>(Failure(say("observed"), None)));

    match order["do"].as_str().unwrap_or_default() {
        "ok" => Ok(json!({ "note": say("answer") })),
        "error" => Err(Failure(say("error"), Some(Box::new(Failure(say("cause"), None)))).into()),
        "panic" => panic!("{}", say("panic")),
        _ => {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            std::future::pending().await
        }
    }
}

/// Posts to the address that the environment names, and reads the response into memory.
async fn post(body: String) {
    let client = HttpClient::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let client = tower::service_fn(move |request: Request<Full<Bytes>>| {
        let client = client.clone();
        async move {
            let (head, body) = client.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, Error>(Response::from_parts(head, Full::new(body)))
        }
    });
    let address = std::env::var("AWS_ENDPOINT_URL").unwrap_or_default();
    let request = Request::post(format!("{address}/payments")).body(Full::from(body));
    if let Ok(request) = request {
        let _ = throughline::http::layer().layer(client).oneshot(request).await;
    }
}

//! The AWS that is sent to: the embedded services, or moto where `ROUND_TRIPS_MOTO` names its endpoint.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use throughline_explorer::cloud::Cloud;
use tokio::net::TcpStream;

/// Names moto's endpoint, such as `http://127.0.0.1:5000`.
const MOTO: &str = "ROUND_TRIPS_MOTO";
pub(crate) const REGION: &str = "us-east-1";

/// An emulator of AWS.
#[derive(Debug)]
pub(crate) struct Emulator {
    embedded: Option<Cloud>,
    endpoint: String,
    tables: String,
}

impl Emulator {
    pub(crate) async fn start() -> Self {
        if let Ok(endpoint) = std::env::var(MOTO) {
            return Self { embedded: None, tables: endpoint.clone(), endpoint };
        }
        let cloud = Cloud::start().await.unwrap();
        let (endpoint, tables) = (cloud.endpoint().to_owned(), cloud.dynamodb_endpoint().to_owned());
        Self { embedded: Some(cloud), endpoint, tables }
    }

    /// Whether it is moto.
    pub(crate) fn is_moto(&self) -> bool {
        self.embedded.is_none()
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Where DynamoDB listens.
    pub(crate) fn tables(&self) -> &str {
        &self.tables
    }

    /// Configuration for clients of every service but DynamoDB.
    pub(crate) async fn sdk(&self) -> SdkConfig {
        sdk(&self.endpoint).await
    }

    /// Calls a JSON service without any SDK, as an event source mapping would: what comes back is as it is on the wire.
    pub(crate) async fn call(&self, service: &str, target: &str, body: &Value) -> Value {
        let endpoint = if service == "dynamodb" { &self.tables } else { &self.endpoint };
        call(endpoint, service, target, body).await
    }
}

/// Calls a JSON service that listens at `endpoint`.
pub(crate) async fn call(endpoint: &str, service: &str, target: &str, body: &Value) -> Value {
    let version = if matches!(service, "events" | "firehose" | "kinesis") { "1.1" } else { "1.0" };
    let host = endpoint.strip_prefix("http://").unwrap();
    let scope = format!("local/20261121/{REGION}/{service}/aws4_request");
    let request = Request::post("/")
        .header(HOST, host)
        .header(CONTENT_TYPE, format!("application/x-amz-json-{version}"))
        .header("x-amz-target", target)
        .header("x-amz-date", "20261121T000000Z")
        .header(
            AUTHORIZATION,
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"),
        )
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let (head, body) = send(host, request).await.into_parts();
    assert_eq!(head.status, StatusCode::OK, "{target}: {}", String::from_utf8_lossy(&body));
    if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() }
}

/// Configuration for clients of what listens at `endpoint`.
pub(crate) async fn sdk(endpoint: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::for_tests())
        // Retries are tested; nobody waits for them.
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .load()
        .await
}

/// Sends one request over a connection of its own.
pub(crate) async fn send(host: &str, request: Request<Full<Bytes>>) -> Response<Bytes> {
    let stream = TcpStream::connect(host).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    connection.abort();
    Response::from_parts(head, body)
}

/// A name that no other test has, also where several runs share a server.
pub(crate) fn unique(name: &str) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("{name}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// A client of a service that traces, and one that does not.
macro_rules! clients {
    ($sdk:ident, $config:expr) => {{
        let config = $config;
        let traced = $sdk::config::Builder::from(&config).interceptor(throughline::aws::interceptor());
        ($sdk::Client::from_conf(traced.build()), $sdk::Client::new(&config))
    }};
}

pub(crate) use clients;

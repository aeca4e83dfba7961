//! A third party that takes JSON over HTTP: the payment provider, the mail provider.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector, connect::dns::GaiResolver};
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use tower::{Layer as _, ServiceExt as _};

use crate::resolver::Resolver;

/// How long a third party may take. The queue tries again, so rather fail than wait.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The address of a third party, and a client that keeps its connections and shows what it sends.
#[derive(Clone, Debug)]
pub struct Provider {
    uri: Uri,
    http: throughline::http::HttpService<Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>>,
}

impl Provider {
    /// The provider at this address.
    ///
    /// # Errors
    ///
    /// `address` is not one, or this machine has no root certificates.
    pub fn new(address: &str) -> Result<Self, ProviderError> {
        let uri = address.parse().map_err(|_| ProviderError::Address(address.to_owned()))?;
        let mut tcp = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(ProviderError::Certificates)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let http = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { uri, http: throughline::http::layer().layer(http) })
    }

    /// Sends `body`. `key` tells the provider that a second try is not a second request.
    ///
    /// # Errors
    ///
    /// No answer in time, or one that is not a success.
    pub async fn post(&self, key: &str, body: &impl Serialize) -> Result<(), ProviderError> {
        let request = Request::post(&self.uri)
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Full::from(serde_json::to_vec(body)?))?;
        let response = tokio::time::timeout(TIMEOUT, self.http.clone().oneshot(request)).await??;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(ProviderError::Refused(status)),
        }
    }
}

/// Why a third party did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The address makes no sense.
    #[error("'{0}' is not the address of a provider")]
    Address(String),
    /// No root certificates to check the provider's with.
    #[error("no root certificates")]
    Certificates(#[source] std::io::Error),
    /// The request could not be written as JSON.
    #[error("the request cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The request could not be built.
    #[error("the request makes no sense")]
    Request(#[from] http::Error),
    /// The connection failed.
    #[error("the provider cannot be reached")]
    Connection(#[from] hyper_util::client::legacy::Error),
    /// Nothing in time.
    #[error("the provider did not answer in time")]
    Timeout(#[from] tokio::time::error::Elapsed),
    /// An answer, but not a good one.
    #[error("the provider answered {0}")]
    Refused(StatusCode),
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn listener() -> (TcpListener, Provider) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}/charges", listener.local_addr().expect("bound"));
        (listener, Provider::new(&address).expect("a provider"))
    }

    /// Answers one request with `status`, and gives back what was asked.
    async fn answer(listener: TcpListener, status: &str) -> String {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = String::new();
        while !request.ends_with('}') {
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).await.expect("a request");
            assert_ne!(read, 0, "the request is cut off: {request}");
            request += std::str::from_utf8(&buffer[..read]).expect("text");
        }
        let response = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(response.as_bytes()).await.expect("answered");
        request
    }

    #[tokio::test]
    async fn a_request_says_what_and_under_which_key() {
        let (listener, provider) = listener().await;
        let body = json!({ "amount_cents": 900 });
        let (sent, request) = tokio::join!(provider.post("o-1", &body), answer(listener, "201 Created"));

        sent.expect("accepted");
        assert!(request.starts_with("POST /charges HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("idempotency-key: o-1\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n{\"amount_cents\":900}"), "{request}");
    }

    #[tokio::test]
    async fn a_refusal_is_an_error() {
        let (listener, provider) = listener().await;
        let body = json!({ "amount_cents": 900 });
        let (sent, _) =
            tokio::join!(provider.post("o-1", &body), answer(listener, "503 Service Unavailable"));
        assert!(matches!(sent, Err(ProviderError::Refused(StatusCode::SERVICE_UNAVAILABLE))), "{sent:?}");
    }

    #[tokio::test]
    async fn nobody_there_is_an_error() {
        let (listener, provider) = listener().await;
        drop(listener);
        let sent = provider.post("o-1", &json!({})).await;
        assert!(matches!(sent, Err(ProviderError::Connection(_))), "{sent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error() {
        let (_listener, provider) = listener().await;
        let sent = provider.post("o-1", &json!({})).await;
        assert!(matches!(sent, Err(ProviderError::Timeout(_))), "{sent:?}");
    }

    #[test]
    fn a_wrong_address_is_found_at_the_start() {
        assert!(matches!(Provider::new("not an address"), Err(ProviderError::Address(_))));
    }
}

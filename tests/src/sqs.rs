//! As much of SQS as a test of what is sent needs: it takes messages and remembers them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

/// A message as it was sent.
#[derive(Debug, Clone, Deserialize)]
pub struct Message {
    /// The body.
    #[serde(rename = "MessageBody")]
    pub body: String,
    #[serde(rename = "MessageAttributes", default)]
    attributes: BTreeMap<String, Attribute>,
    #[serde(rename = "MessageSystemAttributes", default)]
    system_attributes: BTreeMap<String, Attribute>,
}

#[derive(Debug, Clone, Deserialize)]
struct Attribute {
    #[serde(rename = "StringValue")]
    value: String,
}

impl Message {
    /// The value of a String attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(|attribute| attribute.value.as_str())
    }

    /// X-Ray's header, which a sender gives as a system attribute.
    pub fn trace_header(&self) -> Option<&str> {
        self.system_attributes.get("AWSTraceHeader").map(|attribute| attribute.value.as_str())
    }
}

/// The queues' endpoint. It ends when it is dropped.
#[derive(Debug)]
pub struct Sqs {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Message>>>,
    server: AbortHandle,
}

impl Sqs {
    /// Listens on loopback.
    ///
    /// # Errors
    ///
    /// When there is no port.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let taken = Arc::<Mutex<Vec<Message>>>::default();
        let server = tokio::spawn(serve(listener, taken.clone())).abort_handle();
        Ok(Self { address, taken, server })
    }

    /// What `AWS_ENDPOINT_URL` has to say.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The messages so far.
    pub fn messages(&self) -> Vec<Message> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Sqs {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, taken: Arc<Mutex<Vec<Message>>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let taken = taken.clone();
        let service = service_fn(move |request| answer(request, taken.clone()));
        connections.spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
        while connections.try_join_next().is_some() {}
    }
}

/// `SendMessage` in AWS's JSON protocol
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
async fn answer(
    request: Request<Incoming>,
    taken: Arc<Mutex<Vec<Message>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut response = Response::new(Full::default());
    match serde_json::from_slice(&body) {
        Ok(message) => {
            let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.push(message);
            let id = json!({ "MessageId": format!("m-{}", taken.len()) });
            *response.body_mut() = Full::from(id.to_string());
        }
        Err(_) => *response.status_mut() = http::StatusCode::BAD_REQUEST,
    }
    Ok(response)
}

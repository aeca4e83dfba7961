//! A service that answers with what it was sent, to any protocol, and refuses what asks for it.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Serves until the test is over; its address.
pub(super) async fn start() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let connection = hyper::server::conn::http1::Builder::new();
            connections.spawn(connection.serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    format!("http://{address}")
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let is_refused = text.contains("refuse ");
    // What SQS says of both (<https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>).
    let answer = match is_refused {
        true => json!({ "__type": "com.amazonaws.sqs#Refused", "message": text }),
        false => json!({ "MessageId": "m-1", "echo": text }),
    };
    let mut response = Response::new(Full::from(answer.to_string()));
    if is_refused {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

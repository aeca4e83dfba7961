//! HTTP/1.1, one connection for one request.
//!
//! After a freeze a pooled connection may be dead without knowing it, and an abandoned request may
//! still be on its way. So no connection is pooled: each lives inside the future of its one exchange.
//! Dropping that future drops the socket, and what was in flight on it is over. Before the first event
//! nothing freezes: the calls of the start share one.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, server};
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

/// Open connections that a listener holds at most.
const MAX_CONNECTIONS: usize = 128;
/// What is read ahead of one connection, and the longest head of a request.
const MAX_BUFFER: usize = 64 * 1024;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty if it was larger than asked for or broke off.
    pub body: Bytes,
}

/// A connection that several requests take in turn. Only for as long as nothing can freeze.
#[derive(Debug)]
pub struct Kept<S: AsyncRead + AsyncWrite + Unpin> {
    sender: http1::SendRequest<Full<Bytes>>,
    connection: http1::Connection<TokioIo<S>, Full<Bytes>>,
    used: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Kept<S> {
    /// Over `stream`, on which nothing was said yet.
    ///
    /// # Errors
    ///
    /// None that is known; hyper has the right to one.
    pub async fn new(stream: S) -> hyper::Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, connection, used: false })
    }

    /// Sends `request` and reads the answer, of whose body at most `max_body` bytes. Returns the connection too, unless
    /// the other side has closed it.
    ///
    /// # Errors
    ///
    /// If no answer came. Once its head is here the exchange counts, whatever becomes of the body.
    pub async fn exchange(
        mut self,
        request: Request<Full<Bytes>>,
        max_body: usize,
    ) -> hyper::Result<(Reply, Option<Self>)> {
        let (reply, is_open) = {
            let (sender, used) = (&mut self.sender, self.used);
            let mut talk = pin!(async move {
                if used {
                    sender.ready().await?;
                }
                let (parts, body) = sender.send_request(request).await?.into_parts();
                let body = Limited::new(body, max_body).collect().await;
                let body = body.map(|body| body.to_bytes()).unwrap_or_default();
                hyper::Result::Ok(Reply { status: parts.status, headers: parts.headers, body })
            });
            tokio::select! {
                // The request is there before the connection is asked to write.
                biased;
                reply = &mut talk => (reply?, true),
                // The other side closed; what it sent before is still to be read.
                _ = &mut self.connection => (talk.await?, false),
            }
        };
        self.used = true;
        Ok((reply, is_open.then_some(self)))
    }
}

/// Sends `request` over `stream` and reads the answer, of whose body at most `max_body` bytes.
///
/// # Errors
///
/// If no answer came. Once its head is here the exchange counts, whatever becomes of the body.
pub async fn exchange<S>(stream: S, request: Request<Full<Bytes>>, max_body: usize) -> hyper::Result<Reply>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Ok(Kept::new(stream).await?.exchange(request, max_body).await?.0)
}

/// An open connection of a listener.
struct Connection {
    task: AbortHandle,
    /// A request is being answered.
    busy: Arc<AtomicBool>,
}

/// Serves `answer` on `listener` until the task is dropped.
pub async fn serve<F, Fut>(listener: TcpListener, answer: F)
where
    F: Fn(Request<Incoming>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut open: VecDeque<Connection> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: wait until some are free.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        if permits.available_permits() == 0 {
            // Who has asked already is heard first.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        open.retain(|connection| !connection.task.is_finished());
        if permits.available_permits() == 0
            && let Some(idle) = open.iter().position(|connection| !connection.busy.load(Relaxed))
        {
            // The oldest that asks nothing gives way; it has no time limit else, for clients keep
            // connections over a freeze.
            open.remove(idle).inspect(|connection| connection.task.abort());
        }
        // The semaphore is never closed.
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        // Small answers must not wait for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let busy = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(connection(stream, answer.clone(), Arc::clone(&busy), permit));
        open.push_back(Connection { task: task.abort_handle(), busy });
    }
}

async fn connection<F, Fut>(
    stream: TcpStream,
    answer: F,
    busy: Arc<AtomicBool>,
    _permit: OwnedSemaphorePermit,
) where
    F: Fn(Request<Incoming>) -> Fut,
    Fut: Future<Output = Response<Full<Bytes>>>,
{
    let answer = move |request| {
        busy.store(true, Relaxed);
        let (answer, busy) = (answer(request), Arc::clone(&busy));
        async move {
            let answer = answer.await;
            busy.store(false, Relaxed);
            answer
        }
    };
    speak(stream, answer).await;
}

/// Answers the requests of one connection until the other side closes it.
pub async fn speak<S, F, Fut>(stream: S, answer: F)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<Incoming>) -> Fut,
    Fut: Future<Output = Response<Full<Bytes>>>,
{
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut http = server::conn::http1::Builder::new();
    // An error here is a client that went away or spoke no HTTP: its own matter.
    let _ = http.max_buf_size(MAX_BUFFER).serve_connection(TokioIo::new(stream), service).await;
}

/// Binds `127.0.0.1:wanted`, or one of the ports after it if it is taken, or any.
///
/// # Errors
///
/// If loopback has no free port at all.
pub async fn bind_loopback(wanted: u16) -> std::io::Result<TcpListener> {
    for port in (wanted..=wanted.saturating_add(31)).chain([0]) {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await {
            return Ok(listener);
        }
    }
    TcpListener::bind(("127.0.0.1", 0)).await
}

#[cfg(test)]
mod tests {
    use super::{MAX_CONNECTIONS, exchange, serve};
    use bytes::Bytes;
    use http::{Request, Response, StatusCode};
    use http_body_util::Full;
    use std::time::Duration;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn connections_that_ask_nothing_keep_nobody_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(serve(listener, |_| async { Response::new(Full::new(Bytes::new())) }));
        let mut silent = Vec::new();
        for number in 0..MAX_CONNECTIONS + 20 {
            let mut stream = TcpStream::connect(address).await.expect("the kernel takes it");
            if number % 2 == 0 {
                stream.write_all(b"POST /v1/tr").await.expect("sent");
            }
            silent.push(stream);
        }
        let request = Request::get("/").header("host", "x").body(Full::default()).expect("a request");
        let stream = TcpStream::connect(address).await.expect("the kernel takes it");
        let reply = tokio::time::timeout(Duration::from_secs(20), exchange(stream, request, 10)).await;
        assert_eq!(reply.expect("in time").expect("an answer").status, StatusCode::OK);
    }
}

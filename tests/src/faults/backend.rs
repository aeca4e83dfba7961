//! An OTLP/HTTP backend on a bare socket, which can do what no HTTP server does: reset a connection in the middle of a
//! body, answer byte by byte, show a certificate that nobody signed. It knows what it accepted.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rcgen::CertifiedKey;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{self, ServerConfig};

use super::cells::Fault;
use super::wire::{decode, gone_within, header, partial_success, read_head, respond, response};
use crate::spans::Arrived;

/// What a limited backend asks for.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Between two bytes of an answer that drips: sixty bytes outlast every budget and SHUTDOWN.
const DRIP: Duration = Duration::from_millis(50);
/// No request has a longer body.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// What the backend does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accept,
    Unavailable,
    RetryAfter,
    Reset,
    Hang,
    Drip,
    BadRequest,
    /// 200, and the last span is not taken.
    Partial,
}

/// What the backend knows.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The spans that it said to have taken, as often as it took them.
    pub accepted: Vec<Arrived>,
    /// The spans that it refused for good; those that are sent in smaller parts are refused more than once.
    pub rejected: Vec<Arrived>,
    /// The spans that it read and never answered for.
    pub maybe: usize,
    /// Connections so far.
    pub connections: usize,
}

/// The backend. Its port is its own for as long as it lives, listening or not.
#[derive(Debug)]
pub struct FaultyBackend {
    fault: Fault,
    address: SocketAddr,
    /// Bound and never listening: nobody else gets the port while we refuse connections.
    _reserved: TcpSocket,
    state: Arc<Mutex<State>>,
    tasks: Mutex<Vec<AbortHandle>>,
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Answer>,
    known: Known,
    /// How long it thinks before it answers.
    thinks: Duration,
}

// === impl Fault ===

impl Fault {
    /// What becomes of the first requests, and of all that follow.
    fn script(self) -> (Vec<Answer>, Answer) {
        match self {
            Self::Unavailable => (vec![Answer::Unavailable; 3], Answer::Accept),
            Self::Limited => (vec![Answer::RetryAfter], Answer::Accept),
            Self::Reset => (vec![Answer::Reset; 3], Answer::Accept),
            Self::Hang => (vec![Answer::Hang; 2], Answer::Accept),
            Self::Drip => (vec![Answer::Drip; 2], Answer::Accept),
            Self::BadRequest => (vec![], Answer::BadRequest),
            Self::Partial => (vec![], Answer::Partial),
            Self::Refused | Self::Tls | Self::Back => (vec![], Answer::Accept),
        }
    }
}

// === impl FaultyBackend ===

impl FaultyBackend {
    /// A backend with this fault; one that is away comes back after `away`. It thinks for so long before it answers.
    ///
    /// # Errors
    ///
    /// When there is no loopback port.
    pub fn start(fault: Fault, away: Duration, thinks: Duration) -> io::Result<Self> {
        let reserved = socket((Ipv4Addr::LOCALHOST, 0).into())?;
        let (script, _) = fault.script();
        let state = State { script: script.into(), thinks, ..State::default() };
        let address = reserved.local_addr()?;
        let backend = Self {
            fault,
            address,
            _reserved: reserved,
            state: Arc::new(Mutex::new(state)),
            tasks: Mutex::default(),
        };
        match fault {
            Fault::Refused => {}
            Fault::Back => {
                let state = backend.state.clone();
                backend.keep(tokio::spawn(async move {
                    tokio::time::sleep(away).await;
                    if let Ok(listener) = socket(address).and_then(|socket| socket.listen(64)) {
                        serve(listener, fault, None, state).await;
                    }
                }));
            }
            _ => {
                let tls = (fault == Fault::Tls).then(nobodys_certificate).transpose()?;
                let listener = socket(address)?.listen(64)?;
                backend.keep(tokio::spawn(serve(listener, fault, tls, backend.state.clone())));
            }
        }
        Ok(backend)
    }

    fn keep(&self, task: tokio::task::JoinHandle<()>) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task.abort_handle());
    }

    /// What `THROUGHLINE_EXPORT_ENDPOINT` has to say.
    pub fn endpoint(&self) -> String {
        let scheme = if self.fault == Fault::Tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// What it knows by now.
    pub fn known(&self) -> Known {
        lock(&self.state).known.clone()
    }

    /// How often somebody has connected.
    pub fn connections(&self) -> usize {
        lock(&self.state).known.connections
    }
}

impl Drop for FaultyBackend {
    fn drop(&mut self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(AbortHandle::abort);
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn nobodys_certificate() -> io::Result<TlsAcceptor> {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).map_err(io::Error::other)?;
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let made = || -> Result<ServerConfig, rustls::Error> {
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
    };
    Ok(TlsAcceptor::from(Arc::new(made().map_err(io::Error::other)?)))
}

/// Serves until aborted; the connections end with it.
async fn serve(listener: TcpListener, fault: Fault, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        lock(&state).known.connections += 1;
        let (state, tls) = (state.clone(), tls.clone());
        connections.spawn(async move {
            match tls {
                // What the other side does not trust ends here.
                Some(tls) => drop(talk(tls.accept(stream).await?, fault, &state).await),
                None => drop(talk(stream, fault, &state).await),
            }
            io::Result::Ok(())
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Answers the requests of one connection, until it is over.
async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    fault: Fault,
    state: &Mutex<State>,
) -> io::Result<()> {
    loop {
        let head = read_head(&mut stream).await?;
        let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let (answer, thinks) = {
            let mut state = lock(state);
            (state.script.pop_front().unwrap_or(fault.script().1), state.thinks)
        };
        let mut body = vec![0; if answer == Answer::Reset { length / 2 } else { length.min(MAX_BODY) }];
        stream.read_exact(&mut body).await?;
        if answer == Answer::Reset {
            // A socket that is closed before everything was read from it sends RST.
            return Ok(());
        }
        let request = decode(&head, &body)?;
        gone_within(&mut stream, thinks).await?;
        match answer {
            Answer::Accept => {
                lock(state).known.accepted.extend(request.spans);
                respond(&mut stream, "200 OK", "", &[]).await?;
            }
            Answer::Partial => {
                let mut spans = request.spans;
                let rejected = if request.traces { spans.pop() } else { None };
                let body = partial_success(i64::from(rejected.is_some()));
                {
                    let known = &mut lock(state).known;
                    known.accepted.extend(spans);
                    known.rejected.extend(rejected);
                }
                respond(&mut stream, "200 OK", "", &body).await?;
            }
            Answer::BadRequest => {
                lock(state).known.rejected.extend(request.spans);
                respond(&mut stream, "400 Bad Request", "", b"no").await?;
            }
            Answer::Unavailable => respond(&mut stream, "503 Service Unavailable", "", b"later").await?,
            Answer::RetryAfter => {
                let after = format!("Retry-After: {}\r\n", RETRY_AFTER.as_secs());
                respond(&mut stream, "429 Too Many Requests", &after, &[]).await?;
            }
            Answer::Hang | Answer::Drip => {
                lock(state).known.maybe += request.spans.len();
                if answer == Answer::Hang {
                    return gone_within(&mut stream, Duration::from_secs(3600)).await;
                }
                for byte in response("200 OK", "", &[]) {
                    gone_within(&mut stream, DRIP).await?;
                    stream.write_all(&[byte]).await?;
                }
                // Whoever is still there has read that it was taken.
                let known = &mut lock(state).known;
                known.maybe -= request.spans.len();
                known.accepted.extend(request.spans);
            }
            Answer::Reset => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

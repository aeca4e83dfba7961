//! The store's table: signed requests over one connection for each flush.

use super::Store;
use crate::endpoint::Endpoint;
use crate::export::USER_AGENT;
use crate::export::connector::{Connector, Stream};
use crate::export::signing::Signing;
use crate::http::{Kept, Reply};
use crate::sigv4::Credentials;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use throughline_store::{Error, Item, Table, wire};

/// Of an answer no more is read: all items of a request, should they be left unprocessed.
const MAX_REPLY: usize = 2 * 1024 * 1024;

/// The table.
pub(in crate::export) struct DynamoDb {
    table: String,
    region: String,
    endpoint: Endpoint,
    connector: Connector,
    session: Mutex<Session>,
    /// A request was sent, and no answer has come.
    unanswered: AtomicBool,
}

/// One flush: nothing freezes until it is over.
#[derive(Default)]
struct Session {
    credentials: Option<Credentials>,
    connection: Option<Kept<Box<dyn Stream>>>,
    /// What failed may be tried again.
    again: bool,
    /// Nobody listens there.
    unreachable: bool,
}

impl std::fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DynamoDb").field("table", &self.table).finish_non_exhaustive()
    }
}

// === impl DynamoDb ===

impl DynamoDb {
    /// Connects to nothing yet.
    pub(super) fn new(settings: &Store, connector: &Connector) -> Self {
        Self {
            table: settings.table.clone(),
            region: settings.region.clone(),
            endpoint: settings.endpoint.clone(),
            connector: connector.clone(),
            session: Mutex::default(),
            unanswered: AtomicBool::new(false),
        }
    }

    /// A flush begins. A connection of an earlier one would be dead without knowing it.
    pub(super) fn open(&self, credentials: Credentials, again: bool) {
        *self.session() = Session { credentials: Some(credentials), again, ..Session::default() };
    }

    /// The flush is over. Tells whether nobody listened there.
    pub(super) fn close(&self) -> bool {
        std::mem::take(&mut *self.session()).unreachable
    }

    /// Whether a request may have arrived although nobody said so; asked once.
    pub(super) fn take_unanswered(&self) -> bool {
        self.unanswered.swap(false, Relaxed)
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self, body: &Bytes) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::post(self.endpoint.path())
            .header(header::HOST, self.endpoint.authority())
            .header(header::CONTENT_TYPE, wire::CONTENT_TYPE)
            .header("x-amz-target", wire::TARGET)
            .header(header::USER_AGENT, USER_AGENT)
            .body(Full::new(body.clone()))
            .map_err(|error| error.to_string())?;
        let credentials = self.session().credentials.clone().ok_or("no credentials")?;
        let signing = Signing { credentials: &credentials, region: &self.region, service: "dynamodb" };
        signing.sign(&mut request, body, SystemTime::now())?;
        Ok(request)
    }

    async fn connect(&self) -> Result<Kept<Box<dyn Stream>>, Error> {
        let stream = self.connector.connect(&self.endpoint).await.map_err(|error| {
            self.session().unreachable = error.kind() == ErrorKind::ConnectionRefused;
            Error::NoAnswer(error.to_string())
        })?;
        Kept::new(stream).await.map_err(|error| Error::NoAnswer(error.to_string()))
    }

    /// Sends it over the connection that is open, if one is, and else over another.
    async fn exchange(&self, body: &Bytes) -> Result<Reply, Error> {
        let request = || self.request(body).map_err(Error::Unsendable);
        let kept = self.session().connection.take();
        if let Some(kept) = kept
            && let Ok(reply) = self.talk(kept, request()?).await
        {
            return Ok(reply);
        }
        // The other side may have closed it just then. What came twice changes nothing.
        let fresh = self.connect().await?;
        self.talk(fresh, request()?).await.map_err(|error| Error::NoAnswer(error.to_string()))
    }

    async fn talk(
        &self,
        connection: Kept<Box<dyn Stream>>,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Reply> {
        self.unanswered.store(true, Relaxed);
        let (reply, connection) = connection.exchange(request, MAX_REPLY).await?;
        self.unanswered.store(false, Relaxed);
        self.session().connection = connection;
        Ok(reply)
    }
}

impl Table for DynamoDb {
    async fn put(&self, items: &[Item]) -> Result<Vec<Item>, Error> {
        let body = Bytes::from(wire::request(&self.table, items)?);
        let reply = self.exchange(&body).await?;
        wire::answer(reply.status.as_u16(), &reply.body)
    }

    fn tries_again(&self, error: &Error) -> bool {
        let session = self.session();
        session.again && !session.unreachable && error.is_transient()
    }
}

//! Connections to backends: never to ourselves, and over TLS as the machine's certificates decide, which are read once for
//! all destinations.

use crate::endpoint::Endpoint;
use std::io::{Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A connection, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What all connections have in common.
#[derive(Clone, Default)]
pub(super) struct Connector {
    /// The port on 127.0.0.1 where OTLP is taken.
    own: u16,
    /// Made at the first connection: reading the machine's certificates takes longer than the whole start.
    tls: Arc<OnceLock<Tls>>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("own", &self.own).finish_non_exhaustive()
    }
}

struct Tls {
    connector: TlsConnector,
    /// What is wrong with the certificates; nothing, if it is empty.
    odd: String,
}

// === impl Connector ===

impl Connector {
    /// For an extension that takes OTLP at this port of 127.0.0.1.
    pub(super) fn new(own: u16) -> Self {
        Self { own, tls: Arc::default() }
    }

    /// Connects to where an endpoint is, with TLS if it asks for that.
    pub(super) async fn connect(&self, endpoint: &Endpoint) -> Result<Box<dyn Stream>, Error> {
        let stream = self.reach(endpoint).await?;
        if endpoint.tls() {
            Ok(Box::new(self.shake_hands(endpoint.host(), stream).await.map_err(Error::other)?))
        } else {
            Ok(Box::new(stream))
        }
    }

    /// Connects to where an endpoint is, unless that is here: names and numbers have many spellings, and what is sent
    /// to itself comes again for ever.
    pub(super) async fn reach(&self, endpoint: &Endpoint) -> Result<TcpStream, Error> {
        let stream = TcpStream::connect((endpoint.host(), endpoint.port())).await?;
        let peer = stream.peer_addr()?;
        if peer.port() == self.own && peer.ip().to_canonical() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
            let why = "that is the extension itself; name the backend in THROUGHLINE_EXPORT_ENDPOINT";
            return Err(Error::new(ErrorKind::ConnectionRefused, why));
        }
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// Shakes hands with `host`.
    pub(super) async fn shake_hands(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let Tls { connector, odd } = self.tls()?;
        connector.connect(name, stream).await.map_err(|error| format!("{error}{odd}"))
    }

    fn tls(&self) -> Result<&Tls, String> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls);
        }
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        let odd = match found.errors.first() {
            Some(error) => format!("; not all of the machine's certificates were read: {error}"),
            None if added == 0 => {
                "; no certificates were found on this machine, or in SSL_CERT_FILE".to_owned()
            }
            None => String::new(),
        };
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(self.tls.get_or_init(|| Tls { connector: TlsConnector::from(Arc::new(config)), odd }))
    }
}

//! TLS to backends: the machine's certificates decide, and they are read once for all destinations.

use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Made at the first connection: reading the machine's certificates takes longer than the whole start.
#[derive(Clone, Default)]
pub(super) struct Tls(Arc<OnceLock<TlsConnector>>);

// === impl Tls ===

impl Tls {
    /// Shakes hands with `host`.
    pub(super) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        self.connector()?.connect(name, stream).await.map_err(|error| error.to_string())
    }

    fn connector(&self) -> Result<&TlsConnector, String> {
        if let Some(connector) = self.0.get() {
            return Ok(connector);
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(self.0.get_or_init(|| TlsConnector::from(Arc::new(config))))
    }
}

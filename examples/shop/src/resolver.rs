//! Names of hosts: those below `localhost` are this machine (<https://www.rfc-editor.org/rfc/rfc6761#section-6.3>),
//! which not every system's resolver knows. So providers that run here can have names too.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::{Service, ServiceExt as _};

/// Asks the system for all other names.
#[derive(Clone, Debug)]
pub(crate) struct Resolver(pub(crate) GaiResolver);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let system = self.0.clone();
        Box::pin(async move {
            if is_here(name.as_str()) {
                return Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))].into_iter());
            }
            Ok(system.oneshot(name).await?.collect::<Vec<_>>().into_iter())
        })
    }
}

fn is_here(name: &str) -> bool {
    name.trim_end_matches('.').to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::is_here;

    #[test]
    fn only_names_below_localhost_are_here() {
        assert!(is_here("payments.localhost") && is_here("Mail.LOCALHOST."));
        assert!(!is_here("localhost.example.com") && !is_here("notlocalhost"));
    }
}

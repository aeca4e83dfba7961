//! Whether a backend can be reached, step by step: for `--check`, and never while a function runs.

use super::connector::Connector;
use super::destination::Destination;
use crate::buffer::{Batch, Entry};
use crate::config::Export;
use crate::endpoint::Endpoint;
use crate::otlp::Signal;
use bytes::Bytes;
use std::future::Future;
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::time::timeout;

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A step on the way to a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `name`, `connect` or `request`.
    pub name: &'static str,
    /// What came of it, or what went wrong.
    pub outcome: Result<String, String>,
}

/// Goes to each address of a destination until something goes wrong: looks up its name, connects, and sends an empty
/// request, over TLS where it asks for that. `own` is the port of 127.0.0.1 where OTLP would be taken.
pub async fn probe(export: &Export, own: u16) -> Vec<Step> {
    let connector = Connector::new(own);
    let mut destination = Destination::new(export.clone(), &connector);
    let mut steps = Vec::new();
    match export {
        Export::Stdout => {}
        Export::Otlp { endpoint, .. } => {
            go(endpoint, Signal::Traces, &connector, &mut destination, &mut steps).await
        }
        Export::Aws(aws) => {
            go(&aws.traces, Signal::Traces, &connector, &mut destination, &mut steps).await;
            go(&aws.logs, Signal::Logs, &connector, &mut destination, &mut steps).await;
        }
        Export::Store(store) => {
            go(&store.endpoint, Signal::Traces, &connector, &mut destination, &mut steps).await;
        }
    }
    steps
}

async fn go(
    endpoint: &Endpoint,
    signal: Signal,
    connector: &Connector,
    destination: &mut Destination,
    steps: &mut Vec<Step>,
) {
    let address = (endpoint.host(), endpoint.port());
    let looked_up = in_time(async {
        let found: Vec<_> = lookup_host(address).await.map_err(|error| error.to_string())?.collect();
        let first = found.first().ok_or("no address")?;
        Ok(format!("{}: {}, {} in all", address.0, first.ip(), found.len()))
    });
    if !add(steps, "name", looked_up.await) {
        return;
    }
    let connect = || async { connector.reach(endpoint).await.map_err(|error| error.to_string()) };
    let connected = in_time(async { connect().await?.peer_addr().map_err(|error| error.to_string()) });
    if !add(steps, "connect", connected.await.map(|peer| peer.to_string())) {
        return;
    }
    let bytes = Bytes::new();
    let nothing = Entry::new(signal, bytes, 0, None);
    let nothing = Batch { signal, entries: vec![nothing] };
    add(steps, "request", in_time(destination.probe(&nothing)).await);
}

async fn in_time<T>(step: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    timeout(PATIENCE, step)
        .await
        .unwrap_or_else(|_| Err(format!("nothing came of it in {} s", PATIENCE.as_secs())))
}

fn add(steps: &mut Vec<Step>, name: &'static str, outcome: Result<String, String>) -> bool {
    let went_well = outcome.is_ok();
    steps.push(Step { name, outcome });
    went_well
}

//! The start, in the order that Lambda and the wrapper need: the OTLP listener is bound and its port
//! told before the function can run, the telemetry listener is bound before the subscription. What can
//! wait (certificates, connections to the backend) waits until the first flush.

use crate::config::{Config, Export, Notice};
use crate::export::Exporter;
use crate::extension::{Extension, Mode};
use crate::facts::{Facts, unix_nanos};
use crate::flush::Settings;
use crate::lambda::{Error, Events, Lambda, Subscription};
use crate::log::{self, Level};
use crate::recorder::Recorders;
use crate::sandbox::Sandbox;
use crate::shared::Shared;
use crate::spool::Spool;
use crate::{http, receiver, telemetry};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::net::TcpListener;

/// Starts the extension; what is left to do is to [run](Extension::run) it.
///
/// `api` is `AWS_LAMBDA_RUNTIME_API`, `name` the executable's file name, `tmp` where the sandbox's
/// folder is made.
///
/// # Errors
///
/// If it cannot register. Without anything else it goes on: a function that does not start is worse
/// than one that is not traced.
pub async fn start(api: &str, name: &str, tmp: &Path, mut config: Config) -> Result<Extension, Error> {
    let listener = listen(&mut config).await;
    let own = listener.as_ref().map_or(0, |(port, _)| *port);
    let names: Vec<String> = config.exports.iter().map(ToString::to_string).collect();
    let spool = Spool::new(tmp, api, config.buffer_bytes, &names);
    let shared = Arc::new(Shared::with_destinations(config.buffer_bytes, config.enabled, names));
    config.facts.takers = config.exports.iter().map(Export::takers).collect();
    shared.lock().facts = Facts::new(config.facts.clone(), unix_nanos(SystemTime::now()));
    // Before the function can run: what is in the folder now is of a sandbox that was reset.
    shared.resume(spool);
    let recorders = Recorders::new(tmp, api);
    recorders.tell_orphans(&shared);
    let port_file = listener.and_then(|(port, listener)| {
        tokio::spawn(receiver::otlp(listener, Arc::clone(&shared)));
        tell_port(tmp, api, port)
    });

    let quiet = !config.enabled || config.managed_instances;
    let mut lambda = Lambda::connect(api, name).await;
    let events = if quiet { Events::ShutdownOnly } else { Events::All };
    let hears = async { if config.enabled { Some(hear(&shared).await) } else { None } };
    // Lambda has the request by the time that it starts to listen.
    let (registered, port) = tokio::join!(lambda.register(events), hears);
    registered?;
    let subscription = match port {
        Some(Ok(port)) => lambda.subscribe(port, config.facts.logs).await,
        Some(Err(error)) => Subscription::Refused(error.to_string()),
        None => Subscription::NotSupported,
    };
    if let Subscription::Refused(why) = &subscription {
        log::line(Level::Warn, "no telemetry from the platform; going on without", json!({ "reason": why }));
    }
    let mode = match subscription {
        _ if config.managed_instances => Mode::Unfrozen,
        Subscription::Active => Mode::EndsAreTold,
        Subscription::NotSupported => Mode::Unfrozen,
        Subscription::Refused(_) => Mode::EndsAreGuessed,
    };
    let exporter = Exporter::new(config.exports, own);
    let settings = Settings { budget: config.budget, policy: config.flush, ample: config.ample };
    Ok(Extension::new(lambda, shared, exporter, settings, mode, port_file, recorders))
}

/// Where OTLP will be taken, and its port.
async fn listen(config: &mut Config) -> Option<(u16, TcpListener)> {
    let bound =
        http::bind_loopback(config.listen).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
    match bound {
        Ok((address, listener)) => {
            if let Some(odd) = config.refuse_own_listener(address) {
                notice(&odd);
            }
            let (asked, port) = (config.listen, address.port());
            if asked != 0 && asked != port {
                let message = format!(
                    "port {asked} is taken, {port} is used: wrapped functions find it, others have to be pointed there"
                );
                log::line(Level::Warn, &message, json!({ "variable": "THROUGHLINE_LISTEN" }));
            }
            Some((port, listener))
        }
        Err(error) => {
            log::line(
                Level::Error,
                "cannot listen on loopback; no spans",
                json!({ "reason": error.to_string() }),
            );
            None
        }
    }
}

fn tell_port(tmp: &Path, api: &str, port: u16) -> Option<(Sandbox, u16)> {
    let told = Sandbox::open(tmp, api).and_then(|sandbox| sandbox.write_port(port).map(|()| sandbox));
    told.map(|sandbox| (sandbox, port))
        .inspect_err(|error| {
            let reason = error.to_string();
            log::line(
                Level::Warn,
                "cannot write the port file; functions will not find the extension",
                json!({ "reason": reason }),
            );
        })
        .ok()
}

/// Listens where the platform will tell, and returns the port.
async fn hear(shared: &Arc<Shared>) -> std::io::Result<u16> {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let address = telemetry::address_in(&hosts);
    let listener = telemetry::bind(address).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(receiver::telemetry(listener, Arc::clone(shared)));
    if address.is_none() {
        tokio::spawn(listen_where_looked_up(port, Arc::clone(shared)));
    }
    Ok(port)
}

/// Where no file tells the sandbox's address a name server may. The start does not wait for it.
async fn listen_where_looked_up(port: u16, shared: Arc<Shared>) {
    if let Some(address) = telemetry::look_up_address().await
        && let Ok(listener) = TcpListener::bind((address, port)).await
    {
        receiver::telemetry(listener, shared).await;
    }
}

/// Logs a line about the configuration.
pub fn notice(notice: &Notice) {
    let level = if notice.warning { Level::Warn } else { Level::Info };
    let message = format!("{} {}", notice.variable, notice.message);
    log::line(level, &message, json!({ "variable": notice.variable, "value": notice.value }));
}

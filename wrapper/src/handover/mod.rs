//! The way out: one OTLP request an invocation, after its response and before the next event.
//!
//! Where it goes is found at the first hand-over: the extension (its port file is there, and something listens),
//! else an OTLP endpoint that is not loopback, else stdout. What was found is kept; spans that it does not take are
//! written on stdout, so that none is lost silently.

mod background;
mod client;
mod lines;
mod port_file;
#[cfg(test)]
mod tests;
mod wire;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::diagnostics::warn_once;
use crate::settings::Env;
use crate::span::EndedSpan;
pub(crate) use background::Background;
use client::{Client, Sent, Target};
use lines::Lines;
#[cfg(test)]
pub(crate) use port_file::path as port_file_of;

/// The longest that a hand-over may take: the client has its response, but the sandbox's next event waits.
const BUDGET: Duration = Duration::from_secs(2);
/// Kept free of the function's deadline: the runtime must still ask for its next event.
const MARGIN: Duration = Duration::from_millis(50);
/// Hand-overs that are not tried after one that got no answer in time.
const PAUSE: u32 = 10;
/// What an answer may take: with less time left, that none came says nothing of who is asked.
const PATIENCE: Duration = Duration::from_millis(250);

/// Sends spans away.
#[derive(Debug)]
pub(crate) struct HandOver {
    port_file: Option<PathBuf>,
    port: OnceLock<Option<u16>>,
    endpoint: Option<Target>,
    chosen: OnceLock<Option<Client>>,
    /// Hand-overs still to be left out.
    paused: AtomicU32,
    lines: Lines,
}

impl HandOver {
    pub(crate) fn new(env: &Env<'_>) -> Self {
        Self {
            port_file: env("AWS_LAMBDA_RUNTIME_API").map(|api| port_file::path(&api)),
            port: OnceLock::new(),
            endpoint: match endpoint(env, false) {
                Some(Endpoint::Collector(target)) => Some(target),
                Some(Endpoint::Stdout) | None => None,
            },
            chosen: OnceLock::new(),
            paused: AtomicU32::new(0),
            lines: Lines::from_env(env),
        }
    }

    /// Reads the extension's port, once.
    pub(crate) fn prepare(&self) -> Option<u16> {
        *self.port.get_or_init(|| self.port_file.as_deref().and_then(port_file::read))
    }

    /// Delivers spans of `resource` within what is `left` until the function's deadline, or writes them on stdout as
    /// OTLP JSON.
    pub(crate) async fn send(&self, resource: &Resource, spans: &[EndedSpan], left: Duration) {
        if !self.delivered(resource, spans, left.saturating_sub(MARGIN).min(BUDGET)).await {
            self.lines.write(resource, spans);
        }
    }

    /// Whether there is no extension.
    pub(crate) fn is_alone(&self) -> bool {
        match self.chosen.get() {
            Some(client) => !client.as_ref().is_some_and(Client::is_of_extension),
            None => self.prepare().is_none(),
        }
    }

    /// Delivers spans where there is no extension, by means of its own: the program's Tokio runtime may be what hangs.
    pub(crate) fn send_from_thread(&self, resource: &Resource, spans: &[EndedSpan], left: Duration) {
        let budget = left.saturating_sub(MARGIN).min(BUDGET);
        let client = self.endpoint.clone().and_then(Client::new);
        let sent = client.and_then(|client| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            let body = Bytes::from(wire::encode(resource, spans));
            let sent = runtime.block_on(client.send(body, budget));
            // A name that is still being looked up is not waited for.
            runtime.shutdown_background();
            Some(sent)
        });
        if sent != Some(Sent::Accepted) {
            self.lines.write(resource, spans);
        }
    }

    async fn delivered(&self, resource: &Resource, spans: &[EndedSpan], budget: Duration) -> bool {
        if budget.is_zero() {
            // What is sent and not waited for would be told twice.
            return false;
        }
        let resume = |paused: u32| paused.checked_sub(1);
        if self.paused.fetch_update(Ordering::Relaxed, Ordering::Relaxed, resume).is_ok() {
            return false;
        }
        let body = || Bytes::from(wire::encode(resource, spans));
        let sent = match self.chosen.get() {
            Some(Some(client)) => client.send(body(), budget).await,
            Some(None) => Sent::Refused,
            None => self.choose(body(), budget).await,
        };
        if sent == Sent::Unanswered && budget >= PATIENCE {
            self.paused.store(PAUSE, Ordering::Relaxed);
        }
        sent == Sent::Accepted
    }

    /// Tries what there is, in order, with the first request, and stays with what is there.
    async fn choose(&self, body: Bytes, budget: Duration) -> Sent {
        if let Some(client) = self.prepare().map(Target::loopback).and_then(Client::new) {
            let sent = client.send(body.clone(), budget).await;
            if sent != Sent::Unreachable {
                let _ = self.chosen.set(Some(client));
                return sent;
            }
            warn_once("the extension does not listen: going on without it");
        }
        let client = self.endpoint.clone().and_then(Client::new);
        let sent = match &client {
            Some(client) => client.send(body, budget).await,
            None => Sent::Refused,
        };
        let _ = self.chosen.set(client);
        sent
    }
}

/// Who made the spans.
fn instrumentation() -> InstrumentationScope {
    InstrumentationScope {
        name: "throughline".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

/// Where the environment has spans go.
#[derive(Clone, Debug)]
enum Endpoint {
    Collector(Target),
    Stdout,
}

/// The endpoint that the environment names. In a function a loopback one is the extension's own address; elsewhere
/// it is a collector beside the program.
fn endpoint(env: &Env<'_>, loopback: bool) -> Option<Endpoint> {
    let (name, value) =
        ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "THROUGHLINE_EXPORT_ENDPOINT"]
            .into_iter()
            .find_map(|name| Some((name, env(name).filter(|value| !value.is_empty())?)))?;
    if value == "stdout" {
        return Some(Endpoint::Stdout);
    }
    match Target::endpoint(&value, name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
        Ok(target) if target.is_loopback() && !loopback => None,
        Ok(target) => Some(Endpoint::Collector(target.with_headers(&headers(env)))),
        Err(why) => {
            warn_once(&format!("{name}: {why}: no spans are sent there"));
            None
        }
    }
}

fn headers(env: &Env<'_>) -> String {
    ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS", "THROUGHLINE_EXPORT_HEADERS"]
        .into_iter()
        .find_map(env)
        .unwrap_or_default()
}

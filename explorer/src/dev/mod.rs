//! `throughline dev`: a store for the laptop that any OpenTelemetry application can send to, while the other commands
//! read from it.

mod line;
mod place;

use std::io::ErrorKind;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use clap::Args;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use throughline_store::time::millis;
use throughline_store::{Options as Kept, Store};
use tokio::net::TcpListener;

use crate::connection::{self, IN_FILE, Missing};
use crate::intake::{Hear, Intake, Signal};
use crate::otlp::Rejected;
use crate::trace::Style;

use line::Lines;
pub use place::running;

/// Transactions of one request that are told one by one.
const MAX_LINES: usize = 20;

/// What `throughline dev` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The port on 127.0.0.1 and [::1]; 0: any that is free
    #[arg(long, value_name = "PORT", default_value_t = 4318)]
    port: u16,

    /// Keep the store in this file; without, it is gone when this command ends
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
}

/// Takes what is sent, and tells it, until it is dropped.
///
/// # Errors
///
/// When the port is taken, or the store can't be made.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let listener = listen(Ipv4Addr::LOCALHOST.into(), options.port).await?;
    let address = listener.local_addr()?;
    // To some exporters localhost is this. Not every machine has it.
    let other = match listen(Ipv6Addr::LOCALHOST.into(), address.port()).await {
        Err(error) if options.port > 0 && is_taken(&error) => return Err(error),
        listener => listener.ok(),
    };
    // Held as long as this runs.
    let passing = match &options.store {
        None => Some(place::Passing::new()?),
        Some(_) => None,
    };
    let path = options.store.as_deref().or(passing.as_ref().map(place::Passing::path)).context("no store")?;
    let database = connection::open(path, Missing::Make)?;
    // A laptop that loses power loses some spans: no reason to wait for its disk at each.
    database.enable_bulk_loading().with_context(|| path.display().to_string())?;
    let store = Store::embedded(database, IN_FILE);
    store.create_table().await.with_context(|| path.display().to_string())?;

    let ask = match &options.store {
        Some(file) => format!("throughline traces --store {}", file.display()),
        None => "throughline traces".to_owned(),
    };
    say(&format!(
        "listening   OTEL_EXPORTER_OTLP_ENDPOINT=http://{}\n\
         \x20           OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf (or http/json)\n\
         ask it      {ask}, in another terminal\nend it      Ctrl-C\n\n",
        address
    ));
    let style = Style::of_terminal();
    let kept = Kept::default().retention;
    let lines = Arc::new(Lines::new(MAX_LINES, kept, style));
    let writer = store.writer(&format!("dev-{}", uuid::Uuid::new_v4().simple()), Kept::default());
    let intake = Intake::new(writer, lines);
    match other {
        Some(other) => _ = tokio::join!(intake.clone().serve(listener), intake.serve(other)),
        None => intake.serve(listener).await,
    }
    Ok(())
}

impl Hear for Arc<Lines> {
    fn spans(&self, request: &ExportTraceServiceRequest) -> Box<dyn FnOnce() + Send> {
        let (heard, lines) = (line::heard(request), self.clone());
        Box::new(move || say(&lines.told(&heard, millis(SystemTime::now()))))
    }

    fn rejected(&self, signal: Signal, rejected: &Rejected) {
        say(&self.not_taken(signal, rejected, millis(SystemTime::now())));
    }

    fn http2(&self) {
        say(&self.not_spoken(millis(SystemTime::now())));
    }
}

async fn listen(address: IpAddr, port: u16) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::from((address, port));
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{address} can't be listened on: what does already? --port names another"))
}

fn is_taken(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::AddrInUse)
}

/// A closed stdout is nobody to tell.
fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

//! Handlers for the table of endings: each takes the event of any trigger, works for a while, and ends in the way that
//! the environment names.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use lambda_runtime::streaming::Response;
use lambda_runtime::{Error, LambdaEvent};
use serde::Deserialize;
use serde_json::{Value, json};
use throughline::context::spawn;
use tracing::Instrument;

use crate::handlers::{eat_memory, step};

/// The variable that says how an invocation ends.
pub const ENDING: &str = "TEST_ENDING";
/// The variable that says how many spans a handler makes before it ends; [`STEPS`] without it.
pub const MAKES: &str = "TEST_STEPS";
/// The spans that a handler makes before it ends; one whose process is to end begins another.
pub const STEPS: usize = 3;
/// More than Lambda takes.
const LARGE: usize = 6 * 1024 * 1024 + 200;

/// An error that has a cause, which has one too.
#[derive(Debug)]
struct Charging(Connecting);

#[derive(Debug)]
struct Connecting(io::Error);

impl fmt::Display for Charging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("charging the card")
    }
}

impl fmt::Display for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connecting to the provider")
    }
}

impl std::error::Error for Charging {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl std::error::Error for Connecting {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn steps() -> u32 {
    std::env::var(MAKES).ok().and_then(|steps| steps.parse().ok()).unwrap_or(STEPS as u32)
}

async fn work(request_id: &str) {
    tracing::info!("took the order");
    tracing::debug!("looked into it");
    for n in 0..steps() {
        step(request_id, n).await;
    }
}

/// Works, then ends as asked.
///
/// # Errors
///
/// When asked to.
///
/// # Panics
///
/// When asked to.
pub async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    work(&event.context.request_id).await;
    match std::env::var(ENDING).unwrap_or_default().as_str() {
        "ok" => {}
        "error" => return Err("the order is refused".into()),
        "nested" => {
            let cause = io::Error::new(io::ErrorKind::ConnectionRefused, "port 443 is closed");
            return Err(Charging(Connecting(cause)).into());
        }
        "panic" => panic!("no stock of number {}", 7),
        "spawned" => {
            let task = spawn(async { panic!("the mail was not written") });
            tracing::info!(failed = task.await.is_err(), "wrote a mail");
        }
        "swallowed" => {
            let _ = throughline::observe("ten".parse::<u32>());
            tracing::error!("the receipt was not printed");
        }
        "large" => return Ok("x".repeat(LARGE).into()),
        ends => {
            let step = tracing::info_span!("step", request_id = event.context.request_id, n = steps());
            die(ends).instrument(step).await;
        }
    }
    Ok(json!({ "taken": true }))
}

/// Ends the process, or never ends.
async fn die(ends: &str) {
    // Suspends once, as real work does.
    tokio::task::yield_now().await;
    match ends {
        "time-out" => std::future::pending().await,
        "exit" => std::process::exit(3),
        "abort" => std::process::abort(),
        "SIGKILL" => {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
        "memory" => eat_memory().await,
        other => panic!("{ENDING}={other:?} is no ending"),
    }
}

/// What no event is.
#[derive(Debug, Deserialize)]
pub struct Unheard {
    /// No trigger has it.
    pub unheard_of: String,
}

/// Takes an event that never comes.
///
/// # Errors
///
/// None of its own.
pub async fn read(event: LambdaEvent<Unheard>) -> Result<String, Error> {
    Ok(event.payload.unheard_of)
}

/// Works while its response is streamed, which breaks off if asked to, and else goes on for long.
///
/// # Errors
///
/// None; an error that is asked for ends the stream.
pub async fn stream(
    event: LambdaEvent<Value>,
) -> Result<Response<BoxStream<'static, Result<Bytes, Error>>>, Error> {
    let ends = std::env::var(ENDING).unwrap_or_default();
    let request_id = event.context.request_id;
    let work = stream::once(async move {
        work(&request_id).await;
        Ok(Bytes::from_static(b"the beginning"))
    });
    let rest = match ends.as_str() {
        "broken" => stream::iter([Err("the report broke off".into())]).boxed(),
        _ => stream::repeat(())
            .then(|()| async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(Bytes::from_static(b" and so on"))
            })
            .boxed(),
    };
    Ok(Response::from(work.chain(rest).boxed()))
}

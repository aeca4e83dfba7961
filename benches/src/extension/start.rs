//! From the start of the process until it has registered, and until it asks for its first event.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use throughline_host::sandbox_folder;
use tokio::process::Command;
use tokio::sync::Notify;

use super::{Contender, free_port};
use crate::http_server::HttpServer;
use crate::progress::Progress;
use crate::stats::Samples;

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Figures of one extension.
#[derive(Debug, Default)]
pub(crate) struct Start {
    pub(crate) registered: Samples,
    pub(crate) ready: Samples,
}

#[derive(Debug, Default)]
struct Seen {
    registered: Mutex<Option<Instant>>,
    ready: Notify,
}

/// Starts each in turn.
pub(super) async fn measure(
    contenders: &[Contender],
    starts: u32,
    progress: &Progress,
) -> anyhow::Result<Vec<Start>> {
    let mut measured: Vec<Start> = contenders.iter().map(|_| Start::default()).collect();
    progress.begin("starts of extensions", starts);
    for _ in 0..starts {
        for (contender, start) in contenders.iter().zip(&mut measured) {
            let (registered, ready) = once(contender).await?;
            start.registered.push(registered);
            start.ready.push(ready);
        }
        progress.inc(1);
    }
    Ok(measured)
}

async fn once(contender: &Contender) -> anyhow::Result<(Duration, Duration)> {
    let seen = Arc::<Seen>::default();
    let told = seen.clone();
    let api = HttpServer::start(move |request| lambda(request, told.clone())).await?;
    let runtime_api = api.address.to_string();
    let mut command = Command::new(&contender.program);
    command
        .env("AWS_LAMBDA_RUNTIME_API", &runtime_api)
        .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env("AWS_REGION", "us-east-1")
        .envs(contender.variables(free_port(), "http://127.0.0.1:9"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let begun = Instant::now();
    let mut process = command.spawn().with_context(|| format!("no {}", contender.program.display()))?;
    let answer = tokio::time::timeout(PATIENCE, seen.ready.notified()).await;
    let ready = begun.elapsed();
    process.kill().await?;
    let _ = std::fs::remove_dir_all(sandbox_folder(&runtime_api));
    answer.with_context(|| format!("{} asks for no event", contender.name))?;
    let registered = *seen.registered.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((registered.context("it did not register")?.duration_since(begun), ready))
}

/// As much of Lambda's APIs as init needs. There never is an event.
async fn lambda(request: Request<()>, seen: Arc<Seen>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if path.ends_with("/event/next") {
        seen.ready.notify_one();
        std::future::pending::<()>().await;
    }
    let mut response = Response::new(Full::from("\"OK\""));
    if path.ends_with("/register") {
        *seen.registered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        *response.body_mut() =
            Full::from(r#"{"functionName":"bench","functionVersion":"$LATEST","handler":"bootstrap"}"#);
        response.headers_mut().insert("lambda-extension-identifier", HeaderValue::from_static("bench"));
    }
    response
}

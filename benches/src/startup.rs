//! From the start of a process to its first request for an event: what a cold start waits for.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use throughline_host::sandbox_folder;
use tokio::process::Command;
use tokio::sync::Notify;

use crate::Programs;
use crate::http_server::HttpServer;
use crate::progress::Progress;
use crate::stats::Samples;

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts each program in turn, `starts` times.
pub(crate) async fn measure(
    programs: &Programs,
    starts: u32,
    progress: &Progress,
) -> anyhow::Result<Vec<(&'static str, Samples)>> {
    let mut startup = programs.named().map(|(name, _)| (name, Samples::default()));
    progress.begin("starts", starts);
    for _ in 0..starts {
        progress.inc(1);
        for ((name, program), (_, samples)) in programs.named().into_iter().zip(&mut startup) {
            // A function may hold an extension of its own, which asks too.
            let asks = if name == "extension" { "/event/next" } else { "/invocation/next" };
            samples.push(first_next(program, asks).await?);
        }
    }
    Ok(startup.into())
}

async fn first_next(program: &Path, asks: &'static str) -> anyhow::Result<Duration> {
    let asked = Arc::new(Notify::new());
    let notify = asked.clone();
    let api = HttpServer::start(move |request| lambda(request, asks, notify.clone())).await?;
    let runtime_api = api.address.to_string();
    let begun = Instant::now();
    let mut process = Command::new(program)
        .env("AWS_LAMBDA_RUNTIME_API", &runtime_api)
        .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env("AWS_LAMBDA_LOG_LEVEL", "INFO")
        .env("AWS_REGION", "us-east-1")
        .env("THROUGHLINE_LISTEN", "127.0.0.1:0")
        .env("THROUGHLINE_EXPORT_ENDPOINT", "http://127.0.0.1:9")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    let answer = tokio::time::timeout(PATIENCE, asked.notified()).await;
    let took = begun.elapsed();
    process.kill().await?;
    let _ = std::fs::remove_dir_all(sandbox_folder(&runtime_api));
    answer.with_context(|| format!("{} asks for no event", program.display()))?;
    Ok(took)
}

/// As much of Lambda's APIs as init needs. There never is an event.
async fn lambda(request: Request<()>, asks: &str, asked: Arc<Notify>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if path.ends_with(asks) {
        asked.notify_one();
    }
    if path.ends_with("/next") {
        std::future::pending::<()>().await;
    }
    let mut response = Response::new(Full::from("\"OK\""));
    if path.ends_with("/register") {
        *response.body_mut() =
            Full::from(r#"{"functionName":"bench","functionVersion":"$LATEST","handler":"bootstrap"}"#);
        response.headers_mut().insert("lambda-extension-identifier", http::HeaderValue::from_static("bench"));
    }
    response
}

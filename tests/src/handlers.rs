//! The handlers of the test functions. The `function` binary runs them wrapped, the `plain` binary
//! under `lambda_runtime` alone: what clients get from both must be the same bytes.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use lambda_runtime::streaming::Response;
use lambda_runtime::{Error, LambdaEvent};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tracing::Instrument;

/// The variable that says which handler a test function runs.
pub const HANDLER: &str = "TEST_HANDLER";

/// Which handler a test function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// [`command`].
    Command,
    /// [`command`], several at once where the platform asks for it.
    Concurrent,
    /// [`streaming`].
    Streaming,
    /// [`echo`].
    Echo,
    /// [`endings::handle`](crate::endings::handle).
    Ends,
    /// [`endings::read`](crate::endings::read).
    Reads,
    /// [`endings::stream`](crate::endings::stream).
    Streams,
}

impl Kind {
    /// The value of [`HANDLER`] for this kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Concurrent => "concurrent",
            Self::Streaming => "streaming",
            Self::Echo => "echo",
            Self::Ends => "ends",
            Self::Reads => "reads",
            Self::Streams => "streams",
        }
    }

    /// What the environment of this process asks for.
    ///
    /// # Panics
    ///
    /// When it asks for nothing that exists.
    pub fn from_env() -> Self {
        let wanted = std::env::var(HANDLER).unwrap_or_default();
        use Kind::{Command, Concurrent, Echo, Ends, Reads, Streaming, Streams};
        [Command, Concurrent, Streaming, Echo, Ends, Reads, Streams]
            .into_iter()
            .find(|kind| kind.as_str() == wanted)
            .unwrap_or_else(|| panic!("{HANDLER}={wanted:?} is no handler"))
    }
}

/// What [`command`] and [`streaming`] are told to do.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Command {
    /// How to end.
    #[serde(rename = "do")]
    pub ending: Ending,
    /// How many spans to make first.
    #[serde(default)]
    pub spans: u32,
}

/// How an invocation ends.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// With a response.
    Ok,
    /// With an error.
    Error,
    /// With a panic.
    Panic,
    /// With the process.
    Exit,
    /// With all the memory that there is.
    Memory,
    /// Never.
    Hang,
}

/// Makes spans named `step` that carry the request id, then ends as asked.
///
/// # Errors
///
/// When asked to.
///
/// # Panics
///
/// When asked to.
pub async fn command(event: LambdaEvent<Command>) -> Result<Value, Error> {
    let Command { ending, spans } = event.payload;
    for n in 0..spans {
        step(&event.context.request_id, n).await;
    }
    match ending {
        Ending::Ok => Ok(json!({ "made": spans })),
        Ending::Error => Err(format!("failed after {spans} spans").into()),
        Ending::Panic => panic!("panicked after {spans} spans"),
        Ending::Exit => std::process::exit(3),
        Ending::Memory => eat_memory().await,
        Ending::Hang => std::future::pending().await,
    }
}

/// Streams a chunk for each span, which is made while the stream is polled, then ends as asked.
///
/// # Errors
///
/// None; an error that is asked for ends the stream.
pub async fn streaming(
    event: LambdaEvent<Command>,
) -> Result<Response<BoxStream<'static, Result<Bytes, Error>>>, Error> {
    let Command { ending, spans } = event.payload;
    let request_id = event.context.request_id;
    let chunks = stream::iter(0..spans).then(move |n| {
        let request_id = request_id.clone();
        async move {
            step(&request_id, n).await;
            Ok(Bytes::from(format!("chunk {n}\n")))
        }
    });
    let end = match ending {
        Ending::Ok => None,
        _ => Some(Err(Error::from(format!("broke after {spans} chunks")))),
    };
    Ok(Response::from(chunks.chain(stream::iter(end)).boxed()))
}

/// Answers with the bytes of the event.
///
/// # Errors
///
/// None of its own.
pub async fn echo(event: LambdaEvent<Box<RawValue>>) -> Result<Box<RawValue>, Error> {
    Ok(event.payload)
}

/// Takes memory until the process is killed for it.
pub(crate) async fn eat_memory() -> ! {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        eaten.push(vec![1; 1024 * 1024]);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Makes a span named `step`.
pub(crate) async fn step(request_id: &str, n: u32) {
    // Suspends once inside the span, as real work does.
    let work = async {
        tokio::task::yield_now().await;
        tracing::debug!("worked");
    };
    work.instrument(tracing::info_span!("step", request_id, n)).await;
}

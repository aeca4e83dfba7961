//! Our extension beside one that does nothing, which is the floor, and beside another that takes OTLP: what each costs the
//! sandbox that it lives in.

mod after;
mod start;
mod throughput;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Programs;
use crate::progress::Progress;
use crate::size::{self, Bytes};

pub(crate) use after::After;
pub(crate) use start::Start;
pub(crate) use throughput::Throughput;

/// One way to run an extension.
#[derive(Debug, Clone)]
struct Contender {
    name: &'static str,
    program: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Takes nothing.
    Floor,
    /// Ours, with this flush policy.
    Ours(&'static str),
    /// `opentelemetry-lambda-extension`, with this `LAMBDA_OTEL_FLUSH_COMPLETION_WAIT`.
    Peer(&'static str),
}

/// Figures of one contender.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) start: Start,
    pub(crate) after: After,
    pub(crate) size: Bytes,
    /// `None` for the floor, and for what exports nothing before the end of an invocation.
    pub(crate) throughput: Option<Throughput>,
}

/// The name of the floor.
pub(crate) const FLOOR: &str = "does nothing";

impl Contender {
    fn all(programs: &Programs) -> [Self; 5] {
        let of = |name, program: &Path, kind| Self { name, program: program.to_path_buf(), kind };
        [
            of(FLOOR, &programs.floor, Kind::Floor),
            of("throughline, end", &programs.extension, Kind::Ours("end")),
            of("throughline, deferred", &programs.extension, Kind::Ours("deferred")),
            of("opentelemetry-lambda-ext., end", &programs.peer_extension, Kind::Peer("auto")),
            of("opentelemetry-lambda-ext., deferred", &programs.peer_extension, Kind::Peer("off")),
        ]
    }

    /// Whether it waits for the end of an invocation, and must be told it.
    fn is_told_ends(&self) -> bool {
        self.kind == Kind::Peer("auto")
    }

    /// The variables with which it takes OTLP at `port` and sends it to `backend`.
    fn variables(&self, port: u16, backend: &str) -> Vec<(&'static str, String)> {
        match self.kind {
            Kind::Floor => Vec::new(),
            Kind::Ours(policy) => vec![
                ("THROUGHLINE_LISTEN", format!("127.0.0.1:{port}")),
                ("THROUGHLINE_EXPORT_ENDPOINT", backend.to_owned()),
                ("THROUGHLINE_FLUSH", policy.to_owned()),
            ],
            Kind::Peer(wait) => vec![
                ("LAMBDA_OTEL_FLUSH_STRATEGY", "end".to_owned()),
                ("LAMBDA_OTEL_FLUSH_COMPLETION_WAIT", wait.to_owned()),
                ("LAMBDA_OTEL_RECEIVER_HTTP_PORT", port.to_string()),
                ("LAMBDA_OTEL_TELEMETRY_API_LISTENER_PORT", free_port().to_string()),
                ("LAMBDA_OTEL_EXPORTER_ENDPOINT", backend.to_owned()),
            ],
        }
    }
}

/// A port that nobody has right now.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener.and_then(|listener| listener.local_addr()).map_or(0, |address| address.port())
}

/// Measures them in turns, but for the throughput.
pub(crate) async fn measure(
    programs: &Programs,
    starts: u32,
    invocations: u32,
    progress: &Progress,
) -> anyhow::Result<Vec<Figures>> {
    let contenders = Contender::all(programs);
    let starting = start::measure(&contenders, starts, progress).await?;
    let after = after::measure(&contenders, programs, invocations, progress).await?;
    let mut figures = Vec::new();
    for ((contender, start), after) in contenders.iter().zip(starting).zip(after) {
        let throughput = match contender.kind {
            Kind::Floor | Kind::Peer("auto") => None,
            _ => Some(throughput::measure(contender, progress).await?),
        };
        let size = size::of(&contender.program)?;
        figures.push(Figures { name: contender.name, start, after, size, throughput });
    }
    Ok(figures)
}

impl Figures {
    /// Milliseconds, kilobytes of memory, bytes of files.
    pub(crate) fn json(&self) -> Value {
        let samples =
            |of: &crate::stats::Samples| json!({ "p50": of.percentile(50), "p99": of.percentile(99) });
        json!({
            "name": self.name,
            "registered_ms": samples(&self.start.registered),
            "ready_ms": samples(&self.start.ready),
            "after_response_ms": samples(&self.after.response),
            "cpu_ms_each": self.after.cpu.as_secs_f64() * 1000.0,
            "idle_kb": self.after.resident.idle,
            "after_kb": self.after.resident.after,
            "requests_each": self.after.requests,
            "bytes": self.size.plain,
            "zipped_bytes": self.size.zipped,
            "spans_a_second": self.throughput.as_ref().map(|of| of.spans_a_second),
            "spans_a_cpu_second": self.throughput.as_ref().map(|of| of.spans_a_cpu_second),
        })
    }
}

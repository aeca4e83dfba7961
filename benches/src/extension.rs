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
    /// `opentelemetry-lambda-extension`.
    Peer,
}

/// Figures of one contender.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) start: Start,
    pub(crate) after: After,
    pub(crate) size: Bytes,
    /// Spans a second through intake and export on one core; `None` for the floor.
    pub(crate) spans_a_second: Option<f64>,
}

/// The name of the floor.
pub(crate) const FLOOR: &str = "does nothing";

impl Contender {
    fn all(programs: &Programs) -> [Self; 4] {
        let of = |name, program: &Path, kind| Self { name, program: program.to_path_buf(), kind };
        [
            of(FLOOR, &programs.floor, Kind::Floor),
            of("throughline, end", &programs.extension, Kind::Ours("end")),
            of("throughline, deferred", &programs.extension, Kind::Ours("deferred")),
            of("opentelemetry-lambda-extension", &programs.peer_extension, Kind::Peer),
        ]
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
            Kind::Peer => vec![
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

/// Measures one after the other.
pub(crate) async fn measure(
    programs: &Programs,
    starts: u32,
    invocations: u32,
    progress: &Progress,
) -> anyhow::Result<Vec<Figures>> {
    let contenders = Contender::all(programs);
    let starting = start::measure(&contenders, starts, progress).await?;
    let mut figures = Vec::new();
    for (contender, start) in contenders.iter().zip(starting) {
        figures.push(Figures {
            name: contender.name,
            start,
            after: after::measure(contender, programs, invocations, progress).await?,
            size: size::of(&contender.program)?,
            spans_a_second: match contender.kind {
                Kind::Floor => None,
                _ => Some(throughput::measure(contender, progress).await?),
            },
        });
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
            "spans_a_second": self.spans_a_second,
        })
    }
}

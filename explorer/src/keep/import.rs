//! `throughline import`: reads OTLP JSON into the store, whoever wrote it: in the forms that `throughline replay` knows.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::Serialize;
use throughline_store::{Options as Kept, Store, Writer};
use tokio::time::Instant;

use crate::ask::{counted, harmless};
use crate::connection::{self, Connection, Missing};
use crate::replay::{Reading, read_files};

/// How long one request may take to be written, with the store's own retries.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is wrong in more places is counted, not told one by one.
const TOLD: u64 = 20;

/// What `throughline import` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Files of OTLP JSON or of log lines that hold it, gzip or plain; folders of them; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    connection: connection::Options,

    /// Tell the outcome as one JSON object
    #[arg(long, help_heading = "Answer")]
    json: bool,
}

/// What became of it.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Outcome {
    files: u64,
    spans: u64,
    runs: u64,
    items: u64,
    /// Ids and traces beyond those that a run is found by.
    left_out: u64,
    /// Runs without their spans, which are too many.
    too_large: u64,
    /// What began as a request and is none.
    torn: u64,
    /// Spans, metrics and log lines in a request that are none.
    rejected: u64,
    /// Files that could not be read.
    unread: u64,
    /// Log lines.
    lines: u64,
    /// Log lines that name neither a request nor a trace: nobody would find them.
    unnamed: u64,
    /// Metrics, which the store does not keep.
    passed_over: u64,
}

/// Reads them in and tells the outcome on stdout; whether all could be read, and there was something.
///
/// # Errors
///
/// When there is no store, or it can't be written: what was written until then is there, and may be written again.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    let connection = options.connection.connect(Missing::Make).await?;
    if connection.is_file() {
        connection.store.create_table().await.map_err(|error| connection.explained(&error))?;
    }
    let (mut outcome, mut told) = (Outcome::default(), Told::default());
    let mut written = None;
    for path in &options.files {
        let mut source = read_files(path);
        // One writer for each file: it counts what it writes under the file's name.
        while let Some(reading) = source.next() {
            match reading {
                Reading::File => {
                    outcome.files += 1;
                    written = None;
                }
                Reading::Traces(request) => {
                    let writer = written.get_or_insert_with(|| writer(&connection, source.path(), &request));
                    outcome.add(&connection, writer, request).await?;
                }
                Reading::Logs(request) => outcome.add_logs(&connection, request).await?,
                Reading::Other(items) => outcome.passed_over += items,
                Reading::Rejected(items, why) => {
                    outcome.rejected += items;
                    told.tell(&why);
                }
                Reading::Torn(why) => {
                    outcome.torn += 1;
                    told.tell(&why);
                }
                Reading::Unread(why) => {
                    outcome.unread += 1;
                    eprintln!("throughline: {why}");
                }
            }
        }
    }
    let next = connection.command(&["traces"]);
    let text = if options.json {
        let mut object = serde_json::to_value(&outcome)?;
        object["next"] = next.into();
        object.to_string()
    } else {
        format!("{}\nnext: {next}", outcome.text(connection.told()))
    };
    crate::stdout::tell(&format!("{text}\n"))?;
    Ok(outcome.torn + outcome.rejected + outcome.unread == 0 && outcome.spans + outcome.lines > 0)
}

/// What is wrong, told where it is not too much.
#[derive(Default)]
struct Told(u64);

impl Told {
    fn tell(&mut self, why: &str) {
        self.0 += 1;
        if self.0 <= TOLD {
            eprintln!("throughline: {}", harmless(why));
        }
    }
}

/// Of this file: read in again under the same path it has the same name, so that nothing is counted twice. A log that
/// has grown begins as before.
fn writer(connection: &Connection, path: &Path, first: &ExportTraceServiceRequest) -> Writer<Store> {
    let mut hasher = DefaultHasher::new();
    path.canonicalize().unwrap_or_else(|_| path.to_owned()).hash(&mut hasher);
    first.encode_to_vec().hash(&mut hasher);
    connection.store.writer(&format!("import-{:016x}", hasher.finish()), Kept::default())
}

impl Outcome {
    async fn add(
        &mut self,
        connection: &Connection,
        writer: &Writer<Store>,
        request: ExportTraceServiceRequest,
    ) -> anyhow::Result<()> {
        let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        self.spans += scopes.map(|scope| scope.spans.len() as u64).sum::<u64>();
        let written = writer.write_request(request, SystemTime::now(), Instant::now() + PATIENCE).await;
        let written = written.map_err(|error| connection.explained(&error))?;
        self.runs += written.runs as u64;
        self.items += written.items as u64;
        self.left_out += written.left_out as u64;
        self.too_large += written.too_large as u64;
        Ok(())
    }

    async fn add_logs(
        &mut self,
        connection: &Connection,
        request: ExportLogsServiceRequest,
    ) -> anyhow::Result<()> {
        // Lines are not counted by sandbox: any name will do.
        let writer = connection.store.writer("import", Kept::default());
        let written = writer.write_logs(request, SystemTime::now(), Instant::now() + PATIENCE).await;
        let written = written.map_err(|error| connection.explained(&error))?;
        self.items += written.items as u64;
        self.lines += written.lines as u64;
        self.unnamed += written.unnamed as u64;
        self.too_large += written.too_large as u64;
        Ok(())
    }

    fn text(&self, store: &str) -> String {
        let lines = if self.lines > 0 {
            format!(" and {}", counted(self.lines, "log line", "log lines"))
        } else {
            String::new()
        };
        let mut text = format!(
            "{} of {}{lines} from {} into {store}",
            counted(self.spans, "span", "spans"),
            counted(self.runs, "run", "runs"),
            counted(self.files, "file", "files")
        );
        for (number, what) in [
            (self.passed_over, "metrics, which are not kept"),
            (self.unnamed, "log lines that name neither a request nor a trace, which are not kept"),
            (self.left_out, "ids beyond those that a run is found by"),
            (self.too_large, "runs without their spans or lines, of more than 64 MiB"),
            (self.torn, "requests that are torn or no OTLP"),
            (self.rejected, "spans or log lines in other requests that are no OTLP"),
            (self.unread, "files that could not be read"),
        ] {
            if number > 0 {
                text += &format!("\n{what}: {number}");
            }
        }
        let others = self.passed_over + self.unnamed + self.torn + self.rejected + self.unread;
        if self.spans + self.lines + others == 0 {
            text += "\nnothing in it is OTLP: as JSON, alone in a file or on lines of a log (throughline import --help)";
        }
        text
    }
}

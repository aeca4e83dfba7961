//! `throughline export`: a transaction as it came in.

use std::time::SystemTime;

use clap::{Args, ValueEnum};
use serde::Serialize;
use throughline_store::Answer;

use crate::connection::{self, Missing};

/// What `throughline export` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The id of a trace
    #[arg(value_name = "TRACE")]
    trace: String,

    /// In which form
    #[arg(long, value_enum, default_value_t = Format::Otlp)]
    format: Format,

    /// Write its log lines too, in a second line: one ExportLogsServiceRequest
    #[arg(long)]
    logs: bool,

    #[command(flatten)]
    connection: connection::Options,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// OTLP JSON, one ExportTraceServiceRequest
    Otlp,
}

/// Writes it on stdout; whether there was anything.
///
/// # Errors
///
/// When there is no store, or it can't be read.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    let Format::Otlp = options.format;
    let connection = options.connection.connect(Missing::Refuse).await?;
    let reader = connection.store.reader(SystemTime::now());
    let trace = options.trace.trim();
    let answer = reader.export(trace).await.map_err(|error| connection.explained(&error))?;
    let request = doubts_told(answer);
    if request.resource_spans.is_empty() {
        let find = connection.command(&["find", trace]);
        let trace = crate::ask::harmless(trace);
        eprintln!(
            "throughline: nothing is known of a trace {trace}; what else it may be the id of tells: {find}"
        );
        return Ok(false);
    }
    let mut text = line(&request)?;
    if options.logs {
        let answer = reader.transaction(trace).await.map_err(|error| connection.explained(&error))?;
        let answer = reader.export_logs(&answer.found).await;
        text += &line(&doubts_told(answer.map_err(|error| connection.explained(&error))?))?;
    }
    crate::stdout::tell(&text)?;
    Ok(true)
}

fn line(request: &impl Serialize) -> anyhow::Result<String> {
    Ok(crate::ask::harmless_json(&serde_json::to_string(request)?) + "\n")
}

/// Tells on stderr what could not be read; stdout has the rest.
fn doubts_told<T>(answer: Answer<T>) -> T {
    if answer.at_least {
        eprintln!("throughline: there is more of it than could be read");
    }
    for item in &answer.damaged {
        eprintln!("throughline: {}", crate::ask::harmless(&format!("{}: {}", item.key, item.why)));
    }
    answer.found
}

//! `throughline export`: a transaction as it came in.

use std::io::Write;
use std::time::SystemTime;

use clap::{Args, ValueEnum};

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
    let answer = connection.store.reader(SystemTime::now()).export(options.trace.trim()).await;
    let answer = answer.map_err(|error| connection.explained(&error))?;
    if answer.at_least {
        eprintln!("throughline: there is more of it than could be read");
    }
    for item in &answer.damaged {
        eprintln!("throughline: {}", crate::ask::harmless(&format!("{}: {}", item.key, item.why)));
    }
    if answer.found.resource_spans.is_empty() {
        eprintln!("throughline: nothing is known of {}", crate::ask::harmless(&options.trace));
        return Ok(false);
    }
    let mut text = crate::ask::harmless_json(&serde_json::to_string(&answer.found)?);
    text.push('\n');
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(true)
}

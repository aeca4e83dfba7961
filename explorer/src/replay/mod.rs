//! `throughline replay`: sends what the extension, or a wrapped function without one, wrote into its log because
//! nobody took it.

mod files;
mod found;
mod groups;
mod look;
mod outbox;
mod parts;
mod reader;
mod scan;
mod seen;
mod send;
mod summary;
mod target;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;

use found::Found;
use groups::{Group, Signal};
use outbox::{Counts, Outbox, number_of};
use parts::Parts;
pub(crate) use reader::{Reading, read_files};
use scan::Scanner;
use seen::Seen;
use send::Sender;
use summary::Summary;
use target::Target;

use crate::otlp::Rejected;

/// What is wrong in more places is counted, not told one by one.
const TOLD: u64 = 20;

/// What `throughline replay` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Files of log lines, gzip or plain; folders of them; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// An OTLP/HTTP backend [default: OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,

    /// A header for it, may be given more than once
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,

    /// How long a request is tried again that fails
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    retry_for: u64,

    /// Only tell what there is; nothing is sent
    #[arg(long)]
    dry_run: bool,

    /// Tell the outcome as one JSON object
    #[arg(long)]
    json: bool,
}

/// Sends what is found and tells the outcome on stdout; whether all is where it belongs.
///
/// # Errors
///
/// When the endpoint or a header is none.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    let target = Target::new(options.endpoint.as_deref(), &options.header, |name| std::env::var(name).ok())?;
    let endpoint = target.told();
    let sender = if options.dry_run {
        None
    } else {
        Some(Sender::new(target, Duration::from_secs(options.retry_for))?)
    };
    let mut replay = Replay::new(sender);
    replay.all(&options.files).await;
    let mut summary = replay.ended().await;
    summary.endpoint = (!options.dry_run).then_some(endpoint);
    let text = if options.json { format!("{}\n", summary.json()) } else { summary.text() };
    crate::stdout::tell(&text)?;
    Ok(summary.is_fine())
}

struct Replay {
    sender: Option<Sender>,
    seen: Seen,
    parts: Parts,
    traces: Outbox<ResourceSpans>,
    metrics: Outbox<ResourceMetrics>,
    logs: Outbox<ResourceLogs>,
    summary: Summary,
    /// Requests with something wrong.
    wrong: u64,
    progress: ProgressBar,
}

// === impl Replay ===

impl Replay {
    fn new(sender: Option<Sender>) -> Self {
        Self {
            sender,
            seen: Seen::default(),
            parts: Parts::default(),
            traces: Outbox::new(Signal::Traces),
            metrics: Outbox::new(Signal::Metrics),
            logs: Outbox::new(Signal::Logs),
            summary: Summary::default(),
            wrong: 0,
            // Shown on a terminal only.
            progress: ProgressBar::no_length().with_style(
                ProgressStyle::with_template(
                    "{spinner} {bytes} of {total_bytes} read, {bytes_per_sec} {wide_msg}",
                )
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            ),
        }
    }

    async fn all(&mut self, arguments: &[PathBuf]) {
        let mut files = Vec::new();
        for path in arguments {
            match files::named(path) {
                Ok(named) => files.extend(named),
                Err(error) => self.unread(path, &error),
            }
        }
        let sizes: Option<u64> = files.iter().map(|path| Some(path.metadata().ok()?.len())).sum();
        sizes.into_iter().for_each(|bytes| self.progress.set_length(bytes));
        for path in files {
            if self.summary.stopped.is_some() {
                return;
            }
            let progress = self.progress.clone();
            self.summary.files += 1;
            match files::open(&path, move |bytes| progress.inc(bytes)) {
                Ok(input) => self.file(&path, input).await,
                Err(error) => self.unread(&path, &error),
            }
        }
    }

    async fn file(&mut self, path: &Path, input: impl Read) {
        let mut scanner = Scanner::new(input);
        while self.summary.stopped.is_none() {
            match scanner.next() {
                Ok(None) => break,
                Err(error) => {
                    self.unread(path, &error);
                    break;
                }
                Ok(Some(piece)) => {
                    let why = match self.take(piece.found).await {
                        Ok(rejected) if rejected.items == 0 => continue,
                        Ok(rejected) => rejected.told(),
                        Err(why) => {
                            self.summary.torn += 1;
                            why
                        }
                    };
                    self.wrong += 1;
                    if self.wrong <= TOLD {
                        let line = piece.line;
                        let told = || eprintln!("throughline: {}:{line}: {why}", path.display());
                        self.progress.suspend(told);
                    }
                }
            }
        }
        let (lines, with_otlp) = scanner.lines();
        self.summary.lines += lines;
        self.summary.lines_with_otlp += with_otlp;
    }

    /// Takes what a piece holds, and tells what of it is no OTLP. An error is what is wrong with the piece.
    async fn take(&mut self, found: Result<Found, String>) -> Result<Rejected, String> {
        let found = match found? {
            Found::Part(part) => match self.parts.add(part)? {
                Some(whole) => whole,
                None => return Ok(Rejected::default()),
            },
            found => found,
        };
        let sender = self.sender.as_mut();
        let (sent, rejected) = match found {
            Found::Traces(mut groups, rejected) => {
                self.traces.reject(&rejected);
                self.traces.counts.found += number_of(&groups);
                self.traces.counts.repeated += self.seen.retain_new(&mut groups) as u64;
                (self.traces.add(groups, sender).await, rejected)
            }
            Found::Metrics(groups, rejected) => {
                self.metrics.reject(&rejected);
                (add_new(&mut self.seen, &mut self.metrics, groups, sender).await, rejected)
            }
            Found::Logs(groups, rejected) => {
                self.logs.reject(&rejected);
                (add_new(&mut self.seen, &mut self.logs, groups, sender).await, rejected)
            }
            // A part of a part is nothing that is written.
            Found::Part(_) => (Ok(()), Rejected::default()),
        };
        self.progress.set_message(format!("{} spans", self.traces.counts.found));
        self.summary.stopped = self.summary.stopped.take().or(sent.err());
        Ok(rejected)
    }

    /// Sends what is left.
    async fn ended(mut self) -> Summary {
        if let Some(sender) = &mut self.sender {
            if self.summary.stopped.is_none() {
                let sent = match self.traces.send(sender).await {
                    Ok(()) => match self.metrics.send(sender).await {
                        Ok(()) => self.logs.send(sender).await,
                        failed => failed,
                    },
                    failed => failed,
                };
                self.summary.stopped = sent.err();
            }
            self.summary.unanswered = sender.unanswered;
        }
        let why = self.summary.stopped.clone().unwrap_or_default();
        self.traces.give_up(&why);
        self.metrics.give_up(&why);
        self.logs.give_up(&why);
        self.progress.finish_and_clear();
        let incomplete = self.parts.incomplete();
        if incomplete > 0 {
            eprintln!("throughline: {incomplete} requests in parts lack a part");
            self.summary.torn += incomplete;
        }
        if self.wrong > TOLD {
            eprintln!("throughline: and so on, {} in all", self.wrong + incomplete);
        }
        let counts = |counts: &mut Counts| std::mem::take(counts);
        self.summary.counts = [
            counts(&mut self.traces.counts),
            counts(&mut self.metrics.counts),
            counts(&mut self.logs.counts),
        ];
        self.summary
    }

    fn unread(&mut self, path: &Path, error: &std::io::Error) {
        self.summary.unread += 1;
        self.progress.suspend(|| eprintln!("throughline: {}: {error}", path.display()));
    }
}

/// Takes groups of items without ids, if they were not here.
async fn add_new<G: Group>(
    seen: &mut Seen,
    outbox: &mut Outbox<G>,
    groups: Vec<G>,
    sender: Option<&mut Sender>,
) -> Result<(), String> {
    let items = number_of(&groups);
    outbox.counts.found += items;
    if seen.are_new(&groups) {
        return outbox.add(groups, sender).await;
    }
    outbox.counts.repeated += items;
    Ok(())
}

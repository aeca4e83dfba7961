//! What Throughline costs, beside the same function without it and with what others offer: latency that a client sees,
//! instructions, time to start, memory, size of the binaries.
//!
//! Everything is measured in the same host and the same run. Figures are printed, never asserted: what is fast enough
//! depends on the machine.

mod contender;
mod cpu;
mod event;
mod extension;
mod http_server;
mod instructions;
mod latency;
mod memory;
mod outage;
mod progress;
mod reading;
mod report;
mod sending;
mod size;
mod startup;
mod stats;
mod summary;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use throughline_host::{Build, build};
use tokio::process::Command;

use contender::Contender;
use event::Trigger;
use progress::Progress;

/// Measures what Throughline costs, beside the same function without it and with what others offer.
///
/// Run it with `cargo run --release`. Instructions are counted by valgrind (Debian: valgrind).
#[derive(Debug, Parser)]
struct Options {
    /// Print one JSON object instead of tables and bars
    #[arg(long)]
    json: bool,

    /// Measured invocations of each function, for each trigger, with and without freezing
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    invocations: u32,

    /// Measured starts of each process
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,

    /// Measure these only
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_values_t = What::ALL, value_enum)]
    only: Vec<What>,

    /// Keep callgrind's profiles in this folder
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// What each part of ours adds to latency
    Parts,
    /// Latency beside others
    Peers,
    /// Instructions beside others; needs valgrind
    Instructions,
    /// Sending a message
    Sending,
    /// Reading the context of an event of 6 MB
    Reading,
    /// Time to start
    Startup,
    /// Resident memory
    Memory,
    /// A backend that is dead
    Outage,
    /// Size of the binaries
    Size,
    /// The extension beside others; needs `taskset`
    Extension,
}

impl What {
    const ALL: [Self; 10] = [
        Self::Parts,
        Self::Peers,
        Self::Instructions,
        Self::Sending,
        Self::Reading,
        Self::Startup,
        Self::Memory,
        Self::Outage,
        Self::Size,
        Self::Extension,
    ];
}

/// The programs that are measured.
#[derive(Debug)]
struct Programs {
    plain: PathBuf,
    wrapped: PathBuf,
    sender: PathBuf,
    reading: PathBuf,
    extension: PathBuf,
    lite: PathBuf,
    tower: PathBuf,
    floor: PathBuf,
    peer_extension: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    eprintln!("building the functions, those of others, and the extension as it ships");
    let programs = Programs::build().await?;
    let mut report = report::Report::default();
    let progress = Progress::new();
    for what in &options.only {
        options.measure(*what, &programs, &mut report, &progress).await?;
    }
    progress.finish();
    if options.json {
        println!("{}", report.json())
    } else {
        print!("{}\n{}", table::tables(&report), summary::summary(&report))
    }
    Ok(())
}

impl Options {
    async fn measure(
        &self,
        what: What,
        programs: &Programs,
        report: &mut report::Report,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        match what {
            What::Parts => {
                for freeze in [false, true] {
                    let contenders = Contender::of_ours(programs);
                    let measured =
                        latency::measure(&contenders, Trigger::Http, freeze, self.invocations, progress)
                            .await?;
                    report.latency.push(measured);
                }
            }
            What::Peers => {
                let contenders = Contender::of_all(programs);
                for trigger in Trigger::ALL {
                    for freeze in [false, true] {
                        let measured =
                            latency::measure(&contenders, trigger, freeze, self.invocations, progress)
                                .await?;
                        report.latency.push(measured);
                    }
                }
            }
            What::Instructions => {
                let temporary = tempfile::tempdir()?;
                let folder = self.profiles.as_deref().unwrap_or(temporary.path());
                let folder = std::path::absolute(folder)?;
                std::fs::create_dir_all(&folder)?;
                let contenders = Contender::of_all(programs);
                for trigger in Trigger::ALL {
                    report
                        .instructions
                        .push(instructions::measure(&contenders, trigger, &folder, progress).await?);
                }
                progress.begin("sending a message, instructions", 1);
                report.sending_instructions = Some(sending::count(&programs.sender, &folder).await?);
            }
            What::Sending => {
                report.sending = Some(sending::measure(&programs.sender, 200, progress).await?);
            }
            What::Reading => {
                progress.begin("reading events of 6 MB", 1);
                report.reading = reading::measure(&programs.reading).await?;
            }
            What::Startup => report.startup = startup::measure(programs, self.starts, progress).await?,
            What::Memory => {
                progress.begin("memory", 1);
                report.memory = Some(memory::measure(programs).await?);
            }
            What::Outage => report.outage = outage::measure(programs, self.invocations, progress).await?,
            What::Size => report.size = size::measure(programs)?,
            What::Extension => {
                report.extension =
                    extension::measure(programs, self.starts, self.invocations, progress).await?;
            }
        }
        Ok(())
    }
}

impl Programs {
    /// The functions with the profile of this program, the extension with its own.
    async fn build() -> anyhow::Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
        let functions = build(Build { workspace, packages: &["throughline-benches"] }, |_| {}).await?;
        let program = |name: &str| functions.get(name).cloned().with_context(|| format!("no {name}"));
        let plain = program("bench-plain")?;
        // target/release/bench-plain → target
        let target = plain.parent().and_then(Path::parent).context("no target directory")?.to_owned();
        cargo(workspace, &target, &["--package", "throughline-extension", "--profile", "layer"]).await?;
        // Others have a folder of their own, so that neither build throws the other's dependencies away.
        let of_peers = target.join("peers");
        let peers = workspace.join("benches/peers");
        cargo(&peers, &of_peers, &["--release", "--locked", "--bin", "bench-lite", "--bin", "bench-tower"])
            .await?;
        cargo(&peers, &of_peers, &["--profile", "layer", "--locked", "--bin", "bench-extension"]).await?;
        Ok(Self {
            plain,
            wrapped: program("bench-wrapped")?,
            sender: program("bench-sender")?,
            reading: program("reading")?,
            extension: target.join("layer/throughline-extension"),
            lite: of_peers.join("release/bench-lite"),
            tower: of_peers.join("release/bench-tower"),
            floor: program("bench-floor")?,
            peer_extension: of_peers.join("layer/bench-extension"),
        })
    }

    /// Those whose start and size are measured.
    fn named(&self) -> [(&'static str, &Path); 5] {
        [
            ("plain function", &self.plain),
            ("throughline", &self.wrapped),
            ("lambda-otel-lite", &self.lite),
            ("opentelemetry-lambda-tower", &self.tower),
            ("extension", &self.extension),
        ]
    }
}

async fn cargo(workspace: &Path, target: &Path, what: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet"]).args(what).arg("--target-dir").arg(target).current_dir(workspace);
    anyhow::ensure!(command.status().await?.success(), "cargo could not build {what:?}");
    Ok(())
}

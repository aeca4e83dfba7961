//! The ways to run the measured function.

use std::fs::{self, DirBuilder};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use throughline_host::{Sandbox, SandboxConfig, sandbox_folder};

use crate::Programs;
use crate::event::Trigger;
use crate::http_server::HttpServer;

/// One way to run the measured function.
#[derive(Debug, Clone)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    export: Export,
    enabled: bool,
}

/// Where spans go.
#[derive(Debug, Clone)]
enum Export {
    /// Nowhere, or on stdout.
    Nowhere,
    /// To our extension, which exports to the backend.
    Extension(PathBuf),
    /// To the backend, which stands where a collector on loopback would.
    Collector,
}

impl Contender {
    fn new(name: &'static str, program: &Path, export: Export) -> Self {
        Self { name, program: program.to_path_buf(), export, enabled: true }
    }

    /// What each part of ours costs. The first is what the others are compared with.
    pub(crate) fn of_ours(programs: &Programs) -> Vec<Self> {
        let extension = || Export::Extension(programs.extension.clone());
        let off = Self::new("wrapped, switched off", &programs.wrapped, Export::Nowhere);
        vec![
            Self::new("plain", &programs.plain, Export::Nowhere),
            Self::new("plain, with extension", &programs.plain, extension()),
            Self { enabled: false, ..off },
            Self::new("wrapped, no extension", &programs.wrapped, Export::Nowhere),
            Self::new("wrapped, with extension", &programs.wrapped, extension()),
        ]
    }

    /// Ours beside others, all of which send to the same kind of collector on loopback.
    pub(crate) fn of_all(programs: &Programs) -> Vec<Self> {
        vec![
            Self::new("plain", &programs.plain, Export::Nowhere),
            Self::new("throughline", &programs.wrapped, Export::Collector),
            Self::new("lambda-otel-lite", &programs.lite, Export::Collector),
            Self::new("opentelemetry-lambda-tower", &programs.tower, Export::Collector),
        ]
    }

    /// The function that sends messages.
    pub(crate) fn sender(program: &Path) -> Self {
        Self::new("sender", program, Export::Collector)
    }

    /// The same with another program.
    pub(crate) fn running(&self, program: PathBuf) -> Self {
        Self { program, ..self.clone() }
    }

    /// Whether each invocation of it must be seen at the backend.
    pub(crate) fn exports(&self) -> bool {
        matches!(self.export, Export::Collector)
    }

    /// Runs it, with `backend` at the end of the way.
    pub(crate) async fn start(
        &self,
        trigger: Trigger,
        freeze: bool,
        backend: &HttpServer,
    ) -> anyhow::Result<Sandbox> {
        self.start_at(trigger, freeze, backend.address).await
    }

    /// Runs it, with a backend at this address.
    pub(crate) async fn start_at(
        &self,
        trigger: Trigger,
        freeze: bool,
        backend: SocketAddr,
    ) -> anyhow::Result<Sandbox> {
        let mut config = SandboxConfig::new(self.name.replace([' ', ','], "-"), &self.program)
            .env("BENCH_TRIGGER", trigger.variable())
            // As Lambda says it to functions that log JSON. Without it lambda-otel-lite filters its own spans out.
            .env("AWS_LAMBDA_LOG_LEVEL", "INFO")
            .freeze(freeze);
        if !self.enabled {
            config = config.env("THROUGHLINE_ENABLED", "false");
        }
        let address = format!("http://{backend}");
        config = match &self.export {
            Export::Nowhere => config,
            Export::Extension(program) => config
                .extension(program)
                .env("THROUGHLINE_LISTEN", "127.0.0.1:0")
                .env("THROUGHLINE_EXPORT_ENDPOINT", address),
            Export::Collector => config.env("OTEL_EXPORTER_OTLP_ENDPOINT", address),
        };
        let sandbox = Sandbox::start(config).await?;
        if self.exports() {
            // Ours finds what listens on loopback by the file that the extension writes.
            let folder = sandbox_folder(sandbox.runtime_api());
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            fs::write(folder.join("port"), format!("{}\n", backend.port()))?;
        }
        Ok(sandbox)
    }
}

//! Starting a function with all that a test wants to know of it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use throughline_host::{
    Build, Invocation, Outcome, Output, Reply, Sandbox, SandboxConfig, ShutdownReason, Source, build,
};
use throughline_tests::backend::Backend;
use throughline_tests::handlers::{HANDLER, Kind};
use throughline_tests::spans::{Arrived, Ledger};
use tokio::sync::OnceCell;

/// How long anything may take to become true.
const PATIENCE: Duration = Duration::from_secs(60);

/// The extension, built once for all tests of this process, and in the same company as `throughline
/// demo` builds it: cargo would compile its dependencies again for it alone.
async fn extension() -> &'static Path {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let built = async {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let what = Build { workspace, packages: &["throughline-shop", "throughline-extension"] };
        let executables = build(what, |_| {}).await.unwrap();
        executables["throughline-extension"].clone()
    };
    BUILT.get_or_init(|| built).await
}

/// A test function before it is started.
pub(crate) struct Setup {
    config: SandboxConfig,
    output: Output,
    printed: Printed,
}

impl Setup {
    /// Wrapped, and without an extension.
    pub(crate) fn wrapped(kind: Kind) -> Self {
        Self::of(env!("CARGO_BIN_EXE_function")).env(HANDLER, kind.as_str())
    }

    /// As it is without us.
    pub(crate) fn plain(kind: Kind) -> Self {
        Self::of(env!("CARGO_BIN_EXE_plain")).env(HANDLER, kind.as_str())
    }

    /// Another test function.
    pub(crate) fn of(binary: &str) -> Self {
        let printed = Printed::default();
        let lines = printed.clone();
        let output =
            Output::with_listener(move |from, line| lines.0.lock().unwrap().push((from, line.to_owned())));
        let config = SandboxConfig::new("test-function", binary);
        Self { config, output, printed }
    }

    /// With the extension, which exports to `backend`. It has five seconds for that, so that a busy
    /// machine does not look like a dead backend, and sends at each end: many tests look at what has arrived then.
    pub(crate) async fn exporting_to(self, backend: &Backend) -> Self {
        self.with_extension().await.env("THROUGHLINE_EXPORT_ENDPOINT", backend.endpoint())
    }

    /// With the extension, which is not told where to export to.
    pub(crate) async fn with_extension(self) -> Self {
        let binary = extension().await;
        self.with(|config| config.extension(binary))
            .env("THROUGHLINE_LISTEN", "127.0.0.1:0")
            .env("THROUGHLINE_BUDGET_MS", "5000")
            .env("THROUGHLINE_FLUSH", "end")
            // The ledgers are of what functions tell.
            .env("THROUGHLINE_PHASES", "off")
    }

    /// With one more variable, or another value for it.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.config.env.retain(|(known, _)| known != name);
        self.with(|config| config.env(name, value))
    }

    /// With a change to the sandbox.
    pub(crate) fn with(mut self, change: impl FnOnce(SandboxConfig) -> SandboxConfig) -> Self {
        self.config = change(self.config);
        self
    }

    pub(crate) async fn start(self) -> Function {
        let sandbox = Sandbox::start(self.config.output(self.output)).await.unwrap();
        Function { sandbox, printed: self.printed, ledger: Ledger::default() }
    }
}

/// A running test function, and the spans that it owes.
pub(crate) struct Function {
    pub(crate) sandbox: Sandbox,
    pub(crate) printed: Printed,
    pub(crate) ledger: Ledger,
}

impl Function {
    /// Invokes with a command, and expects the spans of it.
    pub(crate) async fn command(&mut self, ending: &str, spans: u32) -> Outcome {
        let reply = self.sandbox.invoke(json!({ "do": ending, "spans": spans })).await;
        self.ledger.expect(&reply.request_id, spans);
        reply.outcome
    }

    /// Invokes with an event for which the wrapper makes one span only.
    pub(crate) async fn event(&mut self, event: impl Into<Invocation>) -> Reply {
        let reply = self.sandbox.invoke(event).await;
        self.ledger.expect(&reply.request_id, 0);
        reply
    }

    /// Ends the sandbox and makes sure that no process is left.
    pub(crate) async fn shutdown(self) -> Ended {
        let pids = self.sandbox.pids();
        self.sandbox.shutdown(ShutdownReason::Spindown).await;
        for pid in [pids.function, pids.extension].into_iter().flatten() {
            assert!(!Path::new(&format!("/proc/{pid}")).exists(), "process {pid} is left");
        }
        Ended { printed: self.printed, ledger: self.ledger }
    }
}

/// What is left of a function that was shut down.
pub(crate) struct Ended {
    pub(crate) printed: Printed,
    pub(crate) ledger: Ledger,
}

/// The lines of both processes.
#[derive(Clone, Default)]
pub(crate) struct Printed(Arc<Mutex<Vec<(Source, String)>>>);

impl Printed {
    /// The lines of one process.
    pub(crate) fn lines(&self, of: Source) -> Vec<String> {
        self.lines_after(of, 0)
    }

    /// The lines of one process but for its first.
    pub(crate) fn lines_after(&self, of: Source, first: usize) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        let lines = lines.iter().filter(|(from, _)| *from == of).map(|(_, line)| line);
        lines.skip(first).cloned().collect()
    }

    /// The spans that one process wrote, line by line.
    pub(crate) fn span_lines(&self, of: Source) -> Vec<Vec<Arrived>> {
        self.lines(of).iter().filter_map(|line| Arrived::in_line(line)).collect()
    }

    /// The spans that one process wrote.
    pub(crate) fn spans(&self, of: Source) -> Vec<Arrived> {
        self.span_lines(of).concat()
    }
}

/// What the same function answers without us, event by event.
pub(crate) async fn plain_outcomes(
    kind: Kind,
    events: impl IntoIterator<Item = impl Into<Invocation>>,
) -> Vec<Outcome> {
    let plain = Setup::plain(kind).start().await;
    let mut outcomes = Vec::new();
    for event in events {
        outcomes.push(plain.sandbox.invoke(event).await.outcome);
    }
    plain.shutdown().await;
    outcomes
}

/// The event of a command.
pub(crate) fn command(ending: &str, spans: u32) -> Value {
    json!({ "do": ending, "spans": spans })
}

/// Waits until `look` finds nothing wrong. Lines of a process are on their way for a moment.
#[track_caller]
pub(crate) fn eventually(mut look: impl FnMut() -> Option<String>) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    let begun = Instant::now();
    async move {
        loop {
            let looked = Instant::now();
            let Some(wrong) = look() else { return };
            assert!(begun.elapsed() < PATIENCE, "{place}: {wrong}");
            // A long look keeps those waiting who bring what is looked for.
            tokio::time::sleep((2 * looked.elapsed()).max(Duration::from_millis(5))).await;
        }
    }
}

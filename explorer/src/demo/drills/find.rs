//! What a person would ask the store, and what is read from its answers. Nothing here knows what was broken: only what
//! one notices first.

use std::collections::BTreeSet;

use serde::Serialize;
use throughline_store::span::Span;
use throughline_store::time::Window;
use throughline_store::{BuildRow, Card, Filter, Killed, MapEdge, Reader, Transaction, Upstream};

/// How many runs are looked at.
const MAX_RUNS: usize = 100;
/// A message that waited so long waited too long, in milliseconds.
const TOO_LONG: u64 = 1000;

/// What one notices first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symptom {
    /// Something fails.
    Failures,
    /// What a function calls is slow.
    SlowCalls,
    /// Messages wait in a queue.
    Waiting,
    /// Functions start too often, and take their time.
    ColdStarts,
}

/// What the answers name. What they do not is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Where it shows.
    pub(super) function: String,
    /// The type of its error.
    pub(super) error: Option<String>,
    /// What it says.
    pub(super) says: Option<String>,
    /// The build that has it, where others do not.
    pub(super) build: Option<String>,
    /// Who failed before, or below; or sent what lost its context.
    pub(super) upstream: Option<String>,
    /// On whose behalf the message was that ran each time that its batch was killed.
    pub(super) suspect: Option<String>,
    /// The third party at which it all began.
    pub(super) third_party: Option<String>,
    /// Where the transactions came in.
    #[serde(skip)]
    pub(super) entries: BTreeSet<String>,
    /// On whose behalf they ran, test users aside.
    #[serde(skip)]
    pub(super) users: BTreeSet<String>,
}

/// Asks.
///
/// # Errors
///
/// When the store can't be read.
pub(super) async fn find(symptom: Symptom, reader: &Reader, window: Window) -> anyhow::Result<Finding> {
    let ask = Ask { reader, window };
    match symptom {
        Symptom::Failures => ask.failures().await,
        Symptom::SlowCalls => ask.slow_calls().await,
        Symptom::Waiting => ask.waiting().await,
        Symptom::ColdStarts => ask.cold_starts().await,
    }
}

struct Ask<'a> {
    reader: &'a Reader,
    window: Window,
}

impl Ask<'_> {
    /// What fails most: `errors`, then `impact` of that function, and `trace` of its example.
    async fn failures(&self) -> anyhow::Result<Finding> {
        let all = Filter::default();
        let errors = self.reader.errors(self.window, &all).await?.found;
        let Some(first) = errors.first() else { return Ok(Finding::default()) };
        let impact = self.reader.impact(&first.example.function, self.window, &all).await?.found;
        let Some(group) = impact.errors.first() else { return Ok(Finding::default()) };
        let mut finding = Finding {
            function: first.example.function.clone(),
            error: Some(group.error.kind.clone()),
            says: Some(group.error.message.clone()),
            build: only_build(&impact.builds),
            upstream: group.cause.as_ref().map(|cause| cause.function.clone()),
            entries: impact
                .entries
                .iter()
                .map(|hit| hit.entry.clone())
                .filter(|entry| !entry.is_empty())
                .collect(),
            users: impact.top_users.iter().map(|hit| hit.user.clone()).collect(),
            ..Finding::default()
        };
        let open = group.open_call.as_ref().map(|call| (&call.trace_id, &call.span_id));
        if let Some((trace, id)) =
            group.cause.as_ref().map(|cause| (&cause.trace_id, &cause.span_id)).or(open)
        {
            let spans = self.reader.transaction(trace).await?.found.spans;
            let span = spans.iter().find(|span| span.span_id == *id && span.trace_id == *trace);
            finding.third_party = span.and_then(third_party);
        }
        if group.cause.as_ref().is_some_and(|cause| cause.way == Upstream::Below) {
            finding.upstream = None;
        }
        if finding.upstream.is_none() {
            // Where no context reached it, who sent it is known of its joined transaction.
            let trace = &group.example.trace_id;
            let transaction = self.reader.transaction(trace).await?.found;
            finding.upstream = sender(&transaction, trace);
            let suspect = transaction.killed.first().and_then(Killed::likely);
            finding.suspect = suspect.and_then(|suspect| suspect.user.clone());
        }
        Ok(finding)
    }

    /// The slowest call out: `map`, then the runs of that function that took so long.
    async fn slow_calls(&self) -> anyhow::Result<Finding> {
        let edges = self.reader.map(self.window).await?.found.edges;
        let Some(slowest) = slowest(edges.iter().filter(|edge| edge.to.starts_with("http "))) else {
            return Ok(Finding::default());
        };
        let longer_than = slowest.now.p95.map(|p95| p95 / 2);
        let filter = Filter { longer_than, ..Filter::default() };
        let mut finding =
            Finding { function: slowest.from.clone(), third_party: host(&slowest.to), ..Finding::default() };
        finding.add(self.reader.runs(&slowest.from, self.window, &filter, MAX_RUNS).await?.found.iter());
        Ok(finding)
    }

    /// The longest time in a queue: `map`, then the runs that got what had waited.
    async fn waiting(&self) -> anyhow::Result<Finding> {
        let edges = self.reader.map(self.window).await?.found.edges;
        let is_queue =
            |edge: &&MapEdge| ["sqs ", "kinesis ", "stream "].iter().any(|kind| edge.from.starts_with(kind));
        let Some(longest) = slowest(edges.iter().filter(is_queue)) else { return Ok(Finding::default()) };
        let calls = edges.iter().filter(|edge| edge.from == longest.to && edge.to.starts_with("http "));
        let mut finding = Finding {
            function: longest.to.clone(),
            third_party: slowest(calls).and_then(|edge| host(&edge.to)),
            ..Finding::default()
        };
        let runs = self.reader.runs(&longest.to, self.window, &Filter::default(), MAX_RUNS).await?.found;
        finding.add(runs.iter().filter(|run| run.queued.is_some_and(|waited| waited >= TOO_LONG)));
        Ok(finding)
    }

    /// The function that started most often: `functions`, then the runs whose start took long: `trace`.
    async fn cold_starts(&self) -> anyhow::Result<Finding> {
        let all = Filter::default();
        let functions = self.reader.functions(self.window, &all).await?.found;
        let Some(most) = functions.iter().max_by_key(|row| row.now.cold_starts) else {
            return Ok(Finding::default());
        };
        let mut finding = Finding { function: most.function.clone(), ..Finding::default() };
        let runs = self.reader.runs(&most.function, self.window, &all, MAX_RUNS).await?.found;
        let mut builds = BTreeSet::new();
        for run in runs.iter().filter(|run| run.cold_start) {
            let spans = self.reader.transaction(&run.trace_id).await?.found.spans;
            let is_init = |span: &&Span| span.name == "init" && span.function == run.function;
            if spans.iter().filter(is_init).any(|init| init.millis() >= TOO_LONG as f64) {
                builds.extend(run.build.clone());
                finding.add([run]);
            }
        }
        finding.build = builds.pop_first().filter(|_| builds.is_empty());
        Ok(finding)
    }
}

impl Finding {
    fn add<'a>(&mut self, runs: impl IntoIterator<Item = &'a Card>) {
        for run in runs.into_iter().filter(|run| !run.test_user) {
            self.entries.extend(run.entry.clone());
            self.users.extend(run.user.clone());
        }
    }
}

/// The build that failed, if only one did and another did not.
fn only_build(builds: &[BuildRow]) -> Option<String> {
    let failing: Vec<&BuildRow> = builds.iter().filter(|build| build.now.figures.failures > 0).collect();
    match failing.as_slice() {
        [only] if builds.len() > 1 => Some(only.build.clone()),
        _ => None,
    }
}

/// The function that sent what began this trace, where no context told.
fn sender(transaction: &Transaction, trace: &str) -> Option<String> {
    let join = transaction.joins.iter().find(|join| join.to == *trace && join.by != "link")?;
    let sent = |span: &&Span| {
        span.attribute("throughline.join.out").is_some_and(|ids| ids.split(", ").any(|id| id == join.by))
    };
    transaction.spans.iter().find(sent).map(|span| span.function.clone())
}

/// The host that a call was made to.
fn third_party(span: &Span) -> Option<String> {
    let is_http = span.attribute("http.request.method").is_some();
    is_http.then(|| span.attribute("server.address").map(str::to_owned)).flatten()
}

fn host(edge: &str) -> Option<String> {
    edge.strip_prefix("http ").map(str::to_owned)
}

fn slowest<'a>(edges: impl Iterator<Item = &'a MapEdge>) -> Option<&'a MapEdge> {
    edges.max_by_key(|edge| edge.now.p95)
}

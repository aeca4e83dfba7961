//! The runs of a transaction, each with its spans and its log lines.

use std::collections::{BTreeSet, HashMap};

use throughline_store::log::LogLine;
use throughline_store::{Card, Transaction};

use crate::ask::story::qualified;
use crate::trace::Span;

/// A run.
#[derive(Debug)]
pub(super) struct Chapter<'a> {
    pub(super) run: &'a Card,
    /// By start.
    pub(super) spans: Vec<&'a Span>,
    /// By time.
    pub(super) lines: Vec<&'a LogLine>,
    /// Which attempt at its message it was, if not the first.
    pub(super) attempt: Option<u64>,
}

impl Chapter<'_> {
    /// What the invocation or record says of itself, records first: they say more.
    pub(super) fn heads(&self) -> impl Iterator<Item = &Span> {
        let is_head = |span: &&Span| span.source().is_some() || span.span_id == self.run.span_id;
        let heads = || self.spans.iter().copied().filter(is_head);
        heads().filter(|span| span.is_record()).chain(heads().filter(|span| !span.is_record()))
    }

    /// The first value of an attribute that one of its heads has.
    pub(super) fn said(&self, name: &str) -> Option<&str> {
        self.heads().find_map(|span| span.attribute(name))
    }

    /// What went wrong: of one that failed its error, else the first that it swallowed; without numbers, for they are of
    /// one run alone.
    fn trouble(&self) -> String {
        let exception = || self.heads().flat_map(|span| &span.events).find(|event| event.name == "exception");
        let text = match &self.run.error {
            Some(error) => error.said(),
            None => exception().map(|event| format!("{:?}", event.attributes)).unwrap_or_default(),
        };
        text.chars().filter(|c| !c.is_ascii_digit()).collect()
    }

    /// Calls that failed.
    pub(super) fn failed_calls(&self) -> impl Iterator<Item = &Span> {
        let is_call = |span: &&Span| span.source().is_none() && span.span_id != self.run.span_id;
        self.spans.iter().copied().filter(is_call).filter(|span| span.error().is_some())
    }
}

/// The runs by start. Each span and line is in one of them, or in none if nobody knows whose it is. Lines of other
/// transactions, whose messages came in the same batch, are left out. `attempts` are those of the tree.
pub(super) fn chapters<'a>(
    transaction: &'a Transaction,
    lines: &'a [LogLine],
    attempts: &HashMap<String, u64>,
) -> Vec<Chapter<'a>> {
    let runs = &transaction.runs;
    let begin = |run| Chapter { run, spans: Vec::new(), lines: Vec::new(), attempt: None };
    let mut chapters: Vec<Chapter<'_>> = runs.iter().map(begin).collect();
    let owners = Owners::new(transaction);
    for span in &transaction.spans {
        if let Some(chapter) = owners.of(span).and_then(|at| chapters.get_mut(at)) {
            chapter.spans.push(span);
        }
    }
    for line in lines {
        if let Some(chapter) = owners.of_line(line).and_then(|at| chapters.get_mut(at)) {
            chapter.lines.push(line);
        }
    }
    for chapter in &mut chapters {
        let in_tree = |span: &Span| attempts.get(&qualified(&span.trace_id, &span.span_id)).copied();
        let attempt = chapter.heads().find_map(in_tree);
        chapter.attempt = attempt.or(chapter.run.attempt.filter(|attempt| *attempt > 1));
    }
    chapters
}

/// Lines of the transaction that are of none of its runs, by time: such as export logs alone.
pub(super) fn of_no_run<'a>(transaction: &Transaction, lines: &'a [LogLine]) -> Vec<&'a LogLine> {
    let owners = Owners::new(transaction);
    let is_ours =
        |line: &&LogLine| line.trace_id.as_ref().is_some_and(|trace| transaction.trace_ids.contains(trace));
    lines.iter().filter(is_ours).filter(|line| owners.of_line(line).is_none()).collect()
}

/// Those first that say something new: of each function and error the first, failures before what was swallowed.
pub(super) fn ranked<'a, 'b>(chapters: Vec<&'b Chapter<'a>>) -> Vec<&'b Chapter<'a>> {
    let mut seen: HashMap<(&str, String), usize> = HashMap::new();
    let mut ranked: Vec<(usize, bool, &Chapter<'_>)> = Vec::new();
    for chapter in chapters {
        let times = seen.entry((&chapter.run.function, chapter.trouble())).or_default();
        ranked.push((*times, !chapter.run.failed(), chapter));
        *times += 1;
    }
    // Those that are alike stay in the order of time.
    ranked.sort_by_key(|(times, swallowed, _)| (*times, *swallowed));
    ranked.into_iter().map(|(_, _, chapter)| chapter).collect()
}

type Key<'a> = (&'a str, &'a str);

/// Which run something is of, by its place among the runs.
struct Owners<'a> {
    runs: &'a [Card],
    spans: HashMap<Key<'a>, &'a Span>,
    /// Of each span the run whose head is above it.
    owners: HashMap<Key<'a>, Option<usize>>,
    traces: BTreeSet<&'a str>,
}

fn key(span: &Span) -> Key<'_> {
    (&span.trace_id, &span.span_id)
}

impl<'a> Owners<'a> {
    fn new(transaction: &'a Transaction) -> Self {
        let numbered = || transaction.runs.iter().enumerate();
        let records = numbered().filter_map(|(at, run)| Some((run.record.as_deref()?, at)));
        let heads: HashMap<&str, usize> =
            records.chain(numbered().map(|(at, run)| (run.span_id.as_str(), at))).collect();
        let spans: HashMap<Key<'_>, &Span> = transaction.spans.iter().map(|span| (key(span), span)).collect();
        let mut owners: HashMap<Key<'_>, Option<usize>> = HashMap::new();
        for start in &transaction.spans {
            let (mut path, mut at, mut owner) = (Vec::new(), Some(start), None);
            // Each span once, as far up as nobody knows it yet: chains may be long, and go round in a circle.
            while let Some(span) = at {
                if let Some(known) = owners.get(&key(span)) {
                    owner = *known;
                    break;
                }
                owner = heads.get(span.span_id.as_str()).copied();
                owners.insert(key(span), owner);
                path.push(key(span));
                let above = span.parent_id.as_deref().and_then(|id| spans.get(&(&span.trace_id, id)));
                let is_inner = |above: &&&Span| above.function == span.function && span.source().is_none();
                at = above.filter(is_inner).filter(|_| owner.is_none()).copied();
            }
            owners.extend(path.into_iter().map(|key| (key, owner)));
        }
        Self {
            runs: &transaction.runs,
            spans,
            owners,
            traces: transaction.spans.iter().map(|span| span.trace_id.as_str()).collect(),
        }
    }

    fn of(&self, span: &Span) -> Option<usize> {
        let owner = self.owners.get(&key(span)).copied().flatten();
        owner.or_else(|| self.at_that_time(&span.function, span.start))
    }

    fn of_line(&self, line: &LogLine) -> Option<usize> {
        let span = line.trace_id.as_deref().zip(line.span_id.as_deref()).and_then(|key| self.spans.get(&key));
        if let Some(span) = span {
            return self.of(span);
        }
        let is_foreign = |trace: &str| !self.traces.contains(trace);
        if line.trace_id.as_deref().is_some_and(is_foreign) && !self.traces.is_empty() {
            return None;
        }
        let Some(request) = &line.request_id else { return self.at_that_time(&line.function, line.time) };
        // A retry has the same request id.
        let mut runs = self.runs.iter().enumerate().filter(|(_, run)| run.request_id == *request);
        let first = runs.next()?;
        let later = runs.rfind(|(_, run)| run.start.saturating_mul(1_000_000) <= line.time);
        Some(later.unwrap_or(first).0)
    }

    /// The last run of a function that had begun, else its first.
    fn at_that_time(&self, function: &str, nanos: u64) -> Option<usize> {
        let millis = nanos / 1_000_000;
        let mut runs = self.runs.iter().enumerate().filter(|(_, run)| run.function == function);
        let first = runs.next()?;
        Some(runs.rfind(|(_, run)| run.start <= millis).unwrap_or(first).0)
    }
}

#[cfg(test)]
#[path = "chapters_tests.rs"]
mod tests;

//! A transaction as rows of a tree: a row for each run of a function, and for the calls that led to
//! no other function.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use throughline_store::last_name;

use super::hop::via;
use super::transaction::{Key, key};
use super::{Span, Transaction};

/// What is said of a call that had not ended when its function was stopped.
pub const NOT_ENDED: &str = "not ended";

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The branches to its left: `│  └─ `.
    pub branch: String,
    /// A function's name, a call's name, or `attempt 2`.
    pub label: String,
    /// How the function was triggered.
    pub trigger: String,
    /// Milliseconds in the queue.
    pub waited: Option<f64>,
    /// When it began, in milliseconds after the transaction's start.
    pub start: f64,
    /// How long it took, in milliseconds.
    pub millis: f64,
    /// What is worth a word: a cold start, a missing parent, what a dry run kept back.
    pub note: Option<String>,
    /// The error's message, if it failed; empty where it is that of the attempt before.
    pub error: Option<String>,
    /// Whether it is a call within a function.
    pub is_call: bool,
}

/// The rows of a transaction, from its roots down.
pub fn rows(transaction: &Transaction) -> Vec<Row> {
    let layout = Layout::new(transaction);
    let mut rows = Vec::new();
    let roots = layout.steps_and_calls(&layout.roots);
    for (position, node) in roots.iter().enumerate() {
        layout.write(node, "", position + 1 == roots.len(), &mut rows);
    }
    rows
}

/// Which attempt at its message a run was, by the id of its span: of those that were not the first, as rows say it.
pub fn attempts(transaction: &Transaction) -> HashMap<String, u64> {
    let layout = Layout::new(transaction);
    let mut nodes = layout.steps_and_calls(&layout.roots);
    let mut found = HashMap::new();
    while let Some(node) = nodes.pop() {
        let (attempts, children) = match node {
            Node::Call { children, .. } => (Vec::new(), children),
            Node::Step { attempts, children, .. } => (attempts, children),
        };
        let numbered = attempts.iter().enumerate();
        let numbered = numbered.map(|(position, span)| (span.span_id.clone(), number(position, span)));
        found.extend(numbered.filter(|(_, number)| *number > 1));
        nodes.extend(children);
    }
    found
}

/// Part of the tree.
enum Node<'a> {
    /// A function's run, as often as it was attempted.
    Step { attempts: Vec<&'a Arc<Span>>, cold: Option<String>, children: Vec<Node<'a>> },
    /// A call that led to no other function.
    Call { span: &'a Arc<Span>, children: Vec<Node<'a>> },
}

struct Layout<'a> {
    transaction: &'a Transaction,
    by_id: HashMap<Key<'a>, &'a Arc<Span>>,
    children: HashMap<Key<'a>, Vec<&'a Arc<Span>>>,
    roots: Vec<&'a Arc<Span>>,
    /// By the queue that messages came from, the one where dead letters of it were read.
    dead_letters: HashMap<&'a str, &'a str>,
    start: u64,
}

impl<'a> Layout<'a> {
    fn new(transaction: &'a Transaction) -> Self {
        let by_id = transaction.by_id();
        let mut children: HashMap<Key<'_>, Vec<&Arc<Span>>> = HashMap::new();
        let mut roots = Vec::new();
        for span in &transaction.spans {
            match transaction.parent(span).filter(|above| by_id.contains_key(above)) {
                Some(parent) => children.entry(parent).or_default().push(span),
                None => roots.push(span),
            }
        }
        // A batch that failed before its records were looked at has only its own span, which links here.
        for batch in transaction.linking.iter().filter(|batch| batch.error().is_some()) {
            for link in &batch.links {
                let sender = (link.trace_id.as_str(), link.span_id.as_str());
                if by_id.contains_key(&sender) {
                    let siblings = children.entry(sender).or_default();
                    if !siblings.iter().any(|sibling| covers(batch, sibling)) {
                        siblings.push(batch);
                    }
                }
            }
        }
        let start = transaction.spans.first().map_or(0, |span| span.start);
        let dead = |span: &'a Arc<Span>| {
            Some((span.attribute("throughline.dead_letter.source")?, span.source().and_then(queue)?))
        };
        let dead_letters = transaction.spans.iter().filter_map(dead).collect();
        Self { transaction, by_id, children, roots, dead_letters, start }
    }

    fn children(&self, span: &'a Span) -> &[&'a Arc<Span>] {
        self.children.get(&key(span)).map_or(&[], Vec::as_slice)
    }

    /// Whether a run begins with this span: where it is told by what, or where another function's is above it.
    fn begins(&self, span: &'a Span) -> bool {
        let above = || self.by_id.get(&self.transaction.parent(span)?);
        span.source().is_some() || above().is_none_or(|above| above.function != span.function)
    }

    /// Nodes for spans that lie beside each other.
    fn steps_and_calls(&self, spans: &[&'a Arc<Span>]) -> Vec<Node<'a>> {
        // What one message is tried with stands together, where the first try was.
        let mut attempts: HashMap<(&str, &str), Vec<&'a Arc<Span>>> = HashMap::new();
        for span in spans {
            if let Some(source) = span.source() {
                attempts.entry((&span.function, source)).or_default().push(span);
            }
        }
        let mut nodes = Vec::new();
        for span in spans {
            match span.source() {
                Some(source) => {
                    let runs = attempts.remove(&(span.function.as_str(), source));
                    nodes.extend(runs.map(|runs| self.step(runs)));
                }
                None if self.begins(span) => nodes.push(self.step(vec![span])),
                None => nodes.extend(self.call(span)),
            }
        }
        nodes
    }

    /// The runs of one function for one sender. With the span of an invocation come those of its
    /// records: a record's says more.
    fn step(&self, mut runs: Vec<&'a Arc<Span>>) -> Node<'a> {
        // A record with the same sender as its invocation may hang below that.
        let records = runs.iter().flat_map(|run| self.children(run).iter().filter(|c| c.is_record_of(run)));
        runs.extend(records.copied().collect::<Vec<_>>());
        let ours: HashSet<Key<'_>> = runs.iter().map(|run| key(run)).collect();
        let below = runs.iter().flat_map(|run| self.children(run)).copied();
        let below: Vec<&Arc<Span>> = below.filter(|child| !ours.contains(&key(child))).collect();
        let mut begun: Vec<u64> = runs.iter().filter(|run| run.is_record()).map(|run| run.start).collect();
        begun.sort_unstable();
        let told_by_record = |run: &Span| {
            let first = begun.get(begun.partition_point(|start| *start < run.start));
            !run.is_record() && first.is_some_and(|start| *start <= run.end)
        };
        let mut attempts: Vec<_> = runs.iter().filter(|run| !told_by_record(run)).copied().collect();
        attempts.sort_by_key(|run| run.start);
        let cold = self.cold(&runs);
        Node::Step { attempts, cold, children: self.steps_and_calls(&below) }
    }

    /// A call; if it led to other functions, those instead.
    fn call(&self, span: &'a Arc<Span>) -> Vec<Node<'a>> {
        let below = self.steps_and_calls(self.children(span));
        if below.iter().any(|node| matches!(node, Node::Step { .. })) {
            return below;
        }
        vec![Node::Call { span, children: below }]
    }

    fn write(&self, node: &Node<'a>, indent: &str, is_last: bool, rows: &mut Vec<Row>) {
        let (first, children) = match node {
            Node::Call { span, children } => (Some(*span), children),
            Node::Step { attempts, children, .. } => (attempts.first().copied(), children),
        };
        let is_joined = first.is_some_and(|span| self.transaction.joined.contains_key(&span.span_id));
        let branch = match (is_last, is_joined) {
            (true, false) => "└─ ",
            (false, false) => "├─ ",
            (true, true) => "└╌ ",
            (false, true) => "├╌ ",
        };
        let branch = format!("{indent}{branch}");
        let below = format!("{indent}{}", if is_last { "   " } else { "│  " });
        match node {
            Node::Call { span, .. } => rows.push(self.row(branch, span.called(), span, None)),
            Node::Step { attempts, cold, children } => {
                let stem = if children.is_empty() { "   " } else { "│  " };
                for (position, span) in attempts.iter().enumerate() {
                    let number = number(position, span);
                    let mut row = if let Some(before) = position.checked_sub(1) {
                        let label = format!("attempt {number}");
                        let row = self.row(format!("{below}{stem}"), label, span, None);
                        let same = attempts.get(before).is_some_and(|before| before.error() == span.error());
                        // Said above already.
                        let error = row.error.map(|error| if same { String::new() } else { error });
                        Row { trigger: String::new(), error, ..row }
                    } else {
                        let row = self.row(branch.clone(), span.function.clone(), span, cold.clone());
                        // What was tried before is not here.
                        let later = (number > 1).then(|| format!("attempt {number}"));
                        Row { note: joined(row.note.into_iter().chain(later)), ..row }
                    };
                    if position + 1 == attempts.len() && row.error.is_some() {
                        let dead =
                            span.source().and_then(queue).and_then(|queue| self.dead_letters.get(queue));
                        let dead = dead.map(|queue| format!("→ dead-letter queue {queue}"));
                        row.note = joined(row.note.into_iter().chain(dead));
                    }
                    rows.push(row);
                }
            }
        }
        for (position, child) in children.iter().enumerate() {
            self.write(child, &below, position + 1 == children.len(), rows);
        }
    }

    fn row(&self, branch: String, label: String, span: &'a Arc<Span>, cold: Option<String>) -> Row {
        let is_lost = |above: &Key<'a>| !self.by_id.contains_key(above);
        let is_orphan = self.transaction.parent(span).filter(is_lost).is_some() && !is_lost(&key(span));
        let begins = self.begins(span);
        let trigger = match span.source() {
            Some(source) => trigger(source),
            // What a service that tells no source was asked for.
            None if begins && span.name != span.function => span.name.clone(),
            None => String::new(),
        };
        let swallowed = (span.swallowed() > 0 && span.error().is_none()).then(|| match last_error(span) {
            Some(error) => format!("swallowed {error}"),
            None => "swallowed an error".to_owned(),
        });
        let notes = is_orphan.then(|| "its parent is missing".to_owned()).into_iter();
        let notes = notes.chain(self.transaction.notes.get(&span.span_id).cloned());
        // Of a run that was stopped the error says so.
        let is_open = span.is_open() && span.error().is_none();
        let notes = notes.chain(is_open.then(|| NOT_ENDED.to_owned()));
        let notes = notes.chain(kept_back(span).map(str::to_owned)).chain(cold).chain(swallowed);
        Row {
            branch,
            label,
            trigger,
            waited: span.attribute("throughline.queue_time_ms").and_then(|ms| ms.parse().ok()),
            start: span.start.saturating_sub(self.start) as f64 / 1e6,
            millis: span.millis(),
            note: joined(notes),
            error: span.error().map(str::to_owned),
            is_call: !begins,
        }
    }

    /// That a sandbox was new, and how long its init took where the platform told.
    fn cold(&self, runs: &[&'a Arc<Span>]) -> Option<String> {
        let is_cold = |span: &Span| span.attribute("faas.coldstart") == Some("true");
        let run = runs.iter().find(|run| is_cold(run))?;
        let init = self.children(run).iter().find(|child| child.name == "init" && is_cold(child));
        Some(init.map_or_else(
            || "cold start".to_owned(),
            |init| format!("cold start {}", super::duration(init.millis())),
        ))
    }
}

fn joined(notes: impl Iterator<Item = String>) -> Option<String> {
    Some(notes.collect::<Vec<_>>().join(", ")).filter(|notes| !notes.is_empty())
}

/// How often its message had come: as it says, else as often as it is here.
fn number(position: usize, span: &Span) -> u64 {
    let said = span.attribute("throughline.receive_count").and_then(|count| count.parse().ok());
    said.unwrap_or(position as u64 + 1)
}

/// The queue that a source is, if it is one.
fn queue(source: &str) -> Option<&str> {
    source.split(" < ").next()?.strip_prefix("sqs ")
}

/// The last error that a span tells of.
fn last_error(span: &Span) -> Option<String> {
    let event = span.events.iter().rfind(|event| event.name == "exception")?;
    let told = |name: &str| event.attributes.get(name).filter(|text| !text.is_empty()).cloned();
    let kind = told("exception.type").map(|kind| last_name(&kind).to_owned());
    Some([kind, told("exception.message")].into_iter().flatten().collect::<Vec<_>>().join(": "))
}

/// What became of a call or run that a dry run keeps back.
fn kept_back(span: &Span) -> Option<&'static str> {
    let is = |what| span.attribute(what) == Some("true");
    if is("throughline.dry_run.refused") {
        return Some("dry run: refused");
    }
    is("throughline.dry_run.stubbed").then_some("dry run: stubbed")
}

/// A source as people say it: a route speaks for itself.
pub fn trigger(source: &str) -> String {
    via(source.strip_prefix("http ").unwrap_or(source))
}

/// Whether `inner` is a run within the invocation `outer`.
fn covers(outer: &Span, inner: &Span) -> bool {
    outer.function == inner.function && (outer.start..=outer.end).contains(&inner.start)
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;

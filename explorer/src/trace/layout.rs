//! A transaction as rows of a tree: a row for each run of a function, and for the calls that led to
//! no other function.

use std::collections::HashMap;
use std::sync::Arc;

use super::hop::via;
use super::{Span, Transaction};

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
    pub note: Option<&'static str>,
    /// The error's message, if it failed.
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

/// Part of the tree.
enum Node<'a> {
    /// A function's run, as often as it was attempted.
    Step { attempts: Vec<&'a Arc<Span>>, cold: bool, children: Vec<Node<'a>> },
    /// A call that led to no other function.
    Call { span: &'a Arc<Span>, children: Vec<Node<'a>> },
}

struct Layout<'a> {
    children: HashMap<&'a str, Vec<&'a Arc<Span>>>,
    roots: Vec<&'a Arc<Span>>,
    start: u64,
}

impl<'a> Layout<'a> {
    fn new(transaction: &'a Transaction) -> Self {
        let by_id = transaction.by_id();
        let mut children: HashMap<&str, Vec<&Arc<Span>>> = HashMap::new();
        let mut roots = Vec::new();
        for span in &transaction.spans {
            match span.parent_id.as_deref().filter(|id| by_id.contains_key(id)) {
                Some(parent) => children.entry(parent).or_default().push(span),
                None => roots.push(span),
            }
        }
        // A batch that failed before its records were looked at has only its own span, which links here.
        for batch in transaction.linking.iter().filter(|batch| batch.error().is_some()) {
            for link in &batch.links {
                if by_id.contains_key(link.span_id.as_str()) {
                    let siblings = children.entry(link.span_id.as_str()).or_default();
                    if !siblings.iter().any(|sibling| covers(batch, sibling)) {
                        siblings.push(batch);
                    }
                }
            }
        }
        let start = transaction.spans.first().map_or(0, |span| span.start);
        Self { children, roots, start }
    }

    fn children(&self, span: &Span) -> &[&'a Arc<Span>] {
        self.children.get(span.span_id.as_str()).map_or(&[], Vec::as_slice)
    }

    /// Nodes for spans that lie beside each other.
    fn steps_and_calls(&self, spans: &[&'a Arc<Span>]) -> Vec<Node<'a>> {
        let mut nodes = Vec::new();
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for span in spans {
            let Some(source) = span.source() else {
                nodes.extend(self.call(span));
                continue;
            };
            let key = (span.function.as_str(), source);
            if !seen.contains(&key) {
                seen.push(key);
                let runs = spans.iter().filter(|s| (s.function.as_str(), s.source()) == (key.0, Some(key.1)));
                nodes.push(self.step(runs.copied().collect()));
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
        let below = runs.iter().flat_map(|run| self.children(run)).copied();
        let below: Vec<&Arc<Span>> =
            below.filter(|child| !runs.iter().any(|r| Arc::ptr_eq(r, child))).collect();
        let told_by_record =
            |run: &Span| !run.is_record() && runs.iter().any(|other| other.is_record() && covers(run, other));
        let mut attempts: Vec<_> = runs.iter().filter(|run| !told_by_record(run)).copied().collect();
        attempts.sort_by_key(|run| run.start);
        let cold = runs.iter().any(|run| run.attribute("faas.coldstart") == Some("true"));
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
        let branch = format!("{indent}{}", if is_last { "└─ " } else { "├─ " });
        let below = format!("{indent}{}", if is_last { "   " } else { "│  " });
        let children = match node {
            Node::Call { span, children } => {
                rows.push(self.row(branch, span.name.clone(), span, false));
                children
            }
            Node::Step { attempts, cold, children } => {
                for (position, span) in attempts.iter().enumerate() {
                    rows.push(match position {
                        0 => self.row(branch.clone(), span.function.clone(), span, *cold),
                        _ => {
                            let stem = if children.is_empty() { "   " } else { "│  " };
                            let label = format!("attempt {}", position + 1);
                            // Said above already.
                            Row {
                                trigger: String::new(),
                                ..self.row(format!("{below}{stem}"), label, span, false)
                            }
                        }
                    });
                }
                children
            }
        };
        for (position, child) in children.iter().enumerate() {
            self.write(child, &below, position + 1 == children.len(), rows);
        }
    }

    fn row(&self, branch: String, label: String, span: &Arc<Span>, cold: bool) -> Row {
        let is_orphan = span.parent_id.is_some() && self.roots.iter().any(|root| Arc::ptr_eq(root, span));
        let note = if is_orphan {
            Some("its parent is missing")
        } else if let Some(note) = kept_back(span) {
            Some(note)
        } else if cold {
            Some("cold start")
        } else {
            None
        };
        Row {
            branch,
            label,
            trigger: span.source().map(trigger).unwrap_or_default(),
            waited: span.attribute("throughline.queue_time_ms").and_then(|ms| ms.parse().ok()),
            start: span.start.saturating_sub(self.start) as f64 / 1e6,
            millis: span.millis(),
            note,
            error: span.error().map(str::to_owned),
            is_call: span.source().is_none(),
        }
    }
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

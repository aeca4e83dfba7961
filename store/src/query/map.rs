//! Who calls whom, beside how that was before.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::counted::{Figures, Hours, within};
use super::{Answer, Effort, Reader};
use crate::Error;
use crate::time::Window;
use crate::totals::{Edge, Flow, Histogram, Totals, cut};

/// Who calls whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Map {
    /// Functions and services, by name.
    pub nodes: Vec<MapNode>,
    /// Calls between them, by who calls and who is called.
    pub edges: Vec<MapEdge>,
}

/// A node of the map.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MapNode {
    /// A function, or `sqs email`, `http POST /orders`, `http api.example.com`.
    pub name: String,
    /// Whether it is a function whose runs are known.
    pub function: bool,
    /// Of a function its runs; of others the calls to them, or from where transactions come in, the runs that these begin.
    #[serde(flatten)]
    pub now: Figures,
    /// The same of as many hours before.
    pub before: Figures,
    /// How long half of the messages waited here at most, in microseconds; only where something waits.
    pub waited_p50: Option<u64>,
    /// How long 95 of a hundred waited at most.
    pub waited_p95: Option<u64>,
}

/// An edge of the map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapEdge {
    /// Who called or sent: a function, or `sqs email`, `http POST /orders`.
    pub from: String,
    /// Who was called or received.
    pub to: String,
    /// The calls in these hours. How long they took is from a queue to a function the time in the queue.
    #[serde(flatten)]
    pub now: Figures,
    /// The same of as many hours before.
    pub before: Figures,
    /// Whether no context could be carried here, and the two were joined by an id.
    pub joined: bool,
}

impl Map {
    /// Keeps what this one calls or is called by.
    pub fn narrow(&mut self, function: &str) {
        // As it was counted.
        let function = cut(function);
        self.edges.retain(|edge| edge.from == function || edge.to == function);
        let edges = &self.edges;
        let stays = |node: &MapNode| edges.iter().any(|edge| edge.from == node.name || edge.to == node.name);
        self.nodes.retain(|node| node.name == function || stays(node));
    }
}

impl Reader {
    /// Who calls whom, in the [whole hours](Window::whole_hours) of a window and in as many before.
    ///
    /// At most days × 16 + 50 requests, of both times together.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn map(&self, window: Window) -> Result<Answer<Map>, Error> {
        let mut effort = Effort::default();
        let window = window.whole_hours();
        let counted = self.totals_by_hour(window.with_before(), None, &mut effort).await?;
        let (now, before) = (Drawn::of(&counted, window), Drawn::of(&counted, window.before()));
        let names: BTreeSet<&str> = now.names().collect();
        let node = |name: &str| {
            let waited = now.waited(name);
            MapNode {
                name: name.to_owned(),
                function: now.functions.contains_key(name),
                now: now.figures(name),
                before: before.figures(name),
                waited_p50: waited.quantile(0.5),
                waited_p95: waited.quantile(0.95),
            }
        };
        let nodes = names.into_iter().map(node).collect();
        let edges = now.edges.iter().map(|((from, to), edge)| {
            let before = before.edges.get(&(from.clone(), to.clone())).map(figures).unwrap_or_default();
            let (from, to) = (from.clone(), to.clone());
            MapEdge { from, to, now: figures(edge), before, joined: edge.joined > 0 }
        });
        let edges = edges.collect();
        Ok(effort.answer(Map { nodes, edges }))
    }
}

/// What was counted in one time.
struct Drawn {
    functions: BTreeMap<String, Figures>,
    edges: BTreeMap<(String, String), Edge>,
}

impl Drawn {
    fn of(counted: &BTreeMap<String, Hours>, window: Window) -> Self {
        let mut sum = Totals::default();
        let mut functions = BTreeMap::new();
        for (function, hours) in counted {
            let totals = within(hours, window);
            let Flow { runs, failures, durations, .. } = totals.sum();
            if runs > 0 {
                functions.insert(cut(function), Figures::new(runs, failures, &durations));
            }
            sum.merge(&totals);
        }
        streams(&mut sum.edges);
        services(&mut sum.edges, &functions);
        Self { functions, edges: sum.edges }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let ends = self.edges.keys().flat_map(|(from, to)| [from.as_str(), to.as_str()]);
        ends.chain(self.functions.keys().map(String::as_str))
    }

    /// Of what is no function the calls to it, or where none is known from it.
    fn figures(&self, name: &str) -> Figures {
        if let Some(figures) = self.functions.get(name) {
            return figures.clone();
        }
        let mut sum = Edge::default();
        self.edges.iter().filter(|((_, to), _)| to == name).for_each(|(_, edge)| sum.merge(edge));
        if sum.calls == 0 {
            self.edges.iter().filter(|((from, _), _)| from == name).for_each(|(_, edge)| sum.merge(edge));
            // What receivers say of the time is how long it waited.
            sum.durations = Histogram::default();
        }
        figures(&sum)
    }

    /// How long messages waited: what their receivers say.
    fn waited(&self, name: &str) -> Histogram {
        let mut waited = Histogram::default();
        let received = self.edges.iter().filter(|((from, _), _)| from == name);
        if !self.functions.contains_key(name) {
            received.for_each(|(_, edge)| waited.merge(&edge.durations));
        }
        waited
    }
}

/// A table that somebody writes leads to its stream: both have its name, and records that are read were written.
fn streams(edges: &mut BTreeMap<(String, String), Edge>) {
    let written = |table: &str| edges.keys().any(|(_, to)| to == table);
    let read =
        |stream: &str| edges.iter().filter(|((from, _), _)| from == stream).map(|(_, edge)| edge.calls).max();
    let names: BTreeSet<&String> = edges.keys().map(|(from, _)| from).collect();
    let joins = names.into_iter().filter_map(|stream| {
        let table = format!("dynamodb {}", stream.strip_prefix("stream ")?);
        let calls = read(stream).filter(|_| written(&table))?;
        Some(((table, stream.clone()), Edge { calls, joined: calls, ..Edge::default() }))
    });
    let joins: Vec<_> = joins.collect();
    edges.extend(joins);
}

/// Who calls a host of the very name that a service has calls that service: so are they called within one network.
fn services(edges: &mut BTreeMap<(String, String), Edge>, functions: &BTreeMap<String, Figures>) {
    let service = |to: &str| {
        let host = to.strip_prefix("http ").or_else(|| to.strip_prefix("grpc "))?;
        functions.contains_key(host).then(|| host.to_owned())
    };
    let called: Vec<_> = edges.keys().filter_map(|key| Some((key.clone(), service(&key.1)?))).collect();
    for (key, service) in called {
        let Some(edge) = edges.remove(&key) else { continue };
        edges.entry((key.0, service)).or_default().merge(&edge);
    }
}

fn figures(edge: &Edge) -> Figures {
    Figures::new(edge.calls, edge.errors, &edge.durations)
}

//! `throughline map`: who calls whom.

mod layout;
mod line;
mod mermaid;
mod svg;

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};
use throughline_store::{Map, MapEdge, MapNode};

use super::beside::Counted;
use super::filters::{Narrow, Reads};
use super::table::{Column, Table, dim, plain};
use super::words::{harmless, took};
use super::{Asked, Common, Told, when};
use crate::trace::trigger;

/// How many services and hosts are named in one line.
const MAX_NAMED: usize = 3;

/// What `throughline map` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// How it is drawn
    #[arg(long, value_enum, default_value_t = Format::Text, conflicts_with = "json")]
    format: Format,

    #[command(flatten)]
    pub(super) narrow: Narrow,

    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables
    Text,
    /// A flowchart for Mermaid, as Markdown shows it
    Mermaid,
    /// A picture, for a browser or a document
    Svg,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let (filter, window) = self.narrow.asks("map", Reads::Calls, asked)?;
        let mut answer = asked.answered(asked.reader.map(window).await)?;
        let uncalled = uncalled(&answer.found, filter.function.as_deref());
        if let Some(function) = &filter.function {
            answer.found.narrow(function);
        }
        let map = &answer.found;
        if map.nodes.is_empty() {
            let lines = vec![format!("nobody called {}", when::within(window, asked.now))];
            let words = self.narrow.longer(Reads::Calls, asked.now);
            return asked.tell_within(&answer, false, lines, &["map"], &words);
        }
        let counted = Counted::new(window, asked.now);
        let mut lines = if self.format == Format::Text {
            lines(map, filter.function.is_some(), counted, asked)
        } else {
            Vec::new()
        };
        uncalled.iter().for_each(|told| asked.note(&mut lines, &harmless(told)));
        let words = self.narrow.words(Reads::Calls);
        let mut told = asked.tell_within(&answer, true, lines, &["map", "--format", "svg"], &words)?;
        match self.format {
            Format::Text => {}
            // Nothing but the chart: it is put into a document.
            Format::Mermaid => (told.text, told.next) = (mermaid::mermaid(&map.edges), None),
            Format::Svg => (told.text, told.next) = (svg::svg(map, counted), None),
        }
        told.json["counted"] = counted.json();
        Ok(told)
    }
}

/// Of services that nobody is known to call, all or this one, where a host is called that may be theirs: their spans and
/// those of who calls them came apart, and nobody has looked at them together.
fn uncalled(map: &Map, only: Option<&str>) -> Option<String> {
    let is_called = |node: &MapNode| map.edges.iter().any(|edge| edge.to == node.name);
    let services = map.nodes.iter().filter(|node| node.function && !is_called(node));
    let services = services.map(|node| node.name.as_str());
    let services: Vec<&str> = services.filter(|name| only.is_none_or(|only| only == *name)).collect();
    let hosts: BTreeSet<&str> =
        map.edges.iter().map(|edge| edge.to.as_str()).filter(|to| is_host(to)).collect();
    let few = |names: Vec<&str>| match names.get(..MAX_NAMED) {
        Some(first) if names.len() > MAX_NAMED => format!("{} and others", first.join(", ")),
        _ => names.join(", "),
    };
    (!services.is_empty() && !hosts.is_empty()).then(|| {
        format!(
            "who calls {} is not known: perhaps who calls {}. throughline store rebuild looks at whole traces and \
             draws it, of hours that have been over for an hour",
            few(services),
            few(hosts.into_iter().collect())
        )
    })
}

fn lines(map: &Map, of_one: bool, counted: Counted, asked: &Asked<'_>) -> Vec<String> {
    let waits = ["waits p50", "waits p95"].map(Column::Number);
    let columns = [Column::Text("node")].into_iter().chain(Counted::columns("calls")).chain(waits);
    let mut table = Table::new(columns).giving_way(&[10, 9, 3, 7, 2, 6, 1]);
    for node in &map.nodes {
        let waited = [node.waited_p50, node.waited_p95].map(|time| plain(took(time)));
        let figures = counted.cells(&node.now, &node.before);
        table.row([plain(named(&node.name))].into_iter().chain(figures).chain(waited));
    }
    // What one function does `functions` tells: here it is about whom it has to do with.
    let mut lines = if of_one && !map.edges.is_empty() { Vec::new() } else { table.lines(asked.style) };
    if !of_one && !map.edges.is_empty() {
        lines.push(String::new());
    }
    if !map.edges.is_empty() {
        lines.extend(edges(&map.edges, counted).lines(asked.style));
        asked.note(&mut lines, "from a queue to a function the times are those in the queue");
    }
    asked.note(&mut lines, &counted.told());
    lines
}

fn edges(edges: &[MapEdge], counted: Counted) -> Table {
    let ends = [Column::Text("from"), Column::Text("to")];
    let columns = ends.into_iter().chain(Counted::columns("calls")).chain([Column::Fixed("")]);
    let mut table = Table::new(columns).giving_way(&[10, 4, 8, 3, 7, 11, 2]);
    for edge in edges {
        let ends = [plain(named(&edge.from)), plain(named(&edge.to))];
        let joined = dim(if edge.joined { "joined by an id" } else { "" });
        table.row(ends.into_iter().chain(counted.cells(&edge.now, &edge.before)).chain([joined]));
    }
    table
}

/// A route speaks for itself; of a host that is called it is said how.
fn named(node: &str) -> String {
    if is_host(node) { node.to_owned() } else { trigger(node) }
}

fn is_host(node: &str) -> bool {
    let host = node.strip_prefix("http ").or_else(|| node.strip_prefix("grpc "));
    host.is_some_and(|host| !host.contains(' '))
}

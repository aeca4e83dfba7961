//! `throughline map`: who calls whom.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use throughline_store::MapEdge;

use super::beside::Counted;
use super::filters::{Narrow, Reads};
use super::table::{Column, Table, dim, plain, red};
use super::words::{change, count, harmless, micros, rate, share};
use super::{Asked, Common, Told, when};
use crate::trace::trigger;

/// What `throughline map` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// How it is drawn
    #[arg(long, value_enum, default_value_t = Format::Text, conflicts_with = "json")]
    format: Format,

    #[command(flatten)]
    narrow: Narrow,

    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table
    Text,
    /// A flowchart for Mermaid, as Markdown shows it
    Mermaid,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let (filter, window) = self.narrow.asks("map", Reads::Calls, asked)?;
        let mut answer = asked.answered(asked.reader.map(window).await)?;
        let concerns = |edge: &MapEdge| {
            filter.function.as_ref().is_none_or(|function| *function == edge.from || *function == edge.to)
        };
        answer.found.retain(concerns);
        let counted = Counted::new(window, asked.now);
        let edges = &answer.found;
        if edges.is_empty() {
            let lines = vec![format!("nobody called since {} UTC", when::full(window.from))];
            let words = self.narrow.longer(Reads::Calls, asked.now);
            return asked.tell_within(&answer, false, lines, &["map"], &words);
        }
        if self.format == Format::Mermaid {
            // Nothing but the chart: it is put into a document.
            let mut told = asked.tell(&answer, true, Vec::new(), &["functions"])?;
            told.text = mermaid(edges);
            return Ok(told);
        }
        let mut table = Table::new([
            Column::Text("from"),
            Column::Text("to"),
            Column::Number("calls"),
            Column::Number("a min"),
            Column::Number(""),
            Column::Number("failed"),
            Column::Number(""),
            Column::Number("was"),
            Column::Number("p50"),
            Column::Number("p95"),
            Column::Number("was"),
        ])
        .giving_way(&[10, 4, 8, 3, 7, 2]);
        for edge in edges {
            let took = |time: Option<u64>| time.map(micros).unwrap_or_default();
            let (before, a_minute) = (&edge.before, counted.a_minute(edge.calls));
            let of_before = |text: String| dim(if before.runs > 0 { text } else { String::new() });
            table.row([
                plain(named(&edge.from)),
                plain(named(&edge.to)),
                plain(count(edge.calls)),
                plain(rate(a_minute)),
                of_before(change(a_minute, counted.a_minute_before(before.runs))),
                if edge.errors > 0 { red(count(edge.errors)) } else { dim("0") },
                plain(share(edge.errors, edge.calls)),
                of_before(share(before.failures, before.runs)),
                plain(took(edge.p50)),
                plain(took(edge.p95)),
                of_before(took(before.p95)),
            ]);
        }
        let mut lines = table.lines(asked.style);
        asked.note(&mut lines, "from a queue to a function the times are those in the queue");
        asked.note(&mut lines, &counted.told());
        let words = self.narrow.words(Reads::Calls);
        let mut told = asked.tell_within(&answer, true, lines, &["map", "--format", "mermaid"], &words)?;
        told.json["counted"] = counted.json();
        Ok(told)
    }
}

/// A route speaks for itself; of a host that is called it is said how.
fn named(node: &str) -> String {
    let is_host = node.strip_prefix("http ").is_some_and(|host| !host.contains(' '));
    if is_host { node.to_owned() } else { trigger(node) }
}

/// A flowchart (<https://mermaid.js.org/syntax/flowchart.html>). What names say is text to it, and nothing else.
fn mermaid(edges: &[MapEdge]) -> String {
    let mut nodes: BTreeMap<&str, usize> = BTreeMap::new();
    for name in edges.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]) {
        let number = nodes.len();
        nodes.entry(name).or_insert(number);
    }
    let mut text = "flowchart LR\n".to_owned();
    for (name, number) in &nodes {
        // As in `sqs email`: a function has no blank in its name.
        let (open, close) = if name.contains(' ') { ("([", "])") } else { ("[", "]") };
        text += &format!("  n{number}{open}\"{}\"{close}\n", escaped(&named(name)));
    }
    for (place, edge) in edges.iter().enumerate() {
        let failed = if edge.errors > 0 { format!(", {} failed", count(edge.errors)) } else { String::new() };
        let (from, to) = (nodes[edge.from.as_str()], nodes[edge.to.as_str()]);
        text += &format!("  n{from} -->|\"{}{failed}\"| n{to}\n", count(edge.calls));
        if edge.errors > 0 {
            text += &format!("  linkStyle {place} stroke:#c62828\n");
        }
    }
    text
}

/// All but letters, digits and a few others as Mermaid's entities (`#35;`).
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in harmless(text).chars() {
        if c.is_alphanumeric() || " /-_.:→*".contains(c) {
            escaped.push(c);
        } else {
            escaped += &format!("#{};", u32::from(c));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use throughline_store::Figures;

    use super::*;

    #[test]
    fn names_are_text_in_a_chart() {
        let edge = |from: &str, to: &str, errors| MapEdge {
            from: from.into(),
            to: to.into(),
            calls: 1204,
            errors,
            p50: None,
            p95: None,
            joined: false,
            before: Figures::default(),
        };
        let chart =
            mermaid(&[edge("http POST /orders/{id}", "api", 0), edge("api", "\"];click n0 \"x\n", 3)]);
        assert_eq!(
            chart,
            "flowchart LR\n  n2([\"#34;#93;#59;click n0 #34;x#65533;\"])\n  n1[\"api\"]\n  \
             n0([\"POST /orders/#123;id#125;\"])\n  n0 -->|\"1,204\"| n1\n  \
             n1 -->|\"1,204, 3 failed\"| n2\n  linkStyle 1 stroke:#c62828\n"
        );
    }
}

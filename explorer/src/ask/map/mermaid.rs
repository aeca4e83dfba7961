//! The map as a flowchart for Mermaid (<https://mermaid.js.org/syntax/flowchart.html>). What names say is text to it, and
//! nothing else.

use std::collections::BTreeMap;

use throughline_store::MapEdge;

use super::super::words::{count, harmless};
use super::named;

/// The chart, and nothing but it: it is put into a document.
pub(super) fn mermaid(edges: &[MapEdge]) -> String {
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
        let failed = if edge.now.failures > 0 {
            format!(", {} failed", count(edge.now.failures))
        } else {
            String::new()
        };
        let (from, to) = (nodes[edge.from.as_str()], nodes[edge.to.as_str()]);
        let arrow = if edge.joined { "-.->" } else { "-->" };
        text += &format!("  n{from} {arrow}|\"{}{failed}\"| n{to}\n", count(edge.now.runs));
        if edge.now.failures > 0 {
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
        let edge = |from: &str, to: &str, failures| MapEdge {
            from: from.into(),
            to: to.into(),
            now: Figures { runs: 1204, failures, ..Figures::default() },
            joined: failures > 0,
            before: Figures::default(),
        };
        let chart =
            mermaid(&[edge("http POST /orders/{id}", "api", 0), edge("api", "\"];click n0 \"x\n", 3)]);
        assert_eq!(
            chart,
            "flowchart LR\n  n2([\"#34;#93;#59;click n0 #34;x#65533;\"])\n  n1[\"api\"]\n  \
             n0([\"POST /orders/#123;id#125;\"])\n  n0 -->|\"1,204\"| n1\n  \
             n1 -.->|\"1,204, 3 failed\"| n2\n  linkStyle 1 stroke:#c62828\n"
        );
    }
}

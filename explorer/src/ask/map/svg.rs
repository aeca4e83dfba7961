//! The map as one SVG, light and dark, for a browser or a document: nothing in it is loaded or run.
//!
//! A line is as wide as there are calls; the red in it is the share of them that failed; it is dotted where no context
//! could be carried and the two were joined by an id. What names say is text, and nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use throughline_store::{Figures, Map, MapEdge, MapNode};

use super::super::beside::Counted;
use super::super::words::{count, harmless, micros, rate, share};
use super::layout::{Point, place};
use super::line::{LANE, lines};
use super::named;

/// The busiest, which are drawn.
const MAX_EDGES: usize = 300;
/// Up to so many each is told its rate; beyond, only those that fail.
const MAX_TOLD: usize = 30;
/// The longest name, in characters.
const MAX_NAME: usize = 30;
/// How wide a character is, of names and of figures: some more than fonts have, so that nothing is cut.
const NAME_WIDTH: f64 = 7.4;
const FIGURE_WIDTH: f64 = 6.2;
const NODE_HEIGHT: f64 = 50.0;
const MARGIN: f64 = 36.0;
/// Between two layers, beside each other and one below the other: room for what is said of an edge.
const BESIDE: f64 = 124.0;
const BELOW: f64 = 72.0;
/// What is wider than this goes from the top down, for one scrolls down rather than to the right.
const MAX_WIDTH: f64 = 1600.0;
const HEADING: f64 = 40.0;
const LEGEND: f64 = 30.0;

const STYLE: &str = "\
svg{--paper:#fbfbfa;--card:#fff;--rim:#d5d7da;--ink:#1d2125;--soft:#6a7178;--line:#b9bec4;--accent:#2f6fb3;--red:#c8372d;\
font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}\
@media(prefers-color-scheme:dark){svg{--paper:#16181b;--card:#1f2327;--rim:#3a4046;--ink:#e8eaed;--soft:#98a0a8;\
--line:#555d66;--accent:#6ea8e5;--red:#f0685e}}\
.paper{fill:var(--paper)}.node{fill:var(--card);stroke:var(--rim);stroke-width:1.2}.function{stroke:var(--accent);stroke-width:1.6}\
.failing{stroke:var(--red)}.name{font-size:13px;font-weight:600;fill:var(--ink)}.figures,.said,.legend{font-size:11px;fill:var(--soft)}\
.title{font-size:15px;font-weight:600;fill:var(--ink)}.bad{fill:var(--red)}\
.line,.red{fill:none;stroke-linecap:butt}.line{stroke:var(--line)}.red{stroke:var(--red)}.joined{stroke-dasharray:2 5}\
.head{fill:var(--line)}.head.bad{fill:var(--red)}\
.said{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round;text-anchor:middle}";

/// The map as an SVG.
pub(super) fn svg(map: &Map, counted: Counted) -> String {
    let edges = busiest(&map.edges);
    let nodes: Vec<&MapNode> = map
        .nodes
        .iter()
        .filter(|node| edges.iter().any(|edge| edge.from == node.name || edge.to == node.name))
        .collect();
    let number: BTreeMap<&str, usize> =
        nodes.iter().enumerate().map(|(at, node)| (node.name.as_str(), at)).collect();
    let ends: Vec<(usize, usize)> = edges
        .iter()
        .filter_map(|edge| Some((*number.get(edge.from.as_str())?, *number.get(edge.to.as_str())?)))
        .collect();
    let cards: Vec<Card> = nodes.iter().map(|node| Card::new(node, counted)).collect();
    let mut sizes: Vec<(f64, f64)> = cards.iter().map(|card| (card.width, NODE_HEIGHT)).collect();
    let mut placed = place(&sizes, &ends, BESIDE);
    let down = placed.width > MAX_WIDTH;
    if down {
        // As if it went to the right, and then x is y.
        sizes.iter_mut().for_each(|(width, height)| std::mem::swap(width, height));
        placed = place(&sizes, &ends, BELOW);
    }
    let turned = |at: &Point| if down { Point { x: at.y, y: at.x } } else { *at };
    let lines = lines(&edges, &ends, &sizes, &placed);
    let nodes_at: Vec<Point> = placed.nodes.iter().map(turned).collect();

    let lanes = LANE * placed.back.iter().filter(|back| **back).count() as f64;
    let Point { x: width, y: height } = turned(&Point { x: placed.width, y: placed.height + lanes });
    let width = (width + 2.0 * MARGIN).max(520.0);
    let height = height + 2.0 * MARGIN + HEADING + LEGEND;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} \
         {height:.0}\" role=\"img\">\n<title>Who calls whom</title>\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"{:.0}\">Who calls whom</text>\n\
         <text class=\"legend\" x=\"{MARGIN}\" y=\"{:.0}\">{}</text>\n",
        MARGIN - 2.0,
        MARGIN + 16.0,
        escaped(&counted.told())
    );
    let _ = writeln!(svg, "<g transform=\"translate({MARGIN} {:.1})\">", MARGIN + HEADING);
    // x becomes y, and y becomes x.
    svg += if down { "<g transform=\"matrix(0 1 1 0 0 0)\">\n" } else { "<g>\n" };
    for (edge, line) in edges.iter().zip(&lines) {
        let (from, to) = (harmless(&named(&edge.from)), harmless(&named(&edge.to)));
        let a_minute = rate(counted.a_minute(edge.now.runs));
        line.draw(edge, &format!("{from} → {to}: {}, {a_minute}/min", full(&edge.now, None)), &mut svg);
    }
    svg += "</g>\n";
    for ((node, card), at) in nodes.iter().zip(&cards).zip(&nodes_at) {
        card.draw(node, *at, &mut svg);
    }
    let mut taken: Vec<Area> = cards.iter().zip(&nodes_at).map(|(card, at)| card.area(*at)).collect();
    for (edge, line) in edges.iter().zip(&lines) {
        if edge.now.failures > 0 || edges.len() <= MAX_TOLD {
            // Above the line, which would make it hard to read, or across one that goes down.
            let above = if down { -4.0 } else { line.width / 2.0 + 4.0 };
            let points = line.points.iter().map(turned).map(|point| Point { y: point.y - above, ..point });
            tell(edge, points, counted, &mut taken, &mut svg);
        }
    }
    svg += "</g>\n";
    let left_out = map.edges.len() - edges.len();
    let more = if left_out > 0 { format!("; {left_out} more are less busy") } else { String::new() };
    let _ = writeln!(
        svg,
        "<text class=\"legend\" x=\"{MARGIN}\" y=\"{:.0}\">wide: calls a minute; red and ✗: the share that failed; dotted: joined by an \
         id{more}</text>\n</svg>",
        height - MARGIN / 2.0 - 4.0
    );
    svg
}

/// The busiest, those that fail last, so that they are drawn above others.
fn busiest(edges: &[MapEdge]) -> Vec<&MapEdge> {
    let mut edges: Vec<&MapEdge> = edges.iter().collect();
    edges.sort_by(|a, b| b.now.runs.cmp(&a.now.runs).then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to))));
    edges.truncate(MAX_EDGES);
    edges.sort_by_key(|edge| edge.now.failures);
    edges
}

/// What is written of a node.
struct Card {
    name: String,
    figures: String,
    width: f64,
}

/// A rectangle that something stands on: left, top, right, bottom.
type Area = [f64; 4];

impl Card {
    fn new(node: &MapNode, counted: Counted) -> Self {
        let full = harmless(&named(&node.name));
        let mut name: String = full.chars().take(MAX_NAME).collect();
        if name.len() < full.len() {
            name.push('…');
        }
        let figures = told(&node.now, node.waited_p95, counted);
        let of_name = name.chars().count() as f64 * NAME_WIDTH;
        let width = of_name.max(figures.chars().count() as f64 * FIGURE_WIDTH) + 28.0;
        Self { name, figures, width }
    }

    fn area(&self, at: Point) -> Area {
        let (x, y) = (self.width / 2.0, NODE_HEIGHT / 2.0);
        [at.x - x, at.y - y, at.x + x, at.y + y]
    }

    fn draw(&self, node: &MapNode, at: Point, svg: &mut String) {
        let [left, top, ..] = self.area(at);
        let mut class = if node.function { "node function" } else { "node" }.to_owned();
        let failing = node.now.failures > 0;
        if failing && node.function {
            class += " failing";
        }
        let round = if node.function { 7.0 } else { NODE_HEIGHT / 2.0 };
        let bad = if failing { " bad" } else { "" };
        let _ = writeln!(
            svg,
            "<g><title>{}</title><rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{NODE_HEIGHT}\" \
             rx=\"{round}\"/><text class=\"name\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text><text \
             class=\"figures{bad}\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
            escaped(&format!("{}: {}", harmless(&named(&node.name)), full(&node.now, node.waited_p95))),
            self.width,
            at.x,
            at.y - 4.0,
            escaped(&self.name),
            at.x,
            at.y + 13.0,
            escaped(&self.figures),
        );
    }
}

/// `20.3/min · 9.8% failed · p95 120 ms`.
fn told(figures: &Figures, waited: Option<u64>, counted: Counted) -> String {
    let mut words = vec![format!("{}/min", rate(counted.a_minute(figures.runs)))];
    if figures.failures > 0 {
        words.push(format!("{} failed", share(figures.failures.min(figures.runs), figures.runs)));
    }
    match (waited, figures.p95) {
        (Some(waited), _) => words.push(format!("waits {}", micros(waited))),
        (None, Some(p95)) => words.push(format!("p95 {}", micros(p95))),
        (None, None) => {}
    }
    words.join(" · ")
}

/// All that is known, for who points at it.
fn full(figures: &Figures, waited: Option<u64>) -> String {
    let mut text = format!("{} calls, {} failed", count(figures.runs), count(figures.failures));
    if let Some((p50, p95)) = figures.p50.zip(figures.p95) {
        text += &format!(", p50 {}, p95 {}", micros(p50), micros(p95));
    }
    if let Some(waited) = waited {
        text += &format!(", waits {} (p95)", micros(waited));
    }
    text
}

/// Says of an edge how busy it is and how it fails, at the first of these points where there is room; nothing where there
/// is none.
fn tell(
    edge: &MapEdge,
    mut points: impl Iterator<Item = Point>,
    counted: Counted,
    taken: &mut Vec<Area>,
    svg: &mut String,
) {
    let mut text = format!("{}/min", rate(counted.a_minute(edge.now.runs)));
    if edge.now.failures > 0 {
        text += &format!(" · {} ✗", share(edge.now.failures.min(edge.now.runs), edge.now.runs));
    }
    let half = text.chars().count() as f64 * FIGURE_WIDTH / 2.0;
    let area = |point: &Point| [point.x - half, point.y - 10.0, point.x + half, point.y + 3.0];
    let is_free = |area: &Area| {
        !taken
            .iter()
            .any(|other| area[0] < other[2] && other[0] < area[2] && area[1] < other[3] && other[1] < area[3])
    };
    let Some(point) = points.find(|point| is_free(&area(point))) else { return };
    taken.push(area(&point));
    let bad = if edge.now.failures > 0 { " bad" } else { "" };
    let _ = writeln!(
        svg,
        "<text class=\"said{bad}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        point.x,
        point.y,
        escaped(&text)
    );
}

/// Text of XML (<https://www.w3.org/TR/xml/#syntax>); what XML can't hold was made harmless before.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            // No characters of XML, whatever terminals make of them.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
#[path = "svg_tests.rs"]
mod tests;

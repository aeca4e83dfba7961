//! The lines of the map: where they leave and reach nodes, their curves, widths and heads.

use std::fmt::Write as _;

use throughline_store::MapEdge;

use super::layout::{Placed, Point};
use super::svg::escaped;

/// The widest line, and the thinnest.
pub(super) const WIDEST: f64 = 9.0;
pub(super) const THINNEST: f64 = 1.4;
/// The least that is seen of red.
const RED: f64 = 1.3;
/// How long the head of an arrow is.
const HEAD: f64 = 7.0;
/// Between the lanes of lines that go back; how far they keep from a layer, and how round their corners are.
pub(super) const LANE: f64 = 22.0;
const APART: f64 = 20.0;
const ROUND: f64 = 12.0;

/// A line from one node to another.
pub(super) struct Line {
    path: String,
    /// Points on it, where something may be said, the best first.
    pub(super) points: Vec<Point>,
    pub(super) width: f64,
    end: Point,
}

/// A line for each edge, as wide as it is busy.
pub(super) fn lines(
    edges: &[&MapEdge],
    ends: &[(usize, usize)],
    sizes: &[(f64, f64)],
    placed: &Placed,
) -> Vec<Line> {
    let most = edges.iter().map(|edge| edge.now.runs).max().unwrap_or(1).max(1) as f64;
    let widths: Vec<f64> = edges
        .iter()
        .map(|edge| THINNEST + (WIDEST - THINNEST) * (edge.now.runs as f64 / most).sqrt())
        .collect();
    let mut ways = placed.edges.clone();
    // Lines leave and reach a node beside each other, in the order of where they come from and go to.
    for (node, (_, height)) in sizes.iter().enumerate() {
        for leaves in [true, false] {
            let of_node = |edge: &usize| {
                let (from, to) = ends[*edge];
                !placed.back[*edge] && (if leaves { from } else { to }) == node
            };
            let mut mine: Vec<usize> = (0..ends.len()).filter(of_node).collect();
            let other = |edge: &usize| {
                if leaves { placed.edges[*edge][1].y } else { second_last(&placed.edges[*edge]).y }
            };
            mine.sort_by(|a, b| other(a).total_cmp(&other(b)));
            let all: f64 = mine.iter().map(|edge| widths[*edge] + 3.0).sum();
            let fits = ((height - 14.0) / all).min(1.0);
            let mut y = -all * fits / 2.0;
            for edge in mine {
                let half = (widths[edge] + 3.0) * fits / 2.0;
                let end = if leaves { ways[edge].first_mut() } else { ways[edge].last_mut() };
                end.into_iter().for_each(|point| point.y += y + half);
                y += 2.0 * half;
            }
        }
    }
    // Of a layer the left and the right side.
    let sides = |node: usize| {
        let beside =
            placed.nodes.iter().zip(sizes).filter(|(at, _)| (at.x - placed.nodes[node].x).abs() < 0.1);
        let half = beside.map(|(_, (width, _))| width / 2.0).fold(0.0, f64::max);
        (placed.nodes[node].x - half, placed.nodes[node].x + half)
    };
    let mut lane = placed.height;
    let line = |(at, way): (usize, Vec<Point>)| {
        if !placed.back[at] {
            return on(&way, widths[at]);
        }
        let (from, to) = ends[at];
        let end = |node: usize, side: f64| Point {
            x: placed.nodes[node].x + side * sizes[node].0 / 2.0,
            y: placed.nodes[node].y + sizes[node].1 / 4.0,
        };
        lane += LANE;
        back((end(from, 1.0), sides(from).1), (end(to, -1.0), sides(to).0), lane, widths[at])
    };
    ways.into_iter().enumerate().map(line).collect()
}

fn second_last(points: &[Point]) -> Point {
    points.len().checked_sub(2).and_then(|at| points.get(at)).copied().unwrap_or_default()
}

/// From left to right: curves that leave and reach nodes level, and straight where nodes are passed.
fn on(way: &[Point], width: f64) -> Line {
    let Some((first, rest)) = way.split_first() else {
        return Line { path: String::new(), points: Vec::new(), width, end: Point::default() };
    };
    let mut path = format!("M{:.1} {:.1}", first.x, first.y);
    let (mut last, mut points) = (*first, Vec::new());
    let tip = rest.len().saturating_sub(1);
    for (at, point) in rest.iter().enumerate() {
        // The head of the arrow ends the line.
        let to = Point { x: if at == tip { point.x - HEAD } else { point.x }, ..*point };
        if at % 2 == 1 {
            let _ = write!(path, "L{:.1} {:.1}", to.x, to.y);
        } else {
            let middle = (last.x + to.x) / 2.0;
            let _ =
                write!(path, "C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}", last.y, to.y, to.x, to.y);
            points.extend([0.5, 0.36, 0.64, 0.25, 0.75].map(|t| between(last, to, t)));
        }
        last = *point;
    }
    Line { path, points, width, end: last }
}

/// A point of the curve.
fn between(from: Point, to: Point, t: f64) -> Point {
    let middle = (from.x + to.x) / 2.0;
    let [a, b, c, d] = [(1.0 - t).powi(3), 3.0 * t * (1.0 - t).powi(2), 3.0 * t * t * (1.0 - t), t.powi(3)];
    Point { x: a * from.x + (b + c) * middle + d * to.x, y: (a + b) * from.y + (c + d) * to.y }
}

/// Back to an earlier layer, or to itself: out of the layer on the right, along a lane below everything, and into the other
/// from the left.
fn back((from, right): (Point, f64), (to, left): (Point, f64), lane: f64, width: f64) -> Line {
    let (out, into, r) = (right + APART, left - APART, ROUND);
    let path = format!(
        "M{:.1} {:.1}H{:.1}Q{out:.1} {:.1} {out:.1} {:.1}V{:.1}Q{out:.1} {lane:.1} {:.1} {lane:.1}H{:.1}Q{into:.1} {lane:.1} \
         {into:.1} {:.1}V{:.1}Q{into:.1} {:.1} {:.1} {:.1}H{:.1}",
        from.x,
        from.y,
        out - r,
        from.y,
        from.y + r,
        lane - r,
        out - r,
        into + r,
        lane - r,
        to.y + r,
        to.y,
        into + r,
        to.y,
        to.x - HEAD
    );
    let points = [0.5, 0.3, 0.7].map(|t| Point { x: into + (out - into) * t, y: lane });
    Line { path, points: points.to_vec(), width, end: to }
}

impl Line {
    /// Draws it, and what is told to who points at it.
    pub(super) fn draw(&self, edge: &MapEdge, said: &str, svg: &mut String) {
        let joined = if edge.joined { " joined" } else { "" };
        let _ = write!(
            svg,
            "<g><title>{}</title><path class=\"line{joined}\" stroke-width=\"{:.1}\" d=\"{}\"/>",
            escaped(said),
            self.width,
            self.path
        );
        if edge.now.failures > 0 {
            let red = (self.width * edge.now.failures.min(edge.now.runs) as f64
                / edge.now.runs.max(1) as f64)
                .max(RED);
            let _ =
                write!(svg, "<path class=\"red{joined}\" stroke-width=\"{red:.1}\" d=\"{}\"/>", self.path);
        }
        let (x, y, half) = (self.end.x, self.end.y, 3.2 + self.width * 0.42);
        let bad = if edge.now.failures > 0 { " bad" } else { "" };
        let back = x - HEAD - 1.0;
        let head = format!("M{x:.1} {y:.1}L{back:.1} {:.1}L{back:.1} {:.1}Z", y - half, y + half);
        let _ = writeln!(svg, "<path class=\"head{bad}\" d=\"{head}\"/></g>");
    }
}

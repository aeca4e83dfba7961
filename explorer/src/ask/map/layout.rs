//! Where nodes and edges of a map stand: in layers from left to right, as callers call
//! (<https://en.wikipedia.org/wiki/Layered_graph_drawing>), with few crossings and straight ways.

use std::collections::VecDeque;

/// Between two nodes of a layer, and between lines that pass them.
const BETWEEN_NODES: f64 = 26.0;
const BETWEEN_LINES: f64 = 14.0;
/// How often layers are put in order, and moved towards their neighbours.
const SWEEPS: usize = 16;

/// A point, in pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// What was placed.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// The middles of the nodes.
    pub(super) nodes: Vec<Point>,
    /// Where each edge goes through: from the right side of one node to the left side of another. One that goes back, from
    /// a later layer to an earlier or to itself, has the two middles.
    pub(super) edges: Vec<Vec<Point>>,
    /// Which edges go back.
    pub(super) back: Vec<bool>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Nodes, and the points where long edges pass a layer.
#[derive(Debug)]
struct Unit {
    layer: usize,
    height: f64,
    left: Vec<usize>,
    right: Vec<usize>,
    y: f64,
}

/// Places nodes of these widths and heights, with so much room between two layers.
pub(super) fn place(sizes: &[(f64, f64)], edges: &[(usize, usize)], between: f64) -> Placed {
    let layer = layers(sizes.len(), edges);
    let unit = |(node, (_, height)): (usize, &(f64, f64))| Unit {
        layer: layer[node],
        height: *height,
        left: Vec::new(),
        right: Vec::new(),
        y: 0.0,
    };
    let mut units: Vec<Unit> = sizes.iter().enumerate().map(unit).collect();
    // Of each edge that goes on the units that it goes through.
    let mut ways: Vec<Vec<usize>> = Vec::new();
    for (from, to) in edges {
        let mut way = vec![*from];
        for between in layer[*from] + 1..layer[*to] {
            units.push(Unit { layer: between, height: 0.0, left: Vec::new(), right: Vec::new(), y: 0.0 });
            way.push(units.len() - 1);
        }
        way.push(*to);
        if layer[*from] < layer[*to] {
            for pair in way.windows(2) {
                units[pair[0]].right.push(pair[1]);
                units[pair[1]].left.push(pair[0]);
            }
        }
        ways.push(way);
    }
    let mut columns = vec![Vec::new(); layer.iter().max().map_or(0, |last| last + 1)];
    (0..units.len()).for_each(|unit| columns[units[unit].layer].push(unit));
    order(&mut columns, &mut units);
    settle(&columns, &mut units);
    finish(sizes, edges, &ways, &columns, &units, between)
}

/// The layer of each node: right of all who call it, as far as nobody calls in a circle.
fn layers(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let forward = forward(nodes, edges);
    let mut waiting = vec![0; nodes];
    forward.iter().for_each(|(_, to)| waiting[*to] += 1);
    let is_source: Vec<bool> = waiting.iter().map(|callers| *callers == 0).collect();
    let mut ready: VecDeque<usize> = (0..nodes).filter(|node| waiting[*node] == 0).collect();
    let mut layer = vec![0; nodes];
    while let Some(node) = ready.pop_front() {
        for (_, to) in forward.iter().filter(|(from, _)| *from == node) {
            layer[*to] = layer[*to].max(layer[node] + 1);
            waiting[*to] -= 1;
            if waiting[*to] == 0 {
                ready.push_back(*to);
            }
        }
    }
    // Whom nobody calls stands beside the first whom he calls.
    for node in (0..nodes).filter(|node| is_source[*node]) {
        let called = forward.iter().filter(|(from, _)| *from == node).map(|(_, to)| layer[*to]);
        layer[node] = called.min().map_or(0, |first| first - 1);
    }
    layer
}

/// The edges without those that close a circle.
fn forward(nodes: usize, edges: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut called = vec![false; nodes];
    edges.iter().filter(|(from, to)| from != to).for_each(|(_, to)| called[*to] = true);
    let mut starts: Vec<usize> = (0..nodes).collect();
    starts.sort_by_key(|node| called[*node]);
    // 0 unseen, 1 on the way, 2 done.
    let mut state = vec![0_u8; nodes];
    let mut forward = Vec::new();
    for start in starts {
        let mut stack = vec![(start, 0)];
        while let Some((node, next)) = stack.pop() {
            if next == 0 && state[node] != 0 {
                continue;
            }
            state[node] = 1;
            let Some((at, (_, to))) =
                edges.iter().enumerate().skip(next).find(|(_, (from, _))| *from == node)
            else {
                state[node] = 2;
                continue;
            };
            stack.push((node, at + 1));
            if state[*to] != 1 {
                forward.push((node, *to));
            }
            if state[*to] == 0 {
                stack.push((*to, 0));
            }
        }
    }
    forward
}

/// Puts each layer in the order of its neighbours, the order with the fewest crossings.
fn order(columns: &mut Vec<Vec<usize>>, units: &mut [Unit]) {
    let number = |columns: &[Vec<usize>], units: &mut [Unit]| {
        for column in columns {
            column.iter().enumerate().for_each(|(at, unit)| units[*unit].y = at as f64);
        }
    };
    number(columns, units);
    let mut best = (crossings(columns, units), columns.clone());
    for sweep in 0..SWEEPS {
        let count = columns.len();
        for step in 0..count {
            let (column, from_left) = if sweep % 2 == 0 { (step, true) } else { (count - 1 - step, false) };
            let column = &mut columns[column];
            let key = |unit: &usize| {
                let unit = &units[*unit];
                let beside = if from_left { &unit.left } else { &unit.right };
                mean(beside.iter().map(|other| units[*other].y)).unwrap_or(unit.y)
            };
            let mut keyed: Vec<(f64, usize)> = column.iter().map(|unit| (key(unit), *unit)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            *column = keyed.into_iter().map(|(_, unit)| unit).collect();
            column.iter().enumerate().for_each(|(at, unit)| units[*unit].y = at as f64);
        }
        let crossings = crossings(columns, units);
        if crossings < best.0 {
            best = (crossings, columns.clone());
        }
    }
    *columns = best.1;
    number(columns, units);
}

fn crossings(columns: &[Vec<usize>], units: &[Unit]) -> usize {
    let of_column = |column: &Vec<usize>| {
        let lines: Vec<(f64, f64)> = column
            .iter()
            .flat_map(|unit| units[*unit].right.iter().map(|to| (units[*unit].y, units[*to].y)))
            .collect();
        let crosses = |a: &(f64, f64), b: &(f64, f64)| (a.0 - b.0) * (a.1 - b.1) < 0.0;
        let pairs = lines.iter().enumerate().flat_map(|(at, a)| lines[at + 1..].iter().map(move |b| (a, b)));
        pairs.filter(|(a, b)| crosses(a, b)).count()
    };
    columns.iter().map(of_column).sum()
}

/// Moves all towards their neighbours, as far as they leave each other room.
fn settle(columns: &[Vec<usize>], units: &mut [Unit]) {
    columns.iter().for_each(|column| stack(column, &vec![0.0; column.len()], units));
    for sweep in 0..8 * SWEEPS {
        let count = columns.len();
        for step in 0..count {
            let column = &columns[if sweep % 2 == 0 { step } else { count - 1 - step }];
            let wanted: Vec<f64> = column
                .iter()
                .map(|unit| {
                    let beside = units[*unit].left.iter().chain(&units[*unit].right);
                    mean(beside.map(|other| units[*other].y)).unwrap_or(units[*unit].y)
                })
                .collect();
            stack(column, &wanted, units);
        }
    }
    // In the end each stands beside its callers, so that a chain is straight, and who has none beside whom he calls.
    let ordered = columns.iter().chain(columns.iter().rev());
    for (at, column) in ordered.enumerate() {
        let of_callers = at < columns.len();
        let wanted = column.iter().map(|unit| {
            let Unit { left, right, y, .. } = &units[*unit];
            let beside = if of_callers { Some(left) } else { Some(right).filter(|_| left.is_empty()) };
            beside.and_then(|beside| mean(beside.iter().map(|other| units[*other].y))).unwrap_or(*y)
        });
        let wanted: Vec<f64> = wanted.collect();
        stack(column, &wanted, units);
    }
}

/// Puts a column where it wants to be, one below the other, and together as near as can be.
fn stack(column: &[usize], wanted: &[f64], units: &mut [Unit]) {
    // Those that would overlap make a block, which stands where they want to be on the average.
    let mut blocks: Vec<(f64, Vec<(usize, f64)>)> = Vec::new();
    for (unit, wanted) in column.iter().zip(wanted) {
        let mut block = (*wanted, vec![(*unit, 0.0)]);
        while let Some((above, members)) = blocks.last() {
            let (last, offset) = members[members.len() - 1];
            let apart = offset + room(&units[last], &units[block.1[0].0]);
            if above + apart <= block.0 {
                break;
            }
            let (above, mut members) = blocks.pop().unwrap_or_default();
            let (ours, theirs) = (block.1.len() as f64, members.len() as f64);
            let together = (above * theirs + (block.0 - apart) * ours) / (ours + theirs);
            members.extend(block.1.iter().map(|(unit, offset)| (*unit, offset + apart)));
            block = (together, members);
        }
        blocks.push(block);
    }
    for (at, members) in blocks {
        members.into_iter().for_each(|(unit, offset)| units[unit].y = at + offset);
    }
}

/// From the middle of one to the middle of the next.
fn room(above: &Unit, below: &Unit) -> f64 {
    let nodes = above.height > 0.0 && below.height > 0.0;
    (above.height + below.height) / 2.0 + if nodes { BETWEEN_NODES } else { BETWEEN_LINES }
}

fn finish(
    sizes: &[(f64, f64)],
    edges: &[(usize, usize)],
    ways: &[Vec<usize>],
    columns: &[Vec<usize>],
    units: &[Unit],
    between: f64,
) -> Placed {
    let widest = |column: &Vec<usize>| {
        column.iter().filter_map(|unit| sizes.get(*unit)).map(|(width, _)| *width).fold(40.0, f64::max)
    };
    let mut x = 0.0;
    let columns: Vec<(f64, f64)> = columns
        .iter()
        .map(|column| {
            let width = widest(column);
            let middle = x + width / 2.0;
            x += width + between;
            (middle, width)
        })
        .collect();
    let top = units.iter().map(|unit| unit.y - unit.height / 2.0).fold(f64::MAX, f64::min);
    let bottom = units.iter().map(|unit| unit.y + unit.height / 2.0).fold(f64::MIN, f64::max);
    let point = |unit: usize| Point { x: columns[units[unit].layer].0, y: units[unit].y - top };
    let goes_on = |(from, to): &(usize, usize)| units[*from].layer < units[*to].layer;
    let way = |(edge, way): (&(usize, usize), &Vec<usize>)| {
        if !goes_on(edge) {
            return vec![point(edge.0), point(edge.1)];
        }
        let through = |unit: &usize| {
            let (middle, half) = (point(*unit), columns[units[*unit].layer].1 / 2.0);
            let half = sizes.get(*unit).map_or(half, |(width, _)| width / 2.0);
            [Point { x: middle.x - half, ..middle }, Point { x: middle.x + half, ..middle }]
        };
        let points: Vec<Point> = way.iter().flat_map(through).collect();
        points[1..points.len() - 1].to_vec()
    };
    Placed {
        nodes: (0..sizes.len()).map(point).collect(),
        edges: edges.iter().zip(ways).map(way).collect(),
        back: edges.iter().map(|edge| !goes_on(edge)).collect(),
        width: (x - between).max(0.0),
        height: (bottom - top).max(0.0),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0_u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;

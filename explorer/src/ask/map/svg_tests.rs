use proptest::prelude::*;
use throughline_store::time::{HOUR, Window};

use super::super::line::{THINNEST, WIDEST};
use super::*;

fn counted() -> Counted {
    Counted::new(Window { from: 500_000 * HOUR, to: 500_001 * HOUR - 1 }, 500_001 * HOUR)
}

fn map(edges: &[(&str, &str, u64, u64, bool)]) -> Map {
    let edge = |(from, to, calls, errors, joined): &(&str, &str, u64, u64, bool)| MapEdge {
        from: (*from).to_owned(),
        to: (*to).to_owned(),
        now: Figures { runs: *calls, failures: *errors, p50: Some(1000), p95: Some(2000) },
        joined: *joined,
        before: Figures::default(),
    };
    let edges: Vec<MapEdge> = edges.iter().map(edge).collect();
    let mut names: Vec<&str> = edges.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]).collect();
    names.sort_unstable();
    names.dedup();
    let node = |name: &&str| MapNode {
        name: (*name).to_owned(),
        function: !name.contains(' '),
        now: Figures { runs: 60, failures: 6, p50: Some(1000), p95: Some(2000) },
        ..MapNode::default()
    };
    Map { nodes: names.iter().map(node).collect(), edges }
}

/// How wide lines of this class are, in the order in which they are drawn.
fn widths(svg: &str, class: &str) -> Vec<f64> {
    let mark = format!("class=\"{class}\" stroke-width=\"");
    let lines = svg.split(&mark).skip(1);
    lines.map(|line| line.split('"').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn width_is_the_rate_and_red_the_share_that_failed() {
    let drawn = svg(
        &map(&[("http POST /orders", "api", 400, 0, false), ("api", "s3 files", 100, 50, true)]),
        counted(),
    );
    assert_eq!(widths(&drawn, "line"), [WIDEST]);
    let [joined] = widths(&drawn, "line joined")[..] else { panic!("{drawn}") };
    assert!(joined < WIDEST && joined > THINNEST, "{joined}");
    let [red] = widths(&drawn, "red joined")[..] else { panic!("{drawn}") };
    assert!((red - joined / 2.0).abs() < 0.11, "{red} of {joined}");
    for said in [
        "6.7/min",
        "1.7/min · 50.0% ✗",
        "POST /orders → api: 400 calls",
        ">1.0/min · 10.0% failed · p95 2 ms<",
    ] {
        assert!(drawn.contains(said), "{said} in {drawn}");
    }
    assert!(drawn.contains("prefers-color-scheme:dark") && !drawn.contains("<script"));
}

#[test]
fn names_are_text() {
    let name = "</text><script>alert(1)</script>\u{1b}\u{202e}&\"'";
    let drawn = svg(&map(&[(name, "f", 1, 1, false)]), counted());
    assert!(
        !drawn.contains("<script") && !drawn.contains('\u{1b}') && !drawn.contains('\u{202e}'),
        "{drawn}"
    );
    assert!(drawn.contains("&lt;/text&gt;&lt;script&gt;"), "{drawn}");
}

/// A long chain is read from the top down: no line of it is wider than a page.
#[test]
fn what_is_long_goes_down() {
    let names: Vec<String> = (0..40).map(|at| format!("function-{at}")).collect();
    let chain = |count: usize| {
        let edges = names[..count].windows(2).map(|two| (two[0].as_str(), two[1].as_str(), 7, 1, false));
        let drawn = svg(&map(&edges.collect::<Vec<_>>()), counted());
        let number = |name: &str| -> f64 {
            let after = drawn.split(&format!(" {name}=\"")).nth(1).unwrap();
            after.split('"').next().unwrap().parse().unwrap()
        };
        (number("width"), number("height"))
    };
    let (short, long) = (chain(4), chain(40));
    assert!(short.0 > 900.0 && short.1 < 300.0, "{short:?}");
    assert!(long.0 < 900.0 && long.1 > 4000.0, "{long:?}");
}

#[test]
fn of_many_the_busiest_are_drawn() {
    let names: Vec<String> = (0..=MAX_EDGES).map(|at| format!("f{at}")).collect();
    let edges: Vec<_> =
        names.iter().map(|name| ("api", name.as_str(), name.len() as u64, 0, false)).collect();
    let drawn = svg(&map(&edges), counted());
    assert!(drawn.contains("1 more are less busy"));
    assert_eq!(drawn.matches("class=\"line\"").count(), MAX_EDGES);
}

proptest! {
    /// Whatever is called and however often: each tag is closed, and each number is one.
    #[test]
    fn any_map_is_drawn(
        edges in prop::collection::vec(("[a-d<&]{0,2}", "[a-d \u{0}]{0,2}", any::<u64>(), any::<u64>(), any::<bool>()), 0..12)
    ) {
        let edges: Vec<_> =
            edges.iter().map(|(from, to, calls, errors, joined)| (from.as_str(), to.as_str(), *calls, *errors, *joined)).collect();
        let drawn = svg(&map(&edges), counted());
        prop_assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{}", drawn);
        prop_assert_eq!(drawn.matches("<g").count(), drawn.matches("</g>").count());
        prop_assert_eq!(drawn.matches("<text").count(), drawn.matches("</text>").count());
    }
}

use proptest::prelude::*;

use super::*;

#[test]
fn callers_stand_left_of_whom_they_call() {
    // 0 -> 1 -> 2 -> 3, 4 -> 2, 1 -> 3, and 3 calls 1 back.
    let edges = [(0, 1), (1, 2), (2, 3), (4, 2), (1, 3), (3, 1)];
    let placed = place(&[(100.0, 40.0); 5], &edges, 124.0);
    let x = |node: usize| placed.nodes[node].x;
    assert!(x(0) < x(1) && x(1) < x(2) && x(2) < x(3));
    assert!((x(4) - x(1)).abs() < 0.1, "beside the one whom it calls");
    assert_eq!(placed.back, [false, false, false, false, false, true]);
    assert_eq!(placed.edges[4].len(), 4, "it passes a layer");
    let end = placed.edges[0][1];
    assert!((end.x - (x(1) - 50.0)).abs() < 0.1 && (end.y - placed.nodes[1].y).abs() < 0.1);
}

#[test]
fn what_need_not_cross_does_not() {
    let placed = place(&[(10.0, 10.0); 6], &[(0, 5), (1, 4), (2, 3)], 124.0);
    let y = |node: usize| placed.nodes[node].y;
    for (from, to) in [(0, 5), (1, 4), (2, 3)] {
        assert!((y(from) - y(to)).abs() < 0.1, "a straight line");
    }
}

proptest! {
    /// Circles, loops and lonely nodes too: everything stands somewhere, and nothing on another.
    #[test]
    fn nodes_leave_each_other_room(
        count in 1..14_usize,
        edges in prop::collection::vec((0..14_usize, 0..14_usize), 0..30)
    ) {
        let edges: Vec<_> = edges.into_iter().map(|(from, to)| (from % count, to % count)).collect();
        let sizes: Vec<(f64, f64)> = (0..count).map(|at| (60.0 + at as f64, 30.0 + at as f64)).collect();
        let placed = place(&sizes, &edges, 124.0);
        prop_assert_eq!((placed.nodes.len(), placed.edges.len()), (count, edges.len()));
        for (at, (a, size)) in placed.nodes.iter().zip(&sizes).enumerate() {
            prop_assert!(a.x - size.0 / 2.0 >= -0.1 && a.x + size.0 / 2.0 <= placed.width + 0.1);
            prop_assert!(a.y - size.1 / 2.0 >= -0.1 && a.y + size.1 / 2.0 <= placed.height + 0.1);
            for (b, other) in placed.nodes.iter().zip(&sizes).skip(at + 1) {
                let apart_x = (a.x - b.x).abs() >= (size.0 + other.0) / 2.0 - 0.1;
                let apart_y = (a.y - b.y).abs() >= (size.1 + other.1) / 2.0 - 0.1;
                prop_assert!(apart_x || apart_y, "{:?} {:?}", a, b);
            }
        }
        for (points, is_back) in placed.edges.iter().zip(&placed.back) {
            prop_assert!(points.len() >= 2 && (*is_back || points.windows(2).all(|pair| pair[0].x <= pair[1].x)));
        }
    }
}

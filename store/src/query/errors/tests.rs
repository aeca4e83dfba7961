use super::*;
use crate::time::DAY;

#[test]
fn what_a_window_cuts_is_what_is_left_of_whole_hours() {
    let cut = |from: u64, to: u64| -> Vec<(u64, u64)> {
        let parts = cut_hours(Window { from: from * HOUR / 60, to: to * HOUR / 60 - 1 });
        parts.iter().map(|part| (part.from * 60 / HOUR, (part.to + 1) * 60 / HOUR)).collect()
    };
    // In minutes.
    assert_eq!(cut(600, 720), [], "two whole hours beside two");
    assert_eq!(cut(600, 615), [(585, 615)], "a quarter");
    assert_eq!(cut(630, 690), [(570, 690)], "from half past to half past");
    assert_eq!(cut(30 * 60 + 10, 54 * 60 + 10), [(370, 420), (1800, 1860), (3240, 3250)]);
    assert_eq!(cut(600, 630), [(570, 630)]);
    assert_eq!(cut(600, 690), [(510, 540), (660, 690)], "where they meet is the turn of an hour");
    assert_eq!(cut(0, 30), [(0, 30)], "nothing was before");
    assert_eq!(cut_hours(Window { from: DAY, to: HOUR }).iter().flat_map(Window::days).count(), 0);
}

#[test]
fn only_what_is_counted_as_it_is_asked_for_is_told_by_counts() {
    let text = || Some("x".to_owned());
    let any = Filter::default;
    assert!(is_counted(&any()));
    assert!(is_counted(&Filter {
        function: text(),
        build: text(),
        error: text(),
        failed: Some(true),
        ..any()
    }));
    for asked in [
        Filter { entry: text(), ..any() },
        Filter { user: text(), ..any() },
        Filter { test_user: Some(false), ..any() },
        Filter { http_status: Some(500), ..any() },
        Filter { failed: Some(false), ..any() },
    ] {
        assert!(!is_counted(&asked), "{asked:?}");
    }
}

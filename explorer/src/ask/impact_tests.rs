use throughline_store::Usage;

use super::*;

#[test]
fn of_several_builds_the_worse_comes_first() {
    let of = |build: &str, failures, runs| {
        let figures = Figures { failures, runs, ..Figures::default() };
        let now = Usage { figures, ..Usage::default() };
        BuildRow { build: build.into(), now, first: 0, last: 0 }
    };
    let [old, new, good] = [of("1.0", 1, 45), of("2.0", 3, 12), of("1.1", 0, 9)];
    assert_eq!(
        build(&[old.clone(), new.clone(), good.clone()], true),
        ", build 2.0 (3 of 12 runs), 1.0 (1 of 45 runs)"
    );
    assert_eq!(build(&[old, new.clone()], false), ", build 2.0, 1.0");
    assert_eq!(build(&[new.clone(), good], true), ", only build 2.0");
    assert_eq!(build(&[new], true), "");
    assert_eq!(build(&[], true), "");
}

#[test]
fn nobody_known_is_not_nobody() {
    for (hit, failures, test_failures, failures_of_unknown, told) in [
        (0, 2, 0, 2, "users not known: what failed has no user.id"),
        (0, 2, 2, 0, "no users hit; and 2 failures of test users"),
        (2, 2, 0, 0, "2 users hit"),
        (2, 3, 0, 1, "2 users hit; of 1 failure the user is not known"),
    ] {
        let impact = Impact { users: hit, failures, test_failures, failures_of_unknown, ..Impact::default() };
        assert_eq!(users(&impact), told);
    }
}

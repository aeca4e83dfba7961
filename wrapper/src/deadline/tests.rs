use std::sync::mpsc::{Sender, channel};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn the_margin_is_a_tenth_within_bounds() {
    for (left, until) in [
        (900_000, Some(897_000)),
        (30_000, Some(27_000)),
        (3_000, Some(2_700)),
        (500, Some(450)),
        (100, Some(50)),
        (50, Some(0)),
        (1, Some(0)),
        (0, None),
    ] {
        assert_eq!(until_margin(left * MS), until.map(|until: u32| until * MS), "{left}");
    }
}

#[test]
fn only_an_earlier_margin_wakes_the_thread() {
    let (mut schedule, start) = (Schedule::new(), Instant::now());
    assert_eq!(schedule.add(start + 10 * MS, "a"), (0, true));
    assert_eq!(schedule.add(start + 20 * MS, "b"), (1, false));
    assert_eq!(schedule.add(start + 5 * MS, "c"), (2, true));
    assert_eq!(schedule.remove(2), Some("c"));
    // It wakes for nothing once, and then for the next that is under way.
    assert_eq!((schedule.wakes, schedule.take_due(start + 5 * MS)), (Some(start + 5 * MS), vec![]));
    assert_eq!(schedule.wakes, Some(start + 10 * MS));
    assert_eq!(schedule.take_due(start + 30 * MS), ["a", "b"]);
    assert_eq!((schedule.remove(0), schedule.wakes), (None, None));
    assert_eq!(schedule.add(start + 99 * MS, "d"), (3, true), "it would sleep for good");
}

proptest! {
    /// Each that is not removed is due once, not before its time, and the thread wakes no later than that.
    #[test]
    fn nobody_is_forgotten(steps in vec((0_u32..100, 0_u32..1000, any::<bool>()), 0..40)) {
        let (mut schedule, mut now) = (Schedule::new(), Instant::now());
        let mut expected = Vec::new();
        for (passes, until, is_removed) in steps {
            let at = now + until * MS;
            let (number, _) = schedule.add(at, at);
            if is_removed {
                schedule.remove(number);
            } else {
                expected.push(at);
            }
            now += passes * MS;
            let earliest = expected.iter().min();
            prop_assert!(earliest.is_none_or(|at| schedule.wakes.is_some_and(|wakes| wakes <= *at)));
            if schedule.wakes.is_some_and(|wakes| wakes <= now) {
                let due: Vec<_> = schedule.take_due(now);
                let (was_due, later): (Vec<_>, Vec<_>) = expected.into_iter().partition(|at| *at <= now);
                prop_assert_eq!(due, was_due);
                expected = later;
            }
        }
    }
}

#[test]
fn the_thread_acts_when_it_is_time_goes_on_after_a_panic_and_ends_with_the_watch() {
    let act = |(told, panics): (Sender<()>, bool)| {
        assert!(!panics, "on purpose");
        told.send(()).unwrap();
    };
    let watch = Watch::new(act);
    let (tell, told) = channel();
    let now = Instant::now();
    let later = watch.at(now + Duration::from_secs(3600), (tell.clone(), false));
    let _panics = watch.at(now, (tell.clone(), true));
    let _due = watch.at(now, (tell.clone(), false));
    told.recv_timeout(Duration::from_secs(30)).unwrap();
    drop((watch, later, tell));
    // Nobody is left who could tell.
    assert!(
        told.recv_timeout(Duration::from_secs(30))
            .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Disconnected)
    );
}

//! Times are read as people write them, and told as they are read.

use proptest::prelude::*;

use super::*;

#[test]
fn durations_and_times() {
    assert_eq!("15m".parse(), Ok(When::Ago(900_000)));
    assert_eq!("1.5h".parse(), Ok(When::Ago(5_400_000)));
    assert_eq!("500ms".parse(), Ok(When::Ago(500)));
    assert_eq!("now".parse(), Ok(When::Ago(0)));
    let at = 1_795_139_220_000;
    for text in ["2026-11-20T01:47", "2026-11-20 01:47:00", "2026-11-20T01:47:00.000Z"] {
        assert_eq!(text.parse(), Ok(When::At(at)), "{text}");
    }
    assert_eq!("2026-11-20T01:47:03.1Z".parse(), Ok(When::At(at + 3_100)));
    assert_eq!("2026-11-20".parse(), Ok(When::At(at - 107 * 60_000)));
    for wrong in [
        "",
        "h",
        "15",
        "15y",
        "-1h",
        "1e3h",
        "2026-02-30",
        "2026-13-01",
        "2026-11-20T24:00",
        "24:00",
        "9",
        "2:60",
        "é",
        "2026-11-20T01:47:03.é",
        "2026-11-20T01:47:03.11é",
    ] {
        let error = wrong.parse::<When>().unwrap_err();
        assert!(error.starts_with("is neither a duration"), "{wrong} {error}");
    }
}

#[test]
fn what_is_too_long_is_refused_with_the_longest_that_is_taken() {
    assert_eq!("36500d".parse(), Ok(When::Ago(36_500 * DAY)));
    for wrong in ["36501d", "876001h", "99999999999999999999999w"] {
        let error = wrong.parse::<When>().unwrap_err();
        assert_eq!(error, "is too long: 36500d is the longest that is taken", "{wrong}");
        assert_eq!(length(wrong), Err(Unread::TooLong));
    }
}

#[test]
fn a_window_ends_after_it_begins() {
    assert_eq!(window(When::Ago(10), When::Ago(0), 100), Some(Window::new(90, 99)));
    assert_eq!(window(When::Ago(0), When::Ago(10), 100), None);
    assert_eq!(window(When::At(90), When::At(90), 100), Some(Window::new(90, 90)));
}

#[test]
fn a_time_of_day_is_the_last_of_its_kind() {
    // 01:47.
    let now = 1_795_139_220_000;
    let at = |text: &str| text.parse::<When>().unwrap().at(now);
    assert_eq!(at("01:30"), now - 17 * 60_000);
    assert_eq!(at("01:47:00.000"), now);
    assert_eq!(at("22:15"), now - 212 * 60_000, "yesterday");
    assert_eq!("22:15".parse::<When>().unwrap().to_string(), "22:15:00");
    let within = |since: &str, until: &str| window(since.parse().unwrap(), until.parse().unwrap(), now);
    assert_eq!(within("23:47", "00:47"), Some(Window::new(now - 2 * HOUR, now - HOUR - 1)));
    assert_eq!(within("01:00", "02:47"), None, "that was yesterday");
    assert_eq!(within("1h", "00:30"), None);
}

#[test]
fn an_hour_that_begins_at_its_end_is_no_more_of_it() {
    let hours = |until: &str| {
        let window = window("2026-11-20T13:00".parse().unwrap(), until.parse().unwrap(), 0).unwrap();
        (window.whole_hours().hours().count(), window.with_before().whole_hours().hours().count())
    };
    assert_eq!(hours("2026-11-20T14:00"), (1, 2));
    assert_eq!(hours("2026-11-20T14:01"), (2, 4));
}

#[test]
fn times_are_told_as_they_are_read() {
    let at = 1_795_139_223_112;
    assert_eq!(full(at), "2026-11-20 01:47:03");
    assert_eq!(brief(at, at + 1000), "01:47:03");
    assert_eq!(brief(at, at + DAY), "11-20 01:47");
    assert!(full(u64::MAX / 4).len() > 10);
}

proptest! {
    #[test]
    fn any_second_is_read_as_it_is_told(seconds in 0..6_000_000_000_u64) {
        prop_assert_eq!(full(seconds * 1000).parse(), Ok(When::At(seconds * 1000)));
    }

    #[test]
    fn what_is_said_is_read_again(number in 0..36_500_u64, unit in "ms|s|m|h|d") {
        let when: When = format!("{number}{unit}").parse().unwrap();
        prop_assert_eq!(when.to_string().parse(), Ok(when));
        prop_assert_eq!(length(&length_said(number)), Ok(number));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,30}|[0-9TZ:. -]{0,30}") {
        let _ = text.parse::<When>();
    }
}

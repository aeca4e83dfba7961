//! How long to wait before the next try.

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// The first pause within a flush.
pub(super) const FIRST: Duration = Duration::from_millis(25);
/// No pause is longer, even if the backend asks for it.
const LONGEST: Duration = Duration::from_secs(60);

/// The pause after `failures` earlier ones, the `first` doubled with each. `random` (0 to 1) takes up to half of it away,
/// so that sandboxes that failed together do not come back together. What the backend asked for
/// (`Retry-After`) is the least, up to the longest pause.
pub(super) fn pause(first: Duration, failures: u32, asked: Option<Duration>, random: f64) -> Duration {
    let full = first.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST);
    full.mul_f64(1.0 - 0.5 * random.clamp(0.0, 1.0)).max(asked.unwrap_or_default()).min(LONGEST)
}

/// Whether the status asks to try again, as OTLP/HTTP has it.
pub(super) fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// `Retry-After`: seconds, or a date; at most the longest pause.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(asked.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::{FIRST, LONGEST, is_transient, pause, retry_after};
    use http::{HeaderMap, HeaderValue, StatusCode};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn pauses_double_and_jitter_takes_away_at_most_half() {
        assert_eq!(pause(FIRST, 0, None, 0.0), FIRST);
        assert_eq!(pause(FIRST, 3, None, 0.0), FIRST * 8);
        assert_eq!(pause(FIRST, 3, None, 1.0), FIRST * 4);
        assert_eq!(pause(FIRST, u32::MAX, None, 0.0), LONGEST);
        let three: Duration = (0..3).map(|failures| pause(FIRST, failures, None, 0.0)).sum();
        assert!(three < Duration::from_millis(250), "three failures fit into the default budget");
    }

    #[test]
    fn what_the_backend_asks_for_is_the_least() {
        assert_eq!(pause(FIRST, 0, Some(Duration::from_secs(2)), 0.3), Duration::from_secs(2));
        assert_eq!(pause(FIRST, 2, Some(Duration::ZERO), 0.0), FIRST * 4);
        assert_eq!(pause(FIRST, 0, Some(Duration::MAX), 0.0), LONGEST, "but no more than the longest");
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let read = |value: &'static str| {
            let headers =
                HeaderMap::from_iter([(http::header::RETRY_AFTER, HeaderValue::from_static(value))]);
            retry_after(&headers, UNIX_EPOCH + Duration::from_secs(784_111_730))
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(47)));
        assert_eq!(read("Tue, 06 Nov 1984 08:49:37 GMT"), Some(Duration::ZERO), "in the past");
        assert_eq!(read("18446744073709551615"), Some(LONGEST), "beyond all time");
        assert_eq!(read("Fri, 31 Dec 9999 23:59:59 GMT"), Some(LONGEST));
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), UNIX_EPOCH), None);
    }

    #[test]
    fn only_what_otlp_names_is_tried_again() {
        let transient: Vec<u16> =
            (400..600).filter(|code| StatusCode::from_u16(*code).is_ok_and(is_transient)).collect();
        assert_eq!(transient, [429, 502, 503, 504]);
    }
}

//! When a log line was written: its `timestamp`, which JSON logs have in UTC (`2026-01-02T03:04:05.678Z`).

const NANOS: u64 = 1_000_000_000;

/// The line's own time in nanoseconds since 1970, if it tells one.
pub(crate) fn of_line(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("\"timestamp\":")?;
    let (text, _) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
    rfc3339_nanos(text)
}

/// A time in UTC as RFC 3339 has it (`2026-01-02T03:04:05.678Z`), in nanoseconds since 1970; `None` if it is none.
///
/// ```
/// assert_eq!(throughline_recorder::rfc3339_nanos("1970-01-01T00:00:01.5Z"), Some(1_500_000_000));
/// assert_eq!(throughline_recorder::rfc3339_nanos("yesterday"), None);
/// ```
pub fn rfc3339_nanos(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    // Which years nanoseconds since 1970 can tell; a leap second is the next second.
    let valid = (1970..2500).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !valid || fraction.is_empty() || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let nanos: u64 = format!("{fraction:0<9.9}").parse().ok()?;
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * NANOS + nanos)
}

fn numbers(text: &str, between: char) -> Option<[u64; 3]> {
    let mut parts = text.split(between).map(|part| {
        let is_number = (1..=4).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_digit());
        part.parse().ok().filter(|_| is_number)
    });
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

/// Days since 1970-01-01, in years that begin in March so that the leap day comes last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T00:00:00.5Z", Some(951_782_400_500_000_000)),
            ("2023-11-14T22:13:20.123456789Z", Some(1_700_000_000_123_456_789)),
            ("2099-12-31T23:59:59.000Z", Some(4_102_444_799_000_000_000)),
            ("2023-11-14T22:13:20.1234567899Z", Some(1_700_000_000_123_456_789)),
            ("2023-11-14T22:13:20+01:00", None),
            ("2023-13-14T22:13:20Z", None),
            ("9999-01-14T22:13:20Z", None),
            ("2023-11-14T22:13Z", None),
            ("2023-11-14T22:13:20.Z", None),
            ("2023-11-14T22:13:20.1éZ", None),
            ("+023-11-14T22:13:20Z", None),
            ("", None),
        ] {
            assert_eq!(rfc3339_nanos(text), expected, "{text}");
        }
    }

    #[test]
    fn a_line_tells_its_time_and_no_other_does() {
        let line = r#"{"timestamp":"1970-01-01T00:00:01.000Z","level":"DEBUG"}"#;
        assert_eq!(of_line(line), Some(NANOS));
        let quoted = r#"{"message":"\"timestamp\":\"1970-01-01T00:00:01.000Z\""}"#;
        assert_eq!(of_line(quoted), None);
        assert_eq!(of_line("a line of text"), None);
    }
}

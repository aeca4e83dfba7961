//! The extension's own log lines: one JSON object a line on stdout, and few of them.
//!
//! A logging crate would be larger than all that is logged here. Lambda sends stdout to CloudWatch.

use serde_json::{Map, Value};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Expected, and worth knowing.
    Info,
    /// Something was configured wrongly or went wrong; the extension goes on.
    Warn,
    /// The extension cannot do its work.
    Error,
}

/// Writes one line with `fields`, a JSON object made by `serde_json::json!`.
pub fn line(level: Level, message: &str, fields: Value) {
    write(&format(level, message, fields, SystemTime::now()));
}

/// Writes one line of text to stdout, whole. A closed stdout is nobody to tell.
pub fn write(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(line.as_bytes()).and_then(|()| stdout.write_all(b"\n"));
    let _ = stdout.flush();
}

fn format(level: Level, message: &str, fields: Value, now: SystemTime) -> String {
    let level = match level {
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    };
    let mut object = Map::from_iter([
        ("timestamp".to_owned(), Value::from(rfc3339(now))),
        ("level".to_owned(), Value::from(level)),
        ("logger".to_owned(), Value::from("throughline-extension")),
        ("message".to_owned(), Value::from(message)),
    ]);
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    Value::Object(object).to_string()
}

/// UTC with milliseconds, as Lambda writes its own timestamps.
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// Year, month and day of a day counted from 1970-01-01, in years that begin in March so that the
/// leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::{Level, format, rfc3339};
    use serde_json::{Value, json};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn times_are_written_as_utc() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000, "2023-11-14T22:13:20.000Z"),
            (4_102_444_799, "2099-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
        assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_millis(1_250)), "1970-01-01T00:00:01.250Z");
    }

    #[test]
    fn a_line_is_one_json_object() {
        let line = format(Level::Warn, "two\nlines", json!({"reason": "x"}), UNIX_EPOCH);
        assert!(!line.contains('\n'));
        let read: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read["level"], "WARN");
        assert_eq!(read["message"], "two\nlines");
        assert_eq!(read["reason"], "x");
    }
}

//! Times as people write and read them, in UTC: `15m` ago, `2026-11-20T01:47`.

use std::fmt;
use std::str::FromStr;

use throughline_store::time::Window;

pub(crate) const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
/// The longest duration that is read, in days: a hundred years.
const LONGEST: u64 = 36_500;

/// A time, perhaps said from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// So many milliseconds ago.
    Ago(u64),
    /// In milliseconds since 1970.
    At(u64),
    /// So many milliseconds after midnight, the last time that it was.
    Clock(u64),
}

impl When {
    /// In milliseconds since 1970.
    pub(crate) fn at(self, now: u64) -> u64 {
        match self {
            Self::Ago(millis) => now.saturating_sub(millis),
            Self::At(at) => at,
            Self::Clock(clock) => {
                let today = now / DAY * DAY + clock;
                if today > now { today.saturating_sub(DAY) } else { today }
            }
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::Ago(0));
        }
        let neither = "is neither a duration (15m, 2h, 7d) nor a time in UTC (01:47, 2026-11-20T01:47)";
        match length(text) {
            Ok(length) => Ok(Self::Ago(length)),
            Err(Unread::TooLong) => Err(Unread::TooLong.to_string()),
            Err(Unread::NoDuration) => {
                let of_day = || text.contains(':').then(|| of_day(text)).flatten().map(Self::Clock);
                time(text).map(Self::At).or_else(of_day).ok_or_else(|| neither.to_owned())
            }
        }
    }
}

/// As it is read again.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ago(0) => f.write_str("now"),
            Self::Ago(millis) => f.write_str(&length_said(*millis)),
            Self::At(at) => f.write_str(&said(*at)),
            Self::Clock(at) => f.write_str(&clock(*at)),
        }
    }
}

/// From when up to when: what begins at its end, such as an hour, is no more of it. `None` if it ends before it begins.
pub(crate) fn window(since: When, until: When, now: u64) -> Option<Window> {
    let (from, end) = (since.at(now), until.at(now));
    (from <= end).then(|| Window::new(from, end.saturating_sub(1).max(from)))
}

/// Why a text is not read as a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    NoDuration,
    TooLong,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDuration => f.write_str("is no duration (500ms, 2s, 1m)"),
            Self::TooLong => write!(f, "is too long: {LONGEST}d is the longest that is taken"),
        }
    }
}

/// A duration in milliseconds: `500ms`, `2.5s`, `15m`, `2h`, `7d`.
pub(crate) fn length(text: &str) -> Result<u64, Unread> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).ok_or(Unread::NoDuration)?;
    let (number, unit) = text.split_at(unit);
    let scale = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => return Err(Unread::NoDuration),
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(Unread::NoDuration);
    }
    let millis = number.parse::<f64>().map_err(|_| Unread::NoDuration)? * scale as f64;
    if millis > (LONGEST * DAY) as f64 { Err(Unread::TooLong) } else { Ok(millis as u64) }
}

/// The same as one says it.
pub(crate) fn length_said(millis: u64) -> String {
    let units = [(DAY, "d"), (HOUR, "h"), (60_000, "m"), (1000, "s")];
    let unit = units.into_iter().find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit));
    let (unit, name) = unit.unwrap_or((1, "ms"));
    format!("{}{name}", millis / unit)
}

/// `2026-11-20`, `2026-11-20T01:47`, `2026-11-20 01:47:03.112Z`.
fn time(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, clock) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let mut date = date.splitn(3, '-');
    let (year, month, day) = (number(date.next()?)?, number(date.next()?)?, number(date.next()?)?);
    if !(1970..=2200).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days(year, month, day);
    // The 31st of a month that has none is another day.
    if civil(days) != (year, month, day) {
        return None;
    }
    Some(days * DAY + of_day(clock)?)
}

/// `01:47`, `01:47:03.112`, in milliseconds after midnight.
fn of_day(clock: &str) -> Option<u64> {
    let mut clock = clock.splitn(3, ':');
    let (hour, minute) = (number(clock.next()?)?, number(clock.next()?)?);
    let (second, millis) = match clock.next() {
        None => (0, 0),
        Some(second) => match second.split_once('.') {
            None => (number(second)?, 0),
            Some((second, part)) => {
                (number(second)?, number(&format!("{part:0<3}").chars().take(3).collect::<String>())?)
            }
        },
    };
    (hour < 24 && minute < 60 && second < 60).then_some(((hour * 60 + minute) * 60 + second) * 1000 + millis)
}

fn number(text: &str) -> Option<u64> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Days since 1970 of a date of the Gregorian calendar
/// (<https://howardhinnant.github.io/date_algorithms.html#days_from_civil>), from 1970 on.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a day since 1970 (`civil_from_days` of the same).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// `2026-11-20 01:47:03`.
pub(crate) fn full(millis: u64) -> String {
    let (year, month, day) = civil(millis / DAY);
    format!("{year:04}-{month:02}-{day:02} {}", clock(millis))
}

/// As one word of a command: `2026-11-20T01:47:03`.
pub(crate) fn said(millis: u64) -> String {
    full(millis).replace(' ', "T")
}

/// A time that is asked of: `since 2026-11-20 01:47:03 UTC`; of one that ended before `now`, until when too.
pub(crate) fn within(window: Window, now: u64) -> String {
    let (from, end) = (full(window.from), window.to.saturating_add(1));
    if end < now { format!("from {from} to {} UTC", full(end)) } else { format!("since {from} UTC") }
}

/// `01:47:03` of today, `11-20 01:47` of another day.
pub(crate) fn brief(millis: u64, now: u64) -> String {
    if millis / DAY == now / DAY {
        return clock(millis);
    }
    let (_, month, day) = civil(millis / DAY);
    format!("{month:02}-{day:02} {}", &clock(millis)[..5])
}

/// `01:47:03`.
pub(crate) fn clock(millis: u64) -> String {
    let seconds = millis / 1000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
#[path = "when_tests.rs"]
mod tests;

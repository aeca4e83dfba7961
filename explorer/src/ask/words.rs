//! Words for people: times, counts, ids; and texts of others, which may hold anything.

/// What a terminal must not be sent: control characters (and with them all escapes), and what turns the direction of a
/// line or breaks it. Each becomes a `�`, so that one sees that something was there.
#[must_use]
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if harms(c) { '\u{fffd}' } else { c }).collect()
}

fn harms(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// JSON of one line that a terminal may be sent as well: the same characters are escaped in it, for programs read them
/// as they were. Outside of strings there are none.
pub(crate) fn harmless_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        // All of them lie below U+10000.
        if harms(c) { safe += &format!("\\u{:04x}", u32::from(c)) } else { safe.push(c) }
    }
    safe
}

/// `1,204`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A part of a whole: `9.8%`; empty where there is no whole.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    if percent == 0.0 || percent >= 99.95 { format!("{percent:.0}%") } else { format!("{percent:.1}%") }
}

/// How a number went beside what it was: `↑12%`, `↓8%`, `↑3.2×`, `new`; `=` where it is within a twentieth.
pub(crate) fn change(now: f64, before: f64) -> String {
    if before <= 0.0 {
        return if now > 0.0 { "new".to_owned() } else { String::new() };
    }
    match now / before {
        times if times >= 10.0 => format!("↑{times:.0}×"),
        times if times >= 2.0 => format!("↑{times:.1}×"),
        times if times >= 1.05 => format!("↑{:.0}%", (times - 1.0) * 100.0),
        times if times > 0.95 => "=".to_owned(),
        times => format!("↓{:.0}%", (1.0 - times) * 100.0),
    }
}

/// A rate in a minute: `20.3`, `1,204`.
pub(crate) fn rate(a_minute: f64) -> String {
    match a_minute {
        rate if rate >= 99.95 => count(rate.round() as u64),
        rate if rate >= 0.095 || rate == 0.0 => format!("{rate:.1}"),
        rate => format!("{rate:.2}"),
    }
}

/// Microseconds for people.
pub(crate) fn micros(micros: u64) -> String {
    crate::trace::duration(micros as f64 / 1000.0)
}

/// The same, or nothing where no time was told.
pub(crate) fn took(time: Option<u64>) -> String {
    time.map(micros).unwrap_or_default()
}

/// A word and its plural.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        for text in ["\x1b[31mred", "a\rb", "a\nb", "\u{9b}2J", "\u{202e}gpj.exe", "\u{7}", "\u{2028}"] {
            let made = harmless(text);
            assert!(made.contains('\u{fffd}') && !made.chars().any(char::is_control), "{made:?}");
        }
        let json = serde_json::json!({ "name": "\u{9b}2J\u{202e}\u{7f}\u{1b}" });
        let safe = harmless_json(&json.to_string());
        assert!(safe.is_ascii(), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), json);
        assert_eq!(harmless("Zoë ✗ 名前"), "Zoë ✗ 名前");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1204, 1_234_567].map(count), ["0", "999", "1,204", "1,234,567"]);
        let shares = [(118, 1204), (24, 24), (0, 9), (1, 100_000)];
        assert_eq!(shares.map(|(part, whole)| share(part, whole)), ["9.8%", "100%", "0%", "0.0%"]);
        assert_eq!(share(1, 0), "");
        let changes =
            [(0.0, 0.0), (3.0, 0.0), (10.0, 10.2), (112.0, 100.0), (9.2, 10.0), (32.0, 10.0), (0.0, 4.0)];
        assert_eq!(
            changes.map(|(now, before)| change(now, before)),
            ["", "new", "=", "↑12%", "↓8%", "↑3.2×", "↓100%"]
        );
        assert_eq!([0.0, 0.033, 2.04, 1204.4].map(rate), ["0.0", "0.03", "2.0", "1,204"]);
    }
}

//! Rows as lines of text: columns that fit the terminal, colours only where they are wanted.

use std::io::IsTerminal;

use super::Row;
use crate::ask::harmless;

const MIN_BAR: usize = 8;
const MAX_BAR: usize = 28;
/// Columns for which a bar makes room.
const MAX_SUFFIX: usize = 40;

/// How lines are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether colours are used.
    pub colour: bool,
}

impl Style {
    /// As wide as the terminal, coloured only on one and only if `NO_COLOR` is not set.
    pub fn of_terminal() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        // Shells that pipe to a pager may say how wide that is.
        let said = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|width| (20..=1000).contains(width));
        let width = if is_terminal { console::Term::stdout().size().1.into() } else { said().unwrap_or(120) };
        Self { width, colour: is_terminal && !no_color }
    }

    /// Red: only for failure.
    pub fn red(self, text: &str) -> String {
        self.sgr("31", text)
    }

    /// Amber: only for what is slow.
    pub fn amber(self, text: &str) -> String {
        self.sgr("33", text)
    }

    /// Green: all is well.
    pub fn green(self, text: &str) -> String {
        self.sgr("32", text)
    }

    /// Bold: what the eye should find first.
    pub fn bold(self, text: &str) -> String {
        self.sgr("1", text)
    }

    /// Dim: for those who look for it.
    pub fn dim(self, text: &str) -> String {
        self.sgr("2", text)
    }

    fn sgr(self, code: &str, text: &str) -> String {
        if self.colour && !text.trim().is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The rows as lines. What functions wrote is made harmless.
pub fn paint(rows: &[Row], style: Style) -> Vec<String> {
    let safe = |row: &Row| Row {
        label: harmless(&row.label),
        trigger: harmless(&row.trigger),
        note: row.note.as_deref().map(first_line),
        error: row.error.as_deref().map(first_line),
        ..row.clone()
    };
    let rows: &[Row] = &rows.iter().map(safe).collect::<Vec<_>>();
    let name_width = widest(rows, |row| row.branch.chars().count() + row.label.chars().count());
    let trigger_width = widest(rows, |row| row.trigger.chars().count());
    let waited: Vec<String> = rows.iter().map(|row| row.waited.map_or(String::new(), waited)).collect();
    let waited_width = waited.iter().map(|text| text.chars().count()).max().unwrap_or_default();
    let end = rows.iter().map(|row| row.start + row.millis).fold(0.0, f64::max);
    // Name, trigger, wait and duration, with two blanks after each.
    let fixed = name_width + trigger_width + waited_width + DURATION_WIDTH + 8;
    let said = widest(rows, |row| suffix(row).chars().count()).min(MAX_SUFFIX);
    let room = style.width.saturating_sub(fixed + 2 + said).min(MAX_BAR);
    let bar_width = if room >= MIN_BAR { room } else { 0 };

    let lines = rows.iter().zip(&waited).map(|(row, waited)| {
        let name = pad(&row.label, name_width - row.branch.chars().count());
        let name = match (row.is_call, row.error.is_some()) {
            (_, true) => style.red(&name),
            (true, _) => style.dim(&name),
            (false, _) => style.bold(&name),
        };
        let mut line = format!(
            "{}{name}  {}  {}  {}",
            style.dim(&row.branch),
            pad(&row.trigger, trigger_width),
            style.dim(&pad(waited, waited_width)),
            pad_left(&duration(row.millis), DURATION_WIDTH),
        );
        if bar_width > 0 {
            let bar = bar(row, end, bar_width);
            let bar = if row.error.is_some() { style.red(&bar) } else { style.dim(&bar) };
            line = format!("{line}  {bar}");
        }
        let left = style.width.saturating_sub(fixed + if bar_width > 0 { bar_width + 2 } else { 0 });
        let suffix = cut(suffix(row), left.max(MAX_SUFFIX / 2));
        if !suffix.is_empty() {
            let suffix = if row.error.is_some() { style.red(&suffix) } else { style.amber(&suffix) };
            line = format!("{line}  {suffix}");
        }
        line.trim_end().to_owned()
    });
    lines.collect()
}

const DURATION_WIDTH: usize = 7;

/// `8 ms`, `1.20 s`.
pub fn duration(millis: f64) -> String {
    match millis {
        m if m < 0.95 => format!("{m:.1} ms"),
        m if m < 999.5 => format!("{m:.0} ms"),
        m if m < 99_995.0 => format!("{:.2} s", m / 1000.0),
        m => format!("{:.0} s", m / 1000.0),
    }
}

/// What stands behind the bar.
fn suffix(row: &Row) -> String {
    let note = row.note.as_deref().unwrap_or_default();
    match row.error.as_deref() {
        None => note.to_owned(),
        Some("") => format!("✗ {note}").trim_end().to_owned(),
        Some(error) => format!("{note}  ✗ {error}").trim_start().to_owned(),
    }
}

fn first_line(text: &str) -> String {
    harmless(text.lines().next().unwrap_or_default())
}

fn cut(text: String, width: usize) -> String {
    if text.chars().count() <= width {
        return text;
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn waited(millis: f64) -> String {
    format!("waited {}", duration(millis))
}

/// Where in the transaction's time a row lies.
fn bar(row: &Row, end: f64, width: usize) -> String {
    let scale = if end > 0.0 { width as f64 / end } else { 0.0 };
    let from = ((row.start * scale) as usize).min(width - 1);
    let length = ((row.millis * scale).ceil() as usize).clamp(1, width - from);
    format!("{}{}{}", " ".repeat(from), "█".repeat(length), " ".repeat(width - from - length))
}

fn widest(rows: &[Row], width: impl Fn(&Row) -> usize) -> usize {
    rows.iter().map(width).max().unwrap_or_default()
}

fn pad(text: &str, width: usize) -> String {
    format!("{text:<width$}")
}

fn pad_left(text: &str, width: usize) -> String {
    format!("{text:>width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(branch: &str, label: &str, start: f64, millis: f64) -> Row {
        Row {
            branch: branch.into(),
            label: label.into(),
            trigger: "sqs email".into(),
            waited: None,
            start,
            millis,
            note: None,
            error: None,
            is_call: false,
        }
    }

    fn plain(width: usize, rows: &[Row]) -> Vec<String> {
        paint(rows, Style { width, colour: false })
    }

    #[test]
    fn columns_line_up_and_bars_show_when() {
        let mut late = row("   └─ ", "email-sender", 50.0, 50.0);
        late.waited = Some(1200.0);
        let lines = plain(77, &[row("└─ ", "checkout-api", 0.0, 50.0), late]);
        assert_eq!(
            lines,
            [
                "└─ checkout-api     sqs email                   50 ms  ██████████",
                "   └─ email-sender  sqs email  waited 1.20 s    50 ms            ██████████",
            ]
            .map(|line| line.replace("██████████", &"█".repeat(10)))
            .map(|line| line.trim_end().to_owned())
        );
    }

    #[test]
    fn a_narrow_terminal_has_no_bars() {
        let lines = plain(40, &[row("└─ ", "checkout-api", 0.0, 50.0)]);
        assert!(!lines[0].contains('█'), "{lines:?}");
        assert!(lines[0].ends_with("50 ms"));
    }

    #[test]
    fn colours_only_when_wanted() {
        let mut failed = row("└─ ", "email-sender", 0.0, 5.0);
        failed.error = Some("SmtpRejected: 550\nsecond line".into());
        let plain = plain(100, std::slice::from_ref(&failed));
        assert!(plain[0].ends_with("✗ SmtpRejected: 550"), "{plain:?}");
        assert!(!plain[0].contains('\x1b'));
        let coloured = paint(&[failed], Style { width: 100, colour: true });
        assert!(coloured[0].contains("\x1b[31m"));
    }

    #[test]
    fn what_functions_wrote_is_harmless() {
        let mut hostile = row("└─ ", "a\x1b[2J", 0.0, 5.0);
        hostile.trigger = "sqs \u{202e}q".into();
        hostile.error = Some("\x1b]0;title\x07".into());
        let lines = plain(100, &[hostile]);
        assert!(!lines[0].chars().any(|c| c.is_control() || c == '\u{202e}'), "{lines:?}");
    }

    #[test]
    fn durations_read_well() {
        let read = [0.42, 8.4, 130.0, 1200.0, 120_000.0].map(duration);
        assert_eq!(read, ["0.4 ms", "8 ms", "130 ms", "1.20 s", "120 s"]);
    }

    #[test]
    fn every_row_fits_its_bar() {
        for (start, millis) in [(0.0, 0.0), (99.9, 0.1), (100.0, 0.0), (0.0, 100.0)] {
            assert_eq!(bar(&row("", "f", start, millis), 100.0, 10).chars().count(), 10);
        }
    }
}

//! Rows as lines of text: columns that fit the terminal, colours only where they are wanted.

use std::io::IsTerminal;

use super::Row;
use crate::ask::harmless;
use crate::columns::{BETWEEN, Look, Piece, cut, flowed, padded, padded_left, width};

const MIN_BAR: usize = 8;
const MAX_BAR: usize = 28;
const GOOD_BAR: usize = 12;
/// Columns of what is said of a row: for so many a bar makes room, for fewer where it is no good bar else; and with still
/// fewer it stands below.
const MAX_SUFFIX: usize = 44;
const SHORT_SUFFIX: usize = 32;
const MIN_SUFFIX: usize = 20;
/// The most of it: the details tell all.
const MAX_SAID: usize = 240;
/// What a name is not cut below, where branches can be instead.
const MIN_LABEL: usize = 12;
const MIN_DURATION: usize = 7;
/// The columns of a level of the tree.
const LEVEL: usize = 3;
/// Terminals are not narrower.
const NARROWEST: usize = 20;

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
        Self { width: width.max(NARROWEST), colour: is_terminal && !no_color }
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

    /// As it is.
    pub fn plain(self, text: &str) -> String {
        text.to_owned()
    }

    fn sgr(self, code: &str, text: &str) -> String {
        if self.colour && !text.trim().is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The rows as lines, none wider than the terminal. What functions wrote is made harmless.
pub fn paint(rows: &[Row], style: Style) -> Vec<String> {
    let safe = |row: &Row| Row {
        label: harmless(&row.label),
        trigger: harmless(&row.trigger),
        note: row.note.as_deref().map(first_line),
        error: row.error.as_deref().map(first_line),
        ..row.clone()
    };
    let mut rows: Vec<Row> = rows.iter().map(safe).collect();
    let table = Table::of(&mut rows, style);
    rows.iter().flat_map(|row| table.lines(row)).collect()
}

/// How wide the columns are. In a narrow terminal name, duration and bar are alone in their line, and what else is told
/// of a row stands below.
struct Table {
    style: Style,
    name: usize,
    /// Of the trigger and of the wait, where they stand beside the name.
    beside: Option<[usize; 2]>,
    duration: usize,
    bar: usize,
    /// When the last row ends, in milliseconds.
    end: f64,
}

impl Table {
    /// Finds out. Where there is no room for them, branches are made shorter.
    fn of(rows: &mut [Row], style: Style) -> Self {
        let name = |rows: &[Row]| widest(rows, |row| width(&row.branch) + width(&row.label));
        let trigger = widest(rows, |row| width(&row.trigger));
        let waited = widest(rows, |row| width(&waited(row)));
        let said = widest(rows, |row| width(&suffix(row)));
        let duration = widest(rows, |row| width(&duration(row.millis))).max(MIN_DURATION);
        let end = rows.iter().map(|row| row.start + row.millis).fold(0.0, f64::max);
        let mut table =
            Self { style, name: name(rows), beside: Some([trigger, waited]), duration, bar: 0, end };

        let of_suffix = |most: usize| if said > 0 { BETWEEN.len() + said.min(most) } else { 0 };
        if table.taken() + of_suffix(MIN_SUFFIX) <= style.width {
            let bar = |suffix: usize| bar_in(style.width.saturating_sub(table.taken() + of_suffix(suffix)));
            let long = Some(bar(MAX_SUFFIX)).filter(|bar| *bar >= GOOD_BAR);
            table.bar = long.unwrap_or_else(|| bar(SHORT_SUFFIX));
            return table;
        }
        table.beside = None;
        if table.taken() + BETWEEN.len() + MIN_BAR > style.width {
            let room = style.width.saturating_sub(BETWEEN.len() + duration);
            rows.iter_mut().for_each(|row| row.branch = shorter(&row.branch, room.saturating_sub(MIN_LABEL)));
            table.name = name(rows).min(room);
        }
        table.bar = bar_in(style.width.saturating_sub(table.taken()));
        table
    }

    /// The columns before the bar.
    fn taken(&self) -> usize {
        let columns = [self.name, self.duration].into_iter().chain(self.beside.into_iter().flatten());
        let used: Vec<usize> = columns.filter(|width| *width > 0).collect();
        used.iter().sum::<usize>() + BETWEEN.len() * used.len().saturating_sub(1)
    }

    fn lines(&self, row: &Row) -> Vec<String> {
        let style = self.style;
        let failed = row.error.is_some();
        let room = self.name.saturating_sub(width(&row.branch));
        let name = padded(&cut(&row.label, room), room);
        let name = match (row.is_call, failed) {
            (_, true) => style.red(&name),
            (true, _) => style.dim(&name),
            (false, _) => style.bold(&name),
        };
        let mut line = format!("{}{name}", style.dim(&row.branch));
        let [trigger, waits] = self.beside.unwrap_or_default();
        if trigger > 0 {
            line = format!("{line}{BETWEEN}{}", padded(&row.trigger, trigger));
        }
        if waits > 0 {
            line = format!("{line}{BETWEEN}{}", style.dim(&padded(&waited(row), waits)));
        }
        line = format!("{line}{BETWEEN}{}", padded_left(&duration(row.millis), self.duration));
        if self.bar > 0 {
            let bar = bar(row, self.end, self.bar);
            let bar = if failed { style.red(&bar) } else { style.dim(&bar) };
            line = format!("{line}{BETWEEN}{bar}");
        }
        let look: Look = if failed { Style::red } else { Style::amber };
        if self.beside.is_none() {
            let mut lines = vec![line.trim_end().to_owned()];
            lines.extend(self.below(row, look));
            return lines;
        }
        let bar = if self.bar > 0 { BETWEEN.len() + self.bar } else { 0 };
        let left = style.width.saturating_sub(self.taken() + bar + BETWEEN.len());
        let suffix = cut(&suffix(row), left);
        if !suffix.is_empty() {
            line = format!("{line}{BETWEEN}{}", look(style, &suffix));
        }
        vec![line.trim_end().to_owned()]
    }

    /// What stands below a row.
    fn below(&self, row: &Row, look: Look) -> Vec<String> {
        let style = self.style;
        let below = |c| if matches!(c, '├' | '│') { '│' } else { ' ' };
        let indent: String = row.branch.chars().map(below).take(style.width / 2).collect();
        let said: [Piece; 3] = [
            (row.trigger.clone(), Style::plain),
            (waited(row), Style::dim),
            (cut(&suffix(row), MAX_SAID), look),
        ];
        let narrower = Style { width: style.width - width(&indent), ..style };
        let lines = flowed(&said, "", narrower).into_iter();
        lines.map(|line| format!("{}{line}", style.dim(&indent))).collect()
    }
}

/// How wide a bar is where there is so much room.
fn bar_in(room: usize) -> usize {
    let bar = room.saturating_sub(BETWEEN.len()).min(MAX_BAR);
    if bar >= MIN_BAR { bar } else { 0 }
}

/// Branches with a column for each level; of more levels than there is room for the last.
fn shorter(branch: &str, room: usize) -> String {
    let levels: Vec<char> = branch.chars().step_by(LEVEL).collect();
    let most = room.saturating_sub(2);
    let kept = levels.get(levels.len().saturating_sub(most)..).unwrap_or_default().iter();
    let more = if levels.len() > most { "…" } else { "" };
    format!("{more}{} ", kept.collect::<String>())
}

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
    harmless(&text.lines().next().unwrap_or_default().chars().take(MAX_SAID + 1).collect::<String>())
}

fn waited(row: &Row) -> String {
    row.waited.map_or(String::new(), |millis| format!("waited {}", duration(millis)))
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

#[cfg(test)]
#[path = "paint_tests.rs"]
mod tests;

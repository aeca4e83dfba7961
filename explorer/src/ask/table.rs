//! Tables that fit the terminal.

use console::measure_text_width;

use super::words::{cut, harmless};
use crate::trace::Style;

/// What no column is made narrower than.
const NARROWEST: usize = 6;
const BETWEEN: &str = "  ";

/// How a cell looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Look {
    #[default]
    Plain,
    Red,
    Dim,
}

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// Texts, which may be cut.
    Text(&'static str),
    /// What is copied, and never cut.
    Whole(&'static str),
    /// Numbers, to the right.
    Number(&'static str),
}

/// Rows of cells.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<(String, Look)>>,
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Self::Text(name) | Self::Whole(name) | Self::Number(name) => name,
        }
    }
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row; what others wrote is made harmless here.
    pub(crate) fn row<const N: usize>(&mut self, cells: [(String, Look); N]) {
        self.rows.push(cells.into_iter().map(|(text, look)| (harmless(&text), look)).collect());
    }

    /// Its lines, with a heading. Columns in which nothing stands are left out.
    pub(crate) fn lines(&self, style: Style) -> Vec<String> {
        let used =
            |at: &usize| self.rows.iter().any(|row| row.get(*at).is_some_and(|(text, _)| !text.is_empty()));
        let columns: Vec<usize> = (0..self.columns.len()).filter(used).collect();
        let widths = self.widths(&columns, style.width);
        let heading = columns.iter().map(|at| (self.columns[*at].name().to_owned(), Look::Dim)).collect();
        let of_row =
            |row: &Vec<(String, Look)>| columns.iter().filter_map(|at| row.get(*at).cloned()).collect();
        let is_named = columns.iter().any(|at| !self.columns[*at].name().is_empty());
        let rows = is_named.then_some(heading).into_iter().chain(self.rows.iter().map(of_row));
        let line = |cells: Vec<(String, Look)>| {
            let cells = cells.into_iter().zip(columns.iter().zip(&widths));
            let set = cells.map(|((text, look), (at, width))| {
                let text = cut(&text, *width);
                let blanks = " ".repeat(width.saturating_sub(measure_text_width(&text)));
                let text = match look {
                    Look::Plain => text,
                    Look::Red => style.red(&text),
                    Look::Dim => style.dim(&text),
                };
                if matches!(self.columns[*at], Column::Number(_)) {
                    format!("{blanks}{text}")
                } else {
                    format!("{text}{blanks}")
                }
            });
            set.collect::<Vec<_>>().join(BETWEEN).trim_end().to_owned()
        };
        rows.map(line).collect()
    }

    /// How wide each is: texts share what is too much, the widest first.
    fn widths(&self, columns: &[usize], room: usize) -> Vec<usize> {
        let widest = |at: &usize| {
            let cells = self.rows.iter().filter_map(|row| Some(measure_text_width(&row.get(*at)?.0)));
            cells.max().unwrap_or_default().max(self.columns[*at].name().chars().count())
        };
        let mut widths: Vec<usize> = columns.iter().map(widest).collect();
        let blanks = BETWEEN.len() * columns.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + blanks > room {
            let texts = columns
                .iter()
                .zip(&mut widths)
                .filter(|(at, _)| matches!(self.columns[**at], Column::Text(_)));
            match texts.map(|(_, width)| width).filter(|width| **width > NARROWEST).max() {
                Some(width) => *width -= 1,
                None => break,
            }
        }
        widths
    }
}

/// A cell.
pub(crate) fn plain(text: impl Into<String>) -> (String, Look) {
    (text.into(), Look::Plain)
}

/// A cell that says of a failure.
pub(crate) fn red(text: impl Into<String>) -> (String, Look) {
    (text.into(), Look::Red)
}

/// A cell for those who look for it.
pub(crate) fn dim(text: impl Into<String>) -> (String, Look) {
    (text.into(), Look::Dim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(texts: &[(&str, &str)]) -> Table {
        let mut table = Table::new([
            Column::Text("name"),
            Column::Number("n"),
            Column::Text("empty"),
            Column::Whole("id"),
        ]);
        texts.iter().for_each(|(name, id)| table.row([plain(*name), plain("7"), plain(""), plain(*id)]));
        table
    }

    #[test]
    fn columns_line_up_and_texts_give_way() {
        let table = table(&[("a-very-long-name-of-a-function", "0123456789"), ("b", "0123456789")]);
        let style = |width| Style { width, colour: false };
        assert_eq!(table.lines(style(80))[1], "a-very-long-name-of-a-function  7  0123456789");
        assert_eq!(
            table.lines(style(30)),
            ["name             n  id", "a-very-long-na…  7  0123456789", "b                7  0123456789"]
        );
        assert!(table.lines(style(5))[1].ends_with("0123456789"), "ids stay whole");
    }

    #[test]
    fn what_others_wrote_is_harmless() {
        let lines = table(&[("\x1b[2Jname", "i\nd")]).lines(Style { width: 80, colour: false });
        assert_eq!(lines.len(), 2);
        assert!(!lines[1].chars().any(char::is_control), "{lines:?}");
    }
}

//! Tables that fit the terminal.

use super::words::harmless;
use crate::columns::{BETWEEN, cut, folded, padded, padded_left, width};
use crate::trace::Style;

/// What no column is made narrower than.
const NARROWEST: usize = 6;
/// Columns that may be left out are, before any text is made narrower than this …
const COMFORTABLE: usize = 12;
/// … and any name than this.
const COMFORTABLE_NAME: usize = 32;

/// A text, and how it looks.
pub(crate) type Cell = (String, Look);

/// How a cell looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Look {
    #[default]
    Plain,
    Red,
    Amber,
    Dim,
}

impl Look {
    fn on(self, text: &str, style: Style) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Red => style.red(text),
            Self::Amber => style.amber(text),
            Self::Dim => style.dim(text),
        }
    }
}

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// Names of what the rows are about, which are cut when nothing else is left to be.
    Name(&'static str),
    /// Texts, which may be cut.
    Text(&'static str),
    /// Texts that are never cut.
    Fixed(&'static str),
    /// What says most, and is never cut; where there is no room it stands below its row, on as many lines as it takes.
    Message(&'static str),
    /// What is copied, and never cut; where there is no room it stands on a line of its own.
    Whole(&'static str),
    /// Numbers, to the right.
    Number(&'static str),
}

/// Rows of cells.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    /// Those that may be left out, the first first.
    giving_way: Vec<usize>,
    rows: Vec<Vec<(String, Look)>>,
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Self::Name(name)
            | Self::Text(name)
            | Self::Fixed(name)
            | Self::Message(name)
            | Self::Whole(name)
            | Self::Number(name) => name,
        }
    }
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), giving_way: Vec::new(), rows: Vec::new() }
    }

    /// Columns that are left out where there is no room, the first first.
    pub(crate) fn giving_way(self, columns: &[usize]) -> Self {
        Self { giving_way: columns.to_vec(), ..self }
    }

    /// Without this column.
    pub(crate) fn without(mut self, column: usize) -> Self {
        self.rows.iter_mut().filter_map(|row| row.get_mut(column)).for_each(|(text, _)| text.clear());
        self
    }

    /// Adds a row; what others wrote is made harmless here.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().map(|(text, look)| (harmless(&text), look)).collect());
    }

    /// Its lines, with a heading. Columns in which nothing stands are left out.
    pub(crate) fn lines(&self, style: Style) -> Vec<String> {
        let used =
            |at: &usize| self.rows.iter().any(|row| row.get(*at).is_some_and(|(text, _)| !text.is_empty()));
        let columns = (0..self.columns.len()).filter(used).collect::<Vec<_>>();
        let is_message = |at: &usize| matches!(self.columns[*at], Column::Message(_));
        let is_wide = self.takes(&columns, COMFORTABLE, COMFORTABLE_NAME) > style.width;
        let (messages, mut columns) =
            columns.into_iter().partition::<Vec<_>, _>(|at| is_wide && is_message(at));
        for at in &self.giving_way {
            if self.takes(&columns, COMFORTABLE, COMFORTABLE_NAME) > style.width {
                columns.retain(|column| column != at);
            }
        }
        let is_whole = |at: &usize| matches!(self.columns[*at], Column::Whole(_));
        let fits = self.takes(&columns, NARROWEST, NARROWEST) <= style.width;
        let (below, columns) = columns.into_iter().partition::<Vec<_>, _>(|at| !fits && is_whole(at));
        let widths = self.widths(&columns, style.width);
        let line = |cells: Vec<(String, Look)>| {
            let cells = cells.into_iter().zip(columns.iter().zip(&widths));
            let set = cells.map(|((text, look), (at, width))| self.set(&text, look, *at, *width, style));
            set.collect::<Vec<_>>().join(BETWEEN).trim_end().to_owned()
        };
        let heading = columns.iter().map(|at| (self.columns[*at].name().to_owned(), Look::Dim)).collect();
        let is_named = columns.iter().any(|at| !self.columns[*at].name().is_empty());
        let mut lines: Vec<String> = is_named.then(|| line(heading)).into_iter().collect();
        for row in &self.rows {
            let cells = |columns: &[usize]| -> Vec<(String, Look)> {
                columns.iter().filter_map(|at| row.get(*at).cloned()).collect()
            };
            lines.push(line(cells(&columns)));
            lines.extend(cells(&messages).iter().flat_map(|(text, look)| folded_below(text, *look, style)));
            let below = cells(&below).into_iter().filter(|(text, _)| !text.is_empty());
            lines.extend(below.map(|(text, _)| format!("{BETWEEN}{text}")));
        }
        lines
    }

    fn set(&self, text: &str, look: Look, at: usize, room: usize, style: Style) -> String {
        let text = look.on(&cut(text, room), style);
        let is_number = matches!(self.columns[at], Column::Number(_));
        if is_number { padded_left(&text, room) } else { padded(&text, room) }
    }

    /// How wide a column is if nothing is cut.
    fn widest(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| Some(width(&row.get(at)?.0)));
        cells.max().unwrap_or_default().max(self.columns[at].name().chars().count())
    }

    /// The room that columns take with texts and names as narrow as this.
    fn takes(&self, columns: &[usize], text: usize, name: usize) -> usize {
        let width = |at: &usize| match self.columns[*at] {
            Column::Text(_) => self.widest(*at).min(text),
            Column::Name(_) => self.widest(*at).min(name),
            _ => self.widest(*at),
        };
        columns.iter().map(width).sum::<usize>() + between(columns)
    }

    /// How wide each is: texts share what is too much, the widest first, and then names.
    fn widths(&self, columns: &[usize], room: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = columns.iter().map(|at| self.widest(*at)).collect();
        let is_text = |at: usize| matches!(self.columns[at], Column::Text(_));
        let is_name = |at: usize| matches!(self.columns[at], Column::Name(_));
        for gives_way in [&is_text as &dyn Fn(usize) -> bool, &is_name] {
            while widths.iter().sum::<usize>() + between(columns) > room {
                let some = columns.iter().zip(&mut widths).filter(|(at, _)| gives_way(**at));
                match some.map(|(_, width)| width).filter(|width| **width > NARROWEST).max() {
                    Some(width) => *width -= 1,
                    None => break,
                }
            }
        }
        widths
    }
}

/// A message below its row.
fn folded_below(text: &str, look: Look, style: Style) -> Vec<String> {
    let room = style.width.saturating_sub(BETWEEN.len()).max(NARROWEST);
    folded(text, room).iter().map(|line| format!("{BETWEEN}{}", look.on(line, style))).collect()
}

/// The blanks between columns.
fn between(columns: &[usize]) -> usize {
    BETWEEN.len() * columns.len().saturating_sub(1)
}

/// A cell.
pub(crate) fn plain(text: impl Into<String>) -> Cell {
    (text.into(), Look::Plain)
}

/// A cell that says of a failure.
pub(crate) fn red(text: impl Into<String>) -> Cell {
    (text.into(), Look::Red)
}

/// A cell that says that something is new, or slow.
pub(crate) fn amber(text: impl Into<String>) -> Cell {
    (text.into(), Look::Amber)
}

/// A cell for those who look for it.
pub(crate) fn dim(text: impl Into<String>) -> Cell {
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
        assert_eq!(
            table.lines(style(19))[..3],
            ["name              n", "a-very-long-nam…  7", "  0123456789"],
            "ids stay whole, on a line of their own"
        );
    }

    #[test]
    fn a_message_is_told_whole() {
        let columns = [Column::Number("count"), Column::Message("error"), Column::Fixed("last")];
        let mut table = Table::new(columns).giving_way(&[2]);
        table.row([plain("3"), plain("NoCredit: no credit limit"), plain("01:47")]);
        let lines = |width| table.lines(Style { width, colour: false });
        assert_eq!(
            lines(40),
            ["count  error                      last", "    3  NoCredit: no credit limit  01:47"]
        );
        assert_eq!(lines(27), ["count  last", "    3  01:47", "  NoCredit: no credit limit"]);
        assert_eq!(lines(20), ["count  last", "    3  01:47", "  NoCredit: no", "  credit limit"]);
    }

    #[test]
    fn what_matters_least_gives_way() {
        let columns = [Column::Text("name"), Column::Number("a"), Column::Number("b"), Column::Fixed("when")];
        let mut table = Table::new(columns).giving_way(&[2, 1]);
        table.row([plain("function"), plain("1234"), plain("5678"), plain("01:47")]);
        let lines = |width| table.lines(Style { width, colour: false })[1].clone();
        assert_eq!(lines(40), "function  1234  5678  01:47");
        assert_eq!(lines(24), "function  1234  01:47");
        assert_eq!(lines(16), "function  01:47");
        assert_eq!(lines(13), "funct…  01:47");
    }

    #[test]
    fn names_are_cut_last() {
        let columns = [
            Column::Name("function"),
            Column::Text("build"),
            Column::Number("runs"),
            Column::Fixed("memory"),
        ];
        let mut table = Table::new(columns).giving_way(&[3]);
        table.row([plain("prod-payment-worker-eu"), plain("4d01b774d01b77"), plain("7"), plain("186 MB")]);
        let lines = |width| table.lines(Style { width, colour: false })[1].clone();
        assert_eq!(lines(52), "prod-payment-worker-eu  4d01b774d01b77     7  186 MB");
        assert_eq!(lines(49), "prod-payment-worker-eu  4d01b774d01b77     7");
        assert_eq!(lines(38), "prod-payment-worker-eu  4d01b77…     7");
        assert_eq!(lines(30), "prod-payment-wo…  4d01b…     7");
    }

    #[test]
    fn what_others_wrote_is_harmless() {
        let lines = table(&[("\x1b[2Jname", "i\nd")]).lines(Style { width: 80, colour: false });
        assert_eq!(lines.len(), 2);
        assert!(!lines[1].chars().any(char::is_control), "{lines:?}");
    }
}

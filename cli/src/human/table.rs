//! Tables: columns that stand under each other, and fit the terminal if one shows them.

use super::text::{cut, printable};
use crate::paint::{Look, Tone};

/// Columns are at least so wide, however narrow the terminal is.
const NARROWEST: usize = 8;
/// What stands between columns.
const GAP: &str = "  ";

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    fit: Fit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Left,
    Right,
    Cut,
}

impl Column {
    /// One of words, which are shown whole.
    pub(crate) const fn words(title: &'static str) -> Self {
        Self { title, fit: Fit::Left }
    }

    /// One of numbers.
    pub(crate) const fn numbers(title: &'static str) -> Self {
        Self { title, fit: Fit::Right }
    }

    /// One of words that are cut where the terminal is too narrow for them.
    pub(crate) const fn long(title: &'static str) -> Self {
        Self { title, fit: Fit::Cut }
    }
}

/// What stands in one place of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A word in a tone.
    pub(crate) fn toned(tone: Tone, text: impl AsRef<str>) -> Self {
        Self { text: printable(text.as_ref()), tone }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::toned(Tone::Plain, text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::toned(Tone::Plain, text)
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::toned(Tone::Plain, number.to_string())
    }
}

/// A table.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    /// One without rows.
    pub(crate) const fn new(columns: [Column; N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, row: [Cell; N]) {
        self.rows.push(row);
    }

    /// Whether it has none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All of it, a line a row. Columns without titles have no head.
    pub(crate) fn text(&self, look: Look) -> String {
        let widths = self.widths(look.columns);
        let titles = self.columns.map(|column| Cell::toned(Tone::Strong, column.title));
        let has_head = self.columns.iter().any(|column| !column.title.is_empty());
        let head = has_head.then_some(&titles);
        head.into_iter().chain(&self.rows).map(|row| self.line(row, &widths, look)).collect()
    }

    fn line(&self, row: &[Cell; N], widths: &[usize; N], look: Look) -> String {
        let mut line = String::new();
        // Spaces wait for what stands after them, so that none end a line.
        let mut spaces = 0;
        for ((cell, column), width) in row.iter().zip(&self.columns).zip(widths) {
            let text = cut(&cell.text, *width);
            let free = width - text.chars().count().min(*width);
            let (before, after) = match column.fit {
                Fit::Right => (free, 0),
                Fit::Left | Fit::Cut => (0, free),
            };
            spaces += before;
            if !text.is_empty() {
                line.push_str(&" ".repeat(spaces));
                line.push_str(&look.paint.paint(cell.tone, &text));
                spaces = 0;
            }
            spaces += after + GAP.len();
        }
        line.push('\n');
        line
    }

    /// How wide each column is: as its widest cell, and if that is too much, what may be cut is.
    fn widths(&self, columns: Option<usize>) -> [usize; N] {
        let mut widths = self.columns.map(|column| column.title.chars().count());
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        let Some(columns) = columns else { return widths };
        let total = widths.iter().sum::<usize>() + GAP.len() * N.saturating_sub(1);
        let mut excess = total.saturating_sub(columns);
        for (width, column) in widths.iter_mut().zip(&self.columns).rev() {
            if column.fit == Fit::Cut {
                let less = excess.min(width.saturating_sub(NARROWEST));
                *width -= less;
                excess -= less;
            }
        }
        widths
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::Paint;

    const PLAIN: Look = Look { paint: Paint::Off, columns: None };

    fn people() -> Table<3> {
        let columns = [Column::words("NAME"), Column::numbers("KEYS"), Column::long("WHY")];
        let mut table = Table::new(columns);
        table.row(["größer".into(), 12.into(), "it is far too long for that".into()]);
        table.row(["b".into(), 3.into(), "".into()]);
        table
    }

    #[test]
    fn columns_stand_under_each_other_and_numbers_at_their_right() {
        let expect = "\
NAME    KEYS  WHY
größer    12  it is far too long for that
b          3
";
        assert_eq!(people().text(PLAIN), expect);
    }

    #[test]
    fn on_a_narrow_terminal_what_may_be_cut_is() {
        let text = people().text(Look { columns: Some(30), ..PLAIN });
        let expect = "\
NAME    KEYS  WHY
größer    12  it is far too l…
b          3
";
        assert_eq!(text, expect);
        let text = people().text(Look { columns: Some(1), ..PLAIN });
        assert!(text.contains("größer    12  it is f…\n"), "{text}");
    }

    #[test]
    fn colours_take_no_room_and_controls_are_written_out() {
        let mut table = Table::new([Column::words(""), Column::words("")]);
        table.row([Cell::toned(Tone::Good, "ok"), "a\x1b[2J".into()]);
        table.row(["wide".into(), "".into()]);
        let text = table.text(Look { paint: Paint::On, columns: None });
        assert_eq!(text, "\x1b[32mok\x1b[0m    a\\u{1b}[2J\nwide\n");
        assert!(!table.is_empty() && Table::new([Column::words("A")]).is_empty());
    }

    #[test]
    fn an_empty_place_in_the_middle_keeps_its_room() {
        let columns = [Column::words("A"), Column::numbers("BB"), Column::words("C")];
        let mut table = Table::new(columns);
        table.row(["x".into(), "".into(), "y".into()]);
        assert_eq!(table.text(PLAIN), "A  BB  C\nx      y\n");
    }
}

//! Columns of text.

use unicode_width::UnicodeWidthStr;

use crate::output::Style;
use crate::text::{plain, shortened};

/// The largest width of a column, so that one long error or path does not widen it for all rows.
const WIDEST: usize = 100;

/// Rows of cells, each column as wide as its widest cell of at most [`WIDEST`].
#[derive(Default)]
pub(crate) struct Table(Vec<Vec<Cell>>);

/// A text with its style. The text is safe to print.
pub(crate) struct Cell(String, Style);

/// A cell with an untrusted text in full, such as a path. What is longer than its column moves the rest of its row.
pub(crate) fn whole(text: impl AsRef<str>) -> Cell {
    Cell(plain(text.as_ref()), Style::Plain)
}

/// A cell with an untrusted text, which is cut to [`WIDEST`].
pub(crate) fn cell(text: impl AsRef<str>) -> Cell {
    Cell(shortened(&plain(text.as_ref()), WIDEST), Style::Plain)
}

impl Cell {
    pub(crate) fn style(self, style: Style) -> Self {
        Self(self.0, style)
    }
}

impl Table {
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.0.push(cells.into_iter().collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of the table, each line after `indent`. A line has no spaces at its end, and an empty column none at
    /// all.
    pub(crate) fn text(&self, indent: &str, colored: bool) -> String {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column| self.0.iter().filter_map(|row| row.get(column)).map(|cell: &Cell| cell.0.width()).max();
        let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or_default().min(WIDEST)).collect();
        let mut out = String::new();
        for row in &self.0 {
            out.push_str(indent);
            let mut gap = 0;
            for (Cell(text, style), width) in row.iter().zip(&widths).filter(|(_, width)| **width > 0) {
                if text.is_empty() {
                    gap += width + 2;
                    continue;
                }
                out.extend(std::iter::repeat_n(' ', gap));
                out.push_str(&style.paint(text, colored));
                gap = width.saturating_sub(text.width()) + 2;
            }
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_with_text() {
        let mut table = Table::default();
        table.row([cell("a"), cell("日本"), cell(""), cell("1")]);
        table.row([cell("long"), cell("x"), cell(""), cell("")]);
        table.row([cell("b"), cell(""), cell(""), cell("2")]);
        assert_eq!(table.text("  ", false), "  a     日本  1\n  long  x\n  b           2\n");
    }

    #[test]
    fn a_very_long_cell_moves_its_own_row_only() {
        let long = "x".repeat(150);
        let mut table = Table::default();
        table.row([whole(&long), cell("1")]);
        table.row([cell("a"), cell("2")]);
        assert_eq!(table.text("", false), format!("{long}  1\na{}2\n", " ".repeat(WIDEST + 1)));
    }

    #[test]
    fn colors_change_no_width() {
        let mut table = Table::default();
        table.row([cell("a").style(Style::Bad), cell("1")]);
        table.row([cell("bb"), cell("2")]);
        assert_eq!(table.text("", true), "\x1b[31ma\x1b[0m   1\nbb  2\n");
    }

    #[test]
    fn a_name_cannot_break_its_line() {
        let mut table = Table::default();
        table.row([cell("a\nb\x1b[2J"), cell("1")]);
        assert_eq!(table.text("", true), "a\\nb\\u{1b}[2J  1\n");
    }
}

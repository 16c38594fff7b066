//! Reads the tables in the documentation.

/// A table: its header and rows, each a list of cells.
pub(super) struct Table {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// The words in backticks in the first cells: `interval` of `` `interval = ".."` ``.
    pub(super) fn names(&self) -> Vec<String> {
        self.rows.iter().flat_map(|row| code(&row[0])).map(word).collect()
    }
}

/// The tables of a text in Markdown, in order.
pub(super) fn tables(text: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        match (is_inside, line.starts_with('|')) {
            (false, true) => tables.push(Table { header: cells(line), rows: Vec::new() }),
            (true, true) if !line.starts_with("|---") => tables.last_mut().unwrap().rows.push(cells(line)),
            _ => {}
        }
        is_inside = line.starts_with('|');
    }
    tables
}

/// The parts of a text that are in backticks.
pub(super) fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The word at the start of a piece of code.
fn word(code: &str) -> String {
    code.chars().take_while(|&character| character.is_alphanumeric() || character == '_').collect()
}

/// The cells of a row. A `
/// ` inside a cell is written `\
/// `.
fn cells(line: &str) -> Vec<String> {
    let line = line.replace("\\|", "\u{0}");
    let inner = line.trim_matches('|');
    inner.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect()
}

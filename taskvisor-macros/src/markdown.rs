//! Reads the tables in the documentation.

/// A table: its header and rows, each a list of cells.
pub(crate) struct Table {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

#[cfg(test)]
impl Table {
    /// The words in backticks in the first cells: `interval` of `` `interval = ".."` ``.
    pub(crate) fn names(&self) -> Vec<String> {
        self.rows.iter().filter_map(|row| row.first()).flat_map(|cell| code(cell)).map(word).collect()
    }
}

/// The tables of a text in Markdown, in order.
pub(crate) fn tables(text: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        match (is_inside, line.starts_with('|')) {
            (false, true) => tables.push(Table { header: cells(line), rows: Vec::new() }),
            (true, true) if !line.starts_with("|---") => {
                if let Some(table) = tables.last_mut() {
                    table.rows.push(cells(line));
                }
            }
            _ => {}
        }
        is_inside = line.starts_with('|');
    }
    tables
}

/// The parts of a text that are in backticks.
#[cfg(test)]
pub(crate) fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The word at the start of a piece of code.
#[cfg(test)]
fn word(code: &str) -> String {
    code.chars().take_while(|&character| character.is_alphanumeric() || character == '_').collect()
}

/// The cells of a row. A `|` inside a cell is written `\|`.
fn cells(line: &str) -> Vec<String> {
    let line = line.replace("\\|", "\u{0}");
    let inner = line.trim_matches('|');
    inner.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect()
}

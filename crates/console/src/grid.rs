//! How is a table printed?
//!
//! As kubectl does it: headings in capitals, three spaces between columns, no lines, nothing wrapped or
//! cut, so that `grep`, `awk` and `cut` work on it.

use std::fmt;

use anstyle::Style;
use comfy_table::{ContentArrangement, Table, presets};

/// A table under construction. [`fmt::Display`] prints it, with a line break at its end.
#[derive(Debug)]
pub struct Grid {
    table: Table,
}

// === impl Grid ===

impl Grid {
    /// An empty table with these headings.
    pub fn new<const N: usize>(headings: [&str; N]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(headings.map(str::to_uppercase));
        for column in table.column_iter_mut() {
            column.set_padding((0, 3));
        }
        Self { table }
    }

    /// Adds a row. An empty cell is shown as `-`, so that columns can be counted.
    pub fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.table.add_row(cells.map(|cell| if cell.is_empty() { "-" } else { cell }));
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.table.row_count() == 0
    }
}

// === impl Display ===

impl fmt::Display for Grid {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bold = Style::new().bold();
        for (index, line) in self.table.lines().enumerate() {
            let line = line.trim_end();
            if index == 0 {
                writeln!(to, "{bold}{line}{bold:#}")?;
            } else {
                writeln!(to, "{line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_apart_by_three_spaces_and_an_empty_cell_can_be_seen() {
        let mut grid = Grid::new(["Name", "State", "Identity"]);
        assert!(grid.is_empty());
        grid.row(["demo", "Assigned", "/subscriptions/a"]);
        grid.row(["other", "", "/subscriptions/b"]);
        let text = anstream::adapter::strip_str(&grid.to_string()).to_string();
        let lines = [
            "NAME    STATE      IDENTITY",
            "demo    Assigned   /subscriptions/a",
            "other   -          /subscriptions/b",
        ];
        assert_eq!(text, lines.join("\n") + "\n");
    }
}

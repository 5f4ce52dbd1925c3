//! Tables and figures as the terminal shows them: amounts in major units, to the right.

use comfy_table::{Cell, CellAlignment, Table, presets};
use nostro_core::Currency;

/// A table with these columns; it is as wide as its content, so that a pipe gets whole lines.
pub(crate) fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(columns.iter().map(Cell::new));
    table
}

/// A cell whose figures stand below each other.
pub(crate) fn right(text: impl Into<String>) -> Cell {
    Cell::new(text.into()).set_alignment(CellAlignment::Right)
}

/// Minor units in major units, without the currency.
pub(crate) fn major(currency: Currency, minor_units: i128) -> String {
    match i64::try_from(minor_units) {
        Ok(figure) => currency.major_units(figure),
        // More than a bigint: a sum over accounts that no amount of money makes.
        Err(_) => format!("{minor_units} minor units"),
    }
}

/// One JSON document on standard output.
pub(crate) fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

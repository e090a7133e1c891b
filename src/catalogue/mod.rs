//! `shardscale sites`: what the site files say, for people.
//!
//! Everything here makes text of a [`Site`]; it must not read or write files, and decides nothing.

mod list;
mod show;
mod sources;

pub use list::{list, markdown};
pub use show::show;

use crate::site::{Site, Status};

/// A site together with the text of its file.
pub struct Entry {
    pub site: Site,
    /// What to call the file.
    pub file: String,
}

/// Keys of the facts of a site with one of `statuses`, in the file's order of keys.
fn facts_with<'a>(site: &'a Site, statuses: &'a [Status]) -> impl Iterator<Item = &'a str> {
    site.facts.iter().filter(|(_, fact)| statuses.contains(&fact.status)).map(|(key, _)| key.as_str())
}

/// Rows of cells as aligned columns, two blanks apart; what stands last may be of any length.
fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

//! The part of `summary.md` about the application.

use crate::collect::application::Pooled;
use crate::collect::report::application::{MEANING, share, slowdown, whose, worst};
use crate::record::units::show_bytes;

/// Rows that are listed; application.csv has all.
const LISTED: usize = 10;

/// A table with a row for each set of parameters, as Markdown that `cell` makes safe; empty where no run computes.
pub fn application(all: &[Pooled], cell: impl Fn(&str) -> String) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n## Application\n\n{MEANING}.\n\n| run | op | size | slowdown (99 % interval) | in transfers (99 % interval) |\n\
         |---|---|--:|--:|--:|\n"
    );
    let worst = worst(all);
    for one in worst.iter().take(LISTED) {
        let (name, size) = (cell(&one.run), show_bytes(one.payload_bytes));
        text.push_str(&format!("| {name} | {} | {size} | {} | {} |\n", whose(one), slowdown(&one.of), share(&one.of)));
    }
    if worst.len() > LISTED {
        text.push_str(&format!("\n{} more are in application.csv.\n", worst.len() - LISTED));
    }
    text
}

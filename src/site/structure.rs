//! What is wrong with the structure of a file: the first mistake of each section, where serde alone tells one of the file.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{
    Ask, Charge, Directives, Fact, Launch, Limit, Network, Node, Queue, Scheduler, Scratch, Source, StoreDefaults,
};
use crate::study::Axes;

/// The first mistake of each section, row or entry.
pub fn problems(table: &Table) -> Vec<String> {
    let mut problems = Vec::new();
    for (key, value) in table {
        match key.as_str() {
            "scheduler" => one::<Scheduler>(key, value, &mut problems),
            "launch" => one::<Launch>(key, value, &mut problems),
            "network" => one::<Network>(key, value, &mut problems),
            "directives" => one::<Directives>(key, value, &mut problems),
            "charge" => one::<Charge>(key, value, &mut problems),
            "scratch" => one::<Scratch>(key, value, &mut problems),
            "store" => one::<StoreDefaults>(key, value, &mut problems),
            "study" => one::<Axes>(key, value, &mut problems),
            "node" => each::<Node>(key, value, &mut problems),
            "queue" => each::<Queue>(key, value, &mut problems),
            "limit" => each::<Limit>(key, value, &mut problems),
            "ask" => each::<Ask>(key, value, &mut problems),
            "sources" => each::<Source>(key, value, &mut problems),
            "facts" => each::<Fact>(key, value, &mut problems),
            // of one word, or unknown: the whole file's error names them
            _ => {}
        }
    }
    problems
}

fn one<T: DeserializeOwned>(key: &str, value: &Value, problems: &mut Vec<String>) {
    if let Err(error) = value.clone().try_into::<T>() {
        problems.push(format!("{key}: {}", error.message()));
    }
}

/// Rows of an array or entries of a table.
fn each<T: DeserializeOwned>(key: &str, value: &Value, problems: &mut Vec<String>) {
    match value {
        Value::Array(rows) => {
            for (i, row) in rows.iter().enumerate() {
                let name = row.get("name").and_then(Value::as_str).map_or_else(|| (i + 1).to_string(), str::to_owned);
                one::<T>(&format!("{key}.{name}"), row, problems);
            }
        }
        Value::Table(entries) => {
            entries.iter().for_each(|(name, entry)| one::<T>(&format!("{key}.{name}"), entry, problems));
        }
        _ => problems.push(format!("{key} is neither a table nor rows of tables")),
    }
}

//! Findings as a table for people and as JSON for programs. Returns text; nothing is printed here.

use std::fmt::Write;

use anyhow::{Context, Result};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::finding::{Finding, Level};

/// Version of the JSON. Before, `schema` was that of the record.
const VERSION: u32 = 3;

pub fn text(host: &str, findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or_default();
    let mut text = format!("{host}: {}\n", summary(findings));
    for Finding { level, what, found, remedy } in findings {
        let word = match level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Bad => "BAD ",
        };
        // writing to a String cannot fail
        let _ = writeln!(text, "  {word}  {what:<width$}  {}", found.replace('\n', "\n        "));
        if !remedy.is_empty() {
            let _ = writeln!(text, "        {:<width$}  -> {remedy}", "");
        }
    }
    text
}

fn summary(findings: &[Finding]) -> String {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    match (count(Level::Bad), count(Level::Warn)) {
        (0, 0) => "all is well".to_owned(),
        (0, warnings) => format!("runs will work; {warnings} to look at"),
        (bad, warnings) => format!("{bad} bad, {warnings} to look at"),
    }
}

/// What `shardscale-client doctor --format json` prints.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "shardscale-client doctor --format json")]
struct Report<'a> {
    /// Name of this schema: doctor.
    schema: &'a str,
    /// Version of this schema. It grows when a name changes its meaning or goes away; new names may come without.
    version: u32,
    host: &'a str,
    worst: Level,
    findings: &'a [Finding],
}

pub fn json(host: &str, findings: &[Finding]) -> Result<String> {
    let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    let report = Report { schema: "doctor", version: VERSION, host, worst, findings };
    Ok(serde_json::to_string_pretty(&report).context("cannot encode the findings")? + "\n")
}

/// The JSON Schema of [`json`].
pub fn schema() -> Result<String> {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Report<'_>>();
    Ok(serde_json::to_string_pretty(&schema).context("cannot encode the schema")? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up_and_remedies_stand_below() {
        let findings = [Finding::ok("clock", "tsc"), Finding::bad("open files", "1024", "ask for more")];
        let text = text("cn1", &findings);
        assert_eq!(
            text,
            "cn1: 1 bad, 0 to look at\n  ok    clock       tsc\n  BAD   open files  1024\n                    -> ask for more\n"
        );
        let json: serde_json::Value = serde_json::from_str(&json("cn1", &findings).unwrap()).unwrap();
        assert_eq!(
            (json["worst"].as_str(), json["findings"][1]["remedy"].as_str()),
            (Some("bad"), Some("ask for more"))
        );
        assert!(json["findings"][0].get("remedy").is_none());
    }
}

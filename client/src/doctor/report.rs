//! Findings as a table for people and as JSON for programs. Returns text; nothing is printed here.

use std::fmt::Write;

use anyhow::{Context, Result};
use serde::Serialize;
use shardscale::record::SCHEMA;

use super::finding::{Finding, Level};

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

pub fn json(host: &str, findings: &[Finding]) -> Result<String> {
    #[derive(Serialize)]
    struct Report<'a> {
        schema: u32,
        host: &'a str,
        worst: Level,
        findings: &'a [Finding],
    }
    let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    let report = Report { schema: SCHEMA, host, worst, findings };
    Ok(serde_json::to_string_pretty(&report).context("cannot encode the findings")? + "\n")
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

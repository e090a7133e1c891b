//! Where the values of a site come from: the sources, then each fact, those that are not sure first.

use super::columns;
use crate::site::{Fact, Site, Status};

/// Two tables.
pub fn sources(site: &Site) -> String {
    let mut text = "\nSources\n".to_owned();
    let rows: Vec<Vec<String>> = site
        .sources
        .iter()
        .map(|(name, source)| vec![format!("  {name}"), source.checked.clone(), source.title.clone()])
        .collect();
    text.push_str(&columns(&rows));
    text.push_str("\nWhere each value comes from (a key speaks for all below it; ! is not sure)\n");
    let mut facts: Vec<(&String, &Fact)> = site.facts.iter().collect();
    facts.sort_by_key(|(_, fact)| !unsure(fact));
    let rows: Vec<Vec<String>> = facts.into_iter().map(|(key, fact)| row(key, fact)).collect();
    text.push_str(&columns(&rows));
    text
}

fn unsure(fact: &Fact) -> bool {
    matches!(fact.status, Status::Unverified | Status::Missing)
}

fn row(key: &str, fact: &Fact) -> Vec<String> {
    let mark = if unsure(fact) { '!' } else { ' ' };
    let ask = fact.ask.as_ref().map(|ask| format!("ask: {ask}"));
    let words: Vec<String> = fact.note.clone().into_iter().chain(ask).collect();
    let source = fact.source.clone().unwrap_or_else(|| "-".to_owned());
    vec![format!("{mark} {key}"), fact.status.to_string(), source, words.join("; ")]
}

//! All sites in a table: for a terminal, and in Markdown for the documentation.

use super::{Entry, columns, facts_with};
use crate::site::{Site, Status};

/// One line for each site.
pub fn list(entries: &[Entry]) -> String {
    let head = ["SITE", "SCHEDULER", "LAUNCHER", "NODES", "UNVERIFIED", "UNKNOWN", "DESCRIPTION"].map(str::to_owned);
    let mut rows = vec![head.to_vec()];
    for Entry { site, .. } in entries {
        let count = |status| facts_with(site, &[status]).count();
        let number = |count: usize| if count == 0 { "-".to_owned() } else { count.to_string() };
        rows.push(vec![
            site.name.clone(),
            site.scheduler.kind.clone(),
            site.launch.launcher.clone(),
            node_count(site),
            number(count(Status::Unverified)),
            number(count(Status::Missing)),
            site.description.clone(),
        ]);
    }
    columns(&rows)
}

/// Nodes of all kinds; `-` where a count is not known.
fn node_count(site: &Site) -> String {
    if site.nodes.iter().any(|node| node.single) {
        return "1".to_owned();
    }
    site.nodes.iter().map(|node| node.count).sum::<Option<u32>>().map_or("-".to_owned(), |count| count.to_string())
}

/// A table of the sites in Markdown: what a user must supply, and what is a guess or not known.
pub fn markdown(entries: &[Entry]) -> String {
    let mut text =
        "| site | scheduler, launcher | you supply | unverified: scripts warn | not known to the file |\n".to_owned();
    text.push_str("|---|---|---|---|---|\n");
    for Entry { site, .. } in entries {
        let supply = site.ask.iter().map(|(name, ask)| match &ask.default {
            Some(default) => format!("{name} (default {default})"),
            None => name.clone(),
        });
        let supply: Vec<String> = supply.collect();
        let keys = |status| {
            let keys: Vec<String> = facts_with(site, &[status]).map(|key| format!("`{key}`")).collect();
            if keys.is_empty() { "-".to_owned() } else { keys.join(", ") }
        };
        text.push_str(&format!(
            "| {} | {}, {} | {} | {} | {} |\n",
            site.name,
            site.scheduler.kind,
            site.launch.launcher,
            if supply.is_empty() { "-".to_owned() } else { supply.join(", ") },
            keys(Status::Unverified),
            keys(Status::Missing)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load;

    fn entries(names: &[&str]) -> Vec<Entry> {
        names.iter().map(|name| Entry { site: load(name, None).unwrap(), file: (*name).to_owned() }).collect()
    }

    #[test]
    fn a_line_for_each_site_under_a_heading() {
        let text = list(&entries(&["derecho", "local", "stampede3"]));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("SITE       SCHEDULER  LAUNCHER  NODES  UNVERIFIED"), "{text}");
        assert!(lines[1].starts_with("derecho    pbs        pals      2488   3           1        NCAR"), "{text}");
        assert!(lines[2].starts_with("local      none       openmpi   1      -           -"), "{text}");
        assert!(lines[3].contains("  1844   "), "three kinds of nodes together: {text}");
    }

    #[test]
    fn the_documentation_says_what_to_supply() {
        let text = markdown(&entries(&["aurora"]));
        assert!(
            text.contains(
                "| aurora | pbs, pals | account, filesystems (default home:flare) | `node.compute.interface` |"
            ),
            "{text}"
        );
    }
}

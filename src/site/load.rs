//! Finding, reading and checking site files.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use rust_embed::RustEmbed;

use super::{Node, Site};
use crate::record::vocabulary::BindKind;

/// The site files that ship with the program.
#[derive(RustEmbed)]
#[folder = "site-configs"]
struct Builtin;

/// Version of the site schema that this program reads.
const SCHEMA: u32 = 2;

/// Loads the site `name`, or the file `name` where it ends in `.toml` or holds a slash.
///
/// `config` is a user's folder whose `site-configs/NAME.toml` wins over the site of that name that ships.
///
/// # Errors
/// An unknown name (the known ones are listed), an unreadable file, or a wrong one: file, line, key, allowed values.
pub fn load(name: &str, config: Option<&Path>) -> Result<Site> {
    if name.contains('/') || name.ends_with(".toml") {
        return read_file(Path::new(name));
    }
    if let Some(path) = config.map(|folder| folder.join("site-configs").join(format!("{name}.toml")))
        && path.exists()
    {
        return read_file(&path);
    }
    let Some(file) = Builtin::get(&format!("{name}.toml")) else {
        bail!(
            "there is no site {name:?}; sites that ship: {}. For your own machine, copy one of these files, edit it and \
             give its path: --site ./mysite.toml",
            builtin_names().join(", ")
        );
    };
    parse(std::str::from_utf8(&file.data)?, &format!("site-configs/{name}.toml"))
}

/// Names of the sites that ship, sorted.
pub fn builtin_names() -> Vec<String> {
    let mut names: Vec<String> =
        Builtin::iter().filter_map(|file| Some(file.strip_suffix(".toml")?.to_owned())).collect();
    names.retain(|name| !name.contains('/')); // folders beside them hold other things
    names.sort();
    names
}

fn read_file(path: &Path) -> Result<Site> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read the site file {}", path.display()))?;
    parse(&text, &path.display().to_string())
}

fn parse(text: &str, file: &str) -> Result<Site> {
    let site: Site = toml::from_str(text).with_context(|| format!("the site file {file} is wrong"))?;
    check(&site).with_context(|| format!("the site file {file} is wrong"))?;
    Ok(site)
}

fn check(site: &Site) -> Result<()> {
    ensure!(site.schema == SCHEMA, "schema = {} is not {SCHEMA}, the version that this program reads", site.schema);
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    ensure!(plain(&site.name), "name = {:?} may have only the characters a-z A-Z 0-9 . _ -", site.name);
    ensure!(!site.nodes.is_empty(), "there is no [[node]]: describe the nodes that jobs get");
    ensure!(site.launch.cpu_bind.contains(&BindKind::None), "launch.cpu_bind must contain \"none\"");
    ensure!(site.network.db_port >= 1024, "network.db_port = {} needs root; take one above 1023", site.network.db_port);
    // Redis Cluster talks among its shards on port + 10000
    ensure!(
        site.network.db_port <= 55_000,
        "network.db_port = {} leaves no room for the cluster's port, 10000 above it",
        site.network.db_port
    );
    site.nodes.iter().try_for_each(|node| check_node(node).with_context(|| format!("node {:?}", node.name)))?;
    let scratch = &site.scratch.node_local;
    ensure!(scratch.starts_with('/'), "scratch.node_local = {scratch:?} must be an absolute path");
    for (key, text) in texts(site) {
        ensure!(!text.chars().any(char::is_control), "{key} has a line break or control character: {text:?}");
    }
    Ok(())
}

fn check_node(node: &Node) -> Result<()> {
    ensure!(node.threads_per_core >= 1, "threads_per_core = 0");
    let Some(all) = node.all_cores() else { return Ok(()) };
    for core in node.reserved_cores.iter() {
        ensure!(all.contains(core), "reserved_cores has {core}, but the node has cores {all}");
    }
    ensure!(node.usable().is_some_and(|usable| !usable.is_empty()), "no core is left for jobs");
    Ok(())
}

/// Every text of the file that can reach a script, with its key.
fn texts(site: &Site) -> Vec<(&'static str, &str)> {
    let mut texts = vec![
        ("description", site.description.as_str()),
        ("scheduler.kind", &site.scheduler.kind),
        ("scheduler.select_suffix", &site.scheduler.select_suffix),
        ("launch.launcher", &site.launch.launcher),
        ("scratch.node_local", &site.scratch.node_local),
    ];
    texts.extend(site.store.server.as_deref().map(|server| ("store.server", server)));
    let lists = [
        ("directives.always", &site.directives.always),
        ("environment", &site.environment),
        ("launch.client_args", &site.launch.client_args),
        ("launch.server_args", &site.launch.server_args),
    ];
    texts.extend(lists.iter().flat_map(|(key, list)| list.iter().map(|text| (*key, text.as_str()))));
    for row in &site.queues {
        texts.push(("queue.name", &row.name));
        texts.extend(row.submit_as.iter().map(|text| ("queue.submit_as", text.as_str())));
    }
    for node in &site.nodes {
        texts.push(("node.name", &node.name));
        texts.extend(node.constraint.as_deref().map(|text| ("node.constraint", text)));
        texts.extend(node.interfaces.iter().map(|interface| ("node.interface.name", interface.name.as_str())));
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frontier() -> String {
        let file = Builtin::get("frontier.toml").unwrap();
        String::from_utf8(file.data.into_owned()).unwrap()
    }

    fn error(text: &str) -> String {
        format!("{:#}", parse(text, "mysite.toml").unwrap_err())
    }

    #[test]
    fn every_site_that_ships_is_right_and_has_its_file_name() {
        let names = builtin_names();
        assert!(names.len() >= 3, "{names:?}");
        for name in names {
            let site = load(&name, None).unwrap();
            assert_eq!(site.name, name);
            assert!(!site.sources.is_empty(), "{name} names its sources");
            site.study.resolve().unwrap();
        }
    }

    #[test]
    fn an_unknown_site_lists_those_that_ship() {
        let error = load("fronteer", None).unwrap_err().to_string();
        assert!(error.contains("\"fronteer\"; sites that ship: frontier, local, polaris"), "{error}");
    }

    #[test]
    fn a_wrong_file_is_named_with_line_key_and_what_is_allowed() {
        let wrong_key = error(&frontier().replace("threads_per_core", "smt"));
        assert!(wrong_key.contains("mysite.toml is wrong") && wrong_key.contains("unknown field `smt`"), "{wrong_key}");
        assert!(wrong_key.contains("line ") && wrong_key.contains("threads_per_core"), "{wrong_key}");
        let wrong_value = error(&frontier().replace("cpu_bind = [\"none\"", "cpu_bind = [\"nonne\""));
        assert!(wrong_value.contains("allowed: none, scheduler, mask"), "{wrong_value}");
        assert!(error(&frontier().replace("\"02:00:00\"", "\"2h\"")).contains("HH:MM:SS"));
        assert!(error(&frontier().replace("schema = 2", "schema = 3")).contains("schema = 3 is not 2"));
        assert!(error(&frontier().replace("cores = 64", "cores = 6")).contains("reserved_cores has 8"));
    }

    #[test]
    fn a_line_break_in_a_text_is_refused() {
        let hostile = frontier().replace("node_local = \"/tmp\"", "node_local = \"/tmp\\n#SBATCH -A x\"");
        assert!(error(&hostile).contains("scratch.node_local has a line break"), "{}", error(&hostile));
    }

    #[test]
    fn an_unreadable_file_is_named() {
        let error = format!("{:#}", load("./nowhere.toml", None).unwrap_err());
        assert!(error.contains("cannot read the site file ./nowhere.toml"), "{error}");
    }

    #[test]
    fn a_users_folder_wins_over_what_ships() {
        let folder = tempfile::tempdir().unwrap();
        let sites = folder.path().join("site-configs");
        std::fs::create_dir(&sites).unwrap();
        std::fs::write(
            sites.join("frontier.toml"),
            frontier().replace("[scratch]", "[network]\ndb_port = 7000\n[scratch]"),
        )
        .unwrap();
        assert_eq!(load("frontier", Some(folder.path())).unwrap().network.db_port, 7000);
        assert_eq!(load("polaris", Some(folder.path())).unwrap().name, "polaris");
    }
}

//! Finding, reading and checking site files.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rust_embed::RustEmbed;

use super::{Site, check, structure};

/// The site files that ship with the program.
#[derive(RustEmbed)]
#[folder = "site-configs"]
struct Builtin;

/// Version of the site schema that this program reads.
const SCHEMA: i64 = 2;

/// Loads the site `name`, or the file `name` where it ends in `.toml` or holds a slash.
///
/// `config` is a user's folder whose `site-configs/NAME.toml` wins over the site of that name that ships.
///
/// # Errors
/// An unknown name (the known ones are listed), an unreadable file, or a wrong one: file, line, key, allowed values.
pub fn load(name: &str, config: Option<&Path>) -> Result<Site> {
    let (text, file) = find_text(name, config)?;
    parse(&text, &file)
}

/// Text of the file of the site `name`, and what to call the file; see [`load`].
///
/// # Errors
/// An unknown name or an unreadable file.
pub fn find_text(name: &str, config: Option<&Path>) -> Result<(String, String)> {
    let path = if name.contains('/') || name.ends_with(".toml") {
        Some(name.into())
    } else {
        config.map(|folder| folder.join("site-configs").join(format!("{name}.toml"))).filter(|path| path.exists())
    };
    if let Some(path) = path {
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read the site file {}", path.display()))?;
        return Ok((text, path.display().to_string()));
    }
    let Some(text) = builtin_text(name) else {
        bail!(
            "there is no site {name:?}; sites that ship: {}. For your own machine, let `shardscale sites new` start a file, \
             edit it and give its path: --site ./mysite.toml",
            builtin_names().join(", ")
        );
    };
    Ok((text, format!("site-configs/{name}.toml")))
}

/// Text of the file of a site that ships.
pub fn builtin_text(name: &str) -> Option<String> {
    let file = Builtin::get(&format!("{name}.toml"))?;
    String::from_utf8(file.data.into_owned()).ok()
}

/// Names of all sites: those that ship and those of the user's folder `config`, sorted.
///
/// # Errors
/// The folder cannot be read.
pub fn names(config: Option<&Path>) -> Result<Vec<String>> {
    let mut names: BTreeSet<String> = builtin_names().into_iter().collect();
    if let Some(folder) = config.map(|folder| folder.join("site-configs")).filter(|folder| folder.is_dir()) {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let file = entry?.file_name();
            names.extend(file.to_str().and_then(|file| file.strip_suffix(".toml")).map(str::to_owned));
        }
    }
    Ok(names.into_iter().collect())
}

/// Names of the sites that ship, sorted.
pub fn builtin_names() -> Vec<String> {
    let mut names: Vec<String> =
        Builtin::iter().filter_map(|file| Some(file.strip_suffix(".toml")?.to_owned())).collect();
    names.retain(|name| !name.contains('/')); // folders beside them hold other things
    names.sort();
    names
}

fn parse(text: &str, file: &str) -> Result<Site> {
    let Checked { site, problems, .. } = check_text(text);
    match site {
        Some(site) if problems.is_empty() => Ok(site),
        _ => bail!("the site file {file} is wrong: {}", problems.join("\n  ")),
    }
}

/// A site file after all checks.
#[derive(Debug)]
pub struct Checked {
    /// Absent where the file does not follow the schema.
    pub site: Option<Site>,
    /// What makes it unusable.
    pub problems: Vec<String>,
    /// Values that have no fact, and sources that serve none.
    pub uncovered: Vec<String>,
    /// Comments that leave something to do, with their lines.
    pub open: Vec<String>,
}

/// Checks the text of a site file.
pub fn check_text(text: &str) -> Checked {
    let open = open(text);
    let wrong =
        |problem: String| Checked { site: None, problems: vec![problem], uncovered: Vec::new(), open: open.clone() };
    let table: toml::Table = match toml::from_str(text) {
        Ok(table) => table,
        Err(error) => return wrong(error.to_string()),
    };
    // the version first: a newer file may have keys that this reader would call unknown
    match table.get("schema").and_then(toml::Value::as_integer) {
        Some(SCHEMA) => {}
        Some(other) => return wrong(format!("schema = {other} is not {SCHEMA}, the version that this program reads")),
        None => return wrong(format!("there is no `schema = {SCHEMA}`, the version of the file's keys")),
    }
    let site: Site = match toml::from_str(text) {
        Ok(site) => site,
        Err(error) => {
            // the first with its line, then those of the other sections
            let mut problems = structure::problems(&table);
            if let Some(same) = problems.iter().position(|problem| problem.contains(error.message())) {
                problems.remove(same);
            }
            problems.insert(0, error.to_string());
            return Checked { site: None, problems, uncovered: Vec::new(), open };
        }
    };
    let (problems, uncovered) = (check::problems(&site, &table), check::uncovered(&site, &table));
    Checked { problems, uncovered, open, site: Some(site) }
}

/// The comments of a file that begin with TODO: `line 12: what is to be done`.
fn open(text: &str) -> Vec<String> {
    let todo = |(number, line): (usize, &str)| {
        let (_, comment) = line.split_once('#')?;
        Some(format!("line {number}: {}", comment.trim().strip_prefix("TODO")?.trim_start_matches([':', ' '])))
    };
    (1..).zip(text.lines()).filter_map(todo).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frontier() -> String {
        builtin_text("frontier").unwrap()
    }

    fn error(text: &str) -> String {
        format!("{:#}", parse(text, "mysite.toml").unwrap_err())
    }

    #[test]
    fn every_site_that_ships_is_right_and_says_where_each_value_comes_from() {
        let names = builtin_names();
        assert!(names.len() >= 15, "{names:?}");
        let mut wrong = Vec::new();
        for name in names {
            let text = builtin_text(&name).unwrap();
            let checked = check_text(&text);
            wrong.extend(checked.problems.iter().chain(&checked.uncovered).map(|line| format!("{name}: {line}")));
            if let Some(site) = checked.site {
                assert_eq!(site.name, name);
                assert!(text.starts_with("#:schema ./schema.json\n"), "{name}: editors need it");
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn an_unknown_site_lists_those_that_ship() {
        let error = load("fronteer", None).unwrap_err().to_string();
        assert!(error.contains("\"fronteer\"; sites that ship: archer2, aurora,"), "{error}");
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
    fn each_section_tells_its_first_mistake() {
        let text = frontier()
            .replace("kind = \"slurm\"", "kindd = \"slurm\"")
            .replace("max_nodes = 64", "max_nodes = \"64\"")
            .replace("beyond = \"rejected\"", "beyond = \"refused\"");
        let problems = check_text(&text).problems;
        assert!(problems.len() >= 4, "two limits are wrong as well: {problems:#?}");
        assert!(problems[0].contains("line "), "{}", problems[0]);
        let all = problems.join("\n");
        for needle in ["`kindd`", "queue.extended: invalid type", ": \"refused\" is not a consequence"] {
            assert!(all.contains(needle), "{needle}: {all}");
        }
    }

    #[test]
    fn what_is_left_to_do_is_told_with_its_line() {
        let text =
            frontier().replace("[scratch]", "# TODO: limits of the centre\n[scratch] # TODO where\n# no TODO here");
        let at = 1 + text.lines().position(|line| line.contains("TODO: limits")).unwrap();
        assert_eq!(
            check_text(&text).open,
            [format!("line {at}: limits of the centre"), format!("line {}: where", at + 1)]
        );
        assert!(check_text("schema = 7\n# TODO all").open == ["line 2: all"], "a wrong file has them, too");
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

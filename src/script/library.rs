//! The templates: those that ship, and those of a user's folder that win over them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use rust_embed::RustEmbed;
use tera::{Delimiters, Kwargs, State, Tera, Value};
use walkdir::WalkDir;

use super::shell;
use crate::record::vocabulary::Deployment;

/// The templates that ship with the program.
#[derive(RustEmbed)]
#[folder = "templates"]
struct Builtin;

const SUFFIX: &str = ".sh.tera";

/// All templates, parsed.
pub struct Library {
    tera: Tera,
    /// Parts that are the same for all permutations, by template and part.
    fixed: RefCell<HashMap<(String, &'static str), Value>>,
    /// What is being rendered: a text that grows from nothing each time costs a fifth of all time.
    buffer: RefCell<Vec<u8>>,
}

impl Library {
    /// Parses the templates that ship and those under `config`'s `templates/`, which win.
    ///
    /// # Errors
    /// A template that cannot be read or parsed; the message names it and shows where.
    pub fn new(config: Option<&Path>) -> Result<Library> {
        let mut sources: Vec<(String, String)> = Vec::new();
        for name in Builtin::iter() {
            let file = Builtin::get(&name).with_context(|| format!("the template {name} is gone"))?;
            sources.push((name.into_owned(), String::from_utf8(file.data.into_owned())?));
        }
        if let Some(folder) = config.map(|folder| folder.join("templates")).filter(|folder| folder.is_dir()) {
            for (name, text) in read_folder(&folder)? {
                sources.retain(|(known, _)| *known != name);
                sources.push((name, text));
            }
        }
        let mut tera = Tera::new();
        // Tera's own comment would begin in the middle of bash's ${#array[@]}
        let delimiters = Delimiters { comment_start: "<#".into(), comment_end: "#>".into(), ..Delimiters::default() };
        tera.set_delimiters(delimiters).map_err(|error| explain(&error))?;
        tera.autoescape_on([SUFFIX]);
        tera.set_escape_fn(shell::quote);
        tera.register_filter("directive", |text: &str, _: Kwargs, _: &State<'_>| {
            shell::directive(text).map(Value::safe_string).map_err(tera::Error::message)
        });
        tera.register_filter("comment", |text: &str, _: Kwargs, _: &State<'_>| {
            Value::safe_string(&shell::comment(text))
        });
        tera.add_raw_templates(sources).map_err(|error| explain(&error)).context("a template is wrong")?;
        Ok(Library { tera, fixed: RefCell::default(), buffer: RefCell::default() })
    }

    /// The template of a scheduler, such as `slurm`.
    pub fn scheduler(&self, name: &str) -> Result<String> {
        self.find("scheduler", name)
    }

    /// The template of a launcher, such as `srun`.
    pub fn launcher(&self, name: &str) -> Result<String> {
        self.find("launcher", name)
    }

    pub fn deployment(&self, deployment: Deployment) -> Result<String> {
        self.find("deployment", deployment.as_str())
    }

    /// Renders a template as a whole.
    pub fn whole(&self, template: &str, context: &tera::Context) -> Result<String> {
        let mut buffer = self.buffer.borrow_mut();
        buffer.clear();
        self.tera.render_to(template, context, &mut *buffer).map_err(|error| explain(&error))?;
        Ok(std::str::from_utf8(&buffer)?.to_owned())
    }

    /// Renders one part of a scheduler's, launcher's or deployment's template, which chooses it by the variable `part`.
    ///
    /// Not a block of Tera's: it renders a whole template to find one block of it.
    pub fn part(&self, template: &str, part: &'static str, context: &mut tera::Context) -> Result<String> {
        context.insert("part", part);
        self.whole(template, context)
    }

    /// Renders parts that know the site and nothing of a permutation, as a map that templates see: once, whatever `context`
    /// says later.
    pub fn fixed_parts(&self, template: &str, parts: &[&'static str], context: &mut tera::Context) -> Result<Value> {
        self.once(template, "parts", |library| {
            let mut map = tera::Map::new();
            for part in parts {
                map.insert((*part).into(), Value::from(library.part(template, part, context)?));
            }
            Ok(Value::from(map))
        })
    }

    /// Renders a template that depends on the site and on `case` alone: once for each case.
    pub fn fixed(&self, template: &str, case: &'static str, context: &tera::Context) -> Result<Value> {
        self.once(template, case, |library| library.whole(template, context).map(Value::from))
    }

    /// Whether [`Library::fixed`] has rendered that already.
    pub fn knows(&self, template: &str, case: &'static str) -> bool {
        self.fixed.borrow().contains_key(&(template.to_owned(), case))
    }

    fn once(
        &self,
        template: &str,
        case: &'static str,
        render: impl FnOnce(&Library) -> Result<Value>,
    ) -> Result<Value> {
        let key = (template.to_owned(), case);
        if let Some(value) = self.fixed.borrow().get(&key) {
            return Ok(value.clone()); // shared, not copied
        }
        let value = render(self)?;
        self.fixed.borrow_mut().insert(key, value.clone());
        Ok(value)
    }

    fn find(&self, folder: &str, name: &str) -> Result<String> {
        let template = format!("{folder}/{name}{SUFFIX}");
        if self.tera.contains_template(&template) {
            return Ok(template);
        }
        let prefix = format!("{folder}/");
        let stem = |template: &str| Some(template.strip_prefix(&prefix)?.strip_suffix(SUFFIX)?.to_owned());
        let mut known: Vec<String> = self.tera.get_template_names().filter_map(stem).collect();
        known.sort();
        bail!(
            "there is no {folder} template {name:?}; there are: {}. A further one is a file templates/{template} in a folder \
             given with --config",
            known.join(", ")
        )
    }
}

fn read_folder(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut sources = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        let name = entry.path().strip_prefix(folder)?.to_string_lossy().into_owned();
        if entry.file_type().is_file() && name.ends_with(SUFFIX) {
            let text = std::fs::read_to_string(entry.path())
                .with_context(|| format!("cannot read the template {}", entry.path().display()))?;
            sources.push((name, text));
        }
    }
    Ok(sources)
}

/// Tera's own message hides its causes: say them all.
fn explain(error: &tera::Error) -> anyhow::Error {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    anyhow!(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_inserts_is_quoted_even_where_its_author_forgot() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("templates/scheduler")).unwrap();
        std::fs::write(folder.path().join("templates/scheduler/mine.sh.tera"), "x={{ value }} n={{ number }}").unwrap();
        let library = Library::new(Some(folder.path())).unwrap();
        let mut context = tera::Context::new();
        context.insert("value", "$(id)");
        context.insert("number", &7);
        let text = library.whole(&library.scheduler("mine").unwrap(), &context).unwrap();
        assert_eq!(text, "x='$(id)' n=7");
    }

    #[test]
    fn an_unknown_template_lists_the_known_ones_and_the_remedy() {
        let error = Library::new(None).unwrap().scheduler("oar").unwrap_err().to_string();
        assert!(error.contains("\"oar\"; there are: flux, lsf, none, pbs, slurm"), "{error}");
        assert!(error.contains("templates/scheduler/oar.sh.tera"), "{error}");
    }

    #[test]
    fn a_wrong_template_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("templates/launcher")).unwrap();
        std::fs::write(folder.path().join("templates/launcher/srun.sh.tera"), "{% block command %}{{ oops").unwrap();
        let error = format!("{:#}", Library::new(Some(folder.path())).err().unwrap());
        assert!(error.contains("launcher/srun.sh.tera"), "{error}");
    }
}

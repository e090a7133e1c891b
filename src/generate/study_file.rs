//! The resolved study beside the scripts: everything that was said by flags, study file and site, in one file that
//! generates the same again.

use anyhow::{Context, Result};

use super::planner::Planner;
use crate::study::StudyFile;

/// Name of the resolved study in the folder of the scripts.
pub const FILE: &str = "study.toml";

/// The text of the resolved study.
pub fn render(planner: &Planner<'_>) -> Result<String> {
    let rules = planner.rules.clone();
    let study = StudyFile {
        description: None,
        site: Some(planner.site_name.clone()),
        zip: rules.zip,
        axes: planner.study.to_axes(),
        job: planner.settings.clone(),
        set: planner.given.clone(),
        exclude: rules.exclude,
        include: rules.include,
        when: rules.when,
    };
    let text = toml::to_string(&study).context("cannot encode the study")?;
    Ok(format!(
        "# What the scripts beside this file were made from: flags, study file, the site's own study and defaults together.\n\
         # `shardscale gen --study THIS_FILE --out FOLDER` makes the same again.\n{text}"
    ))
}

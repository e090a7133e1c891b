//! Flags of `shardscale size` and `shardscale next`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};

use shardscale::collect::sizing::question::Asked;

/// What goes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AnswerFormat {
    /// A few lines for each store.
    Text,
    /// Everything, as one JSON object.
    Json,
}

/// What is asked, by what was measured.
#[derive(Debug, Args)]
pub struct QuestionArgs {
    /// Folders with runs, measured by one application of the same kind.
    #[arg(default_value = "out")]
    pub dirs: Vec<PathBuf>,

    /// File that asks, in TOML: `ranks = 24576`, `tensor_bytes = "1MiB"`, `p99 = "50ms"`, with the names of the flags and _ for -.
    /// Flags win.
    #[arg(long, value_name = "FILE")]
    question: Option<PathBuf>,

    /// Most DB nodes that come into question. Default: 16 times the most that were measured.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub most_db_nodes: Option<u32>,

    // last, since the headings of its flags hold for all that follow
    #[command(flatten)]
    asked: Asked,
}

impl QuestionArgs {
    /// What flags and file ask together.
    ///
    /// # Errors
    /// A wrong file.
    pub fn asked(&self) -> Result<Asked> {
        let file = self.question.as_deref().map(Asked::load).transpose()?.unwrap_or_default();
        Ok(self.asked.clone().or(file))
    }
}

#[derive(Debug, Args)]
pub struct SizeArgs {
    /// What goes to stdout.
    #[arg(long, value_enum, default_value_t = AnswerFormat::Text)]
    pub format: AnswerFormat,

    #[command(flatten)]
    pub of: QuestionArgs,
}

#[derive(Debug, Args)]
pub struct NextArgs {
    /// Most that the proposed runs may cost together, in the charge unit of the study's site, or in node-hours where it charges nothing.
    #[arg(long, value_name = "UNITS", default_value_t = 100.0)]
    pub budget: f64,

    /// Write a study of the proposed runs, for `shardscale gen --study FILE`.
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,

    /// Study that made the runs, with its site. Default: study.toml in the first folder.
    #[arg(long, value_name = "FILE")]
    pub study: Option<PathBuf>,

    /// Folder whose site-configs/ wins over the sites that ship.
    #[arg(long, value_name = "DIR", env = "SHARDSCALE_CONFIG", value_parser = super::parse_config)]
    pub config: Option<PathBuf>,

    #[command(flatten)]
    pub of: QuestionArgs,
}

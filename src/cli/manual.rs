//! Flags of `completions`, `man` and `version`.

use std::path::PathBuf;

use clap_complete::Shell;

#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// Shell that is to complete commands, flags and values.
    pub shell: Shell,
}

#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Folder for the pages; it is made where there is none.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct VersionArgs {
    /// Also commit, target, profile, compiler and features of the build, for a report of what was measured or went wrong.
    #[arg(long)]
    pub long: bool,
}

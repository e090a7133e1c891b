//! Flags of `completions` and `man`.

use std::path::PathBuf;

use clap_complete::Shell;

#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// Shell that is to complete commands, flags and words.
    pub shell: Shell,
}

#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Folder for the pages; it is made where there is none.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

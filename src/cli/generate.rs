//! Flags of `shardscale gen`.

use std::path::PathBuf;

use clap::Args;

use shardscale::generate::{Mode, Request};
use shardscale::record::binding::CpuBind;
use shardscale::study::{Axes, Settings};

#[derive(Debug, Args)]
pub struct GenArgs {
    /// Name of a site that ships (`shardscale sites` lists them), or path of a site file. Default: the study file's.
    #[arg(long, required_unless_present = "study")]
    site: Option<String>,

    /// Name of a study that ships (smartsim-standard, smartsim-colocated, smartsim-aggregation, smartsim-inference-standard,
    /// smartsim-inference-colocated), or path of a study file. Flags win over what it says, and it wins over the site's own study.
    #[arg(long, value_name = "STUDY")]
    study: Option<String>,

    /// Folder for scripts and run directories.
    #[arg(long, default_value = "out", value_name = "DIR")]
    out: PathBuf,

    /// Folder whose site-configs/ and templates/ win over those that ship.
    #[arg(long, value_name = "DIR", env = "SHARDSCALE_CONFIG", value_parser = super::parse_config)]
    config: Option<PathBuf>,

    /// Write nothing; show the permutations, what each costs, what is refused and why, and a drawing of a node's cores.
    #[arg(long, conflicts_with_all = ["diff", "prune"])]
    dry_run: bool,

    /// Write nothing; say what is new, changed, unchanged, measured already, or in the folder but not in the study (orphaned).
    #[arg(long, conflicts_with = "prune")]
    diff: bool,

    /// Remove scripts and run directories that are in the folder but not in the study. Those with results stay.
    #[arg(long)]
    prune: bool,

    /// Refuse if all jobs together may cost more, in the site's charge unit, each taking its whole wall time.
    #[arg(long, value_name = "UNITS")]
    budget: Option<f64>,

    /// Leave out permutations that cannot run, and generate the others.
    #[arg(long)]
    skip_refused: bool,

    #[command(flatten)]
    axes: Axes,

    /// Who decides on which CPUs servers and ranks run: none (the operating system), scheduler, mask (ShardScale computes
    /// masks), mask-db (for the servers only), mask-app (for the ranks only), or masks of your own, one for each rank of a
    /// node: mask:[db=0x..,]0x..,0x.. or map:[db=0-7,]8,9,... Default: the site's study.
    // a type of its own: clap would take `Vec` for an argument that is given several times
    #[arg(long, value_name = "LIST", value_parser = CpuBind::parse_list, help_heading = Axes::HEADING)]
    cpu_bind: Option<Bindings>,

    #[command(flatten, next_help_heading = JOB)]
    settings: Settings,

    /// Account or project that pays: short for --set account=NAME.
    #[arg(long, value_name = "NAME", help_heading = JOB)]
    account: Option<String>,

    /// A value that the site asks for, such as filesystems=home:eagle; `shardscale sites show NAME` lists them. May be given
    /// several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_answer, help_heading = JOB)]
    set: Vec<(String, String)>,

    /// Path of shardscale-client on the compute nodes. Default: beside this program, else from PATH.
    #[arg(long, value_name = "PATH", help_heading = JOB)]
    client: Option<PathBuf>,
}

const JOB: &str = "The job";

type Bindings = Vec<CpuBind>;

impl GenArgs {
    /// The request that these flags mean.
    pub fn into_request(self) -> Request {
        let account = self.account.map(|account| ("account".to_owned(), account));
        Request {
            site: self.site,
            study: self.study,
            config: self.config,
            axes: Axes { cpu_bind: self.cpu_bind, ..self.axes },
            settings: self.settings,
            answers: account.into_iter().chain(self.set).collect(),
            out: self.out,
            client: self.client.unwrap_or_else(find_client),
            mode: match (self.dry_run, self.diff) {
                (true, _) => Mode::DryRun,
                (_, true) => Mode::Diff,
                _ => Mode::Write { prune: self.prune },
            },
            budget: self.budget,
            skip_refused: self.skip_refused,
            only: Vec::new(),
        }
    }
}

fn parse_answer(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The client beside this program, where a build or an installation puts both; else a name for PATH.
pub fn find_client() -> PathBuf {
    let name = PathBuf::from("shardscale-client");
    let beside = std::env::current_exe().ok().map(|program| program.with_file_name(&name));
    beside.filter(|path| path.exists()).unwrap_or(name)
}

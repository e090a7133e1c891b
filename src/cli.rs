//! What the user typed. No logic: flags, their help, and their translation into requests.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use shardscale::collect::CollectOptions;
use shardscale::generate::Request;
use shardscale::record::binding::CpuBind;
use shardscale::record::units::parse_tensor_bytes;
use shardscale::record::vocabulary::{Barrier, Deployment, Distribution, KeyPlacement, Store, Transport, Wire};
use shardscale::site::Walltime;
use shardscale::study::Axes;

/// Measure how an in-memory tensor store scales on a supercomputer.
///
/// `shardscale gen --site frontier` writes job scripts, `sbatch out/*.sh` runs them, `shardscale collect out/` reports.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write one job script and one run directory for each permutation of the axes.
    Gen(Box<GenArgs>),
    /// Read all runs below a folder and write the report: CSV files, an HTML page, a Markdown summary.
    ///
    /// Ends with exit code 0 when every run was measured as asked, 3 when some are missing, failed, partial or invalid.
    Collect(CollectArgs),
}

#[derive(Debug, Args)]
pub struct CollectArgs {
    /// Folder that `shardscale gen` wrote.
    #[arg(default_value = "out")]
    dir: PathBuf,

    /// Folder for the report. Default: DIR/report.
    #[arg(long, value_name = "REPORT")]
    out: Option<PathBuf>,
}

impl CollectArgs {
    /// The options that these flags mean.
    pub fn into_options(self) -> CollectOptions {
        CollectOptions { dir: self.dir, out: self.out }
    }
}

/// A closed set of words as a flag's value, listed in `--help` and in errors.
macro_rules! word {
    ($type:ty) => {
        PossibleValuesParser::new(<$type>::NAMES).map(|text| <$type>::from_str(&text).expect("clap has checked it"))
    };
}

#[derive(Debug, Args)]
pub struct GenArgs {
    /// Name of a site that ships (frontier, local, polaris), or path of a site file.
    #[arg(long)]
    site: String,

    /// Folder for scripts and run directories.
    #[arg(long, default_value = "out", value_name = "DIR")]
    out: PathBuf,

    /// Folder whose site-configs/ and templates/ win over those that ship.
    #[arg(long, value_name = "DIR", env = "SHARDSCALE_CONFIG")]
    config: Option<PathBuf>,

    /// Where the store runs. Default: the site's study.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Deployment), help_heading = AXES)]
    deployment: Option<Vec<Deployment>>,

    /// Nodes on which the application runs. Default: the site's study.
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
    client_nodes: Option<Vec<u32>>,

    /// Ranks on each application node. Default: the site's study.
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
    clients_per_node: Option<Vec<u32>>,

    /// Cores for each rank. Default: 1.
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
    client_cpus: Option<Vec<u32>>,

    /// Nodes with one shard each; standard deployment only. Default: the site's study.
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
    db_nodes: Option<Vec<u32>>,

    /// CPUs for each server. Default: the site's study.
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
    db_cpus: Option<Vec<u32>>,

    /// Who decides on which CPUs servers and ranks run: none (the operating system), scheduler, mask (ShardScale computes
    /// masks), mask-db (for the servers only), mask-app (for the ranks only), or masks of your own, one for each rank of a node:
    /// mask:[db=0x..,]0x..,0x.. or map:[db=0-7,]8,9,... Default: the site's study.
    #[arg(long, value_name = "LIST", value_parser = CpuBind::parse_list, help_heading = AXES)]
    cpu_bind: Option<std::vec::Vec<CpuBind>>,

    /// How ranks are dealt to the L3 groups of a node where ShardScale places them. Default: packed.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Distribution), help_heading = AXES)]
    distribution: Option<Vec<Distribution>>,

    /// Interfaces on which shards listen; standard deployment only. Default: the site's study.
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
    net_ifname: Option<Vec<String>>,

    /// Interfaces on which a colocated server listens for TCP. Default: lo.
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
    colocated_ifname: Option<Vec<String>>,

    /// What carries the bytes; a UNIX socket serves colocated deployments only. Default: tcp.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Transport), help_heading = AXES)]
    transport: Option<Vec<Transport>>,

    /// Server programs. Default: redis.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Store), help_heading = AXES)]
    store: Option<Vec<Store>>,

    /// I/O threads of each server. Default: 1.
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
    io_threads: Option<Vec<u32>>,

    /// How keys fall on shards: as SmartRedis names them, or evenly. Default: hash.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(KeyPlacement), help_heading = AXES)]
    keys: Option<Vec<KeyPlacement>>,

    /// How many times each point is measured, each by a job of its own. Default: 1.
    #[arg(long, value_name = "N", help_heading = AXES)]
    repeats: Option<u32>,

    /// Tensor sizes that each launch goes through, as bytes, KiB, MiB (1024s), kB or MB (1000s). Default: SmartSim-Scaling's
    /// eleven sizes from 1024 to 4096000 bytes.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_tensor_bytes, help_heading = SWEEP)]
    tensor_bytes: Option<Vec<u64>>,

    /// Timed iterations for each size. Default: 100.
    #[arg(long, value_name = "N", help_heading = SWEEP)]
    iterations: Option<u32>,

    /// Iterations before them, recorded and marked as warm-up. Default: 10.
    #[arg(long, value_name = "N", help_heading = SWEEP)]
    warmup: Option<u32>,

    /// When ranks wait for each other. Default: size.
    #[arg(long, value_parser = word!(Barrier), help_heading = SWEEP)]
    barrier: Option<Barrier>,

    /// How a tensor is put into a command; auto takes redisai where the server offers it. Default: auto.
    #[arg(long, value_parser = word!(Wire), help_heading = SWEEP)]
    wire: Option<Wire>,

    /// Compare every byte read with what was written, outside the timed section.
    #[arg(long, help_heading = SWEEP)]
    verify: bool,

    /// Account or project that pays: short for --set account=NAME.
    #[arg(long, value_name = "NAME", help_heading = JOB)]
    account: Option<String>,

    /// A value that the site asks for, such as filesystems=home:eagle; `shardscale sites show NAME` lists them. May be given
    /// several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_answer, help_heading = JOB)]
    set: Vec<(String, String)>,

    /// Row of the site's queues. Default: the first that admits the job.
    #[arg(long, value_name = "NAME", help_heading = JOB)]
    queue: Option<String>,

    /// Wall time of each job. Default: the site's.
    #[arg(long, value_name = "HH:MM:SS", help_heading = JOB)]
    walltime: Option<Walltime>,

    /// A further directive for the scheduler, without its prefix; may be given several times.
    #[arg(long = "directive", value_name = "TEXT", allow_hyphen_values = true, help_heading = JOB)]
    directives: Vec<String>,

    /// Path of shardscale-client on the compute nodes. Default: beside this program, else from PATH.
    #[arg(long, value_name = "PATH", help_heading = JOB)]
    client: Option<PathBuf>,

    /// Path of the server program on the compute nodes. Default: the site's, else redis-server (or its kin) from PATH.
    #[arg(long, value_name = "PATH", help_heading = JOB)]
    store_server: Option<String>,

    /// Generate the others where some permutations cannot run.
    #[arg(long)]
    skip_refused: bool,
}

const AXES: &str = "Axes (comma-separated lists; their product is generated)";
const SWEEP: &str = "What each launch of the client goes through";
const JOB: &str = "The job";

impl GenArgs {
    /// The request that these flags mean.
    pub fn into_request(self) -> Request {
        Request {
            site: self.site,
            config: self.config,
            axes: Axes {
                deployment: self.deployment,
                client_nodes: self.client_nodes,
                clients_per_node: self.clients_per_node,
                client_cpus: self.client_cpus,
                db_nodes: self.db_nodes,
                db_cpus: self.db_cpus,
                cpu_bind: self.cpu_bind,
                distribution: self.distribution,
                net_ifname: self.net_ifname,
                colocated_ifname: self.colocated_ifname,
                transport: self.transport,
                store: self.store,
                io_threads: self.io_threads,
                keys: self.keys,
                repeats: self.repeats,
                wire: self.wire,
                tensor_bytes: self.tensor_bytes,
                iterations: self.iterations,
                warmup: self.warmup,
                barrier: self.barrier,
                verify: self.verify.then_some(true),
            },
            out: self.out,
            answers: self.account.map(|account| ("account".to_owned(), account)).into_iter().chain(self.set).collect(),
            queue: self.queue,
            walltime: self.walltime,
            directives: self.directives,
            client: self.client.unwrap_or_else(find_client),
            server: self.store_server,
            skip_refused: self.skip_refused,
        }
    }
}

fn parse_answer(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The client beside this program, where a build or an installation puts both; else a name for PATH.
fn find_client() -> PathBuf {
    let name = PathBuf::from("shardscale-client");
    let beside = std::env::current_exe().ok().map(|program| program.with_file_name(&name));
    beside.filter(|path| path.exists()).unwrap_or(name)
}

//! The on-disk record: everything that `gen`, the job scripts, the client and `collect` tell each other.
//!
//! This module knows file names, formats and their versions. It must not know how scripts are made, how a tensor is
//! timed or how a report looks; it uses neither MPI nor a scheduler.
//!
//! ```text
//! out/NAME.sh                    the job script                                  gen
//! out/NAME/run.toml              manifest: what is to be measured                gen            -> [`manifest`]
//! out/pack-ID.sh                 a job script that runs several permutations     gen
//! out/pack-ID/pack.toml          which ones, and in which order                  gen            -> [`pack`]
//! out/rehearsal/                 run directories that measure nothing             rehearse       -> [`rehearsal`]
//! out/NAME/job.sh                script of a permutation inside a pack           gen
//! out/NAME/db.sh                 script of the database's own job, where it has one gen            -> [`jobs`]
//! out/NAME/job-*.log, *.OU       what the scheduler caught of stdout and stderr  scheduler      -> [`jobs`]
//! out/NAME/attempt-N/            one execution of the script, mode 0700          client begin   -> [`attempt`]
//!     status                     one line an event, appended                     job script     -> [`status`]
//!     pack.json                  its place in a pack                             client begin   -> [`pack`]
//!     progress.json              how far rank 0 is, replaced as a whole          client run     -> [`progress`]
//!     samples.bin                every sample of every rank                      client run     -> [`samples`]
//!     environment.json           MPI, nodes, limits, interfaces, as found        client run     -> [`environment`]
//!     store.json                 what each shard said before and after           client run     -> [`store`]
//!     keys.json                  tensors in a store that others use, till removed   client run     -> [`keys_left`]
//!     client-error.json          the first rank that failed                      client run     -> [`attempt`]
//!     left.json                  the first rank that left without MPI_Finalize   client run     -> [`attempt`]
//!     server-N.json              one store server: address, CPUs, how it ended   client serve   -> [`server`]
//!     cause.json                 why it cannot go on, from who knew it first     client, script -> [`cause`]
//!     shards.json                who shall reach whom in a cluster                client await-store -> [`bus`]
//!     db-job-ended               exit code of the database's own job             job script     -> [`jobs`]
//!     stopping                   from here on servers end because they shall     client stop-store
//!     password                   of the store, mode 0600, removed at the end     client begin
//!     store.log, client.log      what they printed                               job script
//! out/report/                    the consolidated report                         collect
//! ```
//!
//! A reader accepts its own [`SCHEMA`] and every earlier one, and says so when a file is newer than itself.

pub mod aggregation;
pub mod attempt;
pub mod binding;
pub mod bus;
pub mod cause;
pub mod compute;
pub mod cpus;
pub mod environment;
pub mod files;
pub mod folder;
pub mod host;
pub mod inference;
pub mod interfaces;
pub mod jobs;
pub mod keys_left;
pub mod malloc_conf;
pub mod manifest;
pub mod module;
pub mod op;
pub mod pack;
pub mod placement;
pub mod product;
pub mod progress;
pub mod rehearsal;
pub mod samples;
pub mod server;
pub mod slots;
pub mod spelled;
pub mod status;
pub mod store;
pub mod time;
pub mod units;
pub mod vocabulary;
pub mod walltime;
pub mod workload;

use anyhow::Context;

/// Version of every file in this record. It grows when a reader of the old version would misread or refuse the new one.
///
/// - 2: the manifest has placement, cores a rank, distribution, node types and the origin of the database.
pub const SCHEMA: u32 = 2;

/// Reads a TOML file of this record; `what` names it in errors.
fn parse_toml<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> anyhow::Result<T> {
    // the version first: a newer file may have fields that this reader would call unknown
    #[derive(serde::Deserialize)]
    struct Version {
        schema: u32,
    }
    let version: Version = toml::from_str(text).with_context(|| format!("{what} is no manifest"))?;
    check_schema(version.schema, what)?;
    toml::from_str(text).with_context(|| format!("{what} is damaged"))
}

/// Refuses a file that a newer ShardScale wrote; `what` names the file for the message.
pub fn check_schema(found: u32, what: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        (1..=SCHEMA).contains(&found),
        "{what} has schema version {found}, this ShardScale reads 1 to {SCHEMA}: use the release that wrote it, or a newer one"
    );
    Ok(())
}

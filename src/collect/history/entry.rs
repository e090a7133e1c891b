//! What a file of the history holds: the runs of a collection, reduced to what a comparison over time needs.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use crc::{CRC_64_XZ, Crc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::built;
use crate::collect::baseline::{columns, has_figures, key};
use crate::collect::circumstances::{self, Side};
use crate::collect::model::Run;
use crate::collect::params::{COLUMNS, OF_SERVERS, Params};
use crate::collect::stats::interval;
use crate::record::op::Op;
use crate::record::vocabulary::Store;

/// Version of the files. A reader takes its own and every earlier one.
pub const SCHEMA: u32 = 1;

const CRC: Crc<u64> = Crc::<u64>::new(&CRC_64_XZ);

/// A file of `shardscale collect --history`: what a collection found. Names end with their unit: us are microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "shardscale collect --history")]
pub struct Entry {
    /// Version of this schema; a number, as in all files that ShardScale itself reads again.
    pub schema: u32,
    pub collected_utc: String,
    /// Version of `shardscale` that collected.
    pub collected_by: String,
    /// Commit that it was built from, as [`built::COMMIT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    pub sites: Vec<String>,
    /// Parameters that this version knows: what is none of them was not asked yet.
    pub columns: Vec<String>,
    pub configurations: Vec<Configuration>,
}

/// Runs that are repeats of each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Configuration {
    /// Name of the first run.
    pub run: String,
    /// When the last run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_utc: Option<String>,
    /// Those by which runs are paired.
    pub parameters: Params,
    /// Product and wire, which make measurements of another kind.
    pub product: String,
    pub wire: String,
    /// What else may explain a figure.
    pub environment: Side,
    /// What tells each run from every other measurement, whatever it is called and wherever it lies.
    pub runs: Vec<String>,
    pub figures: Vec<Figure>,
}

/// An op at a size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    #[schemars(with = "String")]
    pub op: Op,
    pub payload_bytes: u64,
    /// Of each run that has it; what is read. The others are for those who read the file with other tools.
    pub run_medians_us: Vec<f64>,
    /// Their geometric mean.
    pub median_us: f64,
    /// 99 %, from three runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_us_ci99: Option<(f64, f64)>,
}

impl Entry {
    /// Of the runs that have figures to compare.
    pub fn of(runs: &[Run], collected_utc: String) -> Entry {
        let mut groups: BTreeMap<_, Vec<&Run>> = BTreeMap::new();
        for run in runs.iter().filter(|run| has_figures(run)) {
            groups.entry((key(&run.params), circumstances::identity(run))).or_default().push(run);
        }
        let mut configurations: Vec<Configuration> = groups.values().map(|runs| configuration(runs)).collect();
        configurations.sort_by(|a, b| alphanumeric_sort::compare_str(&a.run, &b.run));
        let mut sites: Vec<String> = configurations.iter().map(|one| one.parameters.text("site")).collect();
        sites.sort();
        sites.dedup();
        Entry {
            schema: SCHEMA,
            collected_utc,
            collected_by: env!("CARGO_PKG_VERSION").to_owned(),
            commit: Some(built::COMMIT.to_owned()),
            sites,
            columns: COLUMNS.iter().map(|(column, _)| (*column).to_owned()).collect(),
            configurations,
        }
    }

    /// Date of the last run and a checksum of what was measured: the same measurements always have the same name.
    pub fn name(&self) -> Result<String> {
        let hash = CRC.checksum(&serde_json::to_vec(&self.configurations)?);
        let last = self.configurations.iter().filter_map(|one| one.measured_utc.as_deref()).max();
        let date = last.map_or("undated".to_owned(), |utc| utc.chars().filter(char::is_ascii_alphanumeric).collect());
        Ok(format!("{date}-{hash:016x}.json"))
    }

    /// Whether its figures can be used.
    ///
    /// # Errors
    /// A median that is no duration, or a configuration without runs.
    pub fn check(&self) -> Result<()> {
        for one in &self.configurations {
            ensure!(!one.runs.is_empty(), "{} has no runs", one.run);
            for figure in &one.figures {
                let medians = &figure.run_medians_us;
                let is_sound = !medians.is_empty() && medians.iter().all(|us| us.is_finite() && *us > 0.0);
                ensure!(
                    is_sound,
                    "{} has a {} at {} bytes that is no duration",
                    one.run,
                    figure.op,
                    figure.payload_bytes
                );
            }
        }
        Ok(())
    }

    /// Fills in what its version did not ask yet, as an old manifest is read.
    pub fn complete(&mut self) {
        let unknown = columns().filter(|column| self.columns.iter().all(|known| known != column));
        let assumed: Vec<_> = unknown.filter_map(|column| Some((column, Params::assumed(column)?))).collect();
        for one in &mut self.configurations {
            let has_servers = one.product.parse().map_or(true, Store::has_servers);
            for (column, value) in assumed.iter().filter(|(column, _)| has_servers || !OF_SERVERS.contains(column)) {
                one.parameters.set(column, Some(value.clone()));
            }
        }
    }
}

fn configuration(runs: &[&Run]) -> Configuration {
    let (product, wire) = circumstances::identity(runs[0]).unwrap_or_default();
    let mut parameters = Params::default();
    columns().for_each(|column| parameters.set(column, runs[0].params.get(column).cloned()));
    let mut medians: BTreeMap<(Op, u64), Vec<f64>> = BTreeMap::new();
    for size in runs.iter().flat_map(|run| run.sizes()) {
        for op in size.ops.iter().filter(|op| op.latency.median > 0.0) {
            medians.entry((op.op, size.payload_bytes)).or_default().push(op.latency.median / 1e3);
        }
    }
    let figure = |((op, payload_bytes), run_medians_us): ((Op, u64), Vec<f64>)| Figure {
        op,
        payload_bytes,
        median_us: interval::geometric_mean(&run_medians_us).unwrap_or_default(),
        median_us_ci99: interval::of_repeats(&run_medians_us),
        run_medians_us,
    };
    Configuration {
        run: runs[0].name.clone(),
        measured_utc: runs.iter().filter_map(|run| circumstances::started(run)).max(),
        parameters,
        product,
        wire,
        environment: circumstances::with_hosts(runs),
        runs: runs.iter().map(|run| identity(run)).collect(),
        figures: medians.into_iter().map(figure).collect(),
    }
}

/// From when it began and what it measured.
fn identity(run: &Run) -> String {
    let mut digest = CRC.digest();
    digest.update(circumstances::started(run).unwrap_or_default().as_bytes());
    for size in run.sizes() {
        digest.update(&size.payload_bytes.to_le_bytes());
        for op in &size.ops {
            digest.update(op.op.as_str().as_bytes());
            digest.update(&op.latency.median.to_bits().to_le_bytes());
        }
    }
    format!("{:016x}", digest.finalize())
}

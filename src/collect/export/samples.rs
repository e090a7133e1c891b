//! The samples of a run as a Parquet file.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use parquet::data_type::ByteArray;

use super::for_each_series;
use super::table::{Shared, Table};
use crate::collect::model::{Run, Source};
use crate::collect::read::smartsim;
use crate::record::samples::SeriesView;

pub fn fill(dir: &Path, run: &Run, file: std::fs::File) -> Result<()> {
    let mut table = Table::new(file, &run.path, &run.name)?;
    match run.source {
        Source::SmartSimScaling => fill_from_session(&dir.join(&run.path), run, &mut table)?,
        Source::ShardScale => {
            // rows share the name of their host
            let mut names: BTreeMap<String, ByteArray> = BTreeMap::new();
            for_each_series(dir, run, |series, op, host| {
                if !names.contains_key(host) {
                    names.insert(host.to_owned(), host.into());
                }
                let SeriesView { payload_bytes, rank, warmup, shard, .. } = *series;
                let shared = Shared { payload_bytes, op, rank, warmup, place: Some((names[host].clone(), shard)) };
                table.push(&shared, series.samples().map(|(start_ns, ns)| (Some(start_ns), ns)))
            })?;
        }
    }
    table.finish()
}

fn fill_from_session(folder: &Path, run: &Run, table: &mut Table) -> Result<()> {
    let payload_bytes = run.sizes().first().map_or(0, |size| size.payload_bytes);
    smartsim::for_each_rank(folder, |rank, op, timings| {
        let shared = Shared { payload_bytes, op, rank, warmup: 0, place: None };
        table.push(&shared, timings.iter().map(|ns| (None, ns)))
    })
}

//! Appending blocks to a buffer: what rank 0 writes in bulk.

use anyhow::{Context, Result, ensure};

use super::{
    BLOCK_HEADER, BLOCK_MAGIC, Effort, FILE_HEADER, FILE_MAGIC, HostClock, KIND_ALONE, KIND_CLOCKS, KIND_EFFORT,
    KIND_END, KIND_META, KIND_RANKS, KIND_SAMPLES, Meta, RankInfo, STEPS_FROM_START, Series,
};
use crate::record::SCHEMA;

/// The bytes that every file begins with.
pub fn file_header() -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    header[..8].copy_from_slice(FILE_MAGIC);
    header[8..12].copy_from_slice(&SCHEMA.to_le_bytes());
    header
}

/// Appends the block that describes the run.
pub fn push_meta(to: &mut Vec<u8>, meta: &Meta) -> Result<()> {
    push_json(to, KIND_META, &serde_json::to_string(meta).context("cannot encode the run's description")?)
}

/// Appends the block that describes the ranks.
pub fn push_ranks(to: &mut Vec<u8>, ranks: &[RankInfo]) -> Result<()> {
    push_json(to, KIND_RANKS, &serde_json::to_string(ranks).context("cannot encode the ranks' description")?)
}

/// Appends the block that says what a size cost the ranks.
pub fn push_effort(to: &mut Vec<u8>, effort: &Effort) -> Result<()> {
    push_json(to, KIND_EFFORT, &serde_json::to_string(effort).context("cannot encode the ranks' effort")?)
}

/// Appends the block with the clocks of all hosts at the end, in the order of [`Meta::hosts`].
pub fn push_clocks(to: &mut Vec<u8>, clocks: &[HostClock]) -> Result<()> {
    push_json(to, KIND_CLOCKS, &serde_json::to_string(clocks).context("cannot encode the clocks")?)
}

/// Appends the block that says that the sweep was finished.
pub fn push_end(to: &mut Vec<u8>) {
    push_block(to, KIND_END, |_| {}, |_| {});
}

/// Appends the samples of one rank, op and size.
///
/// # Panics
/// If the two columns differ in length: an error of the caller.
pub fn push_series(to: &mut Vec<u8>, series: &Series<'_>) {
    push_samples(to, KIND_SAMPLES, series);
}

/// Appends what one rank computed alone: samples of no size.
///
/// # Panics
/// As [`push_series`].
pub fn push_alone(to: &mut Vec<u8>, series: &Series<'_>) {
    push_samples(to, KIND_ALONE, series);
}

fn push_samples(to: &mut Vec<u8>, kind: u16, series: &Series<'_>) {
    let n = series.durations_ns.len();
    assert_eq!(n, series.starts_ns.len(), "a start for each duration");
    // starts of a series do not fall; anything else would be an error of the clock
    let step = |i: usize| match i {
        0 => 0,
        _ => (series.starts_ns[i] - series.starts_ns[i - 1]).max(0).cast_unsigned(),
    };
    let wide = (0..n).any(|i| series.durations_ns[i] > u64::from(u32::MAX) || step(i) > u64::from(u32::MAX));
    let width: u16 = if wide { 8 } else { 4 };
    let push_value = |to: &mut Vec<u8>, value: u64| match wide {
        true => to.extend_from_slice(&value.to_le_bytes()),
        false => to.extend_from_slice(&(value as u32).to_le_bytes()),
    };
    push_block(
        to,
        kind,
        |header| {
            header[10..12].copy_from_slice(&width.to_le_bytes());
            header[16..20].copy_from_slice(&series.rank.to_le_bytes());
            header[20..22].copy_from_slice(&(series.op as u16).to_le_bytes());
            header[22..24].copy_from_slice(&STEPS_FROM_START.to_le_bytes());
            header[24..32].copy_from_slice(&series.payload_bytes.to_le_bytes());
            header[32..36].copy_from_slice(&(n as u32).to_le_bytes());
            header[36..40].copy_from_slice(&series.warmup.to_le_bytes());
            header[40..48].copy_from_slice(&series.starts_ns.first().copied().unwrap_or(0).to_le_bytes());
            header[48..56].copy_from_slice(&series.loop_ns.to_le_bytes());
            header[56..60].copy_from_slice(&series.shard.to_le_bytes());
            header[60..64].copy_from_slice(&series.size_index.to_le_bytes());
        },
        |to| {
            series.durations_ns.iter().for_each(|duration| push_value(to, *duration));
            (0..n).for_each(|i| push_value(to, step(i)));
        },
    );
}

fn push_json(to: &mut Vec<u8>, kind: u16, json: &str) -> Result<()> {
    ensure!(u32::try_from(json.len() + 8).is_ok(), "a description of {} bytes does not fit a block", json.len());
    push_block(
        to,
        kind,
        |_| {},
        |to| {
            to.extend_from_slice(json.as_bytes());
            // JSON may end in blanks
            to.resize(to.len() + json.len().wrapping_neg() % 8, b' ');
        },
    );
    Ok(())
}

fn push_block(to: &mut Vec<u8>, kind: u16, head: impl FnOnce(&mut [u8]), payload: impl FnOnce(&mut Vec<u8>)) {
    let start = to.len();
    to.resize(start + BLOCK_HEADER, 0);
    payload(to);
    let length = (to.len() - start - BLOCK_HEADER) as u32;
    let header = &mut to[start..start + BLOCK_HEADER];
    header[..4].copy_from_slice(BLOCK_MAGIC);
    header[8..10].copy_from_slice(&kind.to_le_bytes());
    header[12..16].copy_from_slice(&length.to_le_bytes());
    head(header);
    let crc = crc32fast::hash(&to[start + 8..]);
    to[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

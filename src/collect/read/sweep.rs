//! Reads one `samples.bin` and reduces its sizes, one size's samples in memory at a time.
//!
//! A size is complete when every rank of the run's communicator has a series of the asked length for all ops. Only
//! complete sizes are reduced; the others are named.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::check;
use super::placement::{self, Seat};
use super::sizes::{Sizes, Windows};
use crate::collect::measures::standing::{self, Ratios};
use crate::collect::model::{Measured, OpResult, SizeResult, Standing};
use crate::collect::stats::window::Window;
use crate::collect::timeline::{MOST_STRAGGLERS, RankSpans, SizeSpan, Timeline};
use crate::record::manifest::Manifest;
use crate::record::samples::{self, Block, Contents, Flaw, Meta, RankInfo, SamplesStream, SeriesView};
use crate::record::units::show_bytes;
use crate::record::vocabulary::Role;

/// Part of a window above which the clocks' error bound is worth a note.
const NOTABLE_CLOCK_ERROR: f64 = 0.05;

/// What a samples file says, reduced.
#[derive(Debug)]
pub struct Reading {
    pub measured: Measured,
    /// All of it but the events of the script.
    pub timeline: Timeline,
    /// Where the ranks ran.
    pub seats: Vec<Seat>,
    /// What differs from the manifest, in words; for a file that is whole also the sizes that are not.
    pub contradictions: Vec<String>,
    pub notes: Vec<String>,
    /// Where the file breaks off.
    pub torn: Option<String>,
    /// The client finished its sweep.
    pub ended: bool,
}

/// Reads and reduces the samples at `path`; `Ok(None)` where there are none. `tell` hears how many bytes more were read.
///
/// # Errors
/// A file that is unreadable, of another kind, or broken before it says what was measured; the message names it.
pub fn read(path: &Path, manifest: &Manifest, tell: &dyn Fn(u64)) -> Result<Option<Reading>> {
    let opened = SamplesStream::open(path).context("cannot use the samples").map_err(|error| nameable(path, &error))?;
    let Some(mut stream) = opened else { return Ok(None) };
    let mut contents = Contents::default();
    let mut sizes = Sizes::default();
    take_pieces(&mut stream, (&mut contents, &mut sizes), tell)
        .with_context(|| format!("cannot read {}", samples::FILE))?;
    let meta = contents.meta.take().with_context(|| {
        let torn = contents.torn.as_deref().map(|torn| format!(": {torn}")).unwrap_or_default();
        format!("{} holds no description of the run{torn}", samples::FILE)
    })?;
    sizes.close(&meta);
    Ok(Some(digest(manifest, (&meta, &contents), sizes)))
}

/// Reads the file to its end, or to where it is torn.
fn take_pieces(
    stream: &mut SamplesStream,
    (contents, sizes): (&mut Contents<'static>, &mut Sizes),
    tell: &dyn Fn(u64),
) -> std::io::Result<()> {
    while let Some(piece) = stream.next_piece()? {
        tell(piece.blocks.iter().map(|block| block.len() as u64).sum());
        let blocks: Vec<_> = piece.blocks.par_iter().with_min_len(64).map(|block| block.decode()).collect();
        let (mut series, mut alone) = (Vec::with_capacity(blocks.len()), Vec::new());
        let mut flaw = None;
        for (index, block) in blocks.into_iter().enumerate() {
            let taken = block.and_then(|block| take_block(block, contents, (&mut series, &mut alone)));
            if let Err(what) = taken {
                flaw = Some(piece.torn_at(index, what));
                break;
            }
        }
        if let Some(meta) = &contents.meta {
            sizes.take_alone(meta, &alone);
            sizes.take(meta, &series);
        }
        if flaw.is_some() {
            contents.torn = flaw;
            return Ok(());
        }
    }
    contents.torn = stream.torn().map(str::to_owned);
    Ok(())
}

fn take_block<'a>(
    block: Block<'a>,
    contents: &mut Contents<'static>,
    (series, alone): (&mut Vec<SeriesView<'a>>, &mut Vec<SeriesView<'a>>),
) -> Result<(), Flaw> {
    match block {
        Block::Samples(_) | Block::Alone(_) if contents.meta.is_none() => {
            return Err("samples stand before the run's description");
        }
        Block::Samples(one) => series.push(one),
        Block::Alone(one) => alone.push(one),
        Block::Meta(meta) if contents.meta.is_none() => contents.meta = Some(*meta),
        Block::Meta(_) => return Err("the run is described twice"),
        Block::Ranks(ranks) => contents.ranks = ranks,
        Block::Clocks(clocks) => contents.clocks_at_end = Some(clocks),
        Block::End => contents.ended = true,
        Block::Effort(_) | Block::Unknown => {}
    }
    Ok(())
}

/// Without the path, which differs from machine to machine while a report should not.
fn nameable(path: &Path, error: &anyhow::Error) -> anyhow::Error {
    anyhow::anyhow!("{}", format!("{error:#}").replace(&path.display().to_string(), samples::FILE))
}

fn digest(manifest: &Manifest, (meta, contents): (&Meta, &Contents<'_>), mut sizes: Sizes) -> Reading {
    let flaws = std::mem::take(&mut sizes.flaws);
    let whole = contents.ended && contents.torn.is_none();
    let mut contradictions = check::contradictions(manifest, meta);
    let mut notes = Vec::new();
    if whole {
        let absent = (0..meta.tensor_bytes.len()).filter(|index| !sizes.has(*index as u32));
        let absent = absent.map(|index| format!("{}: no samples", show_bytes(meta.tensor_bytes[index])));
        contradictions.extend(flaws.into_values().chain(absent));
    } else {
        notes.extend(flaws.into_values().map(|flaw| format!("not reported: {flaw}")));
    }
    let ratios = std::mem::take(&mut sizes.ratios);
    let windows = std::mem::take(&mut sizes.windows);
    let measured = describe(meta, contents, (sizes.into_results(meta.world_size), &ratios));
    let timeline = timeline(meta, contents, (&measured, &windows));
    notes.extend(check::notes(meta, contents));
    notes.extend(check::note_alone(meta, measured.alone.is_some()));
    notes.extend(clock_note(&measured));
    notes.extend(disturbed_note(&measured));
    let seats = placement::seats_of_ranks(meta, &contents.ranks);
    Reading { measured, timeline, seats, contradictions, notes, torn: contents.torn.clone(), ended: contents.ended }
}

fn describe(
    meta: &Meta,
    contents: &Contents<'_>,
    ((sizes, alone), ratios): ((Vec<SizeResult>, Option<OpResult>), &Ratios),
) -> Measured {
    let mut ranks_per_shard = vec![0; meta.shards.len()];
    // those that consume use all shards, and idle ranks none
    let puts = |rank: &&RankInfo| matches!(meta.roles.of(rank.rank), Role::Application | Role::Producer);
    for rank in contents.ranks.iter().filter(puts) {
        if let Some(ranks) = ranks_per_shard.get_mut(rank.shard as usize) {
            *ranks += 1;
        }
    }
    let hosts: BTreeMap<u32, (u32, u32)> =
        contents.ranks.iter().map(|rank| (rank.rank, (rank.host, rank.shard))).collect();
    // both ends of a window may be off
    let clock_error_ns =
        contents.ranks.iter().map(|rank| clock_error_ns(contents, rank)).max().unwrap_or(0).saturating_mul(2);
    let by_host = ratios.each(|rank| meta.hosts.get(hosts.get(&rank)?.0 as usize).cloned());
    let ratio_of: BTreeMap<&str, f64> = by_host.iter().map(|host| (host.name.as_str(), host.ratio)).collect();
    let host_ratios = meta.hosts.iter().map(|host| ratio_of.get(host.as_str()).copied()).collect();
    Measured {
        ranks: meta.world_size,
        hosts: meta.hosts.len(),
        host_names: meta.hosts.clone(),
        host_ratios,
        ranks_per_shard,
        wire: meta.wire.to_string(),
        server: meta.server.clone(),
        window_error_ns: clock_error_ns,
        facts: facts(meta, contents),
        sizes,
        alone,
        ranks_standing: ratios.of_ranks(),
        hosts_standing: standing::standings(by_host),
        shards_standing: ratios.joined(|rank| Some(hosts.get(&rank)?.1.to_string())),
    }
}

/// When the sizes in the report were measured, and when the slowest of the straggling ranks were at them.
fn timeline(meta: &Meta, contents: &Contents<'_>, (measured, windows): (&Measured, &Windows)) -> Timeline {
    let standings = &measured.ranks_standing;
    let spans = |rank: u32| {
        let at = |of: &Vec<(u32, Window)>| of.iter().find(|(one, _)| *one == rank).map(|(_, window)| *window);
        measured.sizes.iter().map(|size| windows.get(&size.size_index).and_then(at)).collect()
    };
    let host = |rank: u32| {
        let host = contents.ranks.iter().find(|one| one.rank == rank)?.host;
        meta.hosts.get(host as usize).cloned()
    };
    let straggler = |one: &Standing| {
        let rank = one.name.parse().ok()?;
        Some(RankSpans { rank, host: host(rank).unwrap_or_default(), ratio: one.ratio, windows: spans(rank) })
    };
    let size = |size: &SizeResult| SizeSpan::of(size.payload_bytes, windows.get(&size.size_index)?);
    Timeline {
        events: Vec::new(),
        zero_unix_ns: Some(meta.unix_ns_at_zero),
        slowest_connect_ns: contents.ranks.iter().map(|rank| rank.connect_ns).max(),
        sizes: measured.sizes.iter().filter_map(size).collect(),
        stragglers: standings.straggling().take(MOST_STRAGGLERS).filter_map(straggler).collect(),
    }
}

/// With the drift until the end of the run, where that is known.
fn clock_error_ns(contents: &Contents<'_>, rank: &RankInfo) -> u64 {
    let at_end = contents.clocks_at_end.as_ref().and_then(|clocks| clocks.get(rank.host as usize));
    at_end.map_or(rank.clock_error_ns, |clock| clock.error_bound_ns(rank))
}

fn facts(meta: &Meta, contents: &Contents<'_>) -> Vec<(String, String)> {
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let connect = contents.ranks.iter().map(|rank| rank.connect_ns).max();
    let mut facts = vec![
        fact("client_version", meta.client_version.clone()),
        fact("mpi_library", meta.mpi_library.clone()),
        fact("clock_resolution_ns", meta.clock_resolution_ns.to_string()),
        fact("clock_overhead_ns", meta.clock_overhead_ns.to_string()),
        fact("slowest_connect_ms", connect.map(|ns| format!("{:.3}", ns as f64 / 1e6)).unwrap_or_default()),
        fact("started_utc", utc(meta.unix_ns_at_zero)),
    ];
    if let Some(compute) = meta.compute {
        facts.push(fact("compute_repetitions", compute.repetitions.to_string()));
        facts.push(fact("compute_array_bytes", compute.array_bytes.to_string()));
    }
    if let Some(model) = &meta.model {
        facts.push(fact("model_sha256", model.model_sha256.clone()));
        facts.extend(model.script_sha256.iter().map(|sha256| fact("script_sha256", sha256.clone())));
        facts.push(fact("model_output", model.output.clone()));
        facts.push(fact("first_pass_ms", format!("{:.1}", model.first_pass_ns as f64 / 1e6)));
    }
    facts.extend(meta.server_settings.iter().map(|(name, value)| (format!("store {name}"), value.clone())));
    facts
}

/// `2025-12-22T10:40:00Z`; empty for a time outside of the calendar.
fn utc(unix_ns: u64) -> String {
    i64::try_from(unix_ns / 1_000_000_000)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map(|time| time.to_string())
        .unwrap_or_default()
}

fn disturbed_note(measured: &Measured) -> Option<String> {
    let all = measured.sizes.iter().flat_map(|size| size.application.iter().map(move |one| (size, one)));
    let faster: Vec<_> = all.filter(|(_, one)| one.is_faster_beside()).collect();
    let (size, one) = faster.first()?;
    Some(format!(
        "{} takes longer alone than beside the store at {} of {} sizes, such as {}: other work on the node, or a clock that warmed up, \
         disturbed what was measured alone; take the slowdown with care",
        one.op,
        faster.len(),
        measured.sizes.len(),
        show_bytes(size.payload_bytes)
    ))
}

fn clock_note(measured: &Measured) -> Option<String> {
    let parts =
        measured.sizes.iter().filter_map(|size| Some((size, measured.window_error_ns as f64 / size.window_ns? as f64)));
    let (size, worst) = parts.max_by(|a, b| a.1.total_cmp(&b.1))?;
    (worst > NOTABLE_CLOCK_ERROR).then(|| {
        format!(
            "the ranks' clocks agree to {:.1} us only, which is {:.0} % of the window at {}: take its overlap bandwidth with care",
            measured.window_error_ns as f64 / 1e3,
            worst * 100.0,
            show_bytes(size.payload_bytes)
        )
    })
}

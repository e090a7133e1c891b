//! Takes the samples of a run in as they are read, and reduces a size as soon as the next one begins: one size of a run is
//! in memory at a time.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::check;
use crate::collect::measures::standing::Ratios;
use crate::collect::measures::{self, Gather};
use crate::collect::model::Application;
use crate::collect::model::{OpResult, SizeResult};
use crate::collect::stats::window::Window;
use crate::record::samples::{Meta, SeriesHead, SeriesView};
use crate::record::units::show_bytes;
use crate::record::vocabulary::Side;

/// When each rank was at a size, by the size's index.
pub type Windows = BTreeMap<u32, Vec<(u32, Window)>>;

/// Series that one thread takes in at a time.
const SHARE: usize = 128;

/// The sizes of a run so far.
#[derive(Default)]
pub struct Sizes {
    open: Option<Open>,
    seen: BTreeSet<u32>,
    /// Measured whole, by index.
    done: BTreeMap<u32, SizeResult>,
    pub ratios: Ratios,
    /// When each rank was at these sizes, by index.
    pub windows: Windows,
    /// What ranks computed alone.
    alone: Option<Gather>,
    /// Why a size is not reported, by index.
    pub flaws: BTreeMap<u32, String>,
}

/// The size that is being read.
struct Open {
    index: u32,
    heads: Vec<SeriesHead>,
    /// Given up when a series is none that the run can have.
    gather: Option<Gather>,
}

impl Sizes {
    /// Takes series that follow each other in the file.
    pub fn take(&mut self, meta: &Meta, series: &[SeriesView<'_>]) {
        for same in series.chunk_by(|a, b| a.size_index == b.size_index) {
            self.take_same(meta, same[0].size_index, same);
        }
    }

    fn take_same(&mut self, meta: &Meta, index: u32, series: &[SeriesView<'_>]) {
        if self.open.as_ref().is_none_or(|open| open.index != index) {
            self.close(meta);
            if !self.seen.insert(index) {
                self.done.remove(&index);
                self.windows.remove(&index);
                let size = show_bytes(series[0].payload_bytes);
                self.flaws.insert(index, format!("{size}: its samples stand in several places"));
            }
            self.open = Some(Open::new(meta, index, series[0].payload_bytes));
        }
        let Some(open) = &mut self.open else { return };
        let from = open.heads.len();
        open.heads.extend(series.iter().map(SeriesView::head));
        if !open.heads[from..].iter().all(|head| check::is_due(meta, index, head)) {
            open.gather = None;
        }
        if let Some(gather) = &mut open.gather {
            take_in(gather, series);
        }
    }

    /// Takes what ranks computed before the store had traffic.
    pub fn take_alone(&mut self, meta: &Meta, series: &[SeriesView<'_>]) {
        let is_known = |one: &&SeriesView<'_>| {
            one.rank < meta.world_size && meta.ops.get(one.op).is_some_and(|op| op.side == Side::Alone)
        };
        for one in series.iter().filter(is_known) {
            let empty = || Gather::new(0, 0, meta.world_size as usize, &meta.ops);
            self.alone.get_or_insert_with(empty).push_view(one);
        }
    }

    /// Reduces the size that is being read, if there is one.
    pub fn close(&mut self, meta: &Meta) {
        let Some(Open { index, heads, gather }) = self.open.take() else { return };
        if self.flaws.contains_key(&index) {
            return;
        }
        match (check::flaw_of_size(meta, index, &heads), gather) {
            (None, Some(gather)) => {
                self.windows.insert(index, gather.rank_windows());
                let (size, by_rank) = measures::reduce(gather);
                by_rank.iter().for_each(|medians| self.ratios.add(medians));
                self.done.insert(index, size);
            }
            (flaw, _) => drop(self.flaws.insert(index, flaw.unwrap_or_default())),
        }
    }

    /// Whether there were samples of the size, whole or not.
    pub fn has(&self, index: u32) -> bool {
        self.seen.contains(&index)
    }

    /// The sizes that were measured whole, in the order of the sweep, and what all `ranks` computed alone.
    pub fn into_results(self, ranks: u32) -> (Vec<SizeResult>, Option<OpResult>) {
        let alone = self.alone.and_then(|gather| measures::reduce(gather).0.ops.pop());
        let alone = alone.filter(|alone| alone.ranks == ranks);
        let mut sizes: Vec<SizeResult> = self.done.into_values().collect();
        if let Some(alone) = &alone {
            sizes.iter_mut().for_each(|size| hold_against(size, alone));
        }
        (sizes, alone)
    }
}

impl Open {
    fn new(meta: &Meta, index: u32, payload_bytes: u64) -> Open {
        let gather = Gather::new(payload_bytes, index, meta.world_size as usize, &meta.ops).minding(meta.iterations);
        Open { index, heads: Vec::new(), gather: Some(gather) }
    }
}

fn hold_against(size: &mut SizeResult, alone: &OpResult) {
    let SizeResult { ops, application, .. } = size;
    let against = |one: &Application| {
        let op = ops.iter().find(|op| op.op == one.op);
        op.map_or(*one, |op| one.against(op, alone))
    };
    *application = application.iter().map(against).collect();
}

/// Takes series in, in shares at the same time.
fn take_in(gather: &mut Gather, series: &[SeriesView<'_>]) {
    let mut before = vec![0; gather.pools.len()];
    let shares: Vec<_> = series
        .chunks(SHARE)
        .map(|share| {
            let part = gather.part(&before);
            share.iter().for_each(|one| before[one.op] += 1);
            (part, share)
        })
        .collect();
    let parts: Vec<Gather> = shares
        .into_par_iter()
        .map(|(mut part, share)| {
            share.iter().for_each(|one| part.push_view(one));
            part
        })
        .collect();
    parts.into_iter().for_each(|part| gather.join(part));
}

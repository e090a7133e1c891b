//! Who was slow over the whole run: ranks, hosts and shards against the middle of the run.
//!
//! A rank's ratio is the geometric mean over sizes and ops of (its median duration / the median of all ranks' medians). A
//! host or shard has the median of its ranks. Ratios are free of units, so that sizes may be joined; samples are not.

use std::collections::BTreeMap;

use crate::collect::model::{Standing, Standings};
use crate::collect::stats::{outlier, quantile};

/// Ranks, hosts or shards that are listed.
const LISTED: usize = 32;

/// Sums of the logarithms of the ratios, by rank.
#[derive(Debug, Clone, Default)]
pub struct Ratios(BTreeMap<u32, (f64, u32)>);

impl Ratios {
    /// Takes (rank, median in ns) of one op and size.
    pub fn add(&mut self, medians: &[(u32, f64)]) {
        let mut all: Vec<f64> = medians.iter().map(|(_, median)| *median).collect();
        let Some(middle) = quantile::median_of(&mut all, f64::total_cmp).filter(|middle| *middle > 0.0) else { return };
        for (rank, median) in medians.iter().filter(|(_, median)| *median > 0.0) {
            let (sum, count) = self.0.entry(*rank).or_default();
            *sum += (median / middle).ln();
            *count += 1;
        }
    }

    /// Each rank by itself.
    pub fn of_ranks(&self) -> Standings {
        standings(self.ratios().map(|(rank, ratio)| Standing { name: rank.to_string(), ranks: 1, ratio }).collect())
    }

    /// Ranks joined by what `of` names: their host, or their shard. Ranks without a name are left out.
    pub fn joined(&self, of: impl Fn(u32) -> Option<String>) -> Standings {
        standings(self.each(of))
    }

    /// Each of these, in order of names.
    pub fn each(&self, of: impl Fn(u32) -> Option<String>) -> Vec<Standing> {
        let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (rank, ratio) in self.ratios() {
            if let Some(name) = of(rank) {
                groups.entry(name).or_default().push(ratio);
            }
        }
        let standing = |(name, mut ratios): (String, Vec<f64>)| {
            let ranks = ratios.len() as u32;
            Some(Standing { name, ranks, ratio: quantile::median_of(&mut ratios, f64::total_cmp)? })
        };
        groups.into_iter().filter_map(standing).collect()
    }

    fn ratios(&self) -> impl Iterator<Item = (u32, f64)> + '_ {
        self.0.iter().map(|(rank, (sum, count))| (*rank, (sum / f64::from(*count)).exp()))
    }
}

/// The slowest of `all`, and who of them straggles.
pub fn standings(mut all: Vec<Standing>) -> Standings {
    let ratios: Vec<f64> = all.iter().map(|one| one.ratio).collect();
    let limit = outlier::limit(&ratios);
    let stragglers = limit.map_or(0, |limit| ratios.iter().filter(|ratio| **ratio > limit).count());
    let total = all.len();
    // slowest first; the sort is stable, so that equal ones stay in order
    all.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    all.truncate(LISTED);
    Standings { total, limit, stragglers, slowest: all }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_host_stands_apart() {
        let mut ratios = Ratios::default();
        for scale in [1e4, 1e7] {
            let median = |rank: u32| scale * (1.0 + 0.01 * f64::from(rank % 3)) * if rank / 4 == 2 { 2.0 } else { 1.0 };
            ratios.add(&(0..24).map(|rank| (rank, median(rank))).collect::<Vec<_>>());
        }
        let hosts = ratios.joined(|rank| Some(format!("cn{}", rank / 4)));
        assert_eq!((hosts.total, hosts.stragglers), (6, 1));
        assert_eq!((hosts.slowest[0].name.as_str(), hosts.slowest[0].ranks), ("cn2", 4));
        assert!((hosts.slowest[0].ratio - 2.0).abs() < 0.05);
        let ranks = ratios.of_ranks();
        assert_eq!((ranks.total, ranks.stragglers, ranks.slowest.len()), (24, 4, 24));
        assert_eq!(ratios.joined(|_| None).total, 0);
    }
}

//! Which shard owns which key, and how ranks name their keys. Pure arithmetic; no connection is made here.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
pub use shardscale::record::slots::slot;
use shardscale::record::slots::{INFERENCE, SLOTS, THROUGHPUT};
use shardscale::record::vocabulary::{KeyPlacement, WorkloadKind};

use crate::address::Address;
use crate::wire::{dataset, models};

/// One shard and the slots that it owns, as inclusive ranges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    pub address: Address,
    pub slots: Vec<(u16, u16)>,
}

/// All shards of a store, in the order of their first slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    pub shards: Vec<Shard>,
}

/// A tensor's key and the index of the shard that owns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub key: String,
    pub shard: u32,
}

/// Names keys and finds their shards, as one rank sees the store.
#[derive(Debug, Clone)]
pub struct KeyMap {
    pub topology: Topology,
    pub placement: KeyPlacement,
    /// Index of the topology's first shard among all shards of the run.
    pub first_shard: u32,
    /// What all names begin with; empty in a store that the job started, where the names are SmartRedis's. It has no braces.
    pub prefix: String,
}

/// SmartSim-Scaling's names of a dataset and of a list.
const DATASET: &str = "aggregation_rank_";
const LIST: &str = "iteration_";

impl KeyMap {
    /// The dataset of producer number `producer`: what its keys begin with, and a list's entry for it. SmartRedis puts the name
    /// between braces, so that all keys of a dataset lie on one shard.
    pub fn dataset(&self, producer: u32) -> Result<Place> {
        let shards = self.topology.shards.len();
        let name = |number: u32| match number {
            0 => format!("{DATASET}{producer}"),
            more => format!("{DATASET}{producer}.{more}"),
        };
        let is_balanced =
            |name: &String| self.topology.owner(name).is_ok_and(|owner| owner == producer as usize % shards);
        let name = match self.placement {
            KeyPlacement::Hash => name(0),
            KeyPlacement::Balanced => (0..).map(name).find(is_balanced).unwrap_or_default(),
        };
        self.at(format!("{}{{{name}}}", self.prefix))
    }

    /// All keys of a rank, or of a producer, with so many tensors; of an inference so many devices have the model, which several ranks
    /// share.
    pub fn all(&self, kind: WorkloadKind, owner: u32, tensors: u32) -> Result<Vec<Place>> {
        match kind {
            WorkloadKind::Throughput => (0..tensors).map(|tensor| self.place(owner, tensor)).collect(),
            WorkloadKind::Aggregation => {
                let Place { key, shard } = self.dataset(owner)?;
                Ok(dataset::keys(&key, tensors).map(|key| Place { key, shard }).collect())
            }
            WorkloadKind::Inference => {
                let devices = (0..tensors).map(|device| (tensors > 1).then(|| format!("GPU:{device}")));
                let mut places = Vec::new();
                for device in devices {
                    let (keys, shard) = self.inference(owner, device.as_deref())?;
                    places.extend(keys.all().map(|key| Place { key, shard }));
                }
                Ok(places)
            }
        }
    }

    /// The keys of a rank whose tensors a model runs on, and their shard: that of SmartSim-Scaling's name of its input, or in turn.
    pub fn inference(&self, rank: u32, device: Option<&str>) -> Result<(models::Keys, u32)> {
        let shard = match self.placement {
            KeyPlacement::Hash => self.topology.owner(&format!("{INFERENCE}{rank}"))?,
            KeyPlacement::Balanced => rank as usize % self.topology.shards.len(),
        };
        let tag = self.topology.tag_of_shard(shard).to_string();
        Ok((models::Keys::new(&self.prefix, &tag, rank, device), self.first_shard + shard as u32))
    }

    /// The list of an iteration.
    pub fn list(&self, iteration: u32) -> Result<Place> {
        self.at(match self.prefix.as_str() {
            "" => format!("{LIST}{iteration}"),
            prefix => format!("{prefix}{{{LIST}{iteration}}}"),
        })
    }

    fn at(&self, key: String) -> Result<Place> {
        let shard = self.first_shard + self.topology.owner(&key)? as u32;
        Ok(Place { key, shard })
    }

    /// Where tensor number `tensor` of rank `owner` is.
    pub fn place(&self, owner: u32, tensor: u32) -> Result<Place> {
        self.at(self.topology.key(self.placement, &self.prefix, owner, tensor))
    }
}

/// Number of the producer whose dataset a list's entry is.
pub fn producer_of(entry: &[u8]) -> Option<u32> {
    let entry = std::str::from_utf8(entry).ok()?;
    let (_, name) = entry.split_once('{')?;
    name.strip_suffix('}')?.strip_prefix(DATASET)?.split('.').next()?.parse().ok()
}

impl Topology {
    /// A store that is no cluster: one server owns everything.
    pub fn single(address: Address) -> Topology {
        Topology { shards: vec![Shard { address, slots: vec![(0, SLOTS - 1)] }] }
    }

    /// Orders the shards and checks that each slot has exactly one owner.
    pub fn cluster(mut shards: Vec<Shard>) -> Result<Topology> {
        shards.iter_mut().for_each(|shard| shard.slots.sort_unstable());
        shards.sort_by_key(|shard| shard.slots.first().copied());
        let mut ranges: Vec<_> = shards.iter().flat_map(|shard| shard.slots.iter().copied()).collect();
        ranges.sort_unstable();
        let mut next = 0;
        for (first, last) in ranges {
            ensure!(
                first == next && last >= first && last < SLOTS,
                "the cluster is not whole: slot {next} has no owner or two, see `redis-cli --cluster check`"
            );
            next = last + 1;
        }
        ensure!(next == SLOTS, "the cluster is not whole: slot {next} has no owner, see `redis-cli --cluster check`");
        Ok(Topology { shards })
    }

    /// Index of the shard that owns `key`.
    pub fn owner(&self, key: &str) -> Result<usize> {
        let slot = slot(key);
        self.shards
            .iter()
            .position(|shard| shard.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot)))
            .with_context(|| format!("no shard owns slot {slot} of key {key}"))
    }

    /// The key of tensor number `tensor` of `rank`.
    ///
    /// `hash` gives SmartRedis's name to the first one; behind a prefix that name is a hash tag, so that it stays on its shard.
    /// `balanced` puts a hash tag before it that belongs to shard `rank` + `tensor` modulo the number of shards, so that no two
    /// shards differ by more than one rank.
    pub fn key(&self, placement: KeyPlacement, prefix: &str, rank: u32, tensor: u32) -> String {
        let name = match tensor {
            0 => format!("{THROUGHPUT}{rank}"),
            _ => format!("{THROUGHPUT}{rank}_tensor_{tensor}"),
        };
        match placement {
            KeyPlacement::Hash if prefix.is_empty() => name,
            KeyPlacement::Hash => format!("{prefix}{{{name}}}"),
            KeyPlacement::Balanced => {
                let shard = (rank as usize + tensor as usize) % self.shards.len();
                format!("{prefix}{{{}}}{name}", self.tag_of_shard(shard))
            }
        }
    }

    /// The smallest number whose text falls on `shard`. Each shard owns a slot, and small numbers reach every slot.
    fn tag_of_shard(&self, shard: usize) -> u64 {
        let slots = &self.shards[shard].slots;
        let falls_here = |tag: &u64| {
            let slot = slot(&tag.to_string());
            slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
        };
        (0..).find(falls_here).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(shards: u16) -> Topology {
        let cut = |i: u16| (u32::from(i) * u32::from(SLOTS) / u32::from(shards)) as u16;
        let shard = |i| Shard {
            address: Address::Tcp { host: format!("cn{i}"), port: 6780 },
            slots: vec![(cut(i), cut(i + 1) - 1)],
        };
        Topology::cluster((0..shards).map(shard).collect()).unwrap()
    }

    fn ranks_per_shard(topology: &Topology, placement: KeyPlacement, ranks: u32) -> Vec<u32> {
        let mut counts = vec![0; topology.shards.len()];
        for rank in 0..ranks {
            counts[topology.owner(&topology.key(placement, "", rank, 0)).unwrap()] += 1;
        }
        counts
    }

    // as `CLUSTER KEYSLOT` of Redis 7.0.15 answers
    #[test]
    fn slots_are_those_of_redis() {
        assert_eq!(slot("123456789"), 12739);
        assert_eq!(slot("foo"), 12182);
        assert_eq!(slot("{user1000}.following"), slot("user1000"));
        assert_eq!(slot("foo{}{bar}"), 8363);
        assert_eq!(slot("foo{{bar}}zap"), slot("{bar"));
        assert_eq!(slot("foo{bar}{zap}"), slot("bar"));
        assert_eq!(slot(""), 0);
    }

    // computed by others from SmartRedis's names: 48 ranks on 16 shards leave 4 shards empty, the fullest has 8
    #[test]
    fn smartredis_names_load_shards_unevenly_and_balanced_ones_do_not() {
        let hash = ranks_per_shard(&even(16), KeyPlacement::Hash, 48);
        assert_eq!((hash.iter().max(), hash.iter().filter(|n| **n == 0).count()), (Some(&8), 4));
        for (shards, ranks) in [(1, 5), (3, 7), (16, 48), (64, 100)] {
            let counts = ranks_per_shard(&even(shards), KeyPlacement::Balanced, ranks);
            let (most, least) = (counts.iter().max().unwrap(), counts.iter().min().unwrap());
            assert!(most - least <= 1, "{counts:?}");
        }
    }

    #[test]
    fn the_tensors_of_a_rank_have_keys_of_their_own_and_spread_when_balanced() {
        let map =
            KeyMap { topology: even(3), placement: KeyPlacement::Balanced, first_shard: 0, prefix: String::new() };
        let places: Vec<_> = (0..3).map(|tensor| map.place(1, tensor).unwrap()).collect();
        assert_eq!(places.iter().map(|place| place.shard).collect::<Vec<_>>(), [1, 2, 0]);
        let map = KeyMap { placement: KeyPlacement::Hash, first_shard: 5, topology: even(1), prefix: String::new() };
        assert_eq!(map.place(7, 0).unwrap(), Place { key: "throughput_rank_7".into(), shard: 5 });
        assert_eq!(map.place(7, 2).unwrap().key, "throughput_rank_7_tensor_2");
    }

    #[test]
    fn a_prefix_stands_before_everything_and_moves_no_key() {
        let topology = even(16);
        for placement in [KeyPlacement::Hash, KeyPlacement::Balanced] {
            for (rank, tensor) in [(0, 0), (5, 0), (5, 3), (47, 1)] {
                let [bare, ours] = ["", "shardscale:0a1b:"].map(|prefix| topology.key(placement, prefix, rank, tensor));
                assert!(ours.starts_with("shardscale:0a1b:{"), "{ours}");
                assert_eq!(slot(&ours), slot(&bare), "{ours}");
            }
        }
    }

    #[test]
    fn a_dataset_has_the_name_that_smartredis_gives_it_or_one_that_spreads() {
        for (placement, prefix) in [(KeyPlacement::Hash, ""), (KeyPlacement::Balanced, "shardscale:0a1b:")] {
            let map = KeyMap { topology: even(3), placement, first_shard: 0, prefix: prefix.into() };
            for producer in 0..50 {
                let place = map.dataset(producer).unwrap();
                assert_eq!(producer_of(place.key.as_bytes()), Some(producer), "{}", place.key);
                assert!(place.key.starts_with(&format!("{prefix}{{aggregation_rank_{producer}")), "{}", place.key);
                assert!(placement == KeyPlacement::Hash || place.shard == producer % 3);
                let tensor = format!("{}.tensor_0", place.key);
                assert_eq!(map.topology.owner(&tensor).unwrap() as u32, place.shard);
            }
            assert_eq!(map.list(4).unwrap().shard as usize, map.topology.owner("iteration_4").unwrap());
        }
        for wrong in ["", "{", "aggregation_rank_1", "{aggregation_rank_}", "{other_1}", "{aggregation_rank_-1}"] {
            assert_eq!(producer_of(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_shard_with_a_single_slot_gets_a_tag() {
        let shard = |port, slots| Shard { address: Address::Tcp { host: "a".into(), port }, slots };
        let topology = Topology::cluster(vec![shard(1, vec![(9999, 9999)]), shard(2, vec![(0, 9998), (10000, 16383)])]);
        let topology = topology.unwrap();
        for rank in 0..4 {
            let key = topology.key(KeyPlacement::Balanced, "", rank, 0);
            assert_eq!(topology.owner(&key).unwrap(), rank as usize % 2, "{key}");
        }
    }

    #[test]
    fn a_hole_or_an_overlap_is_refused() {
        let shard = |slots| Shard { address: Address::Unix("/x".into()), slots };
        let hole = Topology::cluster(vec![shard(vec![(0, 99)]), shard(vec![(101, 16383)])]).unwrap_err();
        assert!(hole.to_string().contains("slot 100"), "{hole}");
        assert!(Topology::cluster(vec![shard(vec![(0, 100)]), shard(vec![(100, 16383)])]).is_err());
        assert!(Topology::cluster(vec![shard(vec![(0, 100)])]).is_err());
        assert!(Topology::cluster(Vec::new()).is_err());
    }
}

//! Which slot a key has, and which shard owns it as `redis-cli --cluster create` deals the slots, in contiguous ranges.
//!
//! SmartSim-Scaling's C++ clients name their keys after the rank, without a hash tag, and so does ours with `--keys hash`.

use crc::{CRC_16_XMODEM, Crc};

/// Hash slots of a cluster, and so the most shards.
pub const SLOTS: u16 = 16384;
const CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// What the name of a rank's tensor begins with, before the rank: of a throughput test, and the input of an inference.
pub const THROUGHPUT: &str = "throughput_rank_";
pub const INFERENCE: &str = "resnet_input_rank_";

/// Slot of `key`: CRC16 (XMODEM) modulo 16384 of what stands between the first `{` and the next `}`, or of the whole key
/// where that is nothing (Redis cluster specification, "Hash tags").
pub fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    CRC16.checksum(tag.filter(|tag| !tag.is_empty()).unwrap_or(key).as_bytes()) % SLOTS
}

/// The slots of the ranks' keys whose names begin so.
pub fn of_ranks(name: &str, ranks: impl Iterator<Item = u32>) -> impl Iterator<Item = u16> {
    ranks.map(move |rank| slot(&format!("{name}{rank}")))
}

/// How many of these slots each of `shards` owns, by first slot; one shard owns everything.
pub fn deal(slots: impl Iterator<Item = u16>, shards: u16) -> Vec<u32> {
    let lasts = last_slots(shards);
    let mut counts = vec![0; lasts.len()];
    slots.for_each(|slot| counts[lasts.partition_point(|last| *last < slot)] += 1);
    counts
}

/// The last slot of each shard: `redis-cli` adds up a part that is no whole number, in C's float, and rounds.
fn last_slots(shards: u16) -> Vec<u16> {
    let part = f32::from(SLOTS) / f32::from(shards);
    let mut cursor = 0.0;
    let mut lasts: Vec<u16> = Vec::with_capacity(usize::from(shards));
    for _ in 1..shards {
        lasts.push((cursor + part - 1.0_f32).round() as u16);
        cursor += part;
    }
    lasts.push(SLOTS - 1);
    lasts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_dealt_as_redis_cli_does() {
        assert_eq!(last_slots(1), [16383]);
        // `redis-cli --cluster create` of three: 0-5460, 5461-10922, 10923-16383
        assert_eq!(last_slots(3), [5460, 10922, 16383]);
    }

    // computed by others with the real slot arithmetic: max / mean of ranks on a shard
    #[test]
    fn its_names_load_shards_unevenly() {
        for (shards, ranks, unevenness) in
            [(16, 48, 2.67), (16, 192, 1.25), (32, 384, 1.5), (64, 384, 1.67), (64, 6144, 1.15)]
        {
            let counts = deal(of_ranks(THROUGHPUT, 0..ranks), shards);
            assert_eq!(counts.iter().sum::<u32>(), ranks);
            let ratio = f64::from(*counts.iter().max().unwrap()) * f64::from(shards) / f64::from(ranks);
            assert!((ratio - unevenness).abs() < 0.006, "{shards} {ranks}: {ratio}");
        }
        assert_eq!(deal(of_ranks(THROUGHPUT, 0..48), 16).iter().filter(|count| **count == 0).count(), 4);
    }
}

//! Which shard owns a rank's key, as it follows from how keys are named and slots are dealt.
//!
//! SmartSim-Scaling's C++ client puts `throughput_rank_N`, without a hash tag, and so does ours with `--keys hash`; the slot is
//! CRC16 modulo 16384 (Redis cluster specification); `redis-cli --cluster create` deals the slots in contiguous ranges.

use crc::{CRC_16_XMODEM, Crc};

/// Hash slots of a cluster, and so the most shards.
pub const SLOTS: u16 = 16384;
const CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// How many of `ranks` have their key on each of `shards`, by first slot; one shard owns everything.
pub fn ranks_per_shard(ranks: impl Iterator<Item = u32>, shards: u16) -> Vec<u32> {
    deal(ranks.map(of_rank), shards)
}

/// The slot of a rank's key.
pub fn of_rank(rank: u32) -> u16 {
    CRC16.checksum(format!("throughput_rank_{rank}").as_bytes()) % SLOTS
}

/// How many of these slots each of `shards` owns.
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
            let counts = ranks_per_shard(0..ranks, shards);
            assert_eq!(counts.iter().sum::<u32>(), ranks);
            let ratio = f64::from(*counts.iter().max().unwrap()) * f64::from(shards) / f64::from(ranks);
            assert!((ratio - unevenness).abs() < 0.006, "{shards} {ranks}: {ratio}");
        }
        assert_eq!(ranks_per_shard(0..48, 16).iter().filter(|count| **count == 0).count(), 4);
    }
}

//! What a tensor holds, so that a reader can tell whether it got the bytes of exactly this rank, size, tensor and iteration.

use anyhow::{Result, bail};
use shardscale::record::vocabulary::Payload;

/// Which tensor a pattern belongs to, apart from who wrote it and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    pub kind: Payload,
    pub size_index: u32,
    /// Number of the tensor among those of its rank.
    pub tensor: u32,
}

/// Who wrote a tensor, and in which iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    pub rank: u32,
    pub iteration: u32,
}

/// Determines every byte of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    kind: Payload,
    seed: u64,
}

impl Pattern {
    pub fn new(subject: Subject, origin: Origin) -> Pattern {
        let place = u64::from(origin.rank) << 32 | u64::from(origin.iteration);
        Pattern { kind: subject.kind, seed: mix(place ^ subject.salt()) }
    }

    /// Writes the pattern over all of `payload`.
    pub fn fill(self, payload: &mut [u8]) {
        for (index, chunk) in payload.chunks_mut(8).enumerate() {
            chunk.copy_from_slice(&self.word(index)[..chunk.len()]);
        }
    }

    /// Compares every byte of `payload`.
    ///
    /// # Errors
    /// Names the first wrong byte: its offset, what was due and what is there.
    pub fn check(self, payload: &[u8]) -> Result<()> {
        for (index, chunk) in payload.chunks(8).enumerate() {
            let word = self.word(index);
            if chunk != &word[..chunk.len()] {
                let at = chunk.iter().zip(word).position(|(found, due)| *found != due).unwrap_or(0);
                bail!(
                    "byte {} of {} is not what was written: expected 0x{:02x}, found 0x{:02x}",
                    index * 8 + at,
                    payload.len(),
                    word[at],
                    chunk[at]
                );
            }
        }
        Ok(())
    }

    fn word(self, index: usize) -> [u8; 8] {
        let value = self.seed.wrapping_add(index as u64);
        match self.kind {
            Payload::Ramp => value.to_le_bytes(),
            Payload::Random => mix(value).to_le_bytes(),
        }
    }
}

impl Subject {
    /// Bytes of a payload from which its origin can be told.
    pub const RECOGNISABLE_BYTES: u64 = 8;

    fn salt(self) -> u64 {
        mix(u64::from(self.size_index) << 32 | u64::from(self.tensor))
    }

    /// Who must have written `payload`, and when, if it is this tensor: read from its first word, for the reader of a tensor
    /// that somebody else goes on writing. `None` for less than [`Subject::RECOGNISABLE_BYTES`].
    pub fn origin(self, payload: &[u8]) -> Option<Origin> {
        let word = u64::from_le_bytes(*payload.first_chunk()?);
        let seed = match self.kind {
            Payload::Ramp => word,
            Payload::Random => unmix(word),
        };
        let place = unmix(seed) ^ self.salt();
        Some(Origin { rank: (place >> 32) as u32, iteration: place as u32 })
    }
}

/// The output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): neighbours come out unrelated.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Undoes [`mix`]: each of its steps can be undone, the factors by their inverses modulo 2^64.
fn unmix(value: u64) -> u64 {
    let value = value ^ (value >> 31) ^ (value >> 62);
    let value = value.wrapping_mul(0x3196_42B2_D24D_8EC3);
    let value = value ^ (value >> 27) ^ (value >> 54);
    let value = value.wrapping_mul(0x96DE_1B17_3F11_9089);
    let value = value ^ (value >> 30) ^ (value >> 60);
    value.wrapping_sub(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RANDOM: Subject = Subject { kind: Payload::Random, size_index: 1, tensor: 2 };
    const RAMP: Subject = Subject { kind: Payload::Ramp, ..RANDOM };

    #[test]
    fn a_payload_of_another_rank_size_tensor_or_iteration_is_noticed() {
        let origin = Origin { rank: 3, iteration: 7 };
        for subject in [RANDOM, RAMP] {
            let mut payload = vec![0; 1028];
            Pattern::new(subject, origin).fill(&mut payload);
            Pattern::new(subject, origin).check(&payload).unwrap();
            let others = [
                Pattern::new(subject, Origin { rank: 4, ..origin }),
                Pattern::new(subject, Origin { iteration: 8, ..origin }),
                Pattern::new(subject, Origin { rank: 7, iteration: 3 }),
                Pattern::new(Subject { size_index: 2, ..subject }, origin),
                Pattern::new(Subject { tensor: 1, ..subject }, origin),
                Pattern::new(Subject { size_index: 2, tensor: 1, ..subject }, origin),
            ];
            for other in others {
                other.check(&payload).unwrap_err();
            }
        }
    }

    #[test]
    fn any_single_wrong_byte_is_named() {
        let pattern = Pattern::new(RANDOM, Origin { rank: 0, iteration: 0 });
        let mut payload = vec![0; 20];
        pattern.fill(&mut payload);
        for at in 0..payload.len() {
            payload[at] ^= 0x10;
            let error = pattern.check(&payload).unwrap_err().to_string();
            assert!(error.starts_with(&format!("byte {at} of 20 ")), "{error}");
            payload[at] ^= 0x10;
        }
    }

    proptest! {
        #[test]
        fn a_payload_tells_its_origin(rank in any::<u32>(), iteration in any::<u32>(), random in any::<bool>()) {
            let (subject, origin) = (if random { RANDOM } else { RAMP }, Origin { rank, iteration });
            let mut payload = [0; 12];
            Pattern::new(subject, origin).fill(&mut payload);
            prop_assert_eq!(subject.origin(&payload), Some(origin));
            prop_assert_eq!(subject.origin(&payload[..7]), None);
        }
    }
}

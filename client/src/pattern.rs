//! What a tensor holds, so that a reader can tell whether it got the bytes of exactly this rank, size and iteration.

use anyhow::{Result, bail};

/// Determines every byte of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    seed: u64,
}

impl Pattern {
    pub fn new(rank: u32, size_index: u32, iteration: u32) -> Pattern {
        let place = u64::from(rank) << 32 | u64::from(iteration);
        Pattern { seed: mix(place ^ mix(u64::from(size_index))) }
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
        mix(self.seed.wrapping_add(index as u64)).to_le_bytes()
    }
}

/// The output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): neighbours come out unrelated.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_another_rank_size_or_iteration_is_noticed() {
        let mut payload = vec![0; 1028];
        Pattern::new(3, 1, 7).fill(&mut payload);
        Pattern::new(3, 1, 7).check(&payload).unwrap();
        for other in [Pattern::new(4, 1, 7), Pattern::new(3, 2, 7), Pattern::new(3, 1, 8), Pattern::new(7, 1, 3)] {
            other.check(&payload).unwrap_err();
        }
    }

    #[test]
    fn any_single_wrong_byte_is_named() {
        let pattern = Pattern::new(0, 0, 0);
        let mut payload = vec![0; 20];
        pattern.fill(&mut payload);
        for at in 0..payload.len() {
            payload[at] ^= 0x10;
            let error = pattern.check(&payload).unwrap_err().to_string();
            assert!(error.starts_with(&format!("byte {at} of 20 ")), "{error}");
            payload[at] ^= 0x10;
        }
    }
}

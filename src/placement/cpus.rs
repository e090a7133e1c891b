//! A set of CPUs in the spellings of the field: the kernel's list and the hexadecimal mask.

use std::collections::BTreeSet;

/// Linux CPU numbers, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuSet(BTreeSet<u32>);

impl CpuSet {
    pub fn len(&self) -> u32 {
        self.0.len() as u32
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, cpu: u32) -> bool {
        self.0.contains(&cpu)
    }

    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// As the kernel writes it: `0-7,64`. Empty for no CPU.
    pub fn to_list(&self) -> String {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for cpu in self.iter() {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == cpu => *last = cpu,
                _ => runs.push((cpu, cpu)),
            }
        }
        let texts = runs.iter().map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        });
        texts.collect::<Vec<_>>().join(",")
    }

    /// As Slurm's `mask_cpu` takes it: bit i is CPU i, `0xff00`.
    pub fn to_mask(&self) -> String {
        let nibbles = self.0.last().map_or(1, |last| last / 4 + 1);
        let digit =
            |nibble: u32| (0..4).filter(|bit| self.contains(nibble * 4 + bit)).fold(0, |sum, bit| sum | 1 << bit);
        let digits: String = (0..nibbles).rev().map(|nibble| format!("{:x}", digit(nibble))).collect();
        format!("0x{digits}")
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> Self {
        CpuSet(cpus.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(cpus: &[u32]) -> CpuSet {
        cpus.iter().copied().collect()
    }

    #[test]
    fn lists_and_masks_as_the_field_writes_them() {
        assert_eq!(set(&[0, 1, 2, 64, 66]).to_list(), "0-2,64,66");
        assert_eq!(set(&[8, 9, 10, 11, 12, 13, 14, 15]).to_mask(), "0xff00");
        // LUMI's documented mask of cores 49-54 (facts/sites.md, section 6)
        assert_eq!((49..55).collect::<CpuSet>().to_mask(), "0x7e000000000000");
        assert_eq!((57..64).collect::<CpuSet>().to_mask(), "0xfe00000000000000");
        // wider than any machine word: CPU 207 of an Aurora node
        assert_eq!(set(&[207]).to_mask(), format!("0x8{}", "0".repeat(51)));
        assert_eq!((set(&[]).to_list(), set(&[]).to_mask()), (String::new(), "0x0".to_owned()));
    }
}

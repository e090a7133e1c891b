//! A set of CPUs (or cores) in the spellings of the field: the kernel's list and the hexadecimal mask.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Largest CPU number that a list or mask may have: the kernel's own limit is 8191.
pub const MOST_CPU: u32 = 8191;

/// Linux CPU numbers, ascending. In TOML and JSON it is the kernel's list: `"0-7,64"`.
///
/// Bit b of word w is CPU 64 w + b, and the last word is not 0: equal sets have equal words. Studies hold a set for each rank
/// of each permutation, which trees of numbers were too dear for.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CpuSet(Vec<u64>);

impl CpuSet {
    pub fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, cpu: u32) -> bool {
        self.0.get(cpu as usize / 64).is_some_and(|word| word >> (cpu % 64) & 1 == 1)
    }

    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().enumerate().flat_map(|(place, word)| Bits { word: *word, first: place as u32 * 64 })
    }

    pub fn is_disjoint(&self, other: &CpuSet) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & b == 0)
    }

    pub fn is_subset(&self, other: &CpuSet) -> bool {
        self.difference(other).is_empty()
    }

    /// CPUs of either.
    pub fn union(&self, other: &CpuSet) -> CpuSet {
        let (mut longer, shorter) =
            if self.0.len() >= other.0.len() { (self.0.clone(), &other.0) } else { (other.0.clone(), &self.0) };
        longer.iter_mut().zip(shorter).for_each(|(a, b)| *a |= b);
        CpuSet(longer)
    }

    /// CPUs of this set that `other` has not.
    pub fn difference(&self, other: &CpuSet) -> CpuSet {
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        CpuSet::of_words(self.0.iter().zip(others).map(|(a, b)| a & !b).collect())
    }

    /// CPUs of both.
    pub fn intersection(&self, other: &CpuSet) -> CpuSet {
        CpuSet::of_words(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    fn of_words(mut words: Vec<u64>) -> CpuSet {
        while words.last() == Some(&0) {
            words.pop();
        }
        CpuSet(words)
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
        let (last, rest) = self.0.split_last().unwrap_or((&0, &[]));
        let mut mask = format!("{last:#x}");
        for word in rest.iter().rev() {
            mask.push_str(&format!("{word:016x}"));
        }
        mask
    }
}

/// The CPUs of one word, ascending.
struct Bits {
    word: u64,
    first: u32,
}

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.word == 0 {
            return None;
        }
        let bit = self.word.trailing_zeros();
        self.word &= self.word - 1;
        Some(self.first + bit)
    }
}

/// Reads the kernel's list, strides included: `0-7,64`, `0-54:2`. An empty text is an empty set.
impl FromStr for CpuSet {
    type Err = String;

    fn from_str(text: &str) -> Result<CpuSet, String> {
        let mut cpus = Vec::new();
        for part in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
            let (range, stride) = part.split_once(':').unwrap_or((part, "1"));
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let number = |digits: &str| digits.trim().parse::<u32>().ok().filter(|cpu| *cpu <= MOST_CPU);
            match (number(first), number(last), number(stride)) {
                (Some(first), Some(last), Some(stride)) if first <= last && stride > 0 => {
                    cpus.extend((first..=last).step_by(stride as usize));
                }
                _ => {
                    return Err(format!(
                        "{part:?} in {text:?} is no CPU or range of CPUs; write for example 0-7,64 or 0-54:2"
                    ));
                }
            }
        }
        Ok(cpus.into_iter().collect())
    }
}

impl CpuSet {
    /// Reads a hexadecimal mask as Slurm takes it: `0xff00` or `ff00`.
    pub fn from_mask(text: &str) -> Result<CpuSet, String> {
        let wrong = || format!("{text:?} is no CPU mask; write hexadecimal digits such as 0xff00");
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        if digits.is_empty() || digits.len() > (MOST_CPU as usize + 1) / 4 {
            return Err(wrong());
        }
        let mut cpus = Vec::new();
        for (nibble, digit) in digits.chars().rev().enumerate() {
            let value = digit.to_digit(16).ok_or_else(wrong)?;
            cpus.extend((0..4).filter(|bit| value & (1 << bit) != 0).map(|bit| nibble as u32 * 4 + bit));
        }
        Ok(cpus.into_iter().collect())
    }
}

impl fmt::Debug for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CpuSet({self})")
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_list())
    }
}

super::vocabulary::schema_of_text!(CpuSet, "^[0-9,:-]*$", "CPUs or cores as the kernel lists them: 0-7,64 or 0-54:2");

impl Serialize for CpuSet {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.to_list())
    }
}

super::vocabulary::from_text!(CpuSet);

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> Self {
        let mut words = Vec::new();
        for cpu in cpus {
            let place = cpu as usize / 64;
            if place >= words.len() {
                words.resize(place + 1, 0);
            }
            words[place] |= 1 << (cpu % 64);
        }
        CpuSet(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    #[test]
    fn strides_are_read_and_nonsense_is_named() {
        assert_eq!("0-6:2, 9".parse(), Ok(set(&[0, 2, 4, 6, 9])));
        assert_eq!("".parse(), Ok(set(&[])));
        for wrong in ["a", "3-1", "1-", "0-7:0", "99999999", "-1", "1,,2"] {
            assert!(wrong.parse::<CpuSet>().unwrap_err().contains("0-54:2"), "{wrong:?}");
        }
        for wrong in ["", "0x", "0xfg", "-1"] {
            assert!(CpuSet::from_mask(wrong).unwrap_err().contains("0xff00"), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_a_set(a in prop::collection::btree_set(0u32..300, 0..40), b in prop::collection::btree_set(0u32..300, 0..40)) {
            let set = |cpus: &std::collections::BTreeSet<u32>| -> CpuSet { cpus.iter().copied().collect() };
            let (x, y) = (set(&a), set(&b));
            prop_assert_eq!(x.iter().collect::<Vec<_>>(), a.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!((x.len() as usize, x.is_empty()), (a.len(), a.is_empty()));
            prop_assert_eq!(x.union(&y), set(&a.union(&b).copied().collect()));
            prop_assert_eq!(x.difference(&y), set(&a.difference(&b).copied().collect()));
            prop_assert_eq!(x.intersection(&y), set(&a.intersection(&b).copied().collect()));
            prop_assert_eq!((x.is_subset(&y), x.is_disjoint(&y)), (a.is_subset(&b), a.is_disjoint(&b)));
            prop_assert!((0..300).all(|cpu| x.contains(cpu) == a.contains(&cpu)));
        }

        #[test]
        fn both_spellings_read_back(cpus in prop::collection::btree_set(0u32..600, 0..40)) {
            let set: CpuSet = cpus.into_iter().collect();
            prop_assert_eq!(set.to_list().parse(), Ok(set.clone()));
            prop_assert_eq!(CpuSet::from_mask(&set.to_mask()), Ok(set));
        }
    }
}

//! Sorting millions of durations: a least-significant-digit radix sort (D. Knuth, TAOCP 3, 5.2.5) over the bytes in which
//! they differ. Durations of one size lie close together, so that two or three passes do.

/// A duration in ns: u32 where all of them are shorter than 4.29 s, which halves the memory that is moved.
pub trait Nanoseconds: Copy + Ord + Default + Into<u64> + Send + Sync {}

impl Nanoseconds for u32 {}
impl Nanoseconds for u64 {}

/// Below so many values the standard library is faster.
const WORTH_IT: usize = 2048;

/// Bits that are looked at in one pass.
const DIGIT: u32 = 8;
const BUCKETS: usize = 1 << DIGIT;

/// Sorts ascending; `scratch` is working memory that callers keep from call to call.
pub fn sort<T: Nanoseconds>(values: &mut Vec<T>, scratch: &mut Vec<T>) {
    if values.len() < WORTH_IT {
        values.sort_unstable();
        return;
    }
    let first = values[0];
    let (least, most) =
        values.iter().fold((first, first), |(least, most), value| (least.min(*value), most.max(*value)));
    let least: u64 = least.into();
    let digits = (64 - (most.into() - least).leading_zeros()).div_ceil(DIGIT);
    scratch.resize(values.len(), T::default());
    for digit in 0..digits {
        pass(values, scratch, |value| ((value.into() - least) >> (DIGIT * digit)) as usize % BUCKETS);
        std::mem::swap(values, scratch);
    }
}

/// Writes `from` to `to`, sorted by bucket, otherwise in the same order.
fn pass<T: Nanoseconds>(from: &[T], to: &mut [T], bucket: impl Fn(T) -> usize) {
    let mut at = [0usize; BUCKETS];
    from.iter().for_each(|value| at[bucket(*value)] += 1);
    let mut sum = 0;
    for start in &mut at {
        sum += std::mem::replace(start, sum);
    }
    for value in from {
        let place = &mut at[bucket(*value)];
        to[*place] = *value;
        *place += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn it_sorts(mut values in prop::collection::vec(any::<u64>(), 0..4000), bits in 0u32..64, base in 0u64..1 << 20) {
            values.iter_mut().for_each(|value| *value = base.saturating_add(*value >> bits));
            let mut narrow: Vec<u32> = values.iter().map(|value| *value as u32).collect();
            let mut expected = values.clone();
            expected.sort_unstable();
            sort(&mut values, &mut Vec::new());
            prop_assert_eq!(values, expected);
            let mut expected = narrow.clone();
            expected.sort_unstable();
            sort(&mut narrow, &mut vec![7; 9000]);
            prop_assert_eq!(narrow, expected);
        }
    }
}

//! Sorting millions of durations: a least-significant-digit radix sort (D. Knuth, TAOCP 3, 5.2.5) over the bytes in which
//! they differ. Durations of one size lie close together, so that two or three passes do.

/// Below so many values the standard library is faster.
const WORTH_IT: usize = 2048;

/// Sorts ascending; `scratch` is working memory that callers keep from call to call.
pub fn sort(values: &mut Vec<u64>, scratch: &mut Vec<u64>) {
    if values.len() < WORTH_IT {
        values.sort_unstable();
        return;
    }
    let (least, most) = values.iter().fold((u64::MAX, 0), |(least, most), value| (least.min(*value), most.max(*value)));
    let digits = (64 - (most - least).leading_zeros()).div_ceil(8);
    scratch.clear();
    scratch.resize(values.len(), 0);
    for digit in 0..digits {
        pass(values, scratch, least, 8 * digit);
        std::mem::swap(values, scratch);
    }
}

/// Writes `from` to `to`, sorted by one byte of the distance to `least`, otherwise in the same order.
fn pass(from: &[u64], to: &mut [u64], least: u64, shift: u32) {
    let bucket = |value: u64| ((value - least) >> shift & 0xff) as usize;
    let mut at = [0usize; 256];
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
            let mut expected = values.clone();
            expected.sort_unstable();
            sort(&mut values, &mut Vec::new());
            prop_assert_eq!(values, expected);
        }
    }
}

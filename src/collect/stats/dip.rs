//! Is there more than one mode? The dip: the largest distance between the empirical distribution and the unimodal one
//! nearest to it. J. A. Hartigan and P. M. Hartigan, "The Dip Test of Unimodality", Annals of Statistics 13 (1985); the
//! way to compute it follows P. M. Hartigan, Algorithm AS 217, Applied Statistics 34 (1985).

use super::sort::Nanoseconds;

/// Points to which a larger sample is thinned: evenly spaced order statistics. They scatter less than a sample of that
/// size would, so that the test errs on the side of silence: about 4 % of the samples must lie where a single mode cannot
/// have them.
const POINTS: usize = 200;

/// Fewer samples are not tested.
pub const LEAST: usize = 30;

/// Critical value at 1 %, times the root of n, at n = 200 (0.0427); that of smaller samples is at most 8 % smaller.
const CRITICAL: f64 = 0.604;

/// Whether ascending durations have more than one mode in log(duration); `None` for fewer than [`LEAST`].
pub fn is_multimodal<T: Nanoseconds>(sorted: &[T]) -> Option<bool> {
    if sorted.len() < LEAST {
        return None;
    }
    let m = sorted.len().min(POINTS);
    let points: Vec<f64> = (0..m)
        .map(|i| if m == sorted.len() { i } else { ((i as f64 + 0.5) * sorted.len() as f64 / m as f64) as usize })
        .map(|at| sorted[at].into())
        .map(|ns: u64| (ns.max(1) as f64).ln())
        .collect();
    Some(dip(&points) > CRITICAL / (m as f64).sqrt())
}

/// The dip of ascending values; 0 where they are all the same, otherwise at least 1 / 2n.
pub fn dip(x: &[f64]) -> f64 {
    let n = x.len();
    if n < 2 || x[0] >= x[n - 1] {
        return 0.0;
    }
    let (minorant, majorant) = (minorant(x), majorant(x));
    let (mut low, mut high) = (0, n - 1);
    let mut dip = 1.0f64;
    loop {
        // the hulls of what is left of the modal interval: from the right, and from the left
        let gcm = chain(high, low, &minorant);
        let lcm = chain(low, high, &majorant);
        let gap = widest(x, &gcm, &lcm);
        if gap.width < dip {
            break;
        }
        dip = dip.max(below_minorant(x, &gcm[gap.gcm..])).max(above_majorant(x, &lcm[gap.lcm..]));
        if low == gcm[gap.gcm] && high == lcm[gap.lcm] {
            break;
        }
        (low, high) = (gcm[gap.gcm], lcm[gap.lcm]);
    }
    dip / (2.0 * n as f64)
}

/// For each point the one before it on the greatest convex minorant of all points up to it.
fn minorant(x: &[f64]) -> Vec<usize> {
    let mut before = vec![0; x.len()];
    for j in 1..x.len() {
        let mut k = j - 1;
        while k != 0 {
            let l = before[k];
            if (x[j] - x[k]) * ((k - l) as f64) < (x[k] - x[l]) * ((j - k) as f64) {
                break;
            }
            k = l;
        }
        before[j] = k;
    }
    before
}

/// For each point the one after it on the least concave majorant of all points from it on.
fn majorant(x: &[f64]) -> Vec<usize> {
    let last = x.len() - 1;
    let mut after = vec![last; x.len()];
    for j in (0..last).rev() {
        let mut k = j + 1;
        while k != last {
            let l = after[k];
            if (x[k] - x[j]) * ((l - k) as f64) < (x[l] - x[k]) * ((k - j) as f64) {
                break;
            }
            k = l;
        }
        after[j] = k;
    }
    after
}

fn chain(from: usize, to: usize, next: &[usize]) -> Vec<usize> {
    let mut points = vec![from];
    let mut at = from;
    while at != to {
        at = next[at];
        // the hull of the whole may pass over the end of what is left
        at = if from < to { at.min(to) } else { at.max(to) };
        points.push(at);
    }
    points
}

/// Where both hulls are farthest from each other, as indices into them, and how far in steps of the distribution.
struct Gap {
    width: f64,
    gcm: usize,
    lcm: usize,
}

fn widest(x: &[f64], gcm: &[usize], lcm: &[usize]) -> Gap {
    let mut gap = Gap { width: 0.0, gcm: gcm.len() - 1, lcm: lcm.len() - 1 };
    if gcm.len() == 2 && lcm.len() == 2 {
        return Gap { width: 1.0, ..gap };
    }
    let part = |at: usize, from: usize, to: usize| (x[at] - x[from]) / (x[to] - x[from]) * (to - from) as f64;
    let (mut i, mut v) = (gcm.len() as isize - 2, 1usize);
    loop {
        let (g, l) = (gcm[i.max(0) as usize], lcm[v.min(lcm.len() - 1)]);
        let at = i.max(0) as usize;
        if g > l {
            let left = gcm[at + 1];
            let width = (l - left + 1) as f64 - part(l, left, g);
            if width >= gap.width {
                gap = Gap { width, gcm: at + 1, lcm: v };
            }
            v = (v + 1).min(lcm.len() - 1);
        } else {
            let left = lcm[v - 1];
            let width = part(g, left, l) - (g as f64 - left as f64 - 1.0);
            if width >= gap.width {
                gap = Gap { width, gcm: at, lcm: v };
            }
            i = (i - 1).max(0);
        }
        if gcm[i.max(0) as usize] == lcm[v] {
            return gap;
        }
    }
}

/// How far the distribution lies above its minorant, whose points stand from the right to the left.
fn below_minorant(x: &[f64], gcm: &[usize]) -> f64 {
    let segments =
        gcm.windows(2).map(|pair| (pair[1], pair[0])).filter(|(from, to)| to - from > 1 && x[*to] > x[*from]);
    let farthest = |(from, to): (usize, usize)| {
        let slope = (to - from) as f64 / (x[to] - x[from]);
        (from..=to).map(|j| (j - from + 1) as f64 - (x[j] - x[from]) * slope).fold(1.0, f64::max)
    };
    segments.map(farthest).fold(1.0, f64::max)
}

/// How far the distribution lies below its majorant, whose points stand from the left to the right.
fn above_majorant(x: &[f64], lcm: &[usize]) -> f64 {
    let segments =
        lcm.windows(2).map(|pair| (pair[0], pair[1])).filter(|(from, to)| to - from > 1 && x[*to] > x[*from]);
    let farthest = |(from, to): (usize, usize)| {
        let slope = (to - from) as f64 / (x[to] - x[from]);
        (from..=to).map(|j| (x[j] - x[from]) * slope - (j as f64 - from as f64 - 1.0)).fold(1.0, f64::max)
    };
    segments.map(farthest).fold(1.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hump_is_not_two() {
        let hump = |center: f64, count: usize| {
            (0..count).map(move |i| (center * (1.0 + 0.1 * ((i as f64 + 0.5) / count as f64 - 0.5))) as u64)
        };
        let mut one: Vec<u64> = hump(1e6, 1000).collect();
        assert_eq!(is_multimodal(&one), Some(false));
        one.extend(hump(3e6, 300));
        assert_eq!(is_multimodal(&one), Some(true));
        assert_eq!(is_multimodal(&[7u32; 100]), Some(false));
        assert_eq!(is_multimodal(&one[..LEAST - 1]), None);
    }
}

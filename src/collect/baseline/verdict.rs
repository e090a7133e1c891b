//! Slower, faster, or noise.

use super::Method;

/// What an interval says of a ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Slower,
    Faster,
    /// The interval holds the ratios that mean nothing.
    Noise,
    /// There is no interval.
    TooFew,
}

impl Verdict {
    pub const ALL: [Verdict; 4] = [Verdict::Slower, Verdict::Faster, Verdict::Noise, Verdict::TooFew];

    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Slower => "slower",
            Verdict::Faster => "faster",
            Verdict::Noise => "noise",
            Verdict::TooFew => "too few",
        }
    }

    /// The whole interval must lie beyond the margin.
    pub fn of(interval: Option<(f64, f64)>, method: Method) -> Verdict {
        let margin = 1.0 + margin(method);
        match interval {
            None => Verdict::TooFew,
            Some((low, _)) if low > margin => Verdict::Slower,
            Some((_, high)) if high < 1.0 / margin => Verdict::Faster,
            Some(_) => Verdict::Noise,
        }
    }
}

/// Change that counts as none. One run does not show how much the next one differs: medians of the same job, run again,
/// commonly lie some percent apart, so that it has to clear more.
fn margin(method: Method) -> f64 {
    match method {
        Method::Repeats => 0.01,
        Method::Blocks => 0.05,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_interval_decides() {
        for (interval, repeats, blocks) in [
            ((1.02, 1.2), Verdict::Slower, Verdict::Noise),
            ((1.06, 1.2), Verdict::Slower, Verdict::Slower),
            ((0.9, 1.2), Verdict::Noise, Verdict::Noise),
            ((0.7, 0.97), Verdict::Faster, Verdict::Noise),
            ((0.7, 0.9), Verdict::Faster, Verdict::Faster),
        ] {
            assert_eq!(Verdict::of(Some(interval), Method::Repeats), repeats);
            assert_eq!(Verdict::of(Some(interval), Method::Blocks), blocks);
        }
        assert_eq!(Verdict::of(None, Method::Blocks), Verdict::TooFew);
    }
}

//! How the page's data hold numbers and what many runs share: short.

use serde::Serialize;

/// A number with five digits, one more than the page shows.
pub struct Figure(pub f64);

impl Serialize for Figure {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        shortened(self.0, 4, to)
    }
}

/// A number with three digits, for what stands in long lists.
pub struct Rough(pub f64);

impl Serialize for Rough {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        shortened(self.0, 2, to)
    }
}

pub fn shortened<S: serde::Serializer>(number: f64, decimals: usize, to: S) -> Result<S::Ok, S::Error> {
    let short: f64 = format!("{number:.decimals$e}").parse().unwrap_or(number);
    if short.fract() == 0.0 && short.abs() < 1e15 { to.serialize_i64(short as i64) } else { to.serialize_f64(short) }
}

/// Index of `one` in `all`, to which it is added where it is new.
pub fn index_of<T: PartialEq>(all: &mut Vec<T>, one: T) -> usize {
    all.iter().position(|known| *known == one).unwrap_or_else(|| {
        all.push(one);
        all.len() - 1
    })
}

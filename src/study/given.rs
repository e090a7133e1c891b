//! Values given for an axis, and which of them are refused.

use anyhow::{Result, ensure};

/// The values given, or the default ones.
///
/// # Errors
/// No value, or one twice.
pub fn list<T: Clone + PartialEq + std::fmt::Display>(
    flag: &str,
    given: Option<Vec<T>>,
    default: &[T],
) -> Result<Vec<T>> {
    let values = given.unwrap_or_else(|| default.to_vec());
    ensure!(!values.is_empty(), "--{flag} has no value: give at least one, or leave it out");
    for (i, value) in values.iter().enumerate() {
        ensure!(!values[..i].contains(value), "--{flag} has {value} twice: use --repeats to measure a point again");
    }
    Ok(values)
}

/// As [`numbers`], from 1 on.
pub fn counts(flag: &str, given: Option<Vec<u32>>, default: &[u32], max: u32) -> Result<Vec<u32>> {
    numbers(flag, given, default, 1, max)
}

/// A [`list`] of numbers within a range.
pub fn numbers(flag: &str, given: Option<Vec<u32>>, default: &[u32], min: u32, max: u32) -> Result<Vec<u32>> {
    let values = list(flag, given, default)?;
    values.iter().try_for_each(|value| count(flag, *value, min, max).map(|_| ()))?;
    Ok(values)
}

/// A number within a range.
pub fn count(flag: &str, value: u32, min: u32, max: u32) -> Result<u32> {
    ensure!((min..=max).contains(&value), "--{flag} {value} is out of range; allowed: {min} to {max}");
    Ok(value)
}

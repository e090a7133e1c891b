//! How numbers are written: fixed for programs, short for people; an absent number is empty.

/// Nanoseconds as microseconds with three decimals, which is what the clock resolves.
pub fn us(ns: f64) -> String {
    format!("{:.3}", ns / 1e3)
}

/// [`us`] of a value that may be absent.
pub fn us_or_empty(ns: Option<f64>) -> String {
    ns.map(us).unwrap_or_default()
}

/// GB/s with six decimals.
pub fn gb_per_s(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.6}")).unwrap_or_default()
}

/// A part or a ratio with six decimals.
pub fn share(value: Option<f64>) -> String {
    gb_per_s(value)
}

/// Three significant digits without an exponent, for people: `0.0123`, `1.23`, `123`, `12345`.
pub fn short(value: f64) -> String {
    let whole_digits = if value.abs() < 1e-9 { 1 } else { value.abs().log10().floor() as i32 + 1 };
    format!("{value:.*}", (3 - whole_digits).clamp(0, 9) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_for_people() {
        let shown: Vec<_> = [0.0, 0.01234, 1.234, 12.34, 123.4, 12345.6].into_iter().map(short).collect();
        assert_eq!(shown, ["0.00", "0.0123", "1.23", "12.3", "123", "12346"]);
        assert_eq!(
            (us(1234.5), gb_per_s(None), gb_per_s(Some(1.5))),
            ("1.234".into(), String::new(), "1.500000".into())
        );
    }
}

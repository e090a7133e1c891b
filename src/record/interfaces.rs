//! Several network interfaces as one value: `hsn0+hsn1`. The servers of a node take them in turn, so that each listens on one.

/// The interfaces that `set` names, in its order.
pub fn of(set: &str) -> impl Iterator<Item = &str> {
    set.split('+')
}

/// That of the server at place `local` of its node.
pub fn of_local(set: &str, local: u32) -> &str {
    let count = of(set).count();
    of(set).nth(local as usize % count).unwrap_or(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_take_interfaces_in_turn() {
        let taken = |set| (0..4).map(|local| of_local(set, local)).collect::<Vec<_>>().join(" ");
        assert_eq!(taken("hsn0"), "hsn0 hsn0 hsn0 hsn0");
        assert_eq!(taken("hsn0+hsn2+hsn1"), "hsn0 hsn2 hsn1 hsn0");
    }
}

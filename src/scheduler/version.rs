//! Versions of schedulers.

/// The two first numbers of a version; of Slurm year and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// From what a program says, or a site's file: `slurm 25.11.4`, `slurm-wlm 22.05.8`, `23.06`.
    pub fn parse(said: &str) -> Option<Version> {
        let word = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        let mut numbers = word.split('.').map(|part| part.parse().ok());
        Some(Version(numbers.next()??, numbers.next()??))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_behind_names() {
        let said = ["slurm 25.11.4", "slurm-wlm 22.05.8", "23.06", "what?", "slurm"];
        let due = [Some(Version(25, 11)), Some(Version(22, 5)), Some(Version(23, 6)), None, None];
        assert_eq!(said.map(Version::parse), due);
    }
}

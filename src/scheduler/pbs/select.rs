//! PBS' `select=`: chunks, joined by `+`, each a count and resources joined by `:`.

/// What a select statement asks for, or what is wrong with it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Select {
    /// Chunks in all; each is a host where they are scattered.
    pub chunks: u64,
    pub problems: Vec<String>,
}

/// Reads the value of `select=`.
pub fn parse(value: &str) -> Select {
    let mut select = Select::default();
    for chunk in value.split('+') {
        let mut parts = chunk.split(':').peekable();
        let count = match parts.peek().map(|first| (first.contains('='), first.parse::<u64>())) {
            Some((true, _)) => 1, // no count
            Some((false, Ok(count))) if count > 0 => {
                parts.next();
                count
            }
            _ => {
                select.problems.push(format!("the chunk {chunk:?} begins with no count"));
                continue;
            }
        };
        select.chunks += count;
        let mut seen: Vec<&str> = Vec::new();
        for part in parts {
            match part.split_once('=') {
                Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                    if seen.contains(&name) {
                        select.problems.push(format!("the chunk {chunk:?} has {name} twice"));
                    }
                    if part == "mpiprocs=0" {
                        select.problems.push(format!("mpiprocs=0 drops the hosts of {chunk:?} from $PBS_NODEFILE"));
                    }
                    seen.push(name);
                }
                _ => select.problems.push(format!("{part:?} in the chunk {chunk:?} is no NAME=VALUE")),
            }
        }
    }
    select
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_counted() {
        let measured = parse("2:ncpus=64:mpiprocs=1+4:ncpus=64:mpiprocs=32");
        assert_eq!(measured, Select { chunks: 6, problems: vec![] });
        assert_eq!(parse("16:system=polaris").chunks, 16);
        assert_eq!(parse("ncpus=4").chunks, 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, needle) in [
            ("x:ncpus=4", "no count"),
            ("0:ncpus=4", "no count"),
            ("2:ncpus", "\"ncpus\" in the chunk"),
            ("2:ncpus=4:ncpus=8", "ncpus twice"),
            ("2:ncpus=4:mpiprocs=0", "drops the hosts"),
            ("2:ncpus=4+", "no count"),
            ("2:ncpus=", "no NAME=VALUE"),
        ] {
            let problems = parse(text).problems;
            assert!(problems.len() == 1 && problems[0].contains(needle), "{text}: {problems:?}");
        }
    }
}

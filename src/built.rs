//! What this program was built from and with, as `build.rs` noted it. Knows nothing of the machine that it runs on.

/// The commit of the sources, with `-modified` where they differed from it; `unknown` where they were no checkout.
pub const COMMIT: &str = env!("SHARDSCALE_COMMIT");

/// What `version --long` says of every program, as (name, value).
pub fn facts() -> [(&'static str, &'static str); 5] {
    let features = env!("SHARDSCALE_FEATURES");
    [
        ("commit", COMMIT),
        ("target", env!("SHARDSCALE_TARGET")),
        ("profile", env!("SHARDSCALE_PROFILE")),
        ("rustc", env!("SHARDSCALE_RUSTC")),
        ("features", if features.is_empty() { "none" } else { features }),
    ]
}

/// The lines of `version`: the program alone, or all `facts` below it.
pub fn lines(program: &str, version: &str, facts: &[(&str, &str)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let below = facts.iter().map(|(name, value)| format!("{name:<width$}  {value}\n"));
    std::iter::once(format!("{program} {version}\n")).chain(below).collect()
}

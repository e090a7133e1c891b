//! Notes which MPI the client is built against: at run time only the library that was loaded can be asked. Whether its sources
//! are those of the commit, which the library `shardscale` names, only its own build can tell.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=MPICC");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rustc-env=SHARDSCALE_CLIENT_MODIFIED={}", if is_modified() { "-modified" } else { "" });
    println!("cargo:rustc-env=SHARDSCALE_BUILT_AGAINST={}", built_against().unwrap_or_default());
}

/// Whether git knows another text of the sources; not where they are no checkout. Asked again when HEAD moves, which its log tells.
fn is_modified() -> bool {
    let log = Command::new("git").args(["rev-parse", "--git-path", "logs/HEAD"]).output();
    let log = log.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if std::fs::exists(&log).unwrap_or_default() {
        println!("cargo:rerun-if-changed={log}");
    }
    let diff = Command::new("git").args(["diff", "--quiet", "HEAD", "--", "src", "build.rs", "Cargo.toml"]).status();
    diff.is_ok_and(|status| status.code() == Some(1))
}

/// Name and version from the macros of the header that the compiler wrapper finds; `None` where there is no such wrapper.
fn built_against() -> Option<String> {
    let wrapper = std::env::var("MPICC").unwrap_or_else(|_| "mpicc".to_owned());
    let output =
        Command::new(wrapper).args(["-E", "-dM", "-include", "mpi.h", "-x", "c", "/dev/null"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let value = |name: &str| {
        let of = |line: &str| line.strip_prefix("#define ")?.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
        text.lines().find_map(of).map(|value| value.trim().trim_matches('"').to_owned())
    };
    if let Some(major) = value("OMPI_MAJOR_VERSION") {
        let rest = ["OMPI_MINOR_VERSION", "OMPI_RELEASE_VERSION"].map(|name| value(name).unwrap_or_default());
        return Some(format!("Open MPI {major}.{}", rest.join(".")));
    }
    // the derivates keep the macro of the original beside their own
    [
        ("I_MPI_VERSION", "Intel MPI"),
        ("CRAY_MPICH_VERSION", "Cray MPICH"),
        ("MVAPICH2_VERSION", "MVAPICH2"),
        ("MPICH_VERSION", "MPICH"),
    ]
    .into_iter()
    .find_map(|(name, product)| Some(format!("{product} {}", value(name)?)))
}

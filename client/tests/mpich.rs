//! The client built against Debian's MPICH, beside Open MPI for all other tests: under MPICH's own launcher and under srun's PMI-2, on
//! the nodes of a virtual Slurm cluster.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use shardscale::record::attempt::{Attempt, Outcome};
use shardscale::record::manifest::Manifest;
use shardscale::record::samples::SamplesFile;

mod slurm_support;
use slurm_support::{CLIENT, Case, Cluster, assert_nothing_left, attempt, text};

const CASES: &[Case] = &[
    ("under hydra, one rank a node", hydra),
    ("under hydra, beside a server on each node", hydra_colocated),
    ("under srun with PMI-2, one rank a node", pmi2),
    ("a hang in MPI_Finalize costs a stated time and no run", hang_at_the_end),
];

const STANDARD: &str = "--deployment standard --db-nodes 1 --clients-per-node 1";

fn main() -> ExitCode {
    slurm_support::run(CASES, &[("NODES", "3")])
}

/// The client with MPICH, in a folder of its own so that neither build undoes the other. What knows no MPI is taken from the build
/// that made this test: with other targets its dependencies would have other features.
fn client(cluster: &Cluster) -> PathBuf {
    let target = cluster.root.join("target/mpich");
    let built = Path::new(CLIENT).parent().unwrap();
    let made = |path: PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
    // the library has changed since: to take it is quicker than to build it
    let is_old = made(target.join("debug/shardscale-client")) < made(built.join("shardscale"));
    if built == cluster.root.join("target/debug") && is_old {
        let line = "rm -rf \"$1\" && mkdir -p \"$1/deps\" && cp -a \"$0/.fingerprint\" \"$0/build\" \"$1/\" && \
            cp -a \"$0\"/deps/*.{rlib,rmeta,so} \"$1/deps/\" && rm -r \"$1\"/.fingerprint/{mpi,shardscale-client}-*";
        let output = Command::new("bash").args(["-c", line]).arg(built).arg(target.join("debug")).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
    let mut build = Command::new(env!("CARGO"));
    build.args(["test", "--no-run", "--locked", "--workspace", "--test=mpich", "--target-dir"]).arg(&target);
    let output = build.env("MPICC", "mpicc.mpich").current_dir(&cluster.root).output().unwrap();
    assert!(output.status.success(), "Is MPICH there (tests/setup.sh --test)? {}", text(&output));
    target.join("debug/shardscale-client")
}

/// The cluster's site with MPICH.
fn site(cluster: &Cluster, folder: &Path, launcher: &str, client_args: &str) -> PathBuf {
    let site = fs::read_to_string(cluster.root.join("tests/slurm/site.toml")).unwrap();
    // Debian gives `mpiexec` to Open MPI; a link would not do, since Hydra looks for its proxy beside the name that it was called by
    let programs = folder.join("bin");
    fs::create_dir_all(&programs).unwrap();
    fs::write(programs.join("mpiexec"), "#!/bin/sh\nexec mpiexec.mpich \"$@\"\n").unwrap();
    fs::set_permissions(programs.join("mpiexec"), PermissionsExt::from_mode(0o755)).unwrap();
    let environment = format!("export UCX_NET_DEVICES=hsn0 PATH='{}':$PATH", programs.display());
    let site = site
        .replace("export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_tcp_if_include=hsn0", &environment)
        .replace("launcher = \"srun\"", &format!("launcher = \"{launcher}\""))
        .replace("client_args = [\"--mpi=pmix\"]", &format!("client_args = [{client_args}]"))
        .replace(
            "server_args = [\"--mpi=none\"]",
            if launcher == "srun" { "server_args = [\"--mpi=none\"]" } else { "" },
        );
    assert!(site.contains(&environment) && site.contains(launcher) && site.contains(client_args), "{site}");
    let path = folder.join("mpich.toml");
    fs::write(&path, site).unwrap();
    path
}

/// A throughput run on two client nodes; it must be done, however MPI ended. `before` stands before the client's `run`.
fn measure(cluster: &Cluster, folder: &Path, site: &Path, study: &str, before: &str) -> Attempt {
    let client = client(cluster);
    let script = cluster.generate_for(site, folder, &format!("{study} --iterations 20")).remove(0);
    // MPI_Finalize may hang by itself, too: sooner than after the usual half minute
    let run = format!("{before} \"$client\" run --finalize-timeout 5 ");
    let text = fs::read_to_string(&script).unwrap();
    assert_eq!(text.matches("\"$client\" run ").count(), 1);
    fs::write(&script, text.replace("\"$client\" run ", &run)).unwrap();
    cluster.bash(folder, &format!("SHARDSCALE_CLIENT='{}' sbatch out/*.sh", client.display()));
    cluster.wait_until_idle();
    assert_nothing_left();
    let manifest = Manifest::read(&script.with_extension("")).unwrap();
    let attempt = attempt(&script, manifest.expect.servers);
    let log = || fs::read_to_string(attempt.path.join("client.log")).unwrap_or_default();
    assert_eq!(attempt.outcome(), Outcome::Done, "{:?}\n{}", attempt.events, log());
    let meta = SamplesFile::open(&attempt.samples()).unwrap().unwrap().contents().unwrap().meta.unwrap();
    assert_eq!((meta.world_size, meta.hosts.len()), (manifest.expect.ranks, 2));
    assert!(meta.mpi_library.starts_with("MPICH Version: "), "{}", meta.mpi_library);
    let table = cluster.shardscale(folder, "collect out", 0);
    assert!(table.contains("1 run: 1 done"), "{table}");
    println!("  {}, {:?}", meta.mpi_library, attempt.notes());
    attempt
}

fn hydra(cluster: &Cluster) {
    let folder = cluster.folder("mpich-hydra");
    measure(cluster, &folder, &site(cluster, &folder, "hydra", ""), STANDARD, "");
}

fn hydra_colocated(cluster: &Cluster) {
    let folder = cluster.folder("mpich-colocated");
    let study = "--deployment colocated --transport tcp --clients-per-node 1";
    measure(cluster, &folder, &site(cluster, &folder, "hydra", ""), study, "");
}

fn pmi2(cluster: &Cluster) {
    let folder = cluster.folder("mpich-pmi2");
    measure(cluster, &folder, &site(cluster, &folder, "srun", "\"--mpi=pmi2\""), STANDARD, "");
}

/// MPICH 4.0.2 hangs in MPI_Finalize in about one of six launches with several ranks on several nodes; here it does each time.
fn hang_at_the_end(cluster: &Cluster) {
    for (launcher, args) in [("srun", "\"--mpi=pmi2\""), ("hydra", "")] {
        let folder = cluster.folder(&format!("mpich-hang-{launcher}"));
        let source = cluster.root.join("client/tests/common/no_finalize.c");
        cluster.bash(&folder, &format!("gcc -shared -fPIC -o no_finalize.so {}", source.display()));
        let study = "--deployment standard --db-nodes 1 --clients-per-node 2";
        let preload = format!("env LD_PRELOAD={}/no_finalize.so", folder.display());
        let attempt = measure(cluster, &folder, &site(cluster, &folder, launcher, args), study, &preload);
        assert_eq!(attempt.left.as_ref().map(|left| left.after_s), Some(5), "{:?}", attempt.events);
        let at = |word: &str| attempt.events.iter().find(|event| event.word == word).unwrap().unix_s;
        let seconds = at("done") - at("client-started");
        assert!(seconds < 20, "it took {seconds} s");
    }
}

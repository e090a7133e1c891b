//! `gen --pack`: which permutations share a job, in which order, and that nothing is measured twice or lost.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use shardscale::record::manifest::Manifest;
use shardscale::record::pack::Pack;
use shardscale::site;

mod gen_support;
use gen_support::{Cli, assert_clean, assert_golden, stderr};

fn packs(out: &Path) -> Vec<Pack> {
    let mut packs: Vec<Pack> =
        fs::read_dir(out).unwrap().filter_map(|entry| Pack::read(&entry.unwrap().path()).ok().flatten()).collect();
    packs.sort_by(|a, b| a.name.cmp(&b.name));
    packs
}

fn manifest(out: &Path, name: &str) -> Manifest {
    Manifest::read(&out.join(name)).unwrap()
}

#[test]
fn a_packed_study_is_as_it_was_approved() {
    let cli = Cli::new();
    let out = cli.out().display().to_string();
    cli.ok(&["--site=frontier", "--account=abc123", "--pack=nested", "--client=/opt/shardscale/shardscale-client"]);
    let name = "pack-colocated-n4x48-db8-mask-lo-tcp-r1";
    let read = |path: &str| fs::read_to_string(cli.out().join(path)).unwrap().replace(&out, "/scratch/me/out");
    assert_golden("frontier-pack.sh", &read(&format!("{name}.sh")));
    assert_golden("frontier-pack.toml", &read(&format!("{name}/pack.toml")));
    assert_golden("frontier-packed-run.sh", &read("colocated-n4x48-db8-mask-lo-tcp-r1/job.sh"));
}

#[test]
fn every_site_makes_clean_bash_of_its_packs() {
    for name in site::builtin_names() {
        for (packing, store) in [("--pack=nested", "--pack-store=keep"), ("--pack=same", "--pack-store=restart")] {
            let cli = Cli::new();
            cli.ok(&["--site", &name, packing, store, "--repeats=2", "--deployment=standard,colocated"]);
            let mut scripts = cli.scripts();
            for pack in packs(&cli.out()) {
                scripts.extend(pack.runs.iter().map(|run| cli.out().join(&run.name).join("job.sh")));
            }
            assert_clean(&scripts);
            let output = cli.shardscale(&["check", "out"]);
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{name} {packing}: {said}{}", stderr(&output));
        }
    }
}

/// Of all sites and both ways: each permutation is in one job, each pack is admitted, and its places do not overlap.
#[test]
fn each_permutation_is_in_one_job_and_each_pack_keeps_the_queues_limits() {
    for name in site::builtin_names() {
        let loaded = site::load(&name, None).unwrap();
        for packing in ["--pack=nested", "--pack=same"] {
            let cli = Cli::new();
            cli.ok(&["--site", &name, packing, "--repeats=3"]);
            let packs = packs(&cli.out());
            let mut jobs: HashMap<String, u32> = HashMap::new();
            for pack in &packs {
                assert!(pack.runs.len() > 1, "a pack of one is a job");
                pack.runs.iter().for_each(|run| *jobs.entry(run.name.clone()).or_default() += 1);
                check_pack(&cli.out(), pack, packing == "--pack=same");
                let row = loaded.queues.iter().find(|row| Some(&row.name) == pack.queue.as_ref());
                if let (Some(row), Some(seconds)) = (row, pack.walltime_s) {
                    assert!(row.max_nodes.is_none_or(|most| pack.nodes <= most), "{name} {}", pack.name);
                    assert!(row.max_walltime.is_none_or(|most| seconds <= most.seconds), "{name} {}", pack.name);
                }
            }
            for script in cli.scripts() {
                let stem = script.file_stem().unwrap().to_string_lossy().into_owned();
                if !stem.starts_with("pack-") {
                    *jobs.entry(stem).or_default() += 1;
                }
            }
            let runs: HashSet<String> = fs::read_dir(cli.out())
                .unwrap()
                .map(|entry| entry.unwrap())
                .filter(|entry| entry.path().join("run.toml").exists())
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            assert_eq!(jobs.keys().cloned().collect::<HashSet<_>>(), runs, "{name} {packing}");
            assert!(jobs.values().all(|count| *count == 1), "{name} {packing}: {jobs:?}");
        }
    }
}

fn check_pack(out: &Path, pack: &Pack, same: bool) {
    for run in &pack.runs {
        let expect = manifest(out, &run.name).expect;
        assert_eq!(run.nodes(), expect.nodes, "{}", run.name);
        assert_eq!(run.walltime_s, expect.walltime_s);
        assert!(run.nodes() <= pack.nodes && (!same || run.nodes() == pack.nodes), "{}", run.name);
        if run.db_nodes > 0 {
            assert!(run.db_at >= run.client_nodes && run.db_at + run.db_nodes <= pack.nodes, "{}", run.name);
        }
    }
    let blocks: Vec<u32> = pack.runs.iter().map(|run| run.block).collect();
    assert!(blocks.is_sorted(), "repeats follow each other: {blocks:?}");
    let total: Option<u32> = pack.runs.iter().map(|run| run.walltime_s).sum();
    assert_eq!(pack.walltime_s, total);
}

#[test]
fn points_of_one_curve_share_their_nodes() {
    let cli = Cli::new();
    cli.ok(&[
        "--site=frontier",
        "--account=a",
        "--pack=nested",
        "--client-nodes=4,8,16",
        "--db-nodes=4,8",
        "--walltime=00:10:00",
    ]);
    for pack in packs(&cli.out()) {
        let standard: Vec<_> = pack.runs.iter().filter(|run| run.db_nodes > 0).collect();
        let places: HashSet<u32> = standard.iter().map(|run| run.db_at).collect();
        assert_eq!(places, HashSet::from([16]), "shards sit behind the largest client: {pack:?}");
        assert_eq!(pack.nodes, 24);
    }
    assert_eq!(packs(&cli.out()).len(), 1, "nine runs of 10 minutes fit into two hours");
}

#[test]
fn the_order_comes_from_the_seed_and_is_the_same_everywhere() {
    let order = |seed: &str| {
        let cli = Cli::new();
        cli.ok(&["--site=frontier", "--account=a", "--pack=nested", "--walltime=00:05:00", "--repeats=2", seed]);
        let packs = packs(&cli.out());
        (packs[0].seed, packs.into_iter().flat_map(|pack| pack.runs).map(|run| run.name).collect::<Vec<_>>())
    };
    let first = order("--pack-seed=1");
    assert_eq!(first, order("--pack-seed=1"));
    let other = order("--pack-seed=2");
    assert_eq!((first.0, other.0), (1, 2));
    assert_ne!(first.1, other.1);
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(first.1), sorted(other.1));
}

#[test]
fn packing_says_what_it_saves_and_costs() {
    let cli = Cli::new();
    let output = cli.run(&["--site=frontier", "--account=a", "--pack=nested", "--dry-run"]);
    let (table, said) = (String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output));
    assert!(table.contains("4 jobs, at most 312.00 node-hours"), "{table}");
    assert!(
        said.contains("packed: 4 jobs instead of 16, which may cost up to 312.00 node-hours instead of 176.00"),
        "{said}"
    );
    let error = cli.fails(1, &["--site=frontier", "--account=a", "--pack=nested", "--budget=200"]);
    assert!(error.contains("4 jobs may cost up to 312.0 node-hours, above --budget 200"), "{error}");
}

#[test]
fn a_permutation_moves_between_a_job_of_its_own_and_a_pack() {
    let cli = Cli::new();
    let study = ["--site=frontier", "--account=a", "--deployment=colocated"];
    let name = "colocated-n4x48-db8-mask-lo-tcp-r1";
    let (own, packed) = (cli.out().join(format!("{name}.sh")), cli.out().join(name).join("job.sh"));
    cli.ok(&study);
    assert!(own.exists() && !packed.exists());
    let said = cli.ok(&[&study[..], &["--pack=nested"]].concat());
    assert!(said.contains(&format!("changed   out/{name}/job.sh")), "{said}");
    assert!(!own.exists() && packed.exists(), "only one script measures it");
    assert!(cli.ok(&[&study[..], &["--pack=nested"]].concat()).lines().all(|line| line.starts_with("unchanged")));
    let said = cli.ok(&study);
    assert!(said.contains(&format!("orphaned  out/pack-{name}.sh")), "{said}");
    assert!(own.exists() && !packed.exists());
    assert!(!cli.out().join(format!("pack-{name}.sh")).exists(), "the pack would measure everything again");
    cli.ok(&[&study[..], &["--prune"]].concat());
    assert!(!cli.out().join(format!("pack-{name}")).exists());
}

#[test]
fn a_larger_study_renames_no_pack() {
    let names = |db_nodes: &str| {
        let cli = Cli::new();
        cli.ok(&["--site=frontier", "--account=a", "--pack=nested", "--deployment=standard", db_nodes]);
        packs(&cli.out()).into_iter().map(|pack| pack.name).collect::<HashSet<_>>()
    };
    assert!(names("--db-nodes=4,8").is_subset(&names("--db-nodes=4,8,16")));
}

#[test]
fn permutations_that_keep_a_store_follow_each_other() {
    let cli = Cli::new();
    cli.ok(&[
        "--site=frontier",
        "--account=a",
        "--pack=nested",
        "--pack-store=keep",
        "--walltime=00:03:00",
        "--repeats=2",
        "--deployment=standard,colocated",
        "--client-nodes=4,8",
        "--db-nodes=4,8",
    ]);
    for pack in packs(&cli.out()) {
        let stores: Vec<u32> = pack.runs.iter().map(|run| run.store).collect();
        assert!(pack.keep_store && stores[0] == 1 && stores.is_sorted(), "{stores:?}");
        for pair in pack.runs.windows(2) {
            let jobs = [&pair[0], &pair[1]].map(|run| manifest(&cli.out(), &run.name).job);
            let alike = jobs[0].deployment == jobs[1].deployment
                && jobs[0].db_nodes == jobs[1].db_nodes
                && (jobs[0].db_nodes.is_some() || jobs[0].client_nodes == jobs[1].client_nodes);
            assert_eq!(pair[0].store == pair[1].store, alike, "{} {}", pair[0].name, pair[1].name);
        }
    }
}

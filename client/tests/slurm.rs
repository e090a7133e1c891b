//! The main job on a real Slurm: `gen`, literally `sbatch out/*.sh`, `collect`, on the virtual cluster of tests/slurm/.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use shardscale::placement::{Demand, place};
use shardscale::record::attempt::{Attempt, FailureKind, Outcome};
use shardscale::record::cpus::CpuSet;
use shardscale::record::samples::SamplesFile;

mod slurm_support;
use slurm_support::{CLIENT, Case, Cluster, assert_nothing_left, attempt, processes_with, servers, wait_for};

const CASES: &[Case] = &[
    ("sbatch out/*.sh runs standard and colocated, and collect reports them", main_job),
    ("the database on named hosts, on nodes of a feature, in a job of its own, running already", database_elsewhere),
    ("several shards a node share two interfaces, several servers a node its ranks", several_a_node),
    ("files of nodes, and of all nodes, are measured and removed", files_of_nodes),
    ("an aggregation has its consumers on a node of their own, or beside the producers", aggregated),
    ("a rehearsal goes through the queue, and is no measurement", rehearsed),
    ("shardscale check asks Slurm once for each shape of job, and names what it would refuse", checked),
    ("scancel leaves a status, samples, and no server", cancelled),
    ("a rank killed with -9 ends the job and is named", killed_rank),
    ("a server killed with -9 ends the job and is named", killed_server),
    ("a bus port that is blocked between shards is named within seconds", blocked_bus),
    ("a hang in MPI_Finalize costs a stated time, and the run is done", hang_at_the_end),
    ("a rank that never starts costs a stated time", missing_rank),
    ("a time limit leaves what was measured", time_limit),
    ("what the submitting shell holds for Slurm decides nothing", polluted),
    ("steps share memory that is given per node", memory_per_node),
    ("mpirun's daemons for servers and ranks share nodes", mpirun_colocated),
    ("where nothing keeps jobs apart, no CPU of a shared node is taken for theirs", unconfined),
    ("srun sets the masks of a Frontier node as they were worked out", frontier_masks),
];

fn main() -> ExitCode {
    slurm_support::run(CASES, &[("NODES", "6"), ("SELECT", "CR_Core_Memory"), ("FEATURES", "cpu fat cpu fat cpu fat")])
}

fn failure(attempt: &Attempt) -> (FailureKind, String) {
    match attempt.outcome() {
        Outcome::Failed { kind, detail } => (kind, detail),
        Outcome::Done => panic!("the attempt is done"),
    }
}

/// Series of samples that are on disk.
fn series(attempt: &Attempt) -> usize {
    let Some(file) = SamplesFile::open(&attempt.samples()).unwrap() else { return 0 };
    file.contents().unwrap().series.len()
}

fn main_job(cluster: &Cluster) {
    let folder = cluster.folder("main");
    let scripts = cluster.generate(&folder, "");
    assert_eq!(scripts.len(), 3);
    cluster.bash(&folder, "sbatch out/*.sh");
    let done = |script: &PathBuf| attempt(script, 0).events.last().is_some_and(|event| event.word == "done");
    wait_for("three finished runs", || scripts.iter().all(done));
    cluster.wait_until_idle();
    assert_nothing_left();

    // shards on nodes of their own, reached over hsn0; ranks on the others
    let standard = scripts.iter().find(|script| script.to_string_lossy().contains("standard")).unwrap();
    let attempt = attempt(standard, 3);
    assert!(
        attempt.servers.iter().all(|server| server.address.as_deref().is_some_and(|ip| ip.starts_with("10.78.0.")))
    );
    let file = SamplesFile::open(&attempt.samples()).unwrap().unwrap();
    let meta = file.contents().unwrap().meta.unwrap();
    assert_eq!((meta.world_size, meta.hosts.len(), meta.shards.len()), (4, 2, 3));
    assert!(attempt.servers.iter().all(|server| !meta.hosts.contains(&server.host)), "a rank shares a shard's node");
    assert!(!attempt.path.join("password").exists());

    let table = cluster.shardscale(&folder, "collect out/", 0);
    assert!(table.contains("3 runs: 3 done"), "{table}");
    let mut results = csv::Reader::from_path(folder.join("out/report/results.csv")).unwrap();
    let headers = results.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let rows: Vec<csv::StringRecord> = results.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3 * 2 * 2, "runs x ops x sizes");
    for row in &rows {
        assert_eq!((&row[column("ranks")], &row[column("n")], &row[column("warmup_excluded")]), ("4", "200", "20"));
        let median: f64 = row[column("median_us")].parse().unwrap();
        let aggregate: f64 = row[column("overlap_gb_per_s")].parse().unwrap();
        assert!(median > 0.0 && aggregate > 0.0, "{row:?}");
    }
    for name in ["report.html", "summary.md", "runs.csv"] {
        assert!(fs::metadata(folder.join("out/report").join(name)).unwrap().len() > 0);
    }
    println!("{}{table}", fs::read_to_string(cluster.lab.join("log/jobcomp.txt")).unwrap());

    // the same command again measures nothing again
    cluster.bash(&folder, "sbatch out/*.sh");
    cluster.wait_until_idle();
    assert!(scripts.iter().all(|script| !script.with_extension("").join("attempt-2").exists()));
}

fn several_a_node(cluster: &Cluster) {
    let folder = cluster.folder("several");
    let study = "--deployment standard,colocated --shards-per-node 2 --net-ifname hsn0+hsn1 --servers-per-node 2 --transport tcp \
        --clients-per-node 4 --keys balanced --iterations 20";
    let mut scripts = cluster.generate(&folder, study);
    // the database in a job of its own has half as many nodes as shards, too
    scripts.extend(cluster.generate(
        &folder,
        "--out pair --deployment standard --shards-per-node 2 --net-ifname hsn0+hsn1 --db-from job --iterations 20",
    ));
    for folder_of_scripts in ["out", "pair"] {
        cluster.bash(&folder, &format!("sbatch {folder_of_scripts}/*.sh"));
        cluster.wait_until_idle();
    }
    assert_nothing_left();
    assert_eq!(scripts.len(), 3);
    for script in &scripts {
        let colocated = script.to_string_lossy().contains("colocated");
        let count = if colocated { 4 } else { 6 };
        let (servers, _) = hosts(script, count);
        assert!(servers.chunks(2).all(|two| two[0] == two[1]), "two on each of {} hosts: {servers:?}", count / 2);
        let attempt = attempt(script, count);
        for server in &attempt.servers {
            let local = server.local_index.unwrap();
            let (ifname, network) = match (colocated, local) {
                (true, _) => ("lo", "127.0.0.1"),
                (false, 0) => ("hsn0", "10.78.0."),
                (false, _) => ("hsn1", "10.79.0."),
            };
            assert_eq!((server.ifname.as_str(), server.port), (ifname, Some(6780 + local as u16)));
            assert!(server.address.as_deref().is_some_and(|ip| ip.starts_with(network)), "{server:?}");
        }
        let file = SamplesFile::open(&attempt.samples()).unwrap().unwrap();
        let contents = file.contents().unwrap();
        assert_eq!(contents.meta.unwrap().shards.len(), count as usize);
        let mut ranks_of = vec![0; count as usize];
        contents.ranks.iter().for_each(|rank| ranks_of[rank.shard as usize] += 1);
        if colocated {
            assert_eq!(ranks_of, [2, 2, 2, 2], "the ranks of a host are shared");
        } else {
            let environment = attempt.environment.unwrap();
            let used: std::collections::BTreeSet<_> =
                environment.routes.iter().filter_map(|route| route.interface.as_deref()).collect();
            assert!(used.iter().all(|name| name.starts_with("hsn")), "{used:?}");
        }
    }
    let table = cluster.shardscale(&folder, "collect .", 0);
    assert!(table.contains("3 runs: 3 done"), "{table}");
}

fn files_of_nodes(cluster: &Cluster) {
    let folder = cluster.folder("files");
    // a neighbour's files are in reach where all nodes see them
    let study = "--store files --iterations 20 --verify --file-cache any,drop";
    let mut scripts = cluster.generate(&folder, &format!("{study} --deployment colocated --out out/nodes"));
    let shared = "--deployment standard --access own,neighbour --out out/shared";
    scripts.extend(cluster.generate(&folder, &format!("{study} {shared}")));
    assert_eq!(scripts.len(), 6);
    cluster.bash(&folder, "sbatch out/nodes/*.sh; sbatch out/shared/*.sh");
    cluster.wait_until_idle();
    assert_nothing_left();
    for script in &scripts {
        let colocated = script.to_string_lossy().contains("colocated");
        let (keepers, ranks) = hosts(script, if colocated { 2 } else { 1 });
        assert!(keepers.iter().all(|host| ranks.contains(host)), "{keepers:?} {ranks:?}");
        assert_eq!((keepers.len(), ranks.len()), (if colocated { 2 } else { 1 }, 2));
        for keeper in attempt(script, 2).servers {
            let folder = keeper.folder.unwrap();
            assert_eq!((folder.file_system.is_memory(), folder.path.exists()), (colocated, false), "{folder:?}");
        }
    }
    let table = cluster.shardscale(&folder, "collect out/", 0);
    assert!(table.contains("6 runs: 6 done"), "{table}");
}

fn aggregated(cluster: &Cluster) {
    let folder = cluster.folder("aggregation");
    let study =
        "--workload aggregation --deployment standard --tensors 2 --iterations 10 --verify --tensor-bytes 1KiB,64KiB";
    let axes =
        "--client-nodes 2 --clients-per-node 2 --db-nodes 3 --consumer-nodes 0,1 --consumers 1,2 --consumer-threads 2";
    let scripts = cluster.generate(&folder, &format!("{study} {axes}"));
    assert_eq!(scripts.len(), 4);
    cluster.bash(&folder, "sbatch out/*.sh");
    cluster.wait_until_idle();
    assert_nothing_left();
    for script in &scripts {
        let own = !script.to_string_lossy().contains("-cn0-");
        let file = SamplesFile::open(&attempt(script, 3).samples()).unwrap().unwrap();
        let contents = file.contents().unwrap();
        let meta = contents.meta.unwrap();
        assert_eq!((meta.world_size, meta.hosts.len()), (6, if own { 3 } else { 2 }));
        let consumers = meta.roles.consumers.len();
        // a launch has equally many ranks on each node: some are too many
        assert_eq!(meta.roles.idle.len(), 2 - consumers);
        let hosts: Vec<u32> = meta.roles.consumers.iter().map(|rank| contents.ranks[*rank as usize].host).collect();
        assert_eq!(hosts, (if own { [2, 2] } else { [0, 1] })[..consumers]);
        let cpus = |rank: &u32| contents.ranks[*rank as usize].threads_cpus.clone();
        let widened: Vec<_> = meta.roles.consumers.iter().filter_map(cpus).collect();
        assert_eq!(widened.len(), if own { consumers } else { 0 }, "{widened:?}");
    }
    let table = cluster.shardscale(&folder, "collect out/", 0);
    assert!(table.contains("4 runs: 4 done"), "{table}");

    // two sizes in one job, and one with the database in a job of its own
    let small = format!("{study} --clients-per-node 2 --db-nodes 3");
    cluster.generate(&folder, &format!("{small} --client-nodes 1,2 --pack nested --out packed"));
    cluster.bash(&folder, "sbatch packed/pack-*.sh");
    cluster.generate(&folder, &format!("{small} --client-nodes 1 --db-from job --out pair"));
    cluster.shardscale(&folder, "submit pair", 0);
    cluster.wait_until_idle();
    assert_nothing_left();
    for (out, runs) in [("packed", "2 runs: 2 done"), ("pair", "1 run: 1 done")] {
        let table = cluster.shardscale(&folder, &format!("collect {out}"), 0);
        assert!(table.contains(runs), "{table}");
    }
}

fn rehearsed(cluster: &Cluster) {
    let folder = cluster.folder("rehearsal");
    cluster.generate(&folder, "");
    let command = format!("rehearse out/ --client {CLIENT}");
    let first = cluster.shardscale(&folder, &command, 3);
    assert!(first.contains("give the same command again when it has ended"), "{first}");
    cluster.wait_until_idle();
    let second = cluster.shardscale(&folder, &command, 0);
    assert!(second.contains("done") && second.contains("nothing was found"), "{second}");
    let table = cluster.shardscale(&folder, "collect out/", 3);
    assert!(table.contains("3 runs: 3 missing"), "{table}");
    assert_nothing_left();
}

fn checked(cluster: &Cluster) {
    let folder = cluster.folder("check");
    let scripts = cluster.generate(&folder, "");
    cluster.shardscale(&folder, "check out/", 0);
    let script = fs::read_to_string(&scripts[0]).unwrap();
    let nodes = script.lines().find(|line| line.starts_with("#SBATCH --nodes=")).unwrap();
    fs::write(&scripts[0], script.replace(nodes, "#SBATCH --nodes=60")).unwrap();
    let findings = cluster.shardscale(&folder, "check out/", 3);
    assert!(findings.contains(scripts[0].file_name().unwrap().to_str().unwrap()), "{findings}");
    assert!(findings.to_lowercase().contains("node"), "{findings}");
}

/// Hosts of the servers and of the ranks of a finished run.
fn hosts(script: &Path, servers: u32) -> (Vec<String>, Vec<String>) {
    let attempt = attempt(script, servers);
    let log = || fs::read_to_string(attempt.path.join("store.log")).unwrap_or_default();
    assert_eq!(attempt.outcome(), Outcome::Done, "{}: {:?}\n{}", script.display(), attempt.events, log());
    let meta = SamplesFile::open(&attempt.samples()).unwrap().unwrap().contents().unwrap().meta.unwrap();
    let mut of_servers: Vec<String> = attempt.servers.iter().map(|server| server.host.clone()).collect();
    of_servers.sort();
    (of_servers, meta.hosts)
}

fn database_elsewhere(cluster: &Cluster) {
    let folder = cluster.folder("elsewhere");
    let generate = |args: &str| cluster.generate(&folder, &format!("--deployment standard {args}")).remove(0);
    let named = generate("--out named --db-hosts cn4,cn5,cn6");
    let featured = generate("--out featured --client-constraint cpu --db-constraint fat");
    let pair = generate("--out pair --db-from job");
    for script in [&named, &featured, &pair] {
        cluster.bash(&folder, &format!("sbatch {}", script.display()));
    }
    // a store of the test itself, on the machine that is the login node
    let mut running = Command::new("redis-server");
    running.args(["--bind", "10.77.0.254", "--port", "17999", "--protected-mode", "no", "--save", ""]);
    let mut running = running.current_dir(&folder).stdout(std::process::Stdio::null()).spawn().unwrap();
    let running_script = generate("--out running --db-address 10.77.0.254:17999");
    cluster.bash(&folder, &format!("sbatch {}", running_script.display()));
    cluster.wait_until_idle();
    running.kill().unwrap();
    running.wait().unwrap();
    assert_nothing_left();

    assert_eq!(hosts(&named, 3).0, ["cn4", "cn5", "cn6"]);
    let (servers, ranks) = hosts(&featured, 3);
    assert_eq!(servers, ["cn2", "cn4", "cn6"], "the fat ones");
    assert!(ranks.iter().all(|host| ["cn1", "cn3", "cn5"].contains(&host.as_str())), "{ranks:?}");
    let (servers, ranks) = hosts(&pair, 3);
    assert!(servers.len() == 3 && ranks.iter().all(|host| !servers.contains(host)), "{servers:?} {ranks:?}");
    let (servers, ranks) = hosts(&running_script, 0);
    assert!(servers.is_empty() && ranks.len() == 2, "{servers:?} {ranks:?}");
}

/// A standard run, running: its script, once the first size is on disk.
fn long_run(cluster: &Cluster, name: &str) -> PathBuf {
    let folder = cluster.folder(name);
    // the first size takes a second or two, the second one minutes
    let args = "--deployment standard --tensor-bytes 1KiB,4MB --iterations 3000 --warmup 1 --barrier iteration";
    let script = cluster.generate(&folder, args).remove(0);
    cluster.bash(&folder, "sbatch out/*.sh");
    wait_for("the first size on disk", || {
        attempt(&script, 3).progress.is_some_and(|progress| progress.sizes_done == 1)
    });
    script
}

fn ended(cluster: &Cluster, script: &Path) -> Attempt {
    cluster.wait_until_idle();
    assert_nothing_left();
    let attempt = attempt(script, 3);
    assert_eq!(series(&attempt), 4 * 2, "ranks x ops of the size that was finished");
    let folder = script.parent().unwrap().parent().unwrap();
    let table = cluster.shardscale(folder, "collect out", 3);
    assert!(table.contains("partial"), "{table}");
    attempt
}

fn cancelled(cluster: &Cluster) {
    let script = long_run(cluster, "cancelled");
    cluster.bash(&cluster.root, "scancel --user root");
    let (kind, detail) = failure(&ended(cluster, &script));
    assert_eq!(kind, FailureKind::Terminated, "{detail}");
}

fn killed_rank(cluster: &Cluster) {
    let script = long_run(cluster, "killed-rank");
    let ranks = processes_with("shardscale-clie", "\0run\0");
    assert_eq!(ranks.len(), 4);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(ranks[3]), nix::sys::signal::Signal::SIGKILL).unwrap();
    let (kind, detail) = failure(&ended(cluster, &script));
    assert!(matches!(kind, FailureKind::RankDied | FailureKind::ClientError), "{kind:?}: {detail}");
}

fn killed_server(cluster: &Cluster) {
    let script = long_run(cluster, "killed-server");
    let servers = servers();
    assert_eq!(servers.len(), 3);
    for pid in servers {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    }
    let (kind, detail) = failure(&ended(cluster, &script));
    assert_eq!(kind, FailureKind::StoreDied, "{detail}");
    assert!(detail.contains("it ended unasked (signal: 9"), "{detail}");
}

/// What leaves the bus of cn4 for the network is dropped, as a firewall does it: who connects hears nothing.
fn blocked_bus(cluster: &Cluster) {
    let folder = cluster.folder("blocked-bus");
    let script = cluster.generate(&folder, "--deployment standard").remove(0);
    let rule = |action: &str| {
        let line = "nsenter --net --target $(cat RUN/pid/cn4) ip rule ACTION pref 1 ipproto tcp sport 16780 blackhole";
        let line = line.replace("RUN", &cluster.lab.display().to_string()).replace("ACTION", action);
        cluster.bash(&cluster.root, &line);
    };
    rule("add");
    cluster.bash(&folder, "sbatch out/*.sh");
    cluster.wait_until_idle();
    rule("del");
    assert_nothing_left();
    let attempt = attempt(&script, 3);
    let (kind, detail) = failure(&attempt);
    assert_eq!(kind, FailureKind::StoreStart);
    let due = "port 16780 of cn4 (10.78.0.4) cannot be reached from cn3, cn5: connection timed out; ";
    assert!(detail.starts_with("await-store on cn1: ") && detail.contains(due), "{detail}");
    let at = |word: &str| attempt.events.iter().find(|event| event.word == word).unwrap().unix_s;
    let seconds = at("failed") - at("store-starting");
    assert!(seconds < 20, "it took {seconds} s, as servers and slots of 120 s do");
    let log = cluster.bash(&folder, "cat out/*/job-*.log");
    assert!(log.contains(due), "{log}");
    let status = cluster.shardscale(&folder, "status out", 3).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(status.contains("store did not start") && status.contains("port 16780 of cn4"), "{status}");
}

fn hang_at_the_end(cluster: &Cluster) {
    let folder = cluster.folder("hang-at-the-end");
    let script = cluster.generate(&folder, "--deployment standard").remove(0);
    let build =
        format!("gcc -shared -fPIC -o no_finalize.so {}/client/tests/common/no_finalize.c", cluster.root.display());
    cluster.bash(&folder, &build);
    let run = format!("env LD_PRELOAD={}/no_finalize.so \"$client\" run --finalize-timeout 3 ", folder.display());
    let text = fs::read_to_string(&script).unwrap();
    fs::write(&script, text.replace("\"$client\" run ", &run)).unwrap();
    cluster.bash(&folder, "sbatch out/*.sh");
    cluster.wait_until_idle();
    assert_nothing_left();
    let attempt = attempt(&script, 3);
    assert_eq!(attempt.outcome(), Outcome::Done, "{:?}", attempt.events);
    assert_eq!(attempt.left.as_ref().map(|left| left.after_s), Some(3), "{:?}", attempt.events);
    let table = cluster.shardscale(&folder, "collect out", 0);
    assert!(table.contains("1 done"), "{table}");
    let runs = fs::read_to_string(folder.join("out/report/runs.csv")).unwrap();
    assert!(runs.contains("MPI_Finalize did not return within 3 s (rank "), "{runs}");
}

/// The launch of one rank never comes to MPI_Init, and srun leaves the others there.
fn missing_rank(cluster: &Cluster) {
    let folder = cluster.folder("missing-rank");
    let script = cluster.generate(&folder, "--deployment standard").remove(0);
    let run = "sh -c '[ \"$SLURM_PROCID\" != 3 ] || exec sleep 600; exec \"$@\"' sh \"$client\" run --start-timeout 3 ";
    let text = fs::read_to_string(&script).unwrap();
    fs::write(&script, text.replace("\"$client\" run ", run)).unwrap();
    cluster.bash(&folder, "sbatch out/*.sh");
    cluster.wait_until_idle();
    assert_nothing_left();
    let attempt = attempt(&script, 3);
    let (kind, detail) = failure(&attempt);
    assert_eq!(kind, FailureKind::ClientError, "{detail}");
    assert!(detail.contains("MPI_Init did not return within the 3 s of --start-timeout"), "{detail}");
    let at = |word: &str| attempt.events.iter().find(|event| event.word == word).unwrap().unix_s;
    let seconds = at("failed") - at("client-started");
    assert!(seconds < 60, "it took {seconds} s");
}

fn time_limit(cluster: &Cluster) {
    let script = long_run(cluster, "time-limit");
    let job = cluster.bash(&cluster.root, "squeue --noheader --format=%i");
    cluster.bash(&cluster.root, &format!("scontrol update JobId={job} EndTime=now+1"));
    let (kind, detail) = failure(&ended(cluster, &script));
    assert_eq!(kind, FailureKind::Terminated, "{detail}");
}

/// The nodes claim 64 CPUs: Slurm checks masks against them and says what it sets, though the kernel has fewer.
fn frontier_masks(cluster: &Cluster) {
    let site = shardscale::site::load("frontier", None).unwrap();
    let mut job = shardscale::record::manifest::example().job;
    job.deployment = shardscale::record::vocabulary::Deployment::Colocated;
    (job.db_nodes, job.clients_per_node, job.db_cpus) = (None, 48, 8);
    job.cpu_bind = "mask".parse().unwrap();
    let node = &site.nodes[0];
    let demand = Demand { job: &job, client_node: node, db_node: node, oversubscribe: false, part_of_node: false };
    let placement = place(&demand).unwrap().unwrap();
    for sets in [placement.servers, placement.ranks] {
        let masks: Vec<String> = sets.iter().map(CpuSet::to_mask).collect();
        let line = format!(
            "srun --mpi=none --nodes=1 --overlap --ntasks={} --cpu-bind=verbose,mask_cpu:{} true 2>&1",
            sets.len(),
            masks.join(",")
        );
        let said = cluster.bash(&cluster.root, &line);
        let mut set: Vec<(usize, CpuSet)> = said.lines().filter_map(mask_that_was_set).collect();
        set.sort();
        assert_eq!(set, sets.into_iter().enumerate().collect::<Vec<_>>(), "{said}");
    }
}

/// `cpu-bind=MASK - cn1, task  3  3 [4711]: mask 0x400 set` -> (3, {10})
fn mask_that_was_set(line: &str) -> Option<(usize, CpuSet)> {
    let (head, tail) = line.split_once(": mask ")?;
    let task = head.split_once(", task")?.1.split_whitespace().next()?.parse().ok()?;
    Some((task, CpuSet::from_mask(tail.strip_suffix(" set")?).ok()?))
}

/// The cluster's site with every way of binding.
fn binding_site(cluster: &Cluster, folder: &Path) -> PathBuf {
    let text = fs::read_to_string(cluster.root.join("tests/slurm/site.toml")).unwrap();
    let path = folder.join("binding.toml");
    let all = text.replace(r#"cpu_bind = ["none"]"#, r#"cpu_bind = ["none", "scheduler", "mask"]"#);
    fs::write(&path, all.replace(r#"name = "vslurm""#, r#"name = "binding""#)).unwrap();
    path
}

fn polluted(cluster: &Cluster) {
    // what a shell inside a job of 22.05 to 25.11 has, and more: each of them breaks a launch that reads it
    const SHELL: &str = "export SLURM_CPUS_PER_TASK=2 SRUN_CPUS_PER_TASK=1 SLURM_TRES_PER_TASK=cpu:2 SLURM_MEM_PER_NODE=1 \
        SLURM_CPU_BIND=map_cpu:63 SLURM_EXACT=1 SLURM_NTASKS=7 SLURM_NTASKS_PER_NODE=7 SLURM_DISTRIBUTION=plane=9 \
        SLURM_EXPORT_ENV=NONE SLURM_TIMELIMIT=1 SBATCH_TIMELIMIT=1 SBATCH_MEM_PER_NODE=1;";
    let folder = cluster.folder("polluted");
    let site = binding_site(cluster, &folder);
    let study = "--deployment colocated --transport tcp --cpu-bind scheduler,mask --iterations 5 --tensor-bytes 1KiB";
    for (out, submit) in [
        ("by-submit", format!("{SHELL} salloc --quiet -N1 -n1 -c1 {} submit by-submit", cluster.program())),
        ("by-sbatch", format!("{SHELL} salloc --quiet -N1 -n1 -c1 sbatch by-sbatch/*.sh")),
        ("by-srun", format!("srun --quiet -N1 -n1 -c2 {} submit by-srun", cluster.program())),
    ] {
        let scripts = cluster.generate_for(&site, &folder, &format!("--out {out} {study}"));
        // the allocation in which somebody types takes from it what the shell says as well
        cluster.bash(&folder, &submit);
        let ended = |script: &PathBuf| {
            attempt(script, 0).events.last().is_some_and(|event| ["done", "failed"].contains(&event.word.as_str()))
        };
        wait_for("the runs of a polluted shell", || scripts.iter().all(ended));
        for script in &scripts {
            assert_eq!(attempt(script, 2).outcome(), Outcome::Done, "{}", script.display());
        }
        cluster.wait_until_idle();
    }
}

fn memory_per_node(cluster: &Cluster) {
    let folder = cluster.folder("memory");
    let site = binding_site(cluster, &folder);
    let study = "--transport tcp --cpu-bind scheduler,mask --directive=--mem=100G --iterations 5 --tensor-bytes 1KiB";
    let scripts = cluster.generate_for(&site, &folder, study);
    assert_eq!(scripts.len(), 4);
    cluster.shardscale(&folder, "submit out", 0);
    cluster.wait_until_idle();
    for script in &scripts {
        assert_eq!(attempt(script, 3).outcome(), Outcome::Done, "{}", script.display());
    }
}

/// These nodes have no task/cgroup.
fn unconfined(cluster: &Cluster) {
    let folder = cluster.folder("unconfined");
    let site = binding_site(cluster, &folder);
    let study = "--deployment standard --db-nodes 1 --client-nodes 1 --clients-per-node 1 --cpu-bind mask --queue shared --iterations 5";
    let script = cluster.generate_for(&site, &folder, study).remove(0);
    cluster.bash(&folder, "sbatch out/*.sh");
    cluster.wait_until_idle();
    let (kind, detail) = failure(&attempt(&script, 1));
    assert_eq!(kind, FailureKind::StoreStart, "{detail}");
    assert!(detail.contains("it has 1, and the kernel") && detail.contains("--cpu-bind scheduler"), "{detail}");
    assert_nothing_left();
}

/// mpirun starts its daemons by srun, in steps that would each take their nodes whole.
fn mpirun_colocated(cluster: &Cluster) {
    let folder = cluster.folder("mpirun");
    let text = fs::read_to_string(cluster.root.join("tests/slurm/site.toml")).unwrap();
    let mpirun = text
        .replace("launcher = \"srun\"", "launcher = \"openmpi\"")
        .replace("client_args = [\"--mpi=pmix\"]\nserver_args = [\"--mpi=none\"]\n", "")
        .replace("export OMPI_MCA", "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA");
    let site = folder.join("mpirun.toml");
    fs::write(&site, mpirun).unwrap();
    let study = "--deployment colocated --transport tcp --iterations 5 --directive=--mem=100G";
    let script = cluster.generate_for(&site, &folder, study).remove(0);
    cluster.bash(&folder, "sbatch out/*.sh");
    cluster.wait_until_idle();
    assert_nothing_left();
    let (servers, ranks) = hosts(&script, 2);
    assert_eq!((servers.len(), &servers), (2, &ranks));
}

//! Scripts of schedulers and launchers that no shipped site combines, and of a database beside the allocation: clean bash,
//! and honest about what never ran.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod gen_support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use gen_support::{Cli, assert_clean, stderr};

/// The virtual cluster's site under another scheduler and launcher.
fn site(cli: &Cli, scheduler: &str, launcher: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slurm/site.toml");
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains("kind = \"slurm\"") && text.contains("launcher = \"srun\""));
    let text = text
        .replace("kind = \"slurm\"", &format!("kind = \"{scheduler}\""))
        .replace("launcher = \"srun\"", &format!("launcher = \"{launcher}\""));
    // what the site adds are words of Slurm
    let text = match scheduler {
        "slurm" => text,
        _ => text
            .replace(r#"always = ["--no-requeue"]"#, "always = []")
            .replace(r#"submit_as = ["--partition=compute", "--exclusive"]"#, "submit_as = []"),
    };
    fs::write(cli.folder.path().join("mine.toml"), text).unwrap();
}

#[test]
fn every_scheduler_with_every_launcher_makes_clean_bash() {
    let pairs = [
        ("flux", "flux"),
        ("lsf", "openmpi"),
        ("pbs", "hydra"),
        ("pbs", "openmpi"),
        ("pbs", "pals"),
        ("slurm", "hydra"),
        ("slurm", "openmpi"),
        ("slurm", "ibrun"),
    ];
    for (scheduler, launcher) in pairs {
        let cli = Cli::new();
        site(&cli, scheduler, launcher);
        cli.ok(&["--site=./mine.toml", "--verify"]);
        let scripts = cli.scripts();
        assert_eq!(scripts.len(), 3, "{scheduler} with {launcher}");
        assert_clean(&scripts);
        let output = cli.shardscale(&["check", "out"]);
        // the site says nothing of place=scatter
        let clean = output.status.success() || scheduler == "pbs";
        assert!(clean, "{scheduler} with {launcher}: {}", String::from_utf8_lossy(&output.stdout));
        let never_ran = fs::read_to_string(&scripts[0]).unwrap().contains("none has run under a real");
        assert_eq!(never_ran, scheduler == "lsf", "{scheduler}");
    }
}

/// Recorded answers of a real Flux, and answers in the format of LSF's manual, by programs of the tests' own in PATH.
#[test]
fn schedulers_that_are_not_here_are_spoken_with_as_they_answered() {
    let flux = r#"case "$1 $2" in
"jobs --no-header") [ ! -e taken ] || printf '26457669632|fhJyUQo|SCHED|eta:9.964m\n' ;;
"job info") printf '{"attributes": {"user": {"shardscale": "%s"}}}' "$(cat taken)" ;;
batch*) printf '%s ' "$@" >> said; echo "$2" | cut -d= -f3 > taken; echo fhJyUQo ;;
esac"#;
    let bsub = r#"[ "$1" != -V ] || exit 0
printf '%s ' "$@" >> said; echo "$3" > taken; grep '#BSUB -J' > read; echo 'Job <3926> is submitted to default queue <normal>.'"#;
    let bjobs = r#"[ -e taken ] || { echo 'No unfinished job found' >&2; exit 255; }
echo "3926|PEND|$(cat taken)|-|Job dependency condition not satisfied""#;
    for (scheduler, launcher, programs, words, waits) in [
        ("flux", "flux", &[("flux", flux)][..], "batch --setattr=user.shardscale=", "fhJyUQo    eta:9.964m"),
        ("lsf", "openmpi", &[("bsub", bsub), ("bjobs", bjobs)], "-Jd shardscale:", "3926       Job dependency"),
    ] {
        let cli = Cli::new();
        site(&cli, scheduler, launcher);
        cli.ok(&["--site=./mine.toml", "--deployment=standard"]);
        for (name, body) in programs {
            let path = cli.folder.path().join(name);
            fs::write(&path, format!("#!/bin/bash\n{body}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let run = |args: &[&str]| {
            let path = format!("{}:{}", cli.folder.path().display(), std::env::var("PATH").unwrap());
            let mut command = Command::new(env!("CARGO_BIN_EXE_shardscale"));
            let output = command.current_dir(cli.folder.path()).env("PATH", path).args(args).output().unwrap();
            assert!(output.status.success(), "{scheduler} {args:?}: {}", stderr(&output));
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(run(&["submit", "out"]).lines().count(), 1, "{scheduler}");
        assert_eq!(run(&["submit", "out"]), "", "{scheduler}: it is in the queue");
        let table = run(&["status", "out"]);
        assert!(table.contains("queued") && table.contains(waits), "{table}");
        let said = fs::read_to_string(cli.folder.path().join("said")).unwrap();
        assert!(said.starts_with(words), "{said}");
        if scheduler == "lsf" {
            let read = fs::read_to_string(cli.folder.path().join("read")).unwrap();
            assert!(read.starts_with("#BSUB -J standard-"), "the script is bsub's standard input: {read}");
        }
    }
}

#[test]
fn a_database_of_its_own_has_a_script_that_sbatch_does_not_glob() {
    for (site, db_queue, ask, depend) in [
        ("frontier", "batch-1-91", "#SBATCH --nodes=", "--dependency=after:"),
        // too small for prod, where the client is
        ("polaris", "debug-scaling", "#PBS -l select=", "depend=after:"),
    ] {
        let cli = Cli::new();
        let (site_flag, queue_flag) = (format!("--site={site}"), format!("--db-queue={db_queue}"));
        let args = [
            site_flag.as_str(),
            &queue_flag,
            "--deployment=standard",
            "--client-nodes=10",
            "--db-nodes=4",
            "--account=abc",
        ];
        cli.ok(&[&args[..], &["--db-from=job"]].concat());
        let script = cli.scripts().remove(0);
        let db = script.with_extension("").join("db.sh");
        assert_clean(&[script.clone(), db.clone()]);
        let (client_text, db_text) = (fs::read_to_string(&script).unwrap(), fs::read_to_string(&db).unwrap());
        assert!(client_text.contains(&format!("{ask}10")) && db_text.contains(&format!("{ask}4")), "{db_text}");
        assert!(client_text.contains(depend) && client_text.contains("db.sh"), "{client_text}");
        assert!(!client_text.contains(" serve ") && db_text.contains(" serve "));
        // the pair is one permutation: generating again touches neither
        let again = cli.ok(&[&args[..], &["--db-from=job"]].concat());
        assert!(again.starts_with("unchanged "), "{again}");
    }
}

#[test]
fn hosts_addresses_and_features_reach_directives_and_scripts() {
    let cli = Cli::new();
    let args = ["--site=frontier", "--deployment=standard", "--client-nodes=4", "--db-nodes=3"];
    cli.ok(&[&args[..], &["--out=hosts", "--db-hosts=n1,n2,n3"]].concat());
    cli.ok(&[&args[..], &["--out=running", "--db-address=n1:6780,[fd00::2]:6780"]].concat());
    cli.ok(&[&args[..], &["--out=features", "--client-constraint=SK48", "--db-constraint=P100"]].concat());
    let text = |out: &str| {
        let mut scripts: Vec<PathBuf> =
            fs::read_dir(cli.folder.path().join(out)).unwrap().map(|entry| entry.unwrap().path()).collect();
        scripts.retain(|path| path.extension().is_some_and(|extension| extension == "sh"));
        assert_clean(&scripts);
        fs::read_to_string(&scripts[0]).unwrap()
    };
    let hosts = text("hosts");
    assert!(hosts.contains("#SBATCH --nodelist=n1,n2,n3\n") && hosts.contains("store_nodes=(n1 n2 n3)"), "{hosts}");
    let running = text("running");
    assert!(
        running.contains("--address 'n1:6780,[fd00::2]:6780'") && running.contains("#SBATCH --nodes=4\n"),
        "{running}"
    );
    assert!(!running.contains(" serve ") && !running.contains("stop-store"));
    let features = text("features");
    assert!(features.contains("#SBATCH --constraint=[SK48*4&P100*3]\n"), "{features}");
}

#[test]
fn what_cannot_be_is_refused_with_the_remedy() {
    // what the command line alone shows to be wrong ends with 2
    let cases: [(i32, &[&str], &str); 8] = [
        (
            1,
            &["--site=polaris", "--deployment=standard", "--db-nodes=4", "--db-from=job"],
            "(--db-queue names its row): no queue of polaris admits 4 nodes",
        ),
        (1, &["--site=local", "--deployment=standard", "--db-from=job"], "possible with: slurm, pbs, flux, lsf"),
        (
            1,
            &["--site=frontier", "--deployment=standard", "--db-nodes=4", "--db-hosts=a,b"],
            "--db-hosts names 2 hosts, and there are 4 DB nodes",
        ),
        (1, &["--site=frontier", "--db-from=hosts", "--deployment=standard"], "--db-from hosts needs --db-hosts"),
        (2, &["--site=frontier", "--db-hosts=a;b"], "is no host name"),
        (2, &["--site=frontier", "--db-address=host"], "is not HOST:PORT"),
        (2, &["--site=frontier", "--db-address=fd00::12:6780"], "such as n0012:6780 or [fd00::12]:6780"),
        (2, &["--site=frontier", "--client-constraint=$(id)"], "is no feature of nodes"),
    ];
    for (code, args, needle) in cases {
        let cli = Cli::new();
        let error = cli.fails(code, args);
        assert!(error.contains(needle), "{args:?} should say {needle:?}: {error}");
        assert!(!cli.out().exists(), "{args:?} wrote something");
    }
}

#[test]
fn a_job_that_flux_cannot_be_asked_for_is_refused() {
    for (args, needle) in [
        (&["--db-nodes=3", "--db-hosts=n1,n2,n3"][..], "gives named hosts among others"),
        (
            &["--client-constraint=a", "--db-constraint=b"],
            "want different nodes, which one job cannot ask \"flux\" for",
        ),
    ] {
        let error = Cli::new().fails(1, &[&["--site=tuolumne", "--deployment=standard"][..], args].concat());
        assert!(error.contains(needle), "{args:?} should say {needle:?}: {error}");
    }
}

/// GPU nodes for the client beside CPU nodes for the database: each job has its own kind of node and its own queue.
#[test]
fn the_jobs_of_a_pair_go_to_the_queues_of_their_nodes() {
    let cli = Cli::new();
    let args = ["--site=vista", "--set=account=p1", "--deployment=standard", "--db-from=job", "--db-nodes=4"];
    let kinds = ["--client-node-type=gh", "--db-node-type=gg"];
    let texts = |more: &[&str]| {
        cli.ok(&[&args[..], &kinds, more].concat());
        let script = cli.scripts().remove(0);
        let db = script.with_extension("").join("db.sh");
        assert_clean(&[script.clone(), db.clone()]);
        let run = fs::read_to_string(script.with_extension("").join("run.toml")).unwrap();
        (fs::read_to_string(script).unwrap(), fs::read_to_string(db).unwrap(), run)
    };
    // more nodes than gg takes, and 72 cores a node on one side, 144 on the other
    let (client, db, run) = texts(&["--client-nodes=40", "--clients-per-node=72", "--db-cpus=100"]);
    assert!(client.contains("#SBATCH --partition=gh\n") && client.contains("#SBATCH --nodes=40\n"), "{client}");
    assert!(db.contains("#SBATCH --partition=gg\n") && db.contains("#SBATCH --nodes=4\n"), "{db}");
    assert!(run.contains("queue = \"gh\"\ndb_queue = \"gg\""), "{run}");
    // --queue is the client's, --db-queue the database's
    let small = ["--client-nodes=4", "--clients-per-node=8", "--db-cpus=8", "--prune"];
    let (client, db, _) = texts(&[&small[..], &["--queue=gh-dev"]].concat());
    assert!(client.contains("--partition=gh-dev\n") && db.contains("--partition=gg\n"), "{client}");
    for (flag, refusal) in
        [("--queue=gg", "admits 4 nodes of kind gh for"), ("--db-queue=gh", "admits 4 nodes of kind gg for")]
    {
        let said = stderr(&cli.run(&[&args[..], &kinds, &small, &[flag]].concat()));
        assert!(said.contains(refusal), "{said}");
    }
}

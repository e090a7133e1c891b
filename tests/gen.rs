//! `shardscale gen` as a user calls it: what it writes, what it refuses, and what its scripts look like.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod gen_support;

use std::fs;
use std::path::Path;
use std::process::Command;

use gen_support::{Cli, assert_clean, assert_golden, stderr};

#[test]
fn whole_scripts_are_as_they_were_approved() {
    let cases: [(&str, &[&str]); 9] = [
        (
            "frontier-standard",
            &["frontier", "--deployment=standard", "--client-nodes=4", "--db-nodes=3", "--account=abc123"],
        ),
        ("frontier-colocated", &["frontier", "--deployment=colocated", "--client-nodes=4", "--account=abc123"]),
        ("frontier-scheduler", &["frontier", "--deployment=colocated", "--client-nodes=4", "--cpu-bind=scheduler"]),
        (
            "polaris-standard",
            &["polaris", "--deployment=standard", "--client-nodes=10", "--db-nodes=1", "--account=abc"],
        ),
        (
            "polaris-colocated",
            &["polaris", "--deployment=colocated", "--client-nodes=10", "--cpu-bind=none", "--verify"],
        ),
        (
            "frontier-files",
            &["frontier", "--deployment=standard", "--store=files", "--client-nodes=4", "--file-cache=drop"],
        ),
        (
            "frontier-aggregation",
            &[
                "frontier",
                "--workload=aggregation",
                "--deployment=standard",
                "--client-nodes=4",
                "--db-nodes=3",
                "--tensors-per-dataset=4",
                "--consumer-threads=8",
                "--account=abc123",
            ],
        ),
        (
            "polaris-inference",
            &[
                "polaris",
                "--workload=inference",
                "--deployment=colocated",
                "--client-nodes=10",
                "--model=/lus/it's/resnet50.pt",
                "--script=/lus/me/pre.txt",
                "--function=pre_process_3ch",
                "--device=gpu",
                "--devices=4",
                "--queue-threads=2",
                "--load-module=/lus/me/redisai.so",
                "--shape=224x224xN",
                "--tensor-bytes=602112",
            ],
        ),
        ("local-uds", &["local", "--deployment=colocated", "--transport=uds", "--clients-per-node=4"]),
    ];
    for (name, args) in cases {
        let cli = Cli::new();
        let args = [&["--client=/opt/shardscale/shardscale-client", "--site"], args].concat();
        cli.ok(&args);
        let scripts = cli.scripts();
        assert_eq!(scripts.len(), 1, "{scripts:?}");
        let text =
            fs::read_to_string(&scripts[0]).unwrap().replace(&*cli.folder.path().to_string_lossy(), "/scratch/me");
        assert_golden(&format!("{name}.sh"), &text);
        let manifest = fs::read_to_string(scripts[0].with_extension("").join("run.toml")).unwrap();
        assert_golden(&format!("{name}.toml"), &manifest);
    }
}

#[test]
fn many_permutations_are_made_side_by_side_and_in_order() {
    let cli = Cli::new();
    let list = |last: u32| (1..=last).map(|one| one.to_string()).collect::<Vec<_>>().join(",");
    let (nodes, ranks) = (format!("--client-nodes={}", list(30)), format!("--clients-per-node={}", list(40)));
    let args = ["--site", "frontier", "--deployment=standard", &nodes, &ranks, "--db-nodes=2", "--account=abc"];
    let made = cli.ok(&args);
    let names: Vec<&str> = made.lines().filter_map(|line| line.rsplit('/').next()).collect();
    assert_eq!(names.len(), 1200);
    let due = (1..=30).flat_map(|nodes| (1..=40).map(move |ranks| format!("standard-n{nodes}x{ranks}-")));
    assert!(names.iter().zip(due).all(|(name, start)| name.starts_with(&start)), "{names:?}");
    // one of each thread, and what none of them wrote
    let again = cli.ok(&args);
    assert!(again.lines().all(|line| line.starts_with("unchanged")), "{again}");
    let script = cli.scripts().pop().unwrap();
    fs::write(&script, "#!/bin/bash\n").unwrap();
    let changed = cli.ok(&args);
    assert_eq!(changed.lines().filter(|line| line.starts_with("changed")).count(), 1, "{changed}");
}

#[test]
fn every_site_deployment_and_binding_makes_clean_bash() {
    for site in shardscale::site::builtin_names() {
        for bind in shardscale::site::load(&site, None).unwrap().launch.cpu_bind {
            let cli = Cli::new();
            let bind = format!("--cpu-bind={bind}");
            cli.ok(&["--site", &site, &bind, "--deployment=standard,colocated", "--transport=tcp,uds", "--verify"]);
            let scripts = cli.scripts();
            assert!(scripts.len() >= 4);
            assert_clean(&scripts);
        }
        // other workloads change what the client is told, and how many nodes it has
        let cli = Cli::new();
        let models = ["--model=/opt/m.pt", "--script=/opt/s.txt", "--load-module=/opt/redisai.so"];
        cli.ok(&[&["--site", &site, "--workload=aggregation,inference", "--repeats=1"], &models[..]].concat());
        let scripts = cli.scripts();
        assert_clean(&scripts);
    }
}

#[test]
fn directives_stand_together_right_behind_the_first_line() {
    for (site, prefix) in [("frontier", "#SBATCH "), ("polaris", "#PBS ")] {
        let cli = Cli::new();
        cli.ok(&["--site", site, "--account=abc", "--directive=-M cluster"]);
        for script in cli.scripts() {
            let text = fs::read_to_string(script).unwrap();
            assert!(!text.contains('\r') && text.starts_with("#!/bin/bash\n"));
            let block: Vec<&str> = text.lines().skip(1).take_while(|line| line.starts_with(prefix)).collect();
            assert!(block.len() >= 7, "{text}");
            assert_eq!(
                text.matches(prefix).count(),
                block.len(),
                "a directive behind the first command is ignored in silence"
            );
            assert!(block.contains(&format!("{prefix}-M cluster").as_str()));
            assert!(block.iter().all(|line| !line.contains('$')), "schedulers expand nothing");
        }
    }
}

#[test]
fn generating_again_touches_nothing() {
    let cli = Cli::new();
    let first = cli.ok(&["--site=frontier"]);
    assert!(first.lines().count() == 16 && first.lines().all(|line| line.starts_with("new ")), "{first}");
    let time = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let before: Vec<_> =
        cli.scripts().iter().map(|path| (time(path), time(&path.with_extension("").join("run.toml")))).collect();
    let again = cli.ok(&["--site=frontier"]);
    assert!(again.lines().all(|line| line.starts_with("unchanged ")), "{again}");
    let after: Vec<_> =
        cli.scripts().iter().map(|path| (time(path), time(&path.with_extension("").join("run.toml")))).collect();
    assert_eq!(before, after);
    let more = cli.ok(&["--site=frontier", "--client-nodes=4,8,16,32,64"]);
    assert_eq!((more.matches("unchanged ").count(), more.matches("new ").count()), (16, 4), "{more}");
    let changed = cli.ok(&["--site=frontier", "--walltime=01:00:00"]);
    assert_eq!(changed.matches("changed ").count(), 16, "{changed}");
}

#[test]
fn a_measured_run_is_never_overwritten() {
    let cli = Cli::new();
    let args = ["--site=local", "--deployment=standard", "--clients-per-node=2"];
    cli.ok(&args);
    let script = cli.scripts().remove(0);
    let attempt = script.with_extension("").join("attempt-1");
    fs::create_dir(&attempt).unwrap();
    fs::write(attempt.join("samples.bin"), "x").unwrap();
    fs::write(attempt.join("status"), "1 started\n2 done\n").unwrap();
    let before = fs::read(&script).unwrap();
    let error = cli.fails(1, &[&args[..], &["--iterations=7"]].concat());
    assert!(error.contains("were measured with other parameters") && error.contains("--out"), "{error}");
    assert_eq!(fs::read(&script).unwrap(), before);
    // another path of the client changes the script alone: the measured run keeps the script that measured it
    let kept = cli.ok(&[&args[..], &["--client=/elsewhere/client"]].concat());
    assert!(kept.starts_with("measured "), "{kept}");
    assert_eq!(fs::read(&script).unwrap(), before);
    // as a version wrote it that did not know these keys, whose usual values it measured with
    let path = script.with_extension("").join("run.toml");
    let manifest = fs::read_to_string(&path).unwrap();
    let newer = |line: &&str| !line.starts_with("servers_per_node") && !line.starts_with("compute");
    let old: String = manifest.lines().filter(newer).map(|line| format!("{line}\n")).collect();
    assert!(old.len() < manifest.len());
    fs::write(&path, &old).unwrap();
    let kept = cli.ok(&[&args[..], &["--client=/elsewhere/client"]].concat());
    assert!(kept.starts_with("measured ") && fs::read_to_string(&path).unwrap() == old, "{kept}");
    let shown = cli.ok(&[&args[..], &["--diff"]].concat());
    assert!(!shown.contains("conflict"), "{shown}");
}

#[test]
fn permutations_that_cannot_run_are_refused_before_anything_is_written() {
    let cli = Cli::new();
    let args = ["--site=frontier", "--deployment=colocated", "--client-nodes=4", "--clients-per-node=24,64"];
    let error = cli.fails(1, &args);
    assert!(error.contains("1 of 2 permutations cannot run, and nothing was written"), "{error}");
    assert!(
        error.contains(
            "colocated-n4x64-db8-mask-lo-tcp-r1: 64 ranks x 1 core + 8 DB cores = 72 cores on each node, but jobs may use 56 (64 cores less 8 reserved)"
        ),
        "{error}"
    );
    assert!(!cli.out().exists());
    let output = cli.run(&[&args[..], &["--skip-refused"]].concat());
    assert!(output.status.success() && stderr(&output).contains("refused   colocated-n4x64"));
    assert_eq!(cli.scripts().len(), 1);
}

#[test]
fn wrong_input_names_the_flag_what_was_given_and_what_is_allowed() {
    let cli = Cli::new();
    let cases: [(i32, &[&str], &[&str]); 18] = [
        (2, &[], &["--site"]),
        (1, &["--site=fronteer"], &["fronteer", "archer2, aurora, daint", "--site ./mysite.toml"]),
        (2, &["--site=local", "--deployment=std"], &["'std'", "standard, colocated"]),
        (2, &["--site=local", "--client-nodes=4,x"], &["'x'", "--client-nodes"]),
        (2, &["--site=local", "--client-nodes=0"], &["--client-nodes 0 is out of range", "1 to"]),
        (1, &["--site=local", "--client-nodes=2"], &["site local has one node, not 2"]),
        (1, &["--site=local", "--tensor-bytes=1022"], &["1022", "1020 would be"]),
        (1, &["--site=local", "--shape=3xN", "--tensor-bytes=1KiB"], &["1024 bytes", "shape 3xN", "1020 would be"]),
        (1, &["--site=local", "--pipeline=4"], &["--pipeline 4", "add --tensors 4"]),
        (1, &["--site=local", "--rate=100", "--barrier=iteration"], &["--rate", "use one of them"]),
        (1, &["--site=local", "--access=one-to-many", "--deployment=colocated"], &["--access one-to-many"]),
        (2, &["--site=local", "--mix=0:0"], &["0:0", "PUTS:UNPACKS"]),
        (2, &["--site=local", "--tensor-bytes=big"], &["big", "8KiB"]),
        (2, &["--site=frontier", "--walltime=2h"], &["2h", "HH:MM:SS"]),
        (
            1,
            &["--site=frontier", "--walltime=09:00:00"],
            &["no queue of frontier admits 8 nodes for 09:00:00", "batch-1-91"],
        ),
        (1, &["--site=frontier", "--queue=fast"], &["no queue \"fast\"", "extended"]),
        (1, &["--site=frontier", "--net-ifname=ib0"], &["no interface \"ib0\"", "hsn0, hsn1, hsn2, hsn3"]),
        (1, &["--site=polaris", "--cpu-bind=scheduler"], &["cannot bind with \"scheduler\"", "none, mask"]),
    ];
    for (code, args, needles) in cases {
        let error = cli.fails(code, args);
        for needle in needles {
            assert!(error.contains(needle), "{args:?} should say {needle:?}: {error}");
        }
        assert!(!cli.out().exists(), "{args:?} wrote something");
    }
}

/// What the command line alone shows to be wrong ends as what clap refuses, and what only the site tells with 1.
#[test]
fn what_has_no_effect_stands_twice_or_is_not_there_is_refused() {
    let cli = Cli::new();
    fs::create_dir(cli.folder.path().join("empty")).unwrap();
    let cases: [(i32, &[&str], &[&str]); 20] = [
        (2, &["--pack-seed=3"], &["--pack-seed has no effect", "--pack same"]),
        (2, &["--pack-store=keep", "--pack=none"], &["--pack-store has no effect"]),
        (2, &["--db-queue=debug"], &["--db-queue has no effect", "--db-from job"]),
        (2, &["--deployment=colocated", "--db-nodes=3"], &["--db-nodes has no effect", "--deployment standard"]),
        (2, &["--deployment=colocated", "--db-node-type=compute"], &["--db-node-type has no effect"]),
        (2, &["--deployment=standard", "--colocated-ifname=hsn0"], &["--colocated-ifname has no effect"]),
        (2, &["--cpu-bind=none", "--distribution=spread"], &["--distribution has no effect", "mask"]),
        (2, &["--db-hosts=n1,n1"], &["--db-hosts has \"n1\" twice"]),
        (2, &["--db-address=n1:6780,n1:6780"], &["--db-address has \"n1:6780\" twice"]),
        (2, &["--client-nodes=4,4"], &["--client-nodes has 4 twice", "--repeats"]),
        (2, &["--account=a", "--set=account=b"], &["--set has \"account\" twice"]),
        (2, &["--net-ifname=a b"], &["\"a b\" is no interface name"]),
        (2, &["--config=nowhere"], &["'nowhere'", "no such folder", "site-configs/"]),
        (2, &["--config=empty"], &["neither site-configs/ nor templates/"]),
        (2, &["--client="], &["--client"]),
        (2, &["--directive="], &["--directive \"\" is no directive", "--directive=--mem=100G"]),
        (2, &["--directive=#SBATCH -N 9"], &["is no directive"]),
        (1, &["--account=a b"], &["--set account", "\"a b\" has ' '"]),
        (
            1,
            &["--pack=nested", "--pack-walltime=00:01:00"],
            &["--pack-walltime 00:01:00 is below 00:30:00", "--walltime"],
        ),
        (1, &["--directive=-S 0"], &["frontier does not take -S"]),
    ];
    for (code, args, needles) in cases {
        let error = cli.fails(code, &[&["--site=frontier"], args].concat());
        for needle in needles {
            assert!(error.contains(needle), "{args:?} should say {needle:?}: {error}");
        }
        assert!(!cli.out().exists(), "{args:?} wrote something");
    }
}

#[test]
fn a_directive_that_undoes_a_line_of_the_script_is_refused_with_the_flag_that_is_meant() {
    let cases: [(&str, &str, &[&str]); 16] = [
        ("frontier", "--time=12:00:00", &["sets the wall time beside \"--time=00:30:00\"", "give --walltime"]),
        ("frontier", "-t 720", &["give --walltime"]),
        ("frontier", "--nodes=400", &["sets the nodes beside \"--nodes=", "--client-nodes and --db-nodes"]),
        ("frontier", "-N400", &["--client-nodes"]),
        ("frontier", "--ntasks 9", &["sets the tasks: give --clients-per-node"]),
        ("frontier", "--job-name=x", &["sets the job name"]),
        ("frontier", "-o /dev/null", &["sets the log"]),
        ("frontier", "--dependency=afterok:7", &["sets the dependency", "submit"]),
        ("frontier", "--array=0-9", &["sets the array: give --repeats"]),
        ("frontier", "-A other", &["sets the account", "give --account"]),
        ("frontier", "--partition=debug", &["sets the partition", "give --queue"]),
        ("frontier", "--requeue", &["\"--no-requeue\"", "site file of your own"]),
        ("polaris", "-l walltime=12:00:00", &["sets the wall time", "give --walltime"]),
        ("polaris", "-l select=400", &["sets the nodes", "--client-nodes"]),
        ("polaris", "-l ncpus=4", &["sets the nodes"]),
        ("polaris", "-W depend=afterok:7", &["sets the dependency"]),
    ];
    for (site, directive, needles) in cases {
        for mode in [&[][..], &["--dry-run"]] {
            let cli = Cli::new();
            let directive = format!("--directive={directive}");
            let error = cli.fails(1, &[&["--site", site, "--account=abc", &directive], mode].concat());
            for needle in [&["--directive \""], needles].concat() {
                assert!(error.contains(needle), "{site} {directive} should say {needle:?}: {error}");
            }
            assert!(!cli.out().exists());
        }
    }
    let cli = Cli::new();
    let twice = cli.fails(1, &["--site=frontier", "--directive=--mem=1G", "--directive=--mem=2G"]);
    assert!(twice.contains("--directive \"--mem=2G\" sets the --mem beside \"--mem=1G\""), "{twice}");
    // a rule of `check` that no other line has to do with
    let masks = cli.fails(1, &["--site=frontier", "--cpu-bind=mask", "--directive=--cpus-per-task=8"]);
    assert!(masks.contains("--directive \"--cpus-per-task=8\"") && masks.contains("masks are not honoured"), "{masks}");
    cli.ok(&["--site=frontier", "--directive=--mem=100G", "--directive=-A abc"]);
}

#[test]
fn what_a_site_offers_as_optional_takes_the_place_of_its_own_line() {
    let mut replaced = 0;
    for name in shardscale::site::builtin_names() {
        let site = shardscale::site::load(&name, None).unwrap();
        for remark in &site.directives.optional {
            let cli = Cli::new();
            let answers = site.ask.iter().filter(|(_, ask)| ask.default.is_none());
            let answers: Vec<String> = answers.map(|(key, _)| format!("--set={key}=abc123")).collect();
            let directive = format!("--directive={}", remark.line);
            let mut args = vec!["--site", &name, &directive];
            args.extend(answers.iter().map(String::as_str));
            cli.ok(&args);
            let text = fs::read_to_string(&cli.scripts()[0]).unwrap();
            assert!(text.contains(&remark.line), "{name}: {}", remark.line);
            let gone = site
                .directives
                .always
                .iter()
                .filter(|line| !line.contains('{') && !text.contains(&format!(" {line}\n")));
            replaced += gone.count();
        }
    }
    assert_eq!(replaced, 2, "place at Aurora, --exclusive at Horizon");
}

/// Where jobs share nodes a script asks for cores, and names none of them.
#[test]
fn on_shared_nodes_masks_count_what_the_job_gets() {
    let cli = Cli::new();
    let site =
        fs::read_to_string("tests/slurm/site.toml").unwrap().replace(r#"["none"]"#, r#"["none", "scheduler", "mask"]"#);
    fs::write(cli.folder.path().join("mine.toml"), &site).unwrap();
    let usual = ["--site=./mine.toml", "--queue=shared", "--transport=tcp", "--clients-per-node=2", "--db-cpus=4"];
    let with = |more: &[&'static str]| [&usual[..], more].concat();
    cli.ok(&with(&["--cpu-bind=mask", "--verify"]));
    assert_clean(&cli.scripts());
    let checked = cli.shardscale(&["check", "out"]);
    assert!(checked.status.success(), "{}", stderr(&checked));
    let [colocated, standard] = &cli.scripts()[..] else { panic!("{:?}", cli.scripts()) };
    let colocated = fs::read_to_string(colocated).unwrap();
    let both = "#SBATCH --ntasks-per-node=6\n";
    assert!(colocated.contains(both) && !colocated.contains("--exclusive"), "{colocated}");
    assert!(colocated.contains("--cpus job:0-3") && colocated.contains("--cpus 'job:4;5'"), "{colocated}");
    assert!(
        !colocated.contains("mask_cpu") && colocated.contains("numbers count the cores that the job gets"),
        "{colocated}"
    );
    let standard = fs::read_to_string(standard).unwrap();
    assert!(standard.contains("#SBATCH --ntasks-per-node=4\n") && standard.contains("--cpus 'job:0;1'"), "{standard}");
    // no pack: a job of a few nodes has no more of them than its permutation
    cli.ok(&with(&["--cpu-bind=mask", "--client-nodes=1,2", "--pack=nested", "--out=packs", "--dry-run"]));
    assert!(!cli.folder.path().join("packs").exists());
    let own = cli.fails(1, &with(&["--cpu-bind=map:0,1"]));
    assert!(own.contains("--cpu-bind map:0,1 names CPUs of a whole node: use --cpu-bind mask"), "{own}");
    fs::write(cli.folder.path().join("mine.toml"), site.replace(r#"always = ["#, r#"always = ["--exclusive", "#))
        .unwrap();
    let whole = cli.fails(1, &with(&[]));
    assert!(whole.contains("queue.shared.shared_cores: directives.always has --exclusive"), "{whole}");
}

#[test]
fn a_refusal_that_many_share_is_told_once() {
    let cli = Cli::new();
    // the sizes of SmartSim-Scaling's throughput tests
    let sizes = "--tensor-bytes=1024,8192,16384,32769,65538,131076,262152,524304,1024000";
    let error = cli.fails(1, &["--site=frontier", "--repeats=3", sizes]);
    let line = "  all 48: tensors of 32769, 65538 bytes are not a positive number of float32 elements of 4 bytes in the shape 1xN; \
                this list would do: --tensor-bytes 1024,8192,16384,32768,65536,131076,262152,524304,1024000";
    assert!(error.lines().skip(1).eq([line]), "{error}");
    assert!(
        error.starts_with("shardscale: 48 of 48 permutations cannot run, and nothing was written; change the axes:\n")
    );
    let error = cli.fails(1, &["--site=frontier", "--clients-per-node=48,64", "--repeats=2", "--deployment=colocated"]);
    assert_eq!(error.matches("64 ranks x 1 core").count(), 1, "{error}");
    assert!(error.contains("  colocated-n4x64-db8-mask-lo-tcp-r1 and 7 more: 64 ranks"), "{error}");
    cli.ok(&["--site=frontier", "--tensor-bytes=1024,8192,16384,32768,65536,131076,262152,524304,1024000"]);
}

#[test]
fn a_dry_run_ends_well_only_where_gen_would_write() {
    let cli = Cli::new();
    let run = |args: &[&str], code: i32| {
        let output = cli.run(&[&["--site=frontier", "--deployment=colocated", "--client-nodes=4"], args].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(!cli.out().exists());
        (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))
    };
    run(&["--clients-per-node=48", "--dry-run"], 0);
    let (shown, said) = run(&["--clients-per-node=64", "--dry-run"], 3);
    assert!(shown.contains("0 jobs, 1 refused, at most 0.00 node-hours"), "{shown}");
    assert!(said.contains("1 of 1 permutations cannot run, and nothing was written; change the axes"), "{said}");
    run(&["--clients-per-node=48,64", "--dry-run"], 3);
    run(&["--clients-per-node=48,64", "--dry-run", "--skip-refused"], 0);
    run(&["--clients-per-node=64", "--diff"], 3);
    let (_, said) = run(&["--clients-per-node=48", "--dry-run", "--budget=1"], 3);
    assert!(said.contains("above --budget 1"), "{said}");
}

#[test]
fn a_folder_that_only_this_machine_sees_is_warned_of() {
    let cli = Cli::new();
    let out = tempfile::tempdir_in("/tmp").unwrap();
    let said = |site: &str, out: &str| {
        let output = cli.run(&["--site", site, "--out", out, "--deployment=colocated"]);
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output).contains("lies in /tmp, which each node has for itself")
    };
    let inside = out.path().join("a").display().to_string();
    assert!(said("frontier", &inside));
    assert!(!said("local", &format!("{inside}-local")), "this machine's jobs see it");
    // the checkout itself may lie in /tmp
    let home = std::env::var("HOME").unwrap();
    let shared = tempfile::tempdir_in(home).unwrap();
    assert!(!said("frontier", &shared.path().display().to_string()));
}

#[test]
fn the_workloads_axes_multiply_and_reach_the_client() {
    let cli = Cli::new();
    let made = cli.ok(&[
        "--site=local",
        "--deployment=standard",
        "--client-nodes=1",
        "--clients-per-node=2",
        "--dtype=float32,uint8",
        "--mix=1:1,1:9",
        "--tensors=8",
        "--pipeline=1,8",
        "--tensor-bytes=1KiB",
    ]);
    assert_eq!(made.lines().count(), 8, "{made}");
    let script = |part: &str| {
        let path = cli.scripts().into_iter().find(|path| path.to_string_lossy().contains(part));
        fs::read_to_string(path.unwrap_or_else(|| panic!("no {part} in {made}"))).unwrap()
    };
    let deep = script("-uint8-t8-put1get9-pipe8-r1.sh");
    assert!(deep.contains(" --keys hash --dtype uint8 --tensors 8 --mix 1:9 --pipeline 8 > "), "{deep}");
    let usual = script("-tcp-t8-r1.sh");
    assert!(usual.contains(" --keys hash --tensors 8 > "), "{usual}");
}

#[test]
fn hostile_values_reach_neither_shell_nor_directives() {
    let cli = Cli::new();
    for account in ["a\n#SBATCH -N 9", "$(touch pwned)", "a;b", "a'b"] {
        let error = cli.fails(1, &["--site=frontier", "--account", account]);
        assert!(error.contains("which a scheduler's directive cannot hold"), "{error}");
    }
    let error = cli.fails(1, &["--site=frontier", "--out=a b"]);
    assert!(error.contains("a scheduler's directives can hold only paths"), "{error}");

    let error = cli.fails(1, &["--site=local", "--out=a\ntouch pwned"]);
    assert!(error.contains("has a line break or control character"), "{error}");

    // where nothing but bash reads them, they are quoted: the script runs and creates no file but its own
    let hostile = "-o'ut $(touch pwned) `touch pwned`";
    let client = "./$(touch pwned);touch pwned";
    cli.ok(&[
        "--site=local",
        "--deployment=standard",
        "--clients-per-node=1",
        &format!("--out={hostile}"),
        "--client",
        client,
        "--store-server",
        client,
    ]);
    let script = cli.folder.path().join(hostile).join("standard-n1x1-db3x1-none-lo-tcp-r1.sh");
    let output = Command::new("bash").arg(&script).current_dir(cli.folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("does not start"), "{}", stderr(&output));
    assert!(!cli.folder.path().join("pwned").exists());
}

/// Who can replace a job script has its next run done in the owner's name.
#[test]
fn others_cannot_write_what_is_generated_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let cli = Cli::new();
    let line =
        "umask 000; \"$0\" gen --site=frontier --deployment=colocated --client-nodes=1,2 --pack=nested --out=a/out";
    let mut command = Command::new("bash");
    command.args(["-c", line, env!("CARGO_BIN_EXE_shardscale")]).current_dir(cli.folder.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let mut looked_at = 0;
    for entry in walkdir::WalkDir::new(cli.folder.path().join("a")) {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        let lock = entry.file_name() == ".shardscale-gen.lock"; // empty, and read by nobody
        assert!(lock || mode & 0o002 == 0, "{} has mode {mode:o}", entry.path().display());
        looked_at += 1;
    }
    assert!(looked_at > 8, "{looked_at}");
}

#[test]
fn a_site_of_ones_own_is_a_file() {
    let cli = Cli::new();
    let frontier =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("site-configs/frontier.toml")).unwrap();
    fs::write(cli.folder.path().join("mine.toml"), frontier.replace("name = \"frontier\"", "name = \"mine\"")).unwrap();
    cli.ok(&["--site=./mine.toml", "--deployment=colocated", "--client-nodes=2"]);
    assert!(fs::read_to_string(&cli.scripts()[0]).unwrap().contains("gen --site mine"));
    fs::write(cli.folder.path().join("mine.toml"), frontier.replace("launcher = \"srun\"", "launcher = \"prun\""))
        .unwrap();
    let error = cli.fails(1, &["--site=mine.toml"]);
    assert!(
        error.contains("no launcher template \"prun\"; there are: flux, hydra, ibrun, openmpi, pals, srun"),
        "{error}"
    );
    fs::write(cli.folder.path().join("mine.toml"), frontier.replace("cores = 64", "cores = many")).unwrap();
    let error = cli.fails(1, &["--site=mine.toml"]);
    assert!(error.contains("mine.toml is wrong") && error.contains("line "), "{error}");
}

#[test]
fn a_second_gen_in_the_same_folder_is_kept_out() {
    let cli = Cli::new();
    fs::create_dir(cli.out()).unwrap();
    let lock = fs::File::create(cli.out().join(".shardscale-gen.lock")).unwrap();
    lock.lock().unwrap();
    let error = cli.fails(1, &["--site=local"]);
    assert!(error.contains("another `shardscale gen` is writing into") && error.contains("--out"), "{error}");
    drop(lock);
    cli.ok(&["--site=local"]);
}

#[test]
fn two_gens_at_once_leave_whole_files() {
    let cli = Cli::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| cli.run(&["--site=frontier"]));
        }
    });
    let calm = cli.ok(&["--site=frontier"]);
    assert!(calm.lines().all(|line| line.starts_with("unchanged ")), "{calm}");
    let rest = fs::read_dir(cli.out())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".tmp"));
    assert_eq!(rest.count(), 0);
}

#[test]
fn an_out_that_cannot_be_made_is_named() {
    let cli = Cli::new();
    fs::write(cli.folder.path().join("file"), "").unwrap();
    let error = cli.fails(1, &["--site=local", "--out=file/out"]);
    assert!(error.contains("cannot create the folder") && error.contains("file/out"), "{error}");
}

#[test]
fn settings_of_the_store_reach_the_script_where_they_are_not_the_default() {
    let cli = Cli::new();
    cli.ok(&[
        "--site=local",
        "--deployment=colocated",
        "--transport=uds",
        "--clients-per-node=4",
        "--malloc-conf=default,dirty_decay_ms:-1",
        "--maxmemory=0,64GiB",
    ]);
    let texts: Vec<String> = cli.scripts().iter().map(|script| fs::read_to_string(script).unwrap()).collect();
    let with = |flag: &str| texts.iter().filter(|text| text.contains(flag)).count();
    assert_eq!((texts.len(), with(" --malloc-conf dirty_decay_ms:-1 ")), (4, 2));
    assert_eq!((with(" --malloc-conf "), with(" --maxmemory 68719476736 "), with(" --maxmemory ")), (2, 2, 2));
    let said = cli.fails(2, &["--site=local", "--malloc-conf=dirty_decay_ms=-1"]);
    assert!(said.contains("is no setting of the allocator"), "{said}");
    let said = cli.fails(1, &["--site=local", "--deployment=standard", "--maxmemory=1KiB", "--tensor-bytes=1MiB"]);
    assert!(said.contains("--maxmemory 1 KiB is less than what a server has to hold"), "{said}");
}

#[test]
fn one_program_is_never_run_as_several_products() {
    let cli = Cli::new();
    let stores =
        ["--site=local", "--deployment=standard", "--clients-per-node=1", "--db-nodes=1", "--store=redis,valkey,keydb"];
    let error = cli.fails(1, &[&stores[..], &["--store-server=/usr/bin/redis-server"]].concat());
    assert!(error.contains("names one program, and the study has the stores redis, valkey, keydb"), "{error}");
    assert!(error.contains("redis=PATH,valkey=PATH,keydb=PATH") && !cli.out().exists(), "{error}");
    cli.ok(&[&stores[..], &["--store-server=redis=/opt/r,keydb=/opt/k"]].concat());
    for (name, program) in [("tcp-r1", "/opt/r"), ("valkey-r1", "valkey-server"), ("keydb-r1", "/opt/k")] {
        let script =
            cli.scripts().into_iter().find(|path| path.to_str().unwrap().ends_with(&format!("{name}.sh"))).unwrap();
        let script = fs::read_to_string(script).unwrap();
        assert!(script.contains(&format!("--server {program} ")), "{name}: {script}");
    }
}

/// The same through rules of a study file, a site's own program, and a store that runs already.
#[test]
fn no_way_around_gives_one_program_to_several_products() {
    let cli = Cli::new();
    let usual = ["--site=local", "--deployment=standard", "--clients-per-node=1", "--db-nodes=1"];
    let study = "[[include]]\nstore = [\"valkey\"]\n[job]\nstore_server = \"/usr/bin/redis-server\"\n";
    fs::write(cli.folder.path().join("mine.toml"), study).unwrap();
    let error = cli.fails(1, &[&usual[..], &["--study=mine.toml"]].concat());
    assert!(error.contains("names one program, and the study has the stores redis, valkey"), "{error}");
    let error = cli.fails(1, &[&usual[..], &["--store=redis,keydb", "--db-address=n1:6780"]].concat());
    assert!(error.contains("--db-address n1:6780 is one store, and the study has the stores redis, keydb"), "{error}");

    let local = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("site-configs/local.toml")).unwrap();
    fs::write(cli.folder.path().join("site.toml"), format!("{local}\n[store]\nserver = \"/opt/the-sites\"\n")).unwrap();
    let own = ["--site=./site.toml", "--deployment=standard", "--clients-per-node=1", "--db-nodes=1"];
    cli.ok(&[&own[..], &["--store=redis,valkey", "--store-server=redis=/opt/r"]].concat());
    let valkey = fs::read_to_string(cli.out().join("standard-n1x1-db1x1-none-lo-tcp-valkey-r1.sh")).unwrap();
    assert!(valkey.contains("--server valkey-server ") && !valkey.contains("/opt/the-sites"), "{valkey}");
}

#[test]
fn modules_reach_the_servers_with_their_arguments() {
    let cli = Cli::new();
    let args = ["--site=local", "--deployment=colocated", "--clients-per-node=1", "--transport=tcp"];
    cli.ok(&[&args[..], &["--load-module=/opt/redisai.so THREADS_PER_QUEUE 2", "--load-module=/opt/b.so"]].concat());
    let script = fs::read_to_string(&cli.scripts()[0]).unwrap();
    assert!(script.contains("--load-module '/opt/redisai.so THREADS_PER_QUEUE 2' --load-module /opt/b.so"), "{script}");
    let manifest = fs::read_to_string(cli.scripts()[0].with_extension("").join("run.toml")).unwrap();
    assert!(manifest.contains("load_module = [\"/opt/redisai.so THREADS_PER_QUEUE 2\", \"/opt/b.so\"]"), "{manifest}");
    assert!(cli.fails(2, &[&args[..], &["--load-module= "]].concat()).contains("is no module"));
    let running =
        ["--site=local", "--deployment=standard", "--clients-per-node=1", "--db-address=n1:6780", "--load-module=a.so"];
    assert!(cli.fails(1, &running).contains("names a store that runs already"));
}

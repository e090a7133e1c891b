//! What each shipped site asks its scheduler for, in order: the part of a script that costs node-hours.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod gen_support;

use std::fmt::Write;
use std::fs;

use gen_support::{Cli, assert_golden};

#[test]
fn directives_of_every_site_and_deployment_are_as_approved() {
    let mut all = String::new();
    for name in shardscale::site::builtin_names() {
        let site = shardscale::site::load(&name, None).unwrap();
        // what only a user knows, as the site's own examples have it
        let answers: Vec<String> = site
            .ask
            .iter()
            .filter(|(_, ask)| ask.default.is_none())
            .map(|(key, ask)| format!("--set={key}={}", ask.example.as_deref().unwrap_or("abc123")))
            .collect();
        for deployment in ["standard", "colocated"] {
            let cli = Cli::new();
            let mut args = vec!["--site", &name, "--deployment", deployment];
            args.extend(answers.iter().map(String::as_str));
            cli.ok(&args);
            let script = cli.scripts().remove(0);
            let text =
                fs::read_to_string(script).unwrap().replace(&*cli.folder.path().to_string_lossy(), "/scratch/me");
            let block: Vec<&str> = text
                .lines()
                .skip(1)
                .take_while(|line| {
                    ["#SBATCH ", "#PBS ", "#flux: ", "#BSUB "].iter().any(|prefix| line.starts_with(prefix))
                })
                .collect();
            assert_eq!(block.is_empty(), site.scheduler.kind == "none", "{name}");
            writeln!(all, "{name} {deployment}").unwrap();
            block.iter().for_each(|line| writeln!(all, "    {line}").unwrap());
        }
    }
    assert_golden("directives.txt", &all);
}

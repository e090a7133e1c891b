//! A draft as the text of a site file: what was measured as values, the rest as questions in comments.

use std::fmt::Write;

use super::draft::{Draft, Node};
use crate::record::cpus::CpuSet;
use crate::scheduler::surveyed::{Row, Surveyed};
use crate::site::{Numbering, Status};

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn lists(sets: &[CpuSet]) -> String {
    let texts: Vec<String> = sets.iter().map(|set| quoted(&set.to_list())).collect();
    format!("[{}]", texts.join(", "))
}

/// Collects the sections and the facts about them.
struct Sections {
    body: String,
    facts: Vec<(String, String)>,
}

impl Sections {
    fn line(&mut self, line: impl AsRef<str>) {
        let _ = writeln!(self.body, "{}", line.as_ref());
    }

    fn fact(&mut self, key: &str, fact: &str) {
        self.facts.push((key.to_owned(), fact.to_owned()));
    }

    fn measured(&mut self, key: &str) {
        self.fact(key, "status = \"verified\", source = \"measured\"");
    }

    fn chosen(&mut self, key: &str) {
        self.fact(key, "status = \"chosen\"");
    }
}

impl Draft<'_> {
    /// The file's text.
    pub fn to_toml(&self) -> String {
        let mut sections = Sections { body: String::new(), facts: Vec::new() };
        self.scheduler(&mut sections);
        self.launch(&mut sections);
        for node in &self.nodes {
            self.node(node, &mut sections);
        }
        self.directives(&mut sections);
        sections.line("\n[scratch]\n# node-local; a short path, since a socket's has at most 107 bytes; \"$TMPDIR\" and other variables of the job may be used");
        sections.line(
            "node_local = \"/tmp\"\n# TODO the folder that all nodes see, for people: shared = \"/scratch/$USER\"",
        );
        sections.chosen("scratch");
        for row in self.findings.scheduler.iter().flat_map(|surveyed| &surveyed.rows) {
            queue(row, &mut sections);
        }
        self.end(&mut sections);
        self.head(&sections)
    }

    fn head(&self, sections: &Sections) -> String {
        let findings = self.findings;
        let (host, date) = (&findings.host, &findings.date);
        let mut text = String::new();
        let mut line = |line: String| {
            let _ = writeln!(text, "{line}");
        };
        line(format!(
            "# {}: started by `shardscale sites new` on {host}, {date}. Values are what the machine said; each TODO is a",
            self.name
        ));
        line("# question that only you or the centre can answer. Then: shardscale sites check FILE, shardscale gen --site ./FILE".into());
        line(format!("schema = 2\nname = {}", quoted(&self.name)));
        line("# TODO one line for people: centre, maker, CPU, network".into());
        line(format!("description = {}", quoted(&format!("{} ({})", self.name, self.kind()))));
        if self.has_scheduler() {
            line(format!("walltime = \"{}\"", self.study.walltime));
        }
        line("\n# TODO lines of bash that prepare a job: the MPI that shardscale-client was built with, e.g. \"module load PrgEnv-gnu\"".into());
        line("environment = []\n\n[sources]".into());
        let title = format!("measured on {host} on {date}");
        line(format!("measured = {{ title = {}, checked = \"{date}\" }}", quoted(&title)));
        line("# TODO your documents: docs = { title = \"user guide of the centre, page on queues\", checked = \"YYYY-MM-DD\" }".into());
        line("\n# where each value comes from: verified, secondary, inferred, chosen, unverified (scripts warn), missing (refused)\n[facts]".into());
        for (key, fact) in &sections.facts {
            line(format!("{} = {{ {fact} }}", quoted(key)));
        }
        line("\"environment\" = { status = \"unverified\", ask = \"which modules hold the MPI that the client was built with\" }".into());
        text + &sections.body
    }

    fn has_scheduler(&self) -> bool {
        self.findings.scheduler.is_some()
    }

    fn kind(&self) -> &'static str {
        self.findings.scheduler.as_ref().map_or("none", |surveyed| surveyed.kind)
    }

    fn scheduler(&self, sections: &mut Sections) {
        sections.line(format!("\n[scheduler]\nkind = \"{}\"", self.kind()));
        let Some(surveyed) = &self.findings.scheduler else { return sections.chosen("scheduler") };
        sections.measured("scheduler");
        if let Some(version) = &surveyed.version {
            sections.line(format!("version = {}", quoted(version)));
        }
        if let Some(ncpus) = surveyed.kinds[0].ncpus {
            sections.line(format!("# ncpus of a chunk, as pbsnodes says\nselect_ncpus = {ncpus}"));
        }
        sections.line(format!("limits_command = {}", quoted(surveyed.limits_command)));
    }

    fn launch(&self, sections: &mut Sections) {
        let forms: Vec<String> = self.cpu_bind.iter().map(|form| quoted(form)).collect();
        sections.line(format!("\n[launch]\nlauncher = \"{}\"\ncpu_bind = [{}]", self.launcher, forms.join(", ")));
        let surveyed = self.findings.scheduler.as_ref();
        let own = surveyed.and_then(|surveyed| surveyed.launcher);
        if own.is_some() || self.findings.launcher.is_some() {
            sections.measured("launch");
        } else {
            sections.fact("launch", "status = \"unverified\", ask = \"what starts MPI programs: mpiexec --version\"");
        }
        if surveyed.is_some_and(|surveyed| surveyed.counts_threads) {
            sections.line("# srun's -c counts hardware threads where nodes have several a core");
            sections.line("counts_threads = true");
            sections.fact(
                "launch.counts_threads",
                "status = \"inferred\", note = \"Slurm's default for nodes with several threads a core\"",
            );
        }
        if let Some(todo) = surveyed.and_then(|surveyed| surveyed.launch_todo) {
            sections.line(todo);
        }
    }

    fn node(&self, node: &Node, sections: &mut Sections) {
        let kind = &node.kind;
        let key = format!("node.{}", kind.name);
        sections.line(format!("\n[[node]]\nname = {}", quoted(&kind.name)));
        sections.measured(&key);
        let numbers = [
            ("count", kind.count.map(u64::from)),
            ("sockets", kind.sockets.map(u64::from)),
            ("cores", kind.cores.map(u64::from)),
            ("threads_per_core", kind.threads_per_core.map(u64::from)),
            ("memory_gib", kind.memory_gib),
        ];
        for (name, value) in numbers {
            if let Some(value) = value {
                sections.line(format!("{name} = {value}"));
            }
        }
        if !self.has_scheduler() {
            sections
                .line("# all \"nodes\" of a job are this machine; give `cores` to have more ranks than cores refused");
            sections.line("single = true");
        } else if kind.cores.is_none() {
            sections.line("# TODO run lscpu on a compute node: sockets, cores of the whole node, threads_per_core");
            sections.fact(&format!("{key}.cores"), "status = \"missing\", ask = \"run lscpu on a compute node\"");
        }
        if let Some(constraint) = &kind.constraint {
            sections.line(format!("constraint = {}", quoted(constraint)));
        }
        if self.has_scheduler() {
            inside(node, &key, sections);
            sections.line("# TODO cores that the centre keeps for the system: reserved_cores = \"0,8\"");
        }
        self.interfaces(node, &key, sections);
    }

    fn interfaces(&self, node: &Node, key: &str, sections: &mut Sections) {
        let found = &self.findings.interfaces;
        let ask = "run ip -br addr on a compute node";
        if found.is_empty() {
            sections
                .line(format!("# TODO interfaces that reach other nodes ({ask}): interface = [{{ name = \"hsn0\" }}]"));
            sections.fact(&format!("{key}.interface"), &format!("status = \"missing\", ask = \"{ask}\""));
            return;
        }
        let domains = node.inside.as_ref().map_or(0, |(found, _)| found.numa.len());
        let entries = found.iter().map(|interface| {
            let numa = interface.numa.filter(|numa| node.here && (*numa as usize) < domains);
            let numa = numa.map(|numa| format!(", numa = {numa}")).unwrap_or_default();
            format!("{{ name = {}{numa} }}", quoted(&interface.name))
        });
        let entries: Vec<String> = entries.collect();
        sections.line(format!("interface = [{}]", entries.join(", ")));
        if !node.here && self.has_scheduler() {
            let fact = format!("status = \"unverified\", note = \"those of {}\", ask = \"{ask}\"", self.findings.host);
            sections.fact(&format!("{key}.interface"), &fact);
        }
    }

    fn directives(&self, sections: &mut Sections) {
        let Some(Surveyed { always, needs_account, .. }) = &self.findings.scheduler else { return };
        let always: Vec<String> = always.iter().map(|line| quoted(line)).collect();
        sections.line("\n[directives]\n# TODO what else the centre wants on every job: --qos, -l filesystems=...");
        sections.line(format!("always = [{}]\n\n[ask.account]", always.join(", ")));
        let note = if *needs_account { "; jobs without one are refused" } else { "; without it the line is left out" };
        sections.line(format!("question = \"the account or project that pays{note}\""));
        sections.chosen("directives");
    }

    fn end(&self, sections: &mut Sections) {
        if self.has_scheduler() {
            sections.line("\n# TODO how many jobs the centre takes:\n# [[limit]]\n# name = \"submitted\"\n# counts = \"submitted\"\n# most = 100\n# scope = \"user\"\n# beyond = \"rejected\"");
            sections.line(
                "\n# TODO what a node and hour cost:\n# [charge]\n# unit = \"node-hours\"\n# per_node_hour = 1.0",
            );
        }
        let study = &self.study;
        let single = !self.has_scheduler();
        let deployment = if study.standard { "\"standard\", \"colocated\"" } else { "\"colocated\"" };
        let counts: Vec<String> = study.client_nodes.iter().map(u32::to_string).collect();
        sections.line(format!("\n# what `gen` makes without flags\n[study]\ndeployment = [{deployment}]"));
        sections.line(format!(
            "client_nodes = [{}]\nclients_per_node = [{}]\ndb_nodes = [3]",
            counts.join(", "),
            study.clients_per_node
        ));
        sections.line(format!("db_cpus = [{}]\ncpu_bind = [\"{}\"]", study.db_cpus, study.bind));
        if let Some(interface) = study.interface.as_ref().filter(|_| !single) {
            sections.line(format!("net_ifname = [{}]", quoted(interface)));
        }
        sections.chosen("study");
        if !single {
            sections.chosen("walltime");
        }
    }
}

/// The inner order of a kind of node, where this machine is one.
fn inside(node: &Node, key: &str, sections: &mut Sections) {
    let Some((found, status)) = &node.inside else {
        sections.line(
            "# TODO lscpu -e=CPU,CORE,NODE,CACHE on such a node: numa = [\"0-15\", \"16-31\"], l3 = [\"0-7\", ...]",
        );
        return;
    };
    let Some(numbering) = found.numbering else {
        sections.line("# TODO hardware threads are numbered in an unusual way here: numa and l3 by hand");
        return;
    };
    let note = "measured on a machine of another kind, or outside the jobs, with as many cores";
    let fact = match status {
        Status::Verified => "status = \"verified\", source = \"measured\"".to_owned(),
        _ => format!("status = \"inferred\", note = \"{note}\""),
    };
    if numbering == Numbering::Adjacent {
        sections.line("numbering = \"adjacent\"");
        sections.fact(&format!("{key}.numbering"), &fact);
    }
    for (name, sets) in [("numa", &found.numa), ("l3", &found.l3)] {
        if !sets.is_empty() {
            sections.line(format!("{name} = {}", lists(sets)));
            sections.fact(&format!("{key}.{name}"), &fact);
        }
    }
}

fn queue(row: &Row, sections: &mut Sections) {
    let submit_as = if row.submit_as.is_empty() { String::new() } else { quoted(&row.submit_as) };
    sections.line(format!("\n[[queue]]\nname = {}\nsubmit_as = [{submit_as}]", quoted(&row.name)));
    sections.measured(&format!("queue.{}", row.name));
    if row.min_nodes > 1 {
        sections.line(format!("min_nodes = {}", row.min_nodes));
    }
    if let Some(most) = row.max_nodes {
        sections.line(format!("max_nodes = {most}"));
    }
    for (key, walltime) in [("min_walltime", row.min_walltime), ("max_walltime", row.max_walltime)] {
        if let Some(walltime) = walltime {
            sections.line(format!("{key} = \"{walltime}\""));
        }
    }
    if !row.node_types.is_empty() {
        let kinds: Vec<String> = row.node_types.iter().map(|kind| quoted(kind)).collect();
        sections.line(format!("node_types = [{}]", kinds.join(", ")));
    }
    if row.on_request {
        sections.line("# taken with --queue alone\non_request = true");
    }
    for (counts, scope, most) in &row.limits {
        let name = format!("{}-{counts}", row.name);
        let beyond = if *counts == "running" { "waits" } else { "rejected" };
        sections.line(format!("\n[[limit]]\nname = {}\nqueues = [{}]", quoted(&name), quoted(&row.name)));
        sections.line(format!("counts = \"{counts}\"\nmost = {most}\nscope = \"{scope}\"\nbeyond = \"{beyond}\""));
        sections.measured(&format!("limit.{name}"));
    }
}

//! One site on a few screens: what it is, what a user must supply, and where each value comes from.

use std::fmt::Write;

use super::sources::sources;
use super::{Entry, columns};
use crate::record::cpus::CpuSet;
use crate::site::{Beyond, Limit, Node, Numbering, Queue, Remark, Site, Status};

/// Everything that the file says.
pub fn show(entry: &Entry) -> String {
    let Entry { site, file } = entry;
    let mut page = Page { site, text: String::new() };
    page.line(format!("{}: {}", site.name, site.description));
    page.line(format!("file: {file}"));
    page.machine();
    site.nodes.iter().for_each(|node| page.node(node));
    page.queues();
    page.limits();
    page.directives();
    page.supply();
    page.rest();
    page.text + &sources(site)
}

struct Page<'a> {
    site: &'a Site,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        let _ = writeln!(self.text, "{}", line.as_ref());
    }

    fn heading(&mut self, text: impl AsRef<str>) {
        let _ = writeln!(self.text, "\n{}", text.as_ref());
    }

    /// `  label   value   (unverified)`.
    fn value(&mut self, label: &str, value: &str, key: &str) {
        let mark = self.mark(key);
        self.line(format!("  {label:<11} {value}{mark}"));
    }

    /// What is to be said of a value that is not sure.
    fn mark(&self, key: &str) -> String {
        match self.site.fact(key).map(|fact| fact.status) {
            Some(status @ (Status::Unverified | Status::Missing | Status::Inferred)) => format!("   [{status}]"),
            Some(_) => String::new(),
            None => "   [no fact]".to_owned(),
        }
    }

    fn machine(&mut self) {
        let site = self.site;
        let version = site.scheduler.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
        self.heading("Scheduler and launcher");
        self.value("scheduler", &format!("{}{version}", site.scheduler.kind), "scheduler.kind");
        if let Some(ncpus) = site.scheduler.select_ncpus {
            self.value("chunk", &format!("ncpus={ncpus}{}", site.scheduler.select_suffix), "scheduler.select_ncpus");
        }
        let forms: Vec<&str> = site.launch.cpu_bind.iter().map(|form| form.as_str()).collect();
        let unit = if site.launch.counts_threads { "; counts hardware threads" } else { "" };
        let launch = format!("{}; --cpu-bind {}{unit}", site.launch.launcher, forms.join(", "));
        self.value("launcher", &launch, "launch.launcher");
        for (label, args) in [("for ranks", &site.launch.client_args), ("for servers", &site.launch.server_args)] {
            if !args.is_empty() {
                self.value(label, &args.join(" "), "launch");
            }
        }
        for quirk in &site.scheduler.quirks {
            self.line(format!("  note        {quirk}"));
        }
        if let Some(command) = &site.scheduler.limits_command {
            self.line(format!("  limits now  {command}"));
        }
    }

    fn node(&mut self, node: &Node) {
        let key = format!("node.{}", node.name);
        let count = node.count.map(|count| format!(": {count} of them")).unwrap_or_default();
        let mark = if node.count.is_some() { self.mark(&format!("{key}.count")) } else { String::new() };
        self.heading(format!("Nodes of type {}{count}{mark}", node.name));
        if let Some(cores) = node.cores {
            self.value("cores", &cores_text(node, cores), &format!("{key}.cores"));
        }
        for (label, name, groups) in [("NUMA", "numa", &node.numa), ("L3", "l3", &node.l3)] {
            if !groups.is_empty() {
                let lists: Vec<String> = groups.iter().map(CpuSet::to_list).collect();
                let text = textwrap::fill(&lists.join(" | "), 96).replace('\n', "\n              ");
                self.value(label, &text, &format!("{key}.{name}"));
            }
        }
        if let Some(usable) = node.usable().filter(|_| !node.reserved_cores.is_empty()) {
            let text = format!("{} (and their threads); {} cores for jobs", node.reserved_cores, usable.len());
            self.value("reserved", &text, &format!("{key}.reserved_cores"));
        }
        if let Some(memory) = node.memory_gib {
            self.value("memory", &format!("{memory} GiB"), &format!("{key}.memory_gib"));
        }
        for interface in &node.interfaces {
            let near = interface.numa.map(|numa| format!(", next to NUMA domain {numa}")).unwrap_or_default();
            let key = format!("{key}.interface.{}", interface.name);
            self.value("interface", &format!("{}{near}", interface.name), &key);
        }
        if let Some(constraint) = &node.constraint {
            self.value("asked for as", constraint, &format!("{key}.constraint"));
        }
    }

    fn queues(&mut self) {
        if self.site.queues.is_empty() {
            return;
        }
        self.heading("Queue rows (the first that admits a job is taken; * only with --queue)");
        let head = ["", "ROW", "NODES", "WALL TIME", "TYPES", "CHARGE", "SUBMITTED AS", ""];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.site.queues.iter().map(|queue| self.queue(queue)));
        self.text.push_str(&columns(&rows));
    }

    fn queue(&self, queue: &Queue) -> Vec<String> {
        let nodes = match queue.max_nodes {
            Some(most) => format!("{}-{most}", queue.min_nodes),
            None => format!("{}-", queue.min_nodes),
        };
        let least = queue.min_walltime.map(|min| format!("{min} to ")).unwrap_or_default();
        let longest = queue.max_walltime.map_or("any".to_owned(), |max| max.to_string());
        let key = format!("queue.{}.max_nodes", queue.name);
        vec![
            if queue.on_request { " *".to_owned() } else { String::new() },
            queue.name.clone(),
            nodes,
            format!("{least}{longest}"),
            if queue.node_types.is_empty() { "all".to_owned() } else { queue.node_types.join(",") },
            format!("x{}", queue.charge_factor),
            queue.submit_as.join(" "),
            self.mark(&key).trim().to_owned(),
        ]
    }

    fn limits(&mut self) {
        if self.site.limits.is_empty() {
            return;
        }
        self.heading("Limits");
        for Limit { name, queues, counts, most, scope, beyond } in &self.site.limits {
            let of = if queues.is_empty() { "all queues".to_owned() } else { queues.join(", ") };
            let mark = self.mark(&format!("limit.{name}.most"));
            let then = match beyond {
                Beyond::Rejected => "is rejected",
                Beyond::Waits => "waits",
                Beyond::Stuck => "never runs",
                Beyond::Frowned => "is frowned upon",
            };
            self.line(format!("  {most} {counts} jobs a {scope} in {of}; one more {then}{mark}"));
        }
    }

    fn directives(&mut self) {
        let directives = &self.site.directives;
        let all = directives.always.len() + directives.optional.len() + directives.forbidden.len();
        if all == 0 {
            return;
        }
        self.heading("Directives");
        for line in &directives.always {
            self.value("always", line, "directives.always");
        }
        for (label, remarks) in [("optional", &directives.optional), ("forbidden", &directives.forbidden)] {
            for Remark { line, why } in remarks {
                self.line(format!("  {label:<11} {line}: {why}"));
            }
        }
    }

    fn supply(&mut self) {
        self.heading("You supply (--set NAME=VALUE)");
        if self.site.ask.is_empty() {
            self.line("  nothing");
        }
        for (name, ask) in &self.site.ask {
            let fallback = match (&ask.default, &ask.example, ask.refuse) {
                (Some(default), ..) => format!(" (default {default})"),
                (None, example, refuse) => {
                    let example = example.as_ref().map(|example| format!("such as {example}; ")).unwrap_or_default();
                    let without =
                        if refuse { "nothing is generated without it" } else { "without it its line is left out" };
                    format!(" ({example}{without})")
                }
            };
            self.line(format!("  {name:<11} {}{fallback}", ask.question));
        }
    }

    fn rest(&mut self) {
        let site = self.site;
        self.heading("Environment, scratch, charge");
        for line in &site.environment {
            self.value("environment", line, "environment");
        }
        self.value("node-local", &site.scratch.node_local, "scratch.node_local");
        if let Some(shared) = &site.scratch.shared {
            let home = if site.scratch.home_on_compute { "" } else { "; compute nodes do not see home directories" };
            self.value("shared", &format!("{shared}{home}"), "scratch.shared");
        }
        if let Some(charge) = &site.charge {
            let least =
                if charge.min_hours > 0.0 { format!(", at least {} h", charge.min_hours) } else { String::new() };
            let text = format!("{} {} a node and hour{least}", charge.per_node_hour, charge.unit);
            self.value("charge", &text, "charge.per_node_hour");
            for discount in &charge.discounts {
                self.value("", &format!("x{} from {} nodes", discount.factor, discount.min_nodes), "charge.discount");
            }
        }
    }
}

fn cores_text(node: &Node, cores: u32) -> String {
    let sockets = if node.sockets == 1 { "1 socket".to_owned() } else { format!("{} sockets", node.sockets) };
    let threads = match (node.threads_per_core, node.numbering) {
        (1, _) => "one hardware thread each".to_owned(),
        (threads, Numbering::Offset) => {
            let cpus: Vec<String> = (0..threads)
                .map(|thread| match thread {
                    0 => "c".to_owned(),
                    _ => format!("c+{}", thread * cores),
                })
                .collect();
            format!("{threads} hardware threads each: core c is CPUs {}", cpus.join(", "))
        }
        (threads, Numbering::Adjacent) => format!("{threads} hardware threads each, with neighbouring numbers"),
    };
    format!("{cores} on {sockets}, {threads}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::{builtin_names, load};

    fn page(name: &str) -> String {
        show(&Entry { site: load(name, None).unwrap(), file: format!("site-configs/{name}.toml") })
    }

    #[test]
    fn a_page_says_what_the_file_says() {
        let text = page("frontier");
        for needle in [
            "frontier: OLCF Frontier",
            "64 on 1 socket, 2 hardware threads each: core c is CPUs c, c+64",
            "0-15 | 16-31 | 32-47 | 48-63",
            "56 cores for jobs",
            " *  extended",
            "100 submitted jobs a user in all queues; one more is rejected",
            "account     the project that pays (such as abc123; without it its line is left out)",
            "1 node-hours a node and hour",
        ] {
            assert!(text.contains(needle), "{needle}: {text}");
        }
    }

    #[test]
    fn what_is_not_sure_is_marked() {
        let text = page("archer2");
        assert!(text.contains("interface   hsn1   [unverified]"), "{text}");
        assert!(text.contains("home directories"), "{text}");
        assert!(text.contains("! node.compute.interface"), "{text}");
        assert!(text.contains("x0.5 from 256 nodes") || page("perlmutter-cpu").contains("x0.5 from 256 nodes"));
    }

    #[test]
    fn every_site_fits_a_terminal() {
        for name in builtin_names() {
            let text = page(&name);
            assert!(!text.lines().any(|line| line.ends_with(' ')), "{name}: blanks at the end of a line");
        }
    }
}

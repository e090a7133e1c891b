//! A picture of a node: its cores by NUMA domain and L3 group, and who sits on each. For a terminal, a pipe, and comments.

use anstyle::{AnsiColor, Color, Style};

use super::topology::{self, Group};
use crate::record::binding::CpuBind;
use crate::record::cpus::CpuSet;
use crate::record::manifest::Job;
use crate::record::placement::{InJob, NodeShape, Placement};
use crate::record::units::count;
use crate::record::vocabulary::{DbFrom, Deployment};

/// Longest line: 100 columns with `#   ` before it.
const COLUMNS: usize = 96;

/// From so many lines of idle cores on, one stands for them.
const LONG_RUN: usize = 3;

/// Lines of text in which each piece knows what it shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drawing {
    lines: Vec<Vec<Piece>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    text: String,
    of: Sitter,
}

/// Who sits on a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sitter {
    /// No core: words between them.
    Words,
    Server(usize),
    Rank(usize),
    /// Several processes.
    Several,
    Reserved,
    Nobody,
}

/// Draws a client node and, where servers have nodes of their own, one of these. A node whose cores are not known is left out.
pub fn draw(placement: &Placement, job: &Job) -> Drawing {
    let mut drawing = Drawing::default();
    if let Some(part) = &placement.in_job {
        drawing = draw(&as_whole_nodes(part, placement.db_node.is_some()), job);
        drawing
            .lines
            .push(vec![words("numbers count the cores that the job gets of a node, whichever these are".into())]);
        return drawing;
    }
    let Placement { servers, ranks, client_node, db_node, .. } = placement;
    let free_ranks = ranks.is_empty().then(|| {
        let (ranks, cores) = (job.ranks_per_node() as usize, job.client_cpus as usize);
        format!("{} x {}", count(ranks, "rank"), count(cores, "core"))
    });
    let ours = job.db_from != DbFrom::Running || job.deployment == Deployment::Colocated;
    let has_servers = ours && job.store.has_servers();
    let free_servers = (servers.is_empty() && has_servers).then(|| {
        let cores = count(job.db_cpus as usize, "core");
        match job.servers_per_node {
            1 => format!("DB of {cores}"),
            several => format!("{several} servers of {cores}"),
        }
    });
    match db_node {
        Some(db_node) => {
            drawing.node("client node", client_node, (&[], ranks), &free(job, [free_ranks, None]));
            drawing.node("DB node", db_node, (servers, &[]), &free(job, [free_servers, None]));
        }
        None => drawing.node("node", client_node, (servers, ranks), &free(job, [free_servers, free_ranks])),
    }
    if !drawing.is_empty() && job.interfaces().nth(1).is_some() {
        let interfaces = job.interfaces().collect::<Vec<_>>().join(", ");
        drawing.lines.push(vec![words(format!("the servers of a node listen in turn on {interfaces}"))]);
    }
    drawing
}

/// The parts of nodes that a job gets, as if they were nodes; `apart`: the servers have other ones.
fn as_whole_nodes(InJob { servers, ranks }: &InJob, apart: bool) -> Placement {
    let of = |sets: &[CpuSet], more: &[CpuSet]| {
        let cores = sets.iter().chain(more).fold(CpuSet::default(), |all, set| all.union(set));
        NodeShape { cores, ..NodeShape::default() }
    };
    Placement {
        client_node: of(ranks, if apart { &[] } else { servers }),
        db_node: apart.then(|| of(servers, &[])),
        servers: servers.clone(),
        ranks: ranks.clone(),
        in_job: None,
    }
}

/// What is said of processes without cores of their own; empty where all have some.
fn free(job: &Job, processes: [Option<String>; 2]) -> String {
    let processes: Vec<String> = processes.into_iter().flatten().collect();
    let who = if job.cpu_bind == CpuBind::Scheduler { "placed by the scheduler" } else { "not pinned" };
    if processes.is_empty() { String::new() } else { format!("{who}: {}", processes.join(", ")) }
}

impl Drawing {
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// For comments and pipes: at most 96 columns of ASCII, no blanks at the end of a line.
    pub fn plain(&self) -> Vec<String> {
        let text = |line: &Vec<Piece>| line.iter().map(|piece| piece.text.as_str()).collect::<String>();
        self.lines.iter().map(|line| text(line).trim_end().to_owned()).collect()
    }

    /// For a terminal: the same with ANSI colours.
    pub fn coloured(&self) -> Vec<String> {
        self.lines.iter().map(|line| line.iter().map(Piece::coloured).collect()).collect()
    }

    fn node(&mut self, what: &str, shape: &NodeShape, (servers, ranks): (&[CpuSet], &[CpuSet]), free: &str) {
        if !shape.is_known() {
            return;
        }
        let seats = Seats::new(shape, servers, ranks);
        self.lines.push(vec![words(title(what, shape))]);
        let digits = |processes: usize| processes.saturating_sub(1).to_string().len();
        let width = digits(ranks.len()).max(digits(servers.len()) + 1);
        let domains = topology::domains(shape);
        let mut all = Vec::new();
        for (domain, groups) in domains.iter().enumerate() {
            let name = if shape.numa.is_empty() { String::new() } else { format!("NUMA {domain}") };
            for (row, groups) in rows(groups, width).into_iter().enumerate() {
                all.push(Row { name: if row == 0 { name.clone() } else { String::new() }, groups });
            }
        }
        // many rows in which nothing is to be seen are one
        for run in all.chunk_by(|one, next| seats.nobody_on(one) && seats.nobody_on(next)) {
            if run.len() < LONG_RUN {
                self.lines.extend(run.iter().map(|row| seats.row(row, width)));
            } else {
                self.lines.push(seats.idle_rows(run));
            }
        }
        self.lines.push(seats.legend(servers, ranks, if free.is_empty() { "idle" } else { "not given out" }));
        if !free.is_empty() {
            self.lines.push(vec![words(free.to_owned())]);
        }
    }
}

/// A line of cores, L3 group by L3 group.
struct Row<'a> {
    /// That of the NUMA domain, on its first line.
    name: String,
    groups: Vec<&'a [u32]>,
}

/// The cores of a node with who sits on them, in ascending order.
struct Seats<'a> {
    shape: &'a NodeShape,
    /// Servers of the node: one is `DB`, several are `D0`, `D1`, ..
    servers: usize,
    sitters: Vec<(u32, Sitter)>,
}

impl Seats<'_> {
    fn new<'a>(shape: &'a NodeShape, servers: &[CpuSet], ranks: &[CpuSet]) -> Seats<'a> {
        let empty = |core| if shape.reserved.contains(core) { Sitter::Reserved } else { Sitter::Nobody };
        let mut sitters: Vec<(u32, Sitter)> = shape.cores.iter().map(|core| (core, empty(core))).collect();
        let several = servers.len();
        let servers = servers.iter().enumerate().map(|(local, cpus)| (Sitter::Server(local), cpus));
        let ranks = ranks.iter().enumerate().map(|(local, cpus)| (Sitter::Rank(local), cpus));
        for (who, cpus) in servers.chain(ranks) {
            for core in shape.cores_of(cpus).iter() {
                if let Ok(place) = sitters.binary_search_by_key(&core, |(core, _)| *core) {
                    let taken = matches!(sitters[place].1, Sitter::Server(_) | Sitter::Rank(_) | Sitter::Several);
                    sitters[place].1 = if taken { Sitter::Several } else { who };
                }
            }
        }
        Seats { shape, servers: several, sitters }
    }

    fn of(&self, core: u32) -> Sitter {
        let place = self.sitters.binary_search_by_key(&core, |(core, _)| *core);
        place.map_or(Sitter::Nobody, |place| self.sitters[place].1)
    }

    fn nobody_on(&self, row: &Row<'_>) -> bool {
        row.groups.iter().copied().flatten().all(|core| self.of(*core) == Sitter::Nobody)
    }

    /// `NUMA 1   72-287 | .. 216 cores |`
    fn idle_rows(&self, rows: &[Row<'_>]) -> Vec<Piece> {
        let cores: Vec<u32> = rows.iter().flat_map(|row| row.groups.concat()).collect();
        let of = Sitter::Nobody;
        let mark = Piece { text: of.mark(self.servers), of };
        let first = rows[0].name.as_str();
        let last = rows.iter().rev().find_map(|row| row.name.strip_prefix("NUMA ")).unwrap_or_default();
        let name = if first.is_empty() || first.ends_with(last) { first.to_owned() } else { format!("{first}-{last}") };
        vec![words(label(&name, &cores)), words(" ".into()), mark, words(format!(" {} cores |", cores.len()))]
    }

    /// `NUMA 0    0-15 | ## DB DB  0  1 | ..`
    fn row(&self, row: &Row<'_>, width: usize) -> Vec<Piece> {
        let mut line = vec![words(label(&row.name, &row.groups.concat()))];
        for group in &row.groups {
            for core in group.iter() {
                let of = self.of(*core);
                line.push(words(" ".into()));
                line.push(Piece { text: format!("{:>width$}", of.mark(self.servers)), of });
            }
            line.push(words(" |".into()));
        }
        line
    }

    /// `DB = 8 cores   0-47 = 48 ranks x 1 core   ## = 8 reserved   .. = 0 idle`
    fn legend(&self, servers: &[CpuSet], ranks: &[CpuSet], left: &str) -> Vec<Piece> {
        let on = |wanted: Sitter| self.sitters.iter().filter(|(_, sitter)| *sitter == wanted).count();
        let cores = |set: &CpuSet| count(self.shape.cores_of(set).len() as usize, "core");
        let of_servers = servers.first().map(|first| match servers.len() {
            1 => cores(first),
            several => format!("{} x {}", count(several, "server"), cores(first)),
        });
        let of_ranks = ranks.first().map(|first| format!("{} x {}", count(ranks.len(), "rank"), cores(first)));
        let marks = if ranks.len() == 1 { "0".to_owned() } else { format!("0-{}", ranks.len().saturating_sub(1)) };
        let dbs = match servers.len() {
            0 | 1 => "DB".to_owned(),
            several => format!("D0-D{}", several - 1),
        };
        let (several, reserved) = (on(Sitter::Several), on(Sitter::Reserved));
        let entries = [
            (Sitter::Server(0), dbs, of_servers),
            (Sitter::Rank(0), marks, of_ranks),
            (Sitter::Several, "++".to_owned(), (several > 0).then(|| format!("{several} of several processes"))),
            (Sitter::Reserved, "##".to_owned(), (reserved > 0).then(|| format!("{reserved} reserved"))),
            (Sitter::Nobody, "..".to_owned(), Some(format!("{} {left}", on(Sitter::Nobody)))),
        ];
        let mut line = Vec::new();
        for (of, text, meaning) in entries {
            let Some(meaning) = meaning else { continue };
            line.push(words(if line.is_empty() { "" } else { "   " }.to_owned()));
            line.push(Piece { text, of });
            line.push(words(format!(" = {meaning}")));
        }
        line
    }
}

impl Sitter {
    fn mark(self, servers: usize) -> String {
        match self {
            Sitter::Words => String::new(),
            Sitter::Server(local) if servers > 1 => format!("D{local}"),
            Sitter::Server(_) => "DB".into(),
            Sitter::Rank(local) => local.to_string(),
            Sitter::Several => "++".into(),
            Sitter::Reserved => "##".into(),
            Sitter::Nobody => "..".into(),
        }
    }

    /// Neighbours of the same kind differ, so that the cores of one process are seen to belong together.
    fn style(self) -> Style {
        let ground =
            |colour| Style::new().fg_color(Some(Color::Ansi(AnsiColor::Black))).bg_color(Some(Color::Ansi(colour)));
        match self {
            Sitter::Words => Style::new(),
            Sitter::Server(local) if local % 2 == 0 => ground(AnsiColor::Yellow),
            Sitter::Server(_) => ground(AnsiColor::BrightYellow),
            Sitter::Rank(local) if local % 2 == 0 => ground(AnsiColor::Green),
            Sitter::Rank(_) => ground(AnsiColor::Cyan),
            Sitter::Several => ground(AnsiColor::Red),
            Sitter::Reserved => Style::new().fg_color(Some(Color::Ansi(AnsiColor::Red))),
            Sitter::Nobody => Style::new().dimmed(),
        }
    }
}

impl Piece {
    fn coloured(&self) -> String {
        let style = self.of.style();
        format!("{style}{}{style:#}", self.text)
    }
}

fn words(text: String) -> Piece {
    Piece { text, of: Sitter::Words }
}

/// `node: 64 cores in 4 NUMA domains and 8 L3 groups, 2 hardware threads each`
fn title(what: &str, shape: &NodeShape) -> String {
    let parts = [(shape.numa.len(), "NUMA domain"), (shape.l3.len(), "L3 group")];
    let parts: Vec<String> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, part)| count(*number, part)).collect();
    let parts = if parts.is_empty() { String::new() } else { format!(" in {}", parts.join(" and ")) };
    let threads = match shape.threads_per_core {
        1 => String::new(),
        several => format!(", {several} hardware threads each"),
    };
    format!("{what}: {}{parts}{threads}", count(shape.cores.len() as usize, "core"))
}

/// Breaks the groups of a domain into lines of about equal length, between groups where they are not too long themselves.
fn rows(groups: &[Group], width: usize) -> Vec<Vec<&[u32]>> {
    let room = COLUMNS - "NUMA 10   120-143 |".len();
    let columns = |group: &[u32]| group.len() * (width + 1) + " |".len();
    let widest = groups.iter().map(|group| columns(group)).max().unwrap_or(1);
    if widest > room {
        let per_line = (room - " |".len()) / (width + 1);
        let split = |group: &'_ Group| group.len().div_ceil(group.len().div_ceil(per_line));
        return groups.iter().flat_map(|group| group.chunks(split(group)).map(|cores| vec![cores])).collect();
    }
    let per_line = (room / widest).max(1);
    let even = groups.len().div_ceil(groups.len().div_ceil(per_line));
    groups.chunks(even).map(|groups| groups.iter().map(Vec::as_slice).collect()).collect()
}

/// What stands before the cores of a line: `NUMA 0    0-15 |`.
fn label(name: &str, cores: &[u32]) -> String {
    format!("{name:<8}{:>9} |", range(cores))
}

/// Cores of a line: `0-15`, `0-54:2`, or the first and last of others.
fn range(cores: &[u32]) -> String {
    let (Some(first), Some(last)) = (cores.first(), cores.last()) else { return String::new() };
    let step = cores.get(1).map_or(1, |second| second.saturating_sub(*first));
    let even = cores.windows(2).all(|pair| pair[1].checked_sub(pair[0]) == Some(step));
    match (first == last, even, step) {
        (true, ..) => first.to_string(),
        (false, true, 1) => format!("{first}-{last}"),
        (false, true, step) => format!("{first}-{last}:{step}"),
        (false, false, _) => format!("{first}..{last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::{archer2, aurora, colocated, daint, demand, frontera, frontier, plain, standard};
    use super::super::{Demand, place};
    use super::*;
    use crate::record::vocabulary::{Distribution, Transport};
    use crate::site::Node;

    fn drawn(job: &Job, node: &Node) -> Drawing {
        draw(&place(&demand(job, node)).unwrap().unwrap(), job)
    }

    /// Compares with a file under tests/golden/placement/; BLESS=1 writes it.
    fn assert_golden(name: &str, drawing: &Drawing) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/placement").join(name);
        let text = drawing.plain().join("\n") + "\n";
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(golden == text, "{name} differs from its golden; look at it and run with BLESS=1:\n{text}");
    }

    #[test]
    fn drawings_are_as_they_were_approved() {
        let spread = Job { distribution: Distribution::Spread, client_cpus: 4, ..colocated("mask", 24, 8) };
        let on_hsn1 = Job { net_ifname: "hsn1".into(), ..standard("mask", 24, 8) };
        let eight = Job { servers_per_node: 8, net_ifname: "hsn0+hsn1".into(), ..standard("mask", 24, 7) };
        let four = Job { servers_per_node: 4, distribution: Distribution::Spread, ..colocated("mask", 40, 4) };
        let cases = [
            ("frontier-colocated.txt", colocated("mask", 48, 8), frontier()),
            ("frontier-standard.txt", on_hsn1, frontier()),
            ("frontier-8-shards.txt", eight, frontier()),
            ("frontier-4-servers.txt", four, frontier()),
            ("frontier-scheduler.txt", colocated("scheduler", 48, 8), frontier()),
            ("archer2-spread.txt", spread, archer2()),
            ("aurora-standard.txt", Job { client_cpus: 8, ..standard("mask", 12, 4) }, aurora()),
            ("daint-colocated.txt", colocated("mask-db", 256, 8), daint()),
            ("daint-full.txt", colocated("mask", 280, 8), daint()),
            ("alternating.txt", colocated("mask", 40, 4), frontera()),
            ("no-topology.txt", colocated("mask-app", 20, 4), plain(40)),
        ];
        for (name, job, node) in cases {
            assert_golden(name, &drawn(&job, &node));
        }
    }

    #[test]
    fn lines_fit_whatever_the_node() {
        for node in [frontier(), archer2(), aurora(), daint(), frontera(), plain(1), plain(500)] {
            let usable = node.usable().unwrap().len();
            for job in [standard("mask", usable, usable), standard("scheduler", usable, usable), standard("none", 1, 1)]
            {
                let lines = drawn(&job, &node).plain();
                assert!(lines.iter().all(|line| line.len() <= COLUMNS && line.is_ascii()), "{lines:#?}");
                let titles = lines.iter().filter(|line| line.contains("node: ")).count();
                assert_eq!(titles, 2);
            }
            if usable > 1 {
                let lines = drawn(&colocated("scheduler", usable / 2, usable / 2), &node).plain();
                assert!(lines.iter().all(|line| line.len() <= COLUMNS), "{lines:#?}");
            }
        }
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let job = Job { transport: Transport::Uds, ..colocated("mask", 4, 2) };
        let drawing = drawn(&job, &frontier());
        let stripped = |text: &String| {
            let mut plain = String::new();
            for part in text.split('\u{1b}') {
                plain.push_str(if text.starts_with(part) && plain.is_empty() {
                    part
                } else {
                    part.split_once('m').unwrap().1
                });
            }
            plain.trim_end().to_owned()
        };
        let coloured = drawing.coloured();
        assert!(coloured[1].contains("\u{1b}["));
        assert_eq!(coloured.iter().map(stripped).collect::<Vec<_>>(), drawing.plain());
    }

    #[test]
    fn shared_cores_are_marked_and_unknown_nodes_left_out() {
        let node = plain(4);
        let job = colocated("mask", 5, 2);
        let placement = place(&Demand { oversubscribe: true, ..demand(&job, &node) }).unwrap().unwrap();
        let lines = draw(&placement, &job).plain();
        assert_eq!(lines[1], "              0-3 | DB DB ++ ++ |");
        assert_eq!(lines[2], "DB = 2 cores   0-4 = 5 ranks x 1 core   ++ = 2 of several processes   .. = 0 idle");
        assert!(draw(&Placement::default(), &job).is_empty());
    }
}

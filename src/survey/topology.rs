//! Cores, sockets, NUMA domains and L3 groups of this machine, as lscpu says.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::cpus::CpuSet;
use crate::scheduler::ask::ask as ask_program;
use crate::site::Numbering;

/// What a node looks like inside. Cores go by the number of their first CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    pub sockets: u32,
    pub cores: u32,
    pub threads_per_core: u32,
    /// `None`: hardware threads are numbered in a way that site files cannot say.
    pub numbering: Option<Numbering>,
    pub numa: Vec<CpuSet>,
    /// Empty where lscpu does not know.
    pub l3: Vec<CpuSet>,
}

/// Asks lscpu.
pub fn ask() -> Option<Topology> {
    parse(&ask_program("lscpu", &["-p=CPU,CORE,SOCKET,NODE,CACHE"]).ok()?)
}

/// Reads the answer to `lscpu -p=CPU,CORE,SOCKET,NODE,CACHE`.
fn parse(text: &str) -> Option<Topology> {
    let header = text.lines().rfind(|line| line.starts_with("# CPU,"))?.trim_start_matches("# ");
    let column = |name: &str| header.split(',').position(|word| word.eq_ignore_ascii_case(name));
    let (cpu, core, socket, node, l3) =
        (column("CPU")?, column("Core")?, column("Socket")?, column("Node"), column("L3"));

    // lscpu counts cores on over sockets in some versions and anew in others: both together name one
    let mut threads: BTreeMap<(u32, u32), Vec<u32>> = BTreeMap::new();
    let mut places: Vec<Place> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let words: Vec<&str> = line.split(',').collect();
        let number = |column: usize| words.get(column)?.parse::<u32>().ok();
        let key = (number(socket)?, number(core)?);
        threads.entry(key).or_default().push(number(cpu)?);
        places.push((key, node.and_then(number), l3.and_then(number)));
    }
    let first: BTreeMap<(u32, u32), u32> =
        threads.iter().filter_map(|(key, cpus)| Some((*key, *cpus.iter().min()?))).collect();
    let grouped = |group: fn(&Place) -> Option<u32>| -> Vec<CpuSet> {
        let mut groups: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for place in &places {
            let Some(number) = group(place) else { return Vec::new() };
            groups.entry(number).or_default().insert(first[&place.0]);
        }
        groups.into_values().map(|cores| cores.into_iter().collect()).collect()
    };
    let threads_per_core = threads.values().map(Vec::len).max()? as u32;
    let sockets = threads.keys().map(|(socket, _)| socket).collect::<BTreeSet<_>>().len() as u32;
    Some(Topology {
        sockets,
        cores: threads.len() as u32,
        threads_per_core,
        numbering: numbering(&threads, threads_per_core),
        numa: grouped(|place| place.1),
        l3: grouped(|place| place.2),
    })
}

/// A CPU's core (socket and number), NUMA domain and L3 group.
type Place = ((u32, u32), Option<u32>, Option<u32>);

/// The CPUs of each core tell how Linux numbers hardware threads.
fn numbering(cores: &BTreeMap<(u32, u32), Vec<u32>>, threads: u32) -> Option<Numbering> {
    let count = cores.len() as u32;
    let numbered = |first_step: u32, thread_step: u32| {
        cores.values().all(|cpus| {
            let mut cpus = cpus.clone();
            cpus.sort_unstable();
            let first = cpus[0];
            first % first_step == 0
                && first / first_step < count
                && cpus.len() as u32 == threads
                && (0..threads).zip(&cpus).all(|(thread, cpu)| *cpu == first + thread * thread_step)
        })
    };
    if numbered(1, count) {
        Some(Numbering::Offset)
    } else if numbered(threads, 1) {
        Some(Numbering::Adjacent)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer in lscpu's format: (CPU, core, socket, node, L3).
    fn answer(rows: &[(u32, u32, u32, u32, u32)]) -> String {
        let rows: Vec<String> =
            rows.iter().map(|(c, o, s, n, l)| format!("{c},{o},{s},{n},,{o},{o},{o},{l}")).collect();
        format!("# comment\n# CPU,Core,Socket,Node,,L1d,L1i,L2,L3\n{}\n", rows.join("\n"))
    }

    fn lists(sets: &[CpuSet]) -> Vec<String> {
        sets.iter().map(CpuSet::to_list).collect()
    }

    #[test]
    fn the_answer_of_a_real_machine() {
        let found = parse(include_str!("../../tests/survey/lscpu.txt")).unwrap();
        assert_eq!((found.sockets, found.cores, found.threads_per_core), (1, 2, 1));
        assert_eq!((lists(&found.numa), lists(&found.l3)), (vec!["0-1".to_owned()], vec!["0-1".to_owned()]));
    }

    #[test]
    fn threads_beyond_all_cores_and_threads_side_by_side() {
        let offset: Vec<_> = (0..16).map(|cpu| (cpu, cpu % 8, cpu % 8 / 4, cpu % 8 / 4, cpu % 8 / 2)).collect();
        let found = parse(&answer(&offset)).unwrap();
        assert_eq!((found.sockets, found.cores, found.threads_per_core), (2, 8, 2));
        assert_eq!(found.numbering, Some(Numbering::Offset));
        assert_eq!(lists(&found.numa), ["0-3", "4-7"]);
        assert_eq!(lists(&found.l3), ["0-1", "2-3", "4-5", "6-7"]);
        let adjacent: Vec<_> = (0..8).map(|cpu| (cpu, cpu / 2, 0, cpu / 4, 0)).collect();
        let found = parse(&answer(&adjacent)).unwrap();
        assert_eq!(found.numbering, Some(Numbering::Adjacent));
        assert_eq!(lists(&found.numa), ["0,2", "4,6"]);
    }

    #[test]
    fn sockets_that_take_turns() {
        let rows: Vec<_> = (0..8).map(|cpu| (cpu, cpu / 2, cpu % 2, cpu % 2, cpu % 2)).collect();
        let found = parse(&answer(&rows)).unwrap();
        assert_eq!((found.cores, found.numbering), (8, Some(Numbering::Offset)));
        assert_eq!(lists(&found.numa), ["0,2,4,6", "1,3,5,7"]);
    }

    #[test]
    fn what_a_site_file_cannot_say_is_no_numbering() {
        // a core that is switched off in the middle
        let rows: Vec<_> = [0, 1, 3, 4].map(|cpu| (cpu, cpu, 0, 0, 0)).into();
        assert_eq!(parse(&answer(&rows)).unwrap().numbering, None);
        assert_eq!(parse("nonsense"), None);
        assert_eq!(parse("# CPU,Core,Socket,Node\n0,0,0\nx,y,z\n"), None);
        // an older lscpu has no caches, a container no domains
        let bare = parse("# CPU,Core,Socket,Node\n0,0,0,\n1,1,0,\n").unwrap();
        assert_eq!((bare.numa.len(), bare.l3.len()), (0, 0));
    }
}

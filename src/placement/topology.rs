//! What is near what on a node, and which of its cores are still free.

use crate::record::cpus::CpuSet;
use crate::record::placement::NodeShape;
use crate::site::{Node, Numbering};

/// A kind of node of a site, as the record knows it; without cores where the site does not tell them.
pub fn shape(node: &Node) -> NodeShape {
    let Some(cores) = node.all_cores() else { return NodeShape::default() };
    let sibling_step = match (node.threads_per_core, node.numbering) {
        (0 | 1, _) => 0,
        (_, Numbering::Offset) => node.cores.unwrap_or(0),
        (_, Numbering::Adjacent) => 1,
    };
    NodeShape {
        reserved: node.reserved_cores.intersection(&cores),
        cores,
        numa: node.numa.clone(),
        l3: node.l3.clone(),
        threads_per_core: node.threads_per_core.max(1),
        sibling_step,
    }
}

/// Cores of one L3 group within one NUMA domain, in ascending order.
pub type Group = Vec<u32>;

/// The L3 groups of each NUMA domain of a node; what is not known is one domain, or one group. All cores of the node are in it.
pub fn domains(shape: &NodeShape) -> Vec<Vec<Group>> {
    split(&shape.cores, &shape.numa).iter().map(|domain| split(domain, &shape.l3).iter().map(cores).collect()).collect()
}

fn cores(set: &CpuSet) -> Group {
    set.iter().collect()
}

/// Divides `cores` as `parts` say; what is in none of them is a part of its own.
fn split(cores: &CpuSet, parts: &[CpuSet]) -> Vec<CpuSet> {
    let mut rest = cores.clone();
    let mut found = Vec::new();
    for part in parts {
        let part = rest.intersection(part);
        if !part.is_empty() {
            rest = rest.difference(&part);
            found.push(part);
        }
    }
    if !rest.is_empty() {
        found.push(rest);
    }
    found
}

/// The free cores of a node.
#[derive(Debug, Clone)]
pub struct Free {
    domains: Vec<Vec<Group>>,
    /// L3 group whose turn it is when ranks are spread, counted over the node.
    turn: usize,
}

impl Free {
    /// All cores that jobs may use.
    pub fn of(shape: &NodeShape) -> Free {
        let mut free = Free { domains: domains(shape), turn: 0 };
        free.remove(&shape.reserved);
        free
    }

    pub fn remove(&mut self, taken: &CpuSet) {
        for group in self.domains.iter_mut().flatten() {
            group.retain(|core| !taken.contains(*core));
        }
    }

    pub fn count(&self) -> usize {
        self.domains.iter().map(|domain| size(domain)).sum()
    }

    /// Takes `count` cores for a server: from the nearest domain that has room for all of them; where none has, from as few
    /// domains as possible, the nearest first. Fewer where there are fewer.
    pub fn take_near(&mut self, near: usize, count: usize) -> CpuSet {
        let mut order: Vec<usize> = (0..self.domains.len()).collect();
        // domains are numbered socket by socket, mostly in powers of two: the exclusive or is small within a socket
        order.sort_by_key(|domain| domain ^ near);
        let mut taken = Vec::new();
        while taken.len() < count {
            let rest = count - taken.len();
            let fits = order.iter().find(|domain| size(&self.domains[**domain]) >= rest);
            let Some(domain) = fits.or_else(|| order.iter().find(|domain| size(&self.domains[**domain]) > 0)) else {
                break;
            };
            taken.extend(take_from_domain(&mut self.domains[*domain], rest));
        }
        taken.into_iter().collect()
    }

    /// Takes `count` cores for a rank from the first L3 group that has room for it.
    pub fn take_packed(&mut self, count: usize) -> CpuSet {
        match self.domains.iter_mut().flatten().find(|group| group.len() >= count) {
            Some(group) => group.drain(..count).collect(),
            None => self.take_near(0, count),
        }
    }

    /// Takes `count` cores for a rank from the next L3 group whose turn it is and that has room for it.
    pub fn take_spread(&mut self, count: usize) -> CpuSet {
        let mut groups: Vec<&mut Group> = self.domains.iter_mut().flatten().collect();
        let turns = (self.turn..groups.len()).chain(0..self.turn);
        match turns.into_iter().find(|turn| groups[*turn].len() >= count) {
            Some(turn) => {
                self.turn = (turn + 1) % groups.len();
                groups[turn].drain(..count).collect()
            }
            None => self.take_near(0, count),
        }
    }
}

fn size(domain: &[Group]) -> usize {
    domain.iter().map(Vec::len).sum()
}

/// Takes up to `count` cores: the largest groups as a whole while none holds the rest, then the tightest that does.
fn take_from_domain(domain: &mut [Group], count: usize) -> Vec<u32> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let rest = count - taken.len();
        let tightest =
            (0..domain.len()).filter(|group| domain[*group].len() >= rest).min_by_key(|group| domain[*group].len());
        // of equal ones the first
        let largest = || (0..domain.len()).rev().max_by_key(|group| domain[*group].len());
        let Some(group) = tightest.or_else(largest).filter(|group| !domain[*group].is_empty()) else { break };
        let most = rest.min(domain[group].len());
        taken.extend(domain[group].drain(..most));
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;

    #[test]
    fn unknown_parts_are_one() {
        let mut node = examples::frontier();
        assert_eq!(domains(&shape(&node)).len(), 4);
        assert_eq!(domains(&shape(&node))[3], [(48..56).collect::<Vec<_>>(), (56..64).collect()]);
        node.numa.clear();
        assert_eq!((domains(&shape(&node)).len(), domains(&shape(&node))[0].len()), (1, 8));
        node.l3 = vec!["0-7".parse().unwrap()];
        assert_eq!(domains(&shape(&node)), [vec![(0..8).collect::<Vec<_>>(), (8..64).collect()]]);
    }

    #[test]
    fn servers_take_whole_groups_near_their_interface() {
        let shape = shape(&examples::archer2());
        let take = |near, count| Free::of(&shape).take_near(near, count).to_list();
        assert_eq!((take(0, 8), take(5, 6), take(4, 3)), ("0-7".into(), "80-85".into(), "64-66".into()));
        // too many for a domain of 16: the next one on the same socket, not that of the other socket
        assert_eq!(take(4, 20), "64-83");
        assert_eq!(take(3, 18), "32-33,48-63");
        // a group with just enough room is better than breaking a whole one
        let mut free = Free::of(&shape);
        free.remove(&"0-1".parse().unwrap());
        assert_eq!(free.take_near(0, 2).to_list(), "2-3");
        assert_eq!(free.take_near(0, 999).len(), 124);
    }

    #[test]
    fn ranks_go_group_by_group_or_in_turn() {
        let shape = shape(&examples::archer2());
        let (mut packed, mut spread) = (Free::of(&shape), Free::of(&shape));
        let three = |free: &mut Free, take: fn(&mut Free, usize) -> CpuSet| [3, 3, 1].map(|n| take(free, n).to_list());
        assert_eq!(three(&mut packed, Free::take_packed), ["0-2", "4-6", "3"]);
        assert_eq!(three(&mut spread, Free::take_spread), ["0-2", "4-6", "8"]);
    }
}

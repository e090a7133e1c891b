//! Which jobs may go to the queue now, and behind which others.
//!
//! A centre that admits so many jobs *at once* (eligible, running) is served by waves: job k depends on the end of job k - n,
//! which the scheduler itself watches. One that admits so many *in all* (submitted, queued) takes no more, dependent or
//! not: the rest has to come later.

use crate::site::{Beyond, Counts, Limit};

/// A limit with what already counts towards it.
#[derive(Debug, Clone)]
pub struct Rule {
    pub name: String,
    pub most: usize,
    /// Counts jobs that depend on others too.
    pub in_all: bool,
    /// Queue rows that share it; empty for all.
    pub queues: Vec<String>,
    /// Identifiers of jobs that are in the queue, earliest first.
    pub present: Vec<String>,
}

impl Rule {
    /// How many of the jobs in these rows it counts.
    fn places(&self, rows: &[Option<String>]) -> usize {
        let counts =
            |row: &&Option<String>| self.queues.is_empty() || row.as_ref().is_some_and(|row| self.queues.contains(row));
        rows.iter().filter(counts).count()
    }
}

/// A job to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// One that is in the queue.
    Present(String),
    /// One of the new ones, by its index.
    New(usize),
}

/// What becomes of a new job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Submit it; it starts when all of these have ended.
    Submit(Vec<Before>),
    /// Leave it for later: the limit of that name is reached.
    Later(String),
}

/// The limits of a site as rules; those that need nobody's care are left out.
pub fn rules(limits: &[Limit], at_once: Option<usize>, present: &[String]) -> Vec<Rule> {
    let of_site = limits.iter().filter_map(|limit| {
        let in_all = matches!(limit.counts, Counts::Submitted | Counts::Queued);
        let waits = limit.beyond == Beyond::Waits; // the scheduler itself sees to that
        (!waits && limit.counts != Counts::ArrayRunning).then(|| Rule {
            name: limit.name.clone(),
            most: limit.most as usize,
            in_all,
            queues: limit.queues.clone(),
            present: present.to_vec(),
        })
    });
    let own = at_once.map(|most| Rule {
        name: "--at-once".to_owned(),
        most,
        in_all: false,
        queues: Vec::new(),
        present: present.to_vec(),
    });
    of_site.chain(own).collect()
}

/// The turn of each new job, given by the queue rows of what it puts into the queue (of a pair two jobs), in order.
pub fn turns(jobs: &[Vec<Option<String>>], rules: &[Rule]) -> Vec<Turn> {
    let mut ahead: Vec<Vec<Before>> =
        rules.iter().map(|rule| rule.present.iter().cloned().map(Before::Present).collect()).collect();
    let mut turns = Vec::new();
    for (index, rows) in jobs.iter().enumerate() {
        let full = rules.iter().zip(&ahead).find(|(rule, ahead)| {
            let more = rule.places(rows);
            rule.in_all && more > 0 && ahead.len() + more > rule.most
        });
        if let Some((rule, _)) = full {
            turns.push(Turn::Later(rule.name.clone()));
            continue;
        }
        let mut behind = Vec::new();
        for (rule, ahead) in rules.iter().zip(&mut ahead) {
            for _ in 0..rule.places(rows) {
                if !rule.in_all && ahead.len() >= rule.most.max(1) {
                    let before = ahead[ahead.len() - rule.most.max(1)].clone();
                    // the halves of a pair cannot wait for each other
                    if before != Before::New(index) && !behind.contains(&before) {
                        behind.push(before);
                    }
                }
                ahead.push(Before::New(index));
            }
        }
        turns.push(Turn::Submit(behind));
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(most: usize, in_all: bool, present: &[&str]) -> Rule {
        let present = present.iter().map(|id| (*id).to_owned()).collect();
        Rule { name: format!("{most}"), most, in_all, queues: Vec::new(), present }
    }

    /// Jobs in no row.
    fn alone(count: usize) -> Vec<Vec<Option<String>>> {
        vec![vec![None]; count]
    }

    #[test]
    fn waves_depend_on_what_is_there_and_on_each_other() {
        let turns = turns(&alone(3), &[rule(2, false, &["7"])]);
        let due = [vec![], vec![Before::Present("7".into())], vec![Before::New(0)]];
        assert_eq!(turns, due.map(Turn::Submit));
    }

    #[test]
    fn a_limit_on_all_jobs_leaves_the_rest() {
        let turns = turns(&alone(2), &[rule(3, true, &["7", "8"]), rule(1, false, &[])]);
        assert_eq!(turns, [Turn::Submit(vec![]), Turn::Later("3".into())]);
    }

    #[test]
    fn a_limit_of_one_row_leaves_the_others_alone() {
        let debug = Rule { queues: vec!["debug".into()], ..rule(1, true, &[]) };
        let rows = ["debug", "batch", "debug"].map(|row| vec![Some(row.to_owned())]);
        let due = [Turn::Submit(vec![]), Turn::Submit(vec![]), Turn::Later("1".into())];
        assert_eq!(turns(&rows, &[debug]), due);
    }

    #[test]
    fn a_pair_counts_as_two_jobs_each_in_its_row() {
        let pair = || vec![Some("gh".to_owned()), Some("gg".to_owned())];
        let turns = |rule: Rule| turns(&[pair(), pair()], &[rule]);
        let both = [Turn::Submit(vec![]), Turn::Later("3".into())];
        assert_eq!(turns(rule(3, true, &[])), both);
        let of_row = |most| Rule { queues: vec!["gg".into()], ..rule(most, true, &[]) };
        assert_eq!(turns(of_row(1)), [Turn::Submit(vec![]), Turn::Later("1".into())]);
        assert_eq!(turns(of_row(2)), [Turn::Submit(vec![]), Turn::Submit(vec![])]);
        // at once: 2 are there, of 3 places the first pair needs one that is taken, the second stands behind all of it
        let due = [vec![Before::Present("7".into())], vec![Before::Present("8".into()), Before::New(0)]];
        assert_eq!(turns(rule(3, false, &["7", "8"])), due.map(Turn::Submit));
        assert_eq!(turns(rule(1, false, &[]))[1], Turn::Submit(vec![Before::New(0)]));
    }

    proptest! {
        /// Whatever order jobs end in, never more than `most` of them can be free to run.
        #[test]
        fn never_more_at_once_than_allowed(new in 0usize..30, most in 1usize..6, present in 0usize..8) {
            let ids: Vec<String> = (0..present).map(|id| id.to_string()).collect();
            let one = Rule { name: String::new(), most, in_all: false, queues: vec![], present: ids };
            let turns = turns(&alone(new), &[one]);
            // each job stands behind the one `most` places ahead of it: chains, of which there are at most `most`
            for (index, turn) in turns.iter().enumerate() {
                let place = present + index;
                let Turn::Submit(behind) = turn else { panic!("nothing limits the number in all") };
                match place.checked_sub(most) {
                    None => prop_assert!(behind.is_empty()),
                    Some(at) if at < present => prop_assert_eq!(behind, &vec![Before::Present(at.to_string())]),
                    Some(at) => prop_assert_eq!(behind, &vec![Before::New(at - present)]),
                }
            }
        }
    }
}

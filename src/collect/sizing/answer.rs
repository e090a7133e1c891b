//! The least store of each family that meets a question, or why there is none.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::curve::{Curve, Estimate, Unknown};
use super::family::{Family, Metric};
use super::layout::{Keys, Layout};
use super::question::{Limit, Question};
use crate::collect::model::Run;
use crate::record::slots;

/// A store is looked for up to so many times the most DB nodes that were measured.
const MOST_TIMES: u32 = 16;

/// A limit with what was found for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    pub limit: Limit,
    pub metric: Metric,
    /// What the limit means for the metric, in ns.
    pub most_ns: f64,
    pub found: Result<Estimate, Unknown>,
}

impl Figure {
    fn is_met(&self) -> bool {
        self.found.as_ref().is_ok_and(|estimate| estimate.high <= self.most_ns)
    }

    fn is_broken(&self) -> bool {
        self.found.as_ref().is_ok_and(|estimate| estimate.low > self.most_ns)
    }

    /// Limit / estimate: 1.2 leaves a fifth.
    pub fn headroom(&self) -> Option<f64> {
        self.found.as_ref().ok().map(|estimate| self.most_ns / estimate.ns)
    }
}

/// A store with what it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub layout: Layout,
    pub figures: Vec<Figure>,
}

impl Choice {
    fn is_met(&self) -> bool {
        self.figures.iter().all(Figure::is_met)
    }

    fn is_broken(&self) -> bool {
        self.figures.iter().any(Figure::is_broken)
    }

    fn is_known(&self) -> bool {
        self.figures.iter().all(|figure| figure.found.is_ok())
    }

    /// The one with the least room, or of which nothing is known.
    pub fn decisive(&self) -> &Figure {
        let room = |figure: &Figure| figure.headroom().unwrap_or(0.0);
        // a question has a limit
        self.figures.iter().min_by(|a, b| room(a).total_cmp(&room(b))).expect("no limit")
    }

    /// Nodes of the store beside the application's.
    pub fn db_nodes(&self) -> u32 {
        self.layout.db_nodes.unwrap_or(0)
    }
}

/// What a family can do.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// With 95 % confidence by this store; the least number of DB nodes that may do, as far as is known, is `may_do`.
    Met { choice: Choice, may_do: u32 },
    /// With 95 % confidence by none; the nearest one.
    NotMet(Choice),
    /// What was measured does not tell: the least store that does if all is as expected, or the one that comes nearest.
    Undecided(Choice),
    /// Nothing is known of it.
    Unknown(Unknown),
}

impl Verdict {
    pub fn as_str(&self) -> &'static str {
        match self {
            Verdict::Met { .. } => "met",
            Verdict::NotMet(_) => "not met",
            Verdict::Undecided(_) | Verdict::Unknown(_) => "not known",
        }
    }

    /// Met with the fewest nodes first, then what might be, what is not known, and what cannot be, each with the most room.
    fn order(&self, other: &Verdict) -> Ordering {
        let place = |verdict: &Verdict| match verdict {
            Verdict::Met { choice, .. } => (0, f64::from(choice.db_nodes())),
            Verdict::Undecided(choice) => (1, -choice.decisive().headroom().unwrap_or(0.0)),
            Verdict::Unknown(_) => (2, 0.0),
            Verdict::NotMet(choice) => (3, -choice.decisive().headroom().unwrap_or(0.0)),
        };
        let (one, two) = (place(self), place(other));
        one.0.cmp(&two.0).then(one.1.total_cmp(&two.1))
    }

    pub fn choice(&self) -> Option<&Choice> {
        match self {
            Verdict::Met { choice, .. } | Verdict::NotMet(choice) | Verdict::Undecided(choice) => Some(choice),
            Verdict::Unknown(_) => None,
        }
    }
}

/// The answer of one family.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub label: String,
    pub verdict: Verdict,
}

/// The answers of all families, those that meet it with the fewest nodes first.
#[derive(Debug, Clone)]
pub struct Answers {
    /// With the clients per node that were assumed.
    pub question: Question,
    pub answers: Vec<Answer>,
    /// Runs that cannot be sized.
    pub left_out: usize,
}

impl Answers {
    pub fn is_met(&self) -> bool {
        self.answers.iter().any(|answer| matches!(answer.verdict, Verdict::Met { .. }))
    }
}

/// Answers `question` by these runs; at most `most_db_nodes` are looked at.
pub fn answer(runs: &[Run], question: &Question, most_db_nodes: Option<u32>) -> Answers {
    let (families, left_out) = super::family::of_runs(runs);
    let question = with_clients_per_node(&families, question);
    let mut answers: Vec<Answer> =
        families.iter().map(|family| Search::new(family, &question).answer(most_db_nodes)).collect();
    answers.sort_by(|a, b| a.verdict.order(&b.verdict).then_with(|| a.label.cmp(&b.label)));
    Answers { question, answers, left_out }
}

/// The question with as many clients per node as were measured at most, where it does not say.
pub fn with_clients_per_node(families: &[Family<'_>], question: &Question) -> Question {
    let per_node = families.iter().flat_map(|family| family.measured(|layout| layout.clients_per_node)).max();
    Question { clients_per_node: question.clients_per_node.or(per_node), ..question.clone() }
}

/// The limits of a question as times of a family: for each the metric and the most that it may be, in ns.
pub fn needs(family: &Family<'_>, question: &Question) -> Vec<(Limit, Metric, f64)> {
    let ops = if question.ops.is_empty() { family.ops() } else { question.ops.clone() };
    let bytes = f64::from(question.ranks) * question.tensor_bytes as f64 * family.tensors();
    let mut needs = Vec::new();
    for limit in &question.limits {
        match limit {
            Limit::Latency(quantile, most) => {
                needs.extend(ops.iter().map(|op| (*limit, Metric::Latency(*op, *quantile), *most)));
            }
            Limit::Rate(least) => needs.push((*limit, Metric::Iteration, 1e9 / least)),
            Limit::GbPerS(least) => needs.push((*limit, Metric::Iteration, bytes / least)),
            Limit::Share(share, step) => needs.push((*limit, Metric::Iteration, share * step)),
        }
    }
    needs
}

/// One family, one question.
#[derive(Clone)]
pub struct Search<'a> {
    family: &'a Family<'a>,
    question: &'a Question,
    needs: Vec<(Limit, Metric, f64)>,
    curves: BTreeMap<Metric, Curve>,
    slots: Vec<u16>,
}

impl<'a> Search<'a> {
    pub fn new(family: &'a Family<'a>, question: &'a Question) -> Search<'a> {
        let needs = needs(family, question);
        let curve = |metric: Metric| (metric, Curve::of(family, metric, Some(question.tensor_bytes)));
        let curves = needs.iter().map(|(_, metric, _)| curve(*metric)).collect();
        let slots = match family.keys {
            Keys::Hash(name) => slots::of_ranks(name, 0..question.ranks).collect(),
            Keys::Equal => Vec::new(),
        };
        Search { family, question, needs, curves, slots }
    }

    pub fn family(&self) -> &'a Family<'a> {
        self.family
    }

    /// The store of so many nodes and servers for the ranks that are asked for.
    pub fn layout(&self, db_nodes: Option<u32>, servers_per_node: u32) -> Layout {
        let Question { ranks, clients_per_node, .. } = *self.question;
        let clients_per_node = clients_per_node.unwrap_or(1);
        Layout {
            ranks,
            clients_per_node,
            db_nodes,
            servers_per_node,
            is_colocated: self.family.is_colocated,
            keys: self.family.keys,
        }
    }

    pub fn try_out(&self, layout: Layout) -> Choice {
        let counts = match layout.db_nodes.and_then(|nodes| u16::try_from(nodes * layout.servers_per_node).ok()) {
            Some(servers @ 2..=slots::SLOTS) if !self.slots.is_empty() => {
                slots::deal(self.slots.iter().copied(), servers)
            }
            _ => layout.ranks_per_server(),
        };
        let figure = |(limit, metric, most_ns): &(Limit, Metric, f64)| {
            let load = layout.load(&counts, metric.whose());
            let found = self.curves[metric].at(&layout, &load, self.question.tensor_bytes);
            Figure { limit: *limit, metric: *metric, most_ns: *most_ns, found }
        };
        Choice { layout, figures: self.needs.iter().map(figure).collect() }
    }

    /// Points that the laws rest on; of several times the least.
    pub fn points(&self) -> usize {
        self.curves.values().map(|curve| curve.points(self.question.tensor_bytes)).min().unwrap_or(0)
    }

    /// Whether this layout was measured at the size in question.
    pub fn has(&self, layout: &Layout) -> bool {
        self.curves.values().all(|curve| curve.has(layout, self.question.tensor_bytes))
    }

    /// The store for what is asked that is nearest to what was measured.
    pub fn likely(&self) -> Layout {
        let points = &self.family.points;
        let nodes = points.iter().filter_map(|point| point.layout.db_nodes).max();
        self.layout(nodes, points.iter().map(|point| point.layout.servers_per_node).max().unwrap_or(1))
    }

    /// As if `layout` had been measured, and found so many deviations from what is expected.
    pub fn measure(&mut self, layout: &Layout, deviations: f64) {
        let counts = layout.ranks_per_server();
        for (metric, curve) in &mut self.curves {
            curve.measure(layout, layout.load(&counts, metric.whose()), self.question.tensor_bytes, deviations);
        }
    }

    fn answer(&self, most_db_nodes: Option<u32>) -> Answer {
        Answer { label: self.family.label.clone(), verdict: self.verdict(most_db_nodes) }
    }

    /// The verdict on this family.
    pub fn verdict(&self, most_db_nodes: Option<u32>) -> Verdict {
        if self.needs.is_empty() {
            return Verdict::Unknown(Unknown::NoSuch);
        }
        let per_servers = self.family.measured(|layout| layout.servers_per_node);
        let verdicts: Vec<Verdict> =
            per_servers.into_iter().filter_map(|servers| self.of_servers(servers, most_db_nodes)).collect();
        verdicts.into_iter().min_by(Verdict::order).unwrap_or(Verdict::Unknown(Unknown::NoSuch))
    }

    /// The verdict with so many servers on each node.
    fn of_servers(&self, servers: u32, most_db_nodes: Option<u32>) -> Option<Verdict> {
        let measured = self.family.points.iter().filter_map(|point| point.layout.db_nodes).max();
        let Some(measured) = measured else {
            return Some(Self::judge(&[self.try_out(self.layout(None, servers))]));
        };
        let most = most_db_nodes.unwrap_or(measured.saturating_mul(MOST_TIMES)).min(u32::from(slots::SLOTS) / servers);
        let mut tried: BTreeMap<u32, Choice> =
            steps(most).into_iter().map(|nodes| (nodes, self.try_out(self.layout(Some(nodes), servers)))).collect();
        // between two steps of the grid the least that does, and the least that may
        for does in [Choice::is_met as fn(&Choice) -> bool, |choice: &Choice| choice.is_known() && !choice.is_broken()]
        {
            let first = tried.iter().find(|(_, choice)| does(choice)).map(|(nodes, _)| *nodes);
            let below = first.and_then(|first| tried.range(..first).next_back().map(|(nodes, _)| *nodes));
            if let (Some(first), Some(below)) = (first, below) {
                for nodes in below + 1..first {
                    tried.insert(nodes, self.try_out(self.layout(Some(nodes), servers)));
                }
            }
        }
        let choices: Vec<Choice> = tried.into_values().collect();
        (!choices.is_empty()).then(|| Self::judge(&choices))
    }

    /// `choices` in the order of nodes, at least one.
    fn judge(choices: &[Choice]) -> Verdict {
        let may_do = choices.iter().find(|choice| choice.is_known() && !choice.is_broken()).map_or(0, Choice::db_nodes);
        if let Some(choice) = choices.iter().find(|choice| choice.is_met()) {
            return Verdict::Met { choice: choice.clone(), may_do };
        }
        let room = |choice: &Choice| choice.decisive().headroom().unwrap_or(0.0);
        let (broken, open): (Vec<&Choice>, Vec<&Choice>) = choices.iter().partition(|choice| choice.is_broken());
        let nearest = |of: &[&Choice]| of.iter().copied().max_by(|a, b| room(a).total_cmp(&room(b))).cloned();
        let known: Vec<&Choice> = open.iter().copied().filter(|choice| choice.is_known()).collect();
        // the least that does if all is as is expected
        let likely = known.iter().copied().find(|choice| room(choice) >= 1.0).cloned().or_else(|| nearest(&known));
        match (likely, open.first(), nearest(&broken)) {
            (Some(choice), ..) => Verdict::Undecided(choice),
            // one of its figures is not known
            (None, Some(choice), _) => Verdict::Unknown(
                choice.figures.iter().find_map(|figure| figure.found.clone().err()).unwrap_or(Unknown::NoSuch),
            ),
            (None, None, Some(choice)) => Verdict::NotMet(choice),
            (None, None, None) => Verdict::Unknown(Unknown::NoSuch),
        }
    }
}

/// Numbers of nodes that are tried first: each up to 16, then in steps of a twelfth.
fn steps(most: u32) -> Vec<u32> {
    let next = |nodes: &u32| Some(nodes + (nodes / 12).max(1)).filter(|next| *next <= most);
    std::iter::successors(Some(1), next).collect()
}

//! Answers for people: a few lines a store, at most 100 columns.

use super::answer::{Answer, Answers, Choice, Figure, Verdict};
use super::curve::{Basis, Unknown};
use super::family::Metric;
use super::law::Station;
use super::layout::Layout;
use super::question::{Limit, show_ns};
use crate::collect::number::short;
use crate::record::units::{count, show_bytes};
use crate::terminal::{WIDTH, plain};

/// The answers as text.
pub fn text(answers: &Answers) -> String {
    let mut text = format!("{}\n", textwrap::fill(&answers.question.to_string(), WIDTH));
    for answer in &answers.answers {
        text.push('\n');
        text.push_str(&textwrap::fill(&plain(&answer.label), WIDTH));
        text.push('\n');
        for line in lines(answers, answer) {
            let options = textwrap::Options::new(WIDTH).initial_indent("  ").subsequent_indent("    ");
            text.push_str(&textwrap::fill(&line, options));
            text.push('\n');
        }
    }
    if answers.answers.is_empty() {
        text.push_str("\nno run here measured anything that can be sized\n");
    }
    if answers.left_out > 0 {
        text.push_str(&format!(
            "\n{} runs of aggregations are not sized: their ranks do different things\n",
            answers.left_out
        ));
    }
    if answers.answers.iter().any(|answer| answer.verdict.choice().is_some()) {
        text.push_str(
            "\nIn brackets: 90 % intervals. Met is said where the limit lies above the interval: 95 % sure.\n",
        );
    }
    text
}

fn lines(answers: &Answers, answer: &Answer) -> Vec<String> {
    let mut lines = vec![headline(&answer.verdict)];
    let Some(choice) = answer.verdict.choice() else { return lines };
    lines.extend(choice.figures.iter().map(|figure| said(answers, figure)));
    lines.push(nodes(choice));
    lines
}

/// The verdict in a line.
pub fn headline(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Met { choice, may_do } => {
            let less = match *may_do < choice.db_nodes() {
                true => format!("; {may_do} may do"),
                false => String::new(),
            };
            format!("met by {}{less}", store(&choice.layout))
        }
        Verdict::NotMet(choice) => format!("cannot be met; nearest is {}", store(&choice.layout)),
        Verdict::Undecided(choice) => match choice.decisive().headroom() {
            Some(room) if room >= 1.0 => {
                format!("not known; {} would be enough by the middle of the interval", store(&choice.layout))
            }
            _ => format!("not known; nearest is {}", store(&choice.layout)),
        },
        Verdict::Unknown(why) => format!("not known: {}", reason(why)),
    }
}

/// The store in words.
pub fn store(layout: &Layout) -> String {
    let servers = layout.servers_per_node;
    match (layout.db_nodes, layout.is_colocated) {
        (Some(nodes), _) if servers == 1 => count(nodes, "DB node"),
        (Some(nodes), _) => format!("{} x {}", count(nodes, "DB node"), count(servers, "server")),
        (None, true) => format!("{} on each application node", count(servers, "server")),
        (None, false) => "files".to_owned(),
    }
}

fn said(answers: &Answers, figure: &Figure) -> String {
    let what = match figure.metric {
        Metric::Latency(op, quantile) => format!("{} {op}", quantile.as_str()),
        Metric::Iteration => match figure.limit {
            Limit::GbPerS(_) => "all ranks".to_owned(),
            _ => "an iteration".to_owned(),
        },
    };
    let found = match &figure.found {
        Err(why) => return format!("{what}: not known: {}", reason(why)),
        Ok(found) => found,
    };
    let value = |ns: f64| match figure.limit {
        Limit::GbPerS(least) => format!("{} GB/s", short(least * figure.most_ns / ns)),
        Limit::Rate(_) => format!("{}/s", short(1e9 / ns)),
        _ => show_ns(ns),
    };
    let (mut low, mut high) = (value(found.low), value(found.high));
    if !matches!(figure.limit, Limit::Latency(..) | Limit::Share(..)) {
        std::mem::swap(&mut low, &mut high);
    }
    let share = match figure.limit {
        Limit::Share(_, step) => format!(", {} % of the step", short(found.ns / step * 100.0)),
        _ => String::new(),
    };
    let middle = if found.is_sure() { value(found.ns) } else { "very uncertain".to_owned() };
    let bound = found.bound_by.map(|station| format!("; ranks wait for {}", station.as_str())).unwrap_or_default();
    let law = match found.basis {
        Basis::Measured(_) => String::new(),
        _ => format!(
            " from {} points at {}, where the law misses one left out by {} %",
            found.points,
            show_bytes(answers.question.tensor_bytes),
            short(found.left_out * 100.0)
        ),
    };
    let room = figure.headroom().filter(|_| found.is_sure());
    let room = room.map(|room| format!(", room to the limit: a factor of {}", short(room))).unwrap_or_default();
    format!("{what}: {middle} [{low} to {high}]{share}{room}; {}{law}{bound}", found.basis)
}

fn nodes(choice: &Choice) -> String {
    let application = choice.layout.client_nodes();
    let hours = count(application, "node-hour");
    match (choice.layout.db_nodes, choice.layout.is_colocated) {
        (Some(nodes), _) => format!(
            "an hour costs {hours} of the application and {nodes} of the store (+{} %)",
            short(100.0 * f64::from(nodes) / f64::from(application.max(1)))
        ),
        (None, true) => {
            format!("an hour costs {hours}; the servers take cores of the application's nodes")
        }
        (None, false) => format!("an hour costs {hours}"),
    }
}

/// Why there is no figure, and what to run.
pub fn reason(why: &Unknown) -> String {
    match why {
        Unknown::NoSuch => {
            "no run has measured this operation, or this quantile from enough samples (raise --iterations)".to_owned()
        }
        Unknown::Size(sizes) => {
            let sizes: Vec<String> = sizes.iter().map(|size| show_bytes(*size)).collect();
            format!(
                "measured were {}; a size between two wants three measured ones around it, and nothing is said beyond them: run it with --tensor-bytes",
                sizes.join(", ")
            )
        }
        Unknown::Few(points) => {
            format!("{points} points are too few for any law: run more loads (--client-nodes, --db-nodes)")
        }
        Unknown::NeverVaried(station) => format!(
            "all runs had as many ranks at {}: run others ({})",
            station.as_str(),
            match station {
                Station::ClientNode => "--clients-per-node",
                Station::Server | Station::DbNode => "--db-nodes, --client-nodes",
                Station::Delay | Station::All => "--client-nodes",
            }
        ),
        Unknown::Far(factor) => {
            format!("it is {factor:.0} x beyond what was measured: run larger loads (--client-nodes)")
        }
    }
}

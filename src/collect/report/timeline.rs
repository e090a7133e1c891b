//! The history in words, for a terminal, `summary.md` and the page.

use crate::collect::circumstances;
use crate::collect::history::{History, Trend, Turn};
use crate::collect::number::short;
use crate::collect::stats::change_point::LEAST;
use crate::record::units::count;

/// `7 collections of 4 configurations in DIR: 1 change of level`.
pub fn headline(of: &History) -> String {
    let untested = of.trends.iter().filter(|trend| trend.not_tested.is_some()).count();
    let changes: usize = of.trends.iter().map(|trend| trend.turns.len()).sum();
    let found = match (untested == of.trends.len(), untested) {
        (true, _) => {
            format!("too few for changes of level, which are looked for from {LEAST} collections of a configuration on")
        }
        (false, 0) => count(changes, "change") + " of level",
        (false, some) => format!("{} of level, {some} with too few to look for one", count(changes, "change")),
    };
    let (collections, configurations) = (count(of.collections, "collection"), count(of.trends.len(), "configuration"));
    format!("{collections} of {configurations} in {}: {found}", of.folder)
}

/// Each change of level in a sentence, the latest first.
pub fn turns(of: &History) -> Vec<String> {
    let mut all: Vec<(&str, String)> = Vec::new();
    for trend in &of.trends {
        all.extend(trend.turns.iter().map(|turn| (trend.moments[turn.at].utc.as_str(), says(trend, turn))));
    }
    all.sort_by(|a, b| b.0.cmp(a.0));
    all.into_iter().map(|(_, said)| said).collect()
}

/// `from 2026-01-05 on 12.3 % slower (put_tensor at ..)`.
pub fn says(trend: &Trend, turn: &Turn) -> String {
    let ratio = turn.ratio();
    let word = if ratio > 1.0 { "slower" } else { "faster" };
    let percent = short((ratio - 1.0).abs() * 100.0);
    let since = trend.moments[turn.at].utc.split('T').next().unwrap_or_default();
    let differs = match turn.differs.iter().filter(|one| one.may_explain()).cloned().collect::<Vec<_>>() {
        none if none.is_empty() => "nothing that is recorded differs there".to_owned(),
        some => format!("there differs: {}", circumstances::line(&some)),
    };
    format!("{}: {percent} % {word} from {since} on, over all ops and sizes (p {:.4}); {differs}", trend.label, turn.p)
}

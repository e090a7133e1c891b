//! Which runs may be set against each other: those that differ in one setting only, and in what that setting entails.

use std::collections::{BTreeMap, BTreeSet};

use crate::collect::groups::{self, Key};
use crate::collect::model::Run;
use crate::collect::params::{COLUMNS, FOLLOWS, LOAD, Value, entails};
use crate::record::vocabulary::Store;

/// Runs with their indices in the collection, ascending.
type Indexed<'a> = Vec<(usize, &'a Run)>;

/// A value of a setting with what it entails, and the runs that have it: repeats of each other, but for what a caller left free.
pub struct Side<'a> {
    pub value: Option<Value>,
    pub label: String,
    pub runs: Indexed<'a>,
    /// In the order of [`entails`]: of a store its version first.
    entailed: Vec<Option<Value>>,
}

impl Side<'_> {
    /// Whether the difference to `other` is one of this setting alone. A store of files has nothing of what servers have; two products
    /// must agree in all but their versions, or two settings would differ.
    pub fn fits(&self, other: &Side<'_>, setting: &str) -> bool {
        let is_files = |side: &Side<'_>| {
            let store = side.value.as_ref().and_then(|value| value.to_string().parse::<Store>().ok());
            store.is_some_and(|store| !store.has_servers())
        };
        let is_whole = setting != "store" || is_files(self) || is_files(other);
        self.value != other.value && (is_whole || self.entailed[1..] == other.entailed[1..])
    }
}

/// Runs that share all but one setting.
pub struct Contest<'a> {
    pub label: String,
    /// At least two values of the setting, in order.
    pub sides: Vec<Side<'a>>,
}

/// Columns that are settings of the store or of its surroundings: what a user chooses, and not what the application asks.
pub fn settings() -> impl Iterator<Item = &'static str> {
    let asked = COLUMNS.iter().map(|(column, _)| *column);
    asked.chain(["wire", "server"]).filter(|column| !FOLLOWS.contains(column) && !LOAD.contains(column))
}

/// Every contest about `setting`; the `free` columns may differ within a side.
pub fn contests<'a>(runs: &'a [Run], setting: &'static str, free: &[&'static str]) -> Vec<Contest<'a>> {
    let values = |one: &Run| groups::value(one, setting);
    if runs.iter().all(|run| values(run) == values(&runs[0])) {
        return Vec::new();
    }
    let entailed = entails(setting);
    let own: Vec<&'static str> = [setting].into_iter().chain(entailed.iter().copied()).collect();
    let without = [&own[..], free].concat();
    // what entails this setting stays as it is: versions are compared of one product
    let mut all: BTreeMap<Key, BTreeMap<Key, Indexed<'_>>> = BTreeMap::new();
    for (index, run) in runs.iter().enumerate() {
        let Some(key) = groups::key(run, &without) else { continue };
        let side: Key = own.iter().map(|column| (*column, groups::value(run, column))).collect();
        all.entry(key).or_default().entry(side).or_default().push((index, run));
    }
    all.retain(|_, sides| sides.keys().map(|side| &side[0].1).collect::<BTreeSet<_>>().len() > 1);
    let names = names(all.values().flat_map(BTreeMap::keys).collect());
    let labels = groups::labels(&all.keys().collect::<Vec<_>>());
    let side = |(key, runs): (Key, _)| {
        let label = names.get(&key).cloned().unwrap_or_default();
        let mut values = key.into_iter().map(|(_, value)| value);
        Side { value: values.next().flatten(), label, runs, entailed: values.collect() }
    };
    let contest =
        |((_, sides), label): ((_, BTreeMap<_, _>), _)| Contest { label, sides: sides.into_iter().map(side).collect() };
    all.into_iter().zip(labels).map(contest).collect()
}

/// What each side is called: the value, and of what it entails as little as tells the sides apart.
fn names(sides: BTreeSet<&Key>) -> BTreeMap<Key, String> {
    let sides: Vec<&Key> = sides.into_iter().collect();
    let of = |without: &BTreeSet<usize>| {
        let cut = |side: &&Key| {
            let kept = side.iter().enumerate().filter(|(at, _)| !without.contains(at));
            kept.map(|(_, cell)| cell.clone()).collect::<Key>()
        };
        sides.iter().map(cut).collect::<Vec<Key>>()
    };
    let kinds = |without: &BTreeSet<usize>| of(without).into_iter().collect::<BTreeSet<Key>>().len();
    let mut without = BTreeSet::new();
    for at in (1..sides.first().map_or(0, |side| side.len())).rev() {
        without.insert(at);
        if kinds(&without) < sides.len() {
            without.remove(&at);
        }
    }
    let named = of(&without);
    let name = |(key, side): (&&Key, &Key)| {
        let mut told: Vec<String> = side.iter().filter_map(groups::say).collect();
        // `redis 7.2.1` says `redis`
        told.dedup_by(|later, first| {
            later.starts_with(&*first) && {
                std::mem::swap(later, first);
                true
            }
        });
        // a value that is not set is one as well
        let value = side[0].1.is_none().then(|| format!("no {}", side[0].0.replace('_', " ")));
        ((*key).clone(), value.into_iter().chain(told).collect::<Vec<_>>().join(", "))
    };
    sides.iter().zip(&named).map(name).collect()
}

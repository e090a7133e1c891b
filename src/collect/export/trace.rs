//! The time line of a run as trace events, which Perfetto (ui.perfetto.dev) and chrome://tracing open. Format: "Trace Event Format", Google,
//! 2016: a JSON object whose `traceEvents` have a phase (`ph`), a process and a thread (`pid`, `tid`), and times in us.
//!
//! What is a process to it is a part of the job here: the script with store, client and sizes, then each host; its threads are the host's ranks. A slice
//! of a rank is a size, from the start of its first timed operation to the end of its last one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::for_each_series;
use crate::collect::model::{Run, Standings};
use crate::collect::stats::quantile;
use crate::collect::stats::window::Window;
use crate::collect::timeline::{PHASES, Track};
use crate::record::op::Op;
use crate::record::samples::SeriesView;
use crate::record::units::show_bytes;

/// The process of the script; hosts follow.
const JOB: u32 = 1;
/// Its thread of sizes, after those of [`Track::ALL`].
const SIZES: u32 = Track::ALL.len() as u32 + 1;
/// The thread of rank 0. No two threads share a number, whatever their process: readers differ in whether they may.
const RANKS: u32 = 10;

/// One event; what it does not have is left out.
#[derive(Serialize)]
struct Event<'a> {
    ph: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cat: Option<&'static str>,
    pid: u32,
    tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    /// Scope of a moment: its thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    args: Map<String, Value>,
}

struct Trace<'a> {
    to: BufWriter<File>,
    run: &'a Run,
    /// Processes of the hosts that have been seen.
    hosts: BTreeMap<String, u32>,
    is_first: bool,
    /// Seconds by which all stands later, so that no time is below zero where clocks disagree.
    shift_s: f64,
}

/// A rank at a size, so far.
#[derive(Default)]
struct AtSize {
    window: Option<Window>,
    args: Map<String, Value>,
}

pub fn fill(dir: &Path, run: &Run, file: File) -> Result<()> {
    let shift_s = run.timeline.at(0).map_or(0.0, |zero| (-zero).max(0.0));
    let mut trace = Trace { to: BufWriter::new(file), run, hosts: BTreeMap::new(), is_first: true, shift_s };
    trace.to.write_all(b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
    trace.job()?;
    if !run.sizes().is_empty() {
        trace.ranks(dir)?;
    }
    let other = json!({
        "run": run.name,
        "path": run.path,
        "state": run.state.as_str(),
        "begin_unix_s": run.timeline.begin_unix_s().map(|begin| begin - shift_s),
        "clocks_disagree_by_s": run.timeline.disagreement_s(),
        "made_by": "shardscale collect --trace",
    });
    write!(trace.to, "\n],\"otherData\":{other}}}")?;
    Ok(trace.to.flush()?)
}

impl Trace<'_> {
    fn push(&mut self, event: &Event<'_>) -> Result<()> {
        self.to.write_all(if self.is_first { b"\n" } else { b",\n" })?;
        self.is_first = false;
        Ok(serde_json::to_writer(&mut self.to, event)?)
    }

    /// Names a process (`tid` 0) or a thread, and says its place.
    fn name(&mut self, (pid, tid): (u32, u32), name: &str, place: i64) -> Result<()> {
        let [of_name, of_place] =
            if tid == 0 { ["process_name", "process_sort_index"] } else { ["thread_name", "thread_sort_index"] };
        for (what, key, value) in [(of_name, "name", json!(name)), (of_place, "sort_index", json!(place))] {
            let args = Map::from_iter([(key.to_owned(), value)]);
            self.push(&Event { ph: "M", name: what, cat: None, pid, tid, ts: None, dur: None, s: None, args })?;
        }
        Ok(())
    }

    fn slice(
        &mut self,
        (pid, tid): (u32, u32),
        (name, cat): (&str, &'static str),
        (from_s, to_s): (f64, f64),
        args: Map<String, Value>,
    ) -> Result<()> {
        let (ts, dur) = (Some(us(from_s + self.shift_s)), Some(us(to_s - from_s)));
        self.push(&Event { ph: "X", name, cat: Some(cat), pid, tid, ts, dur, s: None, args })
    }

    /// What the script noted, and the sizes.
    fn job(&mut self) -> Result<()> {
        let run = self.run;
        self.name((JOB, 0), &run.name, i64::MIN >> 32)?;
        for (at, track) in (1..).zip(Track::ALL) {
            self.name((JOB, at), track.as_str(), i64::from(at))?;
        }
        self.name((JOB, SIZES), "sizes", i64::from(SIZES))?;
        for phase in run.timeline.phases() {
            let (of, name) = PHASES[phase.which];
            let tid = Track::ALL.iter().position(|track| *track == of).map_or(0, |at| at as u32) + 1;
            self.slice((JOB, tid), (name, "phase"), (phase.from_s, phase.to_s), Map::new())?;
        }
        let begin = run.timeline.begin_unix_s().unwrap_or_default();
        for event in &run.timeline.events {
            let args = if event.detail.is_empty() { Map::new() } else { object(json!({ "detail": event.detail })) };
            let ts = Some(us(event.unix_s as f64 - begin + self.shift_s));
            let (name, cat) = (event.word.as_str(), Some("event"));
            self.push(&Event { ph: "i", name, cat, pid: JOB, tid: 1, ts, dur: None, s: Some("t"), args })?;
        }
        for (size, figures) in run.timeline.sizes.iter().zip(run.sizes()) {
            let Some(span) = run.timeline.span(size.window) else { continue };
            let args = object(json!({
                "payload_bytes": size.payload_bytes,
                "overlap_gb_per_s": figures.overlap_gb_per_s,
                "half_of_ranks_ended_s": run.timeline.at(size.half_ended_ns),
                "last_rank": size.last,
            }));
            self.slice((JOB, SIZES), (&show_bytes(size.payload_bytes), "size"), span, args)?;
        }
        Ok(())
    }

    /// Each rank at each size. A size's series follow each other in the file.
    fn ranks(&mut self, dir: &Path) -> Result<()> {
        let run = self.run;
        let mut named = BTreeSet::new();
        let mut open: (u64, BTreeMap<u32, (u32, AtSize)>) = Default::default();
        for_each_series(dir, run, |series, op, host| {
            let pid = self.host(host)?;
            if named.insert(series.rank) {
                self.rank((pid, series.rank))?;
            }
            if open.0 != series.payload_bytes {
                self.close(std::mem::take(&mut open))?;
                open.0 = series.payload_bytes;
            }
            open.1.entry(series.rank).or_insert_with(|| (pid, AtSize::default())).1.take(series, op);
            Ok(())
        })?;
        self.close(open)
    }

    fn close(&mut self, (bytes, ranks): (u64, BTreeMap<u32, (u32, AtSize)>)) -> Result<()> {
        let size = show_bytes(bytes);
        let name = if bytes == 0 { ("computes alone", "alone") } else { (size.as_str(), "size") };
        for (rank, (pid, AtSize { window, args })) in ranks {
            if let Some(span) = window.and_then(|window| self.run.timeline.span(window)) {
                self.slice((pid, rank + RANKS), name, span, args)?;
            }
        }
        Ok(())
    }

    /// The process of a host.
    fn host(&mut self, host: &str) -> Result<u32> {
        if let Some(pid) = self.hosts.get(host) {
            return Ok(*pid);
        }
        let pid = JOB + 1 + self.hosts.len() as u32;
        self.hosts.insert(host.to_owned(), pid);
        let standing = straggles(self.run.measured.as_ref().map(|measured| &measured.hosts_standing), host);
        self.name((pid, 0), &named(host, standing), place(pid, standing))?;
        Ok(pid)
    }

    /// The thread of a rank.
    fn rank(&mut self, (pid, rank): (u32, u32)) -> Result<()> {
        let standings = self.run.measured.as_ref().map(|measured| &measured.ranks_standing);
        let standing = straggles(standings, &rank.to_string());
        self.name((pid, rank + RANKS), &named(&format!("rank {rank}"), standing), place(rank, standing))
    }
}

impl AtSize {
    /// Takes the timed samples of an op: their window, their number and their median.
    fn take(&mut self, series: &SeriesView<'_>, op: Op) {
        let timed = || series.samples().skip(series.warmup as usize);
        let window = timed().fold(Window::EMPTY, |all, (start_ns, ns)| all.with(start_ns, ns));
        self.window = Some(self.window.map_or(window, |before| before.and(window)));
        let mut durations: Vec<u64> = timed().map(|(_, ns)| ns).collect();
        let median = quantile::median_ns(&mut durations).map(|ns| ns / 1e3);
        self.args.insert("payload_bytes".to_owned(), json!(series.payload_bytes));
        self.args.insert(format!("{op}_samples"), json!(durations.len()));
        self.args.insert(format!("{op}_median_us"), json!(median));
    }
}

/// How slow one is that stands apart.
fn straggles(among: Option<&Standings>, name: &str) -> Option<f64> {
    among?.straggling().find(|one| one.name == name).map(|one| one.ratio)
}

fn named(name: &str, straggles: Option<f64>) -> String {
    straggles.map_or_else(|| name.to_owned(), |ratio| format!("{name} (straggles: {ratio:.2} times the middle)"))
}

/// Those that straggle stand first.
fn place(number: u32, straggles: Option<f64>) -> i64 {
    i64::from(number) - if straggles.is_some() { i64::from(i32::MAX) } else { 0 }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Microseconds to the nanosecond.
fn us(seconds: f64) -> f64 {
    (seconds * 1e9).round() / 1e3
}

//! `collect --parquet`: the samples behind the figures, for other tools.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use collect_support::{DONE, Model, TIMED_OUT, old_session, permutation};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use shardscale::collect::{self, CollectOptions};
use shardscale::record::samples::{self, SamplesFile};
use shardscale::record::workload::{OPS, PUT};

const RUN: &str = "standard-n2x4-db3x1-none-hsn0-tcp-r1";

fn export(tree: &Path) -> PathBuf {
    let options = CollectOptions { parquet: true, ..CollectOptions::of(tree.to_owned()) };
    collect::run(&options, &|_, _, _| {}).unwrap().report.join("samples")
}

fn rows(file: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap()).collect()
}

fn text(value: &str) -> Field {
    Field::Str(value.to_owned())
}

/// 2 nodes x 4 ranks against 3 shards; of three sizes two were measured.
fn partial() -> Model {
    let mut model = Model::new(permutation(2, Some(3), 1));
    model.manifest.sweep.tensor_bytes.truncate(3);
    model.sizes_done = 2;
    model
}

#[test]
fn every_sample_of_the_sizes_in_the_report_is_there() {
    let tree = tempfile::tempdir().unwrap();
    let model = partial();
    // an attempt that does not count, and a third size that breaks off
    Model { seed: 7, sizes_done: 1, ..model.clone() }.execute(tree.path(), 1, TIMED_OUT);
    model.execute(tree.path(), 2, TIMED_OUT);
    let file = tree.path().join(RUN).join("attempt-2").join(samples::FILE);
    let more = Model { sizes_done: 3, ..model }.samples();
    let whole = fs::read(&file).unwrap().len();
    fs::write(&file, &more[..whole + 5000]).unwrap();
    let found = rows(&export(tree.path()).join(format!("{RUN}.parquet")));

    let contents = SamplesFile::open(&file).unwrap().unwrap();
    let contents = contents.contents().unwrap();
    let meta = contents.meta.as_ref().unwrap();
    let mut due = Vec::new();
    for series in contents.series.iter().filter(|series| series.size_index < 2) {
        let rank = contents.ranks.iter().find(|rank| rank.rank == series.rank).unwrap();
        for (number, (start_ns, duration_ns)) in series.samples().enumerate() {
            due.push(vec![
                ("path", text(RUN)),
                ("run", text(RUN)),
                ("payload_bytes", Field::Long(series.payload_bytes as i64)),
                ("op", text(meta.ops[series.op].name.as_str())),
                ("rank", Field::Int(series.rank as i32)),
                ("host", text(&meta.hosts[rank.host as usize])),
                ("shard", Field::Int(series.shard as i32)),
                ("sample", Field::Int(number as i32)),
                ("warmup", Field::Bool(number < series.warmup as usize)),
                ("start_ns", Field::Long(start_ns)),
                ("duration_ns", Field::Long(duration_ns as i64)),
            ]);
        }
    }
    let row = |row: &Row| row.get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect::<Vec<_>>();
    assert_eq!(found.len(), due.len());
    for (found, due) in found.iter().zip(due) {
        assert_eq!(row(found), due.into_iter().map(|(name, field)| (name.to_owned(), field)).collect::<Vec<_>>());
    }
}

#[test]
fn more_rows_than_fit_a_group_of_rows() {
    let tree = tempfile::tempdir().unwrap();
    let mut model = Model::new(permutation(64, Some(3), 1));
    model.manifest.sweep.tensor_bytes.truncate(1);
    model.manifest.sweep.iterations = 600;
    model.sizes_done = 1;
    model.execute(tree.path(), 1, DONE);
    let samples = 2 * 256 * (600 + model.manifest.sweep.warmup as usize);
    let folder = export(tree.path());
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
    assert!(reader.num_row_groups() > 1);
    assert_eq!(reader.metadata().file_metadata().num_rows() as usize, samples);
}

#[test]
fn a_session_of_smartsim_has_no_starts() {
    let tree = tempfile::tempdir().unwrap();
    old_session(tree.path(), "sess-1");
    let found = rows(&export(tree.path()).join("throughput/run-2023/sess-1.parquet"));
    assert_eq!(found.len(), 6);
    let values = |row: &Row| row.get_column_iter().map(|(_, field)| field.clone()).collect::<Vec<_>>();
    let put = OPS[PUT].as_str();
    let due = [Field::Long(1024), text(put), Field::Int(0), Field::Null, Field::Null];
    assert_eq!(values(&found[0])[2..7], due);
    let due = [Field::Int(0), Field::Bool(false), Field::Null, Field::Long(100_000)];
    assert_eq!(values(&found[0])[7..], due);
}

#[test]
fn files_of_unchanged_runs_are_kept_and_those_of_vanished_ones_go() {
    let tree = tempfile::tempdir().unwrap();
    let tree = tree.path();
    for repeat in 1..=3 {
        let mut model = Model::new(permutation(2, Some(3), repeat));
        model.manifest.sweep.tensor_bytes.truncate(1);
        model.sizes_done = 1;
        model.execute(tree, 1, DONE);
    }
    let settle = || std::thread::sleep(Duration::from_millis(3100));
    settle();
    let folder = export(tree);
    let file = |repeat: u32| folder.join(format!("{}{repeat}.parquet", &RUN[..RUN.len() - 1]));
    let inodes = || [1, 2].map(|repeat| fs::metadata(file(repeat)).unwrap().ino());
    let first = inodes();
    // one that the user made
    fs::copy(file(1), folder.join("mine.parquet")).unwrap();
    fs::remove_dir_all(tree.join(file(3).file_stem().unwrap())).unwrap();
    export(tree);
    assert_eq!(inodes(), first);
    assert!(!file(3).exists() && folder.join("mine.parquet").exists());

    // a collection without --parquet leaves them, and a changed run is exported anew afterwards
    fs::write(tree.join(file(1).file_stem().unwrap()).join("attempt-1/more"), "").unwrap();
    settle();
    collect::run(&CollectOptions::of(tree.to_owned()), &|_, _, _| {}).unwrap();
    assert_eq!(inodes(), first);
    export(tree);
    assert!(inodes()[0] != first[0] && inodes()[1] == first[1]);
    // so is one whose file was damaged
    fs::write(file(2), "").unwrap();
    export(tree);
    assert!(!rows(&file(2)).is_empty());
}

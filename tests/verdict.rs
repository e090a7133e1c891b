//! What decides, and where the better one changes: from runs to the terminal, the files and `--format json`.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;
mod verdict_support;

use std::path::Path;
use std::process::Command;

use shardscale::collect;
use shardscale::collect::collection::Collection;
use shardscale::collect::crossover::{Along, Answer, Duel, Share};
use shardscale::collect::settings::{Setting, Standing, Verdict};
use shardscale::record::vocabulary::Store;
use verdict_support::{crossing, run, settings, write};

fn gather(dir: &Path) -> Collection {
    collect::gather(dir, &dir.join("report")).unwrap()
}

fn of<'a>(collection: &'a Collection, name: &str) -> &'a Setting {
    let found = collection.settings.iter().find(|setting| setting.name == name);
    found.unwrap_or_else(|| {
        panic!("no {name} in {:?}", collection.settings.iter().map(|one| one.name).collect::<Vec<_>>())
    })
}

#[test]
fn the_setting_that_decides_comes_first_and_names_its_best_value() {
    let tree = tempfile::tempdir().unwrap();
    settings(tree.path(), 4);
    let collection = gather(tree.path());
    let names: Vec<_> = collection.settings.iter().map(|setting| setting.name).collect();
    assert_eq!(names, ["io_threads", "keys"], "neither loads nor repeats are settings");
    let io = of(&collection, "io_threads");
    // two loads, two placements of keys, two sizes, two ops
    assert_eq!((io.places.len(), io.decided()), (16, 16));
    assert_eq!(io.winners(), [("4 I/O threads", 16)]);
    let (low, high) = io.interval.unwrap();
    assert!(low < 1.3 && 1.3 < high && (io.spread - 1.3).abs() < 0.03, "{} {low} {high}", io.spread);
    let place = &io.places[0];
    assert_eq!((place.options.len(), place.says().as_str()), (2, "4 I/O threads is best"));
    assert_eq!((place.options[1].standing, place.options[1].runs, place.runs.len()), (Standing::Slower, 4, 8));
    let keys = of(&collection, "keys");
    assert_eq!((keys.places.len(), keys.decided()), (16, 0));
    for place in &keys.places {
        let Verdict::NoDifference { seen } = place.verdict else { panic!("{place:?}") };
        // a difference as that of I/O threads would have been seen
        assert!(
            (1.01..1.3).contains(&seen) && place.says().starts_with("no difference found (would have seen "),
            "{seen}"
        );
    }
}

#[test]
fn one_run_a_side_decides_nothing_and_says_what_to_run() {
    let tree = tempfile::tempdir().unwrap();
    settings(tree.path(), 1);
    let collection = gather(tree.path());
    for setting in &collection.settings {
        assert_eq!((setting.interval, setting.decided()), (None, 0));
        assert!(setting.places.iter().all(|place| place.says() == "not repeated: cannot be decided; run --repeats 3"));
    }
    // the size of the difference is seen all the same
    assert!((of(&collection, "io_threads").spread - 1.3).abs() < 0.05);
}

#[test]
fn products_are_compared_with_files_and_versions_of_one_product_with_each_other() {
    let tree = tempfile::tempdir().unwrap();
    for (store, server, slowdown) in [
        (Store::Redis, "redis 7.0.15", 1.0),
        (Store::Redis, "redis 7.2.1", 1.1),
        (Store::Valkey, "valkey 9.1.2", 1.2),
        (Store::Files, "files", 2.0),
    ] {
        for repeat in 1..=3 {
            let mut model = run(4, Some(4), repeat);
            (model.manifest.job.store, model.server, model.slowdown) = (store, server.into(), slowdown);
            if store == Store::Files {
                (model.manifest.job.files, model.manifest.job.db_nodes) = (Some(Default::default()), None);
            }
            write(model, tree.path(), &server.replace(' ', "-"));
        }
    }
    let collection = gather(tree.path());
    let (store, server) = (of(&collection, "store"), of(&collection, "server"));
    let standings: Vec<_> = store.places[0].options.iter().map(|one| (one.label.as_str(), one.standing)).collect();
    let expected = [
        ("redis 7.0.15", Standing::Fastest),
        // a version is no product
        ("redis 7.2.1", Standing::Apart),
        ("valkey 9.1.2", Standing::Slower),
        ("files", Standing::Slower),
    ];
    assert_eq!(standings, expected, "{:?}", store.places[0]);
    assert_eq!(server.winners(), [("redis 7.0.15", server.places.len())]);
    assert!(server.places.iter().all(|place| place.options.len() == 2), "{:?}", server.places);
}

fn curves(duel: &Duel, along: Along, share: Share) -> impl Iterator<Item = &Answer> {
    duel.curves.iter().filter(move |curve| (curve.along, curve.share) == (along, share)).map(|curve| &curve.answer)
}

#[test]
fn the_load_at_which_colocated_wins_is_told_with_its_interval() {
    let tree = tempfile::tempdir().unwrap();
    crossing(tree.path(), 4);
    let collection = gather(tree.path());
    let [duel] = &collection.crossover[..] else { panic!("{:?}", collection.crossover) };
    assert_eq!(duel.sides, ["colocated", "standard"]);
    for answer in curves(duel, Along::Load, Share::ClientNode) {
        let Answer::Crossings(found) = answer else { panic!("{answer:?}") };
        let [one] = found[..] else { panic!("{found:?}") };
        let (low, high) = one.interval;
        assert!(one.above == 0 && low <= one.x && one.x <= high && high < 8.0 && low > 1.0, "{one:?}");
        assert!(one.between.0 as f64 <= low && high <= one.between.1 as f64, "{one:?}");
    }
    // with every node counted a store of four nodes of its own pays later, or never
    assert!(curves(duel, Along::Load, Share::NodeHour).all(|answer| *answer == Answer::Everywhere(0)), "{duel:?}");
    // at one client node against four DB nodes, each DB node moves a quarter of what the client node does
    let cell = &duel.cells[0];
    let [client, db, hour] = Share::ALL.map(|share| cell.of(share).unwrap().value);
    assert!((client / db - 4.0).abs() < 1e-9 && (client / hour - 5.0).abs() < 1e-9, "{cell:?}");

    let tree = tempfile::tempdir().unwrap();
    crossing(tree.path(), 1);
    let collection = gather(tree.path());
    assert!(collection.crossover[0].curves.iter().all(|curve| curve.answer == Answer::NotRepeated));
}

#[test]
fn the_outputs_tell_the_same() {
    let tree = tempfile::tempdir().unwrap();
    crossing(tree.path(), 3);
    settings(tree.path(), 3);
    let collect = |more: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_shardscale")).arg("collect").arg(tree.path()).args(more).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = collect(&[]);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    for said in ["- I/O threads: 1.", "4 I/O threads in 16", "colocated against standard", "crossover at"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let read = |name: &str| std::fs::read_to_string(tree.path().join("report").join(name)).unwrap();
    let summary = read("summary.md");
    assert!(summary.contains("## Settings and their effect") && summary.contains("## Crossover"), "{summary}");
    let table = read("settings.csv");
    let rows = |what: &str| table.lines().filter(|line| line.contains(what)).count();
    assert_eq!((rows(",io_threads,"), rows("4 I/O threads is best")), (32, 32), "{table}");
    let crossover = read("crossover.csv");
    assert!(crossover.contains(",crossover,interpolated,1,") && crossover.contains("is better above"), "{crossover}");
    let json: serde_json::Value = serde_json::from_str(&collect(&["--format", "json"])).unwrap();
    let first = json["settings"].as_array().unwrap().iter().find(|one| one["setting"] == "io_threads").unwrap();
    assert_eq!(
        (&first["setting"], &first["shown_in"], first["places"].as_array().unwrap().len()),
        (&"io_threads".into(), &16.into(), 16)
    );
    assert_eq!(first["places"][0]["values"][0]["standing"], "fastest");
    let curves = json["crossover"].as_array().unwrap().iter().flat_map(|duel| duel["curves"].as_array().unwrap());
    let crossing: Vec<_> = curves.filter(|curve| curve["answer"] == "crossover").collect();
    assert_eq!((&crossing[0]["along"], &crossing[0]["rests_on"]), (&"load".into(), &"interpolated".into()));
    assert!(crossing[0]["crossings"][0]["x"].as_f64().unwrap() > 1.0, "{crossing:?}");
    // of an earlier collection nothing is left
    for entry in std::fs::read_dir(tree.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name != "report" && !(name.contains("-io4-") && name.contains("n2x4") && name.contains("hash")) {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    collect(&[]);
    assert!(["settings.csv", "crossover.csv"].iter().all(|name| !tree.path().join("report").join(name).exists()));
}

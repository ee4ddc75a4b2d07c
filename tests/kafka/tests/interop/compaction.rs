//! Logs that a cleaner has been over: with gaps, emptied batches and tombstones on their way out. Both keep the same,
//! and either finishes what a crash of the other left undone.

use std::fs;
use std::path::Path;

use esker_kafka_tests::batch::{Batch, Record};
use esker_kafka_tests::description::Description;
use esker_kafka_tests::engine::{Engine, Topics, partition};
use esker_kafka_tests::files;
use esker_kafka_tests::ours::Esker;
use esker_kafka_tests::scenario::START_MS;
use esker_kafka_tests::theirs::Kafka;
use serde_json::json;
use tempfile::TempDir;

use crate::dumps;

const BALANCES: &str = "balances";
/// The suffixes of a segment's files. A transaction index is there only if something was aborted.
const SUFFIXES: [&str; 3] = [".log", ".index", ".timeindex"];

fn topics() -> Topics {
    let config = [
        ("cleanup.policy", "compact"),
        ("delete.retention.ms", "60000"),
        ("min.cleanable.dirty.ratio", "0.0"),
        ("internal.segment.bytes", "2048"),
        ("index.interval.bytes", "300"),
        ("segment.index.bytes", "1024"),
    ];
    [(BALANCES.to_owned(), config.map(|(key, value)| (key, value.to_owned())).into())].into()
}

fn kafka(dir: &Path) -> Kafka {
    Kafka::open(dir, START_MS, &topics())
}

fn esker(dir: &Path) -> Esker {
    Esker::open(dir, START_MS, &topics())
}

/// Writes the same keys again and again, and deletes some of them.
fn write(engine: &impl Engine, round: i64) {
    let at = partition(BALANCES);
    for step in 0..60 {
        let number = round * 60 + step;
        let timestamp = START_MS + number * 100;
        engine.set_time(timestamp);
        let record = |key: i64| Record {
            timestamp,
            key: Some(format!("key {key}").into_bytes()),
            value: (number % 7 != 3).then(|| format!("value {number}").into_bytes()),
            headers: vec![("number".to_owned(), Some(number.to_string().into_bytes()))],
        };
        let batch = Batch::plain(vec![record(number % 11), record(number % 5), record(20 + number % 3)]);
        engine.append(&at, &batch);
    }
}

/// Lets Kafka's cleaner over the log, and returns where it stopped.
fn clean(engine: &Kafka, first_dirty_offset: i64) -> i64 {
    let cleaned = engine.ask("clean", &partition(BALANCES), json!({ "first_dirty_offset": first_dirty_offset }));
    cleaned.clean()["cleaned_to"].as_i64().expect("an offset")
}

/// Lets esker compact the log.
fn compact(engine: &Esker) {
    engine.log(&partition(BALANCES)).flush().expect("the log can be synced");
    engine.maintain();
    let compaction = engine.log(&partition(BALANCES)).last_compaction().expect("it is worth it");
    assert!(compaction.records_kept < compaction.records_read, "{compaction:?}");
}

fn describe(engine: &impl Engine) -> Description {
    let timestamps = engine.describe(&partition(BALANCES), &[]).interesting_timestamps();
    engine.describe(&partition(BALANCES), &timestamps)
}

/// A log that was cleaned twice, the second time when the first tombstones had been there for long enough.
fn play(engine: &Kafka) -> Description {
    engine.create_topic(BALANCES);
    write(engine, 0);
    let cleaned_to = clean(engine, 0);
    write(engine, 1);
    engine.set_time(START_MS + 1_000_000);
    clean(engine, cleaned_to);
    write(engine, 2);
    let cleaned = describe(engine);
    let first_records = cleaned.records().take(30).map(|record| record.offset).collect::<Vec<_>>();
    assert!(first_records.windows(2).any(|pair| pair[1] > pair[0] + 1), "there are gaps: {first_records:?}");
    assert!(
        cleaned.batches.iter().any(|batch| batch.delete_horizon_ms.is_some()),
        "there are tombstones on their way out"
    );
    cleaned
}

/// Esker finds what Kafka has, goes on, and hands the log back to be cleaned again.
fn hand_over(dir: &Path, cleaned: &Description) {
    let ours = esker(dir);
    assert_eq!(ours.complaints(), Vec::<String>::new());
    assert_eq!(describe(&ours).difference(cleaned), None);
    write(&ours, 3);
    let continued = describe(&ours);
    ours.close();

    let theirs = kafka(dir);
    assert_eq!(theirs.complaints(), Vec::<String>::new());
    assert_eq!(describe(&theirs).difference(&continued), None);
    theirs.set_time(START_MS + 2_000_000);
    clean(&theirs, 0);
    let cleaned = describe(&theirs);
    theirs.close();

    let ours = esker(dir);
    assert_eq!(ours.complaints(), Vec::<String>::new());
    assert_eq!(describe(&ours).difference(&cleaned), None);
    ours.close();
}

#[test]
fn esker_reads_and_continues_what_kafka_compacted_and_closed() {
    let dir = TempDir::new().expect("a temporary directory");
    let theirs = kafka(dir.path());
    let cleaned = play(&theirs);
    theirs.close();
    hand_over(dir.path(), &cleaned);
}

#[test]
fn esker_reads_and_continues_what_kafka_compacted_and_left_open() {
    let dir = TempDir::new().expect("a temporary directory");
    let theirs = kafka(dir.path());
    let cleaned = play(&theirs);
    let copy = files::copy_of(dir.path());
    theirs.close();
    hand_over(copy.path(), &cleaned);
}

/// A log of esker's and a copy of it, both closed. It was compacted once, which left small segments.
fn twins() -> (TempDir, TempDir) {
    let dir = TempDir::new().expect("a temporary directory");
    let ours = esker(dir.path());
    ours.create_topic(BALANCES);
    write(&ours, 0);
    compact(&ours);
    write(&ours, 1);
    ours.close();
    let copy = files::copy_of(dir.path());
    (dir, copy)
}

#[test]
fn both_cleaners_keep_the_same() {
    let (our_dir, their_dir) = twins();
    let (ours, theirs) = (esker(our_dir.path()), kafka(their_dir.path()));
    let mut cleaned_to = 0;
    for round in 2..5 {
        // Long enough for the tombstones of the round before to go.
        ours.set_time(START_MS + round * 1_000_000 - 1); // and a millisecond passes before it looks
        theirs.set_time(START_MS + round * 1_000_000);
        compact(&ours);
        cleaned_to = clean(&theirs, cleaned_to);
        assert_eq!(describe(&ours).difference(&describe(&theirs)), None, "after round {round}");
        write(&ours, round);
        write(&theirs, round);
        assert_eq!(describe(&ours).difference(&describe(&theirs)), None, "after round {round}");
    }
    let compacted = describe(&ours);
    ours.close();
    theirs.close();

    dumps::check(&our_dir.path().join(partition(BALANCES).to_string()), &compacted);

    // And each opens the other's.
    let (ours, theirs) = (esker(their_dir.path()), kafka(our_dir.path()));
    assert_eq!((ours.complaints(), theirs.complaints()), (Vec::new(), Vec::new()));
    assert_eq!(describe(&ours).difference(&compacted), None);
    assert_eq!(describe(&theirs).difference(&compacted), None);
    ours.close();
    theirs.close();
}

/// What a crash in the middle of a swap leaves, made of the files of before and after.
#[derive(Clone, Copy, Debug)]
enum Crashed {
    /// The new segment is being written.
    WhileCleaning,
    /// The new segment is complete, and all old ones are still there.
    BeforeSwap,
    /// Some of the old ones are gone.
    WhileDeleting,
    /// The old ones are gone, and all of the new one but its indexes has its name.
    BeforeLastNames,
}

/// The base offsets of a directory's segments.
fn bases(dir: &Path) -> Vec<i64> {
    files::with_suffix(dir, ".log").iter().map(|path| files::base_offset(path)).collect()
}

/// Makes of `before` what a crash would have left there of the first group of segments that became one in `after`.
fn crash(before: &Path, after: &Path, crashed: Crashed) {
    let (before, after) = (before.join(partition(BALANCES).to_string()), after.join(partition(BALANCES).to_string()));
    let (old, new) = (bases(&before), bases(&after));
    let groups =
        new.windows(2).map(|pair| old.iter().copied().filter(|base| (pair[0]..pair[1]).contains(base)).collect());
    let group: Vec<i64> = groups.max_by_key(Vec::len).expect("there are segments");
    assert!(group.len() > 1, "several segments became one: {old:?} became {new:?}");
    let first = group[0];
    let name = |base: i64, suffix: &str| format!("{base:020}{suffix}");
    let remove = |base: i64| {
        for suffix in SUFFIXES {
            fs::remove_file(before.join(name(base, suffix))).expect("it was there");
        }
    };
    match crashed {
        Crashed::WhileCleaning | Crashed::BeforeSwap => {}
        Crashed::WhileDeleting => remove(group[1]),
        Crashed::BeforeLastNames => group.iter().for_each(|base| remove(*base)),
    }
    for suffix in SUFFIXES {
        let second = match crashed {
            Crashed::WhileCleaning => ".cleaned",
            Crashed::BeforeSwap | Crashed::WhileDeleting => ".swap",
            Crashed::BeforeLastNames => {
                if suffix == ".log" {
                    ""
                } else {
                    ".swap"
                }
            }
        };
        let mut bytes = fs::read(after.join(name(first, suffix))).expect("it is there");
        if matches!(crashed, Crashed::WhileCleaning) {
            bytes.truncate(bytes.len() / 2);
        }
        fs::write(before.join(name(first, suffix) + second), bytes).expect("it can be written");
    }
}

/// Opens what each crash leaves with both engines, which must come to the same.
fn both_finish(before: &Path, after: &Path) {
    let uncleaned = |dir: &Path| fs::remove_file(dir.join(".kafka_cleanshutdown")).expect("it was closed");
    for crashed in [Crashed::WhileCleaning, Crashed::BeforeSwap, Crashed::WhileDeleting, Crashed::BeforeLastNames] {
        let (our_dir, their_dir) = (files::copy_of(before), files::copy_of(before));
        for dir in [our_dir.path(), their_dir.path()] {
            uncleaned(dir);
            crash(dir, after, crashed);
        }
        let (ours, theirs) = (esker(our_dir.path()), kafka(their_dir.path()));
        assert_eq!((ours.complaints(), theirs.complaints()), (Vec::new(), Vec::new()), "{crashed:?}");
        assert_eq!(describe(&ours).difference(&describe(&theirs)), None, "{crashed:?}");
        ours.close();
        theirs.close();
        let leftovers = |dir: &Path| {
            let dir = dir.join(partition(BALANCES).to_string());
            files::with_suffix(&dir, ".swap").len() + files::with_suffix(&dir, ".cleaned").len()
        };
        assert_eq!((leftovers(our_dir.path()), leftovers(their_dir.path())), (0, 0), "{crashed:?}");
    }
}

#[test]
fn both_finish_a_swap_of_eskers() {
    let (after, before) = twins();
    let ours = esker(after.path());
    ours.set_time(START_MS + 1_000_000);
    compact(&ours);
    ours.close();
    both_finish(before.path(), after.path());
}

#[test]
fn both_finish_a_swap_of_kafkas() {
    let (after, before) = twins();
    let theirs = kafka(after.path());
    theirs.set_time(START_MS + 1_000_000);
    clean(&theirs, 0);
    theirs.close();
    both_finish(before.path(), after.path());
}

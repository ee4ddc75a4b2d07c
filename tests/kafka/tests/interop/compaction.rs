//! Logs that Kafka's cleaner has been over: with gaps, emptied batches and tombstones on their way out.

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

const BALANCES: &str = "balances";

fn topics() -> Topics {
    let config = [
        ("cleanup.policy", "compact"),
        ("delete.retention.ms", "60000"),
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

/// Lets Kafka's cleaner over the log, and returns what it makes of it.
fn clean(engine: &Kafka, first_dirty_offset: i64) -> i64 {
    let cleaned = engine.ask("clean", &partition(BALANCES), json!({ "first_dirty_offset": first_dirty_offset }));
    cleaned.clean()["cleaned_to"].as_i64().expect("an offset")
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

//! Kafka's `DumpLogSegments` over every file that esker writes: it must print exactly what was written, and find no
//! fault.

use std::path::Path;

use esker_kafka_tests::description::Description;
use esker_kafka_tests::dump::{Complaints, complaints_about, dump, logs, text_of_indexes, text_of_logs};
use esker_kafka_tests::engine::{CONSUMER_OFFSETS, Engine, partition};
use esker_kafka_tests::files;
use esker_kafka_tests::ours::Esker;
use esker_kafka_tests::scenario::{self, EVENTS, LOG_APPEND_TIME, START_MS};
use serde_json::Value;
use tempfile::TempDir;

fn open(dir: &Path) -> Esker {
    Esker::open(dir, START_MS, &scenario::topics())
}

/// Runs the tool over the logs of a partition and over its indexes.
pub fn check(dir: &Path, description: &Description) {
    let logs = logs(dir, description);
    assert!(!logs.is_empty(), "there is something to look at");
    let paths: Vec<&Path> = logs.iter().map(|(path, _)| &**path).collect();
    let dumped = dump(&paths, &["--deep-iteration", "--print-data-log"]);
    assert_eq!(dumped.complaints, complaints_about(&logs));
    for (printed, expected) in dumped.printed.lines().zip(text_of_logs(&logs).lines()) {
        assert_eq!(printed, expected);
    }
    assert_eq!(dumped.printed.lines().count(), text_of_logs(&logs).lines().count());

    let mut indexes = files::with_suffix(dir, ".index");
    indexes.extend(files::with_suffix(dir, ".timeindex"));
    let dumped = dump(&indexes, &[]);
    assert_eq!((&dumped.printed, &dumped.complaints), (&text_of_indexes(&indexes), &Complaints::new()));
    assert_eq!(dump(&indexes, &["--verify-index-only"]).complaints, Complaints::new());
    let checked = dump(&indexes, &["--index-sanity-check"]);
    assert_eq!(checked.complaints, Complaints::new());
    let passed = checked.printed.lines().filter(|line| line.ends_with(" passed sanity check.")).count();
    let empty = checked.printed.lines().filter(|line| line.ends_with(" is empty.")).count();
    assert_eq!(passed + empty, indexes.len());
}

/// Runs the tool over everything in a directory that was closed.
fn check_all(dir: &Path) {
    let store = open(dir);
    let described: Vec<_> = scenario::partitions().into_iter().map(|at| (store.describe(&at, &[]), at)).collect();
    store.close();
    for (description, at) in &described {
        if !description.batches.is_empty() {
            check(&dir.join(at.to_string()), description);
        }
    }
    let segments =
        |topic: &str| described.iter().find(|(_, at)| *at == partition(topic)).map(|(d, _)| d.segments.len());
    assert!(segments(EVENTS) > Some(10) && segments(LOG_APPEND_TIME) > Some(10), "there are many segments");
}

#[test]
fn kafka_finds_no_fault_with_what_was_closed() {
    let dir = TempDir::new().expect("a temporary directory");
    let store = open(dir.path());
    scenario::play(&store);
    store.close();
    check_all(dir.path());
}

#[test]
fn kafka_finds_no_fault_with_what_was_recovered() {
    let dir = TempDir::new().expect("a temporary directory");
    let store = open(dir.path());
    scenario::play(&store);
    let copy = files::copy_of(dir.path());
    store.close();
    let recovered = open(copy.path());
    assert!(!recovered.store.recovery_report().clean_shutdown);
    scenario::append_round(&recovered, 5);
    recovered.close();
    check_all(copy.path());
}

#[test]
fn kafka_reads_the_offsets_that_groups_committed() {
    let dir = TempDir::new().expect("a temporary directory");
    let store = open(dir.path());
    scenario::play(&store);
    let at = partition(CONSUMER_OFFSETS);
    let description = store.describe(&at, &[]);
    let committed = |group: &str| store.store.committed_offsets(group).unwrap();
    let mut expected = Vec::new();
    for group in store.store.groups().unwrap() {
        for (of, offset) in committed(&group) {
            expected.push((
                group.clone(),
                of.topic.to_string(),
                offset.offset,
                offset.metadata,
                offset.commit_timestamp,
            ));
        }
    }
    store.close();

    let logs = logs(&dir.path().join(at.to_string()), &description);
    let paths: Vec<&Path> = logs.iter().map(|(path, _)| &**path).collect();
    let dumped = dump(&paths, &["--offsets-decoder"]);
    assert_eq!(dumped.complaints, complaints_about(&logs));
    // Of each group and partition the last one counts.
    let mut found: Vec<(String, String, i64, String, i64)> = Vec::new();
    let mut lines = 0;
    for line in dumped.printed.lines().filter(|line| line.starts_with("| ")) {
        let (_, decoded) = line.split_once(" key: ").expect("a record has a key");
        let (key, payload) = decoded.split_once(" payload: ").expect("a record has a value");
        let (key, payload): (Value, Value) =
            (serde_json::from_str(key).expect("JSON"), serde_json::from_str(payload).expect("JSON"));
        let (key, payload) = (&key["data"], &payload["data"]);
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let number = |value: &Value| value.as_i64().expect("a number");
        let (group, topic) = (text(&key["group"]), text(&key["topic"]));
        found.retain(|(g, t, ..)| (g, t) != (&group, &topic));
        let metadata = text(&payload["metadata"]);
        found.push((group, topic, number(&payload["offset"]), metadata, number(&payload["commitTimestamp"])));
        lines += 1;
    }
    found.sort();
    assert_eq!(lines, description.records().count(), "every record was decoded");
    assert_eq!(found, expected);
}

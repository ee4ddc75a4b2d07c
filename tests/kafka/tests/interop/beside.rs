//! What esker does with a directory without writing to it, or beside somebody who does.

use std::path::Path;

use esker::{Store, TopicPartition};
use esker_kafka_tests::engine::{CONSUMER_OFFSETS, Engine, partition};
use esker_kafka_tests::ours::Esker;
use esker_kafka_tests::scenario::{self, EVENTS, LOG_APPEND_TIME, START_MS};
use esker_kafka_tests::theirs::Kafka;
use tempfile::TempDir;

fn kafka(dir: &Path) -> Kafka {
    Kafka::open(dir, START_MS, &scenario::topics())
}

fn assert_same(one: &impl Engine, other: &impl Engine, partitions: &[TopicPartition]) {
    for at in partitions {
        let timestamps = one.describe(at, &[]).interesting_timestamps();
        assert_eq!(one.describe(at, &timestamps).difference(&other.describe(at, &timestamps)), None, "{at}");
    }
}

#[test]
fn esker_follows_what_kafka_appends() {
    let dir = TempDir::new().expect("a temporary directory");
    let theirs = kafka(dir.path());
    scenario::play(&theirs);
    let partitions = [EVENTS, LOG_APPEND_TIME, CONSUMER_OFFSETS].map(partition);
    let ours = Esker::open_read_only(dir.path(), START_MS, &scenario::topics());
    assert_same(&ours, &theirs, &partitions);
    for round in 5..7 {
        scenario::append_round(&theirs, round);
        ours.store.refresh().expect("there is news");
        assert_same(&ours, &theirs, &partitions);
    }
    let at = partition(EVENTS);
    let committed = ours.store.committed_offset("billing", &at).unwrap().expect("the group has committed");
    assert!(committed.offset > 0 && committed.offset < ours.log(&at).log_end());
    ours.close();
    theirs.close();
}

#[test]
fn esker_finds_nothing_wrong_with_what_kafka_closed() {
    let dir = TempDir::new().expect("a temporary directory");
    let theirs = kafka(dir.path());
    scenario::play(&theirs);
    theirs.close();
    let report = Store::options().verify(dir.path(), |_| {}).expect("the directory can be read");
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert!(report.bytes > 20_000, "there is something to look at");
}

#[test]
fn kafka_opens_a_snapshot_of_a_store_in_use() {
    let (dir, snapshot) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    let ours = Esker::open(dir.path(), START_MS, &scenario::topics());
    scenario::play(&ours);
    ours.store.snapshot(snapshot.path()).expect("there is room for it");
    let theirs = kafka(snapshot.path());
    assert!(theirs.found.was_clean);
    assert_eq!(theirs.complaints(), Vec::<String>::new());
    assert_same(&theirs, &ours, &scenario::partitions());
    theirs.close();
    ours.close();
}

//! Kafka's `DumpLogSegments` over the `__transaction_state` that esker writes: its decoder must print what the store
//! knows, and find no fault.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use esker::record::TransactionResult;
use esker::{ProducerIdAndEpoch, TopicPartition, TransactionDescription, TransactionFilter, TransactionState};
use esker_kafka_tests::dump::{complaints_about, dump, logs};
use esker_kafka_tests::engine::{Engine, partition};
use esker_kafka_tests::ours::Esker;
use esker_kafka_tests::scenario::{self, START_MS};
use serde_json::Value;
use tempfile::TempDir;

use crate::dumps;

const TRANSACTION_STATE: &str = "__transaction_state";
const TIMEOUT: Duration = Duration::from_secs(60);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn open(dir: &Path) -> Esker {
    Esker::open(dir, START_MS, &scenario::topics())
}

/// A transaction in `topics`, which stays open.
fn begin(store: &Esker, id: &str, topics: &[String]) -> ProducerIdAndEpoch {
    let producer = store.store.init_transactional_id(id, TIMEOUT).expect("the id can be had");
    let partitions = topics.iter().map(|topic| TopicPartition::new(topic.as_str(), 0));
    store.store.add_partitions_to_transaction(id, producer, partitions).expect("the partitions exist");
    producer
}

/// An id in each state that stays, and one that has expired.
fn play(store: &Esker) {
    let topics: Vec<String> = scenario::topics().into_keys().take(3).collect();
    topics.iter().for_each(|topic| store.create_topic(topic));
    begin(store, "expired", &topics[..1]);
    store.store.init_transactional_id("expired", TIMEOUT).expect("the id can be had");
    store.set_time(START_MS + 8 * DAY_MS);
    for round in 0..3 {
        for (id, result) in [("committed", TransactionResult::Commit), ("aborted", TransactionResult::Abort)] {
            let producer = begin(store, id, &topics[..1 + round % 3]);
            store.store.end_transaction(id, producer, result).expect("it is open");
        }
    }
    store.store.init_transactional_id("empty", TIMEOUT).expect("the id can be had");
    begin(store, "open-日本", &topics);
    let producer = begin(store, "offsets", &[]);
    store.store.add_offsets_to_transaction("offsets", producer, "group").expect("it is the producer");
    store.maintain();
}

/// What Kafka prints of each id last, and of how many records.
fn decoded(dir: &Path, description: &esker_kafka_tests::description::Description) -> (BTreeMap<String, Value>, usize) {
    let logs = logs(dir, description);
    let paths: Vec<&Path> = logs.iter().map(|(path, _)| &**path).collect();
    let dumped = dump(&paths, &["--transaction-log-decoder"]);
    assert_eq!(dumped.complaints, complaints_about(&logs));
    let (mut last, mut lines) = (BTreeMap::new(), 0);
    for line in dumped.printed.lines().filter(|line| line.starts_with("| ")) {
        let (_, decoded) = line.split_once(" key: ").expect("a record has a key");
        let (key, payload) = decoded.split_once(" payload: ").expect("a record has a value");
        let key: Value = serde_json::from_str(key).expect("JSON");
        let id = key["data"]["transactionalId"].as_str().expect("a string").to_owned();
        match payload {
            "<DELETE>" => drop(last.remove(&id)),
            payload => drop(last.insert(id, serde_json::from_str::<Value>(payload).expect("JSON")["data"].clone())),
        }
        lines += 1;
    }
    (last, lines)
}

fn check_value(value: &Value, known: &TransactionDescription) {
    let number = |key: &str| value[key].as_i64().unwrap_or_else(|| panic!("{key} of {value}"));
    assert_eq!(number("producerId"), known.producer.producer_id);
    assert_eq!(number("producerEpoch"), i64::from(known.producer.producer_epoch));
    assert_eq!(number("transactionTimeoutMs"), known.timeout.as_millis() as i64);
    assert_eq!(number("transactionStatus"), i64::from(known.state.id()));
    assert_eq!(number("transactionLastUpdateTimestampMs"), known.last_update_timestamp);
    assert_eq!(number("transactionStartTimestampMs"), known.start_timestamp.unwrap_or(-1));
    let topics = value["transactionPartitions"].as_array();
    assert_eq!(topics.is_none(), known.state == TransactionState::Empty, "null if, and only if, there is none");
    let mut partitions = Vec::new();
    for topic in topics.into_iter().flatten() {
        for index in topic["partitionIds"].as_array().expect("a list") {
            let name = topic["topic"].as_str().expect("a string");
            partitions.push(TopicPartition::new(name, index.as_i64().expect("a number") as i32));
        }
    }
    assert_eq!(partitions, known.partitions);
}

#[test]
fn kafka_reads_the_state_of_transactions() {
    let dir = TempDir::new().expect("a temporary directory");
    let store = open(dir.path());
    play(&store);
    for compacted in [false, true] {
        if compacted {
            store.store.compact(TRANSACTION_STATE).expect("it can be compacted");
        }
        let at = partition(TRANSACTION_STATE);
        let description = store.describe(&at, &[]);
        let known = store.store.transactions(&TransactionFilter::new()).expect("they are known");
        let copy = esker_kafka_tests::files::copy_of(dir.path());
        // The copy's files have their true lengths after that.
        let copied = open(copy.path());
        copied.close();
        let of_partition = copy.path().join(at.to_string());
        dumps::check(&of_partition, &description);
        let (last, lines) = decoded(&of_partition, &description);
        assert_eq!(lines, description.records().count(), "every record was decoded");
        let ids: Vec<&str> = known.iter().map(|known| &*known.transactional_id).collect();
        assert_eq!(last.keys().collect::<Vec<_>>(), ids);
        assert_eq!(ids, ["aborted", "committed", "empty", "offsets", "open-日本"]);
        known.iter().for_each(|known| check_value(&last[&known.transactional_id], known));
    }
    store.close();
}

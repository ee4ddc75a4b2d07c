//! Records that a stranger appended to the topics that a store keeps for itself. Whatever they say, the store opens
//! with what the others add up to, and goes on.

use std::path::Path;
use std::time::Duration;

use esker::io::MemoryStorage;
use esker::record::{BatchBuilder, RecordData, TransactionResult};
use esker::{Acks, CommittedOffset, Log, ReadLimits, Store, TopicPartition, TransactionFilter};

use crate::directory::{TOPIC, open, sound, write};

pub(crate) const CONSUMER_OFFSETS: &str = "__consumer_offsets";
pub(crate) const TRANSACTION_STATE: &str = "__transaction_state";

/// A key and a value.
pub type Record<'a> = (&'a [u8], Option<&'a [u8]>);

/// Cuts bytes into records: the length of a key and of a value, the key, the value, and so on. A value of length 255 is
/// null.
pub fn records(data: &[u8]) -> Vec<Record<'_>> {
    let (mut rest, mut records) = (data, Vec::new());
    while let [key_len, value_len, bytes @ ..] = rest {
        let (key, bytes) = bytes.split_at(bytes.len().min(usize::from(*key_len)));
        let is_null = *value_len == 255;
        let (value, bytes) = bytes.split_at(bytes.len().min(if is_null { 0 } else { usize::from(*value_len) }));
        records.push((key, (!is_null).then_some(value)));
        rest = bytes;
    }
    records
}

/// The records of the topic in a sound directory, as [`records`] takes them.
pub fn sound_records(topic: &str) -> Vec<Vec<u8>> {
    let store = open(&sound_storage()).expect("a sound directory");
    let fetched = log_of(&store, topic).read(0, ReadLimits::new()).expect("a sound log");
    let mut found = Vec::new();
    for batch in fetched.batches() {
        for record in &batch.expect("a sound batch").records().expect("sound records") {
            let record = record.expect("a sound record");
            let (key, value) = (record.key.unwrap_or_default(), record.value);
            let lens = [key.len() as u8, value.map_or(255, |value| value.len() as u8)];
            found.push([&lens, key, value.unwrap_or_default()].concat());
        }
    }
    found
}

fn sound_storage() -> MemoryStorage {
    write(sound(true), Path::new("data/unknown"), &[])
}

fn log_of(store: &Store, topic: &str) -> Log {
    store.partition(topic, 0).expect("a sound directory has it")
}

/// Opens a store, which replays these records of the topic, after those that were there.
fn replay(topic: &str, records: &[Record<'_>]) -> Store {
    let storage = sound_storage();
    let store = open(&storage).expect("a sound directory");
    let log = log_of(&store, topic);
    for (key, value) in records {
        let mut builder = BatchBuilder::new(256);
        if builder.push(&RecordData::new(Some(key), *value).at(1)).is_ok() {
            let _ = builder.build().and_then(|batch| log.append(batch, Acks::All));
        }
    }
    store.close().expect("memory");
    drop((log, store));
    open(&storage).expect("records that can't be understood are passed over")
}

/// Replays records of `__consumer_offsets`.
pub fn try_offset_records(records: &[Record<'_>]) {
    let store = replay(CONSUMER_OFFSETS, records);
    for group in store.groups().expect("memory") {
        for (partition, committed) in store.committed_offsets(&group).expect("memory") {
            assert_eq!(store.committed_offset(&group, &partition).expect("memory"), Some(committed));
        }
    }
    let at = TopicPartition::new(TOPIC, 1);
    store.commit_offsets("group", [(at.clone(), CommittedOffset::new(8))], Acks::All).expect("commits go on");
    let committed = store.committed_offset("group", &at).expect("memory");
    assert_eq!(committed.map(|committed| committed.offset), Some(8));
}

/// Replays records of `__transaction_state`.
pub fn try_transaction_records(records: &[Record<'_>]) {
    let store = replay(TRANSACTION_STATE, records);
    for listed in store.transactions(&TransactionFilter::new()).expect("memory") {
        let id = &listed.transactional_id;
        let described = store.describe_transaction(id).expect("it is listed");
        assert_eq!((&described.transactional_id, described.producer), (id, listed.producer));
        // What was decided before has to be told first, to partitions that may not exist.
        if let Ok(producer) = store.init_transactional_id(id, Duration::from_secs(60)) {
            assert!(producer.producer_id >= 0 && producer.producer_epoch >= 0 && producer != listed.producer);
        }
    }
    store.tick().expect("memory");
    // Longer than any id among these records.
    let id = "i".repeat(300);
    let producer = store.init_transactional_id(&id, Duration::from_secs(60)).expect("new ids go on");
    store.add_partitions_to_transaction(&id, producer, [TopicPartition::new(TOPIC, 0)]).expect("it exists");
    store.end_transaction(&id, producer, TransactionResult::Commit).expect("there is room");
    assert_eq!(store.describe_transaction(&id).expect("it is known").producer.producer_id, producer.producer_id);
}

//! A sound data directory in memory with one file that a stranger wrote.
//!
//! Whatever that file holds: opening the store ends, with a store or with an error that leaves the logs alone; and of
//! a store, everything can be read that could be read before unless the file says itself that it is gone, the log
//! takes appends, and another open finds it all again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use esker::clock::Clock;
use esker::io::{MemoryStorage, Storage};
use esker::record::{BatchBuilder, EndTransactionMarker, RecordData, TransactionResult};
use esker::{
    Acks, CommittedOffset, IsolationLevel, Log, Maintenance, Offset, ProducerIdAndEpoch, ReadLimits, Store,
    StoreConfig, TopicConfig, TopicPartition,
};

use crate::internal_topics::{CONSUMER_OFFSETS, TRANSACTION_STATE};

pub(crate) const DIR: &str = "data";
pub(crate) const TOPIC: &str = "payments";
/// A topic with transactions. What is decided in it the files beside its log say.
const TRANSACTIONS: &str = "transfers";
/// All that there are, the store's own among them.
const TOPICS: [&str; 4] = [TOPIC, TRANSACTIONS, CONSUMER_OFFSETS, TRANSACTION_STATE];
const PARTITIONS: i32 = 2;
const RECORDS: u8 = 12;

/// The time never passes, so that a directory is the same in every run.
#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000
    }
}

/// The files of a data directory by their paths.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A directory as a store leaves it: closed, or as the process died. Always the same.
pub fn sound(closed: bool) -> &'static Files {
    static CLOSED: OnceLock<Files> = OnceLock::new();
    static CRASHED: OnceLock<Files> = OnceLock::new();
    if closed { &CLOSED } else { &CRASHED }.get_or_init(|| make(closed))
}

fn make(closed: bool) -> Files {
    let storage = MemoryStorage::new();
    let store = open(&storage).expect("a new directory");
    let mut config = TopicConfig::new().partitions(PARTITIONS);
    // Several segments, an index entry for most batches.
    for (key, value) in [("internal.segment.bytes", "300"), ("index.interval.bytes", "0")] {
        config.set(key, value).expect("a config of Kafka's");
    }
    store.create_topic(TOPIC, config).expect("a new topic");
    for partition in 0..PARTITIONS {
        let log = store.partition(TOPIC, partition).expect("it was created");
        for value in 0..RECORDS {
            append(&log, value).expect("there is room");
        }
        store
            .commit_offsets("group", [(TopicPartition::new(TOPIC, partition), CommittedOffset::new(3))], Acks::All)
            .expect("there is room");
    }
    let mut config = TopicConfig::new();
    config.set("internal.segment.bytes", "400").expect("a config of Kafka's");
    store.create_topic(TRANSACTIONS, config).expect("a new topic");
    let log = store.partition(TRANSACTIONS, 0).expect("it was created");
    for round in 0..6 {
        transact(&log, i64::from(round % 3), i32::from(round / 3)).expect("there is room");
    }
    for (id, ends) in [("refunds", true), ("fees", false)] {
        let producer = store.init_transactional_id(id, Duration::from_secs(60)).expect("there is room");
        store.add_partitions_to_transaction(id, producer, [TopicPartition::new(TOPIC, 0)]).expect("it exists");
        if ends {
            store.end_transaction(id, producer, TransactionResult::Commit).expect("there is room");
        }
    }
    // Ids that are drawn by chance are made the same in every run.
    let drawn = TOPICS.map(|topic| store.describe_topic(topic).expect("it was created").id.to_string());
    if closed {
        store.close().expect("memory");
    }
    let mut files = Files::new();
    collect(&storage, Path::new(DIR), &mut files);
    for (path, contents) in &mut files {
        match path.file_name().and_then(|name| name.to_str()) {
            Some("partition.metadata" | "topic-config-checkpoint") => {
                let mut text = String::from_utf8_lossy(contents).into_owned();
                for (drawn, last) in drawn.iter().zip(["A", "Q", "g", "w"]) {
                    text = text.replace(drawn, &format!("uBQK8vk2TNqP8cnXqyBPO{last}"));
                }
                *contents = text.into_bytes();
            }
            Some("meta.properties") => {
                let fixed =
                    "version=1\ncluster.id=4L6g3nShT-eMCtK--X86sw\nnode.id=1\ndirectory.id=g2Rl9RRRSE-Pm6J1tv4DYw\n";
                *contents = fixed.into();
            }
            _ => {}
        }
    }
    files
}

fn collect(storage: &MemoryStorage, dir: &Path, files: &mut Files) {
    for entry in storage.list(dir).expect("a directory") {
        let path = dir.join(entry.name);
        if entry.is_dir {
            collect(storage, &path, files);
        } else {
            files.insert(path.clone(), storage.read(&path).expect("it was listed"));
        }
    }
}

pub(crate) fn open(storage: &MemoryStorage) -> esker::Result<Store> {
    let config = StoreConfig {
        num_recovery_threads_per_data_dir: 1,
        offsets_topic_num_partitions: 1,
        transaction_state_log_num_partitions: 1,
        ..StoreConfig::default()
    };
    let options = Store::options().storage(Arc::new(storage.clone())).clock(Arc::new(StoppedClock));
    options.config(config).maintenance(Maintenance::Manual).open(DIR)
}

fn append(log: &Log, value: u8) -> esker::Result<Offset> {
    let mut builder = BatchBuilder::new(256);
    builder.push(&RecordData::new(Some(b"key"), Some(&[value])).at(i64::from(value)))?;
    Ok(log.append(builder.build()?, Acks::All)?.base_offset)
}

/// A transaction that is aborted, or committed, or left open.
fn transact(log: &Log, producer_id: i64, sequence: i32) -> esker::Result<()> {
    let mut builder = BatchBuilder::new(256).producer(producer_id, 0, sequence).transactional(true);
    builder.push(&RecordData::new(Some(b"key"), Some(b"value")).at(1))?;
    log.append(builder.build()?, Acks::All)?;
    let result = match producer_id {
        0 => TransactionResult::Abort,
        1 => TransactionResult::Commit,
        _ => return Ok(()),
    };
    let marker = EndTransactionMarker { result, coordinator_epoch: 0 };
    log.append_end_transaction_marker(ProducerIdAndEpoch::new(producer_id, 0), marker, Acks::All)?;
    Ok(())
}

/// Reads what is decided, and goes on with every producer that the log says it has.
fn use_transactions(store: &Store) {
    let Ok(log) = store.partition(TRANSACTIONS, 0) else { return };
    let (start, stable, end) = (log.log_start(), log.last_stable_offset(), log.log_end());
    assert!(start <= stable && stable <= end, "{start} {stable} {end}");
    let mut offset = start;
    while offset < stable {
        let limits = ReadLimits::new().isolation_level(IsolationLevel::ReadCommitted);
        let Ok(fetched) = log.read(offset, limits) else { break };
        assert!(fetched.next_offset() > offset && fetched.next_offset() <= end, "a read gets on");
        offset = fetched.next_offset();
    }
    for known in log.active_producers().into_iter().take(4) {
        let _ = transact(&log, known.producer_id, known.last_sequence.map_or(0, |last| last.wrapping_add(1).max(0)));
        let marker = EndTransactionMarker { result: TransactionResult::Abort, coordinator_epoch: 0 };
        let producer = ProducerIdAndEpoch::new(known.producer_id, known.producer_epoch);
        let _ = log.append_end_transaction_marker(producer, marker, Acks::All);
    }
}

/// A producer snapshot with the CRC that it should have.
pub fn with_sound_snapshot_crc(mut snapshot: Vec<u8>) -> Vec<u8> {
    if snapshot.len() >= 6 {
        let crc = crc32c::crc32c(&snapshot[6..]);
        snapshot[2..6].copy_from_slice(&crc.to_be_bytes());
    }
    snapshot
}

/// A sound directory whose file at `path` holds `contents`.
pub(crate) fn write(files: &Files, path: &Path, contents: &[u8]) -> MemoryStorage {
    let storage = MemoryStorage::new();
    let replaced = files.iter().filter(|(sound, _)| *sound != path);
    for (path, contents) in replaced.map(|(path, contents)| (&**path, &**contents)).chain([(path, contents)]) {
        storage.create_dir_all(path.parent().expect("it is in the directory")).expect("memory");
        let mut file = storage.open_append(path, 0, contents.len() as u64).expect("memory");
        file.append(&[contents]).expect("memory");
    }
    storage
}

/// What can be read of the topic's partitions: the value of each record by partition and offset.
fn read_all(store: &Store) -> BTreeMap<(i32, Offset), Vec<u8>> {
    let mut found = BTreeMap::new();
    for partition in 0..PARTITIONS {
        let Ok(log) = store.partition(TOPIC, partition) else { continue };
        let mut offset = log.log_start();
        let end = log.log_end();
        while offset < end {
            let Ok(fetched) = log.read(offset, ReadLimits::new().max_bytes(200)) else {
                offset += 1;
                // A damaged range may be as long as a segment can say.
                if offset > log.log_start() + 1_000 {
                    break;
                }
                continue;
            };
            for batch in fetched.batches().flatten() {
                for record in batch.records().iter().flat_map(|records| records.iter()).flatten() {
                    found.insert((partition, record.offset), record.value.unwrap_or_default().to_vec());
                }
            }
            assert!(fetched.next_offset() > offset, "a read gets on");
            offset = fetched.next_offset();
        }
        for timestamp in [-1, 0, 5, i64::MAX] {
            let _ = log.offset_for_timestamp(timestamp);
        }
    }
    found
}

/// Whether what a file holds can make records unreadable, by what it says.
fn may_take_records(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    // The log itself, where it begins, and which topics are being deleted.
    let derived = [".index", ".timeindex", ".txnindex", ".snapshot"].iter().any(|suffix| name.ends_with(suffix));
    let text = ["leader-epoch-checkpoint", "recovery-point-offset-checkpoint", "replication-offset-checkpoint"];
    !(derived || text.contains(&name) || name == "meta.properties")
}

/// Opens a directory in which the file at `path` holds `contents`, and uses the store.
pub fn try_file(closed: bool, path: &Path, contents: &[u8]) {
    let files = sound(closed);
    let storage = write(files, path, contents);
    let Ok(store) = open(&storage) else {
        for (other, contents) in files.iter().filter(|(other, _)| *other != path) {
            if other.extension().is_some_and(|extension| extension == "log") {
                assert_eq!(&storage.read(other).expect("it is still there"), contents, "a refused open changes no log");
            }
        }
        return;
    };
    let readable = read_all(&store);
    if !may_take_records(path) {
        let expected = (0..PARTITIONS).flat_map(|partition| (0..RECORDS).map(move |value| (partition, value)));
        for (partition, value) in expected {
            let found = readable.get(&(partition, i64::from(value)));
            assert_eq!(found, Some(&vec![value]), "record {value} of partition {partition} with {path:?}");
        }
    }
    use_transactions(&store);
    let mut expected = readable;
    for partition in 0..PARTITIONS {
        let appended = store.partition(TOPIC, partition).and_then(|log| append(&log, 99));
        if let Ok(offset) = appended {
            expected.insert((partition, offset), vec![99]);
        }
    }
    let _ = store.committed_offsets("group");
    let at = TopicPartition::new(TOPIC, 0);
    let committed = store.commit_offsets("group", [(at.clone(), CommittedOffset::new(7))], Acks::All).is_ok();
    if store.close().is_err() {
        return;
    }
    drop(store);
    let store = open(&storage).expect("what was closed can be opened");
    assert_eq!(read_all(&store), expected, "another open finds it all again");
    if committed {
        assert_eq!(
            store.committed_offset("group", &at).expect("it can be read").map(|committed| committed.offset),
            Some(7)
        );
    }
}

/// Gives every batch whose length fits the CRC that it should have.
pub fn with_sound_crcs(mut log: Vec<u8>) -> Vec<u8> {
    let mut start = 0;
    while log.len() - start >= 61 {
        let batch = &mut log[start..];
        let length = i32::from_be_bytes([batch[8], batch[9], batch[10], batch[11]]);
        let Ok(size) = usize::try_from(i64::from(length) + 12) else { break };
        if size < 61 || size > batch.len() {
            break;
        }
        let crc = crc32c::crc32c(&batch[21..size]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        start += size;
    }
    log
}

/// The path of the file that `index` picks among those that are `wanted`.
pub fn pick(closed: bool, index: u8, wanted: impl Fn(&str) -> bool) -> PathBuf {
    let files: Vec<_> = sound(closed).keys().filter(|path| wanted(&path.to_string_lossy())).collect();
    files[usize::from(index) % files.len()].clone()
}

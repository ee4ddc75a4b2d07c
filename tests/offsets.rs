//! What the records of `__consumer_offsets` add up to, at an open and while they come in: Kafka's, those of
//! transactions, and those that nobody understands.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::{FOREVER, TestClock, append, manual};
use esker::io::MemoryStorage;
use esker::record::{BatchBuilder, EndTransactionMarker, RecordData, TransactionResult};
use esker::{
    Acks, AutoOffsetReset, CommittedOffset, ConsumerConfig, Error, IsolationLevel, Log, ProducerIdAndEpoch, Store,
    StoreConfig, StoreOptions, TopicConfig,
};
use tempfile::TempDir;

/// The partition of `__consumer_offsets` that has the commits of the group `g`: its letter is 103, of 50.
const LOG_DIR: &str = "__consumer_offsets-3";

/// A directory with the topic `t`, where the group `g` has committed offset 1 of partition 0. What Kafka might have
/// appended after that is written straight into the log.
struct Directory {
    dir: TempDir,
    next_offset: i64,
}

impl Directory {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = manual().0.open(dir.path()).unwrap();
        store.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
        store.commit_offsets("g", [(("t", 0).into(), CommittedOffset::new(1))], Acks::Leader).unwrap();
        store.close().unwrap();
        Self { dir, next_offset: 1 }
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join(LOG_DIR).join("00000000000000000000.log")
    }

    /// Appends a batch with `count` records.
    fn append(&mut self, batch: &[u8], count: i64) {
        let stamped = [&self.next_offset.to_be_bytes()[..], &batch[8..]].concat();
        fs::write(self.log(), [fs::read(self.log()).unwrap(), stamped].concat()).unwrap();
        self.next_offset += count;
    }

    fn append_records(&mut self, mut builder: BatchBuilder, records: &[KeyAndValue<'_>]) {
        for (key, value) in records {
            builder.push(&RecordData::new(*key, *value)).unwrap();
        }
        self.append(builder.build().unwrap().bytes(), records.len() as i64);
    }

    fn commit(&mut self, partition: i32, offset: i64) {
        let (key, value) = commit_record(partition, offset);
        self.append_records(BatchBuilder::new(1000), &[(Some(&key), Some(&value))]);
    }

    fn commit_in_transaction(&mut self, producer: i64, partition: i32, offset: i64) {
        let (key, value) = commit_record(partition, offset);
        let builder = BatchBuilder::new(1000).producer(producer, 0, 0).transactional(true);
        self.append_records(builder, &[(Some(&key), Some(&value))]);
    }

    fn end_transaction(&mut self, producer: i64, result: TransactionResult) {
        let marker = EndTransactionMarker { result, coordinator_epoch: 0 };
        self.append(marker.to_batch(0, ProducerIdAndEpoch::new(producer, 0)).unwrap().bytes(), 1);
    }

    /// Opens it as after a crash, since the log is not as it was closed.
    fn open(&self) -> Store {
        fs::remove_file(self.dir.path().join(".kafka_cleanshutdown")).unwrap();
        let store = manual().0.open(self.dir.path()).unwrap();
        assert_eq!(store.partition("__consumer_offsets", 3).unwrap().log_end(), self.next_offset);
        store
    }
}

type KeyAndValue<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// The key and value of a commit of the group `g`, as Kafka writes them.
fn commit_record(partition: i32, offset: i64) -> (Vec<u8>, Vec<u8>) {
    let key = [&[0, 1, 0, 1, b'g', 0, 1, b't'][..], &partition.to_be_bytes()].concat();
    let value = [&[0, 3][..], &offset.to_be_bytes(), &(-1_i32).to_be_bytes(), &[0, 0], &0_i64.to_be_bytes()].concat();
    (key, value)
}

/// What the group has committed for each partition of `t`.
fn committed(store: &Store) -> [Option<i64>; 3] {
    [0, 1, 2].map(|partition| store.committed_offset("g", ("t", partition)).unwrap().map(|found| found.offset))
}

#[test]
fn commits_that_nobody_understands_are_reported_and_the_others_count() {
    let (key, value) = commit_record(0, 9);
    let (next_key, next_value) = commit_record(1, 7);
    let version_9 = [&[0, 9][..], &value[2..]].concat();
    for bad in [
        (None, Some(&value[..])),
        (Some(&[][..]), Some(&value[..])),
        (Some(&key[..]), Some(&version_9[..])),
        (Some(&key[..]), Some(&value[..value.len() - 1])),
        (Some(&key[..key.len() - 1]), None),
    ] {
        let mut directory = Directory::new();
        directory.append_records(BatchBuilder::new(1000), &[bad, (Some(&next_key), Some(&next_value))]);
        let store = directory.open();
        assert_eq!(committed(&store), [Some(1), Some(7), None], "{bad:?}");
        let report = store.recovery_report();
        let damage: Vec<_> = report.partitions.iter().flat_map(|partition| &partition.damage).collect();
        let [damage] = &damage[..] else { panic!("{damage:?}") };
        match &damage.error {
            Error::InvalidRecord { reason } => {
                assert!(reason.ends_with(&format!(", at offset 1 of {LOG_DIR}")), "{reason}");
            }
            other => panic!("{other:?}"),
        }
        assert!(!report.is_healthy());
    }
}

#[test]
fn commits_that_cannot_be_decompressed_do_not_keep_a_store_from_opening() {
    let (key, value) = commit_record(0, 9);
    let mut builder = BatchBuilder::new(1000);
    builder.push(&RecordData::new(Some(&key), Some(&value))).unwrap();
    let mut batch = builder.build().unwrap().bytes().to_vec();
    // The codec zstd, without a stream of it: not built in, or not decodable, as the build is.
    batch[22] = 4;
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    let mut directory = Directory::new();
    directory.append(&batch, 1);
    directory.commit(1, 7);
    let store = directory.open();
    assert_eq!(committed(&store), [Some(1), Some(7), None]);
    assert!(!store.recovery_report().is_healthy());
}

#[test]
fn commits_of_a_transaction_count_once_it_is_committed() {
    let mut directory = Directory::new();
    directory.commit_in_transaction(1, 0, 100);
    directory.commit_in_transaction(2, 1, 200);
    directory.commit_in_transaction(3, 2, 300);
    directory.end_transaction(1, TransactionResult::Commit);
    directory.end_transaction(2, TransactionResult::Abort);
    let store = directory.open();
    assert_eq!(committed(&store), [Some(100), None, None]);
    assert!(store.recovery_report().is_healthy());
}

#[test]
fn the_last_commit_counts_whenever_its_transaction_ends() {
    let mut directory = Directory::new();
    directory.commit_in_transaction(1, 0, 100);
    directory.commit_in_transaction(1, 1, 100);
    directory.commit(0, 50);
    directory.commit_in_transaction(2, 1, 60);
    directory.end_transaction(2, TransactionResult::Commit);
    directory.end_transaction(1, TransactionResult::Commit);
    assert_eq!(committed(&directory.open()), [Some(50), Some(60), None]);
}

/// A store that is open, with the topic `t`, and the one partition of its `__consumer_offsets`, where the group `g` has
/// committed offset 1 of partition 0.
struct Live {
    options: StoreOptions,
    clock: TestClock,
    store: Store,
    log: Log,
    copies: Cell<u32>,
}

impl Live {
    fn new() -> Self {
        let (options, clock) = manual();
        let config =
            StoreConfig { offsets_topic_num_partitions: 1, offsets_retention_minutes: 10, ..StoreConfig::default() };
        let options = options.config(config).storage(Arc::new(MemoryStorage::new()));
        let store = options.clone().open("data").unwrap();
        store.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
        store.commit_offsets("g", [(("t", 0).into(), CommittedOffset::new(1))], Acks::Leader).unwrap();
        let log = store.partition("__consumer_offsets", 0).unwrap();
        Self { options, clock, store, log, copies: Cell::new(0) }
    }

    fn commit(&self, partition: i32, offset: i64) {
        let commit = (("t", partition).into(), CommittedOffset::new(offset));
        self.store.commit_offsets("g", [commit], Acks::Leader).unwrap();
    }

    /// Commits within the transaction of a producer that has written nothing before.
    fn commit_in_transaction(&self, producer: i64, partition: i32, offset: i64) {
        let (key, value) = commit_record(partition, offset);
        let mut builder = BatchBuilder::new(1000).producer(producer, 0, 0).transactional(true);
        builder.push(&RecordData::new(Some(&key), Some(&value))).unwrap();
        self.log.append(builder.build().unwrap(), Acks::Leader).unwrap();
    }

    fn end_transaction(&self, producer: i64, result: TransactionResult) {
        let marker = EndTransactionMarker { result, coordinator_epoch: 0 };
        self.log.append_end_transaction_marker(ProducerIdAndEpoch::new(producer, 0), marker, Acks::Leader).unwrap();
    }

    /// What the group has committed for each partition of `t`, and which of these may change without another commit:
    /// here, for whoever follows from another process, and after the next open.
    fn see(&self) -> ([Option<i64>; 3], [bool; 3]) {
        let seen = see(&self.store);
        assert_eq!(see(&self.options.clone().open_read_only("data").unwrap()), seen, "from another process");
        let copy = format!("copy {}", self.copies.replace(self.copies.get() + 1));
        self.store.snapshot(&copy).unwrap();
        assert_eq!(see(&self.options.clone().open(&copy).unwrap()), seen, "after another open");
        seen
    }
}

fn see(store: &Store) -> ([Option<i64>; 3], [bool; 3]) {
    let committed = committed(store);
    let is_unstable = [0, 1, 2].map(|partition: i32| match store.stable_committed_offset("g", ("t", partition)) {
        Ok(stable) => {
            assert_eq!(stable.map(|stable| stable.offset), committed[partition as usize]);
            false
        }
        Err(error @ Error::UnstableOffsetCommit { .. }) => {
            assert!(error.is_retriable());
            true
        }
        Err(error) => panic!("{error}"),
    });
    (committed, is_unstable)
}

#[test]
fn what_is_committed_in_a_transaction_counts_from_its_marker_on() {
    let live = Live::new();
    live.commit_in_transaction(1, 0, 100);
    live.commit_in_transaction(2, 1, 200);
    assert_eq!(live.see(), ([Some(1), None, None], [true, true, false]));
    live.end_transaction(1, TransactionResult::Commit);
    assert_eq!(live.see(), ([Some(100), None, None], [false, true, false]));
    live.end_transaction(2, TransactionResult::Abort);
    assert_eq!(live.see(), ([Some(100), None, None], [false; 3]));
}

#[test]
fn of_commits_within_and_outside_of_transactions_the_last_one_counts() {
    let live = Live::new();
    live.commit_in_transaction(1, 0, 100);
    live.commit(0, 50);
    live.commit(1, 60);
    live.commit_in_transaction(1_000, 1, 70);
    live.commit_in_transaction(2, 0, 80);
    assert_eq!(live.see(), ([Some(50), Some(60), None], [true, true, false]));
    live.end_transaction(1, TransactionResult::Commit);
    assert_eq!(live.see(), ([Some(50), Some(60), None], [true, true, false]));
    live.end_transaction(1_000, TransactionResult::Commit);
    live.end_transaction(2, TransactionResult::Commit);
    assert_eq!(live.see(), ([Some(80), Some(70), None], [false; 3]));
}

#[test]
fn deletions_reach_what_is_pending() {
    type Delete = fn(&Store);
    let deletions: [(&str, Delete); 3] = [
        ("offsets", |store| store.delete_offsets("g", [("t", 0), ("t", 1)]).unwrap()),
        ("the group", |store| store.delete_group("g").unwrap()),
        ("the topic", |store| {
            store.delete_topic("t").unwrap();
            store.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
        }),
    ];
    for (what, delete) in deletions {
        let live = Live::new();
        live.commit_in_transaction(1, 0, 100);
        live.commit_in_transaction(1, 1, 200);
        delete(&live.store);
        assert_eq!(live.see(), ([None; 3], [false; 3]), "{what}");
        live.commit(1, 5);
        live.end_transaction(1, TransactionResult::Commit);
        assert_eq!(live.see(), ([None, Some(5), None], [false; 3]), "{what}");
    }
}

#[test]
fn a_group_that_has_only_pending_offsets_can_be_deleted_and_is_no_group_yet() {
    let live = Live::new();
    live.store.delete_group("g").unwrap();
    live.commit_in_transaction(1, 0, 100);
    assert_eq!(live.store.groups().unwrap(), [""; 0]);
    assert!(matches!(live.store.describe_group("g"), Err(Error::GroupIdNotFound { .. })));
    live.store.delete_group("g").unwrap();
    assert!(matches!(live.store.delete_group("g"), Err(Error::GroupIdNotFound { .. })));
    live.end_transaction(1, TransactionResult::Commit);
    assert_eq!(live.see(), ([None; 3], [false; 3]));
}

#[test]
fn offsets_do_not_expire_while_a_transaction_is_about_to_change_them() {
    let live = Live::new();
    live.commit(1, 7);
    live.commit_in_transaction(1, 0, 100);
    live.clock.advance(Duration::from_secs(11 * 60).as_millis() as i64);
    live.store.tick().unwrap();
    assert_eq!(live.see(), ([Some(1), None, None], [true, false, false]));
    live.end_transaction(1, TransactionResult::Abort);
    live.clock.advance(Duration::from_secs(11 * 60).as_millis() as i64);
    live.store.tick().unwrap();
    assert_eq!(live.see(), ([None; 3], [false; 3]));
}

#[test]
fn compaction_keeps_what_counts() {
    let live = Live::new();
    live.commit_in_transaction(1, 0, 100);
    live.commit(0, 50);
    live.end_transaction(1, TransactionResult::Commit);
    live.commit_in_transaction(2, 1, 60);
    live.end_transaction(2, TransactionResult::Commit);
    live.commit_in_transaction(3, 1, 70);
    live.end_transaction(3, TransactionResult::Abort);
    live.commit_in_transaction(4, 2, 80);
    live.store.compact("__consumer_offsets").unwrap();
    assert_eq!(live.see(), ([Some(50), Some(60), None], [false, false, true]));
    live.end_transaction(4, TransactionResult::Commit);
    live.store.compact("__consumer_offsets").unwrap();
    assert_eq!(live.see(), ([Some(50), Some(60), Some(80)], [false; 3]));
    // Those that read along have seen the markers by then.
    for _ in 0..2 {
        live.clock.advance(Duration::from_secs(25 * 3600).as_millis() as i64);
        live.store.compact("__consumer_offsets").unwrap();
        assert_eq!(live.see(), ([Some(50), Some(60), Some(80)], [false; 3]));
    }
}

#[test]
fn a_consumer_that_reads_committed_begins_when_the_offset_of_its_group_is_decided() {
    let live = Live::new();
    append(&live.store.partition("t", 0).unwrap(), 0, &["0", "1", "2", "3"]);
    let consumer = |isolation| {
        let config = ConsumerConfig::from("g").auto_offset_reset(AutoOffsetReset::Earliest).isolation_level(isolation);
        let mut consumer = live.store.consumer(config).unwrap();
        consumer.assign([("t", 0)]).unwrap();
        consumer
    };
    live.commit_in_transaction(1, 0, 3);
    let mut dirty = consumer(IsolationLevel::ReadUncommitted);
    assert_eq!(dirty.poll(Duration::ZERO).unwrap()[0].offset, 1);
    let mut clean = consumer(IsolationLevel::ReadCommitted);
    assert!(clean.poll(Duration::ZERO).unwrap().is_empty());
    assert!(matches!(clean.position(("t", 0)), Err(Error::UnstableOffsetCommit { .. })));
    assert!(matches!(clean.committed(("t", 0)), Err(Error::UnstableOffsetCommit { .. })));
    std::thread::scope(|scope| {
        let polled = scope.spawn(|| clean.poll(FOREVER).unwrap());
        // Whether it waits by then or not, it sees this.
        live.end_transaction(1, TransactionResult::Commit);
        assert_eq!(polled.join().unwrap()[0].offset, 3);
    });
}

#[test]
fn truncated_commits_count_no_longer() {
    let live = Live::new();
    let end = live.log.log_end();
    live.commit(0, 50);
    live.commit_in_transaction(1, 1, 60);
    assert_eq!(live.see(), ([Some(50), None, None], [false, true, false]));
    live.log.truncate_to(end).unwrap();
    live.commit(2, 70);
    live.commit(2, 71);
    live.commit(2, 72);
    assert_eq!(live.see(), ([Some(1), None, Some(72)], [false; 3]));
}

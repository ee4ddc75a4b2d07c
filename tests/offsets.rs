//! What an open makes of the records of `__consumer_offsets`, Kafka's and those that nobody understands.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::fs;
use std::path::PathBuf;

use api::manual;
use esker::record::{BatchBuilder, EndTransactionMarker, RecordData, TransactionResult};
use esker::{Acks, CommittedOffset, Error, Store, TopicConfig};
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
        self.append(marker.to_batch(0, producer, 0).unwrap().bytes(), 1);
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
    [0, 1, 2].map(|partition| store.committed_offset("g", &("t", partition).into()).map(|found| found.offset))
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

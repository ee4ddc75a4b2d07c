//! A device, or an administrator, that refuses: syncs that fail, files that can't be read, written, or found.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use esker::io::{AppendFile, Storage};
use esker::record::{BatchBuilder, RecordData, TransactionResult};
use esker::sim::{Crash, Fault, FaultStorage, Operation};
use esker::{Acks, CommittedOffset, Error, Log, Maintenance, ReadLimits, Store, TopicConfig, TopicPartition};

use crate::common::forward::forward;
use crate::common::{append_value, check_lookups};
use crate::{DIR, START_MS, create_log, fill, open, read_all};

const LOG: &str = "/data/t-0/00000000000000000000.log";

#[test]
fn an_epoch_that_could_not_be_written_down_has_not_begun() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    let log = create_log(&store);
    log.set_leader_epoch(1).unwrap();
    append_value(&log, START_MS, b"in epoch 1", Acks::All).unwrap();
    // By then the file has its new name.
    disk.inject(Fault::io_error().on(Operation::SyncDir).on_path_suffix("t-0").nth(0));
    assert_io(log.set_leader_epoch(2), ErrorKind::Other);
    disk.clear_faults();
    append_value(&log, START_MS, b"in epoch 1 too", Acks::All).unwrap();
    let end = log.end_offset_for_epoch(1);
    assert_eq!((log.leader_epoch(), end.map(|end| end.end_offset)), (1, Some(2)));
    store.close().unwrap();
    let store = open(&disk).unwrap();
    assert_eq!(store.partition("t", 0).unwrap().end_offset_for_epoch(1), end);
}

fn assert_offline(result: Result<impl std::fmt::Debug, Error>) {
    match result {
        Err(Error::LogOffline { topic_partition, cause }) => {
            assert_eq!(topic_partition.to_string(), "t-0");
            assert!(matches!(*cause, Error::Io { operation: "sync", .. }), "{cause:?}");
            let source = |error: &dyn std::error::Error| error.source().map(ToString::to_string);
            let offline = Error::LogOffline { topic_partition, cause: cause.clone() };
            assert_eq!(source(&offline).as_deref(), Some(&*cause.to_string()), "it is told once");
            assert!(!offline.to_string().contains(&cause.to_string()) && source(&*cause).is_some());
        }
        other => panic!("{other:?}"),
    }
}

fn assert_io(result: Result<impl std::fmt::Debug, Error>, kind: ErrorKind) {
    match result {
        Err(Error::Io { source, .. }) => assert_eq!(source.kind(), kind, "{source}"),
        other => panic!("{kind}: {other:?}"),
    }
}

#[test]
fn a_failed_sync_is_everybodys_who_waits_and_everybodys_after() {
    for operation in [Operation::Sync, Operation::SyncDir] {
        let disk = FaultStorage::new(1);
        let store = open(&disk).unwrap();
        let log = create_log(&store);
        store.create_topic("other", TopicConfig::new()).unwrap();
        let other = store.partition("other", 0).unwrap();
        let records = fill(&log, 3);
        disk.inject(Fault::io_error().on(operation).on_paths(|path| path.starts_with("/data/t-0")).times(1));

        thread::scope(|scope| {
            let waiters: Vec<_> =
                (0..4).map(|_| scope.spawn(|| append_value(&log, START_MS, b"lost", Acks::All))).collect();
            waiters.into_iter().for_each(|waiter| assert_offline(waiter.join().unwrap()));
        });
        // The device would succeed now, but what would that prove?
        for acks in [Acks::None, Acks::Leader, Acks::All] {
            assert_offline(append_value(&log, START_MS, b"refused", acks));
        }
        assert_offline(log.flush());
        assert_eq!(read_all(&log)[..records.len()], records[..], "readers go on");
        append_value(&other, START_MS, b"fine", Acks::All).unwrap();

        assert_offline(store.close());
        drop((store, log, other));
        let store = open(&disk).unwrap();
        assert!(!store.recovery_report().clean_shutdown);
        let log = store.partition("t", 0).unwrap();
        assert_eq!(read_all(&log)[..records.len()], records[..]);
        append_value(&log, START_MS, b"again", Acks::All).unwrap();
    }
}

#[test]
fn what_a_failed_sync_dropped_is_not_built_on() {
    // The kernel drops what a failed sync did not write and goes on showing it: a reopened store that trusted what it
    // reads would append behind a hole.
    for seed in 0..200 {
        let disk = FaultStorage::new(seed);
        let store = open(&disk).unwrap();
        let log = create_log(&store);
        fill(&log, 8);
        disk.inject(Fault::io_error().on(Operation::Sync).on_path_suffix(".log").times(1));
        assert_offline(log.flush());
        drop(store.close());
        drop((store, log));

        let disk = if seed % 2 == 0 { disk.after_crash(Crash::Process, seed) } else { disk };
        let store = open(&disk).unwrap();
        let log = store.partition("t", 0).unwrap();
        append_value(&log, START_MS + 100, b"acknowledged", Acks::All).unwrap();
        let records = read_all(&log);
        disk.crash();
        drop((store, log));

        let store = open(&disk.after_crash(Crash::Power, seed)).unwrap();
        let log = store.partition("t", 0).unwrap();
        assert_eq!(read_all(&log), records, "seed {seed}");
        check_lookups(&log, &records).unwrap();
    }
}

#[test]
fn a_read_only_device_refuses_appends_and_serves_reads() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    let log = create_log(&store);
    let records = fill(&log, 20);
    disk.set_read_only(true);
    for acks in [Acks::None, Acks::Leader] {
        assert_io(append_value(&log, START_MS, b"refused", acks), ErrorKind::ReadOnlyFilesystem);
    }
    assert_io(store.create_topic("u", TopicConfig::new()), ErrorKind::ReadOnlyFilesystem);
    assert_eq!(read_all(&log), records);
    assert_eq!(log.log_end(), records.len() as i64);
    disk.set_read_only(false);
    assert_eq!(append_value(&log, START_MS, b"fine again", Acks::All).unwrap(), records.len() as i64);
    store.create_topic("u", TopicConfig::new()).unwrap();
}

#[test]
fn a_read_only_directory_does_not_open_and_keeps_everything() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    let records = fill(&create_log(&store), 20);
    store.close().unwrap();
    drop(store);
    disk.set_read_only(true);
    assert_io(open(&disk), ErrorKind::ReadOnlyFilesystem);
    disk.set_read_only(false);
    let store = open(&disk).unwrap();
    assert!(store.recovery_report().clean_shutdown);
    assert_eq!(read_all(&store.partition("t", 0).unwrap()), records);
}

#[test]
fn a_failure_of_any_operation_of_an_open_is_an_error_that_harms_nothing() {
    let start = FaultStorage::new(1);
    let store = open(&start).unwrap();
    let log = create_log(&store);
    let records = fill(&log, 20);
    log.flush().unwrap();
    start.crash();
    drop((store, log));
    for crash in [Crash::Process, Crash::Power] {
        for kind in [ErrorKind::PermissionDenied, ErrorKind::Other, ErrorKind::StorageFull] {
            for at in 0.. {
                let disk = start.after_crash(crash, 7);
                disk.inject(Fault::new(kind).at_operation(at));
                let opened = open(&disk);
                let is_over = disk.operations() <= at;
                disk.clear_faults();
                match &opened {
                    Ok(store) => assert_eq!(read_all(&store.partition("t", 0).unwrap()), records, "{kind} at {at}"),
                    Err(Error::StorageFull { .. }) => assert_eq!(kind, ErrorKind::StorageFull),
                    Err(Error::Io { source, .. }) => assert_eq!(source.kind(), kind),
                    Err(other) => panic!("{kind} at {at}: {other:?}"),
                }
                drop(opened);
                let store = open(&disk).unwrap();
                assert_eq!(read_all(&store.partition("t", 0).unwrap()), records, "{kind} at {at}");
                if is_over {
                    assert!(at > 30);
                    break;
                }
            }
        }
    }
}

#[test]
fn a_read_that_fails_is_an_error_and_the_next_one_is_not() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    let records = fill(&create_log(&store), 20);
    store.close().unwrap();
    drop(store);
    let store = open(&disk).unwrap();
    let log = store.partition("t", 0).unwrap();
    for operation in [Operation::Open, Operation::Read] {
        disk.inject(Fault::io_error().on(operation).on_path_suffix(LOG).times(1));
        match log.read(0, ReadLimits::new()) {
            Err(Error::Io { path, .. }) => assert_eq!(path, Path::new(LOG)),
            other => panic!("{other:?}"),
        }
        assert_eq!(log.read(0, ReadLimits::new()).unwrap().batches().next().unwrap().unwrap().header().base_offset, 0);
    }
    assert_eq!(read_all(&log), records);
}

#[test]
fn a_directory_that_vanishes_is_an_error_to_those_who_need_it() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    let log = create_log(&store);
    let records = fill(&log, 3);
    disk.remove_dir_all(Path::new("/data/t-0")).unwrap();
    assert_eq!(read_all(&log), records, "the files are still open");
    // What is appended goes nowhere, and a sync of the directory's name says so.
    assert_offline(append_value(&log, START_MS, b"lost", Acks::All));
    assert!(store.close().is_err());
    drop((store, log));
    let store = open(&disk).unwrap();
    assert!(matches!(store.partition("t", 0), Err(Error::UnknownTopicOrPartition { .. })));
}

#[test]
fn a_partition_that_vanished_hides_those_after_it_and_removes_none() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    store.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
    let records = fill(&store.partition("t", 2).unwrap(), 3);
    store.close().unwrap();
    drop(store);
    for lost in 0..2 {
        let disk = disk.after_crash(Crash::Process, 0);
        let dir = format!("/data/t-{lost}");
        let metadata = disk.contents(format!("{dir}/partition.metadata")).unwrap();
        let kept: Vec<_> = disk.files().into_iter().filter(|path| path.starts_with("/data/t-2")).collect();
        disk.remove_dir_all(Path::new(&dir)).unwrap();
        let store = open(&disk).unwrap();
        let incomplete = &store.recovery_report().incomplete;
        assert!(incomplete.iter().any(|partition| partition.to_string() == "t-2"), "{incomplete:?}");
        assert!(store.partition("t", 2).is_err() && !store.recovery_report().is_healthy());
        assert!(kept.iter().all(|path| disk.files().contains(path)));
        store.close().unwrap();
        drop(store);
        // Whoever brings the directory back has everything again.
        if lost == 1 {
            disk.create_dir_all(Path::new(&dir)).unwrap();
            disk.set_contents(format!("{dir}/partition.metadata"), &metadata).unwrap();
            let store = open(&disk).unwrap();
            assert_eq!(read_all(&store.partition("t", 2).unwrap()), records);
        }
    }
}

/// A storage that calls somebody before each file is opened for appending.
struct Interrupted {
    inner: FaultStorage,
    before_open_append: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl std::fmt::Debug for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interrupted")
    }
}

impl Storage for Interrupted {
    forward!(create_dir_all list len read open truncate rename remove_file remove_dir_all sync_dir lock);

    fn open_append(&self, path: &Path, len: u64, capacity: u64) -> io::Result<Box<dyn AppendFile>> {
        if path.extension().is_some_and(|extension| extension == "log")
            && let Some(interruption) = &*self.before_open_append.lock().unwrap()
        {
            interruption();
        }
        self.inner.open_append(path, len, capacity)
    }
}

#[test]
fn a_sync_in_the_middle_of_a_roll_does_not_pass_for_one_after_it() {
    for seed in 0..30 {
        let disk = FaultStorage::new(seed);
        let storage = Arc::new(Interrupted { inner: disk.clone(), before_open_append: Mutex::default() });
        let options = Store::options().storage(storage.clone()).maintenance(Maintenance::Manual);
        let store = options.open(DIR).unwrap();
        let log: Log = create_log(&store);
        fill(&log, 5);
        // Another thread's group commit falls between the decision to roll and the new file.
        let other = log.clone();
        let interruption = move || thread::scope(|scope| scope.spawn(|| other.flush().unwrap()).join().unwrap());
        *storage.before_open_append.lock().unwrap() = Some(Box::new(interruption));
        append_value(&log, START_MS, &[7; 700], Acks::All).unwrap();
        assert_eq!(log.segment_count(), 2);
        let records = read_all(&log);
        disk.crash();
        *storage.before_open_append.lock().unwrap() = None;
        drop((store, log));

        let store = open(&disk.after_crash(Crash::Power, seed)).unwrap();
        assert_eq!(read_all(&store.partition("t", 0).unwrap()), records, "seed {seed}");
    }
}

#[test]
fn what_a_group_has_committed_is_not_told_while_it_cannot_be_read() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    create_log(&store);
    let at = TopicPartition::new("t", 0);
    let commit = |offset| [(at.clone(), CommittedOffset::new(offset))];
    store.commit_offsets("g", commit(1), Acks::Leader).unwrap();
    let producer = store.init_transactional_id("id", Duration::from_secs(60)).unwrap();
    store.add_offsets_to_transaction("id", producer, "g").unwrap();
    store.commit_offsets_in_transaction("g", commit(2), producer).unwrap();
    // Whoever looks next has to read the marker.
    store.end_transaction("id", producer, TransactionResult::Commit).unwrap();
    let is_of_offsets = |path: &Path| path.starts_with("/data/__consumer_offsets-3");
    disk.inject(Fault::io_error().on(Operation::Read).on_paths(is_of_offsets));
    assert_io(store.committed_offset("g", &at), ErrorKind::Other);
    assert_io(store.stable_committed_offset("g", &at), ErrorKind::Other);
    assert_io(store.committed_offsets("g"), ErrorKind::Other);
    assert_io(store.describe_group("g"), ErrorKind::Other);
    assert_io(store.groups(), ErrorKind::Other);
    assert_io(store.delete_group("g"), ErrorKind::Other);
    disk.clear_faults();
    assert_eq!(store.committed_offset("g", &at).unwrap().unwrap().offset, 2);
}

#[test]
fn a_reader_tells_that_it_cannot_look_for_the_first_commit() {
    let disk = FaultStorage::new(1);
    let writer = open(&disk).unwrap();
    create_log(&writer);
    let reader = Store::options().storage(Arc::new(disk.clone())).open_read_only(DIR).unwrap();
    let at = TopicPartition::new("t", 0);
    assert_eq!(reader.committed_offset("g", &at).unwrap(), None);
    writer.commit_offsets("g", [(at.clone(), CommittedOffset::new(1))], Acks::Leader).unwrap();
    disk.inject(Fault::new(ErrorKind::PermissionDenied).on(Operation::List));
    assert_io(reader.committed_offset("g", &at), ErrorKind::PermissionDenied);
    assert_io(reader.groups(), ErrorKind::PermissionDenied);
    disk.clear_faults();
    assert_eq!(reader.committed_offset("g", &at).unwrap().unwrap().offset, 1);
    disk.inject(Fault::io_error().on(Operation::Read).on_path_suffix(".log"));
    writer.commit_offsets("g", [(at.clone(), CommittedOffset::new(2))], Acks::Leader).unwrap();
    assert_io(reader.committed_offset("g", &at), ErrorKind::Other);
    disk.clear_faults();
    assert_eq!(reader.committed_offset("g", &at).unwrap().unwrap().offset, 2);
}

#[test]
fn a_marker_that_does_not_reach_the_device_keeps_no_other_from_it() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    let partitions = 0..100;
    store.create_topic("t", TopicConfig::new().partitions(partitions.end)).unwrap();
    let producer = store.init_transactional_id("id", Duration::from_secs(60)).unwrap();
    let all = partitions.clone().map(|index| TopicPartition::new("t", index));
    store.add_partitions_to_transaction("id", producer, all).unwrap();
    for index in partitions.clone() {
        let mut batch = BatchBuilder::new(100).producer(producer.producer_id, producer.producer_epoch, 0);
        batch.push(&RecordData::new(None, Some(b"v")).at(START_MS)).unwrap();
        let mut batch = batch.transactional(true);
        store.partition("t", index).unwrap().append(batch.build().unwrap(), Acks::Leader).unwrap();
    }
    // The first sync is that of the records.
    disk.inject(Fault::io_error().on(Operation::Sync).on_path_suffix("t-70/00000000000000000000.log").nth(1));
    store.end_transaction("id", producer, TransactionResult::Commit).unwrap();
    assert!(
        matches!(store.take_maintenance_error(), Some(Error::LogOffline { topic_partition, .. }) if topic_partition.partition == 70)
    );
    disk.crash();
    drop(store);
    let disk = disk.after_crash(Crash::Power, 1);
    let store = open(&disk).unwrap();
    for index in partitions {
        // The record, the marker that was on the device, and the one that all got because not all were known to have
        // one.
        let expected = if index == 70 { 2..=3 } else { 3..=3 };
        assert!(expected.contains(&store.partition("t", index).unwrap().last_stable_offset()), "{index}");
    }
}

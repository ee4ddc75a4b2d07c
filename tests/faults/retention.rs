//! What can't be read, or removed, keeps nothing else of what is due to go.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use esker::io::Storage;
use esker::sim::{Fault, FaultStorage, ManualClock, Operation};
use esker::{Acks, Error, Store, TopicConfig};

use crate::common::append_value;
use crate::{START_MS, open_with_clock};

/// What is left in a directory under names that end so.
fn left(disk: &FaultStorage, dir: &str, suffix: &str) -> Vec<String> {
    let names = disk.list(Path::new(dir)).unwrap().into_iter().map(|entry| entry.name);
    names.filter(|name| name.ends_with(suffix)).collect()
}

/// A store with six segments of one record that are an hour older than they may get.
fn with_expired_segments(disk: &FaultStorage) -> (Store, ManualClock) {
    let clock = ManualClock::new(START_MS);
    let store = open_with_clock(disk, clock.clone()).unwrap();
    let config = TopicConfig::new().internal_segment_bytes(100).retention_ms(1_000).file_delete_delay_ms(60_000);
    store.create_topic("t", config).unwrap();
    for _ in 0..6 {
        append_value(&store.partition("t", 0).unwrap(), START_MS, b"old", Acks::Leader).unwrap();
    }
    store.close().unwrap();
    drop(store);
    // What it knew of its segments must be read again.
    let store = open_with_clock(disk, clock.clone()).unwrap();
    assert_eq!(store.partition("t", 0).unwrap().segment_count(), 6);
    clock.advance(Duration::from_secs(3600));
    (store, clock)
}

#[test]
fn a_segment_that_cannot_be_opened_keeps_none_of_those_before_it() {
    let disk = FaultStorage::new(1);
    let (store, clock) = with_expired_segments(&disk);
    let log = store.partition("t", 0).unwrap();
    disk.inject(Fault::new(ErrorKind::PermissionDenied).on(Operation::Open).on_path_suffix("00000000000000000004.log"));
    assert!(matches!(store.tick(), Err(Error::Io { operation: "open", .. })));
    assert_eq!((log.log_start(), log.segment_count()), (4, 2));

    disk.clear_faults();
    clock.advance(Duration::from_secs(300));
    store.tick().unwrap();
    assert_eq!((log.log_start(), log.log_end()), (6, 6));
}

#[test]
fn a_time_index_that_cannot_be_read_keeps_no_segment() {
    let disk = FaultStorage::new(1);
    let (store, _) = with_expired_segments(&disk);
    disk.inject(Fault::io_error().on(Operation::Read).on_path_suffix("00000000000000000002.timeindex"));
    store.tick().unwrap();
    assert_eq!(store.partition("t", 0).unwrap().log_start(), 6, "the batches tell how old they are");
}

#[test]
fn a_new_segment_that_cannot_begin_keeps_none_but_the_active_one() {
    let disk = FaultStorage::new(1);
    let (store, clock) = with_expired_segments(&disk);
    let log = store.partition("t", 0).unwrap();
    let full = Fault::new(ErrorKind::StorageFull);
    disk.inject(full.on_mutations().on_path_suffix("00000000000000000006.log"));
    assert!(matches!(store.tick(), Err(Error::StorageFull { .. })));
    assert_eq!((log.log_start(), log.segment_count()), (5, 1));

    disk.clear_faults();
    clock.advance(Duration::from_secs(300));
    store.tick().unwrap();
    assert_eq!((log.log_start(), log.log_end()), (6, 6));
}

#[test]
fn a_deleted_file_that_cannot_be_removed_keeps_no_other_and_is_tried_again() {
    let disk = FaultStorage::new(1);
    let (store, clock) = with_expired_segments(&disk);
    store.tick().unwrap();
    let renamed = left(&disk, "/data/t-0", ".deleted");
    assert!(renamed.len() >= 12, "{renamed:?}");
    let kept = ["00000000000000000000.log.deleted", "00000000000000000003.timeindex.deleted"];
    for name in kept {
        disk.inject(Fault::new(ErrorKind::PermissionDenied).on(Operation::RemoveFile).on_path_suffix(name));
    }
    clock.advance(Duration::from_secs(60));
    for _ in 0..2 {
        assert!(matches!(store.tick(), Err(Error::Io { operation: "remove", .. })));
        assert_eq!(left(&disk, "/data/t-0", ".deleted"), kept);
    }
    disk.clear_faults();
    store.tick().unwrap();
    assert!(left(&disk, "/data/t-0", ".deleted").is_empty());
}

#[test]
fn a_deleted_partition_that_cannot_be_removed_keeps_no_other_and_is_tried_again() {
    let (disk, clock) = (FaultStorage::new(1), ManualClock::new(START_MS));
    let store = open_with_clock(&disk, clock.clone()).unwrap();
    store.create_topic("t", TopicConfig::new().partitions(4).file_delete_delay_ms(60_000)).unwrap();
    store.delete_topic("t").unwrap();
    let renamed = left(&disk, "/data", "-delete");
    assert_eq!(renamed.len(), 4);
    let kept = [renamed[1].clone(), renamed[2].clone()];
    for name in &kept {
        disk.inject(Fault::new(ErrorKind::PermissionDenied).on(Operation::RemoveDirAll).on_path_suffix(name));
    }
    clock.advance(Duration::from_secs(60));
    for _ in 0..2 {
        assert!(matches!(store.tick(), Err(Error::Io { operation: "remove", .. })));
        assert_eq!(left(&disk, "/data", "-delete"), kept);
    }
    disk.clear_faults();
    store.tick().unwrap();
    assert!(left(&disk, "/data", "-delete").is_empty());
}

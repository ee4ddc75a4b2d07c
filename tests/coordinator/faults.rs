//! What a disk that fails does to transactions: a decision that can't be written down is none, and one that was is
//! carried out sooner or later.

use std::io::ErrorKind;

use esker::sim::{Crash, Fault, Operation};
use esker::{Error, TransactionState};

use super::*;

const BOTH: [(&str, i32); 2] = [("a", 0), ("b", 0)];

fn state(fixture: &Fixture) -> TransactionState {
    fixture.store.describe_transaction("tx").unwrap().state
}

/// No append finds space below the directories with this in their paths.
fn no_room_in(part: &'static str) -> Fault {
    Fault::new(ErrorKind::StorageFull).on(Operation::Append).on_paths(move |path| path.to_string_lossy().contains(part))
}

#[test]
fn a_marker_that_cannot_be_appended_is_tried_again() {
    let fixture = Fixture::new();
    let producer = fixture.init("tx");
    fixture.begin("tx", producer, 0, &BOTH, "kept");
    fixture.disk.inject(no_room_in("/b-0/"));
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    let told = fixture.store.take_maintenance_error();
    assert!(matches!(told, Some(Error::StorageFull { .. })), "{told:?}");
    assert_eq!(state(&fixture), TransactionState::PrepareCommit);
    assert_eq!(fixture.committed(), in_all(&BOTH[..1], &["kept"]), "the others have been told");

    // It is in the way of what comes next, but not undone by it.
    assert!(fixture.add("tx", producer, &BOTH).is_err());
    assert!(fixture.store.init_transactional_id("tx", TIMEOUT).is_err());
    assert!(fixture.store.tick().is_err());
    let end_of_a = fixture.store.partition("a", 0).unwrap().log_end();

    fixture.disk.clear_faults();
    fixture.store.tick().unwrap();
    assert_eq!(state(&fixture), TransactionState::CompleteCommit);
    assert_eq!(fixture.committed(), in_all(&BOTH, &["kept"]));
    assert_eq!(fixture.store.partition("a", 0).unwrap().log_end(), end_of_a, "who was told is not told again");
    fixture.begin("tx", producer, 1, &BOTH, "next");
}

#[test]
fn a_marker_whose_sync_fails_is_appended_by_the_next_open() {
    let mut fixture = Fixture::new();
    let producer = fixture.init("tx");
    fixture.begin("tx", producer, 0, &BOTH, "kept");
    let is_log_of_b = |path: &std::path::Path| {
        let path = path.to_string_lossy();
        path.contains("/b-0/") && path.ends_with(".log")
    };
    // The first sync is that of the records.
    fixture.store.partition("b", 0).unwrap().flush().unwrap();
    fixture.disk.inject(Fault::io_error().on(Operation::Sync).on_paths(is_log_of_b));
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    assert!(matches!(fixture.store.take_maintenance_error(), Some(Error::LogOffline { .. })));
    assert_eq!(state(&fixture), TransactionState::PrepareCommit);
    assert!(fixture.store.tick().is_err());
    fixture.disk.clear_faults();
    fixture.disk.crash();
    for seed in 0..20 {
        let disk = fixture.disk.after_crash(Crash::Power, seed);
        let store = open(&disk, &fixture.clock);
        assert_eq!(committed(&store), in_all(&BOTH, &["kept"]));
        assert_eq!(store.describe_transaction("tx").unwrap().state, TransactionState::CompleteCommit);
    }
    fixture.disk = fixture.disk.after_crash(Crash::Process, 0);
    fixture.store = open(&fixture.disk, &fixture.clock);
    fixture.begin("tx", producer, 1, &BOTH, "next");
}

#[test]
fn records_that_cannot_be_synced_are_not_committed() {
    let fixture = Fixture::new();
    let producer = fixture.init("tx");
    fixture.add("tx", producer, &BOTH).unwrap();
    let mut batch = BatchBuilder::new(1000).producer(producer.producer_id, 0, 0).transactional(true);
    batch.push(&RecordData::new(None, Some(b"lost"))).unwrap();
    fixture.store.partition("b", 0).unwrap().append(batch.build().unwrap(), Acks::Leader).unwrap();
    fixture
        .disk
        .inject(Fault::io_error().on(Operation::Sync).on_paths(|path| path.to_string_lossy().contains("/b-0/")));
    let refused = fixture.store.end_transaction("tx", producer, TransactionResult::Commit);
    assert!(matches!(refused, Err(Error::LogOffline { .. })), "{refused:?}");
    assert_eq!(state(&fixture), TransactionState::Ongoing);
    assert!(fixture.committed().is_empty());
}

#[test]
fn a_decision_that_cannot_be_written_down_is_none() {
    let fixture = Fixture::new();
    let producer = fixture.init("tx");
    fixture.begin("tx", producer, 0, &BOTH, "kept");
    fixture.disk.inject(no_room_in("__transaction_state"));
    for result in [TransactionResult::Commit, TransactionResult::Abort] {
        let refused = fixture.store.end_transaction("tx", producer, result);
        assert!(matches!(refused, Err(Error::StorageFull { .. })), "{refused:?}");
    }
    // Nor is another let in.
    assert!(fixture.store.init_transactional_id("tx", TIMEOUT).is_err());
    assert!(fixture.store.init_transactional_id("ty", TIMEOUT).is_err());
    assert!(matches!(fixture.store.describe_transaction("ty"), Err(Error::TransactionalIdNotFound { .. })));
    assert_eq!(state(&fixture), TransactionState::Ongoing);
    fixture.disk.clear_faults();
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    assert_eq!(fixture.committed(), in_all(&BOTH, &["kept"]));
}

#[test]
fn transactions_end_at_zero_bytes_free_and_none_begins() {
    let fixture = Fixture::new();
    let producer = fixture.init("tx");
    fixture.begin("tx", producer, 0, &BOTH, "kept");
    fixture.disk.set_capacity(fixture.disk.used());
    // What its files have reserved already is used up, in all partitions where ids are.
    let mut refused = 0;
    for number in 0.. {
        match fixture.store.init_transactional_id(&format!("tx-{number}"), TIMEOUT) {
            Ok(_) => refused = 0,
            Err(Error::StorageFull { .. }) if refused == 20 => break,
            Err(Error::StorageFull { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    let refused = fixture.add("tx", producer, &[("a", 1)]);
    assert!(matches!(refused, Err(Error::StorageFull { .. })), "{refused:?}");
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    assert_eq!(fixture.committed(), in_all(&BOTH, &["kept"]));
}

#[test]
fn a_store_opens_though_a_transaction_cannot_be_finished() {
    let mut fixture = Fixture::new();
    let producer = fixture.init("tx");
    fixture.begin("tx", producer, 0, &BOTH, "kept");
    let full = || {
        Fault::new(ErrorKind::StorageFull).on(Operation::Append).on_paths(|path| {
            let path = path.to_string_lossy();
            path.contains("/b-0/") && path.ends_with(".log")
        })
    };
    fixture.disk.inject(full());
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    fixture.disk.crash();
    fixture.disk = fixture.disk.after_crash(Crash::Process, 0);
    fixture.disk.inject(full());
    fixture.store = open(&fixture.disk, &fixture.clock);
    assert!(fixture.store.take_maintenance_error().is_some());
    assert_eq!(state(&fixture), TransactionState::PrepareCommit);
    fixture.disk.clear_faults();
    fixture.store.tick().unwrap();
    assert_eq!(fixture.committed(), in_all(&BOTH, &["kept"]));
}

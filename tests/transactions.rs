//! Idempotent producers and transactions in a partition, through the public API: sequences and epochs, markers, the
//! last stable offset, aborted transactions, and what of all that an open finds again.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use api::{FOREVER, NOW_MS, manual};
use esker::io::{MemoryStorage, Storage};
use esker::record::{BatchBuilder, EndTransactionMarker, RecordData, TransactionResult};
use esker::{
    Acks, Appended, AutoOffsetReset, ConsumerConfig, Error, IsolationLevel, Log, Offset, ProducerId,
    ProducerIdAndEpoch, ReadLimits, Result, Store, TopicConfig,
};

const CLEAN_MARKER: &str = "data/.kafka_cleanshutdown";
const PARTITION: &str = "data/t-0";

fn open(storage: &MemoryStorage) -> Store {
    manual().0.storage(Arc::new(storage.clone())).open("data").unwrap()
}

fn new_log(config: TopicConfig) -> (MemoryStorage, Store, Log) {
    let storage = MemoryStorage::new();
    let store = open(&storage);
    store.create_topic("t", config).unwrap();
    let log = store.partition("t", 0).unwrap();
    (storage, store, log)
}

/// Segments of a few batches.
fn small_segments() -> TopicConfig {
    TopicConfig::new().internal_segment_bytes(400).index_interval_bytes(100)
}

/// Closes the store and opens it again, as after a crash if it is not `clean`.
fn reopen(storage: &MemoryStorage, store: Store, clean: bool) -> (Store, Log) {
    store.close().unwrap();
    drop(store);
    if !clean {
        storage.remove_file(Path::new(CLEAN_MARKER)).unwrap();
    }
    let store = open(storage);
    assert_eq!(store.recovery_report().clean_shutdown, clean);
    let log = store.partition("t", 0).unwrap();
    (store, log)
}

fn files(storage: &MemoryStorage, suffix: &str) -> Vec<String> {
    let mut names: Vec<String> =
        storage.list(Path::new(PARTITION)).unwrap().into_iter().map(|entry| entry.name).collect();
    names.retain(|name| name.ends_with(suffix));
    names.sort();
    names
}

fn write_file(storage: &MemoryStorage, path: &Path, bytes: &[u8]) {
    let mut file = storage.open_append(path, 0, bytes.len() as u64).unwrap();
    file.append(&[bytes]).unwrap();
    file.seal().unwrap();
}

/// A batch of `count` records.
#[derive(Clone, Copy)]
struct Sent {
    id: ProducerId,
    epoch: i16,
    sequence: i32,
    count: usize,
    transactional: bool,
}

/// A batch of one record of producer `id`, epoch 0, outside of transactions.
fn batch(id: ProducerId, sequence: i32) -> Sent {
    Sent { id, epoch: 0, sequence, count: 1, transactional: false }
}

/// The same, in a transaction.
fn in_transaction(id: ProducerId, sequence: i32) -> Sent {
    Sent { transactional: true, ..batch(id, sequence) }
}

fn send(log: &Log, sent: Sent) -> Result<Appended> {
    send_with(log, sent, Acks::Leader)
}

fn send_with(log: &Log, sent: Sent, acks: Acks) -> Result<Appended> {
    let Sent { id, epoch, sequence, count, transactional } = sent;
    let mut builder = BatchBuilder::new(1 << 16).producer(id, epoch, sequence).transactional(transactional);
    for index in 0..count {
        let value = format!("{id}/{}", sequence + index as i32);
        builder.push(&RecordData::new(None, Some(value.as_bytes())).at(NOW_MS)).unwrap();
    }
    log.append(builder.build()?, acks)
}

fn end(log: &Log, id: ProducerId, result: TransactionResult) -> Offset {
    end_with(log, id, 0, result, 0).unwrap().base_offset
}

fn end_with(log: &Log, id: ProducerId, epoch: i16, result: TransactionResult, coordinator: i32) -> Result<Appended> {
    let marker = EndTransactionMarker { result, coordinator_epoch: coordinator };
    log.append_end_transaction_marker(ProducerIdAndEpoch::new(id, epoch), marker, Acks::Leader)
}

fn commit(log: &Log, id: ProducerId) -> Offset {
    end(log, id, TransactionResult::Commit)
}

fn abort(log: &Log, id: ProducerId) -> Offset {
    end(log, id, TransactionResult::Abort)
}

/// The offset and whether it was a duplicate.
fn outcome(appended: Appended) -> (Offset, bool) {
    (appended.base_offset, appended.is_duplicate)
}

/// The offsets that a consumer of the partition gets.
fn consumed(store: &Store, isolation: IsolationLevel) -> Vec<Offset> {
    let config = ConsumerConfig::new().auto_offset_reset(AutoOffsetReset::Earliest).isolation_level(isolation);
    let mut consumer = store.consumer(config.max_poll_records(3).max_partition_fetch_bytes(150)).unwrap();
    consumer.assign([("t", 0)]).unwrap();
    let mut offsets = Vec::new();
    loop {
        let before = consumer.position(("t", 0)).unwrap();
        offsets.extend(consumer.poll(Duration::ZERO).unwrap().iter().map(|record| record.offset));
        if consumer.position(("t", 0)).unwrap() == before {
            return offsets;
        }
    }
}

fn committed(store: &Store) -> Vec<Offset> {
    consumed(store, IsolationLevel::ReadCommitted)
}

/// The aborted transactions that a read of the whole log tells of: producer, first and last offset.
fn aborted(log: &Log) -> Vec<(ProducerId, Offset, Offset)> {
    let limits = ReadLimits::new().isolation_level(IsolationLevel::ReadCommitted);
    let (mut offset, mut found) = (log.log_start(), Vec::new());
    while offset < log.last_stable_offset() {
        let fetched = log.read(offset, limits).unwrap();
        let transactions = fetched.aborted_transactions().iter();
        found.extend(transactions.map(|aborted| (aborted.producer_id, aborted.first_offset, aborted.last_offset)));
        offset = fetched.next_offset();
    }
    found.sort_unstable();
    found.dedup();
    found
}

// Idempotence

#[test]
fn a_batch_that_comes_again_is_answered_with_its_first_offset() {
    let (_, store, log) = new_log(TopicConfig::new());
    for sequence in 0..6 {
        assert_eq!(outcome(send(&log, batch(7, sequence)).unwrap()), (i64::from(sequence), false));
    }
    for sequence in 1..6 {
        let again = send_with(&log, batch(7, sequence), Acks::All).unwrap();
        assert_eq!((outcome(again), again.last_offset), ((i64::from(sequence), true), i64::from(sequence)));
    }
    match send(&log, batch(7, 0)) {
        Err(Error::OutOfOrderSequenceNumber { producer_id: 7, expected: 6, actual: 0, offset: 6, .. }) => {}
        other => panic!("the sixth last is forgotten: {other:?}"),
    }
    // Other sequence numbers than those of one batch are another batch.
    let overlapping = Sent { count: 2, ..batch(7, 4) };
    assert!(matches!(send(&log, overlapping), Err(Error::OutOfOrderSequenceNumber { .. })));
    assert_eq!(log.log_end(), 6, "nothing of that was written");
    store.close().unwrap();
}

#[test]
fn a_duplicate_is_answered_with_the_logs_time_where_times_are_the_logs() {
    let (_, _store, log) =
        new_log(TopicConfig::new().message_timestamp_type(esker::record::TimestampType::LogAppendTime));
    let first = send(&log, batch(7, 0)).unwrap();
    let again = send(&log, batch(7, 0)).unwrap();
    assert_eq!((first.log_append_time, again.log_append_time), (Some(NOW_MS), Some(NOW_MS)));
    assert!(again.is_duplicate);
}

#[test]
fn sequences_and_epochs_are_checked_as_kafka_checks_them() {
    let (_, _store, log) = new_log(TopicConfig::new());
    // A producer that is not known may begin anywhere.
    send(&log, Sent { count: 3, ..batch(1, 40) }).unwrap();
    for sequence in [40, 42, 44, 0] {
        let refused = send(&log, batch(1, sequence));
        assert!(
            matches!(refused, Err(Error::OutOfOrderSequenceNumber { expected: 43, .. })),
            "{sequence}: {refused:?}"
        );
    }
    send(&log, batch(1, 43)).unwrap();
    // A new epoch begins at 0, and fences the ones before it.
    let later = Sent { epoch: 2, ..batch(1, 44) };
    assert!(matches!(send(&log, later), Err(Error::OutOfOrderSequenceNumber { expected: 0, actual: 44, .. })));
    send(&log, Sent { sequence: 0, ..later }).unwrap();
    match send(&log, Sent { epoch: 1, ..batch(1, 0) }) {
        Err(Error::InvalidProducerEpoch { producer_id: 1, requested: 1, current: 2, .. }) => {}
        other => panic!("{other:?}"),
    }
    // Another producer is another matter, and so is none at all.
    send(&log, batch(2, 0)).unwrap();
    api::append(&log, NOW_MS, &["plain"]);
    let known: Vec<_> = log.active_producers().iter().map(|known| (known.producer_id, known.producer_epoch)).collect();
    assert_eq!(known, [(1, 2), (2, 0)]);
}

#[test]
fn sequences_wrap_around() {
    let (_, _store, log) = new_log(TopicConfig::new());
    send(&log, Sent { count: 4, ..batch(1, i32::MAX - 3) }).unwrap();
    assert_eq!(outcome(send(&log, batch(1, 0)).unwrap()), (4, false));
    assert_eq!(outcome(send(&log, batch(1, 0)).unwrap()), (4, true));
}

#[test]
fn replay_remembers_five_batches_and_a_snapshot_one() {
    for clean in [false, true] {
        let (storage, store, log) = new_log(TopicConfig::new());
        for sequence in 0..6 {
            send(&log, batch(7, sequence)).unwrap();
        }
        drop(log);
        let (store, log) = reopen(&storage, store, clean);
        if !clean {
            assert!(files(&storage, ".snapshot").len() == 1);
        }
        let known = |sequence| send(&log, batch(7, sequence)).map(outcome);
        assert_eq!(known(5).unwrap(), (5, true));
        if clean {
            assert!(matches!(known(1), Err(Error::OutOfOrderSequenceNumber { expected: 6, .. })));
        } else {
            assert_eq!(known(1).unwrap(), (1, true));
        }
        assert_eq!(known(6).unwrap(), (6, false));
        store.close().unwrap();
    }
}

#[test]
fn a_log_without_producers_leaves_no_snapshot_and_one_with_them_does() {
    let (storage, store, log) = new_log(TopicConfig::new());
    api::append(&log, NOW_MS, &["plain"]);
    drop(log);
    let (store, log) = reopen(&storage, store, true);
    assert!(files(&storage, ".snapshot").is_empty());
    send(&log, batch(7, 0)).unwrap();
    drop(log);
    let (store, _) = reopen(&storage, store, true);
    assert_eq!(files(&storage, ".snapshot"), ["00000000000000000002.snapshot"]);
    store.close().unwrap();
}

#[test]
fn each_segment_begins_with_a_snapshot_that_goes_with_it() {
    let (storage, store, log) = new_log(small_segments().retention_bytes(500).file_delete_delay_ms(0));
    for sequence in 0..20 {
        send(&log, batch(7, sequence)).unwrap();
    }
    let bases = |suffix: &str| -> Vec<String> {
        files(&storage, suffix).iter().map(|name| name.trim_end_matches(suffix).to_owned()).collect()
    };
    assert_eq!(bases(".snapshot"), bases(".log")[1..]);
    drop(log);
    store.close().unwrap();
    drop(store);
    let (options, clock) = manual();
    let store = options.storage(Arc::new(storage.clone())).open("data").unwrap();
    clock.advance(1_000_000);
    store.tick().unwrap();
    store.tick().unwrap();
    let logs = bases(".log");
    assert!(logs.len() < 4, "{logs:?}");
    let snapshots = bases(".snapshot");
    assert!(snapshots.iter().all(|base| *base >= logs[0]), "{snapshots:?} of {logs:?}");
}

#[test]
fn the_producers_are_known_again_whatever_snapshot_is_missing_or_damaged() {
    let build = || {
        let (storage, store, log) = new_log(small_segments());
        for sequence in 0..12 {
            send(&log, batch(7, sequence)).unwrap();
            send(&log, in_transaction(8 + i64::from(sequence % 2), sequence / 2)).unwrap();
            if sequence == 7 {
                abort(&log, 8);
            }
        }
        drop(log);
        store.close().unwrap();
        storage
    };
    let snapshots = files(&build(), ".snapshot");
    assert!(snapshots.len() > 3, "{snapshots:?}");
    for clean in [true, false] {
        for harmed in 1..1_u32 << snapshots.len().min(6) {
            let storage = build();
            let mut count = 0;
            for (index, name) in snapshots.iter().rev().enumerate().filter(|(index, _)| harmed & (1 << index) != 0) {
                let path = Path::new(PARTITION).join(name);
                count += 1;
                match index % 3 {
                    0 => storage.remove_file(&path).unwrap(),
                    1 => write_file(&storage, &path, b"not a snapshot"),
                    _ => {
                        let mut bytes = storage.read(&path).unwrap();
                        *bytes.last_mut().unwrap() ^= 1;
                        write_file(&storage, &path, &bytes);
                    }
                }
            }
            assert!(count > 0);
            if !clean {
                storage.remove_file(Path::new(CLEAN_MARKER)).unwrap();
            }
            let store = open(&storage);
            let log = store.partition("t", 0).unwrap();
            let known = log.active_producers();
            let of = |id| known.iter().find(|known| known.producer_id == id).unwrap();
            assert_eq!((of(7).last_sequence, of(8).last_sequence, of(9).last_sequence), (Some(11), Some(5), Some(5)));
            assert_eq!(of(9).transaction_start, Some(3));
            assert_eq!(log.last_stable_offset(), 3, "{harmed:b}");
            assert!(send(&log, batch(7, 11)).unwrap().is_duplicate);
            commit(&log, 9);
            assert_eq!(log.last_stable_offset(), of(8).transaction_start.unwrap());
            commit(&log, 8);
            assert_eq!(aborted(&log), [(8, 1, 16)]);
            store.close().unwrap();
        }
    }
}

// Transactions

#[test]
fn control_batches_and_transactions_without_a_producer_are_refused() {
    let (_, _store, log) = new_log(TopicConfig::new());
    let marker = EndTransactionMarker { result: TransactionResult::Commit, coordinator_epoch: 0 };
    let control = marker.to_batch(NOW_MS, ProducerIdAndEpoch::new(7, 0)).unwrap();
    assert!(matches!(log.append(control.as_ref(), Acks::Leader), Err(Error::InvalidRecord { .. })));
    let mut builder = BatchBuilder::new(1000).transactional(true);
    builder.push(&RecordData::new(None, Some(b"x"))).unwrap();
    assert!(matches!(log.append(builder.build().unwrap(), Acks::Leader), Err(Error::InvalidRecord { .. })));
    assert_eq!(log.log_end(), 0);
}

#[test]
fn a_batch_outside_of_the_open_transaction_is_refused() {
    let (_, _store, log) = new_log(TopicConfig::new());
    send(&log, in_transaction(7, 0)).unwrap();
    match send(&log, batch(7, 1)) {
        Err(Error::InvalidTxnState { producer_id: 7, .. }) => {}
        other => panic!("{other:?}"),
    }
    send(&log, in_transaction(7, 1)).unwrap();
    commit(&log, 7);
    send(&log, batch(7, 2)).unwrap();
}

#[test]
fn markers_fence_zombies_of_producers_and_coordinators() {
    let (_, _store, log) = new_log(TopicConfig::new());
    send(&log, Sent { epoch: 3, ..in_transaction(7, 0) }).unwrap();
    let refused = end_with(&log, 7, 2, TransactionResult::Commit, 5);
    assert!(matches!(refused, Err(Error::InvalidProducerEpoch { requested: 2, current: 3, .. })), "{refused:?}");
    assert_eq!(log.last_stable_offset(), 0);
    end_with(&log, 7, 4, TransactionResult::Abort, 5).unwrap();
    assert_eq!(log.last_stable_offset(), 2);
    let zombie = send(&log, Sent { epoch: 3, ..in_transaction(7, 1) });
    assert!(matches!(zombie, Err(Error::InvalidProducerEpoch { requested: 3, current: 4, .. })), "{zombie:?}");
    let refused = end_with(&log, 7, 4, TransactionResult::Commit, 4);
    assert!(
        matches!(refused, Err(Error::TransactionCoordinatorFenced { requested: 4, current: 5, .. })),
        "{refused:?}"
    );
    // The epoch has changed, and with it the sequence begins anew.
    send(&log, Sent { epoch: 4, ..in_transaction(7, 0) }).unwrap();
    end_with(&log, 7, 4, TransactionResult::Commit, 5).unwrap();
    let known = log.active_producers()[0];
    assert_eq!((known.coordinator_epoch, known.transaction_start, known.last_offset), (Some(5), None, Some(2)));
}

#[test]
fn the_last_stable_offset_waits_for_the_oldest_open_transaction() {
    let (_, store, log) = new_log(TopicConfig::new());
    api::append(&log, NOW_MS, &["plain"]);
    assert_eq!(log.last_stable_offset(), 1);
    send(&log, in_transaction(1, 0)).unwrap(); // 1
    send(&log, in_transaction(2, 0)).unwrap(); // 2
    api::append(&log, NOW_MS, &["plain"]); // 3
    send(&log, in_transaction(1, 1)).unwrap(); // 4
    assert_eq!((log.last_stable_offset(), log.high_watermark()), (1, 5));
    assert_eq!(committed(&store), [0]);
    abort(&log, 2); // 5
    assert_eq!(log.last_stable_offset(), 1, "the older one is open");
    commit(&log, 1); // 6
    assert_eq!(log.last_stable_offset(), 7);
    assert_eq!(committed(&store), [0, 1, 3, 4]);
    assert_eq!(consumed(&store, IsolationLevel::ReadUncommitted), [0, 1, 2, 3, 4]);
    // A marker without a transaction is no end of one.
    abort(&log, 1);
    assert_eq!(aborted(&log), [(2, 2, 5)]);
    assert_eq!(committed(&store), [0, 1, 3, 4]);
}

#[test]
fn a_read_ends_at_the_last_stable_offset() {
    let (_, _store, log) = new_log(TopicConfig::new());
    let limits = ReadLimits::new().isolation_level(IsolationLevel::ReadCommitted);
    send(&log, batch(1, 0)).unwrap();
    send(&log, in_transaction(2, 0)).unwrap();
    let fetched = log.read(0, limits).unwrap();
    assert_eq!((fetched.next_offset(), fetched.last_stable_offset(), fetched.high_watermark()), (1, 1, 2));
    assert_eq!(fetched.batches().count(), 1);
    for offset in [1, 2] {
        let fetched = log.read(offset, limits).unwrap();
        assert!(fetched.is_empty());
        assert_eq!(fetched.next_offset(), offset);
    }
    assert!(matches!(log.read(3, limits), Err(Error::OffsetOutOfRange { .. })));
    assert_eq!(log.read(0, ReadLimits::new()).unwrap().next_offset(), 2);
}

#[test]
fn a_truncation_makes_up_no_aborted_transaction() {
    // On the disk, where space is reserved behind the entries of an index.
    let store = manual().0.open_temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let log = store.partition("t", 0).unwrap();
    send(&log, in_transaction(7, 0)).unwrap();
    let end = abort(&log, 7);
    // The first id that a broker of Kafka gives out.
    send(&log, in_transaction(0, 0)).unwrap();
    commit(&log, 0);
    let cut = send(&log, in_transaction(8, 0)).unwrap().base_offset;
    log.truncate_to(cut).unwrap();
    assert_eq!(aborted(&log), [(7, 0, end)]);
}

#[test]
fn aborted_transactions_are_told_across_segments_and_opens() {
    let (storage, mut store, mut log) = new_log(small_segments());
    let (mut valid, mut void) = (Vec::new(), Vec::new());
    for round in 0..8 {
        let aborts = round % 3 != 1;
        for sequence in 0..4 {
            let sent = send(&log, in_transaction(1, round * 4 + sequence)).unwrap().base_offset;
            (if aborts { &mut void } else { &mut valid }).push(sent);
            valid.push(send(&log, batch(2, round * 4 + sequence)).unwrap().base_offset);
        }
        if aborts {
            abort(&log, 1)
        } else {
            commit(&log, 1)
        };
    }
    let transactions = aborted(&log);
    assert_eq!(transactions.len(), 5);
    assert!(transactions.iter().all(|(_, first, last)| void.contains(first) && *last == first + 8));
    assert_eq!(committed(&store), valid);
    assert!(files(&storage, ".txnindex").len() > 2);
    for clean in [true, false, true] {
        drop(log);
        (store, log) = reopen(&storage, store, clean);
        assert_eq!((aborted(&log), committed(&store)), (transactions.clone(), valid.clone()), "clean: {clean}");
        assert_eq!(log.last_stable_offset(), log.log_end());
    }
    // A transaction index that is not one, and one that is gone after a crash.
    drop(log);
    store.close().unwrap();
    drop(store);
    let names = files(&storage, ".txnindex");
    write_file(&storage, &Path::new(PARTITION).join(&names[0]), &[0; 34]);
    let store = open(&storage);
    assert_eq!(aborted(&store.partition("t", 0).unwrap()), transactions);
    store.close().unwrap();
    drop(store);
    storage.remove_file(Path::new(CLEAN_MARKER)).unwrap();
    storage.remove_file(Path::new("data/recovery-point-offset-checkpoint")).unwrap();
    for name in &names {
        storage.remove_file(&Path::new(PARTITION).join(name)).unwrap();
    }
    let store = open(&storage);
    assert_eq!(aborted(&store.partition("t", 0).unwrap()), transactions);
    assert_eq!(files(&storage, ".txnindex"), names);
}

#[test]
fn a_transaction_that_was_open_at_a_crash_is_open_after_it() {
    let (storage, store, log) = new_log(small_segments());
    for sequence in 0..10 {
        send(&log, in_transaction(1, sequence)).unwrap();
    }
    drop(log);
    let (store, log) = reopen(&storage, store, false);
    assert_eq!((log.last_stable_offset(), log.log_end()), (0, 10));
    assert!(matches!(send(&log, batch(1, 10)), Err(Error::InvalidTxnState { .. })));
    drop(log);
    let (store, log) = reopen(&storage, store, true);
    assert_eq!((log.last_stable_offset(), log.log_end()), (0, 10));
    abort(&log, 1);
    assert_eq!((log.last_stable_offset(), aborted(&log)), (11, vec![(1, 0, 10)]));
    assert!(committed(&store).is_empty());
}

#[test]
fn a_copy_of_the_store_knows_what_the_store_knows() {
    let (storage, store, log) = new_log(small_segments());
    for sequence in 0..6 {
        send(&log, in_transaction(1, sequence)).unwrap();
    }
    abort(&log, 1);
    send(&log, in_transaction(2, 0)).unwrap();
    send(&log, batch(3, 0)).unwrap();
    store.snapshot("copy").unwrap();
    let copy = manual().0.storage(Arc::new(storage.clone())).open("copy").unwrap();
    assert!(copy.recovery_report().clean_shutdown);
    let copied = copy.partition("t", 0).unwrap();
    assert_eq!(copied.active_producers(), log.active_producers());
    assert_eq!((copied.last_stable_offset(), aborted(&copied)), (7, vec![(1, 0, 6)]));
    assert!(send(&copied, batch(3, 0)).unwrap().is_duplicate);
}

#[test]
fn a_committed_reader_is_woken_by_the_marker() {
    let (_, store, log) = new_log(TopicConfig::new());
    send(&log, in_transaction(1, 0)).unwrap();
    assert!(!log.wait_for_stable(0, Duration::ZERO) && log.wait_for(0, Duration::ZERO));
    let config = ConsumerConfig::new().isolation_level(IsolationLevel::ReadCommitted);
    let mut consumer = store.consumer(config.auto_offset_reset(AutoOffsetReset::Earliest)).unwrap();
    consumer.assign([("t", 0)]).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| log.wait_for_stable(0, FOREVER));
        let polling = scope.spawn(move || consumer.poll(FOREVER).unwrap().len());
        send(&log, in_transaction(1, 1)).unwrap();
        commit(&log, 1);
        assert!(waiting.join().unwrap());
        assert_eq!(polling.join().unwrap(), 2);
    });
}

#[test]
fn a_committed_reader_is_woken_when_an_open_transaction_is_deleted() {
    let (_storage, _store, log) = new_log(TopicConfig::new());
    send(&log, in_transaction(1, 0)).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| log.wait_for_stable(0, FOREVER));
        let mut stable = log.stable(0);
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut stable).poll(&mut context).is_pending());
        log.delete_records(-1).unwrap();
        assert!(waiting.join().unwrap());
        assert!(Pin::new(&mut stable).poll(&mut context).is_ready());
    });
}

#[test]
fn a_future_waits_for_what_is_stable_and_not_for_what_is_open() {
    let (_storage, _store, log) = new_log(TopicConfig::new());
    let mut context = Context::from_waker(Waker::noop());
    let (mut readable, mut stable) = (log.readable(0), log.stable(0));
    let mut are_ready = || [&mut readable, &mut stable].map(|one| Pin::new(one).poll(&mut context).is_ready());
    assert_eq!(are_ready(), [false, false]);
    send(&log, in_transaction(1, 0)).unwrap();
    assert_eq!(are_ready(), [true, false]);
    abort(&log, 1);
    assert_eq!(are_ready(), [true, true]);
}

#[test]
fn a_consumer_that_begins_at_the_end_begins_at_the_last_stable_offset() {
    let (_, store, log) = new_log(TopicConfig::new());
    send(&log, batch(1, 0)).unwrap();
    send(&log, in_transaction(2, 0)).unwrap();
    let config = ConsumerConfig::new().isolation_level(IsolationLevel::ReadCommitted);
    let mut consumer = store.consumer(config).unwrap();
    consumer.assign([("t", 0)]).unwrap();
    assert_eq!(consumer.position(("t", 0)).unwrap(), 1);
    consumer.seek_to_timestamp(NOW_MS + 1).unwrap();
    assert_eq!(consumer.position(("t", 0)).unwrap(), 1);
    commit(&log, 2);
    assert_eq!(consumer.poll(Duration::ZERO).unwrap()[0].offset, 1);
}

#[test]
fn the_isolation_level_is_configured_by_kafkas_name() {
    let mut config = ConsumerConfig::new();
    config.set("isolation.level", "read_committed").unwrap();
    match config.set("isolation.level", "serializable") {
        Err(Error::InvalidConfig { key, .. }) => assert_eq!(key, "isolation.level"),
        other => panic!("{other:?}"),
    }
    assert_eq!("read_uncommitted".parse::<IsolationLevel>().unwrap().to_string(), "read_uncommitted");
}

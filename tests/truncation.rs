//! Cutting records off the end and the start of a log, and the leader epochs that go with that.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;
mod common;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use api::manual;
use common::{Sent, append, check_lookups, read_all};
use esker::io::MemoryStorage;
use esker::record::Compression;
use esker::{
    Acks, CleanupPolicy, CommittedOffset, EpochEndOffset, Error, Log, Offset, ProducerConfig, ReadLimits, Record,
    Store, TopicConfig,
};
use proptest::prelude::*;

const NOW_MS: i64 = 1_700_000_000_000;

fn small_segments() -> TopicConfig {
    TopicConfig::new().internal_segment_bytes(600).index_interval_bytes(100).retention_ms(-1)
}

fn log_of(store: &Store) -> Log {
    store.partition("t", 0).unwrap()
}

fn new_log() -> (Store, Log) {
    let store = manual().0.open_temporary().unwrap();
    store.create_topic("t", small_segments()).unwrap();
    let log = log_of(&store);
    (store, log)
}

/// Appends a batch of `count` records whose values name their offsets and `tag`.
fn append_batch(log: &Log, count: Offset, tag: &str, acks: Acks) -> Vec<(Offset, Sent)> {
    let base_offset = log.log_end();
    let offsets = base_offset..base_offset + count;
    let sent: Vec<Sent> =
        offsets.clone().map(|at| Sent::value(NOW_MS + at % 1_000, format!("{tag} {at} {:>40}", ""))).collect();
    assert_eq!(append(log, &sent, Compression::None, acks).unwrap().base_offset, base_offset);
    offsets.zip(sent).collect()
}

fn epochs(log: &Log) -> Vec<(i32, Offset)> {
    log.leader_epochs().iter().map(|entry| (entry.epoch, entry.start_offset)).collect()
}

#[test]
fn a_log_is_cut_before_the_batch_that_holds_the_offset_and_goes_on_there() {
    for offset in 0..=30 {
        let (store, log) = new_log();
        let mut records: Vec<_> = (0..10).flat_map(|_| append_batch(&log, 3, "old", Acks::Leader)).collect();
        assert!(log.segment_count() > 3);
        let end = log.truncate_to(offset).unwrap();
        assert_eq!((end, log.log_end(), log.high_watermark()), (offset - offset % 3, end, end));
        records.truncate(end as usize);
        assert_eq!(read_all(&log, ReadLimits::new()).unwrap(), records);
        assert!(matches!(log.read(end + 1, ReadLimits::new()), Err(Error::OffsetOutOfRange { .. })));
        for _ in 0..6 {
            records.extend(append_batch(&log, 2, "new", Acks::All));
        }
        assert_eq!(log.recovery_point(), log.log_end());
        check_lookups(&log, &records).unwrap();
        store.close().unwrap();
        let store = manual().0.open(store.dir()).unwrap();
        assert!(store.recovery_report().is_healthy());
        assert_eq!(read_all(&log_of(&store), ReadLimits::new()).unwrap(), records);
    }
}

#[test]
fn nothing_to_cut_is_no_error_and_a_negative_offset_is() {
    let (_store, log) = new_log();
    append_batch(&log, 3, "old", Acks::Leader);
    assert_eq!([log.truncate_to(3).unwrap(), log.truncate_to(99).unwrap()], [3, 3]);
    assert!(matches!(log.truncate_to(-1), Err(Error::OffsetOutOfRange { .. })));
    assert!(matches!(log.truncate_fully_and_start_at(-1), Err(Error::OffsetOutOfRange { .. })));
}

#[test]
fn a_log_starts_anew_at_any_offset() {
    for offset in [0, 7, 12, 30, 5_000_000_000] {
        let (store, log) = new_log();
        log.set_leader_epoch(2).unwrap();
        for _ in 0..10 {
            append_batch(&log, 3, "old", Acks::All);
        }
        log.delete_records(9).unwrap();
        let fetched = log.read(12, ReadLimits::new()).unwrap();
        log.truncate_fully_and_start_at(offset).unwrap();
        assert_eq!((log.log_start(), log.log_end(), epochs(&log)), (offset, offset, vec![(2, offset)]));
        assert!(log.read(offset, ReadLimits::new()).unwrap().is_empty());
        assert!(fetched.batches().all(|batch| batch.is_ok()), "what was handed out stays");
        let records = append_batch(&log, 2, "new", Acks::All);
        store.close().unwrap();
        let store = manual().0.open(store.dir()).unwrap();
        let log = log_of(&store);
        assert_eq!((log.log_start(), read_all(&log, ReadLimits::new()).unwrap()), (offset, records));
    }
}

#[test]
fn cutting_to_before_the_log_start_leaves_no_records_and_moves_it() {
    let (_store, log) = new_log();
    for _ in 0..10 {
        append_batch(&log, 3, "old", Acks::Leader);
    }
    log.delete_records(16).unwrap();
    assert_eq!(log.truncate_to(17).unwrap(), 16, "the batch is cut, and the log start holds");
    assert_eq!((log.log_start(), log.log_end()), (16, 16));
    append_batch(&log, 3, "new", Acks::Leader);
    assert_eq!(log.truncate_to(4).unwrap(), 4);
    assert_eq!((log.log_start(), log.log_end()), (4, 4));
}

#[test]
fn whoever_waits_for_records_that_are_cut_off_is_told() {
    let (store, log) = new_log();
    append_batch(&log, 3, "kept", Acks::All);
    let producer = store.producer(ProducerConfig::new().acks(Acks::All).linger(std::time::Duration::ZERO)).unwrap();
    let pending = producer.send_async(Record::to("t").value("cut")).unwrap();
    assert!(pending.is_appended());
    log.truncate_to(3).unwrap();
    // Another record has its offset, and is on the device.
    append_batch(&log, 1, "new", Acks::All);
    match pending.wait() {
        Err(Error::LogTruncated { log_end, .. }) => assert_eq!(log_end, 3),
        other => panic!("{other:?}"),
    }
    log.flush().unwrap();
    append_batch(&log, 1, "new", Acks::All);
}

#[test]
fn readers_see_the_old_log_or_the_new_one() {
    let (_store, log) = new_log();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut kept = Vec::new();
                while !is_done.load(Ordering::Relaxed) {
                    let mut offset = log.log_start();
                    loop {
                        let fetched = match log.read(offset, ReadLimits::new().max_bytes(300)) {
                            Ok(fetched) if fetched.is_empty() => break,
                            Ok(fetched) => fetched,
                            Err(Error::OffsetOutOfRange { .. }) => break,
                            Err(error) => panic!("{error}"),
                        };
                        // Each record says where it belongs.
                        for batch in fetched.batches() {
                            for record in &batch.unwrap().records().unwrap() {
                                let record = record.unwrap();
                                let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                                assert_eq!(value.split(' ').nth(1).unwrap().parse(), Ok(record.offset), "{value}");
                            }
                        }
                        offset = fetched.next_offset();
                        kept.push((fetched.bytes().to_vec(), fetched));
                    }
                    log.offset_for_timestamp(NOW_MS + 20).unwrap();
                    kept.drain(..kept.len().saturating_sub(10));
                    assert!(kept.iter().all(|(copied, fetched)| copied == fetched.bytes()), "slices are constant");
                }
            });
        }
        for round in 0..60 {
            while log.log_end() < 60 {
                append_batch(&log, 1 + round % 4, &format!("{round}"), Acks::Leader);
            }
            log.truncate_to((round * 7) % 60).unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn epochs_are_cut_with_their_records_and_the_current_one_goes_on() {
    let (store, log) = new_log();
    for epoch in [0, 2, 5] {
        log.set_leader_epoch(epoch).unwrap();
        append_batch(&log, 4, "old", Acks::Leader);
        append_batch(&log, 4, "old", Acks::Leader);
    }
    assert_eq!(epochs(&log), [(0, 0), (2, 8), (5, 16)]);
    let end = |log: &Log, epoch| {
        log.end_offset_for_epoch(epoch).map(|EpochEndOffset { leader_epoch, end_offset }| (leader_epoch, end_offset))
    };
    assert_eq!([end(&log, 0), end(&log, 4), end(&log, 5)], [Some((0, 8)), Some((2, 16)), Some((5, 24))]);
    assert_eq!(end(&log, 6), None);
    assert_eq!(log.truncate_to(12).unwrap(), 12);
    assert_eq!(epochs(&log), [(0, 0), (2, 8), (5, 12)]);
    append_batch(&log, 1, "new", Acks::Leader);
    let batch = log.read(12, ReadLimits::new()).unwrap().batches().next().unwrap().unwrap();
    assert_eq!(batch.header().partition_leader_epoch, 5);
    log.delete_records(10).unwrap();
    assert_eq!(epochs(&log), [(2, 10), (5, 12)]);
    store.close().unwrap();
    let store = manual().0.open(store.dir()).unwrap();
    assert_eq!(epochs(&log_of(&store)), [(2, 10), (5, 12)]);
}

#[test]
fn epochs_without_a_file_come_from_the_batches() {
    let dir = tempfile::tempdir().unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    store.create_topic("t", small_segments()).unwrap();
    let log = log_of(&store);
    for epoch in [1, 4] {
        log.set_leader_epoch(epoch).unwrap();
        for _ in 0..5 {
            append_batch(&log, 3, "old", Acks::Leader);
        }
    }
    store.close().unwrap();
    drop((store, log));
    let file = dir.path().join("t-0/leader-epoch-checkpoint");
    for contents in [None, Some("0\n1\n4 x\n"), Some("0\n2\n4 15\n"), Some(""), Some("0\n1\n-4 15\n")] {
        match contents {
            None => fs::remove_file(&file).unwrap(),
            Some(contents) => fs::write(&file, contents).unwrap(),
        }
        let store = manual().0.open(dir.path()).unwrap();
        assert_eq!(epochs(&log_of(&store)), [(1, 0), (4, 15)], "{contents:?}");
        let found = &store.recovery_report().partitions[0];
        assert!(found.leader_epochs_rebuilt, "{contents:?}");
        // What can't be read is kept, for a person to look at.
        let is_malformed = contents.is_some_and(|contents| !contents.is_empty());
        assert_eq!(found.cuts.len(), usize::from(is_malformed), "{contents:?}");
        if let Some(cut) = found.cuts.first() {
            let kept = fs::read_to_string(dir.path().join("t-0").join(&cut.kept_as)).unwrap();
            assert_eq!((Some(&*kept), &*cut.file), (contents, "leader-epoch-checkpoint"));
        }
        store.close().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "0\n2\n1 0\n4 15\n", "{contents:?}");
        let again = manual().0.open(dir.path()).unwrap();
        assert!(!again.recovery_report().partitions[0].leader_epochs_rebuilt && again.recovery_report().is_healthy());
        again.close().unwrap();
    }
}

#[test]
fn deleted_records_are_out_of_range_at_once_and_their_segments_go_at_the_next_retention() {
    for policy in [CleanupPolicy::DELETE, CleanupPolicy::COMPACT_DELETE] {
        let (options, clock) = manual();
        let store = options.open_temporary().unwrap();
        store.create_topic("t", small_segments().cleanup_policy(policy)).unwrap();
        let log = log_of(&store);
        for at in 0..30 {
            let sent = Sent { key: Some(b"key".to_vec()), ..Sent::value(NOW_MS, format!("{at:>60}")) };
            append(&log, &[sent], Compression::None, Acks::Leader).unwrap();
        }
        let before = (log.segment_count(), log.size_in_bytes());
        assert_eq!(log.delete_records(20).unwrap(), 20);
        assert!(matches!(log.read(19, ReadLimits::new()), Err(Error::OffsetOutOfRange { log_start: 20, .. })));
        assert_eq!(read_all(&log, ReadLimits::new()).unwrap().first().unwrap().0, 20);
        assert_eq!((log.segment_count(), log.size_in_bytes()), before);
        clock.advance(300_000);
        store.tick().unwrap();
        assert!(log.segment_count() < before.0 && log.size_in_bytes() < before.1);
        assert_eq!(log.delete_records(10).unwrap(), 20, "they are gone already");
        assert!(matches!(log.delete_records(31), Err(Error::OffsetOutOfRange { requested: 31, .. })));
        assert!(matches!(log.delete_records(-2), Err(Error::OffsetOutOfRange { .. })));
        assert_eq!(log.delete_records(-1).unwrap(), 30, "up to the high watermark");
        assert!(read_all(&log, ReadLimits::new()).unwrap().is_empty());
    }
    let store = manual().0.open_temporary().unwrap();
    store.create_topic("t", small_segments()).unwrap();
    store.commit_offsets("g", [(("t", 0).into(), CommittedOffset::new(0))], Acks::Leader).unwrap();
    let refused = store.partition("__consumer_offsets", 3).unwrap().delete_records(0);
    assert!(matches!(refused, Err(Error::PolicyViolation { .. })));
}

/// Something to do with a log.
#[derive(Clone, Debug)]
enum Op {
    Append(Offset),
    /// Whereabouts in the log to cut, in thousandths.
    Truncate(Offset),
    StartAnew(Offset),
    Delete(Offset),
    RaiseEpoch,
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => (1_i64..6).prop_map(Op::Append),
        3 => (-50_i64..1_050).prop_map(Op::Truncate),
        1 => (0_i64..200).prop_map(Op::StartAnew),
        2 => (0_i64..1_001).prop_map(Op::Delete),
        2 => Just(Op::RaiseEpoch),
        1 => Just(Op::Reopen),
    ]
}

/// Beside the log go the batches that are there, with their epochs.
fn run(ops: &[Op]) {
    let storage = Arc::new(MemoryStorage::new());
    let open = || manual().0.storage(storage.clone()).open("data").unwrap();
    let mut store = open();
    store.create_topic("t", small_segments()).unwrap();
    let mut log = log_of(&store);
    let (mut batches, mut start, mut end, mut epoch) = (Vec::<(i32, Vec<(Offset, Sent)>)>::new(), 0, 0, 0);
    for (number, op) in ops.iter().enumerate() {
        let at = |thousandths: Offset| (start + (end - start) * thousandths / 1_000).max(0);
        match op {
            Op::Append(count) => {
                batches.push((epoch, append_batch(&log, *count, &format!("{number}"), Acks::Leader)));
                end += count;
            }
            Op::Truncate(thousandths) => {
                let offset = at(*thousandths);
                if offset < end {
                    batches.retain(|(_, batch)| batch.last().unwrap().0 < offset);
                    let last = batches.last().map(|(_, batch)| batch.last().unwrap().0 + 1);
                    end = last.filter(|last| *last > start).unwrap_or(offset.min(start));
                    start = start.min(end);
                    batches.retain(|(_, batch)| batch[0].0 >= start || end > start);
                }
                assert_eq!(log.truncate_to(offset).unwrap(), end, "{op:?} to {offset}");
            }
            Op::StartAnew(offset) => {
                log.truncate_fully_and_start_at(*offset).unwrap();
                batches.clear();
                (start, end) = (*offset, *offset);
            }
            Op::Delete(thousandths) => {
                let offset = at(*thousandths);
                assert_eq!(log.delete_records(offset).unwrap(), offset);
                start = offset;
                batches.retain(|(_, batch)| batch.last().unwrap().0 >= offset);
            }
            Op::RaiseEpoch => {
                epoch += 1;
                assert_eq!(log.set_leader_epoch(epoch).unwrap(), end);
            }
            Op::Reopen => {
                store.close().unwrap();
                drop((log, store));
                store = open();
                assert!(store.recovery_report().is_healthy());
                log = log_of(&store);
            }
        }
        assert_eq!((log.log_start(), log.log_end(), log.leader_epoch()), (start, end, epoch), "{op:?}");
        for asked in 0..epoch {
            let after = batches.iter().find(|(of, _)| *of > asked).map(|(_, batch)| batch[0].0);
            let expected = after.unwrap_or(end).max(start);
            let found = log.end_offset_for_epoch(asked).unwrap().end_offset;
            assert_eq!(found, expected, "epoch {asked} after {op:?}: {:?}", epochs(&log));
        }
    }
    let records: Vec<_> = batches.into_iter().flat_map(|(_, batch)| batch).filter(|(at, _)| *at >= start).collect();
    assert_eq!(read_all(&log, ReadLimits::new()).unwrap(), records);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn a_log_that_is_cut_at_both_ends_is_a_list_of_batches(ops in prop::collection::vec(op(), 1..40)) {
        run(&ops);
    }
}

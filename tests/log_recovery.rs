//! A log whose files and bookkeeping part ways: what a clean marker stands on, what an open makes of names, checkpoints
//! and indexes that promise more than the log holds, and that retention finishes what failed halfway.
#![cfg(feature = "sim")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod common;

use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use esker::io::Storage;
use esker::record::{BatchBuilder, BatchHeader, BatchRef, RecordData};
use esker::sim::{Crash, Fault, FaultStorage, ManualClock, Operation};
use esker::{
    Acks, AppendOptions, Corruption, Error, Log, Maintenance, NO_TIMESTAMP, Offset, ReadLimits, Result, Store,
    TopicConfig,
};

use common::reserving::Reserving;
use common::{append_value, check_lookups, read_all};

const START_MS: i64 = 1_700_000_000_000;
const CLEAN_MARKER: &str = "/data/.kafka_cleanshutdown";
const RECOVERY_POINTS: &str = "/data/recovery-point-offset-checkpoint";
const LOG_STARTS: &str = "/data/log-start-offset-checkpoint";
const PARTITION: &str = "/data/t-0";
const FIRST_LOG: &str = "/data/t-0/00000000000000000000.log";

/// The highest offset that a segment can begin at: all that it may hold must have offsets, too.
const OFFSET_MAX: Offset = Offset::MAX - 2 * (u32::MAX as Offset);

/// How often a store looks for old segments. The files of those that it finds wait for a shorter time.
const RETENTION_INTERVAL: Duration = Duration::from_secs(300);

fn open(disk: &FaultStorage) -> Result<Store> {
    open_with_clock(disk, &ManualClock::new(START_MS))
}

fn open_with_clock(disk: &FaultStorage, clock: &ManualClock) -> Result<Store> {
    Store::options()
        .storage(Arc::new(disk.clone()))
        .clock(Arc::new(clock.clone()))
        .maintenance(Maintenance::Manual)
        .open("/data")
}

fn create_log(store: &Store, config: TopicConfig) -> Log {
    store.create_topic("t", config).unwrap();
    store.partition("t", 0).unwrap()
}

/// Segments of ten batches of [`fill`], with several entries in each index.
fn small_segments() -> TopicConfig {
    TopicConfig::new().internal_segment_bytes(1_000).index_interval_bytes(200)
}

/// Appends `count` batches of one record, all of one size, a second apart, each synced.
fn fill(log: &Log, count: i64) {
    for _ in 0..count {
        let timestamp = START_MS + 1_000 * log.log_end();
        append_value(log, timestamp, &[1; 30], Acks::All).unwrap();
    }
}

/// The offsets of all records, read from the log's start to its end.
fn offsets(log: &Log) -> Vec<Offset> {
    read_all(log, ReadLimits::new()).unwrap().into_iter().map(|(offset, _)| offset).collect()
}

/// The offset of the first batch that a read at `offset` gives.
fn first_read(log: &Log, offset: Offset) -> Offset {
    let fetched = log.read(offset, ReadLimits::new()).unwrap();
    fetched.batches().next().unwrap().unwrap().header().base_offset
}

/// The names in the partition's directory that belong to segments.
fn segment_files(disk: &FaultStorage) -> Vec<String> {
    let names = disk.list(Path::new(PARTITION)).unwrap().into_iter().map(|entry| entry.name);
    names.filter(|name| name.contains(".log") || name.contains("index")).collect()
}

/// A disk with a log of `count` records of one segment on it that was closed.
fn closed_log(count: i64) -> FaultStorage {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    fill(&create_log(&store, TopicConfig::new()), count);
    store.close().unwrap();
    disk
}

/// A disk with a log of ten records on it, all below its recovery point, of which everything from the sixth on turned
/// into zeros when the process died.
fn log_with_lost_records() -> FaultStorage {
    let (disk, clock) = (FaultStorage::new(1), ManualClock::new(START_MS));
    let store = open_with_clock(&disk, &clock).unwrap();
    fill(&create_log(&store, TopicConfig::new().index_interval_bytes(200)), 10);
    clock.advance(Duration::from_secs(61)); // the recovery point is written to the checkpoint every minute
    store.tick().unwrap();

    let disk = disk.after_crash(Crash::Process, 0);
    let mut bytes = disk.contents(FIRST_LOG).unwrap();
    let batch_size = BatchHeader::parse(&bytes).unwrap().size();
    bytes[5 * batch_size..].fill(0);
    disk.set_contents(FIRST_LOG, &bytes).unwrap();
    disk
}

/// The offsets that the open reported as damage, with why.
fn damage(store: &Store) -> Vec<(RangeInclusive<Offset>, Corruption)> {
    let damage = store.recovery_report().partitions.iter().flat_map(|partition| &partition.damage);
    damage
        .map(|damage| match damage.error.clone() {
            Error::CorruptRecord { offsets: Some(offsets), reason, .. } => (offsets, reason),
            other => panic!("{other:?}"),
        })
        .collect()
}

// The clean marker: an open that finds it checks nothing, so everything must be on the device.

/// A store on a disk where space is taken ahead of what is appended, with a log of two segments: the first holds eight
/// records and was closed since they were synced, the second is empty.
///
/// Closing the first gave it its true length and its time index a last entry. But the batch that it was closed for
/// found no space, so nothing was appended after that, and nobody waited for a sync.
fn with_unsynced_closed_segment() -> (FaultStorage, ManualClock, Store, Log) {
    let (disk, clock) = (FaultStorage::new(1), ManualClock::new(START_MS));
    let store = Store::options()
        .storage(Arc::new(Reserving::new(disk.clone(), 256)))
        .clock(Arc::new(clock.clone()))
        .maintenance(Maintenance::Manual)
        .open("/data")
        .unwrap();
    let log = create_log(&store, small_segments());
    fill(&log, 8);
    disk.inject(Fault::new(ErrorKind::StorageFull).on(Operation::Append).on_path_suffix("08.log").times(1));
    append_value(&log, START_MS + 99_000, &[7; 800], Acks::All).unwrap_err();
    assert_eq!((log.segment_count(), log.log_end()), (2, 8));
    (disk, clock, store, log)
}

#[test]
fn a_clean_marker_is_never_over_an_unsynced_closed_segment() {
    let (disk, _, store, log) = with_unsynced_closed_segment();
    let records = read_all(&log, ReadLimits::new()).unwrap();

    store.close().unwrap();

    for seed in 0..100 {
        let after = disk.after_crash(Crash::Power, seed);
        // Reads find their way around an index that lacks an entry and a log with zeros behind its end; so compare
        // bytes.
        for suffix in ["log", "index", "timeindex"] {
            let path = format!("{PARTITION}/00000000000000000000.{suffix}");
            let (kept, closed) = (after.contents(&path).unwrap(), disk.contents(&path).unwrap());
            assert!(kept == closed, "seed {seed} left {} bytes of {} in {path}", kept.len(), closed.len());
        }
        let store = open(&after).unwrap();
        assert!(store.recovery_report().clean_shutdown && store.recovery_report().is_healthy());
        let log = store.partition("t", 0).unwrap();
        assert_eq!(read_all(&log, ReadLimits::new()).unwrap(), records, "seed {seed}");
        check_lookups(&log, &records).unwrap_or_else(|reason| panic!("seed {seed}: {reason}"));
    }
}

#[test]
fn a_sync_that_failed_before_a_close_leaves_no_clean_marker() {
    let (disk, clock, store, _) = with_unsynced_closed_segment();
    disk.inject(Fault::io_error().on(Operation::Sync).on_path_suffix(".timeindex").times(1));
    clock.advance(RETENTION_INTERVAL);
    store.tick().unwrap_err();

    let closed = store.close();

    // All records are acknowledged, and all syncs would succeed now. But the one that failed may have dropped pages.
    assert!(matches!(closed, Err(Error::LogOffline { .. })), "{closed:?}");
    assert!(disk.contents(CLEAN_MARKER).is_err());
}

#[test]
fn a_sync_that_fails_at_close_leaves_no_clean_marker() {
    for suffix in [".log", ".index", ".timeindex"] {
        let disk = FaultStorage::new(1);
        let store = open(&disk).unwrap();
        let log = create_log(&store, TopicConfig::new().index_interval_bytes(200));
        fill(&log, 10);
        // All records are acknowledged, but their indexes are unsynced. A close that finds no space is tried again with
        // what the store holds back for that; but a sync that found none has failed as any other, and that the next one
        // succeeds proves nothing.
        disk.inject(Fault::new(ErrorKind::StorageFull).on(Operation::Sync).on_path_suffix(suffix).times(1));

        let closed = store.close();

        assert!(closed.is_err(), "{suffix}");
        assert!(disk.contents(CLEAN_MARKER).is_err(), "{suffix}");
        drop((store, log));
        let store = open(&disk.after_crash(Crash::Power, 0)).unwrap();
        assert!(!store.recovery_report().clean_shutdown);
        let log = store.partition("t", 0).unwrap();
        assert_eq!(offsets(&log), (0..10).collect::<Vec<_>>(), "{suffix}");
    }
}

// Retention.

#[test]
fn retention_measures_a_log_without_timestamps_from_its_last_append() {
    let (disk, clock) = (FaultStorage::new(1), ManualClock::new(START_MS));
    let store = open_with_clock(&disk, &clock).unwrap();
    let log = create_log(&store, TopicConfig::new().retention_ms(3_600_000));
    append_value(&log, NO_TIMESTAMP, b"old", Acks::All).unwrap();
    clock.advance(Duration::from_secs(3_601));
    append_value(&log, NO_TIMESTAMP, b"new", Acks::All).unwrap();

    store.tick().unwrap();
    assert_eq!(log.log_start(), 0, "a segment is as young as its youngest record");

    clock.advance(Duration::from_secs(3_601));
    store.tick().unwrap();
    assert_eq!(log.log_start(), 2, "and not kept forever");
}

#[test]
fn retention_that_fails_halfway_is_finished_by_the_next_tick() {
    for operation in [Operation::Rename, Operation::RemoveFile] {
        let (disk, clock) = (FaultStorage::new(1), ManualClock::new(START_MS));
        let store = open_with_clock(&disk, &clock).unwrap();
        let log = create_log(&store, small_segments().retention_bytes(2_000));
        fill(&log, 100);
        // Not the first, so that the segment's files are apart: one has gone its way, the next one has not.
        disk.inject(Fault::io_error().on(operation).on_path_suffix(".deleted").nth(1));

        // Each tick finds that the delay of what the one before it renamed has passed.
        let ticks: Vec<Result<_>> = (0..3)
            .map(|_| {
                clock.advance(RETENTION_INTERVAL);
                store.tick()
            })
            .collect();

        assert_eq!(ticks.iter().filter(|tick| tick.is_err()).count(), 1, "{operation:?}: {ticks:?}");
        assert!(ticks[2].is_ok(), "{operation:?}: {ticks:?}");
        let files = segment_files(&disk);
        assert_eq!(
            files.len(),
            3 * log.segment_count(),
            "{operation:?} left files that nobody would remove: {files:?}"
        );
        assert_eq!(offsets(&log), (log.log_start()..100).collect::<Vec<_>>());
    }
}

#[test]
fn a_time_index_ahead_of_its_log_is_not_believed() {
    let (disk, clock) = (FaultStorage::new(1), ManualClock::new(START_MS));
    let store = open_with_clock(&disk, &clock).unwrap();
    let log = create_log(&store, TopicConfig::new().retention_ms(1_000));
    append_value(&log, START_MS, b"x", Acks::All).unwrap();
    store.close().unwrap();
    drop((store, log));
    // The largest timestamp there is, at the segment's first offset: later entries would have to exceed it.
    let entry = [&i64::MAX.to_be_bytes()[..], &[0; 4]].concat();
    disk.set_contents(format!("{PARTITION}/00000000000000000000.timeindex"), &entry).unwrap();

    let store = open_with_clock(&disk, &clock).unwrap();
    let log = store.partition("t", 0).unwrap();
    append_value(&log, START_MS + 1, b"y", Acks::All).unwrap();
    let records = read_all(&log, ReadLimits::new()).unwrap();
    check_lookups(&log, &records).unwrap();
    clock.advance(RETENTION_INTERVAL);
    store.tick().unwrap();

    assert_eq!(log.log_start(), 2, "the records are old, whatever the index says");
}

// What was on the device and is gone.

#[test]
fn records_below_the_recovery_point_that_turned_into_zeros_are_damage() {
    let disk = log_with_lost_records();

    let store = open(&disk).unwrap();

    assert!(!store.recovery_report().is_healthy());
    assert_eq!(damage(&store), [(5..=9, Corruption::Missing)]);
    let log = store.partition("t", 0).unwrap();
    assert_eq!(log.log_end(), 10, "what was acknowledged is not given out again");
    assert_eq!(offsets(&log), [0, 1, 2, 3, 4]);
}

#[test]
fn a_last_segment_that_vanished_is_damage() {
    let disk = closed_log(10);
    disk.erase(FIRST_LOG).unwrap();

    let store = open(&disk).unwrap();

    assert!(store.recovery_report().clean_shutdown && !store.recovery_report().is_healthy());
    assert_eq!(damage(&store), [(0..=9, Corruption::Missing)]);
    let log = store.partition("t", 0).unwrap();
    assert_eq!(append_value(&log, START_MS, b"next", Acks::All).unwrap(), 10);
}

// Reads in a gap. The indexes of the segment behind it must not lead past that segment's first records.

#[test]
fn a_read_in_a_gap_begins_at_the_first_record_behind_it() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    let log = create_log(&store, small_segments());
    fill(&log, 40);
    store.close().unwrap();
    drop((store, log));
    // As compaction may leave it.
    for suffix in ["log", "index", "timeindex"] {
        disk.erase(format!("{PARTITION}/00000000000000000010.{suffix}")).unwrap();
    }

    let store = open(&disk).unwrap();
    let log = store.partition("t", 0).unwrap();

    for offset in 10..20 {
        assert_eq!(first_read(&log, offset), 20, "from {offset}");
    }
    assert_eq!(offsets(&log), (0..10).chain(20..40).collect::<Vec<_>>());
}

#[test]
fn a_read_among_lost_records_begins_at_the_first_one_appended_after_them() {
    let disk = log_with_lost_records();
    let store = open(&disk).unwrap();
    let log = store.partition("t", 0).unwrap();

    fill(&log, 30);

    for offset in 5..10 {
        assert_eq!(first_read(&log, offset), 10, "from {offset}");
    }
    assert_eq!(offsets(&log), (0..5).chain(10..40).collect::<Vec<_>>());
}

// Extreme offsets.

/// A disk with a log of ten records on it whose process died, and a checkpoint file that has `offset` for it.
fn with_checkpoint(file: &str, offset: Offset) -> FaultStorage {
    let disk = closed_log(10);
    disk.erase(CLEAN_MARKER).unwrap();
    disk.set_contents(file, format!("0\n1\nt 0 {offset}\n").as_bytes()).unwrap();
    disk
}

#[test]
fn a_checkpoint_of_an_offset_that_no_log_can_have_is_refused() {
    for file in [RECOVERY_POINTS, LOG_STARTS] {
        for offset in [OFFSET_MAX + 1, Offset::MAX] {
            let disk = with_checkpoint(file, offset);

            let opened = open(&disk);

            match opened {
                Err(Error::MalformedFile { file: named, reason, .. }) => {
                    assert_eq!(named, Path::new(file));
                    assert!(reason.contains(&offset.to_string()), "{reason}");
                }
                other => panic!("{file} of {offset}: {other:?}"),
            }
            disk.set_contents(file, b"0\n1\nt 0 0\n").unwrap();
            let store = open(&disk).unwrap();
            assert_eq!(offsets(&store.partition("t", 0).unwrap()), (0..10).collect::<Vec<_>>(), "nothing was touched");
        }
    }
}

#[test]
fn a_log_goes_on_at_a_recovery_point_far_beyond_its_end() {
    let beyond_a_segment = 10_000_000_000;
    for recovery_point in [beyond_a_segment, OFFSET_MAX] {
        for tail in [&[][..], &[9; 100]] {
            let disk = with_checkpoint(RECOVERY_POINTS, recovery_point);
            let bytes = disk.contents(FIRST_LOG).unwrap();
            disk.set_contents(FIRST_LOG, &[&bytes, tail].concat()).unwrap();

            let store = open(&disk).unwrap();

            // All that is missing is reported, in one piece or in two, and neither more nor less.
            let damage: Vec<_> = damage(&store).into_iter().map(|(offsets, _)| offsets).collect();
            assert_eq!(*damage.first().unwrap().start(), 10);
            assert!(damage.is_sorted_by(|a, b| a.end() + 1 == *b.start()), "{damage:?}");
            assert_eq!(*damage.last().unwrap().end(), recovery_point - 1);
            let log = store.partition("t", 0).unwrap();
            assert_eq!(append_value(&log, START_MS, b"next", Acks::All).unwrap(), recovery_point);
            assert_eq!(first_read(&log, recovery_point), recovery_point);
            assert_eq!(log.read(0, ReadLimits::new()).unwrap().next_offset(), 10);
        }
    }
}

#[test]
fn a_file_named_for_an_offset_that_no_segment_can_begin_at_is_passed_over() {
    for base_offset in [OFFSET_MAX + 1, Offset::MAX] {
        for is_clean in [false, true] {
            let disk = closed_log(10);
            if !is_clean {
                disk.erase(CLEAN_MARKER).unwrap();
            }
            let stray = format!("{PARTITION}/{base_offset:020}.log");
            disk.set_contents(&stray, b"").unwrap();

            let store = open(&disk).unwrap();

            let log = store.partition("t", 0).unwrap();
            assert_eq!(append_value(&log, START_MS, b"next", Acks::All).unwrap(), 10);
            assert_eq!(offsets(&log), (0..11).collect::<Vec<_>>());
            assert!(disk.contents(&stray).is_ok(), "it is not the log's to remove");
        }
    }
}

#[test]
fn a_gap_that_no_segment_spans_is_one_that_compaction_may_leave() {
    let far = 6_000_000_000;
    let disk = closed_log(1);
    for suffix in ["log", "index", "timeindex"] {
        disk.set_contents(format!("{PARTITION}/{far:020}.{suffix}"), b"").unwrap();
    }

    let store = open(&disk).unwrap();

    assert!(store.recovery_report().clean_shutdown && store.recovery_report().is_healthy());
    let log = store.partition("t", 0).unwrap();
    assert_eq!(append_value(&log, START_MS, b"next", Acks::All).unwrap(), far);
    assert_eq!(offsets(&log), [0, far]);
}

#[test]
fn a_batch_with_an_absurd_last_offset_delta_is_an_invalid_record() {
    let store = open(&FaultStorage::new(1)).unwrap();
    let log = create_log(&store, TopicConfig::new());
    let mut builder = BatchBuilder::new(1_000);
    builder.push(&RecordData::of(b"x").at(START_MS)).unwrap();
    let mut bytes = builder.build().unwrap().bytes().to_vec();
    bytes[23..27].copy_from_slice(&i32::MAX.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    let batch = BatchRef::parse(&bytes).unwrap(); // compaction may leave one record of so many

    let appended = log.append(batch, Acks::Leader);

    assert!(matches!(appended, Err(Error::InvalidRecord { .. })), "{appended:?}");
    assert_eq!(append_value(&log, START_MS, b"next", Acks::All).unwrap(), 0);
}

// Leader epochs.

#[test]
fn an_epoch_does_not_begin_beyond_the_end_of_a_cut_log_and_still_fences() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    let log = create_log(&store, TopicConfig::new());
    append_value(&log, START_MS, &[1; 5_000], Acks::All).unwrap();
    for _ in 1..20 {
        append_value(&log, START_MS, &[1; 5_000], Acks::Leader).unwrap();
    }
    // The epoch is on the device when this returns; the records before it need not be.
    assert_eq!(log.set_leader_epoch(3).unwrap(), 20);

    let mut cut_logs = 0;
    for seed in 0..50 {
        let disk = disk.after_crash(Crash::Power, seed);
        let store = open(&disk).unwrap();
        let log = store.partition("t", 0).unwrap();

        let end = log.log_end();
        cut_logs += i64::from(end < 20);
        let epochs = String::from_utf8(disk.contents(format!("{PARTITION}/leader-epoch-checkpoint")).unwrap()).unwrap();
        let (epoch, start) = epochs.lines().last().unwrap().split_once(' ').unwrap();
        assert_eq!((epoch, log.leader_epoch()), ("3", 3), "seed {seed}");
        assert!(start.parse::<Offset>().unwrap() <= end, "seed {seed} ends at {end}: {epochs}");

        let append_under = |epoch| {
            let mut builder = BatchBuilder::new(1_000);
            builder.push(&RecordData::of(b"next").at(START_MS)).unwrap();
            log.append_with(builder.build().unwrap(), AppendOptions::new(Acks::All).leader_epoch(epoch))
        };
        assert!(matches!(append_under(2), Err(Error::FencedLeaderEpoch { requested: 2, current: 3, .. })));
        assert_eq!(append_under(3).unwrap().base_offset, end);
    }
    assert!(cut_logs > 10, "{cut_logs} of the crashes cut the log");
}

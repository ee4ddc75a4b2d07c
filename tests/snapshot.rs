//! Snapshots of a store that is being written to: one moment of it, whole or not there, and its source untouched.
#![cfg(feature = "sim")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod common;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use esker::io::{AppendFile, Storage};
use esker::record::Compression;
use esker::sim::{Crash, Fault, FaultStorage, Lie, ManualClock, Operation};
use esker::{
    Acks, AlterConfigOp, CleanupPolicy, CommittedOffset, Error, Log, Maintenance, Offset, ProducerConfig, ReadLimits,
    Record, Result, SnapshotReport, Store, StoreConfig, TopicConfig, TopicPartition,
};

use common::cases::catching;
use common::forward::forward;
use common::random::Random;
use common::{Sent, append, append_value, check_lookups, codecs, read_all};

fn options(storage: &FaultStorage) -> esker::StoreOptions {
    let config = StoreConfig { offsets_topic_num_partitions: 1, ..StoreConfig::default() };
    Store::options().storage(Arc::new(storage.clone())).maintenance(Maintenance::Manual).config(config)
}

fn small_segments() -> TopicConfig {
    TopicConfig::new().internal_segment_bytes(20_000).index_interval_bytes(500).retention_ms(-1)
}

fn fill(store: &Store, batches: usize) {
    let mut random = Random::new(4);
    for batch in 0..batches {
        let log = store.partition("t", batch as i32 % 2).unwrap();
        let start = log.log_end();
        let records: Vec<Sent> = (start..start + 1 + random.below(4) as Offset)
            .map(|offset| Sent::random(&mut random, offset as u64, offset, 300))
            .collect();
        append(&log, &records, *random.pick(&codecs()), Acks::Leader).unwrap();
    }
}

/// What a store holds: the records of every partition, and the committed offsets.
type Contents = (BTreeMap<TopicPartition, Vec<(Offset, Sent)>>, Vec<(TopicPartition, CommittedOffset)>);

fn contents(store: &Store) -> Contents {
    let mut records = BTreeMap::new();
    for topic in store.topics() {
        for partition in 0..store.partition_count(&topic).unwrap() {
            let log = store.partition(&topic, partition).unwrap();
            let found = read_all(&log, ReadLimits::new()).unwrap();
            check_lookups(&log, &found).unwrap();
            records.insert(log.topic_partition().clone(), found);
        }
    }
    (records, store.committed_offsets("g").unwrap())
}

fn sample() -> (FaultStorage, Store) {
    sample_of(60)
}

fn sample_of(batches: usize) -> (FaultStorage, Store) {
    let storage = FaultStorage::new(1);
    let store = options(&storage).open("data").unwrap();
    store.create_topic("t", small_segments().partitions(2)).unwrap();
    store.create_topic("empty", TopicConfig::new().retention_ms(77)).unwrap();
    fill(&store, batches);
    store.partition("t", 0).unwrap().set_leader_epoch(3).unwrap();
    fill(&store, 7);
    let commit = (TopicPartition::new("t", 0), CommittedOffset::new(5).metadata("half way"));
    store.commit_offsets("g", [commit], Acks::Leader).unwrap();
    (storage, store)
}

#[test]
fn a_snapshot_opens_cleanly_with_what_was_there_and_goes_its_own_way() {
    let (storage, store) = sample_of(200);
    let report = store.snapshot("backups/one").unwrap();
    assert_eq!(report.partitions, 4);
    assert_eq!(report.bytes, store.topics().iter().map(|topic| size_of(&store, topic)).sum::<u64>());
    let before = contents(&store);

    let restored = options(&storage).open("backups/one").unwrap();
    assert!(restored.recovery_report().clean_shutdown && restored.recovery_report().is_healthy());
    assert!(restored.recovery_report().partitions.iter().all(|partition| partition.segments_checked == 0));
    assert_eq!(contents(&restored), before);
    assert_eq!((restored.cluster_id(), restored.node_id()), (store.cluster_id(), store.node_id()));
    assert_ne!(directory_id(&storage, "backups/one"), directory_id(&storage, "data"));
    assert_eq!(restored.partition("t", 0).unwrap().leader_epoch(), 3);
    for topic in ["t", "empty"] {
        let (a, b) = (store.describe_topic(topic).unwrap(), restored.describe_topic(topic).unwrap());
        assert_eq!((a.id, a.config.overrides()), (b.id, b.config.overrides()), "{topic}");
    }

    // Each goes on by itself.
    fill(&store, 60);
    fill(&restored, 30);
    let (source, copy) = (contents(&store), contents(&restored));
    restored.close().unwrap();
    store.close().unwrap();
    assert_eq!(contents(&options(&storage).open("data").unwrap()), source);
    assert_eq!(contents(&options(&storage).open("backups/one").unwrap()), copy);
}

#[test]
fn a_snapshot_tells_how_far_it_is() {
    let (_, store) = sample();
    let mut seen = Vec::new();
    let report = store.snapshot_with_progress("to", |at| seen.push((at.bytes_done, at.bytes_total))).unwrap();
    assert_eq!((seen.first(), seen.last()), (Some(&(0, report.bytes)), Some(&(report.bytes, report.bytes))));
    assert!(seen.is_sorted() && seen.len() == 1 + report.partitions, "a segment in each: {seen:?}");
}

fn size_of(store: &Store, topic: &str) -> u64 {
    store.describe_topic(topic).unwrap().partitions.iter().map(|partition| partition.size_in_bytes).sum()
}

fn directory_id(storage: &FaultStorage, dir: &str) -> String {
    let text = String::from_utf8(storage.contents(Path::new(dir).join("meta.properties")).unwrap()).unwrap();
    text.lines().find(|line| line.starts_with("directory.id")).unwrap().to_owned()
}

#[test]
fn a_compacted_topic_ends_and_is_compacted_where_it_was() {
    // The last records before the active segment were compacted away: without its file the copy ended before them, and
    // said that they were lost.
    let (storage, store) = sample();
    let config = small_segments().cleanup_policy(CleanupPolicy::COMPACT).delete_retention_ms(0).file_delete_delay_ms(0);
    store.create_topic("c", config.internal_segment_bytes(200)).unwrap();
    let log = store.partition("c", 0).unwrap();
    let put = |key: &[u8], value: Option<&[u8]>| {
        let record =
            Sent { timestamp: 1, key: Some(key.to_vec()), value: value.map(<[u8]>::to_vec), headers: Vec::new() };
        append(&log, &[record], Compression::None, Acks::Leader).unwrap().base_offset
    };
    for _ in 0..20 {
        put(b"kept", Some(b"again and again"));
    }
    for _ in 0..20 {
        put(b"gone", None);
    }
    for _ in 0..3 {
        store.compact("c").unwrap();
    }
    let (start, end) = (log.log_start(), log.log_end());
    assert!(read_all(&log, ReadLimits::new()).unwrap().len() < 3);
    store.snapshot("to").unwrap();
    let checkpoint = |dir: &str| storage.contents(Path::new(dir).join("cleaner-offset-checkpoint")).unwrap();
    assert_eq!(checkpoint("to"), checkpoint("data"));
    let report = options(&storage).verify("to", |_| {}).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    let restored = options(&storage).open("to").unwrap();
    assert!(restored.recovery_report().clean_shutdown && restored.recovery_report().is_healthy());
    let copy = restored.partition("c", 0).unwrap();
    assert_eq!((copy.log_start(), copy.log_end()), (start, end));
    assert_eq!(contents(&restored), contents(&store));
    let record = Sent { key: Some(b"next".to_vec()), ..Sent::value(1, "goes on") };
    assert_eq!(append(&copy, &[record], Compression::None, Acks::All).unwrap().base_offset, end);
}

#[test]
fn a_directory_that_is_not_empty_is_left_alone() {
    let (storage, store) = sample();
    storage.set_contents("there/file", b"mine").unwrap();
    match store.snapshot("there") {
        Err(Error::Io { source, .. }) => assert_eq!(source.kind(), io::ErrorKind::DirectoryNotEmpty),
        other => panic!("{other:?}"),
    }
    assert_eq!(storage.contents("there/file").unwrap(), b"mine");
    storage.erase("there/file").unwrap();
    store.snapshot("there").unwrap();
    assert_eq!(contents(&options(&storage).open("there").unwrap()), contents(&store));
}

#[test]
fn a_snapshot_that_fails_leaves_nothing() {
    let (storage, store) = sample();
    let mut failures = 0;
    loop {
        let in_target = |path: &Path| path.starts_with("to");
        let full = Fault::new(io::ErrorKind::StorageFull).on(Operation::Append).on_paths(in_target);
        storage.clear_faults();
        storage.inject(full.nth(failures * 3));
        match store.snapshot("to") {
            Ok(_) => break,
            Err(Error::StorageFull { .. }) => failures += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(storage.list(Path::new("to")).unwrap().is_empty());
    }
    assert!(failures > 5, "{failures}");
    assert_eq!(contents(&options(&storage).open("to").unwrap()), contents(&store));
}

#[test]
fn what_a_failed_sync_may_have_lost_comes_into_no_snapshot() {
    let (storage, store) = sample();
    storage.inject(Fault::io_error().on(Operation::Sync).on_path_suffix(".log").nth(0));
    append_value(&store.partition("t", 0).unwrap(), 1, b"lost", Acks::All).unwrap_err();
    assert!(matches!(store.snapshot("to"), Err(Error::LogOffline { .. })));
}

#[test]
fn a_crash_leaves_a_whole_snapshot_or_none_and_the_source_as_it_was() {
    let (storage, store) = sample();
    let expected = contents(&store);
    store.close().unwrap();
    drop(store);
    let start = storage;
    let rehearsal = start.after_crash(Crash::Process, 0);
    let store = options(&rehearsal).open("data").unwrap();
    let at_open = rehearsal.mutations();
    store.snapshot("to").unwrap();
    let to = rehearsal.mutations();
    drop(store);
    let (mut whole, mut refused) = (0, 0);
    for point in at_open..to {
        // In the end it is decided whether there is a snapshot.
        for seed in 0..if point + 4 > to { 10 } else { 1 } {
            let crash = if (point + seed) % 4 == 0 { Crash::Process } else { Crash::Power };
            let storage = start.after_crash(Crash::Process, 0);
            let store = options(&storage).open("data").unwrap();
            storage.crash_at(point);
            let _ = store.snapshot("to");
            drop(store);
            let storage = storage.after_crash(crash, point + seed);
            let restarted = options(&storage).open("data").unwrap();
            assert_eq!(contents(&restarted), expected, "{crash:?} at {point}");
            if storage.list(Path::new("to")).unwrap_or_default().is_empty() {
                continue;
            }
            match options(&storage).open("to") {
                Ok(restored) => {
                    let is_new = restored.topics().is_empty();
                    assert!(is_new || contents(&restored) == expected, "{crash:?} at {point}");
                    whole += i32::from(!is_new);
                    assert!(!is_new || storage.list(Path::new("to/t-0")).is_err(), "{crash:?} at {point}");
                }
                Err(Error::MalformedFile { .. }) => refused += 1,
                Err(error) => panic!("{crash:?} at {point}: {error}"),
            }
        }
    }
    assert!(whole > 0 && refused > 10, "{whole} {refused}");
}

#[test]
fn what_a_snapshot_does_not_sync_is_missed() {
    const IMAGES: u64 = 8;
    let whole = |lie: Option<Lie>| {
        let (storage, store) = sample();
        let expected = contents(&store);
        lie.into_iter().for_each(|lie| storage.lie_about(lie));
        store.snapshot("to").unwrap();
        let is_whole = |seed: &u64| {
            let storage = storage.after_crash(Crash::Power, *seed);
            let Ok(restored) = options(&storage).open("to") else { return false };
            let is_same = || if contents(&restored) == expected { Ok(()) } else { Err("others".to_owned()) };
            !restored.topics().is_empty() && catching(is_same).is_ok()
        };
        (0..IMAGES).filter(is_whole).count() as u64
    };
    assert_eq!(whole(None), IMAGES);
    for lie in [Lie::FileSync, Lie::DirSync] {
        assert!(whole(Some(lie)) < IMAGES, "{lie:?}");
    }
}

/// Two partitions are appended to one after the other, and how far that came is committed after both.
fn write(store: &Store, stop: &AtomicBool) -> Offset {
    let (first, second) = (store.partition("t", 0).unwrap(), store.partition("t", 1).unwrap());
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        for log in [&first, &second] {
            assert_eq!(append_value(log, done, &done.to_be_bytes(), Acks::Leader).unwrap(), done);
        }
        done += 1;
        let commits = [0, 1].map(|index| (TopicPartition::new("t", index), CommittedOffset::new(done)));
        store.commit_offsets("g", commits, Acks::Leader).unwrap();
    }
    done
}

#[test]
fn all_partitions_are_cut_at_the_same_moment() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backups) = (dir.path().join("data"), dir.path().join("backups"));
    let config = StoreConfig {
        offsets_topic_num_partitions: 1,
        log_retention_check_interval_ms: 1,
        log_flush_offset_checkpoint_interval_ms: 1,
        ..StoreConfig::default()
    };
    let store = Store::options().config(config).open(&data).unwrap();
    let config = TopicConfig::new().internal_segment_bytes(500_000).retention_ms(-1);
    store.create_topic("t", config.partitions(2)).unwrap();
    let stop = AtomicBool::new(false);
    let snapshots: Vec<(PathBuf, Offset)> = thread::scope(|scope| {
        let writing = scope.spawn(|| write(&store, &stop));
        let snapshots = (0..4)
            .map(|number| {
                let acknowledged = store.committed_offset("g", ("t", 1)).unwrap().map_or(0, |at| at.offset);
                let to = backups.join(number.to_string());
                store.snapshot(&to).unwrap();
                (to, acknowledged)
            })
            .collect();
        stop.store(true, Ordering::Relaxed);
        assert!(writing.join().unwrap() > 0);
        snapshots
    });
    for (to, acknowledged) in snapshots {
        let restored = Store::open(&to).unwrap();
        assert!(restored.recovery_report().clean_shutdown && restored.recovery_report().is_healthy());
        let ends = [0, 1].map(|index| whole_log(&restored.partition("t", index).unwrap()));
        let committed = [0, 1]
            .map(|index| restored.committed_offset("g", ("t", index)).unwrap().map_or(0, |committed| committed.offset));
        assert_eq!(committed[0], committed[1]);
        assert!(
            acknowledged <= committed[1] && committed[1] <= ends[1] && ends[1] <= ends[0],
            "{committed:?} {ends:?}"
        );
        assert!(ends[0] <= committed[0] + 1, "one round at a time: {committed:?} {ends:?}");
    }
}

/// Checks that every record is there and as it was written, and returns the log's end.
fn whole_log(log: &Log) -> Offset {
    for (offset, record) in read_all(log, ReadLimits::new()).unwrap() {
        assert_eq!(record, Sent::value(offset, offset.to_be_bytes()));
    }
    log.log_end()
}

#[test]
fn the_last_entry_of_each_time_index_has_the_largest_timestamp() {
    // A broker that opens a snapshot takes it for that, and found nothing for later timestamps.
    let (storage, store) = sample();
    let largest = 1_000_002;
    for timestamp in 1_000_000..=largest {
        append_value(&store.partition("t", 0).unwrap(), timestamp, b"too small for an entry", Acks::Leader).unwrap();
        append_value(&store.partition("t", 1).unwrap(), timestamp, b"too small for an entry", Acks::Leader).unwrap();
    }
    store.snapshot("snapshot").unwrap();
    for partition in 0..2 {
        let dir = Path::new("snapshot").join(format!("t-{partition}"));
        let mut names: Vec<String> = storage.list(&dir).unwrap().into_iter().map(|entry| entry.name).collect();
        names.retain(|name| name.ends_with(".timeindex"));
        names.sort();
        let index = storage.read(&dir.join(names.last().unwrap())).unwrap();
        let last_entry = index.last_chunk::<12>().unwrap();
        assert_eq!(last_entry[..8], i64::to_be_bytes(largest));
    }
}

/// A storage where the copying of a file waits, once, until it is let go.
#[derive(Clone, Debug)]
struct Gated {
    inner: FaultStorage,
    file: &'static str,
    is_armed: Arc<AtomicBool>,
    reached: Arc<Barrier>,
    released: Arc<Barrier>,
}

impl Gated {
    fn new(file: &'static str) -> Self {
        let barrier = || Arc::new(Barrier::new(2));
        let is_armed = Arc::new(AtomicBool::new(true));
        Self { inner: FaultStorage::new(1), file, is_armed, reached: barrier(), released: barrier() }
    }

    fn open(&self, clock: &ManualClock) -> Store {
        options(&self.inner).storage(Arc::new(self.clone())).clock(Arc::new(clock.clone())).open("data").unwrap()
    }

    /// Takes a snapshot, and does `run` before this file is copied.
    fn snapshot(&self, store: &Store, run: impl FnOnce() + Send) -> Result<SnapshotReport> {
        thread::scope(|scope| {
            let taking = scope.spawn(|| store.snapshot("to"));
            self.reached.wait();
            let (done, is_done) = mpsc::channel();
            scope.spawn(move || {
                run();
                done.send(()).unwrap();
            });
            let waited = is_done.recv_timeout(Duration::from_secs(60));
            self.released.wait();
            let taken = taking.join().unwrap();
            waited.expect("that waits for no snapshot");
            taken
        })
    }
}

impl Storage for Gated {
    forward!(create_dir_all list len read open truncate rename remove_file remove_dir_all sync_dir lock);

    fn open_append(&self, path: &Path, len: u64, capacity: u64) -> io::Result<Box<dyn AppendFile>> {
        self.inner.open_append(path, len, capacity)
    }

    fn copy_file(&self, from: &Path, to: &Path, len: u64) -> io::Result<()> {
        if from.ends_with(self.file) && self.is_armed.swap(false, Ordering::SeqCst) {
            self.reached.wait();
            self.released.wait();
        }
        self.inner.copy_file(from, to, len)
    }
}

/// A store with topics that retention and compaction have much to do with.
fn gated_sample(file: &'static str) -> (Gated, ManualClock, Store) {
    let (gated, clock) = (Gated::new(file), ManualClock::new(1_000_000));
    let store = gated.open(&clock);
    let config = small_segments().file_delete_delay_ms(0);
    store.create_topic("t", config.clone().partitions(2)).unwrap();
    store.create_topic("old", config.clone().internal_segment_bytes(200).retention_ms(1_000)).unwrap();
    store.create_topic("empty", TopicConfig::new().retention_ms(77)).unwrap();
    let compacted = config.internal_segment_bytes(200).cleanup_policy(CleanupPolicy::COMPACT);
    store.create_topic("compacted", compacted.min_cleanable_dirty_ratio(0.01)).unwrap();
    fill(&store, 60);
    for number in 0..20 {
        append_value(&store.partition("old", 0).unwrap(), 1_000_000, b"soon too old", Acks::All).unwrap();
        let record = Sent { key: Some(b"key".to_vec()), ..Sent::value(number, "overwritten") };
        append(&store.partition("compacted", 0).unwrap(), &[record], Compression::None, Acks::All).unwrap();
    }
    (gated, clock, store)
}

fn has_deleted_dirs(storage: &FaultStorage) -> bool {
    storage.list(Path::new("data")).unwrap().iter().any(|entry| entry.name.ends_with("-delete"))
}

#[test]
fn topics_come_and_go_while_files_are_copied_and_the_snapshot_is_as_it_was() {
    let (gated, clock, store) = gated_sample("t-1/00000000000000000000.log");
    let (before, id) = (contents(&store), store.describe_topic("t").unwrap().id);
    let taken = gated.snapshot(&store, || {
        store.create_topic("new", TopicConfig::new()).unwrap();
        store.alter_topic_configs("empty", &[AlterConfigOp::set("retention.ms", "88")]).unwrap();
        store.alter_group_configs("g", &[AlterConfigOp::set("consumer.session.timeout.ms", "50000")]).unwrap();
        store.create_partitions("empty", 2).unwrap();
        store.delete_topic("old").unwrap();
        // Another one has its name and the names of its files.
        store.delete_topic("t").unwrap();
        store.create_topic("t", small_segments().partitions(2)).unwrap();
        fill(&store, 30);
        clock.advance(Duration::from_secs(3600));
        store.tick().unwrap();
    });
    taken.unwrap();
    assert!(options(&gated.inner).verify("to", |_| {}).unwrap().is_clean());
    let restored = options(&gated.inner).open("to").unwrap();
    assert!(restored.recovery_report().clean_shutdown && restored.recovery_report().is_healthy());
    assert_eq!(contents(&restored), before);
    assert_eq!(restored.describe_topic("t").unwrap().id, id);
    let empty = restored.describe_topic("empty").unwrap();
    assert_eq!(
        (empty.partitions.len(), empty.config.overrides()),
        (1, TopicConfig::new().retention_ms(77).overrides())
    );
    assert!(restored.configured_groups().unwrap().is_empty());

    assert!(has_deleted_dirs(&gated.inner), "they were copied");
    store.tick().unwrap();
    assert!(!has_deleted_dirs(&gated.inner), "and go after that");
}

#[test]
fn what_is_due_is_done_while_files_are_copied_but_none_of_them_goes() {
    let (gated, clock, store) = gated_sample("compacted-0/00000000000000000000.log");
    let before = contents(&store);
    let producer = store.producer(ProducerConfig::new().linger(Duration::ZERO)).unwrap();
    let [old, compacted] = ["old", "compacted"].map(|topic| store.partition(topic, 0).unwrap());
    let segments = old.segment_count();
    let taken = gated.snapshot(&store, || {
        clock.advance(Duration::from_secs(3600));
        for _ in 0..3 {
            let mut pending = pin!(producer.send_async(Record::to("empty").value("awaited")).unwrap());
            let mut context = Context::from_waker(Waker::noop());
            assert!(pending.as_mut().poll(&mut context).is_pending());
            store.tick().unwrap();
            assert!(pending.poll(&mut context).is_ready(), "it is synced");
        }
        assert_eq!((old.segment_count(), compacted.last_compaction()), (segments, None));
    });
    taken.unwrap();
    let restored = options(&gated.inner).open("to").unwrap();
    assert!(restored.recovery_report().clean_shutdown && restored.recovery_report().is_healthy());
    assert_eq!(contents(&restored), before);

    store.tick().unwrap();
    assert!(old.segment_count() < segments && compacted.last_compaction().is_some(), "what was left is done");
}

#[test]
fn compaction_on_demand_waits_for_a_snapshot_and_keeps_nobody_else_waiting() {
    let (gated, _, store) = gated_sample("t-1/00000000000000000000.log");
    let before = contents(&store);
    thread::scope(|scope| {
        let store = &store;
        let (begun, has_begun) = mpsc::channel();
        let taken = gated.snapshot(store, move || {
            scope.spawn(move || {
                begun.send(()).unwrap();
                store.compact("compacted").unwrap();
            });
            has_begun.recv().unwrap();
            store.delete_topic("empty").unwrap();
        });
        taken.unwrap();
    });
    assert!(store.partition("compacted", 0).unwrap().last_compaction().is_some());
    assert_eq!(contents(&options(&gated.inner).open("to").unwrap()), before);
}

#[test]
fn a_store_that_is_closed_ends_the_snapshot_that_is_being_taken() {
    let (gated, clock, store) = gated_sample("t-0/00000000000000000000.log");
    let before = contents(&store);
    thread::scope(|scope| {
        let store = &store;
        let taken = gated.snapshot(store, || {
            scope.spawn(|| store.close().unwrap());
            while store.producer(ProducerConfig::new()).is_ok() {
                thread::yield_now();
            }
        });
        assert!(matches!(taken, Err(Error::Closed { .. })));
    });
    assert!(gated.inner.list(Path::new("to")).unwrap().is_empty());
    let store = gated.open(&clock);
    assert!(store.recovery_report().clean_shutdown && store.recovery_report().is_healthy());
    assert_eq!(contents(&store), before);
}

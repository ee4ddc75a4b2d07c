//! A bound on open files: whatever is read and appended to, no more are open, and nobody notices but by the time it
//! takes. Where the process itself can open no more, that is an error that passes.

use std::fmt;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use esker::io::{AppendFile, Storage, StorageFile};
use esker::record::Compression;
use esker::sim::{Fault, FaultStorage, ManualClock, Operation};
use esker::{Acks, Error, Log, Maintenance, ProducerConfig, ReadLimits, Record, Store, StoreConfig, TopicConfig};

use crate::common::forward::forward;
use crate::common::random::Random;
use crate::common::reserving::Reserving;
use crate::common::{self, Sent, append_value, check_lookups};
use crate::{DIR, START_MS, read_all};

/// Handles that are open now, and how many can be.
#[derive(Clone, Debug)]
struct Handles {
    open: Arc<AtomicUsize>,
    max: Arc<AtomicUsize>,
}

impl Handles {
    fn new() -> Self {
        Self { open: Arc::default(), max: Arc::new(AtomicUsize::new(usize::MAX)) }
    }

    fn count(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    fn limit(&self, max: usize) {
        self.max.store(max, Ordering::SeqCst);
    }

    fn check(&self) -> io::Result<()> {
        const EMFILE: i32 = 24;
        let code = if cfg!(windows) { 4 } else { EMFILE };
        if self.count() < self.max.load(Ordering::SeqCst) { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
    }

    fn take(&self) -> io::Result<Arc<Handle>> {
        self.check()?;
        self.open.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::new(Handle(self.open.clone())))
    }
}

#[derive(Debug)]
struct Handle(Arc<AtomicUsize>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A disk whose files take a handle each while they are open.
#[derive(Debug)]
struct Handled {
    inner: Reserving<FaultStorage>,
    handles: Handles,
}

impl Storage for Handled {
    forward!(create_dir_all list len read truncate rename remove_file remove_dir_all lock);

    fn open(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        let handle = self.handles.take()?;
        Ok(Arc::new(File { inner: self.inner.open(path)?, _handle: handle }))
    }

    fn open_append(&self, path: &Path, len: u64, capacity: u64) -> io::Result<Box<dyn AppendFile>> {
        let handle = self.handles.take()?;
        Ok(Box::new(Appender { inner: self.inner.open_append(path, len, capacity)?, handle }))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.handles.check()?;
        self.inner.sync_dir(dir)
    }
}

#[derive(Debug)]
struct File {
    inner: Arc<dyn StorageFile>,
    _handle: Arc<Handle>,
}

impl StorageFile for File {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.inner.read_at(position, buffer)
    }

    fn view(&self, position: u64, len: usize) -> io::Result<Bytes> {
        self.inner.view(position, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }
}

struct Appender {
    inner: Box<dyn AppendFile>,
    handle: Arc<Handle>,
}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl AppendFile for Appender {
    fn file(&self) -> Arc<dyn StorageFile> {
        Arc::new(File { inner: self.inner.file(), _handle: self.handle.clone() })
    }

    fn reserve(&mut self, additional: u64) -> io::Result<()> {
        self.inner.reserve(additional)
    }

    fn append(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        self.inner.append(parts)
    }

    fn seal(&mut self) -> io::Result<()> {
        self.inner.seal()
    }
}

const IDLE_MS: i64 = 10_000;

/// A store whose handles are counted, and what its parts are seen by.
struct Setup {
    store: Store,
    disk: FaultStorage,
    handles: Handles,
    clock: ManualClock,
}

/// A store that has up to `max` files open.
fn open(disk: &FaultStorage, max: usize) -> Setup {
    let (handles, clock) = (Handles::new(), ManualClock::new(START_MS));
    let storage = Handled { inner: Reserving::new(disk.clone(), 256), handles: handles.clone() };
    let config = StoreConfig { open_files_max: max, open_files_idle_ms: IDLE_MS, ..StoreConfig::default() };
    let options = Store::options().storage(Arc::new(storage)).clock(Arc::new(clock.clone())).config(config);
    let store = options.maintenance(Maintenance::Manual).open(DIR).unwrap();
    Setup { store, disk: disk.clone(), handles, clock }
}

/// The logs of a topic whose segments are small.
fn create_logs(store: &Store, partitions: i32) -> Vec<Log> {
    let config = TopicConfig::new().partitions(partitions).internal_segment_bytes(600).index_interval_bytes(100);
    store.create_topic("t", config).unwrap();
    (0..partitions).map(|partition| store.partition("t", partition).unwrap()).collect()
}

#[test]
fn no_more_files_are_open_than_may_be_whatever_is_read_and_appended_to() {
    const PARTITIONS: i32 = 12;
    for (seed, max) in [(1, 3), (2, 4), (3, 7), (4, 20)] {
        let mut random = Random::new(seed);
        let disk = FaultStorage::new(seed);
        let Setup { store, handles, clock, .. } = open(&disk, max);
        let logs = create_logs(&store, PARTITIONS);
        let mut sent = vec![Vec::new(); logs.len()];
        // To roll takes the files of two segments at once.
        let most = max.max(6);
        for step in 0..600 {
            let at = random.below(u64::from(PARTITIONS.unsigned_abs())) as usize;
            let (log, sent) = (&logs[at], &mut sent[at]);
            match random.below(8) {
                0..=2 => {
                    let record = Sent::random(&mut random, step, START_MS + step as i64, 100);
                    let acks = *random.pick(&[Acks::Leader, Acks::All]);
                    let codec = Compression::None;
                    let appended = common::append(log, std::slice::from_ref(&record), codec, acks).unwrap();
                    sent.push((appended.base_offset, record));
                }
                3..=5 if !sent.is_empty() => {
                    let (offset, record) = random.pick(sent);
                    let fetched = log.read(*offset, ReadLimits::new().max_bytes(1)).unwrap();
                    let batch = fetched.batches().next().unwrap().unwrap();
                    let found = Sent::from_view(&batch.records().unwrap().iter().next().unwrap().unwrap()).unwrap();
                    assert_eq!(found, *record);
                }
                6 if random.one_in(6) => {
                    clock.advance(Duration::from_millis(random.below(2 * IDLE_MS.unsigned_abs())));
                    store.tick().unwrap();
                }
                _ => assert!(store.open_file_count() <= most),
            }
            assert!(handles.count() <= most, "{} of {max} in step {step} of seed {seed}", handles.count());
            assert_eq!(handles.count(), store.open_file_count());
        }
        for (log, sent) in logs.iter().zip(&sent) {
            assert_eq!(read_all(log), *sent);
            check_lookups(log, sent).unwrap();
        }
        store.close().unwrap();
        drop((store, logs));
        assert_eq!(handles.count(), 0);
        let store = open(&disk, max).store;
        assert!(store.recovery_report().clean_shutdown && store.recovery_report().is_healthy());
        for (partition, sent) in (0..PARTITIONS).zip(&sent) {
            let log = store.partition("t", partition).unwrap();
            assert_eq!(read_all(&log), *sent);
            check_lookups(&log, sent).unwrap();
        }
    }
}

#[test]
fn threads_that_take_files_from_each_other_all_get_on() {
    const PARTITIONS: i32 = 8;
    let disk = FaultStorage::new(1);
    let Setup { store, .. } = open(&disk, 5);
    let logs = create_logs(&store, PARTITIONS);
    thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (logs, store) = (&logs, &store);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for step in 0..150 {
                    let log = random.pick(logs);
                    let acks = *random.pick(&[Acks::Leader, Acks::Leader, Acks::All]);
                    append_value(log, START_MS, format!("{thread} {step}").as_bytes(), acks).unwrap();
                    let log = random.pick(logs);
                    let offset = random.below(log.log_end().unsigned_abs() + 1) as i64;
                    let fetched = log.read(offset, ReadLimits::new().max_bytes(1)).unwrap();
                    assert_eq!(fetched.is_empty(), fetched.batches().next().is_none());
                    fetched.batches().for_each(|batch| assert!(batch.unwrap().header().last_offset() >= offset));
                    if random.one_in(20) {
                        store.tick().unwrap();
                    }
                }
            });
        }
    });
    let records: usize = logs.iter().map(|log| read_all(log).len()).sum();
    assert_eq!(records, 4 * 150);
}

#[test]
fn an_idle_partition_has_no_file_open_and_nothing_reserved() {
    let Setup { store, disk, handles, clock } = open(&FaultStorage::new(1), 1_000);
    let logs = create_logs(&store, 5);
    for (index, log) in logs.iter().enumerate() {
        for record in 0..=index {
            append_value(log, START_MS + record as i64, b"some value", Acks::Leader).unwrap();
        }
    }
    let slices: Vec<_> = logs.iter().map(|log| log.read(0, ReadLimits::new()).unwrap()).collect();
    store.tick().unwrap();
    assert_eq!(handles.count(), 15);
    // One of them goes on.
    for _ in 0..2 {
        clock.advance(Duration::from_millis(IDLE_MS.unsigned_abs()));
        append_value(&logs[0], START_MS + 9, b"another", Acks::Leader).unwrap();
        store.tick().unwrap();
    }
    assert_eq!(handles.count(), 3);
    for log in &logs[1..] {
        let dir = Path::new(DIR).join(log.topic_partition().to_string());
        let len = disk.len(&dir.join("00000000000000000000.log")).unwrap();
        assert_eq!((len, log.recovery_point()), (log.size_in_bytes(), log.log_end()));
    }
    for (log, slice) in logs.iter().zip(&slices) {
        assert_eq!(slice.batches().count() as i64, slice.next_offset());
        let before = log.log_end();
        assert_eq!(append_value(log, START_MS + 10, b"goes on", Acks::All).unwrap(), before);
        let records = read_all(log);
        assert_eq!(records.len() as i64, before + 1);
        check_lookups(log, &records).unwrap();
    }
    // The power fails: nothing that was let go of is in doubt.
    let disk = disk.after_crash(esker::sim::Crash::Power, 7);
    let reopened = open(&disk, 1_000).store;
    assert!(reopened.recovery_report().is_healthy());
    for log in &logs {
        let after = reopened.partition("t", log.topic_partition().partition).unwrap();
        assert_eq!(read_all(&after), read_all(log));
    }
}

#[test]
fn an_index_that_somebody_takes_from_an_idle_partition_is_begun_anew() {
    for (suffix, len) in [("index", None), ("timeindex", None), ("index", Some(8)), ("timeindex", Some(13))] {
        let Setup { store, disk, clock, .. } = open(&FaultStorage::new(1), 1_000);
        let log = &create_logs(&store, 1)[0];
        for by in 0..3 {
            append_value(log, START_MS + by, &[7; 50], Acks::Leader).unwrap();
        }
        for _ in 0..2 {
            clock.advance(Duration::from_millis(IDLE_MS.unsigned_abs()));
            store.tick().unwrap();
        }
        assert_eq!(store.open_file_count(), 0);
        let path = Path::new(DIR).join("t-0").join(format!("00000000000000000000.{suffix}"));
        assert!(disk.len(&path).unwrap() > 13);
        match len {
            None => disk.remove_file(&path).unwrap(),
            Some(len) => disk.truncate(&path, len).unwrap(),
        }
        // In the same segment, and in those behind it.
        for by in 3..20 {
            append_value(log, START_MS + by, &[7; 50], Acks::All).unwrap();
        }
        assert!(disk.len(&path).unwrap() > 0);
        let records = read_all(log);
        assert_eq!(records.len(), 20);
        check_lookups(log, &records).unwrap();
        store.close().unwrap();
        let store = open(&disk, 1_000).store;
        assert!(store.recovery_report().is_healthy());
        check_lookups(&store.partition("t", 0).unwrap(), &records).unwrap();
    }
}

#[test]
fn a_process_that_can_open_no_more_files_gets_an_error_that_passes() {
    let Setup { store, handles, .. } = open(&FaultStorage::new(1), 1_000);
    let logs = create_logs(&store, 6);
    for log in &logs {
        // The store may have more open than the process: what others need is let go of.
        handles.limit(10);
        append_value(log, START_MS, b"first", Acks::Leader).unwrap();
    }
    handles.limit(0);
    for acks in [Acks::Leader, Acks::All] {
        match append_value(&logs[0], START_MS, &[7; 500], acks) {
            Err(error @ Error::TooManyOpenFiles { .. }) => assert!(error.is_retriable(), "{error}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(logs[0].log_end(), 1);
    handles.limit(usize::MAX);
    append_value(&logs[0], START_MS, b"second", Acks::All).unwrap();
    for log in &logs {
        assert_eq!(read_all(log).len() as i64, log.log_end());
        append_value(log, START_MS, b"last", Acks::All).unwrap();
    }
}

#[test]
fn a_sync_that_could_not_begin_is_not_one_that_failed() {
    let Setup { store, handles, .. } = open(&FaultStorage::new(1), 1_000);
    let log = &create_logs(&store, 1)[0];
    append_value(log, START_MS, b"first", Acks::Leader).unwrap();
    // The names of the files are to be synced, and that takes a handle for a moment.
    handles.limit(0);
    assert!(matches!(log.flush(), Err(Error::TooManyOpenFiles { .. })));
    assert!(matches!(append_value(log, START_MS, b"second", Acks::All), Err(Error::TooManyOpenFiles { .. })));
    assert_eq!(log.recovery_point(), 0);
    handles.limit(usize::MAX);
    append_value(log, START_MS, b"third", Acks::All).unwrap();
    assert_eq!((log.recovery_point(), read_all(log).len()), (3, 3));
}

#[test]
fn who_awaits_a_sync_that_can_not_begin_has_it_from_a_later_tick() {
    let Setup { store, handles, .. } = open(&FaultStorage::new(1), 1_000);
    let log = &create_logs(&store, 1)[0];
    let sent = [Sent::value(START_MS, "first")];
    let appended = common::append(log, &sent, Compression::None, Acks::Leader).unwrap();
    let mut synced = log.synced(&appended);
    let mut look = || Pin::new(&mut synced).poll(&mut Context::from_waker(Waker::noop()));
    handles.limit(0);
    for _ in 0..2 {
        assert!(look().is_pending());
        store.tick().unwrap();
        assert_eq!(log.recovery_point(), 0);
    }
    handles.limit(usize::MAX);
    store.tick().unwrap();
    assert_eq!(log.recovery_point(), 1);
    assert!(look().map(Result::unwrap).is_ready());
}

#[test]
fn a_sync_that_can_open_no_file_has_others_let_go_of() {
    let Setup { store, handles, .. } = open(&FaultStorage::new(1), 1_000);
    let logs = create_logs(&store, 3);
    for log in &logs[1..] {
        append_value(log, START_MS, b"synced", Acks::All).unwrap();
    }
    append_value(&logs[0], START_MS, b"first", Acks::Leader).unwrap();
    // The names of the files are to be synced, and that takes one more.
    handles.limit(handles.count());
    append_value(&logs[0], START_MS, b"second", Acks::All).unwrap();
    assert_eq!(logs[0].recovery_point(), 2);
}

#[test]
fn a_record_is_not_taken_for_the_one_before_it_whose_sync_could_not_begin() {
    let Setup { store, handles, .. } = open(&FaultStorage::new(1), 1_000);
    store.create_topic("t", TopicConfig::new().flush_messages(1)).unwrap();
    let log = store.partition("t", 0).unwrap();
    // Its files are open then, and their names not synced yet.
    log.set_leader_epoch(1).unwrap();
    let producer = store.producer(ProducerConfig::new()).unwrap();
    store.create_topic("other", TopicConfig::new()).unwrap();
    producer.send(Record::to("other").value("gives it an id")).unwrap();
    let send = |value: &'static str| producer.send(Record::to("t").value(value)).map(|sent| sent.offset);
    handles.limit(0);
    assert!(matches!(send("first"), Err(Error::TooManyOpenFiles { .. })));
    handles.limit(usize::MAX);
    assert_eq!((send("second").unwrap(), log.log_end()), (Some(1), 2));
}

#[test]
fn an_empty_segment_that_could_not_be_trimmed_is_opened_anew() {
    let Setup { store, disk, clock, .. } = open(&FaultStorage::new(1), 1_000);
    let log = &create_logs(&store, 1)[0];
    disk.inject(Fault::new(io::ErrorKind::StorageFull).on(Operation::Append).on_path_suffix(".log"));
    append_value(log, START_MS, b"no room", Acks::All).unwrap_err();
    disk.clear_faults();
    disk.inject(Fault::io_error().on(Operation::Seal).on_path_suffix(".log"));
    for _ in 0..4 {
        clock.advance(Duration::from_millis(IDLE_MS as u64));
        store.tick().unwrap();
    }
    disk.clear_faults();
    assert_eq!(append_value(log, START_MS, b"room", Acks::All).unwrap(), 0);
}

#[test]
fn a_sync_that_fails_when_files_are_let_go_of_ends_that_log_alone() {
    let Setup { store, disk, .. } = open(&FaultStorage::new(1), 3);
    let logs = create_logs(&store, 2);
    append_value(&logs[0], START_MS, b"first", Acks::Leader).unwrap();
    disk.inject(Fault::new(io::ErrorKind::Other).on(Operation::Sync).on_paths(|path| path.starts_with("/data/t-0")));
    append_value(&logs[1], START_MS, b"first", Acks::Leader).unwrap();
    append_value(&logs[1], START_MS, b"second", Acks::Leader).unwrap();
    disk.clear_faults();
    assert!(matches!(append_value(&logs[0], START_MS, b"second", Acks::Leader), Err(Error::LogOffline { .. })));
    assert_eq!(read_all(&logs[0]).len(), 1);
    append_value(&logs[1], START_MS, b"third", Acks::All).unwrap();
}

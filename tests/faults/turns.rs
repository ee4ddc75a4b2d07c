//! Threads that come at a moment when another one is in the middle of something.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use esker::io::{AppendFile, Locked, Storage, StorageFile, StorageLock};
use esker::record::Compression;
use esker::sim::{FaultStorage, ManualClock};
use esker::{
    Acks, AlterConfigOp, CleanupPolicy, Error, Log, Maintenance, ProducerConfig, ReadLimits, Record, Store,
    StoreConfig, TopicConfig,
};

use crate::common::forward::forward;
use crate::common::{Sent, append, append_value};
use crate::{DIR, START_MS, open};

/// A storage where a renaming, a removal, or an opening for readers, once, waits until it is let go.
#[derive(Clone, Debug)]
struct Paused {
    inner: FaultStorage,
    name: &'static str,
    is_armed: Arc<AtomicBool>,
    reached: Arc<Barrier>,
    released: Arc<Barrier>,
    is_locked: Arc<AtomicBool>,
    wrote_unlocked: Arc<AtomicBool>,
}

impl Paused {
    fn new(name: &'static str) -> Self {
        Self {
            inner: FaultStorage::new(1),
            name,
            is_armed: Arc::default(),
            reached: Arc::new(Barrier::new(2)),
            released: Arc::new(Barrier::new(2)),
            is_locked: Arc::default(),
            wrote_unlocked: Arc::default(),
        }
    }

    fn open(&self, clock: &ManualClock) -> Store {
        let config = StoreConfig { group_initial_rebalance_delay_ms: 0, ..StoreConfig::default() };
        let options = Store::options().storage(Arc::new(self.clone())).clock(Arc::new(clock.clone()));
        options.config(config).maintenance(Maintenance::Manual).open(DIR).unwrap()
    }

    fn pass(&self, path: &Path) {
        self.pause_at(path);
        self.write();
    }

    fn pause_at(&self, path: &Path) {
        let is_it = path.to_str().unwrap().contains(self.name);
        if is_it && self.is_armed.swap(false, Ordering::SeqCst) {
            self.reached.wait();
            self.released.wait();
        }
    }

    fn write(&self) {
        if !self.is_locked.load(Ordering::SeqCst) {
            self.wrote_unlocked.store(true, Ordering::SeqCst);
        }
    }
}

/// Lets other threads get to where they wait, most of the time.
fn give_way() {
    (0..1000).for_each(|_| thread::yield_now());
}

#[derive(Debug)]
struct Lock(Arc<AtomicBool>, Option<Box<dyn StorageLock>>);

impl StorageLock for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
        self.1 = None;
    }
}

impl Storage for Paused {
    forward!(create_dir_all list len read truncate sync_dir);

    fn open(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        self.pause_at(path);
        self.inner.open(path)
    }

    fn open_append(&self, path: &Path, len: u64, capacity: u64) -> io::Result<Box<dyn AppendFile>> {
        // The lock is taken after its file.
        if !path.ends_with(".lock") {
            self.write();
        }
        self.inner.open_append(path, len, capacity)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.pass(to);
        self.inner.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.pass(path);
        self.inner.remove_file(path)
    }
    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.pass(dir);
        self.inner.remove_dir_all(dir)
    }
    fn lock(&self, path: &Path) -> Result<Box<dyn StorageLock>, Locked> {
        let lock = self.inner.lock(path)?;
        self.is_locked.store(true, Ordering::SeqCst);
        Ok(Box::new(Lock(self.is_locked.clone(), Some(lock))))
    }
}

#[test]
fn a_checkpoint_that_began_before_a_deletion_does_not_tell_of_the_topic_created_after_it() {
    for _ in 0..20 {
        let disk = Paused::new("recovery-point-offset-checkpoint");
        let clock = ManualClock::new(START_MS);
        let store = disk.open(&clock);
        store.create_topic("t", TopicConfig::new()).unwrap();
        for _ in 0..5 {
            append_value(&store.partition("t", 0).unwrap(), START_MS, b"old", Acks::All).unwrap();
        }
        clock.advance(Duration::from_secs(61));
        disk.is_armed.store(true, Ordering::SeqCst);
        thread::scope(|scope| {
            let ticking = scope.spawn(|| store.tick());
            disk.reached.wait();
            store.delete_topic("t").unwrap();
            // Either waits for the other's end, or comes before it.
            let creating = scope.spawn(|| store.create_topic("t", TopicConfig::new()));
            disk.released.wait();
            ticking.join().unwrap().unwrap();
            creating.join().unwrap().unwrap();
        });
        append_value(&store.partition("t", 0).unwrap(), START_MS, b"new", Acks::All).unwrap();
        disk.inner.crash();
        drop(store);
        let store = open(&disk.inner.after_crash(esker::sim::Crash::Process, 0)).unwrap();
        assert_eq!(store.partition("t", 0).unwrap().log_end(), 1);
        assert!(store.recovery_report().is_healthy());
    }
}

#[test]
fn a_reader_of_a_deleted_topic_gets_nothing_of_the_next_one_of_its_name() {
    for _ in 0..20 {
        let disk = Paused::new("t-0/00000000000000000000.log");
        let clock = ManualClock::new(START_MS);
        let store = disk.open(&clock);
        store.create_topic("t", TopicConfig::new()).unwrap();
        append_value(&store.partition("t", 0).unwrap(), START_MS, b"old", Acks::All).unwrap();
        store.close().unwrap();
        drop(store);
        let store = disk.open(&clock);
        let old = store.partition("t", 0).unwrap();
        disk.is_armed.store(true, Ordering::SeqCst);
        thread::scope(|scope| {
            let reading = scope.spawn(|| old.read(0, ReadLimits::new()));
            disk.reached.wait();
            let replacing = scope.spawn(|| {
                store.delete_topic("t").unwrap();
                store.create_topic("t", TopicConfig::new()).unwrap();
                append_value(&store.partition("t", 0).unwrap(), START_MS, b"new", Acks::All).unwrap();
            });
            // Either is done by then, or waits for the reader.
            give_way();
            disk.released.wait();
            replacing.join().unwrap();
            match reading.join().unwrap() {
                Ok(read) => {
                    let bytes = read.bytes();
                    assert!(
                        bytes.windows(3).any(|value| value == b"old") && !bytes.windows(3).any(|value| value == b"new")
                    );
                }
                Err(error) => assert!(matches!(error, Error::UnknownTopicOrPartition { .. }), "{error:?}"),
            }
        });
    }
}

#[test]
fn a_tick_that_outlasts_the_store_does_not_write_into_a_directory_that_is_let_go_of() {
    for _ in 0..20 {
        let disk = Paused::new("-delete");
        let clock = ManualClock::new(START_MS);
        let store = disk.open(&clock);
        store.create_topic("t", TopicConfig::new()).unwrap();
        store.delete_topic("t").unwrap();
        clock.advance(Duration::from_secs(61));
        disk.is_armed.store(true, Ordering::SeqCst);
        thread::scope(|scope| {
            let ticking = scope.spawn(|| store.tick());
            disk.reached.wait();
            let closing = scope.spawn(|| store.close());
            while store.consumer("g").is_ok() {
                thread::yield_now();
            }
            disk.released.wait();
            ticking.join().unwrap().unwrap();
            closing.join().unwrap().unwrap();
        });
        assert!(!disk.wrote_unlocked.load(Ordering::SeqCst));
        assert!(open(&disk.inner).unwrap().recovery_report().clean_shutdown);
    }
}

#[test]
#[cfg(feature = "coordinator")]
fn a_store_is_closed_while_its_first_group_is_about_to_be_written_down() {
    use std::sync::mpsc;

    for _ in 0..20 {
        let disk = Paused::new("topic-config-checkpoint");
        let store = disk.open(&ManualClock::new(START_MS));
        store.create_topic("t", TopicConfig::new()).unwrap();
        disk.is_armed.store(true, Ordering::SeqCst);
        let creating = thread::spawn({
            let store = store.clone();
            move || store.create_topic("u", TopicConfig::new())
        });
        disk.reached.wait();
        // It waits for the topic, and after it does who creates `__consumer_offsets` for the group.
        let (closed, is_closed) = mpsc::channel();
        let closing = thread::spawn({
            let store = store.clone();
            move || closed.send(store.close())
        });
        give_way();
        let mut consumer = store.consumer("g").unwrap();
        let joining = thread::spawn(move || {
            consumer.subscribe(["t"])?;
            while consumer.poll(Duration::from_millis(100)).is_ok() {}
            Ok::<_, Error>(())
        });
        give_way();
        disk.released.wait();
        is_closed.recv_timeout(Duration::from_secs(60)).expect("nobody waits for him who closes it").unwrap();
        creating.join().unwrap().unwrap();
        closing.join().unwrap().unwrap();
        // He may have come too late for anything but to be told so.
        let _ = joining.join().unwrap();
        assert!(!disk.wrote_unlocked.load(Ordering::SeqCst));
    }
}

#[test]
fn who_waits_for_a_turn_does_not_write_into_a_directory_that_is_let_go_of() {
    for _ in 0..20 {
        let disk = Paused::new("topic-config-checkpoint");
        let store = disk.open(&ManualClock::new(START_MS));
        disk.is_armed.store(true, Ordering::SeqCst);
        thread::scope(|scope| {
            let creating = scope.spawn(|| store.create_topic("t", TopicConfig::new()));
            disk.reached.wait();
            let closing = scope.spawn(|| store.close());
            give_way();
            let altering = scope.spawn(|| {
                let change = AlterConfigOp::set("consumer.session.timeout.ms", "50000");
                store.alter_group_configs("g", &[change])
            });
            give_way();
            disk.released.wait();
            creating.join().unwrap().unwrap();
            closing.join().unwrap().unwrap();
            let altered = altering.join().unwrap();
            // He may have come before him who closes it, or after.
            assert!(matches!(altered, Ok(()) | Err(Error::Closed { .. })), "{altered:?}");
        });
        assert!(!disk.wrote_unlocked.load(Ordering::SeqCst));
    }
}

/// Changes a store, and waits while a file of that name takes its place.
fn closed_in_the_middle(name: &'static str, change: impl Fn(&Store) + Sync) {
    for _ in 0..20 {
        let disk = Paused::new(name);
        let store = disk.open(&ManualClock::new(START_MS));
        disk.is_armed.store(true, Ordering::SeqCst);
        thread::scope(|scope| {
            let changing = scope.spawn(|| change(&store));
            disk.reached.wait();
            let closing = scope.spawn(|| store.close());
            give_way();
            disk.released.wait();
            changing.join().unwrap();
            closing.join().unwrap().unwrap();
        });
        assert!(!disk.wrote_unlocked.load(Ordering::SeqCst), "{name}");
    }
}

#[test]
fn a_directory_is_not_let_go_of_while_a_block_of_producer_ids_is_written_down() {
    closed_in_the_middle("producer-id-checkpoint", |store| {
        // The ids are there before what is to be written of them, which may be too late.
        let _ = store.init_transactional_id("id", Duration::from_secs(60));
    });
}

#[test]
#[cfg(feature = "sasl")]
fn a_directory_is_not_let_go_of_while_credentials_are_written_down() {
    use esker::server::{ScramCredential, ScramMechanism};

    let mechanism = ScramMechanism::Sha256;
    let credential = ScramCredential::new(mechanism, "secret", 4096).unwrap();
    closed_in_the_middle("scram-credentials-checkpoint", |store| {
        store.put_scram_credential("alice", mechanism, credential.clone()).unwrap();
    });
}

/// A log of several segments that retention is about to take, and the middle of that.
fn in_the_middle_of_retention(run: impl Fn(&Paused, &Store, &Log)) -> FaultStorage {
    let disk = Paused::new(".deleted");
    let clock = ManualClock::new(START_MS);
    let store = disk.open(&clock);
    let config = TopicConfig::new().internal_segment_bytes(200).retention_bytes(0);
    store.create_topic("t", config).unwrap();
    let log = store.partition("t", 0).unwrap();
    for _ in 0..10 {
        append_value(&log, START_MS, b"old", Acks::Leader).unwrap();
    }
    clock.advance(Duration::from_secs(3600));
    disk.is_armed.store(true, Ordering::SeqCst);
    thread::scope(|scope| {
        let ticking = scope.spawn(|| store.tick());
        disk.reached.wait();
        run(&disk, &store, &log);
        ticking.join().unwrap().unwrap();
    });
    store.close().unwrap();
    disk.inner
}

#[test]
fn appends_and_reads_go_on_while_retention_waits_for_the_device() {
    in_the_middle_of_retention(|disk, _, log| {
        assert_eq!(log.log_start(), 10);
        // Across the end of a segment.
        for offset in 10..20 {
            append_value(log, START_MS, b"new", Acks::All).unwrap();
            assert_eq!(log.read(offset, ReadLimits::new()).unwrap().next_offset(), offset + 1);
        }
        disk.released.wait();
    });
}

#[test]
fn a_topic_that_is_created_anew_is_safe_from_the_retention_of_the_one_before_it() {
    for _ in 0..20 {
        let disk = in_the_middle_of_retention(|disk, store, _| {
            thread::scope(|scope| {
                let creating = scope.spawn(|| {
                    store.delete_topic("t").unwrap();
                    store.create_topic("t", TopicConfig::new()).unwrap();
                    append_value(&store.partition("t", 0).unwrap(), START_MS, b"new", Acks::All).unwrap();
                });
                (0..50).for_each(|_| thread::yield_now());
                disk.released.wait();
                creating.join().unwrap();
            });
        });
        let store = open(&disk).unwrap();
        let log = store.partition("t", 0).unwrap();
        assert_eq!((log.log_start(), log.log_end()), (0, 1));
        assert!(!log.read(0, ReadLimits::new()).unwrap().is_empty() && store.recovery_report().is_healthy());
    }
}

#[test]
fn appends_and_reads_go_on_while_compacted_segments_take_their_names() {
    let disk = Paused::new(".deleted");
    let store = disk.open(&ManualClock::new(START_MS));
    let config = TopicConfig::new().internal_segment_bytes(300).cleanup_policy(CleanupPolicy::COMPACT);
    store.create_topic("t", config).unwrap();
    let log = store.partition("t", 0).unwrap();
    let put = |acks| {
        let record = Sent { key: Some(b"key".to_vec()), ..Sent::value(START_MS, "value") };
        append(&log, &[record], Compression::None, acks).unwrap().base_offset
    };
    (0..10).for_each(|offset| assert_eq!(put(Acks::Leader), offset));
    disk.is_armed.store(true, Ordering::SeqCst);
    thread::scope(|scope| {
        let compacting = scope.spawn(|| store.compact("t"));
        disk.reached.wait();
        for offset in 10..20 {
            assert_eq!(put(Acks::All), offset);
            assert_eq!(log.read(offset, ReadLimits::new()).unwrap().next_offset(), offset + 1);
        }
        let deleting = scope.spawn(|| {
            store.delete_topic("t").unwrap();
            store.create_topic("t", TopicConfig::new()).unwrap();
        });
        disk.released.wait();
        // It may have come to an end before the deletion, or not.
        let _ = compacting.join().unwrap();
        deleting.join().unwrap();
    });
    store.close().unwrap();
    drop((log, store));
    let store = open(&disk.inner).unwrap();
    assert!(store.recovery_report().is_healthy());
    assert_eq!(store.partition("t", 0).unwrap().log_end(), 0);
}

#[test]
fn what_lingers_and_what_is_awaited_waits_for_no_maintenance_that_waits_for_the_device() {
    const LONG: Duration = Duration::from_secs(60);
    let disk = Paused::new("recovery-point-offset-checkpoint");
    let config = StoreConfig { log_flush_offset_checkpoint_interval_ms: 1, ..StoreConfig::default() };
    let store = Store::options().storage(Arc::new(disk.clone())).config(config).open(DIR).unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let log = store.partition("t", 0).unwrap();
    let producer = store.producer(ProducerConfig::new().linger(Duration::from_millis(1))).unwrap();
    producer.send(Record::to("t").value("waited for")).unwrap();
    disk.is_armed.store(true, Ordering::SeqCst);
    disk.reached.wait();

    drop(producer.send_async(Record::to("t").value("lingers")).unwrap());
    let has_come = log.wait_for(1, LONG);
    let mut awaited = pin!(producer.send_async(Record::to("t").value("awaited")).unwrap());
    let (mut context, began) = (Context::from_waker(Waker::noop()), Instant::now());
    let mut is_synced = false;
    while has_come && !is_synced && began.elapsed() < LONG {
        is_synced = awaited.as_mut().poll(&mut context).is_ready();
        thread::yield_now();
    }
    disk.released.wait();
    assert!(has_come, "what lingers");
    assert!(is_synced, "what is awaited");
}

//! Ten thousand partitions in one process: what they cost when nobody uses them, and that a bound on open files holds
//! whatever is done with them. In a binary of its own, for it counts what the process has.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "common/allocator.rs"]
mod allocator;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use esker::clock::Clock;
use esker::record::{BatchBuilder, RecordData};
use esker::{Acks, Maintenance, ReadLimits, Store, StoreConfig, TopicConfig};

const PARTITIONS: i32 = 10_000;
/// To how many of them something is appended.
const APPENDED: i32 = 500;
const OPEN_FILES_MAX: usize = 120;
const IDLE_MS: i64 = 60_000;

const HEAP_PER_PARTITION_MAX: usize = 8 << 10;
const RESIDENT_MAX: usize = 150 << 20;

/// What the process has of what is bounded.
#[derive(Clone, Copy, Debug)]
struct Cost {
    heap: usize,
    resident: usize,
    files: usize,
    maps: usize,
    threads: usize,
}

impl Cost {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let number = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap()
        };
        Self {
            heap: allocator::allocated(),
            resident: number("VmRSS") << 10,
            files: fs::read_dir("/proc/self/fd").unwrap().count(),
            // Those of files alone: the allocator has others.
            maps: fs::read_to_string("/proc/self/maps").unwrap().matches("/0000000000").count(),
            threads: number("Threads"),
        }
    }
}

#[derive(Debug)]
struct StoppableClock(AtomicUsize);

impl Clock for StoppableClock {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000 + self.0.load(Ordering::Relaxed) as i64
    }
}

fn batch(value: &[u8]) -> BatchBuilder {
    let mut builder = BatchBuilder::new(1_000);
    builder.push(&RecordData::of(value).at(1_700_000_000_000)).unwrap();
    builder
}

/// A store with that many partitions, in each of which a record is. The first one is made as usual, and the others are
/// copies of it: to create each takes syncs.
fn fill(dir: &Path) {
    let store = Store::open(dir).unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    store.partition("t", 0).unwrap().append(batch(b"first").build().unwrap(), Acks::Leader).unwrap();
    store.close().unwrap();
    drop(store);
    let files: Vec<_> = fs::read_dir(dir.join("t-0")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let files: Vec<_> = files.iter().map(|name| (name, fs::read(dir.join("t-0").join(name)).unwrap())).collect();
    for partition in 1..PARTITIONS {
        let copy = dir.join(format!("t-{partition}"));
        fs::create_dir(&copy).unwrap();
        files.iter().for_each(|(name, contents)| fs::write(copy.join(name), contents).unwrap());
    }
}

#[test]
fn ten_thousand_partitions_cost_little_and_open_no_more_files_than_they_may() {
    // In memory, if there is a file system there: on a disk the syncs of so many files take long.
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    fill(dir.path());
    let clock = Arc::new(StoppableClock(AtomicUsize::new(0)));
    let config = StoreConfig { open_files_max: OPEN_FILES_MAX, open_files_idle_ms: IDLE_MS, ..StoreConfig::default() };
    let options = Store::options().config(config).clock(clock.clone()).maintenance(Maintenance::Manual);
    let before = Cost::now();
    let store = options.clone().open(dir.path()).unwrap();
    assert!(store.recovery_report().clean_shutdown && store.recovery_report().is_healthy());
    assert_eq!(store.partition_count("t").unwrap(), PARTITIONS);

    // The lock has one file.
    let idle = |what: &str, cost: Cost| {
        let heap = (cost.heap - before.heap) / PARTITIONS.unsigned_abs() as usize;
        assert!(heap < HEAP_PER_PARTITION_MAX, "{what}: {heap} bytes of heap for each partition");
        assert!(cost.resident < RESIDENT_MAX, "{what}: {cost:?}");
        assert_eq!((cost.files, cost.maps), (before.files + 1, 0), "{what}");
        assert_eq!(cost.threads, before.threads, "{what}");
    };
    idle("opened", Cost::now());

    let bounded = |what: &str| {
        let cost = Cost::now();
        assert!(cost.files <= before.files + 1 + OPEN_FILES_MAX, "{what}: {cost:?}");
        assert!(cost.maps <= OPEN_FILES_MAX, "{what}: {cost:?}");
        assert!(cost.resident < RESIDENT_MAX, "{what}: {cost:?}");
    };
    for partition in 0..PARTITIONS {
        assert_eq!(store.partition("t", partition).unwrap().read(0, ReadLimits::new()).unwrap().next_offset(), 1);
        if partition % 1_000 == 7 {
            bounded("reading");
        }
    }
    for partition in 0..APPENDED {
        store.partition("t", partition).unwrap().append(batch(b"second").build().unwrap(), Acks::Leader).unwrap();
        if partition % 20 == 7 {
            bounded("appending");
        }
    }
    // Slices outlive what they were read from.
    let slices: Vec<_> = (0..APPENDED)
        .map(|partition| store.partition("t", partition).unwrap().read(1, ReadLimits::new()).unwrap())
        .collect();
    // Some are let go of in each tick.
    for _ in 0..10 {
        clock.0.fetch_add(IDLE_MS as usize, Ordering::Relaxed);
        store.tick().unwrap();
    }
    for slice in &slices {
        let batch = slice.batches().next().unwrap().unwrap();
        assert_eq!(batch.records().unwrap().iter().next().unwrap().unwrap().value, Some(&b"second"[..]));
    }
    drop(slices);
    idle("idle again", Cost::now());
    store.close().unwrap();
    drop(store);

    let store = options.open(dir.path()).unwrap();
    assert!(store.recovery_report().clean_shutdown && store.recovery_report().is_healthy());
    for partition in [0, 1, APPENDED - 1, APPENDED, PARTITIONS - 1] {
        let end = if partition < APPENDED { 2 } else { 1 };
        assert_eq!(store.partition("t", partition).unwrap().log_end(), end);
    }
}

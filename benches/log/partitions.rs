//! Ten thousand partitions in one store: how long it takes to create, open and close them, and what they cost.

use std::path::Path;
use std::time::Instant;

use esker::{Acks, Maintenance, ReadLimits, Store, StoreConfig, StoreOptions, TopicConfig};

use crate::harness::{builder, line};

const PARTITIONS: i32 = 10_000;

/// Resident memory in MiB, where the system tells.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find(|line| line.starts_with("VmRSS"))?.split_whitespace().nth(1)?;
    Some(kib.parse::<f64>().ok()? / 1024.0)
}

fn timed<T>(name: &str, goal: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    line(name, &format!("{:.0} ms", start.elapsed().as_secs_f64() * 1e3), "-", "-", goal);
    result
}

fn options() -> StoreOptions {
    let config = StoreConfig { open_files_idle_ms: 1, ..StoreConfig::default() };
    Store::options().config(config).maintenance(Maintenance::Manual)
}

fn memory(name: &str, before: Option<f64>) {
    let cost = before.and_then(|before| Some(resident()? - before));
    let cost = cost.map_or("-".to_owned(), |cost| format!("{cost:.1} MiB"));
    line(name, &cost, "-", "-", "150 MiB");
}

pub fn run() {
    let dir = tempfile::tempdir().unwrap();
    let before = resident();
    let store = options().open(dir.path()).unwrap();
    let create = || store.create_topic("t", TopicConfig::new().partitions(PARTITIONS).retention_ms(-1)).unwrap();
    timed("10,000 partitions: create", "-", create);
    timed("  close", "-", || store.close().unwrap());
    drop(store);
    let store = timed("  open, empty", "2000 ms", || options().open(dir.path()).unwrap());
    memory("  memory, empty", before);
    timed("  append to each", "-", || append_to_each(&store));
    timed("  become idle", "-", || {
        for _ in 0..=PARTITIONS / 32 {
            std::thread::sleep(std::time::Duration::from_millis(2));
            store.tick().unwrap();
        }
    });
    memory("  memory, idle", before);
    timed("  read each", "-", || read_each(&store));
    timed("  close", "-", || store.close().unwrap());
    drop(store);
    reopen(dir.path(), before);
}

fn append_to_each(store: &Store) {
    let mut single = builder(1);
    let batch = single.build().unwrap();
    for partition in 0..PARTITIONS {
        store.partition("t", partition).unwrap().append(batch, Acks::Leader).unwrap();
    }
}

fn read_each(store: &Store) {
    for partition in 0..PARTITIONS {
        let fetched = store.partition("t", partition).unwrap().read(0, ReadLimits::new()).unwrap();
        assert_eq!(fetched.next_offset(), 1);
    }
}

fn reopen(dir: &Path, before: Option<f64>) {
    let store = timed("  open, a batch in each", "2000 ms", || options().open(dir).unwrap());
    memory("  memory, a batch in each", before);
    store.close().unwrap();
}

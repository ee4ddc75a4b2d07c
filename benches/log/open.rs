//! Opening a store, after a clean shutdown and after a crash.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use esker::{Acks, Store, TopicConfig};

use crate::harness::{builder, line, median};

/// Opening 1,000 partitions with 10 GB (or as many as `ESKER_BENCH_GB` says), after a clean shutdown and after a crash.
pub fn run() {
    const PARTITIONS: i32 = 1000;
    let gigabytes: u64 = std::env::var("ESKER_BENCH_GB").ok().and_then(|value| value.parse().ok()).unwrap_or(10);
    let dir = tempfile::tempdir().unwrap();
    // As a producer makes them: batch.size is 16,384.
    let mut usual = builder(145);
    let batch = usual.build().unwrap();
    let per_partition = gigabytes * 1_000_000_000 / PARTITIONS as u64 / batch.bytes().len() as u64;
    let store = Store::open(dir.path()).unwrap();
    store.create_topic("t", TopicConfig::new().partitions(PARTITIONS)).unwrap();
    for partition in 0..PARTITIONS {
        let log = store.partition("t", partition).unwrap();
        for _ in 0..per_partition {
            log.append(batch, Acks::Leader).unwrap();
        }
    }
    store.close().unwrap();
    drop(store);
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let store = Store::open(dir.path()).unwrap();
        times.push(start.elapsed().as_secs_f64() * 1e3);
        assert!(store.recovery_report().clean_shutdown);
        store.close().unwrap();
    }
    let clean = median(times.into_iter());
    line("open 1,000 partitions, clean", &format!("{clean:.0} ms"), "-", "-", "200 ms");

    // Without the marker and the recovery points it is the directory of a store that died before its first sync.
    let forget = || {
        for name in [".kafka_cleanshutdown", "recovery-point-offset-checkpoint"] {
            std::fs::remove_file(dir.path().join(name)).unwrap();
        }
    };
    let bytes = (per_partition * PARTITIONS as u64) as f64 * batch.bytes().len() as f64;
    let mut rates = Vec::new();
    for _ in 0..3 {
        forget();
        let start = Instant::now();
        let store = Store::open(dir.path()).unwrap();
        rates.push(bytes / start.elapsed().as_secs_f64() / 1e9);
        assert!(!store.recovery_report().clean_shutdown && store.recovery_report().is_healthy());
        store.close().unwrap();
    }
    let limit = bytes / checksum_all(dir.path()).as_secs_f64() / 1e9;
    let ours = median(rates.into_iter());
    let name = format!("recover {gigabytes} GB after a crash; limit read + CRC");
    line(&name, &format!("{ours:.2} GB/s"), &format!("{limit:.2} GB/s"), &format!("{:.2}", ours / limit), "1 GB/s");
}

/// The limit of recovery: every log file mapped and checksummed, by as many threads as recover.
fn checksum_all(dir: &Path) -> Duration {
    let logs: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path().join("00000000000000000000.log");
            path.exists().then_some(path)
        })
        .collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for half in logs.chunks(logs.len().div_ceil(2)) {
            scope.spawn(move || {
                for path in half {
                    let file: File = OpenOptions::new().read(true).open(path).unwrap();
                    // SAFETY: the directory is temporary and nobody writes to it now.
                    let map = unsafe { memmap2::Mmap::map(&file).unwrap() };
                    black_box(crc32c::crc32c(&map));
                }
            });
        }
    });
    start.elapsed()
}

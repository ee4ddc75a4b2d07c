//! What the log does against what the machine can do, both measured in the same run: the figures that mean something
//! are the ratios. `cargo bench` runs all of it, `cargo bench -- append read` parts of it.
//!
//! Each comparison runs several rounds, ours and the limit in turn, and prints the medians. The machine should be idle.
#![expect(clippy::unwrap_used, reason = "a bench that can't run ends with a panic")]

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use bytes::Bytes;
use esker::record::{BatchBuilder, BatchRef, BatchView, RecordData};
use esker::{Acks, Log, ReadLimits, Store, TopicConfig};

const VALUE: [u8; 100] = [b'x'; 100];
const ROUNDS: usize = 7;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let sections: [(&str, fn()); 6] = [
        ("append", append_single),
        ("append-100", append_hundred),
        ("acks-all", acks_all),
        ("read", || read(100)),
        ("read-single", || read(1)),
        ("open", open),
    ];
    println!("{:<44} {:>14} {:>14} {:>8} {:>8}", "", "ours", "limit", "ratio", "goal");
    for (name, run) in sections {
        if wanted.is_empty() || wanted.iter().any(|wanted| name.starts_with(wanted.as_str())) {
            run();
        }
    }
}

/// A comparison: prints the median of each side and of the ratios round by round.
fn compare(name: &str, unit: &str, goal: &str, mut ours: impl FnMut() -> f64, mut limit: impl FnMut() -> f64) {
    let mut rounds: Vec<(f64, f64)> = (0..=ROUNDS).map(|_| (ours(), limit())).collect();
    rounds.remove(0); // the first one warms up
    let ratio = median(rounds.iter().map(|(ours, limit)| ours / limit));
    let (ours, limit) = (median(rounds.iter().map(|round| round.0)), median(rounds.iter().map(|round| round.1)));
    println!(
        "{name:<44} {:>14} {:>14} {ratio:>8.2} {goal:>8}",
        format!("{ours:.2} {unit}"),
        format!("{limit:.2} {unit}")
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn builder(records: usize) -> BatchBuilder {
    let mut builder = BatchBuilder::new(1 << 20);
    for _ in 0..records {
        builder.push(&RecordData::of(&VALUE).at(1_700_000_000_000)).unwrap();
    }
    builder
}

/// A store with one topic of one partition, in a directory that goes with it.
fn with_log<T>(run: impl FnOnce(&Log) -> T) -> T {
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    run(&store.partition("t", 0).unwrap())
}

/// The limit of appending: a copy and a CRC-32C for each batch into a mapping whose pages are there.
fn copy_and_checksum(batch: &[u8], count: usize) -> Duration {
    let file = tempfile::tempfile().unwrap();
    file.set_len((batch.len() * count) as u64).unwrap();
    // SAFETY: the file has no name, so nobody else can shorten it.
    let mut map = unsafe { memmap2::MmapOptions::new().map_mut(&file).unwrap() };
    map.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    let start = Instant::now();
    for room in map.chunks_exact_mut(batch.len()) {
        black_box(crc32c::crc32c(&batch[21..]));
        room.copy_from_slice(batch);
    }
    start.elapsed()
}

fn appends(log: &Log, batch: BatchRef<'_>, count: usize) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        log.append(batch, Acks::Leader).unwrap();
    }
    start.elapsed()
}

fn append_single() {
    const COUNT: usize = 2_000_000;
    let mut single = builder(1);
    let bytes = single.build().unwrap().bytes().to_vec();
    let limit = || COUNT as f64 / copy_and_checksum(&bytes, COUNT).as_secs_f64() / 1e6;
    let batch = single.build().unwrap();
    let ours = || with_log(|log| COUNT as f64 / appends(log, batch, COUNT).as_secs_f64() / 1e6);
    compare("append 1 × 100 B, Leader, built before", "M/s", "0.50", ours, limit);
    let ours = || {
        with_log(|log| {
            let mut builder = BatchBuilder::new(1 << 20);
            let start = Instant::now();
            for _ in 0..COUNT {
                builder.push(&RecordData::of(&VALUE).at(1_700_000_000_000)).unwrap();
                log.append(builder.build().unwrap(), Acks::Leader).unwrap();
                builder.clear();
            }
            COUNT as f64 / start.elapsed().as_secs_f64() / 1e6
        })
    };
    compare("append 1 × 100 B, Leader, built on the way", "M/s", "-", ours, limit);
}

fn append_hundred() {
    const COUNT: usize = 40_000;
    let mut hundred = builder(100);
    let bytes = hundred.build().unwrap().bytes().to_vec();
    let rate = |elapsed: Duration| (COUNT * bytes.len()) as f64 / elapsed.as_secs_f64() / 1e9;
    let limit = || rate(copy_and_checksum(&bytes, COUNT));
    let batch = hundred.build().unwrap();
    let ours = || with_log(|log| rate(appends(log, batch, COUNT)));
    compare("append 100 × 100 B, Leader, built before", "GB/s", "0.60", ours, limit);
    let ours = || {
        with_log(|log| {
            let start = Instant::now();
            let mut builder = BatchBuilder::new(1 << 20);
            for _ in 0..COUNT {
                for _ in 0..100 {
                    builder.push(&RecordData::of(&VALUE).at(1_700_000_000_000)).unwrap();
                }
                log.append(builder.build().unwrap(), Acks::Leader).unwrap();
                builder.clear();
            }
            rate(start.elapsed())
        })
    };
    compare("append 100 × 100 B, Leader, built on the way", "GB/s", "-", ours, limit);
}

fn acks_all() {
    const COUNT: usize = 300;
    let mut single = builder(1);
    let bytes = single.build().unwrap().bytes().to_vec();
    let one_thread = |log: &Log| {
        let mut single = builder(1);
        let batch = single.build().unwrap();
        log.append(batch, Acks::All).unwrap();
        let start = Instant::now();
        for _ in 0..COUNT {
            log.append(batch, Acks::All).unwrap();
        }
        COUNT as f64 / start.elapsed().as_secs_f64() / 1e3
    };
    let bare = || {
        let mut file = tempfile::tempfile().unwrap();
        let start = Instant::now();
        for _ in 0..COUNT {
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
        }
        COUNT as f64 / start.elapsed().as_secs_f64() / 1e3
    };
    // At most 1.15 times as long is a ratio of 0.87 or more.
    compare("append, All, 1 thread; limit write + fdatasync", "k/s", "0.87", || with_log(one_thread), bare);
    let many = |log: &Log| {
        const THREADS: usize = 16;
        let barrier = Barrier::new(THREADS + 1);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let mut single = builder(1);
                    let batch = single.build().unwrap();
                    barrier.wait();
                    for _ in 0..COUNT {
                        log.append(batch, Acks::All).unwrap();
                    }
                    barrier.wait();
                });
            }
            barrier.wait();
            let start = Instant::now();
            barrier.wait();
            (THREADS * COUNT) as f64 / start.elapsed().as_secs_f64() / 1e3
        })
    };
    compare("append, All, 16 threads; limit 1 thread", "k/s", "8.00", || with_log(many), || with_log(one_thread));
}

fn read(records_per_batch: usize) {
    const RECORDS: usize = 2_000_000;
    let mut builder = builder(records_per_batch);
    let batch = builder.build().unwrap();
    with_log(|log| {
        for _ in 0..RECORDS / records_per_batch {
            log.append(batch, Acks::Leader).unwrap();
        }
        let whole = log.read(0, ReadLimits::new().max_bytes(1 << 30)).unwrap();
        let rate = |elapsed: Duration| RECORDS as f64 / elapsed.as_secs_f64() / 1e6;
        let ours = || {
            let (start, mut offset, mut bytes) = (Instant::now(), 0, 0);
            while offset < log.high_watermark() {
                let fetched = log.read(offset, ReadLimits::new()).unwrap();
                for batch in fetched.batches() {
                    for record in &batch.unwrap().records().unwrap() {
                        bytes += record.unwrap().value.unwrap().len();
                    }
                }
                offset = fetched.next_offset();
            }
            assert_eq!(bytes, RECORDS * VALUE.len());
            rate(start.elapsed())
        };
        let limit = || walk(whole.bytes(), rate);
        let name = format!("read 100 B records, {records_per_batch} to a batch");
        compare(&name, "M/s", if records_per_batch == 100 { "0.40" } else { "-" }, ours, limit);
    });
}

/// The limit of reading: the same bytes, checksummed batch by batch and walked record by record in memory.
fn walk(bytes: &Bytes, rate: impl Fn(Duration) -> f64) -> f64 {
    let (start, mut at, mut total) = (Instant::now(), 0, 0);
    while at < bytes.len() {
        let view = BatchView::parse(&bytes.slice(at..)).unwrap();
        for record in &view.records().unwrap() {
            total += record.unwrap().value.unwrap().len();
        }
        at += view.header().size();
    }
    black_box(total);
    rate(start.elapsed())
}

/// Opening 1,000 partitions with 10 GB (or as many as `ESKER_BENCH_GB` says), after a clean shutdown and after a crash.
fn open() {
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
    let line = |name: &str, ours: String, limit: String, ratio: String, goal: &str| {
        println!("{name:<44} {ours:>14} {limit:>14} {ratio:>8} {goal:>8}");
    };
    let clean = median(times.into_iter());
    line("open 1,000 partitions, clean", format!("{clean:.0} ms"), "-".into(), "-".into(), "200 ms");

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
    line(&name, format!("{ours:.2} GB/s"), format!("{limit:.2} GB/s"), format!("{:.2}", ours / limit), "1 GB/s");
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

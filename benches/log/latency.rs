//! How long single operations take at worst: random reads, and appends while maintenance works.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use esker::record::{BatchBuilder, RecordData};
use esker::{Acks, CleanupPolicy, Log, Maintenance, ReadLimits, Store, StoreConfig, TopicConfig};

use crate::harness::{builder, line, with_log};

/// The value below which are so many thousandths of them.
fn quantile(times: &mut [Duration], thousandths: usize) -> f64 {
    times.sort_unstable();
    times[(times.len() * thousandths / 1_000).min(times.len() - 1)].as_secs_f64() * 1e6
}

fn us(value: f64) -> String {
    format!("{value:.2} us")
}

/// Reads of a record each at offsets in no order, all of them in the page cache.
pub fn random_reads() {
    const RECORDS: u64 = 1_000_000;
    const READS: u64 = 200_000;
    with_log(|log| {
        let mut single = builder(1);
        let batch = single.build().unwrap();
        for _ in 0..RECORDS {
            log.append(batch, Acks::Leader).unwrap();
        }
        let mut times = Vec::new();
        let mut read = |round: u64| {
            times.clear();
            for index in 0..READS {
                let offset = (index * 2_654_435_761 + round) % RECORDS;
                let start = Instant::now();
                let fetched = log.read(offset as i64, ReadLimits::new().max_bytes(1)).unwrap();
                let view = fetched.batches().next().unwrap().unwrap();
                times.push(start.elapsed());
                assert_eq!(view.header().base_offset, offset as i64);
            }
            (quantile(&mut times, 500), quantile(&mut times, 990))
        };
        read(0);
        let (median, p99) = read(1);
        line("random read of a record, warm: median", &us(median), "-", "-", "-");
        line("  p99", &us(p99), "-", "-", "5 us");
    });
}

/// Appends at a steady pace for a while, and returns the 99.9th percentile and the longest.
fn paced_appends(log: &Log) -> (f64, f64) {
    const PACE: Duration = Duration::from_micros(50);
    const APPENDS: u32 = 40_000;
    let mut single = builder(1);
    let batch = single.build().unwrap();
    let mut times = Vec::with_capacity(APPENDS as usize);
    let begun = Instant::now();
    for index in 0..APPENDS {
        while begun.elapsed() < PACE * index {
            std::hint::spin_loop();
        }
        let start = Instant::now();
        log.append(batch, Acks::Leader).unwrap();
        times.push(start.elapsed());
    }
    (quantile(&mut times, 999), quantile(&mut times, 1_000))
}

/// Keyed records for the compaction to work on, in small segments.
fn fill_compacted(log: &Log, batches: u64) {
    let mut builder = BatchBuilder::new(1 << 20);
    for batch in 0..batches {
        for record in 0..100 {
            let key = (batch * 100 + record) * 7_919 % 100_000;
            builder.push(&RecordData::new(Some(&key.to_be_bytes()), Some(&[b'x'; 100])).at(1)).unwrap();
        }
        log.append(builder.build().unwrap(), Acks::Leader).unwrap();
        builder.clear();
    }
}

/// Appends to one partition while others of the store are compacted and shortened, against the same without.
pub fn appends_beside_maintenance() {
    let run = |with_maintenance: bool| {
        let config =
            StoreConfig { log_retention_check_interval_ms: 1, log_cleaner_backoff_ms: 0, ..StoreConfig::default() };
        let store = Store::options().config(config).maintenance(Maintenance::Manual).open_temporary().unwrap();
        let small = TopicConfig::new().segment_bytes(4 << 20).file_delete_delay_ms(0);
        // By its size alone: the records are old, and would take the segment that is appended to along with each tick.
        let kept = TopicConfig::new().retention_bytes(8 << 20).retention_ms(-1).segment_bytes(1 << 20);
        store.create_topic("t", kept).unwrap();
        store.create_topic("compacted", small.clone().cleanup_policy(CleanupPolicy::COMPACT)).unwrap();
        store.create_topic("deleted", small.retention_bytes(0)).unwrap();
        let others = ["compacted", "deleted"].map(|topic| store.partition(topic, 0).unwrap());
        let log = store.partition("t", 0).unwrap();
        paced_appends(&log);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            if with_maintenance {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        others.iter().for_each(|log| fill_compacted(log, 500));
                        store.tick().unwrap();
                    }
                });
            } else {
                // Another thread is as busy, with nothing of the store's.
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            let times = paced_appends(&log);
            done.store(true, Ordering::Relaxed);
            times
        })
    };
    let (without, longest_without) = run(false);
    let (with, longest_with) = run(true);
    let ratio = |ours: f64, limit: f64| format!("{:.2}", ours / limit);
    let name = "append beside compaction, p99.9; limit without";
    line(name, &us(with), &us(without), &ratio(with, without), "3.00");
    line("  longest", &us(longest_with), &us(longest_without), &ratio(longest_with, longest_without), "-");
}

//! What all sections share: the rounds of a comparison and how it is printed, batches, logs, and the limit of copying
//! and checksumming.

use std::hint::black_box;
use std::time::{Duration, Instant};

use esker::record::{BatchBuilder, BatchRef, RecordData};
use esker::{Acks, Log, Store, TopicConfig};

pub const VALUE: [u8; 100] = [b'x'; 100];
const ROUNDS: usize = 7;

/// The heads of the columns.
pub fn head() {
    println!("{:<44} {:>14} {:>14} {:>8} {:>8}", "", "ours", "limit", "ratio", "goal");
}

/// A line of what was measured in some other way than by [`compare`].
pub fn line(name: &str, ours: &str, limit: &str, ratio: &str, goal: &str) {
    println!("{name:<44} {ours:>14} {limit:>14} {ratio:>8} {goal:>8}");
}

/// A comparison: prints the median of each side and of the ratios round by round.
pub fn compare(name: &str, unit: &str, goal: &str, mut ours: impl FnMut() -> f64, mut limit: impl FnMut() -> f64) {
    let mut rounds: Vec<(f64, f64)> = (0..=ROUNDS).map(|_| (ours(), limit())).collect();
    rounds.remove(0); // the first one warms up
    let ratio = median(rounds.iter().map(|(ours, limit)| ours / limit));
    let (ours, limit) = (median(rounds.iter().map(|round| round.0)), median(rounds.iter().map(|round| round.1)));
    line(name, &format!("{ours:.2} {unit}"), &format!("{limit:.2} {unit}"), &format!("{ratio:.2}"), goal);
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn builder(records: usize) -> BatchBuilder {
    let mut builder = BatchBuilder::new(1 << 20);
    for _ in 0..records {
        builder.push(&RecordData::of(&VALUE).at(1_700_000_000_000)).unwrap();
    }
    builder
}

/// A store with one topic of one partition, in a directory that goes with it.
pub fn with_log<T>(run: impl FnOnce(&Log) -> T) -> T {
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    run(&store.partition("t", 0).unwrap())
}

/// The limit of appending: a copy and a CRC-32C for each batch into a mapping whose pages are there.
pub fn copy_and_checksum(batch: &[u8], count: usize) -> Duration {
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

pub fn appends(log: &Log, batch: BatchRef<'_>, count: usize) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        log.append(batch, Acks::Leader).unwrap();
    }
    start.elapsed()
}

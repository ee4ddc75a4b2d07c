//! What disk faults and damage do: a typed error to the one who asked, everything else as before, and never a panic.
#![cfg(feature = "sim")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../common/mod.rs"]
mod common;
mod damage;
mod device;
mod directories;
mod full;
mod leftovers;
mod open_files;
mod retention;
mod turns;

use std::sync::Arc;

use esker::sim::{FaultStorage, ManualClock};
use esker::{Acks, Log, Maintenance, Offset, ReadLimits, Result, Store, TopicConfig};

use common::Sent;
use common::reserving::Reserving;

const DIR: &str = "/data";
const START_MS: i64 = 1_700_000_000_000;

fn open(disk: &FaultStorage) -> Result<Store> {
    open_with_clock(disk, ManualClock::new(START_MS))
}

fn open_with_clock(disk: &FaultStorage, clock: ManualClock) -> Result<Store> {
    Store::options().storage(Arc::new(disk.clone())).clock(Arc::new(clock)).maintenance(Maintenance::Manual).open(DIR)
}

/// A store that takes space ahead of what is appended, as on the real disk.
fn open_reserving(disk: &FaultStorage) -> Result<Store> {
    Store::options()
        .storage(Arc::new(Reserving::new(disk.clone(), 256)))
        .clock(Arc::new(ManualClock::new(START_MS)))
        .maintenance(Maintenance::Manual)
        .open(DIR)
}

/// A topic of one partition with small segments.
fn create_log(store: &Store) -> Log {
    let config = TopicConfig::new().internal_segment_bytes(1_000).index_interval_bytes(150);
    store.create_topic("t", config).unwrap();
    store.partition("t", 0).unwrap()
}

/// Appends `count` batches of one to three records, and returns all records with their offsets.
fn fill(log: &Log, count: i64) -> Vec<(Offset, Sent)> {
    let mut records = Vec::new();
    for index in 0..count {
        let batch: Vec<Sent> = (0..=index % 3)
            .map(|of| Sent::value(START_MS + 10 * index + of, format!("value {of} of batch {index} {:>30}", "")))
            .collect();
        let appended = common::append(log, &batch, esker::record::Compression::None, Acks::Leader).unwrap();
        records.extend((appended.base_offset..).zip(batch));
    }
    records
}

fn read_all(log: &Log) -> Vec<(Offset, Sent)> {
    common::read_all(log, ReadLimits::new()).unwrap()
}

/// The offsets of each batch, with the file and the position where it lies.
fn batches(disk: &FaultStorage, topic_dir: &str) -> Vec<Batch> {
    let mut batches = Vec::new();
    for file in disk.files() {
        let path = file.to_str().unwrap().to_owned();
        if !path.starts_with(topic_dir) || !path.ends_with(".log") {
            continue;
        }
        let bytes = disk.contents(&path).unwrap();
        let mut position = 0;
        while position < bytes.len() {
            let header = esker::record::BatchHeader::parse(&bytes[position..]).unwrap();
            let end = position + header.size();
            batches.push(Batch {
                file: path.clone(),
                position: position as u64,
                end: end as u64,
                offsets: header.base_offset..=header.last_offset(),
            });
            position = end;
        }
    }
    batches
}

#[derive(Clone, Debug)]
struct Batch {
    file: String,
    position: u64,
    end: u64,
    offsets: std::ops::RangeInclusive<Offset>,
}

//! Appending without a sync: single records and batches of a hundred, against a copy and a checksum of the same bytes.

use std::time::{Duration, Instant};

use esker::Acks;
use esker::record::{BatchBuilder, RecordData};

use crate::harness::{VALUE, appends, builder, compare, copy_and_checksum, with_log};

pub fn single() {
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

pub fn hundred() {
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

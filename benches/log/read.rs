//! Reading a log from its start to its end, against a walk over the same bytes in memory.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use esker::record::BatchView;
use esker::{Acks, ReadLimits};

use crate::harness::{VALUE, builder, compare, with_log};

pub fn run(records_per_batch: usize) {
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

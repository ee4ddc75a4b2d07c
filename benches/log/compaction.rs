//! Compaction in the bytes that a pass reads, against a copy and a checksum of the same bytes.

use std::time::Instant;

use esker::record::{BatchBuilder, RecordData};
use esker::{Acks, CleanupPolicy, Log, Store, TopicConfig};

use crate::harness::{compare, copy_and_checksum};

/// Records of 100 B under keys of 16 B, a hundred to a batch.
const BATCHES: u64 = 20_000;
const PER_BATCH: u64 = 100;

/// A log in which each key comes `versions` times.
fn fill(log: &Log, versions: u64) {
    let keys = BATCHES * PER_BATCH / versions;
    let mut builder = BatchBuilder::new(1 << 20);
    for batch in 0..BATCHES {
        for record in 0..PER_BATCH {
            // A step that shares no divisor with the keys comes to each of them in turn, in no order.
            let key = format!("{:016}", (batch * PER_BATCH + record) * 7_919 % keys);
            builder.push(&RecordData::new(Some(key.as_bytes()), Some(&[b'x'; 100])).at(1_700_000_000_000)).unwrap();
        }
        log.append(builder.build().unwrap(), Acks::Leader).unwrap();
        builder.clear();
    }
}

/// How fast a pass over a log is, in GB/s of what it reads when it rewrites. It has read the keys before.
fn pass(versions: u64) -> f64 {
    let store = Store::temporary().unwrap();
    let config = TopicConfig::new().cleanup_policy(CleanupPolicy::COMPACT).segment_bytes(64 << 20);
    store.create_topic("t", config).unwrap();
    let log = store.partition("t", 0).unwrap();
    fill(&log, versions);
    log.flush().unwrap();
    let start = Instant::now();
    store.compact("t").unwrap();
    let elapsed = start.elapsed();
    log.last_compaction().unwrap().bytes_before as f64 / elapsed.as_secs_f64() / 1e9
}

pub fn run() {
    let mut builder = BatchBuilder::new(1 << 20);
    for _ in 0..PER_BATCH {
        builder.push(&RecordData::new(Some(&[b'k'; 16]), Some(&[b'x'; 100])).at(1_700_000_000_000)).unwrap();
    }
    let batch = builder.build().unwrap().bytes().to_vec();
    let bytes = (batch.len() as u64 * BATCHES) as f64;
    let limit = || bytes / copy_and_checksum(&batch, BATCHES as usize).as_secs_f64() / 1e9;
    compare("compaction, each key once", "GB/s", "-", || pass(1), limit);
    compare("compaction, each key 10 times", "GB/s", "-", || pass(10), limit);
}

//! How much memory compressed batches may take that become very much more. Its own test, for one process has one
//! allocator.
#![cfg(feature = "zstd")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "common/allocator.rs"]
mod allocator;

use std::sync::Barrier;
use std::thread;
use std::time::SystemTime;

use bytes::Bytes;
use esker::record::{BatchBuilder, BatchView, Compression, RecordData};
use esker::{Acks, Store, TopicConfig};

const THREADS: usize = 16;
const BOMB_BYTES: usize = 100 << 20;
/// Two at a time, and eight that have come to 16 MiB, each in a vector that is being moved to one of twice the size;
/// and a little for the rest.
const HELD_MAX: usize = (2 * 192 + 8 * 48 + 32) << 20;

fn bomb(timestamp: i64) -> BatchView {
    let value = vec![0; BOMB_BYTES];
    let mut builder = BatchBuilder::new(0).compression(Compression::Zstd);
    builder.push(&RecordData::new(None, Some(&value)).at(timestamp)).unwrap();
    // As it would come from somewhere else: what is built here is not looked at.
    BatchView::parse(&Bytes::copy_from_slice(builder.build().unwrap().bytes())).unwrap()
}

#[test]
fn threads_that_look_into_bombs_hold_few_of_them_at_a_time() {
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let log = store.partition("t", 0).unwrap();
    let now_ms = i64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let bomb = bomb(now_ms);
    let at_once = Barrier::new(THREADS);
    // What it took to make the bomb.
    let made = allocator::peak();
    assert!(made < HELD_MAX, "{made}");
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                at_once.wait();
                log.append(&bomb, Acks::Leader).unwrap();
                assert_eq!(log.offset_for_timestamp(now_ms).unwrap().unwrap().offset, 0);
            });
        }
    });
    assert_eq!(log.log_end(), THREADS as i64);
    let peak = allocator::peak();
    assert!(peak < HELD_MAX, "{peak} bytes were held at once");
}

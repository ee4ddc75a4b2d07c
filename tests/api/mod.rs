//! What the tests of stores, producers and consumers share: opening, reading a log the plain way, and the smallest
//! executor there is.

#![allow(dead_code, reason = "each test file uses its part of this")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use esker::clock::Clock;
use esker::io::MemoryStorage;
use esker::record::{BatchBuilder, BatchHeader, Compression, RecordData};
use esker::{Acks, Log, Maintenance, Offset, ReadLimits, Store, StoreOptions};

/// What is long enough for anything that happens at all, and is never waited for in a test that passes.
pub const FOREVER: Duration = Duration::from_secs(3600);

/// A moment in November 2023, in milliseconds.
pub const NOW_MS: i64 = 1_700_000_000_000;

/// A clock that stands still until it is told.
#[derive(Clone, Debug)]
pub struct TestClock {
    monotonic_ms: Arc<AtomicI64>,
    /// By how much the wall clock is ahead of that.
    ahead_ms: Arc<AtomicI64>,
}

impl TestClock {
    pub fn new() -> Self {
        Self { monotonic_ms: Arc::new(AtomicI64::new(NOW_MS)), ahead_ms: Arc::default() }
    }

    pub fn advance(&self, ms: i64) {
        self.monotonic_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Somebody sets the wall clock, and only that.
    pub fn set_back(&self, ms: i64) {
        self.ahead_ms.fetch_sub(ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.monotonic_ms() + self.ahead_ms.load(Ordering::SeqCst)
    }

    fn monotonic_ms(&self) -> i64 {
        self.monotonic_ms.load(Ordering::SeqCst)
    }
}

/// Options of a store whose caller has all threads and all time.
pub fn manual() -> (StoreOptions, TestClock) {
    let clock = TestClock::new();
    let options = StoreOptions::new().clock(Arc::new(clock.clone())).maintenance(Maintenance::Manual);
    (options, clock)
}

/// A store in memory that does nothing by itself.
pub fn manual_store() -> Store {
    manual().0.storage(Arc::new(MemoryStorage::new())).open("data").unwrap()
}

/// A store in memory with its thread.
pub fn store() -> Store {
    Store::options().storage(Arc::new(MemoryStorage::new())).open("data").unwrap()
}

/// The headers of all batches of a log.
pub fn batches(log: &Log) -> Vec<BatchHeader> {
    let mut headers = Vec::new();
    let mut offset = log.log_start();
    while offset < log.high_watermark() {
        let fetched = log.read(offset, ReadLimits::new()).unwrap();
        headers.extend(fetched.batches().map(|batch| *batch.unwrap().header()));
        offset = fetched.next_offset();
    }
    headers
}

/// How many records each batch of a log has.
pub fn batch_counts(log: &Log) -> Vec<i32> {
    batches(log).iter().map(|header| header.records_count).collect()
}

/// The offsets and values of all records of a log.
pub fn records(log: &Log) -> Vec<(Offset, String)> {
    let mut records = Vec::new();
    let mut offset = log.log_start();
    while offset < log.high_watermark() {
        let fetched = log.read(offset, ReadLimits::new()).unwrap();
        for batch in fetched.batches() {
            for record in &batch.unwrap().records().unwrap() {
                let record = record.unwrap();
                let value = String::from_utf8(record.value.unwrap_or_default().to_vec()).unwrap();
                records.push((record.offset, value));
            }
        }
        offset = fetched.next_offset();
    }
    records
}

/// The values of all records of a log.
pub fn values(log: &Log) -> Vec<String> {
    records(log).into_iter().map(|(_, value)| value).collect()
}

/// Appends these values as one batch and returns the offset of the first.
pub fn append(log: &Log, timestamp: i64, values: &[&str]) -> Offset {
    append_with(log, timestamp, values, Compression::None)
}

/// Appends these values as one batch in a codec and returns the offset of the first.
pub fn append_with(log: &Log, timestamp: i64, values: &[&str], codec: Compression) -> Offset {
    let mut builder = BatchBuilder::new(1 << 20).compression(codec);
    for value in values {
        builder.push(&RecordData::of(value.as_bytes()).at(timestamp)).unwrap();
    }
    log.append(builder.build().unwrap(), Acks::Leader).unwrap().base_offset
}

/// The codecs of this build.
pub fn codecs() -> Vec<Compression> {
    let built_in = [
        (Compression::None, true),
        (Compression::Gzip, cfg!(feature = "gzip")),
        (Compression::Snappy, cfg!(feature = "snappy")),
        (Compression::Lz4, cfg!(feature = "lz4")),
        (Compression::Zstd, cfg!(feature = "zstd")),
    ];
    built_in.into_iter().filter(|(_, built_in)| *built_in).map(|(codec, _)| codec).collect()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end on this thread, which sleeps until it is woken.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Looks at a future once.
pub fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

//! Any sequence of operations on a log gives what it gives on a plain list of records.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use esker::clock::Clock;
use esker::io::MemoryStorage;
use esker::{Acks, Error, Log, Maintenance, Offset, OffsetAndTimestamp, ReadLimits, Store, StoreConfig, TopicConfig};
use proptest::prelude::*;

use common::{Sent, check_lookups, codecs, read_all, scan_for_timestamp};

const START_MS: i64 = 1_700_000_000_000;
const SEGMENT_BYTES: u64 = 1_200;
const SEGMENT_MS: i64 = 5_000;
const RETENTION_BYTES: u64 = 4_000;
const RETENTION_MS: i64 = 20_000;

#[derive(Debug, Default)]
struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Clone, Debug)]
enum Op {
    /// Records as the length of their value, and how much earlier than now they were made.
    Append {
        records: Vec<(usize, i64)>,
        codec: usize,
    },
    /// Whereabouts in the log to read, in thousandths from a little before its start to a little after its end.
    Read {
        whereabouts: i64,
        max_bytes: usize,
    },
    Timestamp {
        age_ms: i64,
    },
    /// Time passes, and the maintenance runs.
    Tick {
        ms: i64,
    },
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    // In steps, so that the limits of time are met exactly.
    let record = (0_usize..300, (0_i64..16).prop_map(|steps| 500 * steps));
    prop_oneof![
        12 => (prop::collection::vec(record, 1..5), 0_usize..5)
            .prop_map(|(records, codec)| Op::Append { records, codec }),
        8 => (-50_i64..1_050, prop_oneof![Just(0), Just(1), 0_usize..3_000])
            .prop_map(|(whereabouts, max_bytes)| Op::Read { whereabouts, max_bytes }),
        4 => (-10_i64..40_000).prop_map(|age_ms| Op::Timestamp { age_ms }),
        4 => prop_oneof![0_i64..8, Just(60)].prop_map(|steps| Op::Tick { ms: 500 * steps }),
        1 => Just(Op::Reopen),
    ]
}

/// What a segment comes to, for rolls and retention.
#[derive(Clone, Debug)]
struct Segment {
    base_offset: Offset,
    size: u64,
    first_timestamp: i64,
    largest_timestamp: i64,
}

/// The records that are there, and how they fall into segments.
#[derive(Debug)]
struct Model {
    records: Vec<(Offset, Sent)>,
    /// The offsets of each batch.
    batches: Vec<(Offset, Offset)>,
    segments: Vec<Segment>,
    end: Offset,
}

impl Model {
    fn new() -> Self {
        Self { records: Vec::new(), batches: Vec::new(), segments: vec![Segment::new(0)], end: 0 }
    }

    fn start(&self) -> Offset {
        self.segments[0].base_offset
    }

    fn append(&mut self, records: Vec<Sent>, size: u64) {
        let timestamp = records.iter().map(|record| record.timestamp).max().unwrap();
        let active = self.segments.last().unwrap();
        let is_full = active.size + size > SEGMENT_BYTES || timestamp - active.first_timestamp > SEGMENT_MS;
        if active.size > 0 && is_full {
            self.segments.push(Segment::new(self.end));
        }
        let active = self.segments.last_mut().unwrap();
        if active.size == 0 {
            active.first_timestamp = timestamp;
        }
        active.size += size;
        active.largest_timestamp = active.largest_timestamp.max(timestamp);
        self.batches.push((self.end, self.end + records.len() as Offset - 1));
        for record in records {
            self.records.push((self.end, record));
            self.end += 1;
        }
    }

    fn retain(&mut self, now_ms: i64) {
        let is_young = |segment: &Segment| segment.size == 0 || now_ms - segment.largest_timestamp <= RETENTION_MS;
        let too_old = self.segments.iter().position(is_young).unwrap_or(self.segments.len());
        let total: u64 = self.segments.iter().map(|segment| segment.size).sum();
        let mut excess = total.saturating_sub(RETENTION_BYTES);
        let mut too_many = 0;
        for segment in &self.segments {
            if segment.size == 0 || excess < segment.size {
                break;
            }
            excess -= segment.size;
            too_many += 1;
        }
        let count = too_old.max(too_many);
        if count == self.segments.len() {
            self.segments.push(Segment::new(self.end));
        }
        self.segments.drain(..count);
        let start = self.start();
        self.records.retain(|(offset, _)| *offset >= start);
        self.batches.retain(|(base_offset, _)| *base_offset >= start);
    }
}

impl Segment {
    fn new(base_offset: Offset) -> Self {
        Self { base_offset, size: 0, first_timestamp: 0, largest_timestamp: i64::MIN }
    }
}

fn open(storage: &Arc<MemoryStorage>, clock: &Arc<ManualClock>) -> Store {
    let config = StoreConfig { log_retention_check_interval_ms: 1, ..StoreConfig::default() };
    let options = Store::options().storage(storage.clone()).clock(clock.clone()).config(config);
    options.maintenance(Maintenance::Manual).open("/data").unwrap()
}

/// Appends to both, the log telling how large the batch is.
fn append(log: &Log, model: &mut Model, records: Vec<Sent>, codec: usize) {
    let codecs = codecs();
    let before = log.size_in_bytes();
    let appended = common::append(log, &records, codecs[codec % codecs.len()], Acks::Leader).unwrap();
    assert_eq!(appended.base_offset, model.end);
    assert_eq!(appended.last_offset, model.end + records.len() as Offset - 1);
    model.append(records, log.size_in_bytes() - before);
}

fn read(log: &Log, model: &Model, offset: Offset, max_bytes: usize) {
    let result = log.read(offset, ReadLimits::new().max_bytes(max_bytes));
    if offset < model.start() || offset > model.end {
        let range = (offset, model.start(), model.end);
        match result {
            Err(Error::OffsetOutOfRange { requested, log_start, high_watermark, .. }) => {
                assert_eq!((requested, log_start, high_watermark), range);
            }
            other => panic!("{range:?}: {other:?}"),
        }
        return;
    }
    let fetched = result.unwrap();
    assert_eq!(fetched.high_watermark(), model.end);
    if offset == model.end {
        assert!(fetched.is_empty() && fetched.next_offset() == offset);
        return;
    }
    let (first, _) = model.batches.iter().find(|(_, last)| *last >= offset).unwrap();
    let mut expected = *first;
    let mut batches = 0;
    for batch in fetched.batches() {
        batches += 1;
        for record in &batch.unwrap().records().unwrap() {
            let record = record.unwrap();
            assert_eq!(record.offset, expected);
            let sent = &model.records[(expected - model.start()) as usize].1;
            assert_eq!(&Sent::from_view(&record).unwrap(), sent);
            expected += 1;
        }
    }
    assert_eq!(fetched.next_offset(), expected);
    assert!(expected > offset, "a read gets on, however little it may return");
    assert!(batches == 1 || fetched.bytes().len() <= max_bytes, "but for the first batch it keeps to the limit");
}

fn run(ops: &[Op]) {
    let (storage, clock) = (Arc::new(MemoryStorage::new()), Arc::new(ManualClock(START_MS.into())));
    let mut store = open(&storage, &clock);
    let config = TopicConfig::new()
        .internal_segment_bytes(SEGMENT_BYTES as i32)
        .index_interval_bytes(200)
        .segment_ms(SEGMENT_MS)
        .retention_bytes(RETENTION_BYTES as i64)
        .retention_ms(RETENTION_MS);
    store.create_topic("t", config).unwrap();
    let mut log = store.partition("t", 0).unwrap();
    let mut model = Model::new();
    let mut number = 0;
    for op in ops {
        let now_ms = clock.now_ms();
        match op {
            Op::Append { records, codec } => {
                let sent = records.iter().map(|(len, age_ms)| {
                    number += 1;
                    Sent::value(now_ms - age_ms, format!("{number:>len$}"))
                });
                let sent: Vec<Sent> = sent.collect();
                if sent.iter().map(|record| record.value.as_ref().unwrap().len() + 20).sum::<usize>() + 80 < 1_200 {
                    append(&log, &mut model, sent, *codec);
                }
            }
            Op::Read { whereabouts, max_bytes } => {
                let len = model.end - model.start();
                read(&log, &model, model.start() + len * whereabouts / 1_000, *max_bytes);
            }
            Op::Timestamp { age_ms } => {
                let at = |found: OffsetAndTimestamp| (found.offset, found.timestamp);
                let found = log.offset_for_timestamp(now_ms - age_ms).unwrap();
                assert_eq!(found.map(at), scan_for_timestamp(&model.records, now_ms - age_ms));
                let largest = model.records.iter().map(|(_, record)| record.timestamp).max();
                let expected = largest.and_then(|largest| scan_for_timestamp(&model.records, largest));
                assert_eq!(log.offset_of_max_timestamp().unwrap().map(at), expected);
            }
            Op::Tick { ms } => {
                clock.0.fetch_add(*ms, Ordering::SeqCst);
                store.tick().unwrap();
                if *ms > 0 {
                    model.retain(clock.now_ms());
                }
            }
            Op::Reopen => {
                store.close().unwrap();
                drop(log);
                drop(store);
                store = open(&storage, &clock);
                assert!(store.recovery_report().clean_shutdown && store.recovery_report().is_healthy());
                log = store.partition("t", 0).unwrap();
            }
        }
        assert_eq!((log.log_start(), log.log_end()), (model.start(), model.end), "{op:?}");
        assert_eq!(log.segment_count(), model.segments.len(), "{op:?}");
    }
    for limits in [ReadLimits::new(), ReadLimits::new().max_bytes(1), ReadLimits::new().max_bytes(500)] {
        assert_eq!(read_all(&log, limits).unwrap(), model.records);
    }
    check_lookups(&log, &model.records).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_log_is_a_list_of_records(ops in prop::collection::vec(op(), 1..80)) {
        run(&ops);
    }
}

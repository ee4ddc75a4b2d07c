//! One partition through the public API: appends, rolls, reads, retention.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use esker::record::{BatchBuilder, RecordData};
use esker::{Acks, Log, ReadLimits, Store, TopicConfig};

fn append(log: &Log, timestamp: i64, value: &[u8]) -> i64 {
    let mut builder = BatchBuilder::new(1 << 20);
    builder.push(&RecordData::of(value).at(timestamp)).unwrap();
    log.append(builder.build().unwrap(), Acks::Leader).unwrap().base_offset
}

fn read_all(log: &Log) -> Vec<(i64, Vec<u8>)> {
    let mut records = Vec::new();
    let mut offset = log.log_start();
    while offset < log.high_watermark() {
        let fetched = log.read(offset, ReadLimits::new().max_bytes(500)).unwrap();
        for batch in fetched.batches() {
            for record in &batch.unwrap().records().unwrap() {
                let record = record.unwrap();
                records.push((record.offset, record.value.unwrap().to_vec()));
            }
        }
        offset = fetched.next_offset();
    }
    records
}

#[test]
fn records_come_back_across_segments_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut config = TopicConfig::new();
    config.set("internal.segment.bytes", "1000").unwrap();
    config.set("index.interval.bytes", "200").unwrap();
    store.create_topic("t", config).unwrap();
    let log = store.partition("t", 0).unwrap();
    let now = 1_700_000_000_000;
    for index in 0..100_i64 {
        assert_eq!(append(&log, now + index, format!("value {index}").as_bytes()), index);
    }
    assert!(log.segment_count() > 5);
    let before = read_all(&log);
    assert_eq!(before.len(), 100);
    for offset in 0..100 {
        let fetched = log.read(offset, ReadLimits::new().max_bytes(1)).unwrap();
        let batch = fetched.batches().next().unwrap().unwrap();
        assert_eq!(batch.header().base_offset, offset);
        let found = log.offset_for_timestamp(now + offset).unwrap().unwrap();
        assert_eq!(found.offset, offset);
    }
    store.close().unwrap();
    drop((store, log));

    let store = Store::open(dir.path()).unwrap();
    assert!(store.recovery_report().clean_shutdown);
    let log = store.partition("t", 0).unwrap();
    assert_eq!(read_all(&log), before);
    assert_eq!(append(&log, now + 100, b"one more"), 100);
    assert_eq!(log.offset_for_timestamp(now + 100).unwrap().unwrap().offset, 100);
}

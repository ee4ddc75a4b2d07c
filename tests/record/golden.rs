//! Batches that Kafka wrote, and what Kafka reads in them. `tests/golden/README.md` says how they were made.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use esker::ProducerIdAndEpoch;
use esker::record::{
    BatchBuilder, BatchView, Compression, EndTransactionMarker, Header, RecordData, TimestampType, TransactionResult,
};

use crate::{Owned, codecs, records};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Every case, and the codecs that it has a batch of.
fn cases() -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(directory()).expect("the golden files are there") {
        let path = entry.expect("the folder can be listed").path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_stem().expect("a name").to_str().expect("UTF-8").to_owned();
            cases.push((name, fs::read_to_string(&path).expect("the file can be read")));
        }
    }
    assert_eq!(cases.len(), 11, "all cases are there");
    cases
}

fn batch(codec: Compression, case: &str) -> Option<BatchView> {
    let path = directory().join(codec.name()).join(format!("{case}.batch"));
    let bytes = Bytes::from(fs::read(path).ok()?);
    let batch = BatchView::parse(&bytes).expect("Kafka's batches are sound");
    assert_eq!(batch.bytes().len(), bytes.len());
    Some(batch)
}

/// A batch header as `WriteGolden.java` puts it.
fn describe(batch: &BatchView) -> String {
    let h = batch.header();
    let timestamp_type = match h.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    };
    format!(
        "batch {} size {} crc {:08x} offsets {} {} {} epoch {} {timestamp_type} max {} producer {} {} \
         sequence {} {} transactional {} control {} count {}",
        h.compression().expect("a known codec"),
        h.size(),
        h.crc,
        h.base_offset,
        h.last_offset(),
        h.next_offset(),
        h.partition_leader_epoch,
        h.max_timestamp,
        h.producer_id,
        h.producer_epoch,
        h.base_sequence,
        h.last_sequence(),
        h.is_transactional(),
        h.is_control(),
        h.records_count,
    )
}

/// A record as `WriteGolden.java` puts it.
fn describe_record(record: &Owned) -> String {
    let (key, value) = (describe_bytes(record.key.as_deref()), describe_bytes(record.value.as_deref()));
    let mut line = format!("record {} {} {key} {value}", record.offset, record.timestamp);
    for (key, value) in &record.headers {
        let (key, value) = (describe_bytes(Some(key.as_bytes())), describe_bytes(value.as_deref()));
        write!(line, " {key}={value}").expect("writing into memory");
    }
    line
}

fn describe_bytes(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "null".into(),
        Some(bytes) if bytes.len() > 1000 => format!("{}@{:08x}", bytes.len(), crc32c::crc32c(bytes)),
        Some(bytes) => bytes.iter().fold("x".into(), |text, byte| format!("{text}{byte:02x}")),
    }
}

#[test]
fn every_header_and_record_is_what_kafka_reads() {
    let mut compared = 0;
    for (case, expected) in cases() {
        let (headers, lines): (Vec<_>, Vec<_>) = expected.lines().partition(|line| line.starts_with("batch "));
        for codec in codecs() {
            let Some(batch) = batch(codec, &case) else { continue };
            assert!(headers.contains(&describe(&batch).as_str()), "{case}: {}", describe(&batch));
            let found: Vec<_> = records(&batch).iter().map(describe_record).collect();
            assert_eq!(found, lines, "{case} with {codec}");
            compared += 1;
        }
    }
    assert_eq!(compared, 10 + 8 * (codecs().len() - 1), "none was skipped");
}

#[test]
fn what_is_built_is_what_kafka_builds_byte_for_byte() {
    for (case, _) in cases() {
        let Some(batch) = batch(Compression::None, &case) else { continue };
        if !batch.header().is_control() {
            assert_eq!(rebuilt(&batch, Compression::None).bytes(), batch.bytes(), "{case}");
        }
    }
}

#[test]
fn what_is_built_compressed_reads_the_same() {
    for (case, _) in cases() {
        for codec in codecs() {
            let Some(batch) = batch(codec, &case) else { continue };
            if batch.header().is_control() {
                continue;
            }
            let rebuilt = rebuilt(&batch, codec);
            assert_eq!(rebuilt.header().compression().unwrap(), codec);
            assert_eq!(records(&rebuilt), records(&batch), "{case} with {codec}");
        }
    }
}

#[test]
fn markers_are_what_kafka_builds_byte_for_byte() {
    for (case, result) in [("end_abort", TransactionResult::Abort), ("end_commit", TransactionResult::Commit)] {
        let batch = batch(Compression::None, case).unwrap();
        let header = batch.header();
        let set = batch.records().unwrap();
        let marker = EndTransactionMarker::parse(&set.iter().next().unwrap().unwrap()).unwrap().unwrap();
        assert_eq!(marker, EndTransactionMarker { result, coordinator_epoch: 5 });

        let built = marker
            .to_batch(header.max_timestamp, ProducerIdAndEpoch::new(header.producer_id, header.producer_epoch))
            .unwrap();
        assert_eq!(built.bytes()[16..], batch.bytes()[16..], "all but offset and epoch, which the log assigns");
    }
}

/// The same batch from our builder.
fn rebuilt(batch: &BatchView, codec: Compression) -> BatchView {
    let header = batch.header();
    let mut builder = BatchBuilder::new(0)
        .compression(codec)
        .base_offset(header.base_offset)
        .leader_epoch(header.partition_leader_epoch)
        .producer(header.producer_id, header.producer_epoch, header.base_sequence)
        .transactional(header.is_transactional());
    let log_append_time = header.timestamp_type() == TimestampType::LogAppendTime;
    if log_append_time {
        builder = builder.log_append_time(header.max_timestamp);
    }
    // With log append time, readers don't see the producer's times; the deltas that the golden file has are known.
    let producer_times = [0, 7, 900].map(|delta| header.base_timestamp + delta);
    for (index, record) in records(batch).iter().enumerate() {
        let headers: Vec<_> =
            record.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        let timestamp = if log_append_time { producer_times[index] } else { record.timestamp };
        let data = RecordData::new(record.key.as_deref(), record.value.as_deref());
        builder.push(&data.at(timestamp).with_headers(&headers)).expect("the record fits");
    }
    BatchView::from(builder.build().expect("the codec is built in"))
}

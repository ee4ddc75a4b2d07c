//! What each topic config does, through the public API: codecs, timestamps, syncs, and when segments end.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use api::{NOW_MS, append, batches, codecs, manual, manual_store, values};
use bytes::Bytes;
use esker::io::{MemoryStorage, Storage};
use esker::record::{
    Attributes, BatchBuilder, BatchHeader, BatchRef, BatchView, Compression, Header, RecordData, TimestampType,
};
use esker::{
    Acks, BrokerCompressionType, CleanupPolicy, Error, Log, NO_TIMESTAMP, ReadLimits, Result, Store, StoreConfig,
    TopicConfig,
};

fn create(store: &Store, topic: &str, config: TopicConfig) -> Log {
    store.create_topic(topic, config).unwrap();
    store.partition(topic, 0).unwrap()
}

/// Where the CRC of a batch stands, and where what it covers begins.
const CRC_POSITION: usize = 17;
const CRC_START: usize = 21;

/// A batch of one record each at `timestamps`, as it comes from elsewhere: with a header that says what it likes.
fn foreign(timestamps: &[i64], codec: Compression, change: impl Fn(&mut BatchHeader)) -> Bytes {
    let mut builder = BatchBuilder::new(1 << 20).compression(codec);
    for timestamp in timestamps {
        builder.push(&RecordData::new(Some(b"k"), Some(b"v")).at(*timestamp)).unwrap();
    }
    let mut bytes = builder.build().unwrap().bytes().to_vec();
    let mut header = BatchHeader::parse(&bytes).unwrap();
    change(&mut header);
    bytes[..61].copy_from_slice(&header.to_bytes());
    let crc = crc32c::crc32c(&bytes[CRC_START..]);
    bytes[CRC_POSITION..CRC_START].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

fn append_bytes(log: &Log, batch: &Bytes) -> Result<esker::Appended> {
    log.append(BatchRef::parse(batch).unwrap(), Acks::Leader)
}

/// The last batch of a log, its CRC and all of its records checked.
fn last(log: &Log) -> BatchView {
    let fetched = log.read(log.log_end() - 1, ReadLimits::new()).unwrap();
    let batch = fetched.batches().last().unwrap().unwrap();
    assert!(batch.records().unwrap().iter().all(|record| record.is_ok()));
    batch
}

fn stamped(header: &mut BatchHeader) {
    header.attributes = header.attributes.with_timestamp_type(TimestampType::LogAppendTime);
}

// Timestamps

#[test]
fn a_header_gets_the_largest_timestamp_of_its_records() {
    let store = manual_store();
    let log = create(&store, "t", TopicConfig::new());
    for codec in codecs() {
        for wrong in [NO_TIMESTAMP, NOW_MS + 999, 0] {
            let batch = foreign(&[NOW_MS + 5, NOW_MS + 9, NOW_MS], codec, |header| header.max_timestamp = wrong);
            append_bytes(&log, &batch).unwrap();
            let stored = last(&log);
            assert_eq!(stored.header().max_timestamp, NOW_MS + 9);
            assert_eq!(stored.bytes()[61..], batch[61..], "the records are untouched");
            let found = log.offset_for_timestamp(NOW_MS + 9).unwrap().unwrap();
            assert_eq!(found.timestamp, NOW_MS + 9);
            assert_eq!(log.offset_for_timestamp(NOW_MS + 10).unwrap(), None, "the index has it from there");
        }
    }
    let batch = foreign(&[NO_TIMESTAMP], Compression::None, |header| header.max_timestamp = NOW_MS);
    append_bytes(&log, &batch).unwrap();
    assert_eq!(last(&log).header().max_timestamp, NO_TIMESTAMP);
}

#[test]
fn a_batch_that_comes_with_the_logs_time_is_treated_as_in_kafka() {
    let (options, clock) = manual();
    let store = options.storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    let create_time = create(&store, "c", TopicConfig::new());
    let log_append_time = create(&store, "l", TopicConfig::new().message_timestamp_type(TimestampType::LogAppendTime));
    let batch = foreign(&[NOW_MS, NOW_MS + 1], Compression::None, stamped);
    let refused = append_bytes(&log_append_time, &batch);
    assert!(matches!(refused, Err(Error::InvalidTimestampType)), "{refused:?}");
    // The bit is cleared, and the header's time stays.
    append_bytes(&create_time, &batch).unwrap();
    let header = *last(&create_time).header();
    assert_eq!((header.timestamp_type(), header.max_timestamp), (TimestampType::CreateTime, NOW_MS + 1));
    // Unless it has no time.
    let timeless = foreign(&[NOW_MS], Compression::None, |header| {
        stamped(header);
        header.max_timestamp = NO_TIMESTAMP;
    });
    assert!(matches!(append_bytes(&create_time, &timeless), Err(Error::InvalidTimestampType)));
    // Nor does it help to be built here.
    let mut builder = BatchBuilder::new(100).log_append_time(NOW_MS + 3);
    builder.push(&RecordData::of(b"v").at(NOW_MS)).unwrap();
    create_time.append(builder.build().unwrap(), Acks::Leader).unwrap();
    let header = *last(&create_time).header();
    assert_eq!((header.timestamp_type(), header.max_timestamp), (TimestampType::CreateTime, NOW_MS + 3));
    let refused = log_append_time.append(builder.build().unwrap(), Acks::Leader);
    assert!(matches!(refused, Err(Error::InvalidTimestampType)));

    // What it says of its producer's time does not matter to a topic with the log's.
    clock.advance(70);
    let batch = foreign(&[NOW_MS - 9, NOW_MS], Compression::None, |header| header.max_timestamp = 3);
    assert_eq!(append_bytes(&log_append_time, &batch).unwrap().log_append_time, Some(NOW_MS + 70));
    let header = *last(&log_append_time).header();
    assert_eq!((header.timestamp_type(), header.max_timestamp), (TimestampType::LogAppendTime, NOW_MS + 70));
}

#[test]
fn timestamps_are_accepted_within_their_bounds() {
    let store = manual_store();
    let config = TopicConfig::new().message_timestamp_before_max_ms(10).message_timestamp_after_max_ms(20);
    let log = create(&store, "t", config);
    for (timestamp, is_accepted) in
        [(NOW_MS - 11, false), (NOW_MS - 10, true), (NOW_MS + 20, true), (NOW_MS + 21, false), (NO_TIMESTAMP, true)]
    {
        let appended = append_bytes(&log, &foreign(&[NOW_MS, timestamp], Compression::None, |_| {}));
        match appended {
            Ok(_) if is_accepted => {}
            Err(Error::InvalidTimestamp { timestamp: named, earliest, latest }) if !is_accepted => {
                assert_eq!((named, earliest, latest), (timestamp, NOW_MS - 10, NOW_MS + 20));
            }
            other => panic!("{timestamp}: {other:?}"),
        }
    }
}

// Codecs

fn compression_type(codec: Compression) -> BrokerCompressionType {
    match codec {
        Compression::None => BrokerCompressionType::Uncompressed,
        Compression::Gzip => BrokerCompressionType::Gzip,
        Compression::Snappy => BrokerCompressionType::Snappy,
        Compression::Lz4 => BrokerCompressionType::Lz4,
        Compression::Zstd => BrokerCompressionType::Zstd,
        other => panic!("{other} is no codec of a topic"),
    }
}

#[test]
fn batches_are_stored_in_the_codec_that_the_topic_asks_for() {
    let store = manual_store();
    let headers = [Header::new("h", b"1"), Header { key: "n", value: None }];
    let records = [
        RecordData::new(Some(b"k"), Some(b"v")).at(NOW_MS + 7).with_headers(&headers),
        RecordData::new(None, None).at(NO_TIMESTAMP),
        RecordData::new(Some(b""), Some(&[b'x'; 500])).at(NOW_MS),
    ];
    for to in codecs() {
        let log = create(&store, to.name(), TopicConfig::new().compression_type(compression_type(to)));
        for from in codecs() {
            let mut builder = BatchBuilder::new(1 << 20).compression(from).producer(9, 2, 40).transactional(false);
            records.iter().for_each(|record| builder.push(record).unwrap());
            let batch = builder.build().unwrap();
            let sent = batch.bytes().to_vec();
            let appended = log.append(batch, Acks::Leader).unwrap();
            let stored = last(&log);
            let header = stored.header();
            assert_eq!((header.compression().unwrap(), header.base_offset), (to, appended.base_offset));
            assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (9, 2, 40));
            assert_eq!((header.max_timestamp, header.records_count), (NOW_MS + 7, 3));
            if from == to {
                assert_eq!(stored.bytes()[61..], sent[61..], "it is not packed again");
            }
            let set = stored.records().unwrap();
            for (found, record) in set.iter().zip(&records) {
                let found = found.unwrap();
                assert_eq!((found.timestamp, found.key, found.value), (record.timestamp, record.key, record.value));
                let found: Vec<_> = found.headers().map(|header| header.unwrap()).collect();
                assert_eq!(found, record.headers);
            }
        }
    }
}

#[cfg(feature = "gzip")]
#[test]
fn a_batch_in_the_topics_codec_is_held_to_its_size_and_packed_at_its_level() {
    let store = manual_store();
    let config = TopicConfig::new().compression_type(BrokerCompressionType::Gzip).compression_gzip_level(1);
    let log = create(&store, "t", config);
    let text: String = (0..3000).map(|number| format!("{} ", number * number % 997)).collect();
    append(&log, NOW_MS, &[&text]);
    let fast = last(&log).bytes().len();
    let set = |key, value| store.alter_topic_configs("t", &[esker::AlterConfigOp::set(key, value)]).unwrap();
    set("compression.gzip.level", "9");
    append(&log, NOW_MS, &[&text]);
    let best = last(&log).bytes().len();
    assert!(best < fast, "{best} < {fast}");

    // It comes small enough, and is too large for the topic as it is to be stored.
    set("compression.type", "uncompressed");
    set("max.message.bytes", "8000");
    let mut builder = BatchBuilder::new(1 << 20).compression(Compression::Gzip);
    builder.push(&RecordData::of(text.as_bytes()).at(NOW_MS)).unwrap();
    let batch = builder.build().unwrap();
    assert!(batch.bytes().len() < 8000);
    let refused = log.append(batch, Acks::Leader);
    assert!(matches!(refused, Err(Error::MessageTooLarge { max: 8000, limit: "max.message.bytes", .. })));
    assert_eq!(log.log_end(), 2);
}

#[cfg(not(feature = "zstd"))]
#[test]
fn a_codec_that_is_not_built_in_refuses_what_it_would_have_to_pack() {
    let store = manual_store();
    let log = create(&store, "t", TopicConfig::new().compression_type(BrokerCompressionType::Zstd));
    let mut builder = BatchBuilder::new(100);
    builder.push(&RecordData::of(b"v").at(NOW_MS)).unwrap();
    let refused = log.append(builder.build().unwrap(), Acks::Leader);
    assert!(matches!(refused, Err(Error::UnsupportedCompressionType { codec: "zstd" })), "{refused:?}");
}

#[test]
fn with_the_logs_time_a_batch_in_another_codec_gets_both() {
    let store = manual_store();
    let config = TopicConfig::new().message_timestamp_type(TimestampType::LogAppendTime);
    let Some(to) = codecs().last().copied() else { return };
    let log = create(&store, "t", config.compression_type(compression_type(to)));
    let appended = append_bytes(&log, &foreign(&[3, 4], Compression::None, |_| {})).unwrap();
    assert_eq!(appended.log_append_time, Some(NOW_MS));
    let header = *last(&log).header();
    let expected = Attributes::default().with_timestamp_type(TimestampType::LogAppendTime).with_compression(to);
    assert_eq!((header.attributes, header.max_timestamp), (expected, NOW_MS));
}

// Syncs

#[test]
fn flush_messages_syncs_whatever_the_acks() {
    let store = manual_store();
    let log = create(&store, "t", TopicConfig::new().flush_messages(3));
    let recovery_points: Vec<_> = [1, 1, 1, 2, 2, 5]
        .into_iter()
        .map(|count| {
            append(&log, NOW_MS, &vec!["v"; count]);
            log.recovery_point()
        })
        .collect();
    assert_eq!(recovery_points, [0, 0, 3, 3, 7, 12]);
}

#[test]
fn flush_ms_syncs_in_time() {
    let (options, clock) = manual();
    let store = options.storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    let log = create(&store, "t", TopicConfig::new().flush_ms(500));
    append(&log, NOW_MS, &["a"]);
    clock.advance(499);
    store.tick().unwrap();
    assert_eq!(log.recovery_point(), 0);
    clock.advance(1);
    store.tick().unwrap();
    assert_eq!(log.recovery_point(), 1);
    append(&log, NOW_MS, &["b"]);
    clock.advance(499);
    store.tick().unwrap();
    assert_eq!(log.recovery_point(), 1, "it counts from the last sync");
    clock.advance(1);
    store.tick().unwrap();
    assert_eq!(log.recovery_point(), 2);
}

#[test]
fn a_wall_clock_that_is_set_back_holds_nothing_up() {
    const DAY_MS: i64 = 24 * 3600 * 1000;
    let (options, clock) = manual();
    let storage = Arc::new(MemoryStorage::new());
    let store = options.storage(storage.clone()).open("data").unwrap();
    let synced = create(&store, "synced", TopicConfig::new().flush_ms(500));
    let limited = create(&store, "limited", TopicConfig::new().retention_bytes(0).file_delete_delay_ms(1_000));
    let compacted =
        create(&store, "compacted", TopicConfig::new().cleanup_policy(CleanupPolicy::COMPACT).segment_ms(1));
    store.tick().unwrap();
    for log in [&synced, &limited, &compacted] {
        for timestamp in [NOW_MS, NOW_MS + 10, NOW_MS + 20] {
            append_bytes(log, &foreign(&[timestamp], Compression::None, |_| {})).unwrap();
        }
    }
    clock.set_back(DAY_MS);
    clock.advance(500_000);
    store.tick().unwrap();
    assert_eq!(synced.recovery_point(), 3, "flush.ms");
    assert_eq!(limited.log_start(), 3, "the look at retention");
    assert_eq!(batches(&compacted).len(), 2, "the look for what is dirty");
    let is_deleted_file_there = || {
        let entries = storage.list(Path::new("data/limited-0")).unwrap();
        entries.iter().any(|entry| entry.name.ends_with(".deleted"))
    };
    assert!(is_deleted_file_there());
    clock.set_back(DAY_MS);
    clock.advance(1_000);
    store.tick().unwrap();
    assert!(!is_deleted_file_there(), "file.delete.delay.ms");
}

// When segments end

/// The longest that a second record may come after the first one and still go into its segment.
fn segment_ms_of(log: &Log) -> i64 {
    let segments = log.segment_count();
    let start = NOW_MS - 1_000_000;
    append(log, start, &["first"]);
    let mut waited = 0;
    while log.segment_count() == segments {
        waited += 1;
        append(log, start + waited, &["next"]);
    }
    waited - 1
}

#[test]
fn jitter_shortens_the_time_of_each_segment_differently() {
    let store = manual_store();
    let config = TopicConfig::new().partitions(8).segment_ms(100);
    store.create_topic("plain", config.clone()).unwrap();
    store.create_topic("jitter", config.segment_jitter_ms(60)).unwrap();
    let lengths =
        |topic| (0..8).map(|index| segment_ms_of(&store.partition(topic, index).unwrap())).collect::<Vec<_>>();
    assert!(lengths("plain").iter().all(|length| *length == 100));
    let jittered = lengths("jitter");
    assert!(jittered.iter().all(|length| (41..=100).contains(length)), "{jittered:?}");
    assert!(jittered.iter().any(|length| *length != jittered[0]), "{jittered:?}");
}

#[test]
fn a_compacted_partition_gives_its_records_up_to_compaction_in_time() {
    let (options, clock) = manual();
    // What becomes of them then is another story.
    let store_config = StoreConfig { log_cleaner_enable: false, ..StoreConfig::default() };
    let store = options.storage(Arc::new(MemoryStorage::new())).config(store_config).open("data").unwrap();
    let config = TopicConfig::new().max_compaction_lag_ms(50);
    let compacted = create(&store, "c", config.clone().cleanup_policy(CleanupPolicy::COMPACT));
    let plain = create(&store, "p", config);
    let append_at = |timestamp| {
        for log in [&compacted, &plain] {
            append_bytes(log, &foreign(&[timestamp], Compression::None, |_| {})).unwrap();
        }
        (compacted.segment_count(), plain.segment_count())
    };
    assert_eq!(append_at(NOW_MS), (1, 1));
    assert_eq!(append_at(NOW_MS + 50), (1, 1));
    assert_eq!(append_at(NOW_MS + 51), (2, 1));
    // Without another append, too.
    clock.advance(101);
    store.tick().unwrap();
    assert_eq!(compacted.segment_count(), 2);
    clock.advance(1);
    store.tick().unwrap();
    assert_eq!((compacted.segment_count(), plain.segment_count()), (3, 1));
    clock.advance(1_000_000);
    store.tick().unwrap();
    assert_eq!(compacted.segment_count(), 3, "there is nothing in the last one");
    assert_eq!(append_at(NOW_MS + 1_000_000), (3, 1));
    assert_eq!(batches(&compacted).len(), 4);
}

#[test]
fn an_idle_partition_is_compacted_within_its_lag() {
    let (options, clock) = manual();
    let store = options.storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    let config = TopicConfig::new().cleanup_policy(CleanupPolicy::COMPACT).max_compaction_lag_ms(60_000);
    let log = create(&store, "t", config);
    append_bytes(&log, &foreign(&[NOW_MS, NOW_MS], Compression::None, |_| {})).unwrap();
    let count = || batches(&log).iter().map(|batch| batch.records_count).sum::<i32>();
    for (ms, left) in [(60_000, 2), (30_000, 1)] {
        clock.advance(ms);
        store.tick().unwrap();
        assert_eq!(count(), left, "both have the same key");
    }
}

#[test]
fn preallocate_takes_the_space_of_a_segment_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    let config = TopicConfig::new().segment_bytes(1 << 20).preallocate(true);
    let log = create(&store, "t", config);
    append(&log, NOW_MS, &["v"]);
    let len = || fs::metadata(dir.path().join("t-0/00000000000000000000.log")).unwrap().len();
    assert_eq!(len(), 1 << 20);
    store.close().unwrap();
    assert_eq!(len(), log.size_in_bytes(), "what is not used is given back");
    drop((log, store));
    let store = manual().0.open(dir.path()).unwrap();
    assert_eq!(values(&store.partition("t", 0).unwrap()), ["v"]);
}

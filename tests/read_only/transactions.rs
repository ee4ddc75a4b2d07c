//! What is decided, seen from beside the writer: the same as the writer sees it, whatever it does meanwhile.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use esker::io::{MemoryStorage, Storage};
use esker::record::{BatchBuilder, EndTransactionMarker, RecordData, TransactionResult};
use esker::{
    Acks, AutoOffsetReset, CleanupPolicy, ConsumerConfig, IsolationLevel, Log, Maintenance, Offset, ProducerIdAndEpoch,
    ReadLimits, Store, TopicConfig,
};

use crate::common::random::Random;
use crate::common::read_committed;
use crate::{START_MS, consumer, pair};

fn send(log: &Log, id: i64, sequence: i32, key: &str, value: &str) -> Offset {
    let mut builder = BatchBuilder::new(1 << 20).producer(id, 0, sequence).transactional(true);
    builder.push(&RecordData::new(Some(key.as_bytes()), Some(value.as_bytes())).at(START_MS)).unwrap();
    log.append(builder.build().unwrap(), Acks::Leader).unwrap().base_offset
}

fn end(log: &Log, id: i64, result: TransactionResult) -> Offset {
    let marker = EndTransactionMarker { result, coordinator_epoch: 0 };
    log.append_end_transaction_marker(ProducerIdAndEpoch::new(id, 0), marker, Acks::Leader).unwrap().base_offset
}

fn topic() -> TopicConfig {
    TopicConfig::new().internal_segment_bytes(1_500).segment_ms(i64::MAX).retention_ms(-1).index_interval_bytes(200)
}

#[test]
fn a_reader_beside_the_writer_comes_to_what_is_decided_and_no_further() {
    let (writer, reader) = pair();
    writer.create_topic("t", topic()).unwrap();
    let log = writer.partition("t", 0).unwrap();
    let seen = reader.partition("t", 0).unwrap();
    let stable = |expected: Offset| {
        seen.refresh().unwrap();
        assert_eq!((seen.last_stable_offset(), log.last_stable_offset()), (expected, expected));
    };
    stable(0);
    send(&log, 1, 0, "a", "void");
    stable(0);
    send(&log, 2, 0, "b", "counts");
    assert_eq!(end(&log, 1, TransactionResult::Abort), 2);
    stable(1);
    end(&log, 2, TransactionResult::Commit);
    stable(4);
    let records = read_committed(&seen, ReadLimits::new()).unwrap();
    assert_eq!(records.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [1]);
    assert_eq!(seen.active_producers(), log.active_producers());
    // A store that is opened now learns it from the files.
    send(&log, 1, 1, "a", "open");
    let late = reader.partition("t", 0).unwrap();
    late.refresh().unwrap();
    assert_eq!(late.last_stable_offset(), 4);
}

#[test]
fn a_consumer_beside_the_writer_waits_for_what_is_decided() {
    let (writer, reader) = pair();
    writer.create_topic("t", topic()).unwrap();
    let log = writer.partition("t", 0).unwrap();
    let config = ConsumerConfig::new().isolation_level(IsolationLevel::ReadCommitted);
    let mut following = reader.consumer(config.auto_offset_reset(AutoOffsetReset::Earliest)).unwrap();
    following.assign_topics(["t"]).unwrap();
    send(&log, 1, 0, "a", "void");
    end(&log, 1, TransactionResult::Abort);
    send(&log, 1, 1, "a", "counts");
    assert!(following.poll(Duration::ZERO).unwrap().is_empty());
    thread::scope(|scope| {
        let polling = scope.spawn(|| {
            let mut found = Vec::new();
            while found.is_empty() {
                found = following.poll(crate::A_WHILE).unwrap();
            }
            found
        });
        end(&log, 1, TransactionResult::Commit);
        let found = polling.join().unwrap();
        assert_eq!(found.iter().map(|record| record.offset).collect::<Vec<_>>(), [2]);
    });
    drop(consumer(&reader, "g"));
}

/// The same log from both sides.
fn compare(log: &Log, seen: &Log, what: &str) {
    assert_eq!((seen.log_start(), seen.log_end()), (log.log_start(), log.log_end()), "{what}");
    assert_eq!(seen.last_stable_offset(), log.last_stable_offset(), "{what}");
    for limits in [ReadLimits::new(), ReadLimits::new().max_bytes(1)] {
        let (ours, theirs) = (read_committed(log, limits).unwrap(), read_committed(seen, limits).unwrap());
        assert_eq!(ours, theirs, "{what}");
    }
}

#[test]
fn random_transactions_are_seen_as_the_writer_sees_them() {
    for seed in 0..30 {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        let options = || Store::options().storage(storage.clone()).maintenance(Maintenance::Manual);
        let mut writer = options().open("data").unwrap();
        let mut random = Random::new(seed);
        let is_compacted = random.one_in(2);
        let config =
            if is_compacted { topic().cleanup_policy(CleanupPolicy::COMPACT).delete_retention_ms(0) } else { topic() };
        writer.create_topic("t", config.file_delete_delay_ms(0)).unwrap();
        let reader = options().open_read_only("data").unwrap();
        let seen = reader.partition("t", 0).unwrap();
        let mut log = writer.partition("t", 0).unwrap();
        let mut sequences = [0; 4];
        for step in 0..150 {
            let id = random.below(4);
            let what = format!("seed {seed}, step {step}");
            match random.below(24) {
                0..12 => {
                    let key = format!("key {}", random.below(5));
                    send(&log, id as i64, sequences[id as usize], &key, &format!("value {step} {:>60}", ""));
                    sequences[id as usize] += 1;
                }
                12..15 => drop(end(&log, id as i64, TransactionResult::Abort)),
                15..18 => drop(end(&log, id as i64, TransactionResult::Commit)),
                18 if is_compacted => writer.compact("t").unwrap(),
                19 => {
                    writer.close().unwrap();
                    writer = options().open("data").unwrap();
                    log = writer.partition("t", 0).unwrap();
                }
                // Of a log without files nobody but its writer knows where it is.
                20 if log.log_end() > log.log_start() + 4 => {
                    let to = log.log_end() - random.below(4) as Offset;
                    log.truncate_to(to).unwrap();
                    // What is gone has to be sent again by new producers.
                    sequences = log.active_producers().iter().fold([0; 4], |mut sequences, known| {
                        sequences[known.producer_id as usize] = known.last_sequence.map_or(0, |last| last + 1);
                        sequences
                    });
                }
                21 => {
                    let late = options().open_read_only("data").unwrap();
                    compare(&log, &late.partition("t", 0).unwrap(), &what);
                }
                22 if !is_compacted && random.one_in(4) => drop(log.delete_records(log.last_stable_offset()).unwrap()),
                _ => {}
            }
            if random.one_in(2) {
                writer.tick().unwrap();
                reader.refresh().unwrap();
                compare(&log, &seen, &what);
            }
        }
    }
}

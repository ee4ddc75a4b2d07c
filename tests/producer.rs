//! The producer through the public API: order, placement, batching, acknowledgements, bounded memory, and what becomes
//! of records when something ends or goes wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::collections::HashMap;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use api::{FOREVER, NOW_MS, batch_counts, batches, block_on, manual_store, poll_once, store, values};
use esker::io::MemoryStorage;
use esker::record::TimestampType;
use esker::{Acks, Error, Pending, Producer, ProducerConfig, Record, Store, TopicConfig};

fn create(store: &Store, topic: &str) -> esker::Log {
    store.create_topic(topic, TopicConfig::new()).unwrap();
    store.partition(topic, 0).unwrap()
}

/// A producer that only appends when it is told to, or has to.
fn lingering(store: &Store) -> Producer {
    store.producer(ProducerConfig::new().acks(Acks::Leader).linger(FOREVER)).unwrap()
}

fn is_unknown<T: Debug>(result: Result<T, Error>) -> bool {
    match result {
        Err(Error::UnknownTopicOrPartition { .. }) => true,
        other => panic!("{other:?}"),
    }
}

// Order and placement

#[test]
fn records_of_a_thread_keep_their_order_in_each_partition() {
    for linger in [Duration::ZERO, Duration::from_millis(1), FOREVER] {
        let store = store();
        store.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
        let config = ProducerConfig::new().acks(Acks::Leader).linger(linger).batch_size(500);
        let producer = store.producer(config).unwrap();
        let offsets: Vec<Vec<(i32, i64)>> = thread::scope(|scope| {
            let senders: Vec<_> = (0..4)
                .map(|thread| {
                    let producer = producer.clone();
                    scope.spawn(move || {
                        let record = |index| Record::to("t").partition(index % 3).value(format!("{thread} {index:03}"));
                        let pending: Vec<_> =
                            (0..300).map(|index| producer.send_async(record(index)).unwrap()).collect();
                        producer.flush().unwrap();
                        let metadata = pending.into_iter().map(|pending| pending.wait().unwrap());
                        metadata.map(|at| (at.topic_partition.partition, at.offset.unwrap())).collect()
                    })
                })
                .collect();
            senders.into_iter().map(|sender| sender.join().unwrap()).collect()
        });
        for partition in 0..3 {
            let records: HashMap<i64, String> =
                api::records(&store.partition("t", partition).unwrap()).into_iter().collect();
            assert_eq!(records.len(), 400);
            for (thread, offsets) in offsets.iter().enumerate() {
                let own: Vec<i64> =
                    offsets.iter().filter(|(index, _)| *index == partition).map(|(_, offset)| *offset).collect();
                assert!(own.is_sorted_by(|a, b| a < b), "sent in order, appended in order");
                let sent = (0..300).filter(|index| index % 3 == partition).map(|index| format!("{thread} {index:03}"));
                assert!(own.iter().map(|offset| &records[offset]).eq(&sent.collect::<Vec<_>>()), "as its handle said");
            }
        }
    }
}

#[test]
fn keys_go_where_kafkas_java_client_puts_them() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new().partitions(10)).unwrap();
    let producer = lingering(&store);
    // (murmur2(key) & 0x7fffffff) % 10, from org.apache.kafka.common.utils.Utils.
    for (key, partition) in [
        ("", 0x106e_08d9 % 10),
        ("k1", 0x6460_7d29 % 10),
        ("21", 0x45f2_f8ec % 10),
        ("kafka", 0x5067_cf64 % 10),
        ("foobar", 0x50e4_7bbe % 10),
        ("abc", 0x1c94_221b % 10),
        ("abcd", 0x311a_b5f4 % 10),
        ("giberish123456789", 0x0f55_2b0c % 10),
    ] {
        let at = producer.send(Record::to("t").key(key).value("v")).unwrap();
        assert_eq!(at.topic_partition.partition, partition, "{key:?}");
        let at = producer.send(Record::to("t").key(key).partition(3).value("v")).unwrap();
        assert_eq!(at.topic_partition.partition, 3, "who names a partition gets it");
    }
    for nowhere in [-1, 10, i32::MIN] {
        assert!(is_unknown(producer.send(Record::to("t").partition(nowhere))));
    }
    assert!(is_unknown(producer.send(Record::to("none"))));
}

#[test]
fn records_without_a_key_stick_to_a_partition_for_a_batch() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new().partitions(4)).unwrap();
    let config = ProducerConfig::new().acks(Acks::Leader).linger(FOREVER).batch_size(10_000);
    let producer = store.producer(config).unwrap();
    let mut partitions = Vec::new();
    for _ in 0..20_000 {
        let pending = producer.send_async(Record::to("t").value(vec![0; 36])).unwrap();
        partitions.push(pending.topic_partition().partition);
    }
    producer.flush().unwrap();
    // A record counts as 100 bytes, so each partition keeps 100 of them, or a multiple if it is drawn again.
    let runs: Vec<usize> = partitions.chunk_by(|a, b| a == b).map(<[i32]>::len).collect();
    assert!(runs.iter().all(|run| run % 100 == 0), "{runs:?}");
    assert!(runs.len() > 50, "of 200 draws, three in four change the partition: {}", runs.len());
    for partition in 0..4 {
        let counts = batch_counts(&store.partition("t", partition).unwrap());
        let records: i32 = counts.iter().sum();
        assert!(records > 0 && counts.len() < records as usize / 50, "{counts:?}");
    }
}

// Batches

#[test]
fn what_lingers_together_is_one_batch() {
    let store = manual_store();
    let log = create(&store, "t");
    let producer = lingering(&store);
    for index in 0..100 {
        drop(producer.send_async(Record::to("t").value(index.to_string())).unwrap());
    }
    assert_eq!(log.log_end(), 0);
    producer.flush().unwrap();
    drop(producer.send_async(Record::to("t").value("alone")).unwrap());
    producer.flush().unwrap();
    producer.flush().unwrap();
    assert_eq!(batch_counts(&log), [100, 1]);
}

#[test]
fn a_send_that_waits_takes_what_lingers_along() {
    let store = manual_store();
    let log = create(&store, "t");
    let producer = lingering(&store);
    drop(producer.send_async(Record::to("t").value("before")).unwrap());
    assert_eq!(producer.send(Record::to("t").value("now")).unwrap().offset, Some(1));
    assert_eq!(batch_counts(&log), [2]);
}

#[test]
fn a_batch_that_is_full_does_not_linger() {
    let store = manual_store();
    let log = create(&store, "t");
    let config = ProducerConfig::new().acks(Acks::Leader).linger(FOREVER).batch_size(1000);
    let producer = store.producer(config).unwrap();
    for _ in 0..100 {
        drop(producer.send_async(Record::to("t").value(vec![0; 100])).unwrap());
    }
    drop(producer.send_async(Record::to("t").value(vec![1; 5000])).unwrap());
    let batches = batches(&log);
    let (large, full) = batches.split_last().unwrap();
    assert_eq!((large.records_count, large.size() > 5000), (1, true), "a record larger than a batch gets its own");
    assert_eq!(full.iter().map(|batch| batch.records_count).sum::<i32>(), 100);
    assert!(full.iter().all(|batch| batch.size() <= 1000), "{full:?}");
    assert!(full[..full.len() - 1].iter().all(|batch| batch.size() > 800), "{full:?}");
}

#[test]
fn without_linger_every_record_is_appended_at_once() {
    let store = manual_store();
    let log = create(&store, "t");
    let producer = store.producer(ProducerConfig::new().acks(Acks::Leader).linger(Duration::ZERO)).unwrap();
    for index in 0..3 {
        let pending = producer.send_async(Record::to("t").value("v")).unwrap();
        assert!(pending.is_appended());
        assert_eq!(log.log_end(), index + 1);
    }
    assert_eq!(batch_counts(&log), [1, 1, 1]);
}

#[test]
fn every_codec_makes_batches_that_are_read_back() {
    for codec in api::codecs() {
        let store = manual_store();
        let log = create(&store, "t");
        let producer =
            store.producer(ProducerConfig::new().acks(Acks::Leader).linger(FOREVER).compression(codec)).unwrap();
        for index in 0..50 {
            drop(producer.send_async(Record::to("t").value(format!("the same but for {index}"))).unwrap());
        }
        producer.close().unwrap();
        let [batch] = &batches(&log)[..] else { panic!("one batch") };
        assert_eq!(batch.compression().unwrap(), codec);
        assert_eq!(values(&log), (0..50).map(|index| format!("the same but for {index}")).collect::<Vec<_>>());
    }
}

#[test]
#[cfg(feature = "zstd")]
fn a_codec_compresses_as_hard_as_its_level_says() {
    use esker::record::Compression;

    let size_at = |config: ProducerConfig| {
        let store = manual_store();
        let log = create(&store, "t");
        let producer = store.producer(config.acks(Acks::Leader).compression(Compression::Zstd)).unwrap();
        let text: String =
            (0..2000).map(|number| format!("the number {} and its square {}\n", number, number * number)).collect();
        producer.send(Record::to("t").value(text)).unwrap();
        batches(&log)[0].size()
    };
    let level = |level| ProducerConfig::new().compression_level(Compression::Zstd, level);
    assert!(size_at(level(19)) < size_at(level(-50)));
    let mut by_name = ProducerConfig::new();
    by_name.set("compression.zstd.level", "19").unwrap();
    assert_eq!(size_at(by_name), size_at(level(19)));
    let other = ProducerConfig::new().compression_level(Compression::Gzip, 1);
    assert_eq!(size_at(other), size_at(ProducerConfig::new()), "each codec has a level of its own");
}

#[test]
fn a_level_out_of_range_is_refused() {
    use esker::record::Compression;

    let store = manual_store();
    let refused = store.producer(ProducerConfig::new().compression_level(Compression::Gzip, 10)).unwrap_err();
    assert!(matches!(&refused, Error::InvalidConfig { key, .. } if key == "compression.gzip.level"), "{refused}");
    let mut config = ProducerConfig::new();
    assert!(config.set("compression.zstd.level", "23").is_err());
    assert!(config.set("compression.lz4.level", "high").is_err());
}

#[test]
fn a_header_may_have_no_value_and_a_consumer_sees_whose_time_it_is() {
    let store = manual_store();
    create(&store, "t");
    store.create_topic("ours", TopicConfig::new().message_timestamp_type(TimestampType::LogAppendTime)).unwrap();
    let producer = store.producer(ProducerConfig::new()).unwrap();
    producer.send(Record::to("t").header("a", "").null_header("b").header("c", "1")).unwrap();
    producer.send(Record::to("ours").value("v")).unwrap();
    let mut consumer = store.consumer(esker::ConsumerConfig::new()).unwrap();
    consumer.assign([("t", 0), ("ours", 0)]).unwrap();
    consumer.seek_to_beginning().unwrap();
    let records = consumer.poll(Duration::ZERO).unwrap();
    let headers: Vec<_> = records[0].headers.iter().map(|(key, value)| (&**key, value.as_deref())).collect();
    assert_eq!(headers, [("a", Some(&b""[..])), ("b", None), ("c", Some(b"1"))]);
    let types: Vec<_> = records.iter().map(|record| record.timestamp_type).collect();
    assert_eq!(types, [TimestampType::CreateTime, TimestampType::LogAppendTime]);
}

// Acknowledgements

#[test]
fn who_waits_appends_the_batch_at_its_deadline() {
    let store = manual_store();
    let log = create(&store, "t");
    let producer = store.producer(ProducerConfig::new().linger(Duration::from_millis(1))).unwrap();
    let first = producer.send_async(Record::to("t").value("first")).unwrap();
    let second = producer.send_async(Record::to("t").value("second")).unwrap();
    assert_eq!(second.wait().unwrap().offset, first.wait().unwrap().offset.map(|first| first + 1));
    assert_eq!(values(&log), ["first", "second"]);
    assert_eq!(log.recovery_point(), 2, "and all of it is synced");
}

#[test]
fn awaiting_needs_no_runtime_but_the_maintenance_thread() {
    let store = store();
    let log = create(&store, "t");
    let producer = store.producer(ProducerConfig::new().linger(Duration::from_millis(1))).unwrap();
    for index in 0..20 {
        let pending = producer.send_async(Record::to("t").value("v")).unwrap();
        assert_eq!(block_on(pending).unwrap().offset, Some(index));
        assert!(log.recovery_point() > index);
    }
    let together: Vec<_> = (0..20).map(|_| producer.send_async(Record::to("t").value("v")).unwrap()).collect();
    assert!(together.into_iter().all(|pending| block_on(pending).is_ok()));
}

/// A task that goes on in whoever wakes it.
struct Inline(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        let task = self.0.lock().unwrap().take();
        if let Some(mut task) = task
            && task.as_mut().poll(&mut Context::from_waker(&Waker::from(self.clone()))).is_pending()
        {
            *self.0.lock().unwrap() = Some(task);
        }
    }
}

#[test]
fn whoever_is_woken_may_send_the_next_record_at_once() {
    let store = manual_store();
    let log = create(&store, "t");
    let producer = lingering(&store);
    let (first, again) = (producer.send_async(Record::to("t").value("first")).unwrap(), producer.clone());
    let task = async move {
        first.await.unwrap();
        drop(again.send_async(Record::to("t").value("second")).unwrap());
    };
    Arc::new(Inline(Mutex::new(Some(Box::pin(task))))).wake();
    let (sender, flushed) = mpsc::channel();
    thread::spawn(move || {
        let _ = sender.send([producer.flush(), producer.flush()]);
    });
    // Where it waits for itself it does so for ever.
    assert!(flushed.recv_timeout(Duration::from_secs(60)).unwrap().iter().all(Result::is_ok));
    assert_eq!(values(&log), ["first", "second"]);
}

#[test]
fn awaiting_without_a_thread_goes_on_with_each_tick() {
    let store = manual_store();
    let log = create(&store, "t");
    let producer = store.producer(ProducerConfig::new().linger(Duration::ZERO)).unwrap();
    let mut pending = producer.send_async(Record::to("t").value("v")).unwrap();
    assert!(poll_once(&mut pending).is_pending(), "it is appended and not synced");
    assert_eq!((log.log_end(), log.recovery_point()), (1, 0));
    store.tick().unwrap();
    assert_eq!(log.recovery_point(), 1);
    assert!(poll_once(&mut pending).map(Result::unwrap).is_ready());

    let mut pending = producer.send_async(Record::to("t").value("v")).unwrap();
    assert!(poll_once(&mut pending).is_pending());
    drop(pending);
    store.tick().unwrap();
    producer.flush().unwrap();
    assert_eq!(log.recovery_point(), 2);
}

#[test]
fn without_acks_nothing_is_waited_for_and_no_offset_is_told() {
    let store = manual_store();
    let log = create(&store, "t");
    let producer = store.producer(ProducerConfig::new().acks(Acks::None).linger(Duration::ZERO)).unwrap();
    assert_eq!(producer.send(Record::to("t").value("v")).unwrap().offset, None);
    producer.flush().unwrap();
    assert_eq!((log.log_end(), log.recovery_point()), (1, 0));
}

#[test]
fn a_record_without_a_time_gets_the_clocks_and_a_log_may_give_its_own() {
    let (options, clock) = api::manual();
    let store = options.storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    create(&store, "theirs");
    store.create_topic("ours", TopicConfig::new().message_timestamp_type(TimestampType::LogAppendTime)).unwrap();
    let producer = lingering(&store);
    let stamped = |topic: &str, timestamp: Option<i64>| {
        let record = Record::to(topic).value("v");
        let record = timestamp.into_iter().fold(record, Record::timestamp);
        let pending = producer.send_async(record).unwrap();
        clock.advance(1);
        producer.flush().unwrap();
        pending.wait().unwrap().timestamp - NOW_MS
    };
    assert_eq!(stamped("theirs", None), 0, "of the send");
    assert_eq!(stamped("theirs", Some(NOW_MS - 7)), -7);
    assert_eq!(stamped("ours", Some(NOW_MS - 7)), 3, "of the append");
    let timestamps = |topic| batches(&store.partition(topic, 0).unwrap())[0].max_timestamp;
    assert_eq!((timestamps("theirs"), timestamps("ours")), (NOW_MS, NOW_MS + 3));
}

#[test]
#[cfg(feature = "sim")]
fn what_is_acknowledged_by_all_survives_the_loss_of_power() {
    use esker::sim::{Crash, FaultStorage};

    for seed in 0..20 {
        let disk = FaultStorage::new(seed);
        let open = |disk: &FaultStorage| api::manual().0.storage(Arc::new(disk.clone())).open("data").unwrap();
        let store = open(&disk);
        let log = create(&store, "t");
        let producer = store.producer(ProducerConfig::new().linger(FOREVER)).unwrap();
        let mut awaited = producer.send_async(Record::to("t").value("awaited")).unwrap();
        assert!(poll_once(&mut awaited).is_pending());
        drop(producer.send(Record::to("t").value("waited for")).unwrap());
        assert!(poll_once(&mut awaited).map(Result::unwrap).is_ready(), "the sync was for both");
        drop(producer.send_async(Record::to("t").value("flushed")).unwrap());
        producer.flush().unwrap();
        drop(producer.send_async(Record::to("t").value("only on its way")).unwrap());
        let after = disk.after_crash(Crash::Power, seed);
        drop((log, awaited, producer, store));
        assert_eq!(values(&open(&after).partition("t", 0).unwrap())[..3], ["awaited", "waited for", "flushed"]);
    }
}

// Failures

#[test]
fn a_batch_that_fails_fails_for_each_of_its_records() {
    let store = manual_store();
    let log = create(&store, "t");
    let producer = lingering(&store);
    let bad: Vec<_> = [NOW_MS, NOW_MS + 3_600_001]
        .map(|timestamp| producer.send_async(Record::to("t").value("v").timestamp(timestamp)).unwrap())
        .into();
    let flushed = producer.flush();
    for result in bad.into_iter().map(|pending| pending.wait().map(drop)).chain([flushed]) {
        match result {
            Err(Error::InvalidTimestamp { timestamp, latest, .. }) => {
                assert_eq!((timestamp, latest), (NOW_MS + 3_600_001, NOW_MS + 3_600_000));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(producer.send(Record::to("t").value("good")).unwrap().offset, Some(0), "the next one is not harmed");
    assert_eq!(values(&log), ["good"]);
    producer.flush().unwrap();
}

#[test]
fn records_that_no_batch_can_hold_are_refused() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new().max_message_bytes(1000)).unwrap();
    let producer = lingering(&store);
    let large = producer.send(Record::to("t").value(vec![0; 1000]));
    assert!(matches!(large, Err(Error::MessageTooLarge { max: 1000, limit: "max.message.bytes", .. })));
    let before_time = producer.send_async(Record::to("t").timestamp(-2));
    assert!(matches!(before_time, Err(Error::InvalidRecord { .. })));
    for _ in 0..50 {
        drop(producer.send_async(Record::to("t").value(vec![0; 100])).unwrap());
    }
    producer.flush().unwrap();
    let log = store.partition("t", 0).unwrap();
    assert_eq!(log.log_end(), 50, "batches stay below what the topic takes, whatever batch.size says");
}

#[test]
#[cfg(feature = "sim")]
fn a_full_disk_is_told_and_appending_goes_on_when_there_is_space() {
    use esker::sim::{Fault, FaultStorage, Operation};

    let disk = FaultStorage::new(0);
    let store = api::manual().0.storage(Arc::new(disk.clone())).open("data").unwrap();
    let log = create(&store, "t");
    let producer = lingering(&store);
    producer.send(Record::to("t").value("before")).unwrap();
    disk.inject(Fault::new(std::io::ErrorKind::StorageFull).on(Operation::Append).on_path_suffix(".log"));
    let pending: Vec<_> = (0..3).map(|_| producer.send_async(Record::to("t").value("no space")).unwrap()).collect();
    assert!(matches!(producer.flush(), Err(error @ Error::StorageFull { .. }) if error.is_retriable()));
    for pending in pending {
        assert!(matches!(block_on(pending), Err(Error::StorageFull { .. })));
    }
    disk.clear_faults();
    assert_eq!(producer.send(Record::to("t").value("after")).unwrap().offset, Some(1));
    assert_eq!(values(&log), ["before", "after"]);
}

#[test]
#[cfg(feature = "sim")]
fn a_failed_sync_is_told_to_all_who_wait_for_it() {
    use std::task::Poll;

    use esker::sim::{Fault, FaultStorage, Operation};

    let disk = FaultStorage::new(0);
    let store = api::manual().0.storage(Arc::new(disk.clone())).open("data").unwrap();
    create(&store, "t");
    let producer = store.producer(ProducerConfig::new().linger(FOREVER)).unwrap();
    disk.inject(Fault::io_error().on(Operation::Sync).on_path_suffix(".log"));
    let waiting = producer.send_async(Record::to("t").value("waiting")).unwrap();
    let mut awaiting = producer.send_async(Record::to("t").value("awaiting")).unwrap();
    assert!(poll_once(&mut awaiting).is_pending());
    let is_offline = |result: Result<(), Error>| matches!(result, Err(Error::LogOffline { .. }));
    assert!(is_offline(producer.flush()));
    assert!(is_offline(waiting.wait().map(drop)));
    assert_eq!(poll_once(&mut awaiting).map(|result| is_offline(result.map(drop))), Poll::Ready(true));
    disk.clear_faults();
    assert!(is_offline(producer.send(Record::to("t").value("later")).map(drop)), "until the store is opened again");
}

// Bounded memory

#[test]
fn a_full_buffer_is_made_room_in_by_appending_what_lingers() {
    let store = manual_store();
    let log = create(&store, "t");
    let config = ProducerConfig::new().acks(Acks::Leader).linger(FOREVER).buffer_memory(10_000).max_block(FOREVER);
    let producer = store.producer(config).unwrap();
    for index in 0..1000 {
        drop(producer.send_async(Record::to("t").value(format!("{index:0100}"))).unwrap());
    }
    assert!(values(&log).len() > 900, "a hundred records fill the memory: {} were appended", values(&log).len());
    producer.flush().unwrap();
    assert_eq!(values(&log), (0..1000).map(|index| format!("{index:0100}")).collect::<Vec<_>>());
}

#[test]
fn many_threads_share_little_memory_without_a_maintenance_thread() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
    let config = ProducerConfig::new().acks(Acks::Leader).linger(FOREVER).buffer_memory(500).max_block(FOREVER);
    let producer = store.producer(config).unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            let producer = &producer;
            scope.spawn(move || {
                for index in 0..500 {
                    // Sizes differ, so that large records queue behind small ones.
                    let value = "x".repeat(if (thread + index) % 5 == 0 { 400 } else { 10 });
                    drop(producer.send_async(Record::to("t").partition(index % 3).value(value)).unwrap());
                }
            });
        }
    });
    producer.close().unwrap();
    let count: usize = (0..3).map(|partition| values(&store.partition("t", partition).unwrap()).len()).sum();
    assert_eq!(count, 8 * 500);
}

#[test]
fn a_record_larger_than_the_memory_is_refused_at_once() {
    let store = manual_store();
    let log = create(&store, "t");
    let config = ProducerConfig::new().linger(FOREVER).buffer_memory(1000).max_block(FOREVER);
    let producer = store.producer(config).unwrap();
    match producer.send_async(Record::to("t").value(vec![0; 1000])) {
        Err(error @ Error::BufferExhausted { size, buffer_memory: 1000 }) => {
            assert!(size > 1000);
            assert!(error.is_retriable());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(log.log_end(), 0);
    assert_eq!(producer.send(Record::to("t").value("small")).unwrap().offset, Some(0));
}

#[test]
fn waits_too_long_for_any_clock_are_as_good_as_forever() {
    let store = manual_store();
    let log = create(&store, "t");
    let config = ProducerConfig::new().linger(Duration::MAX).max_block(Duration::MAX).buffer_memory(200);
    let producer = store.producer(config).unwrap();
    drop(producer.send_async(Record::to("t").value(vec![b'a'; 100])).unwrap());
    drop(producer.send_async(Record::to("t").value(vec![b'b'; 100])).unwrap());
    assert_eq!(log.log_end(), 1, "the second needed the room of the first");
    producer.send(Record::to("t").value("c")).unwrap();
    assert_eq!(batch_counts(&log), [1, 1, 1], "nothing lingers beside the memory that it would fill");
}

// Topics that go

#[test]
fn records_for_a_deleted_topic_are_refused() {
    let store = manual_store();
    create(&store, "t");
    let producer = lingering(&store);
    producer.send(Record::to("t").value("before")).unwrap();
    store.delete_topic("t").unwrap();
    assert!(is_unknown(producer.send_async(Record::to("t").value("after"))));
    assert!(is_unknown(producer.send(Record::to("t").value("after"))));
}

#[test]
fn a_topic_that_was_created_again_takes_records_at_once() {
    let store = manual_store();
    create(&store, "t");
    let producer = lingering(&store);
    producer.send(Record::to("t").value("of the first topic")).unwrap();
    store.delete_topic("t").unwrap();
    let again = create(&store, "t");
    // Lingering, so that no append tells the producer that its log is gone.
    let pending = producer.send_async(Record::to("t").value("of the second topic")).unwrap();
    producer.flush().unwrap();
    assert_eq!(pending.wait().unwrap().offset, Some(0));
    assert_eq!(values(&again), ["of the second topic"]);
}

#[test]
fn what_lingers_for_a_deleted_topic_fails_in_all_partitions_and_gives_its_memory_back() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    let config = ProducerConfig::new().acks(Acks::Leader).linger(FOREVER).buffer_memory(1000).max_block(Duration::ZERO);
    let producer = store.producer(config).unwrap();
    let send = |partition, value| producer.send_async(Record::to("t").partition(partition).value(value));
    let (mut first, mut second) = (send(0, "first").unwrap(), send(1, "second").unwrap());
    store.delete_topic("t").unwrap();
    create(&store, "t");
    drop(send(0, "of another topic").unwrap());
    for pending in [&mut first, &mut second] {
        assert!(poll_once(pending).map(is_unknown).is_ready(), "nobody would ever append it");
    }
    let whole_memory = vec![0; 1000 - 64];
    assert!(producer.send_async(Record::to("t").value(whole_memory)).is_ok());
}

#[test]
fn the_maintenance_fails_what_lingers_for_a_deleted_topic() {
    let store = manual_store();
    create(&store, "t");
    let producer = lingering(&store);
    let mut pending = producer.send_async(Record::to("t").value("early")).unwrap();
    store.delete_topic("t").unwrap();
    assert!(poll_once(&mut pending).is_pending());
    store.tick().unwrap();
    assert!(poll_once(&mut pending).map(is_unknown).is_ready());
}

#[test]
fn threads_go_on_while_their_topic_is_deleted_and_created_again() {
    let store = store();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    let producer = store.producer(ProducerConfig::new().acks(Acks::Leader).linger(Duration::from_millis(1))).unwrap();
    let done = AtomicBool::new(false);
    let handles: Vec<Pending> = thread::scope(|scope| {
        let senders: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut handles = Vec::new();
                    while !done.load(Ordering::Acquire) {
                        match producer.send_async(Record::to("t").value("value")) {
                            Ok(pending) => handles.push(pending),
                            Err(Error::UnknownTopicOrPartition { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                    handles
                })
            })
            .collect();
        for _ in 0..50 {
            store.delete_topic("t").unwrap();
            store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
        }
        done.store(true, Ordering::Release);
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    for pending in handles {
        // Every handle gets an answer, also from a thread that only listens.
        match block_on(pending) {
            Ok(_) | Err(Error::UnknownTopicOrPartition { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    producer.send(Record::to("t").value("last")).unwrap();
}

// Endings

#[test]
fn a_closed_producer_has_appended_everything_and_refuses_more() {
    let store = manual_store();
    let log = create(&store, "t");
    let producer = lingering(&store);
    let clone = producer.clone();
    let pending: Vec<_> =
        (0..10).map(|index| producer.send_async(Record::to("t").value(index.to_string())).unwrap()).collect();
    producer.close().unwrap();
    assert_eq!(values(&log).len(), 10);
    for (index, pending) in (0..).zip(pending) {
        assert_eq!(pending.wait().unwrap().offset, Some(index));
    }
    for producer in [producer, clone] {
        assert!(matches!(producer.send(Record::to("t")), Err(Error::Closed { what: "the producer" })));
        assert!(matches!(producer.send_async(Record::to("new")), Err(Error::Closed { what: "the producer" })));
        producer.close().unwrap();
    }
    assert_eq!(log.log_end(), 10);
}

#[test]
fn a_close_tells_what_failed_in_it() {
    let store = manual_store();
    create(&store, "t");
    let producer = lingering(&store);
    drop(producer.send_async(Record::to("t").timestamp(i64::MAX)).unwrap());
    assert!(matches!(producer.close(), Err(Error::InvalidTimestamp { timestamp: i64::MAX, .. })));
}

#[test]
fn what_lingers_when_the_last_handle_goes_is_appended() {
    let store = manual_store();
    let log = create(&store, "t");
    let producer = lingering(&store);
    let pending = producer.send_async(Record::to("t").value("waited for")).unwrap();
    drop(producer.send_async(Record::to("t").value("not waited for")).unwrap());
    drop(producer);
    assert_eq!(log.log_end(), 0, "a handle is a handle of the producer");
    drop(pending);
    assert_eq!(values(&log), ["waited for", "not waited for"]);
}

#[test]
fn what_lingers_when_everything_goes_is_there_on_the_next_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = api::manual().0.open(dir.path()).unwrap();
    create(&store, "t");
    let producer = lingering(&store);
    drop(producer.send_async(Record::to("t").value("kept")).unwrap());
    drop(store);
    drop(producer);
    let store = Store::open(dir.path()).unwrap();
    assert!(store.recovery_report().clean_shutdown);
    assert_eq!(values(&store.partition("t", 0).unwrap()), ["kept"]);
}

#[test]
fn closing_the_store_appends_what_its_producers_hold_back() {
    let store = store();
    let log = create(&store, "t");
    let producer = lingering(&store);
    let awaited = producer.send_async(Record::to("t").value("awaited")).unwrap();
    drop(producer.send_async(Record::to("t").value("not even waited for")).unwrap());
    store.close().unwrap();
    assert_eq!(log.log_end(), 2);
    assert_eq!(block_on(awaited).unwrap().offset, Some(0));
    assert!(matches!(producer.send_async(Record::to("t")), Err(Error::Closed { what: "the store" })));
    assert!(matches!(store.producer(ProducerConfig::new()), Err(Error::Closed { what: "the store" })));
}

#[test]
fn whatever_a_send_accepts_while_another_thread_closes_is_appended() {
    for round in 0..100 {
        let store = store();
        let log = create(&store, "t");
        let producer = lingering(&store);
        let accepted = thread::scope(|scope| {
            let sender = scope.spawn(|| {
                let mut accepted = 0;
                while let Ok(pending) = producer.send_async(Record::to("t").value("value")) {
                    // The handle goes at once: nobody but the producer knows of the record.
                    drop(pending);
                    accepted += 1;
                }
                accepted
            });
            while producer.send(Record::to("t").value("value")).unwrap().offset < Some(2) {}
            if round % 2 == 0 {
                producer.close().unwrap();
            } else {
                store.close().unwrap();
            }
            let before = log.log_end();
            let accepted: i64 = sender.join().unwrap();
            assert_eq!(log.log_end(), before, "the close came back with everything appended");
            accepted
        });
        assert!(log.log_end() > accepted, "{accepted} and at least one more");
    }
}

//! The idempotent producer through the public API: whose batches carry what, and what of that crashes and failures
//! leave.
#![cfg(feature = "sim")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::{FOREVER, batches, manual, manual_store, values};
use esker::io::{MemoryStorage, Storage};
use esker::record::{BatchBuilder, RecordData};
use esker::sim::{Crash, Fault, FaultStorage, Operation};
use esker::{Acks, Error, Log, Maintenance, NO_PRODUCER_ID, Producer, ProducerConfig, Record, Store, TopicConfig};

const CHECKPOINT: &str = "/data/producer-id-checkpoint";

/// Producer id, epoch and base sequence of each batch.
fn identities(log: &Log) -> Vec<(i64, i16, i32)> {
    batches(log).iter().map(|header| (header.producer_id, header.producer_epoch, header.base_sequence)).collect()
}

fn ids(log: &Log) -> BTreeSet<i64> {
    identities(log).iter().map(|(id, _, _)| *id).collect()
}

fn open(disk: &FaultStorage) -> Store {
    Store::options().storage(Arc::new(disk.clone())).maintenance(Maintenance::Manual).open("/data").unwrap()
}

fn create(store: &Store, partitions: i32) -> Log {
    store.create_topic("t", TopicConfig::new().partitions(partitions)).unwrap();
    store.partition("t", 0).unwrap()
}

fn send(producer: &Producer, partition: i32) -> esker::Result<i64> {
    Ok(producer.send(Record::to("t").partition(partition).value("x"))?.offset.unwrap())
}

#[test]
fn a_producer_numbers_the_records_of_each_partition() {
    let store = manual_store();
    create(&store, 2);
    let logs = [0, 1].map(|index| store.partition("t", index).unwrap());
    let producer = store.producer(ProducerConfig::new()).unwrap();
    for partition in [0, 0, 1, 0, 1] {
        send(&producer, partition).unwrap();
    }
    for _ in 0..3 {
        drop(producer.send_async(Record::to("t").partition(1).value("lingers")).unwrap());
    }
    producer.flush().unwrap();
    send(&producer, 1).unwrap();
    let id = identities(&logs[0])[0].0;
    assert!(id > NO_PRODUCER_ID);
    assert_eq!(identities(&logs[0]), [(id, 0, 0), (id, 0, 1), (id, 0, 2)]);
    assert_eq!(identities(&logs[1]), [(id, 0, 0), (id, 0, 1), (id, 0, 2), (id, 0, 5)]);
    let other = store.producer(ProducerConfig::new()).unwrap();
    send(&other, 0).unwrap();
    assert_eq!(ids(&logs[0]).len(), 2, "another producer is another id");
}

#[test]
fn idempotence_needs_acks_all_and_is_off_without_a_word_where_that_was_not_chosen() {
    let store = manual_store();
    let log = create(&store, 1);
    for acks in [Acks::None, Acks::Leader] {
        let conflict = ProducerConfig::new().acks(acks).enable_idempotence(true);
        match store.producer(conflict) {
            Err(Error::InvalidConfig { key, .. }) => assert_eq!(key, "enable.idempotence"),
            other => panic!("{other:?}"),
        }
        store.producer(ProducerConfig::new().acks(acks)).unwrap().send(Record::to("t").value("x")).unwrap();
    }
    let mut config = ProducerConfig::new();
    config.set("enable.idempotence", "false").unwrap();
    assert!(config.set("enable.idempotence", "perhaps").is_err());
    send(&store.producer(config).unwrap(), 0).unwrap();
    assert_eq!(ids(&log), [NO_PRODUCER_ID].into());
}

#[test]
fn a_failed_append_uses_up_no_sequence_number() {
    let disk = FaultStorage::new(1);
    let store = open(&disk);
    let log = create(&store, 1);
    let producer = store.producer(ProducerConfig::new()).unwrap();
    send(&producer, 0).unwrap();
    disk.inject(Fault::io_error().on(Operation::Append).on_path_suffix(".log").times(2));
    send(&producer, 0).unwrap_err();
    send(&producer, 0).unwrap_err();
    assert_eq!(send(&producer, 0).unwrap(), 1);
    let id = identities(&log)[0].0;
    assert_eq!(identities(&log), [(id, 0, 0), (id, 0, 1)]);
}

#[test]
fn a_topic_of_the_same_name_is_sent_to_afresh() {
    let store = manual_store();
    create(&store, 1);
    let producer = store.producer(ProducerConfig::new()).unwrap();
    send(&producer, 0).unwrap();
    send(&producer, 0).unwrap();
    store.delete_topic("t").unwrap();
    let log = create(&store, 1);
    assert_eq!((send(&producer, 0).unwrap(), send(&producer, 0).unwrap()), (0, 1));
    assert_eq!(identities(&log).iter().map(|(_, _, sequence)| *sequence).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_producer_goes_on_after_the_partition_forgot_it() {
    let (options, clock) = manual();
    let store = options.storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    let log = create(&store, 1);
    let producer = store.producer(ProducerConfig::new()).unwrap();
    send(&producer, 0).unwrap();
    clock.advance(86_400_000 - 1);
    store.tick().unwrap();
    assert_eq!(log.active_producers().len(), 1);
    clock.advance(600_000);
    store.tick().unwrap();
    assert!(log.active_producers().is_empty());
    assert_eq!(send(&producer, 0).unwrap(), 1);
    assert_eq!(log.active_producers()[0].last_sequence, Some(1));
}

#[test]
fn a_producer_goes_on_in_another_epoch_where_batches_of_it_were_cut_off() {
    let store = manual_store();
    let log = create(&store, 2);
    let producer = store.producer(ProducerConfig::new().linger(FOREVER)).unwrap();
    for partition in [0, 0, 0, 1] {
        send(&producer, partition).unwrap();
    }
    let id = identities(&log)[0].0;
    log.truncate_to(1).unwrap();
    assert_eq!([send(&producer, 0).unwrap(), send(&producer, 0).unwrap()], [1, 2]);
    assert_eq!(identities(&log), [(id, 0, 0), (id, 1, 0), (id, 1, 1)]);

    // What lingers is appended once, as it was sent.
    let lingering: Vec<_> =
        ["a", "b"].map(|value| producer.send_async(Record::to("t").partition(0).value(value)).unwrap()).into();
    log.truncate_to(2).unwrap();
    producer.flush().unwrap();
    let offsets: Vec<_> = lingering.into_iter().map(|pending| pending.wait().unwrap().offset.unwrap()).collect();
    assert_eq!((offsets, &values(&log)[2..]), (vec![2, 3], &["a".to_owned(), "b".to_owned()][..]));
    assert_eq!(identities(&log)[2], (id, 2, 0));

    send(&producer, 1).unwrap();
    let other = store.partition("t", 1).unwrap();
    assert_eq!(identities(&other), [(id, 0, 0), (id, 0, 1)], "nothing was cut off there");
}

#[test]
fn no_id_is_given_out_twice_whatever_crashes() {
    let mut disk = FaultStorage::new(1);
    let log = create(&open(&disk), 1);
    drop(log);
    let mut given = BTreeSet::new();
    for round in 0..6 {
        let store = open(&disk);
        for _ in 0..3 {
            send(&store.producer(ProducerConfig::new()).unwrap(), 0).unwrap();
        }
        let log = store.partition("t", 0).unwrap();
        given = ids(&log);
        assert_eq!(given.len(), 3 * (round as usize + 1), "in round {round}");
        drop(log);
        disk.crash();
        drop(store);
        disk = disk.after_crash(Crash::Power, round);
    }
    // Without the checkpoint the logs tell which ids there are.
    disk.remove_file(Path::new(CHECKPOINT)).unwrap();
    let store = open(&disk);
    send(&store.producer(ProducerConfig::new()).unwrap(), 0).unwrap();
    assert_eq!(ids(&store.partition("t", 0).unwrap()).len(), given.len() + 1);
}

#[test]
fn an_id_of_somebody_elses_is_passed_by() {
    let store = manual_store();
    let log = create(&store, 1);
    for id in [1 << 40, i64::MAX] {
        let mut builder = BatchBuilder::new(100).producer(id, 0, 0);
        builder.push(&RecordData::new(None, Some(b"x"))).unwrap();
        log.append(builder.build().unwrap(), Acks::Leader).unwrap();
    }
    send(&store.producer(ProducerConfig::new()).unwrap(), 0).unwrap();
    assert!(ids(&log).len() == 3, "{:?}", ids(&log));
}

#[test]
fn no_id_is_given_out_before_its_block_is_written_down() {
    let disk = FaultStorage::new(1);
    let store = open(&disk);
    let log = create(&store, 1);
    let producer = store.producer(ProducerConfig::new()).unwrap();
    disk.inject(Fault::io_error().on(Operation::Sync).on_path_suffix("producer-id-checkpoint.tmp").times(1));
    send(&producer, 0).unwrap_err();
    assert_eq!(log.log_end(), 0);
    send(&producer, 0).unwrap();
    assert!(disk.contents(CHECKPOINT).is_ok());
}

/// Ids that others have made up, and what is known of those that were given out.
#[test]
fn no_id_is_given_out_twice_whatever_ids_are_in_the_logs() {
    let appended_by = |log: &Log, producer_id: i64| {
        let mut builder = BatchBuilder::new(1000).producer(producer_id, 0, 0);
        builder.push(&RecordData::of(b"made up")).unwrap();
        log.append(builder.build().unwrap(), Acks::Leader).unwrap();
    };
    for made_up in [(1 << 62) - 3, 1 << 62, (1 << 62) + 1, i64::MAX] {
        let disk = FaultStorage::new(0);
        let mut given_out = BTreeSet::new();
        for round in 0..3 {
            let store = open(&disk);
            let log = if round == 0 { create(&store, 1) } else { store.partition("t", 0).unwrap() };
            if round == 0 {
                appended_by(&log, made_up);
            }
            for number in 0..1100 {
                let id = format!("{round}-{number}");
                let producer = store.init_transactional_id(&id, Duration::from_secs(60)).unwrap();
                assert!(given_out.insert(producer.producer_id), "{made_up}: {producer:?} is given out twice");
            }
            store.close().unwrap();
        }
        assert!(!given_out.contains(&made_up));
    }
}

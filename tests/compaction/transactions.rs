//! Compaction and transactions: what is void takes nobody's place, what is not decided stays, and producers are known
//! as before.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use esker::io::{MemoryStorage, Storage};
use esker::record::{BatchBuilder, EndTransactionMarker, RecordData, TransactionResult};
use esker::{
    Acks, Appended, AutoOffsetReset, ConsumerConfig, IsolationLevel, Offset, ProducerId, ProducerIdAndEpoch, Store,
    StoreConfig,
};

use crate::{START_MS, TOPIC, World, compacted, open};

fn send(world: &World, id: ProducerId, sequence: i32, transactional: bool, key: &str, value: &str) -> Appended {
    let mut builder = BatchBuilder::new(1 << 20).producer(id, 0, sequence).transactional(transactional);
    builder.push(&RecordData::new(Some(key.as_bytes()), Some(value.as_bytes())).at(START_MS)).unwrap();
    world.log().append(builder.build().unwrap(), Acks::Leader).unwrap()
}

fn end(world: &World, id: ProducerId, result: TransactionResult) -> Offset {
    let marker = EndTransactionMarker { result, coordinator_epoch: 0 };
    world.log().append_end_transaction_marker(ProducerIdAndEpoch::new(id, 0), marker, Acks::Leader).unwrap().base_offset
}

/// The offset, key and value of each record that was committed.
fn committed(store: &Store) -> Vec<(Offset, String, String)> {
    let config = ConsumerConfig::new().isolation_level(IsolationLevel::ReadCommitted);
    let mut consumer = store.consumer(config.auto_offset_reset(AutoOffsetReset::Earliest)).unwrap();
    consumer.assign([(TOPIC, 0)]).unwrap();
    let (log, mut records) = (store.partition(TOPIC, 0).unwrap(), Vec::new());
    while consumer.position((TOPIC, 0)).unwrap() < log.last_stable_offset() {
        records.extend(consumer.poll(Duration::ZERO).unwrap());
    }
    let text = |bytes: Option<bytes::Bytes>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    records.into_iter().map(|record| (record.offset, text(record.key), text(record.value))).collect()
}

/// The last committed value of each key, by name.
fn table(store: &Store) -> std::collections::BTreeMap<String, String> {
    committed(store).into_iter().map(|(_, key, value)| (key, value)).collect()
}

fn control_batches(world: &World) -> usize {
    let log = world.log();
    let (mut offset, mut count) = (log.log_start(), 0);
    while offset < log.log_end() {
        let fetched = log.read(offset, esker::ReadLimits::new()).unwrap();
        count += fetched.batches().filter(|batch| batch.as_ref().unwrap().header().is_control()).count();
        offset = fetched.next_offset();
    }
    count
}

#[test]
fn a_void_record_takes_nobodys_place() {
    let storage = Arc::new(MemoryStorage::new());
    let mut world = World::new(storage.clone(), StoreConfig::default(), compacted());
    world.put("tea", "committed");
    for round in 0..12 {
        let (aborts, key) = (round % 3 != 2, ["tea", "salt", "rice"][round as usize % 3]);
        send(&world, 1, 2 * round, true, key, &format!("{round}"));
        send(&world, 2, round, false, "other", &format!("{round}"));
        send(&world, 1, 2 * round + 1, true, "both", &format!("{round}"));
        end(&world, 1, if aborts { TransactionResult::Abort } else { TransactionResult::Commit });
    }
    let before = table(&world.store);
    assert_eq!((&*before["tea"], &*before["rice"], &*before["both"]), ("committed", "11", "11"));
    assert!(!before.contains_key("salt"));
    let markers = control_batches(&world);
    world.store.compact(TOPIC).unwrap();
    assert_eq!(table(&world.store), before);
    let keys: Vec<_> = committed(&world.store).into_iter().map(|(_, key, _)| key).collect();
    assert_eq!(keys, ["tea", "rice", "other", "both"], "one of each");

    // Markers go once their time has come; what is known of the transactions and the producers does not change.
    let known = world.log().active_producers();
    world.store.compact(TOPIC).unwrap();
    world.advance(10_001);
    for _ in 0..3 {
        world.put("tick", "tock");
        world.store.compact(TOPIC).unwrap();
    }
    assert!(control_batches(&world) < markers / 2, "{} of {markers}", control_batches(&world));
    let before = table(&world.store);
    for clean in [true, false] {
        world.store.close().unwrap();
        if !clean {
            for file in [".kafka_cleanshutdown", "recovery-point-offset-checkpoint"] {
                storage.remove_file(&Path::new("/data").join(file)).unwrap();
            }
            // The log alone must tell.
            for entry in storage.list(Path::new("/data/prices-0")).unwrap() {
                if entry.name.ends_with(".snapshot") || entry.name.ends_with(".txnindex") {
                    storage.remove_file(&Path::new("/data/prices-0").join(entry.name)).unwrap();
                }
            }
        }
        let config = StoreConfig::default();
        world.store = open(storage.clone(), world.clock.clone(), config).unwrap();
        let now = world.log().active_producers();
        let ends = |producers: &[esker::ActiveProducer]| -> Vec<_> {
            producers.iter().map(|known| (known.producer_id, known.last_sequence, known.transaction_start)).collect()
        };
        assert_eq!(ends(&now), ends(&known), "clean: {clean}");
        assert_eq!(world.log().last_stable_offset(), world.log().log_end());
        assert_eq!(table(&world.store), before, "clean: {clean}");
        assert!(send(&world, 2, 11, false, "other", "11").is_duplicate, "its last batch is there, emptied or not");
    }
}

#[test]
fn what_is_not_decided_is_not_compacted() {
    let world = World::new(Arc::new(MemoryStorage::new()), StoreConfig::default(), compacted());
    for round in 0..10 {
        world.put("tea", &format!("{round}"));
    }
    let first = send(&world, 1, 0, true, "tea", "undecided").base_offset;
    for round in 10..30 {
        world.put("tea", &format!("{round}"));
    }
    world.store.compact(TOPIC).unwrap();
    let kept = world.records();
    let undecided = kept.iter().filter(|(offset, ..)| *offset >= first).count();
    assert_eq!(undecided, 21, "all from the first undecided record on");
    assert!(kept.len() < 31, "and some before it are gone");
    end(&world, 1, TransactionResult::Abort);
    world.store.compact(TOPIC).unwrap();
    assert_eq!(table(&world.store)["tea"], "29");
    assert_eq!(committed(&world.store).len(), 1);
}

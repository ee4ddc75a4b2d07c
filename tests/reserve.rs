//! At zero bytes free a store still commits offsets, lets go of old records and closes cleanly.
#![cfg(feature = "sim")]

use std::sync::Arc;
use std::time::Duration;

use esker::record::{BatchBuilder, RecordData};
use esker::sim::{FaultStorage, ManualClock};
use esker::{Acks, CommittedOffset, Error, Maintenance, Store, TopicConfig, TopicPartition};

const NOW_MS: i64 = 1_700_000_000_000;

#[test]
fn a_full_device_keeps_no_store_from_committing_deleting_and_closing() {
    let clock = ManualClock::new(NOW_MS);
    let disk = FaultStorage::with_clock(1, clock.clone());
    let options = || {
        let storage = Arc::new(disk.clone());
        Store::options().storage(storage).clock(Arc::new(clock.clone())).maintenance(Maintenance::Manual)
    };
    let store = options().open("data").unwrap();
    let mut config = TopicConfig::new().retention_ms(1000);
    config.set("internal.segment.bytes", "100000").unwrap();
    store.create_topic("t", config).unwrap();
    let log = store.partition("t", 0).unwrap();
    let partition = TopicPartition::new("t", 0);
    store.commit_offsets("g", [(partition.clone(), CommittedOffset::new(0))], Acks::All).unwrap();

    let mut builder = BatchBuilder::new(1 << 20);
    builder.push(&RecordData::of(&[7; 10_000]).at(NOW_MS)).unwrap();
    let batch = builder.build().unwrap();
    for _ in 0..20 {
        log.append(batch, Acks::All).unwrap();
    }
    disk.set_capacity(disk.used());
    let full = loop {
        match log.append(batch, Acks::Leader) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(full, Error::StorageFull { .. }), "{full}");
    let end = log.log_end();

    store.commit_offsets("g", [(partition.clone(), CommittedOffset::new(end))], Acks::All).unwrap();
    clock.advance(Duration::from_secs(3600));
    store.tick().unwrap();
    assert_eq!(log.log_start(), end, "everything was old");
    assert_eq!(log.log_end(), end);
    store.close().unwrap();

    let store = options().open("data").unwrap();
    assert!(store.recovery_report().clean_shutdown);
    assert_eq!(store.committed_offset("g", &partition).unwrap().unwrap().offset, end);
    clock.advance(Duration::from_secs(3600));
    store.tick().unwrap();
    let log = store.partition("t", 0).unwrap();
    let mut builder = BatchBuilder::new(1 << 20);
    builder.push(&RecordData::of(b"there is space again")).unwrap();
    assert_eq!(log.append(builder.build().unwrap(), Acks::All).unwrap().base_offset, end);
}

#[test]
fn who_appends_whenever_there_is_space_takes_nothing_of_what_is_held_back() {
    let disk = FaultStorage::new(1);
    let store = Store::options().storage(Arc::new(disk.clone())).maintenance(Maintenance::Manual).open("data").unwrap();
    for topic in ["t", "goes"] {
        store.create_topic(topic, TopicConfig::new()).unwrap();
    }
    let log = store.partition("t", 0).unwrap();
    let partition = TopicPartition::new("t", 0);
    store.commit_offsets("g", [(partition.clone(), CommittedOffset::new(0))], Acks::All).unwrap();
    let mut builder = BatchBuilder::new(1 << 20);
    builder.push(&RecordData::of(&[7; 100]).at(NOW_MS)).unwrap();
    let batch = builder.build().unwrap();
    disk.set_capacity(disk.used());
    for offset in 1..20 {
        while log.append(batch, Acks::Leader).is_ok() {}
        store.commit_offsets("g", [(partition.clone(), CommittedOffset::new(offset))], Acks::All).unwrap();
    }
    while log.append(batch, Acks::Leader).is_ok() {}
    store.delete_topic("goes").unwrap();
    while log.append(batch, Acks::Leader).is_ok() {}
    store.close().unwrap();
}

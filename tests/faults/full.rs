//! A device without space: whoever appends is told, nobody else notices, and it works again once there is space.

use std::io::ErrorKind;
use std::time::Duration;

use esker::record::{BatchBuilder, RecordData};
use esker::sim::{Crash, Fault, FaultStorage, ManualClock, Operation};
use esker::{Acks, Error, TopicConfig};

use crate::common::{append_value, check_lookups};
use crate::{START_MS, create_log, fill, open, open_reserving, open_with_clock, read_all};

#[test]
fn an_append_to_a_full_device_changes_nothing_and_works_once_space_is_back() {
    for reserves in [false, true] {
        let disk = FaultStorage::new(1);
        let store = if reserves { open_reserving(&disk) } else { open(&disk) }.unwrap();
        let log = create_log(&store);
        let records = fill(&log, 3);
        disk.set_capacity(disk.used());

        let value = [7; 300];
        for acks in [Acks::None, Acks::Leader, Acks::All] {
            match append_value(&log, START_MS, &value, acks) {
                Err(error @ Error::StorageFull { .. }) => assert!(error.is_retriable()),
                other => panic!("{other:?}"),
            }
            assert_eq!(log.log_end(), records.len() as i64);
            assert_eq!(read_all(&log), records);
        }

        disk.set_capacity(u64::MAX);
        assert_eq!(append_value(&log, START_MS, &value, Acks::All).unwrap(), records.len() as i64);
        assert_eq!(read_all(&log).len(), records.len() + 1);
    }
}

#[test]
fn a_roll_that_fails_at_any_operation_loses_nothing() {
    for kind in [ErrorKind::StorageFull, ErrorKind::PermissionDenied, ErrorKind::Other] {
        // Until the roll has no more operations to fail.
        for at in 0.. {
            let disk = FaultStorage::new(1);
            let store = open(&disk).unwrap();
            let log = create_log(&store);
            let mut records = fill(&log, 5);
            assert_eq!(log.segment_count(), 1);

            disk.inject(Fault::new(kind).on_mutations().nth(at));
            let before = disk.mutations();
            let rolled = append_value(&log, START_MS + 70, &[7; 700], Acks::Leader);
            let operations = disk.mutations() - before;
            disk.clear_faults();
            if rolled.is_err() {
                assert_eq!(log.log_end(), records.len() as i64, "{kind} at {at}");
                assert_eq!(read_all(&log), records);
            }
            // A small one would still fit into the segment that the large one did not fit into.
            append_value(&log, START_MS + 80, b"small", Acks::Leader).unwrap();
            append_value(&log, START_MS + 90, &[8; 700], Acks::All).unwrap();
            let end = log.log_end();
            records = read_all(&log);
            assert_eq!(records.len() as i64, end);
            store.close().unwrap();
            drop((store, log));

            let clean = disk.after_crash(Crash::Power, at);
            let store = open(&clean).unwrap();
            assert!(store.recovery_report().clean_shutdown && store.recovery_report().is_healthy());
            let log = store.partition("t", 0).unwrap();
            assert_eq!(read_all(&log), records, "{kind} at {at}");
            check_lookups(&log, &records).unwrap();
            if operations <= at {
                assert!(rolled.is_ok() && at > 5, "{rolled:?} at {at}");
                break;
            }
        }
    }
}

#[test]
fn an_index_that_can_not_grow_costs_no_record_and_no_answer() {
    for suffix in [".index", ".timeindex"] {
        let disk = FaultStorage::new(1);
        let store = open(&disk).unwrap();
        let log = create_log(&store);
        disk.inject(Fault::new(ErrorKind::StorageFull).on(Operation::Append).on_path_suffix(suffix).times(9));
        let mut records = fill(&log, 5);
        check_lookups(&log, &records).unwrap();
        disk.clear_faults();
        records.extend(fill(&log, 20));
        assert!(log.segment_count() > 2);
        check_lookups(&log, &records).unwrap();
        store.close().unwrap();
        drop((store, log));
        let store = open(&disk).unwrap();
        assert!(store.recovery_report().clean_shutdown);
        check_lookups(&store.partition("t", 0).unwrap(), &records).unwrap();
    }
}

#[test]
fn retention_frees_a_device_that_is_full() {
    let (disk, clock) = (FaultStorage::new(1), ManualClock::new(START_MS));
    let store = open_with_clock(&disk, clock.clone()).unwrap();
    let config = TopicConfig::new().internal_segment_bytes(1_000).file_delete_delay_ms(0).retention_bytes(2_000);
    store.create_topic("t", config).unwrap();
    let log = store.partition("t", 0).unwrap();
    let records = fill(&log, 40);
    log.flush().unwrap();
    let used = disk.used();
    disk.set_capacity(used);
    assert!(matches!(append_value(&log, START_MS, &[7; 900], Acks::Leader), Err(Error::StorageFull { .. })));

    clock.advance(Duration::from_secs(300));
    let ticked = store.tick();
    assert!(disk.used() < used, "retention removed files");
    assert!(ticked.is_ok(), "and the checkpoints had room after it: {ticked:?}");
    append_value(&log, START_MS, &[7; 900], Acks::Leader).unwrap();
    let start = log.log_start();
    let kept: Vec<_> = read_all(&log).into_iter().take_while(|(offset, _)| *offset < records.len() as i64).collect();
    assert!(start > 0 && kept == records[start as usize..]);
}

#[test]
fn records_can_be_deleted_from_a_device_that_is_full() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    let log = create_log(&store);
    let records = fill(&log, 30);
    log.flush().unwrap();
    disk.set_capacity(disk.used());
    assert_eq!(log.delete_records(17).unwrap(), 17);

    // And that is on the device.
    let disk = disk.after_crash(Crash::Power, 0);
    let store = open(&disk).unwrap();
    let log = store.partition("t", 0).unwrap();
    assert_eq!((log.log_start(), read_all(&log)), (17, records[17..].to_vec()));
}

#[test]
fn a_truncation_that_fails_at_any_operation_loses_nothing_below_it() {
    for kind in [ErrorKind::StorageFull, ErrorKind::PermissionDenied] {
        // Until the truncation has no more operations to fail.
        for at in 0.. {
            let disk = FaultStorage::new(1);
            let store = open(&disk).unwrap();
            let log = create_log(&store);
            let records = fill(&log, 30);
            log.flush().unwrap();
            let segments = log.segment_count();
            assert!(segments > 3);

            // As often as somebody may try, with what is held back too.
            disk.inject(Fault::new(kind).on_mutations().nth(at).times(9));
            let before = disk.mutations();
            let cut = log.truncate_to(12);
            let operations = disk.mutations() - before;
            disk.clear_faults();
            match &cut {
                Ok(end) => assert_eq!(*end, 12, "{kind} at {at}"),
                Err(Error::LogOffline { .. }) => assert_eq!(log.log_end(), 12, "{kind} at {at}"),
                Err(_) => {
                    assert_eq!(
                        (log.segment_count(), log.log_end()),
                        (segments, records.len() as i64),
                        "{kind} at {at}"
                    );
                }
            }
            assert_eq!(read_all(&log), records[..log.log_end() as usize], "readers go on");
            let can_append = !matches!(cut, Err(Error::LogOffline { .. }));
            assert_eq!(append_value(&log, START_MS, b"next", Acks::All).is_ok(), can_append, "{kind} at {at}: {cut:?}");
            let expected = if can_append { read_all(&log) } else { records[..12].to_vec() };
            drop((store, log));

            let disk = disk.after_crash(Crash::Power, at);
            let store = open(&disk).unwrap();
            assert!(store.recovery_report().is_healthy(), "{:?}", store.recovery_report());
            let found = read_all(&store.partition("t", 0).unwrap());
            assert_eq!(found[..expected.len()], expected, "{kind} at {at}");
            assert!(can_append || found[12..] == records[12..found.len()], "without a hole");
            if operations <= at {
                assert!(cut.is_ok() && at > 8, "{cut:?} at {at}");
                break;
            }
        }
    }
}

#[test]
fn what_a_roll_has_left_that_failed_does_not_end_a_log_that_was_cut_and_goes_on() {
    for starts_anew in [false, true] {
        let disk = FaultStorage::new(1);
        let store = open(&disk).unwrap();
        let log = create_log(&store);
        fill(&log, 5);
        disk.inject(Fault::new(ErrorKind::StorageFull).on(Operation::OpenAppend).on_path_suffix(".index"));
        append_value(&log, START_MS + 70, &[7; 700], Acks::Leader).unwrap_err();
        disk.clear_faults();
        let end = log.log_end();
        let cut = if starts_anew { log.truncate_fully_and_start_at(1) } else { log.truncate_to(3).map(|_| ()) };
        cut.unwrap();
        while log.log_end() < end + 3 {
            append_value(&log, START_MS + 80, b"after the cut", Acks::All).unwrap();
        }
        let records = read_all(&log);
        store.close().unwrap();
        drop((store, log));

        let store = open(&disk).unwrap();
        assert!(store.recovery_report().is_healthy());
        assert_eq!(read_all(&store.partition("t", 0).unwrap()), records);
    }
}

#[test]
fn a_truncation_that_fails_forgets_no_producer() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    let log = create_log(&store);
    let start = fill(&log, 3).len() as i64;
    let mut batch = BatchBuilder::new(100).producer(4242, 0, 0).transactional(true);
    batch.push(&RecordData::of(b"open")).unwrap();
    log.append(batch.build().unwrap(), Acks::Leader).unwrap();
    store.close().unwrap();
    let store = open(&disk).unwrap();
    let log = store.partition("t", 0).unwrap();
    disk.inject(Fault::new(ErrorKind::StorageFull).on(Operation::OpenAppend).on_path_suffix(".log.tmp"));
    log.truncate_to(1).unwrap_err();
    disk.clear_faults();
    assert_eq!((log.log_end(), log.last_stable_offset()), (start + 1, start));
    store.close().unwrap();

    let store = open(&disk).unwrap();
    let log = store.partition("t", 0).unwrap();
    assert_eq!((log.active_producers().len(), log.last_stable_offset()), (1, start));
}

#[test]
fn a_full_device_closes_and_opens_as_any_other() {
    for reserves in [false, true] {
        let disk = FaultStorage::new(1);
        let store = if reserves { open_reserving(&disk) } else { open(&disk) }.unwrap();
        let log = create_log(&store);
        let records = fill(&log, 30);
        disk.set_capacity(disk.used());
        store.close().unwrap();
        drop((store, log));

        let disk = disk.after_crash(Crash::Power, 0);
        let store = open(&disk).unwrap();
        assert!(store.recovery_report().clean_shutdown && store.recovery_report().is_healthy());
        let log = store.partition("t", 0).unwrap();
        assert_eq!(read_all(&log), records);
        check_lookups(&log, &records).unwrap();
    }
}

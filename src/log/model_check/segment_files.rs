//! Files are let go of that nobody used for a while, also when somebody comes just then.

use super::device::Device;
use super::{ONE_BATCH, append, explore, log_on, read};
use crate::log::Log;
use crate::log::open_files::Spare;
use crate::types::Acks;

/// Two segments of one batch each. The first is closed, and on the device.
fn two_segments() -> Log {
    let log = log_on(&Device::new(usize::MAX), &[("internal.segment.bytes", ONE_BATCH)]);
    append(&log, 0, Acks::Leader).expect("there is room");
    append(&log, 1, Acks::All).expect("there is room");
    log
}

/// Lets go of the files of the first segment, if they can be spared. The first call after a use only forgets that.
fn let_go(log: &Log) -> bool {
    let segments = log.inner.segments.load_full();
    segments.first().file_slot().let_go(Spare::Any, None)
}

#[test]
fn closing_unused_files_disturbs_no_reader() {
    explore(3, || {
        let log = two_segments();
        let_go(&log);
        let reader = loom::thread::spawn({
            let log = log.clone();
            move || assert_eq!(read(&log, 0).expect("it is there"), (vec![(0, 0)], 1))
        });
        let_go(&log);
        let_go(&log);
        reader.join().expect("no panic");
        assert_eq!(read(&log, 0).expect("it is there"), (vec![(0, 0)], 1));
    });
}

#[test]
fn readers_that_open_the_files_at_once_both_get_them() {
    explore(2, || {
        let log = two_segments();
        let_go(&log);
        assert!(let_go(&log));
        let reader = loom::thread::spawn({
            let log = log.clone();
            move || assert_eq!(read(&log, 0).expect("it is there"), (vec![(0, 0)], 1))
        });
        assert_eq!(read(&log, 0).expect("it is there"), (vec![(0, 0)], 1));
        reader.join().expect("no panic");
    });
}

#[test]
fn an_active_segment_that_is_let_go_of_goes_on_and_disturbs_no_reader() {
    explore(2, || {
        let log = log_on(&Device::new(usize::MAX), &[]);
        append(&log, 0, Acks::Leader).expect("there is room");
        let_go(&log);
        let reader = loom::thread::spawn({
            let log = log.clone();
            move || {
                let (records, next_offset) = read(&log, 0).expect("it is there");
                assert!(records.starts_with(&[(0, 0)]) && records.len() as i64 == next_offset);
            }
        });
        let_go(&log);
        append(&log, 1, Acks::Leader).expect("there is room");
        let_go(&log);
        reader.join().expect("no panic");
        assert_eq!(read(&log, 0).expect("they are there"), (vec![(0, 0), (1, 1)], 2));
    });
}

#[test]
fn an_active_segment_is_let_go_of_beside_an_append() {
    explore(2, || {
        let device = Device::new(usize::MAX);
        let log = log_on(&device, &[]);
        append(&log, 0, Acks::Leader).expect("there is room");
        let_go(&log);
        let writer = loom::thread::spawn({
            let log = log.clone();
            move || append(&log, 1, Acks::All).expect("there is room")
        });
        let (has_gone, synced_bytes) = (let_go(&log), device.synced_log_bytes());
        writer.join().expect("no panic");
        assert!(!has_gone || synced_bytes > 0, "what is let go of is on the device");
        assert_eq!(device.synced_log_bytes(), 2 * super::BATCH_BYTES, "what is acknowledged is on the device");
        assert_eq!(read(&log, 0).expect("they are there"), (vec![(0, 0), (1, 1)], 2));
    });
}

#[test]
fn a_segment_that_retention_takes_fails_no_sync() {
    explore(2, || {
        let device = Device::new(usize::MAX);
        let configs = [("internal.segment.bytes", ONE_BATCH), ("retention.bytes", ONE_BATCH)];
        let log = log_on(&device, &configs);
        append(&log, 0, Acks::Leader).expect("there is room");
        append(&log, 1, Acks::Leader).expect("there is room");
        append(&log, 2, Acks::Leader).expect("there is room");
        let syncing = loom::thread::spawn({
            let log = log.clone();
            move || log.flush().expect("what is left is on the device")
        });
        let segments = log.inner.segments.load_full();
        assert_eq!(log.delete_old_segments(1_000).expect("the device is sound"), 1);
        while !segments.first().file_slot().let_go(Spare::Any, None) {
            loom::thread::yield_now();
        }
        log.remove_deleted_files(i64::MAX).expect("the device is sound");
        syncing.join().expect("no panic");
        assert_eq!(log.recovery_point(), 3);
    });
}

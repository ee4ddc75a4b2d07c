//! A reader sees what was published, whole, and nothing beyond; what is acknowledged is on the device.

use super::device::Device;
use super::{BATCH_BYTES, ONE_BATCH, append, explore, log_on, read};
use crate::log::Log;
use crate::types::{Acks, Offset};

/// Reads the log from its start until there is nothing more, and checks that nothing is missing on the way.
fn read_all(log: &Log) -> Offset {
    let mut offset = 0;
    loop {
        let start = offset;
        let (records, next_offset) = read(log, offset).expect("the offset is in the log");
        for (found, value) in records {
            assert_eq!((found, i64::from(value)), (offset, offset), "records come without a gap");
            offset += 1;
        }
        assert_eq!(next_offset, offset, "a read passes over nothing");
        if offset == start {
            return offset;
        }
    }
}

/// The device's own lengths are relaxed: a reader that relied on anything but the published end would find them short.
#[test]
fn a_reader_sees_whole_batches_up_to_what_was_published() {
    explore(2, || {
        let log = log_on(&Device::new(usize::MAX), &[]);
        let reader = loom::thread::spawn({
            let log = log.clone();
            move || read_all(&log)
        });
        for value in 0..2 {
            append(&log, value, Acks::Leader).expect("there is room");
        }
        assert!(reader.join().expect("no panic") <= 2);
        assert_eq!(read_all(&log), 2);
    });
}

/// Each append but the first begins a segment.
#[test]
fn a_reader_passes_over_no_record_while_the_log_rolls() {
    explore(2, || {
        let log = log_on(&Device::new(usize::MAX), &[("internal.segment.bytes", ONE_BATCH)]);
        append(&log, 0, Acks::Leader).expect("there is room");
        let reader = loom::thread::spawn({
            let log = log.clone();
            move || read_all(&log)
        });
        append(&log, 1, Acks::Leader).expect("there is room");
        assert!((1..=2).contains(&reader.join().expect("no panic")));
        assert_eq!((read_all(&log), log.segment_count()), (2, 2));
    });
}

#[test]
fn who_waits_for_a_record_finds_it() {
    explore(2, || {
        let log = log_on(&Device::new(usize::MAX), &[]);
        let reader = loom::thread::spawn({
            let log = log.clone();
            move || {
                assert!(log.wait_for(0, std::time::Duration::MAX));
                read_all(&log)
            }
        });
        append(&log, 0, Acks::Leader).expect("there is room");
        assert_eq!(reader.join().expect("no panic"), 1);
    });
}

#[test]
fn what_is_acknowledged_by_all_is_on_the_device() {
    explore(2, || {
        let device = Device::new(usize::MAX);
        let log = log_on(&device, &[]);
        let append = |log: &Log, device: &Device| {
            let appended = append(log, 0, Acks::All).expect("there is room");
            let end = (appended.last_offset + 1) as u64 * BATCH_BYTES;
            assert!(device.synced_log_bytes() >= end, "acknowledged before it was synced");
        };
        let other = loom::thread::spawn({
            let (log, device) = (log.clone(), device.clone());
            move || append(&log, &device)
        });
        append(&log, &device);
        other.join().expect("no panic");
        assert_eq!(log.recovery_point(), 2);
    });
}

//! Files are closed that nobody used for a while, also when somebody comes just then.

use super::device::Device;
use super::{ONE_BATCH, append, explore, log_on, read};
use crate::types::Acks;

#[test]
fn closing_unused_files_disturbs_no_reader() {
    explore(3, || {
        let log = log_on(&Device::new(), &[("internal.segment.bytes", ONE_BATCH)]);
        for value in 0..2 {
            append(&log, value, Acks::Leader).expect("there is room");
        }
        // The first call only forgets that the files were used.
        log.close_unused_files();
        let reader = loom::thread::spawn({
            let log = log.clone();
            move || assert_eq!(read(&log, 0).expect("it is there"), (vec![(0, 0)], 1))
        });
        log.close_unused_files();
        log.close_unused_files();
        reader.join().expect("no panic");
        assert_eq!(read(&log, 0).expect("it is there"), (vec![(0, 0)], 1));
    });
}

#[test]
fn readers_that_open_the_files_at_once_both_get_them() {
    explore(2, || {
        let log = log_on(&Device::new(), &[("internal.segment.bytes", ONE_BATCH)]);
        for value in 0..2 {
            append(&log, value, Acks::Leader).expect("there is room");
        }
        log.close_unused_files();
        log.close_unused_files();
        let reader = loom::thread::spawn({
            let log = log.clone();
            move || assert_eq!(read(&log, 0).expect("it is there"), (vec![(0, 0)], 1))
        });
        assert_eq!(read(&log, 0).expect("it is there"), (vec![(0, 0)], 1));
        reader.join().expect("no panic");
    });
}

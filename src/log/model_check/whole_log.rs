//! A whole log in memory: appends, a reader that follows, rolls, retention, syncs and files that close, all at once.

use shuttle::thread;

use super::device::Device;
use super::{ONE_BATCH, append, log_on, read};
use crate::error::Error;
use crate::types::Acks;

const APPENDS: u8 = 4;
const SCHEDULES: usize = 1_000;

/// Two append, one waits and reads, one maintains. With `retention` the log loses its oldest segments meanwhile; where
/// few files may be open, whoever opens some takes them from the others.
fn scene(retention: &'static str, open_files_max: usize) {
    let device = Device::new(open_files_max);
    let log = log_on(&device, &[("internal.segment.bytes", ONE_BATCH), ("retention.bytes", retention)]);
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let (log, device) = (log.clone(), device.clone());
            thread::spawn(move || {
                let mut last = -1;
                for turn in 0..APPENDS {
                    let acks = if turn % 2 == 0 { Acks::All } else { Acks::Leader };
                    let appended = append(&log, writer, acks).expect("there is room");
                    assert!(appended.base_offset > last, "offsets grow");
                    last = appended.base_offset;
                    if acks == Acks::All {
                        assert!(log.recovery_point() > last, "acknowledged before it was synced");
                        assert!(retention != "-1" || device.synced_log_bytes() > 0);
                    }
                }
            })
        })
        .collect();
    let reader = thread::spawn({
        let log = log.clone();
        move || {
            let end = i64::from(APPENDS) * 2;
            let (mut offset, mut seen) = (0, 0);
            while offset < end {
                assert!(log.wait_for(offset, std::time::Duration::MAX), "it comes");
                let (records, next_offset) = match read(&log, offset) {
                    Err(Error::OffsetOutOfRange { log_start, .. }) => {
                        assert!(log_start > offset && retention != "-1", "only retention takes records");
                        offset = log_start;
                        continue;
                    }
                    other => other.expect("what can be read is whole"),
                };
                let offsets: Vec<_> = records.iter().map(|(found, _)| *found).collect();
                assert!(!offsets.is_empty(), "what was waited for is there");
                assert_eq!(offsets, (offset..next_offset).collect::<Vec<_>>(), "no record is missing");
                seen += offsets.len();
                offset = next_offset;
            }
            assert!(retention != "-1" || seen == usize::from(APPENDS) * 2, "everything is seen");
        }
    });
    let maintenance = thread::spawn({
        let log = log.clone();
        move || {
            for now_ms in 0..i64::from(APPENDS) {
                log.flush_closed_segments().expect("the device is sound");
                log.delete_old_segments(1_000).expect("the device is sound");
                device.open_files().let_go_of_idle(now_ms, 1);
                log.remove_deleted_files(i64::MAX).expect("the device is sound");
                thread::yield_now();
            }
        }
    });
    for thread in writers.into_iter().chain([reader, maintenance]) {
        thread.join().expect("no panic");
    }
    assert_eq!(log.log_end(), i64::from(APPENDS) * 2);
    log.close().expect("the device is sound");
    assert_eq!(log.recovery_point(), log.log_end());
}

#[test]
fn nothing_is_lost_between_writers_readers_and_maintenance() {
    shuttle::check_random(|| scene("-1", usize::MAX), SCHEDULES);
}

#[test]
fn nothing_is_lost_where_few_files_may_be_open() {
    shuttle::check_random(|| scene("-1", 4), SCHEDULES);
}

#[test]
fn retention_takes_only_the_oldest() {
    shuttle::check_random(|| scene("200", usize::MAX), SCHEDULES);
}

/// Few preemptions at well-chosen moments find other orders than many at random.
#[test]
fn nothing_is_lost_under_few_preemptions() {
    shuttle::check_pct(|| scene("200", 4), SCHEDULES, 3);
}

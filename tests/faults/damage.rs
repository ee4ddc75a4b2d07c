//! Damaged files: an error that names the file, the position and the offsets that are lost, everything else readable.
//! Damage to an index shows in no answer.

use std::ops::RangeInclusive;
use std::path::Path;

use esker::sim::{Crash, FaultStorage};
use esker::{Acks, Error, Log, Offset, ReadLimits};

use crate::common::{Sent, append_value, check_lookups};
use crate::{Batch, START_MS, batches, create_log, fill, open, read_all};

const HEADER_BYTES: u64 = 61;

/// Offsets that could not be read, and where the error says they lay.
#[derive(Debug, PartialEq, Eq)]
struct Lost {
    file: String,
    position: u64,
    offsets: RangeInclusive<Offset>,
}

fn lost(error: Error) -> Lost {
    match error {
        Error::CorruptRecord { file: Some(file), position, offsets: Some(offsets), .. } => {
            Lost { file: file.to_str().unwrap().to_owned(), position, offsets }
        }
        other => panic!("{other:?}"),
    }
}

/// Reads everything that can be read, seeking past what can't.
fn read_around(log: &Log, limits: ReadLimits) -> (Vec<(Offset, Sent)>, Vec<Lost>) {
    let (mut records, mut all_lost) = (Vec::new(), Vec::new());
    let mut offset = log.log_start();
    while offset < log.high_watermark() {
        let mut next = match log.read(offset, limits) {
            Ok(fetched) => {
                let mut next = fetched.next_offset();
                for batch in fetched.batches() {
                    match batch {
                        Ok(batch) => {
                            for record in &batch.records().unwrap() {
                                let record = record.unwrap();
                                if record.offset >= offset {
                                    records.push((record.offset, Sent::from_view(&record).unwrap()));
                                }
                            }
                        }
                        Err(error) => {
                            let lost = lost(error);
                            next = lost.offsets.end() + 1;
                            all_lost.push(lost);
                            break;
                        }
                    }
                }
                next
            }
            Err(error) => {
                let lost = lost(error);
                assert!(lost.offsets.contains(&offset), "a read at {offset} failed for {lost:?}");
                let next = lost.offsets.end() + 1;
                all_lost.push(lost);
                next
            }
        };
        assert!(next > offset, "it gets on");
        std::mem::swap(&mut offset, &mut next);
    }
    (records, all_lost)
}

/// A disk with a closed store of several segments on it, the records in it, and where they lie.
fn closed_store() -> (FaultStorage, Vec<(Offset, Sent)>, Vec<Batch>) {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    let log = create_log(&store);
    let records = fill(&log, 14);
    assert!(log.segment_count() > 2);
    store.close().unwrap();
    drop((store, log));
    let batches = batches(&disk, "/data/t-0");
    (disk, records, batches)
}

/// Asserts that of a log only what is in `batch` is lost, and that the error says so.
fn assert_lost(log: &Log, records: &[(Offset, Sent)], batch: &Batch, what: &str) {
    let expected: Vec<_> = records.iter().filter(|(offset, _)| !batch.offsets.contains(offset)).cloned().collect();
    for limits in [ReadLimits::new(), ReadLimits::new().max_bytes(1)] {
        let (found, lost) = read_around(log, limits);
        let [lost] = &*lost else { panic!("{what}, {batch:?}: {lost:?}") };
        assert_eq!((&lost.file, &lost.offsets), (&batch.file, &batch.offsets), "{what}, {batch:?}: {lost:?}");
        assert!((batch.position..batch.end).contains(&lost.position), "{what}, {batch:?}: {lost:?}");
        assert_eq!(found, expected, "{what}, {batch:?}");
    }
}

/// Calls `check` with each bit of the batches flipped in turn: all bits of the headers, some of the bodies.
fn with_each_bit_flipped(disk: &FaultStorage, batches: &[Batch], check: impl Fn(&FaultStorage, &Batch, u64, String)) {
    for batch in batches {
        for position in batch.position..batch.end {
            let within = position - batch.position;
            for bit in 0..8 {
                if within < HEADER_BYTES || (within % 8 == 0 && bit == position as u8 / 8 % 8) {
                    let disk = disk.after_crash(Crash::Process, 0);
                    disk.flip_bit(&batch.file, position, bit).unwrap();
                    check(&disk, batch, within, format!("bit {bit} of byte {within}"));
                }
            }
        }
    }
}

#[test]
fn any_bit_of_a_batch_is_missed_and_nothing_else_is() {
    let (disk, records, batches) = closed_store();
    with_each_bit_flipped(&disk, &batches, |disk, batch, within, what| {
        let store = open(disk).unwrap();
        let log = store.partition("t", 0).unwrap();
        match within {
            // No checksum covers the leader epoch, and no reader here looks at it.
            12..16 => assert_eq!(read_all(&log), records, "{what}"),
            _ => assert_lost(&log, &records, batch, &what),
        }
        let end = records.len() as Offset;
        assert_eq!(log.log_end(), end, "{what}, {batch:?}");
        // The log goes on behind it.
        assert_eq!(append_value(&log, START_MS + 500, b"after the damage", Acks::All).unwrap(), end);
        store.close().unwrap();
        drop((store, log));
        let store = open(disk).unwrap();
        assert!(store.recovery_report().clean_shutdown);
        let log = store.partition("t", 0).unwrap();
        assert_eq!(read_around(&log, ReadLimits::new()).0.last().unwrap().0, end, "{what}, {batch:?}");
    });
}

#[test]
fn damage_below_the_recovery_point_survives_a_crash_as_it_is() {
    let (disk, records, batches) = closed_store();
    disk.erase("/data/.kafka_cleanshutdown").unwrap();
    with_each_bit_flipped(&disk, &batches, |disk, batch, within, what| {
        let store = open(disk).unwrap();
        let log = store.partition("t", 0).unwrap();
        let report = &store.recovery_report().partitions[0];
        assert!(!store.recovery_report().clean_shutdown && report.cuts.is_empty(), "{what}, {batch:?}");
        if (12..16).contains(&within) {
            assert_eq!(read_all(&log), records, "{what}");
            return;
        }
        assert_lost(&log, &records, batch, &what);
        assert_eq!(log.log_end(), records.len() as Offset, "{what}, {batch:?}");
        for damage in &report.damage {
            assert_eq!(lost(damage.error.clone()).offsets, batch.offsets, "{what}, {batch:?}");
        }
    });
}

#[test]
fn damage_from_the_recovery_point_on_ends_the_log_and_is_kept_aside() {
    let (disk, records, batches) = closed_store();
    disk.erase("/data/.kafka_cleanshutdown").unwrap();
    disk.erase("/data/recovery-point-offset-checkpoint").unwrap();
    with_each_bit_flipped(&disk, &batches, |disk, batch, within, what| {
        let before = disk.contents(&batch.file).unwrap();
        let later: Vec<(String, Vec<u8>)> = batches
            .iter()
            .filter(|later| later.file > batch.file && later.position == 0)
            .map(|later| (later.file.clone(), disk.contents(&later.file).unwrap()))
            .collect();
        let store = open(disk).unwrap();
        let log = store.partition("t", 0).unwrap();
        let report = &store.recovery_report().partitions[0];
        let is_gap = within < 8 && log.log_end() != *batch.offsets.start();
        if (12..16).contains(&within) || is_gap {
            // A gap that nothing contradicts is one that compaction may have left.
            assert!(is_gap || read_all(&log) == records, "{what}");
            return;
        }
        let kept: Vec<_> = records.iter().filter(|(offset, _)| offset < batch.offsets.start()).cloned().collect();
        assert_eq!(read_all(&log), kept, "{what}, {batch:?}");
        check_lookups(&log, &kept).unwrap();

        assert_eq!(report.cuts.len(), 1 + later.len(), "{what}, {batch:?}: {report:?}");
        assert_eq!(report.cuts[0].position, batch.position);
        let kept_as = |name: &str| disk.contents(Path::new("/data/t-0").join(name)).unwrap();
        assert!(kept_as(&report.cuts[0].kept_as) == before[batch.position as usize..], "{what}, {batch:?}");
        for (cut, (file, bytes)) in report.cuts[1..].iter().zip(later) {
            assert!(file.ends_with(&cut.file) && cut.position == 0);
            assert_eq!(kept_as(&cut.kept_as), bytes);
        }
        // What was cut stays there, and the log goes on without it.
        append_value(&log, START_MS + 500, b"after the cut", Acks::All).unwrap();
        store.close().unwrap();
        drop(log);
        assert!(kept_as(&report.cuts[0].kept_as) == before[batch.position as usize..]);
        drop(store);
        let store = open(disk).unwrap();
        assert!(store.recovery_report().is_healthy());
        assert_eq!(read_all(&store.partition("t", 0).unwrap()).len(), kept.len() + 1);
    });
}

/// The paths of the files under `/data/t-0` that end in `suffix`.
fn files(disk: &FaultStorage, suffix: &str) -> Vec<String> {
    let paths = disk.files().into_iter().map(|path| path.to_str().unwrap().to_owned());
    paths.filter(|path| path.starts_with("/data/t-0") && path.ends_with(suffix)).collect()
}

/// Opens the store, compares all answers, goes on appending, and compares after another open too.
fn assert_invisible(disk: &FaultStorage, records: &[(Offset, Sent)], what: &str) {
    let store = open(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(store.recovery_report().is_healthy(), "{what}: {:?}", store.recovery_report());
    let log = store.partition("t", 0).unwrap();
    assert_eq!(read_all(&log), records, "{what}");
    check_lookups(&log, records).unwrap_or_else(|reason| panic!("{what}: {reason}"));
    let more = fill(&log, 3);
    let all = [records, &more].concat();
    check_lookups(&log, &all).unwrap_or_else(|reason| panic!("{what}, with more: {reason}"));
    store.close().unwrap();
    drop((store, log));
    let store = open(disk).unwrap();
    let log = store.partition("t", 0).unwrap();
    assert_eq!(read_all(&log), all, "{what}");
    check_lookups(&log, &all).unwrap_or_else(|reason| panic!("{what}, opened again: {reason}"));
}

#[test]
fn damage_to_an_index_shows_in_no_answer() {
    let (disk, records, _) = closed_store();
    for suffix in ["index", "timeindex"] {
        for file in files(&disk, &format!(".{suffix}")) {
            let contents = disk.contents(&file).unwrap();
            assert!(!contents.is_empty());
            let fresh = || disk.after_crash(Crash::Process, 0);
            for position in 0..contents.len() as u64 {
                for bit in 0..8 {
                    let disk = fresh();
                    disk.flip_bit(&file, position, bit).unwrap();
                    assert_invisible(&disk, &records, &format!("{file} with bit {bit} of byte {position} flipped"));
                }
                let disk = fresh();
                disk.cut(&file, position).unwrap();
                assert_invisible(&disk, &records, &format!("{file} cut to {position} bytes"));
                let disk = fresh();
                let mut zeroed = contents.clone();
                zeroed[position as usize..].fill(0);
                disk.set_contents(&file, &zeroed).unwrap();
                assert_invisible(&disk, &records, &format!("{file} zeroed from {position} on"));
            }
            for (what, more) in [("zeros", [0; 24]), ("garbage", [0x5a; 24]), ("ones", [0xff; 24])] {
                let disk = fresh();
                disk.set_contents(&file, &[&contents[..], &more].concat()).unwrap();
                assert_invisible(&disk, &records, &format!("{file} with {what} behind it"));
            }
            let disk = fresh();
            disk.erase(&file).unwrap();
            assert_invisible(&disk, &records, &format!("{file} missing"));
        }
    }
}

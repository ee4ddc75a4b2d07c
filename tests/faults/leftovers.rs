//! What crashes, people and other programs leave in a data directory: cut files, zeros, leftovers, mangled text files,
//! a directory that is in use.

use std::path::Path;

use esker::io::Storage;
use esker::sim::{Crash, FaultStorage};
use esker::{
    Acks, AlterConfigOp, CommittedOffset, Corruption, Damage, Error, Offset, ReadLimits, Store, TopicConfig,
    TopicPartition,
};

use crate::common::{Sent, append_value, check_lookups, read_all as try_read_all};
use crate::{START_MS, batches, create_log, fill, open, read_all};

const LAST: &str = "/data/t-0/00000000000000000019.log";

/// A disk with a store of several segments on it, closed or, if not, just crashed and never checkpointed.
fn stored(is_closed: bool) -> (FaultStorage, Vec<(Offset, Sent)>) {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    let log = create_log(&store);
    let records = fill(&log, 14);
    store.alter_group_configs("g h", &[AlterConfigOp::set("consumer.session.timeout.ms", "50000")]).unwrap();
    if is_closed {
        store.close().unwrap();
    } else {
        disk.crash();
    }
    drop((store, log));
    (disk.after_crash(Crash::Process, 0), records)
}

#[test]
fn a_tail_of_any_length_is_cut_at_the_last_whole_batch_and_kept() {
    let (disk, records) = stored(false);
    let last = batches(&disk, "/data/t-0").pop().unwrap();
    assert_eq!(last.file, LAST);
    let whole = disk.contents(LAST).unwrap();
    for len in last.position..last.end {
        let disk = disk.after_crash(Crash::Process, 0);
        disk.cut(LAST, len).unwrap();
        let store = open(&disk).unwrap();
        let log = store.partition("t", 0).unwrap();
        let kept = &records[..*last.offsets.start() as usize];
        assert_eq!(read_all(&log), kept);
        check_lookups(&log, kept).unwrap();
        let cuts = &store.recovery_report().partitions[0].cuts;
        // Zeros alone are space that was reserved, and nobody's data.
        if whole[last.position as usize..len as usize].iter().all(|byte| *byte == 0) {
            assert!(cuts.is_empty());
            continue;
        }
        let [cut] = &cuts[..] else { panic!("{cuts:?}") };
        assert_eq!((cut.position, cut.bytes), (last.position, len - last.position));
        assert!(matches!(cut.reason, Error::CorruptRecord { reason: Corruption::Truncated { .. }, .. }), "{cut:?}");
        let kept_as = disk.contents(Path::new("/data/t-0").join(&cut.kept_as)).unwrap();
        assert!(kept_as == whole[last.position as usize..len as usize]);
        assert_eq!(append_value(&log, START_MS + 500, b"next", Acks::All).unwrap(), *last.offsets.start());
    }
}

#[test]
fn zeros_behind_the_end_are_space_and_no_damage() {
    for is_closed in [false, true] {
        for zeros in [1, 11, 12, 60, 61, 500, 5_000] {
            let (disk, records) = stored(is_closed);
            let contents = disk.contents(LAST).unwrap();
            disk.set_contents(LAST, &[&contents[..], &vec![0; zeros]].concat()).unwrap();
            let store = open(&disk).unwrap();
            assert!(store.recovery_report().is_healthy(), "{:?}", store.recovery_report());
            let log = store.partition("t", 0).unwrap();
            assert_eq!(read_all(&log), records);
            assert_eq!(append_value(&log, START_MS + 500, b"next", Acks::All).unwrap(), records.len() as Offset);
            assert_eq!(read_all(&log).len(), records.len() + 1);
        }
    }
}

#[test]
fn a_batch_that_is_torn_into_zeros_is_cut() {
    let (disk, records) = stored(false);
    let last = batches(&disk, "/data/t-0").pop().unwrap();
    let whole = disk.contents(LAST).unwrap();
    for from in last.position..last.end {
        let disk = disk.after_crash(Crash::Process, 0);
        let mut torn = whole.clone();
        torn[from as usize..].fill(0);
        if torn == whole {
            continue;
        }
        disk.set_contents(LAST, &torn).unwrap();
        let store = open(&disk).unwrap();
        let log = store.partition("t", 0).unwrap();
        assert_eq!(read_all(&log), records[..*last.offsets.start() as usize], "zeros from {from} on");
        assert!(store.recovery_report().partitions[0].damage.is_empty());
    }
}

#[test]
fn a_closed_log_that_somebody_cut_says_what_is_missing() {
    let (disk, records) = stored(true);
    let last = batches(&disk, "/data/t-0").pop().unwrap();
    for len in [last.position, last.position + 1, last.position + 30, last.position + 61, last.end - 1] {
        let disk = disk.after_crash(Crash::Process, 0);
        disk.cut(LAST, len).unwrap();
        let store = open(&disk).unwrap();
        let log = store.partition("t", 0).unwrap();
        let end = records.len() as Offset;
        assert_eq!(log.log_end(), end, "what was acknowledged is not given out again");
        let damage = &store.recovery_report().partitions[0].damage;
        let [damage] = &damage[..] else { panic!("cut to {len}: {damage:?}") };
        match &damage.error {
            Error::CorruptRecord { file: Some(file), position, offsets: Some(offsets), .. } => {
                assert_eq!(file, Path::new(LAST));
                assert_eq!((*position, offsets), (last.position, &last.offsets));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(append_value(&log, START_MS + 500, b"next", Acks::All).unwrap(), end);
        let fetched = log.read(end, ReadLimits::new()).unwrap();
        assert_eq!(fetched.batches().next().unwrap().unwrap().header().base_offset, end);
        store.close().unwrap();
        drop((store, log));
        let store = open(&disk).unwrap();
        assert_eq!(store.partition("t", 0).unwrap().log_end(), end + 1, "cut to {len}");
    }
}

#[test]
fn a_segment_that_vanished_is_not_filled_with_later_ones() {
    let (disk, records) = stored(false);
    disk.erase("/data/t-0/00000000000000000009.log").unwrap();
    let later = disk.contents(LAST).unwrap();
    let store = open(&disk).unwrap();
    let log = store.partition("t", 0).unwrap();
    assert_eq!(read_all(&log), records[..9], "nothing behind the gap was promised");
    let cuts = &store.recovery_report().partitions[0].cuts;
    let [cut] = &cuts[..] else { panic!("{cuts:?}") };
    assert!(disk.contents(Path::new("/data/t-0").join(&cut.kept_as)).unwrap() == later);
}

#[test]
fn leftovers_of_deletions_and_of_writing_are_cleared_away() {
    let (disk, records) = stored(true);
    let leftovers = [
        "00000000000000000000.log.deleted",
        "00000000000000000000.index.deleted",
        "00000000000000000019.timeindex.deleted",
        "leader-epoch-checkpoint.tmp",
        "00000000000000000777.index",
        "00000000000000000777.timeindex",
    ];
    for name in leftovers {
        disk.set_contents(Path::new("/data/t-0").join(name), b"left over").unwrap();
    }
    let kept = ["00000000000000000019.log.5.cut", "notes.txt", "00000000000000000000.snapshot"];
    for name in kept {
        disk.set_contents(Path::new("/data/t-0").join(name), b"somebody's").unwrap();
    }
    let store = open(&disk).unwrap();
    assert_eq!(read_all(&store.partition("t", 0).unwrap()), records);
    let deletions = &store.recovery_report().partitions[0].deletions_finished;
    assert_eq!(deletions.len(), 3);
    let left: Vec<String> = disk.list(Path::new("/data/t-0")).unwrap().into_iter().map(|entry| entry.name).collect();
    assert!(leftovers.iter().all(|name| !left.contains(&(*name).to_owned())), "{left:?}");
    assert!(kept.iter().all(|name| left.contains(&(*name).to_owned())), "{left:?}");
}

#[test]
fn leftovers_in_the_data_directory_do_not_matter() {
    let (disk, records) = stored(true);
    for name in ["recovery-point-offset-checkpoint.tmp", "meta.properties.tmp", ".kafka_cleanshutdown.tmp", "README"] {
        disk.set_contents(Path::new("/data").join(name), b"\xff torn").unwrap();
    }
    disk.create_dir_all(Path::new("/data/lost+found")).unwrap();
    let store = open(&disk).unwrap();
    assert_eq!(read_all(&store.partition("t", 0).unwrap()), records);
    assert_eq!(store.topics(), ["t"]);
    store.close().unwrap();
    drop(store);
    assert!(open(&disk).unwrap().recovery_report().clean_shutdown);
}

/// The one text file that the batches can tell anew.
const LEADER_EPOCHS: &str = "/data/t-0/leader-epoch-checkpoint";

/// Every text file of the store.
const TEXT_FILES: [&str; 7] = [
    "/data/meta.properties",
    "/data/recovery-point-offset-checkpoint",
    "/data/log-start-offset-checkpoint",
    "/data/topic-config-checkpoint",
    "/data/group-config-checkpoint",
    "/data/t-0/partition.metadata",
    LEADER_EPOCHS,
];

const GARBAGE: [&[u8]; 3] = [b"\xff\xfe\x00garbage", b"no number, no key\n", b"0\n7\nt 0 1\n"];

#[test]
fn a_text_file_of_garbage_is_refused_by_name_and_line_and_nothing_is_touched() {
    let (disk, records) = stored(true);
    for file in TEXT_FILES.into_iter().filter(|file| *file != LEADER_EPOCHS) {
        for garbage in GARBAGE {
            let damaged = disk.after_crash(Crash::Process, 0);
            let original = damaged.contents(file).unwrap();
            damaged.set_contents(file, garbage).unwrap();
            match open(&damaged) {
                Err(Error::MalformedFile { file: named, line, .. }) => {
                    assert_eq!(named, Path::new(file));
                    assert!(line <= 3);
                }
                other => panic!("{file} with {garbage:?}: {other:?}"),
            }
            assert_eq!(damaged.contents(file).unwrap(), garbage, "it is evidence");
            damaged.set_contents(file, &original).unwrap();
            let store = open(&damaged).unwrap();
            assert_eq!(read_all(&store.partition("t", 0).unwrap()), records, "{file}");
        }
    }
}

#[test]
fn leader_epochs_of_garbage_are_set_aside_and_come_from_the_batches() {
    let (disk, records) = stored(true);
    for garbage in GARBAGE {
        let damaged = disk.after_crash(Crash::Process, 0);
        let original = damaged.contents(LEADER_EPOCHS).unwrap();
        damaged.set_contents(LEADER_EPOCHS, garbage).unwrap();
        let store = open(&damaged).unwrap();
        assert_eq!(read_all(&store.partition("t", 0).unwrap()), records);
        let [cut] = &store.recovery_report().partitions[0].cuts[..] else { panic!("it is reported") };
        assert!(matches!(&cut.reason, Error::MalformedFile { file, .. } if file == Path::new(LEADER_EPOCHS)));
        let kept = Path::new(LEADER_EPOCHS).with_file_name(&cut.kept_as);
        assert_eq!(damaged.contents(kept).unwrap(), garbage, "it is evidence");
        assert_eq!(damaged.contents(LEADER_EPOCHS).unwrap(), original);
    }
}

#[test]
fn a_flipped_bit_in_a_text_file_is_an_error_or_harmless_and_never_a_panic() {
    let (disk, records) = stored(true);
    for file in TEXT_FILES {
        for position in 0..disk.contents(file).unwrap().len() as u64 {
            for bit in 0..8 {
                let damaged = disk.after_crash(Crash::Process, 0);
                damaged.flip_bit(file, position, bit).unwrap();
                match open(&damaged) {
                    Ok(store) => {
                        // What is read is what was written, however much of it a wrong number hides.
                        if let Ok(log) = store.partition("t", 0) {
                            let found = try_read_all(&log, ReadLimits::new()).unwrap();
                            assert!(
                                found.iter().all(|found| records.contains(found)),
                                "{file}, bit {bit} of {position}"
                            );
                        }
                    }
                    Err(Error::MalformedFile { file: named, .. }) => assert_eq!(named, Path::new(file)),
                    Err(Error::InvalidConfig { .. }) => assert!(file.ends_with("topic-config-checkpoint")),
                    Err(other) => panic!("{file}, bit {bit} of byte {position}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn an_empty_or_missing_checkpoint_costs_time_and_no_record() {
    for file in ["recovery-point-offset-checkpoint", "replication-offset-checkpoint", "t-0/leader-epoch-checkpoint"] {
        for is_closed in [false, true] {
            for is_missing in [false, true] {
                let (disk, records) = stored(is_closed);
                let path = Path::new("/data").join(file);
                if disk.contents(&path).is_err() {
                    continue;
                }
                if is_missing { disk.erase(&path) } else { disk.set_contents(&path, b"") }.unwrap();
                let store = open(&disk).unwrap();
                assert_eq!(read_all(&store.partition("t", 0).unwrap()), records, "{file}");
            }
        }
    }
}

#[test]
fn damaged_commits_are_passed_over_and_reported() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    create_log(&store);
    let partition = TopicPartition::new("t", 0);
    for offset in 0..3 {
        store.commit_offsets("g", [(partition.clone(), CommittedOffset::new(offset))], Acks::All).unwrap();
    }
    store.close().unwrap();
    drop(store);
    let log = disk.files().into_iter().find(|path| {
        let path = path.to_str().unwrap();
        path.contains("__consumer_offsets") && path.ends_with(".log") && !disk.contents(path).unwrap().is_empty()
    });
    let log = log.unwrap();
    disk.flip_bit(&log, 80, 0).unwrap();
    let store = open(&disk).unwrap();
    let report = store.recovery_report();
    assert!(!report.is_healthy());
    let damage: Vec<_> = report.partitions.iter().flat_map(|partition| &partition.damage).collect();
    match &damage[..] {
        [Damage { error: Error::CorruptRecord { file, offsets, .. }, .. }] => {
            assert_eq!((file, offsets), (&Some(log), &Some(0..=0)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.committed_offset("g", &partition).unwrap().unwrap().offset, 2, "the ones after it count");
}

#[test]
fn a_directory_that_is_in_use_is_refused_until_its_holder_is_gone() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    match open(&disk) {
        Err(Error::DirectoryLocked { directory, holder }) => {
            assert_eq!(directory, Path::new(crate::DIR));
            assert!(!holder.is_empty());
        }
        other => panic!("{other:?}"),
    }
    store.create_topic("t", TopicConfig::new()).unwrap();
    store.close().unwrap();
    assert_eq!(open(&disk).unwrap().topics(), ["t"]);

    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    match Store::open(dir.path()) {
        Err(Error::DirectoryLocked { holder, .. }) => {
            assert!(holder.contains(&std::process::id().to_string()), "{holder}");
        }
        other => panic!("{other:?}"),
    }
    drop(store);
    Store::open(dir.path()).unwrap();
}

#[test]
fn the_names_of_a_new_data_directory_and_those_above_it_are_synced() {
    let disk = FaultStorage::new(1);
    disk.create_dir_all(Path::new("/mnt")).unwrap();
    disk.start_trace();
    let new = Store::options().storage(std::sync::Arc::new(disk.clone())).open("/mnt/some/where").unwrap();
    let synced = |dir: &str| disk.trace().iter().any(|line| line.ends_with(&format!(" sync_dir {dir}")));
    assert!(synced("/mnt") && synced("/mnt/some") && synced("/mnt/some/where") && !synced("/"));
    new.close().unwrap();

    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path().join("a/b")).unwrap().create_topic("t", TopicConfig::new()).unwrap();
}

//! Mending a data directory: what could be read before can be read after, every byte is kept, and a crash at any moment
//! changes nothing about where it ends.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use esker::io::Storage;
use esker::record::{BatchBuilder, BatchRef, Compression, EndTransactionMarker, RecordData, TransactionResult};
use esker::sim::{Crash, FaultStorage};
use esker::{
    Acks, Error, Finding, Log, Offset, Problem, ProducerIdAndEpoch, ReadLimits, RepairOptions, RepairReport,
    RepairStep, Store, TopicConfig,
};

use crate::common::random::Random;
use crate::common::{Sent, append, append_value, read_all, read_committed};
use crate::{LOG, batches, fill, options, sample, verify};

fn plan(storage: &FaultStorage) -> RepairReport {
    options(storage).repair("data", RepairOptions::new(), |_| {}).unwrap()
}

fn repair(storage: &FaultStorage) -> RepairReport {
    options(storage).repair("data", RepairOptions::new().execute(), |_| {}).unwrap()
}

fn repair_and_check(storage: &FaultStorage) -> RepairReport {
    let planned = plan(storage);
    let report = repair(storage);
    assert_eq!((&planned.actions, &planned.lost), (&report.actions, &report.lost), "what was planned is what was done");
    assert!(report.unrepaired.is_empty(), "{:?}", report.unrepaired);
    let found = verify(storage);
    assert!(found.is_healthy(), "{:?}", found.findings);
    assert!(plan(storage).is_clean(), "there is no more to do: {:?}", plan(storage).actions);
    report
}

fn records(store: &Store, topic: &str, partition: i32) -> BTreeMap<Offset, Sent> {
    read_all(&store.partition(topic, partition).unwrap(), ReadLimits::new()).unwrap().into_iter().collect()
}

fn lost_of(report: &RepairReport, partition: &str) -> Vec<(Offset, Offset)> {
    let of = report.lost.iter().filter(|lost| lost.topic_partition.to_string() == partition);
    of.map(|lost| (*lost.offsets.start(), *lost.offsets.end())).collect()
}

fn is_lost(report: &RepairReport, partition: &str, offset: Offset) -> bool {
    lost_of(report, partition).iter().any(|(first, last)| (*first..=*last).contains(&offset))
}

/// The logs of a partition, oldest first.
fn logs(storage: &FaultStorage, dir: &str) -> Vec<PathBuf> {
    let is_log = |path: &PathBuf| path.starts_with(dir) && path.extension().is_some_and(|end| end == "log");
    storage.files().into_iter().filter(is_log).collect()
}

fn base_offset(log: &Path) -> Offset {
    log.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

fn rewrite(storage: &FaultStorage, path: impl AsRef<Path>, change: impl FnOnce(&mut Vec<u8>)) {
    let mut contents = storage.contents(&path).unwrap();
    change(&mut contents);
    storage.erase(&path).unwrap();
    storage.set_contents(&path, &contents).unwrap();
}

/// The whole batches of a log, and the bytes between them.
fn parts(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        match BatchRef::parse(&bytes[at..]) {
            Ok(batch) => {
                let end = at + batch.bytes().len();
                parts.extend([&bytes[start..at], &bytes[at..end]]);
                (start, at) = (end, end);
            }
            Err(_) => at += 1,
        }
    }
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(start, |last| (last + 1).max(start));
    parts.push(&bytes[start..end]);
    parts.retain(|part| !part.is_empty());
    parts
}

/// Every batch, and every damaged byte, of the logs before is in some file now.
fn check_that_all_is_kept(before: &FaultStorage, after: &FaultStorage) {
    let is_kept_in = |path: &PathBuf| path.to_str().unwrap().contains(".log");
    let now: Vec<u8> =
        after.files().iter().filter(|path| is_kept_in(path)).flat_map(|path| after.contents(path).unwrap()).collect();
    let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (place, start) in now.windows(HEAD_BYTES).enumerate() {
        places.entry(start).or_default().push(place);
    }
    for path in before.files().iter().filter(|path| is_kept_in(path)) {
        let bytes = before.contents(path).unwrap();
        for part in parts(&bytes) {
            let is_kept = match part.get(..HEAD_BYTES) {
                Some(head) => places.get(head).is_some_and(|at| at.iter().any(|at| now[*at..].starts_with(part))),
                None => now.windows(part.len()).any(|window| window == part),
            };
            assert!(is_kept, "{} bytes of {}", part.len(), path.display());
        }
    }
}

/// By how many bytes a part is looked up.
const HEAD_BYTES: usize = 12;

/// A directory with two topics more, closed, and what is in it.
fn whole() -> (FaultStorage, BTreeMap<Offset, Sent>) {
    let (storage, store) = sample();
    fill(&store, 120);
    store.create_topic("pair", TopicConfig::new().partitions(2).retention_ms(-1)).unwrap();
    for partition in 0..2 {
        append_value(&store.partition("pair", partition).unwrap(), 1, b"one of two", Acks::Leader).unwrap();
    }
    let all = records(&store, "t", 0);
    store.close().unwrap();
    (storage, all)
}

#[test]
fn a_whole_directory_is_left_alone() {
    let (storage, store) = sample();
    let planned = plan(&storage);
    assert!(planned.lost.is_empty() && planned.unrepaired.is_empty(), "even beside a writer: {planned:?}");
    match options(&storage).repair("data", RepairOptions::new().execute(), |_| {}) {
        Err(Error::DirectoryLocked { .. }) => {}
        other => panic!("{other:?}"),
    }
    store.close().unwrap();
    let mutations = storage.mutations();
    assert!(plan(&storage).is_clean(), "{:?}", plan(&storage));
    assert_eq!(storage.mutations(), mutations);
    assert!(repair(&storage).is_clean());
    assert!(options(&storage).open("data").unwrap().recovery_report().clean_shutdown, "nothing was done to it");
}

#[test]
fn what_is_no_data_directory_is_not_touched() {
    let storage = FaultStorage::new(1);
    storage.set_contents("data/photos-1/cat.jpeg", b"a cat").unwrap();
    match options(&storage).repair("data", RepairOptions::new().execute(), |_| {}) {
        Err(Error::Io { source, .. }) => assert_eq!(source.kind(), std::io::ErrorKind::NotFound),
        other => panic!("{other:?}"),
    }
    let (storage, store) = sample();
    store.snapshot("data/copy").unwrap();
    storage.erase("data/copy/meta.properties").unwrap();
    storage.set_contents("data/copy/meta.properties", b"version=incomplete-snapshot\n").unwrap();
    match options(&storage).repair("data/copy", RepairOptions::new().execute(), |_| {}) {
        Err(Error::MalformedFile { .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_damaged_batch_is_set_aside_and_readers_pass_over_it() {
    let (start, all) = whole();
    let bytes = start.contents(LOG).unwrap();
    let found = batches(&bytes);
    for index in [0, found.len() / 2, found.len() - 1] {
        let (position, header) = found[index];
        let (storage, last) = (start.after_crash(Crash::Process, 0), header.size() as u64 - 1);
        storage.flip_bit(LOG, position + last, 3).unwrap();
        let damaged = storage.contents(LOG).unwrap();
        let progress_file = Path::new(LOG);
        let mut seen = false;
        let planned =
            options(&storage).repair("data", RepairOptions::new(), |now| seen |= now.file == progress_file).unwrap();
        assert!(seen && !planned.executed);
        assert_eq!(storage.contents(LOG).unwrap(), damaged, "a dry run");

        let report = repair_and_check(&storage);
        assert!(report.executed);
        assert_eq!(lost_of(&report, "t-0"), [(header.base_offset, header.last_offset())]);
        let kept = Path::new(LOG).with_file_name(format!("00000000000000000000.log.{position}.cut"));
        assert_eq!(storage.contents(kept).unwrap(), damaged[position as usize..][..header.size()]);
        let store = options(&storage).open("data").unwrap();
        assert!(store.recovery_report().is_healthy(), "{:?}", store.recovery_report());
        let mut left = all.clone();
        left.retain(|offset, _| !(header.base_offset..=header.last_offset()).contains(offset));
        assert_eq!(records(&store, "t", 0), left);
        assert_eq!(store.partition("t", 0).unwrap().log_end(), all.len() as Offset);
        store.close().unwrap();
        assert!(verify(&storage).is_healthy());
    }
}

#[test]
fn an_index_of_nothing_that_says_something_is_an_action_too() {
    let (storage, store) = sample();
    store.create_topic("empty", TopicConfig::new()).unwrap();
    store.close().unwrap();
    for suffix in ["log", "index", "timeindex"] {
        let contents: &[u8] = if suffix == "timeindex" { b"torn" } else { b"" };
        let _ = storage.erase(format!("data/empty-0/00000000000000000000.{suffix}"));
        storage.set_contents(format!("data/empty-0/00000000000000000000.{suffix}"), contents).unwrap();
    }
    assert!(!plan(&storage).actions.is_empty());
    assert!(repair_and_check(&storage).lost.is_empty());
    assert_eq!(options(&storage).open("data").unwrap().partition("empty", 0).unwrap().log_end(), 0);
}

#[test]
fn missing_segments_and_a_missing_end_are_filled() {
    let (start, all) = whole();
    let logs = logs(&start, "/data/t-0");
    // One in the middle, two, and those at the end, of which the recovery point knows.
    for gone in [1..2, 1..3, logs.len() - 2..logs.len(), 0..logs.len()] {
        let storage = start.after_crash(Crash::Process, 0);
        for log in &logs[gone.clone()] {
            storage.erase(log).unwrap();
        }
        let first = base_offset(&logs[gone.start]);
        let end = logs.get(gone.end).map_or(all.len() as Offset, |log| base_offset(log));
        let report = repair_and_check(&storage);
        assert_eq!(lost_of(&report, "t-0"), [(first, end - 1)]);
        let store = options(&storage).open("data").unwrap();
        assert!(store.recovery_report().is_healthy(), "{:?}", store.recovery_report());
        let mut left = all.clone();
        left.retain(|offset, _| !(first..end).contains(offset));
        assert_eq!(records(&store, "t", 0), left);
        let log = store.partition("t", 0).unwrap();
        assert_eq!(log.log_end(), all.len() as Offset, "no offset is given out again");
        append_value(&log, 1, b"goes on", Acks::All).unwrap();
    }
}

#[test]
fn of_segments_that_overlap_one_is_set_aside_or_cut() {
    let (start, all) = whole();
    let bytes = start.contents(LOG).unwrap();
    let found = batches(&bytes);
    let (from, to) = (found[found.len() / 3], found[2 * found.len() / 3]);
    let name = |offset: Offset| Path::new(LOG).with_file_name(format!("{offset:020}.log"));
    // All of it is in the first segment as well.
    let storage = start.after_crash(Crash::Process, 0);
    storage.set_contents(name(from.1.base_offset), &bytes[from.0 as usize..to.0 as usize]).unwrap();
    let report = repair_and_check(&storage);
    assert!(report.lost.is_empty());
    check_that_all_is_kept(&start, &storage);
    assert_eq!(records(&options(&storage).open("data").unwrap(), "t", 0), all);
    // The next segment goes on from the middle of a batch: readers go by it from there on.
    let storage = start.after_crash(Crash::Process, 0);
    let next = &logs(&storage, "/data/t-0")[1];
    let with_several = found.iter().find(|(_, header)| header.last_offset() > header.base_offset).unwrap();
    let mut moved = BatchBuilder::new(1 << 20).base_offset(with_several.1.last_offset());
    for offset in with_several.1.last_offset()..base_offset(next) {
        moved.push(&RecordData::new(None, Some(format!("moved {offset}").as_bytes())).at(5)).unwrap();
    }
    let moved = [moved.build().unwrap().bytes(), &storage.contents(next).unwrap()].concat();
    storage.erase(next).unwrap();
    storage.set_contents(name(with_several.1.last_offset()), &moved).unwrap();
    let before = storage.after_crash(Crash::Process, 0);
    let report = repair_and_check(&storage);
    assert_eq!(lost_of(&report, "t-0"), [(with_several.1.base_offset, with_several.1.last_offset() - 1)]);
    check_that_all_is_kept(&before, &storage);
    let left = records(&options(&storage).open("data").unwrap(), "t", 0);
    assert_eq!(left.len() + (with_several.1.last_offset() - with_several.1.base_offset) as usize, all.len());
}

#[test]
fn a_compacted_segment_takes_its_place_only_if_all_of_it_can_be_read() {
    let (start, all) = whole();
    let logs = logs(&start, "/data/t-0");
    let (old, swap) = (start.contents(&logs[1]).unwrap(), logs[1].with_extension("log.swap"));
    for (is_damaged, is_undone) in [(false, false), (true, false), (false, true)] {
        let storage = start.after_crash(Crash::Process, 0);
        storage.set_contents(&swap, &old).unwrap();
        if is_damaged {
            storage.flip_bit(&swap, 100, 1).unwrap();
        }
        if is_undone {
            storage.set_contents(logs[1].with_extension("log.cleaned"), b"a part").unwrap();
        }
        let report = repair_and_check(&storage);
        assert_eq!(report.is_clean(), is_damaged || is_undone, "{:?}", report.actions);
        assert!(report.lost.is_empty());
        assert_eq!(storage.contents(&swap).is_ok(), is_damaged || is_undone, "it is left, and nothing comes of it");
        let kept = storage.contents(logs[1].with_extension("log.0.cut")).ok();
        assert_eq!(kept, (!is_damaged && !is_undone).then(|| old.clone()));
        assert_eq!(records(&options(&storage).open("data").unwrap(), "t", 0), all);
    }
}

#[test]
fn what_was_never_acknowledged_is_kept_too_where_it_is_whole() {
    // Other than recovery, which ends the log there.
    let (storage, store) = sample();
    let log = store.partition("t", 0).unwrap();
    let from = log.log_end();
    for index in 0..3 {
        append_value(&log, 1, format!("unsynced {index}").as_bytes(), Acks::Leader).unwrap();
    }
    drop(log);
    let storage = storage.after_crash(Crash::Process, 0);
    let last = logs(&storage, "/data/t-0").pop().unwrap();
    let bytes = storage.contents(&last).unwrap();
    let torn = batches(&bytes[..bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1]);
    let (position, _) = torn[torn.len() - 2];
    storage.flip_bit(&last, position + 70, 1).unwrap();
    let recovered = options(&storage.after_crash(Crash::Process, 0)).open("data").unwrap();
    assert_eq!(recovered.partition("t", 0).unwrap().log_end(), from + 1);
    let report = repair_and_check(&storage);
    assert_eq!(lost_of(&report, "t-0"), [(from + 1, from + 1)]);
    assert_eq!(options(&storage).open("data").unwrap().partition("t", 0).unwrap().log_end(), from + 3);
}

/// A directory with damage of every kind.
fn wreck() -> (FaultStorage, BTreeMap<Offset, Sent>) {
    let (storage, all) = whole();
    let logs = logs(&storage, "/data/t-0");
    assert!(logs.len() > 6, "{logs:?}");
    // A batch in the middle, and the index.
    let first = batches(&storage.contents(&logs[0]).unwrap());
    storage.flip_bit(&logs[0], first[2].0 + 65, 1).unwrap();
    storage.flip_bit(logs[0].with_extension("index"), 3, 2).unwrap();
    // A whole segment, and the end of the one after it.
    for suffix in ["log", "index", "timeindex"] {
        storage.erase(logs[1].with_extension(suffix)).unwrap();
    }
    rewrite(&storage, &logs[2], |bytes| {
        let last = batches(bytes).pop().unwrap();
        bytes[last.0 as usize + 70] ^= 1;
    });
    // One that is in another, whole.
    let third = storage.contents(&logs[3]).unwrap();
    let (at, header) = batches(&third)[1];
    let copy = logs[3].with_file_name(format!("{:020}.log", header.base_offset));
    storage.set_contents(copy, &third[at as usize..at as usize + header.size()]).unwrap();
    // A compacted segment that waits to take the place of two.
    let swap = [storage.contents(&logs[4]).unwrap(), storage.contents(&logs[5]).unwrap()].concat();
    storage.set_contents(logs[4].with_extension("log.swap"), &swap).unwrap();
    // The end is torn.
    rewrite(&storage, &logs[6], |bytes| bytes.extend(b"and then the power went"));
    storage.set_contents(logs[6].with_extension("snapshot"), b"not a snapshot").unwrap();
    storage.set_contents(logs[6].with_extension("log.deleted"), b"deleted").unwrap();
    rewrite(&storage, "data/t-0/leader-epoch-checkpoint", |text| text.extend(b"what\n"));
    // The files of text.
    for name in ["meta.properties", "recovery-point-offset-checkpoint", "log-start-offset-checkpoint"] {
        let file = Path::new("data").join(name);
        if storage.contents(&file).is_err() {
            storage.set_contents(&file, b"0\n0\n").unwrap();
        }
        rewrite(&storage, file, |text| text.extend(b"nonsense \xff\n"));
    }
    rewrite(&storage, "data/topic-config-checkpoint", |text| text.extend(b"t max.message.bytes many\n"));
    let group_configs = b"0\n1\ng%20h consumer.session.timeout.ms 50000\ng consumer.session.timeout.ms long\n";
    storage.set_contents("data/group-config-checkpoint", group_configs).unwrap();
    // A partition is missing, and another is not the topic's.
    storage.remove_dir_all(Path::new("data/pair-0")).unwrap();
    rewrite(&storage, "data/pair-1/partition.metadata", |text| text.truncate(20));
    storage.set_contents("data/t-1/partition.metadata", b"version: 0\ntopic_id: AQIDBAUGBwgJCgsMDQ4PEA").unwrap();
    storage.set_contents("data/notes", b"mine").unwrap();
    (storage.after_crash(Crash::Process, 0), all)
}

#[test]
fn a_wreck_is_mended_and_nothing_of_it_is_lost() {
    let (storage, all) = wreck();
    assert!(options(&storage).open("data").is_err(), "it does not even open");
    let before = storage.after_crash(Crash::Process, 0);
    let report = repair_and_check(&storage);
    check_that_all_is_kept(&before, &storage);
    assert_eq!(storage.contents("data/notes").unwrap(), b"mine");
    let is_set_aside = |name: &str| {
        let of = |path: &Path| path.file_name().is_some_and(|found| found == name);
        report.actions.iter().any(|action| of(&action.path) && matches!(action.step, RepairStep::SetAside { .. }))
    };
    for name in [
        "meta.properties",
        "recovery-point-offset-checkpoint",
        "topic-config-checkpoint",
        "group-config-checkpoint",
        "partition.metadata",
    ] {
        assert!(is_set_aside(name), "{name}: {report:?}");
    }
    let cluster = |text: Vec<u8>| {
        String::from_utf8_lossy(&text).lines().find(|line| line.starts_with("cluster.id")).map(str::to_owned)
    };
    let meta = |storage: &FaultStorage| cluster(storage.contents("data/meta.properties").unwrap());
    assert_eq!(meta(&storage), meta(&before), "what could be told of it was kept");

    let store = options(&storage).open("data").unwrap();
    assert!(store.recovery_report().is_healthy(), "{:?}", store.recovery_report());
    assert_eq!(store.topics().iter().filter(|topic| !topic.starts_with('_')).count(), 2);
    assert_eq!(store.describe_topic("t").unwrap().config.overrides(), all_configs(), "configs that were sound");
    assert_eq!(store.configured_groups().unwrap(), ["g h"]);
    let left: BTreeMap<_, _> =
        all.iter().filter(|(offset, _)| !is_lost(&report, "t-0", **offset)).map(|(a, b)| (*a, b.clone())).collect();
    assert_eq!(records(&store, "t", 0), left);
    assert_eq!(lost_of(&report, "t-0").len(), 3, "{:?}", report.lost);
    assert_eq!(store.partition_count("pair").unwrap(), 2);
    assert_eq!(lost_of(&report, "pair-0"), [(0, 0)]);
    assert_eq!(store.partition("pair", 0).unwrap().log_start(), 1);
    assert_eq!(records(&store, "pair", 1).len(), 1);
    assert_eq!(store.committed_offsets("g").unwrap().len(), 1);
}

fn all_configs() -> Vec<(&'static str, String)> {
    let (_, store) = sample();
    store.describe_topic("t").unwrap().config.overrides()
}

/// All files but those that come and go with a process.
fn files(storage: &FaultStorage) -> BTreeMap<PathBuf, Vec<u8>> {
    let comes_and_goes = |path: &PathBuf| path.ends_with(".lock") || path.ends_with(".esker-reserve");
    let files = storage.files().into_iter().filter(|path| !comes_and_goes(path));
    files.map(|path| (path.clone(), storage.contents(path).unwrap())).collect()
}

#[test]
fn a_crash_at_any_moment_leaves_a_directory_that_is_repaired_to_the_same_end() {
    let (start, _) = wreck();
    let rehearsal = start.after_crash(Crash::Process, 0);
    let from = rehearsal.mutations();
    repair(&rehearsal);
    let (expected, to) = (files(&rehearsal), rehearsal.mutations());
    check_that_all_is_kept(&start, &rehearsal);
    assert!(to - from > 60, "{}", to - from);
    for point in from..to {
        for crash in [Crash::Process, Crash::Power].into_iter().skip(usize::from(point % 4 > 0)) {
            let seed = point;
            let storage = start.after_crash(Crash::Process, 0);
            storage.crash_at(point);
            let crashed = options(&storage).repair("data", RepairOptions::new().execute(), |_| {});
            assert!(crashed.is_err(), "at {point} of {to}");
            let storage = storage.after_crash(crash, seed);
            if point % 16 == 0 {
                check_that_all_is_kept(&start, &storage);
            }
            repair(&storage);
            let found = files(&storage);
            let differs = |path: &&PathBuf| found.get(*path) != expected.get(*path);
            let all: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).collect();
            let different: Vec<_> = all.into_iter().filter(differs).collect();
            assert!(different.is_empty(), "{crash:?} with seed {seed} at {point} of {to}: {different:?}");
        }
    }
}

#[test]
fn leftovers_go_only_if_that_is_asked_for_and_what_was_set_aside_never() {
    let (storage, _) = wreck();
    repair(&storage);
    let deleted: Vec<_> =
        storage.files().into_iter().filter(|path| path.to_str().unwrap().ends_with(".deleted")).collect();
    assert_eq!(deleted.len(), 1);
    let cuts = |storage: &FaultStorage| {
        storage.files().into_iter().filter(|path| path.to_str().unwrap().ends_with(".cut")).count()
    };
    let before = cuts(&storage);
    let options_of = RepairOptions::new().execute().remove_leftovers();
    let report = options(&storage).repair("data", options_of, |_| {}).unwrap();
    assert!(report.actions.iter().all(|action| action.step == RepairStep::Removed), "{:?}", report.actions);
    assert!(storage.contents(&deleted[0]).is_err());
    assert_eq!(cuts(&storage), before);
    assert!(!verify(&storage).findings.iter().any(|finding| matches!(finding.problem, Problem::Leftover)));
}

fn in_transaction(log: &Log, id: i64, sequence: i32, value: &str) -> Offset {
    let mut builder = BatchBuilder::new(1 << 20).producer(id, 0, sequence).transactional(true);
    builder.push(&RecordData::new(None, Some(value.as_bytes())).at(1)).unwrap();
    log.append(builder.build().unwrap(), Acks::Leader).unwrap().base_offset
}

fn committed(log: &Log) -> Vec<Offset> {
    read_committed(log, ReadLimits::new()).unwrap().into_iter().map(|(offset, _)| offset).collect()
}

#[test]
fn a_transaction_index_that_is_wrong_is_built_again_and_one_that_knows_more_is_kept() {
    let (storage, store) = sample();
    store.create_topic("txn", TopicConfig::new().retention_ms(-1).segment_ms(i64::MAX)).unwrap();
    let log = store.partition("txn", 0).unwrap();
    for (id, result) in [(1, TransactionResult::Abort), (2, TransactionResult::Commit), (3, TransactionResult::Abort)] {
        in_transaction(&log, id, 0, "first");
        in_transaction(&log, id, 1, "second");
        let marker = EndTransactionMarker { result, coordinator_epoch: 0 };
        log.append_end_transaction_marker(ProducerIdAndEpoch::new(id, 0), marker, Acks::Leader).unwrap();
    }
    assert_eq!(committed(&log), [3, 4]);
    store.close().unwrap();
    let (log_file, index) = ("data/txn-0/00000000000000000000.log", "data/txn-0/00000000000000000000.txnindex");
    let whole = storage.contents(index).unwrap();
    let damages: [&dyn Fn(&FaultStorage); 4] = [
        &|storage| storage.erase(index).unwrap(),
        &|storage| storage.cut(index, 34).unwrap(),
        &|storage| storage.flip_bit(index, 34 + 25, 7).unwrap(),
        &|storage| storage.flip_bit(index, 9, 1).unwrap(),
    ];
    for damage in damages {
        let storage = storage.after_crash(Crash::Process, 0);
        damage(&storage);
        let found = verify(&storage);
        assert!(matches!(found.findings[..], [Finding { problem: Problem::WrongTransactionIndex, .. }]), "{found:?}");
        assert!(found.findings[0].path == Path::new(index) && !found.is_healthy());
        repair_and_check(&storage);
        assert_eq!(storage.contents(index).unwrap(), whole);
        assert_eq!(committed(&options(&storage).open("data").unwrap().partition("txn", 0).unwrap()), [3, 4]);
    }
    let is_snapshot = |path: &PathBuf| path.starts_with("/data/txn-0") && path.to_string_lossy().ends_with(".snapshot");
    let snapshot = storage.files().into_iter().rfind(is_snapshot).unwrap();
    for byte in 0..storage.contents(&snapshot).unwrap().len() as u64 {
        let storage = storage.after_crash(Crash::Process, 0);
        storage.flip_bit(&snapshot, byte, 4).unwrap();
        let found = verify(&storage);
        assert!(matches!(found.findings[..], [Finding { problem: Problem::DamagedSnapshot, .. }]), "{byte}: {found:?}");
        assert!(found.is_healthy(), "the next open does without it");
    }
    // The marker of the first abort is damaged: the index still knows of it.
    let marker = batches(&storage.contents(log_file).unwrap())[2];
    storage.flip_bit(log_file, marker.0 + 62, 1).unwrap();
    let report = repair_and_check(&storage);
    assert_eq!(lost_of(&report, "txn-0"), [(2, 2)]);
    assert_eq!(storage.contents(index).unwrap(), whole);
}

#[test]
fn kafkas_old_message_sets_are_not_taken_for_damage() {
    let storage = crate::closed();
    let message = |magic: u8, value: &[u8]| {
        let mut body = vec![magic, 0, 255, 255, 255, 255];
        body.extend((value.len() as i32).to_be_bytes());
        body.extend(value);
        let mut bytes = 0_i64.to_be_bytes().to_vec();
        bytes.extend((body.len() as i32 + 4).to_be_bytes());
        bytes.extend(crc32fast::hash(&body).to_be_bytes());
        [bytes, body].concat()
    };
    storage.erase(LOG).unwrap();
    storage.set_contents(LOG, &message(0, b"from long ago")).unwrap();
    let report = repair(&storage);
    assert!(report.actions.is_empty() && report.lost.is_empty(), "{report:?}");
    assert!(report.unrepaired.iter().any(|finding| finding.path == Path::new(LOG)));
}

/// Whatever happens to some files: what is readable before is readable after, at the same offsets and as it was.
#[test]
fn random_damage_is_mended() {
    let (start, all) = whole();
    for seed in 0..30 {
        let (storage, mut random) = (start.after_crash(Crash::Process, 0), Random::new(seed));
        for _ in 0..1 + random.below(4) {
            let files: Vec<PathBuf> =
                storage.files().into_iter().filter(|path| path.starts_with("/data/t-0")).collect();
            let path = random.pick(&files).clone();
            let len = storage.contents(&path).unwrap().len() as u64;
            match random.below(5) {
                0 => storage.erase(&path).unwrap(),
                1 => storage.cut(&path, random.below(len + 1)).unwrap(),
                2 => rewrite(&storage, &path, |bytes| bytes.extend(vec![random.next() as u8; 300])),
                _ if len > 0 => {
                    for _ in 0..1 + random.below(20) {
                        storage.flip_bit(&path, random.below(len), random.below(8) as u8).unwrap();
                    }
                }
                _ => {}
            }
        }
        let storage = storage.after_crash(Crash::Process, 0);
        let before = storage.after_crash(Crash::Process, 0);
        let report = repair_and_check(&storage);
        check_that_all_is_kept(&before, &storage);
        let store = options(&storage).open("data").unwrap();
        assert!(store.recovery_report().is_healthy(), "seed {seed}: {:?}", store.recovery_report());
        if store.partition_count("t").is_err() {
            continue;
        }
        let left = records(&store, "t", 0);
        for (offset, record) in &left {
            assert_eq!(Some(record), all.get(offset), "seed {seed}");
        }
        // A first segment that is missing could be one that retention has deleted.
        let log_start = store.partition("t", 0).unwrap().log_start();
        for offset in all.keys().filter(|offset| **offset >= log_start && !left.contains_key(offset)) {
            assert!(is_lost(&report, "t-0", *offset), "seed {seed}: offset {offset} is not there, and not reported");
        }
        append(&store.partition("t", 0).unwrap(), &[Sent::value(1, "more")], Compression::None, Acks::All).unwrap();
    }
    let _ = Arc::new(());
}

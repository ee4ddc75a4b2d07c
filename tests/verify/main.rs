//! Looking through a data directory: what is healthy has no findings, and damage of every kind is found in its place.
#![cfg(feature = "sim")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../common/mod.rs"]
mod common;
mod repair;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use esker::record::{BATCH_HEADER_BYTES, BatchHeader};
use esker::sim::{Crash, FaultStorage};
use esker::{
    Acks, CommittedOffset, Finding, Maintenance, Offset, Problem, Store, StoreConfig, TopicConfig, TopicPartition,
    VerifyReport,
};

use common::random::Random;
use common::{Sent, append, codecs};

const LOG: &str = "data/t-0/00000000000000000000.log";
const INDEX: &str = "data/t-0/00000000000000000000.index";
const TIME_INDEX: &str = "data/t-0/00000000000000000000.timeindex";

fn options(storage: &FaultStorage) -> esker::StoreOptions {
    let config = StoreConfig { offsets_topic_num_partitions: 1, ..StoreConfig::default() };
    Store::options().storage(Arc::new(storage.clone())).maintenance(Maintenance::Manual).config(config)
}

fn verify(storage: &FaultStorage) -> VerifyReport {
    options(storage).verify("data", |_| {}).unwrap()
}

fn fill(store: &Store, batches: u64) {
    let (log, mut random) = (store.partition("t", 0).unwrap(), Random::new(6));
    for _ in 0..batches {
        let start = log.log_end();
        let records: Vec<Sent> = (start..start + 1 + random.below(4) as Offset)
            .map(|offset| Sent::random(&mut random, offset as u64, 1_000 + offset, 300))
            .collect();
        append(&log, &records, *random.pick(&codecs()), Acks::Leader).unwrap();
    }
}

/// A store with a topic of several segments, open.
fn sample() -> (FaultStorage, Store) {
    let storage = FaultStorage::new(1);
    let store = options(&storage).open("data").unwrap();
    let config = TopicConfig::new().internal_segment_bytes(10_000).index_interval_bytes(500).retention_ms(-1);
    store.create_topic("t", config).unwrap();
    fill(&store, 60);
    let commit = (TopicPartition::new("t", 0), CommittedOffset::new(5));
    store.commit_offsets("g", [commit], Acks::Leader).unwrap();
    (storage, store)
}

fn closed() -> FaultStorage {
    let (storage, store) = sample();
    store.close().unwrap();
    storage
}

/// The batches of a log file, with their positions.
fn batches(bytes: &[u8]) -> Vec<(u64, BatchHeader)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let header = BatchHeader::parse(&bytes[at..]).unwrap();
        found.push((at as u64, header));
        at += header.size();
    }
    found
}

fn damage_in(report: &VerifyReport, path: &str) -> Vec<Finding> {
    report.findings.iter().filter(|finding| finding.path == Path::new(path)).cloned().collect()
}

#[test]
fn a_healthy_directory_has_no_findings_closed_open_or_left_by_a_process_that_died() {
    let (storage, store) = sample();
    assert!(verify(&storage).is_clean(), "{:?}", verify(&storage).findings);
    let crashed = storage.after_crash(Crash::Process, 0);
    assert!(verify(&crashed).is_clean(), "{:?}", verify(&crashed).findings);
    store.close().unwrap();
    assert!(verify(&storage).is_clean(), "{:?}", verify(&storage).findings);
}

#[test]
fn nothing_is_changed_and_progress_is_told() {
    let storage = closed();
    let mutations = storage.mutations();
    let (mut last, mut calls) = (0, 0);
    let report = options(&storage)
        .verify("data", |progress| {
            assert!(last <= progress.bytes_done && progress.bytes_done <= progress.bytes_total);
            (last, calls) = (progress.bytes_done, calls + 1);
        })
        .unwrap();
    assert!(calls > 50 && last == report.bytes, "{calls} {last}");
    assert_eq!(storage.mutations(), mutations);
}

#[test]
fn a_flipped_bit_in_any_part_of_a_batch_is_found_in_its_place() {
    let start = closed();
    let bytes = start.contents(LOG).unwrap();
    let batches = batches(&bytes);
    let (position, header) = batches[batches.len() / 2];
    // The leader epoch, 12 to 15, is covered by nothing.
    for byte in (0..12).chain(16..BATCH_HEADER_BYTES as u64 + 8).chain([header.size() as u64 - 1]) {
        for bit in [0, 7] {
            let storage = start.after_crash(Crash::Process, 0);
            storage.flip_bit(LOG, position + byte, bit).unwrap();
            let report = verify(&storage);
            let what = format!("bit {bit} of byte {byte} of {}: {:?}", header.size(), report.findings);
            let found = damage_in(&report, LOG);
            assert_eq!(found.len(), 1, "{what}");
            assert_eq!(found[0].position, position, "{what}");
            match &found[0].problem {
                Problem::DamagedBatch { offsets, .. } => {
                    assert_eq!(*offsets, header.base_offset..=header.last_offset(), "{what}");
                }
                _ => panic!("{what}"),
            }
            assert!(!report.is_healthy());
            let elsewhere = report.findings.iter().filter(|finding| finding.path != Path::new(LOG));
            let is_index = |finding: &Finding| matches!(finding.problem, Problem::WrongIndexEntry);
            assert!(elsewhere.clone().all(is_index), "only entries that lead there besides: {what}");
        }
    }
}

#[test]
fn a_last_batch_that_is_not_whole_is_a_torn_tail() {
    let storage = closed();
    let last = last_log(&storage);
    let bytes = storage.contents(&last).unwrap();
    let (position, header) = *batches(&bytes).last().unwrap();
    for cut in [1, 40, header.size() as u64 - 1] {
        let storage = storage.after_crash(Crash::Process, 0);
        storage.cut(&last, position + cut).unwrap();
        let report = verify(&storage);
        assert!(report.is_healthy(), "the next open deals with it: {:?}", report.findings);
        let torn = |finding: &Finding| {
            finding.path.ends_with(last.file_name().unwrap())
                && finding.position == position
                && matches!(finding.problem, Problem::TornTail { bytes } if bytes <= cut)
        };
        // A byte that is zero can't be told from space that is reserved.
        assert!(cut == 1 || report.findings.iter().any(torn), "{:?}", report.findings);
    }
}

fn last_log(storage: &FaultStorage) -> PathBuf {
    let is_log = |path: &PathBuf| path.starts_with("/data/t-0") && path.extension().is_some_and(|end| end == "log");
    storage.files().into_iter().rfind(is_log).unwrap()
}

#[test]
fn index_entries_that_are_wrong_or_out_of_order_are_found_in_their_place() {
    let start = closed();
    for (path, entry_bytes) in [(INDEX, 8), (TIME_INDEX, 12)] {
        let len = start.contents(path).unwrap().len() as u64;
        for byte in (0..len).step_by(7) {
            let storage = start.after_crash(Crash::Process, 0);
            storage.flip_bit(path, byte, 0).unwrap();
            let found = damage_in(&verify(&storage), path);
            let slot = byte / entry_bytes * entry_bytes;
            assert!(found.iter().any(|finding| finding.position == slot), "byte {byte} of {path}: {found:?}");
            assert!(found.len() <= 2 && verify(&storage).is_healthy(), "byte {byte} of {path}: {found:?}");
        }
        let storage = start.after_crash(Crash::Process, 0);
        storage.cut(path, len - 3).unwrap();
        let found = damage_in(&verify(&storage), path);
        assert!(matches!(found[..], [Finding { problem: Problem::TornIndexEntry, .. }]), "{found:?}");
        storage.erase(path).unwrap();
        let found = damage_in(&verify(&storage), path);
        assert!(matches!(found[..], [Finding { problem: Problem::MissingIndex, .. }]), "{found:?}");
    }
}

#[test]
fn a_segment_that_is_missing_leaves_a_gap() {
    let storage = closed();
    let is_log = |path: &PathBuf| path.starts_with("/data/t-0") && path.extension().is_some_and(|end| end == "log");
    let logs: Vec<PathBuf> = storage.files().into_iter().filter(is_log).collect();
    let base = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse::<Offset>().unwrap();
    for suffix in ["log", "index", "timeindex"] {
        storage.erase(logs[1].with_extension(suffix)).unwrap();
    }
    let report = verify(&storage);
    match &report.findings[..] {
        [Finding { problem: Problem::Gap { missing }, path, .. }] => {
            assert_eq!(*missing, base(&logs[1])..=base(&logs[2]) - 1);
            assert_eq!(path.file_name(), logs[2].file_name());
        }
        found => panic!("{found:?}"),
    }
}

#[test]
fn what_a_crash_has_left_of_a_creation_is_no_damage() {
    let mut left = 0;
    for mutation in 0.. {
        let storage = FaultStorage::new(1);
        let store = options(&storage).open("data").unwrap();
        store.create_topic("grows", TopicConfig::new().partitions(2)).unwrap();
        storage.crash_at(storage.mutations() + mutation);
        let _ = store.create_partitions("grows", 5);
        let _ = store.create_topic("new", TopicConfig::new().partitions(4));
        drop(store);
        if !storage.has_crashed() {
            break;
        }
        let report = verify(&storage.after_crash(Crash::Process, mutation));
        assert!(report.is_healthy(), "{mutation}: {:?}", report.findings);
        left += u64::from(report.findings.iter().any(|finding| finding.path.ends_with("new-3")));
    }
    assert!(left > 0);
}

#[test]
fn text_that_is_malformed_is_found_and_every_name_is_accounted_for() {
    let is_malformed = |problem: &Problem| matches!(problem, Problem::Malformed { .. });
    for name in [
        "meta.properties",
        "recovery-point-offset-checkpoint",
        "log-start-offset-checkpoint",
        "replication-offset-checkpoint",
        "topic-config-checkpoint",
        "group-config-checkpoint",
        "t-0/partition.metadata",
        "t-0/leader-epoch-checkpoint",
    ] {
        let (storage, path) = (closed(), Path::new("data").join(name));
        storage.set_contents(&path, b"nonsense\n").unwrap();
        let report = verify(&storage);
        let found: Vec<&Finding> = report.findings.iter().filter(|finding| finding.path == path).collect();
        assert!(matches!(found[..], [finding] if is_malformed(&finding.problem)), "{name}: {:?}", report.findings);
    }
    let storage = closed();
    for (name, is_it) in [
        (
            "t-0/00000000000000000000.log.deleted",
            (|problem| matches!(problem, Problem::Leftover)) as fn(&Problem) -> bool,
        ),
        ("t-0/00000000000000000007.index", |problem| matches!(problem, Problem::Leftover)),
        ("t-0/00000000000000000000.log.5.cut", |problem| matches!(problem, Problem::SetAside { bytes: 1 })),
        ("t-0/sync-failed", |problem| matches!(problem, Problem::SyncFailed)),
        ("t-0/notes", |problem| matches!(problem, Problem::Unknown)),
        ("meta.properties.tmp", |problem| matches!(problem, Problem::Leftover)),
        ("notes", |problem| matches!(problem, Problem::Unknown)),
    ] {
        let path = Path::new("data").join(name);
        storage.set_contents(&path, b"x").unwrap();
        let report = verify(&storage);
        let found: Vec<&Finding> = report.findings.iter().filter(|finding| finding.path == path).collect();
        assert!(matches!(found[..], [finding] if is_it(&finding.problem)), "{name}: {:?}", report.findings);
        assert!(report.is_healthy(), "{name}");
    }
}

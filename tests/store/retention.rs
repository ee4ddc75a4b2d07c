//! What goes: topics that are deleted, and segments that are too old or too many.

use std::path::Path;
use std::sync::Arc;

use esker::io::MemoryStorage;
use esker::record::{BatchBuilder, Compression, RecordData};
use esker::{Acks, CleanupPolicy, Error, ReadLimits, TopicConfig};

use crate::api::{NOW_MS, append, manual};
use crate::common::Sent;
use crate::{create, names};

#[test]
fn a_deleted_topic_is_gone_at_once_and_its_files_after_the_delay() {
    let dir = tempfile::tempdir().unwrap();
    let (options, clock) = manual();
    let store = options.open(dir.path()).unwrap();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    let log = store.partition("t", 1).unwrap();
    append(&log, NOW_MS, &["one"]);
    let kept = log.read(0, ReadLimits::new()).unwrap();
    store.delete_topic("t").unwrap();

    assert!(store.topics().is_empty());
    assert!(matches!(store.partition("t", 1), Err(Error::UnknownTopicOrPartition { .. })));
    assert!(matches!(store.delete_topic("t"), Err(Error::UnknownTopicOrPartition { .. })));
    let mut builder = BatchBuilder::new(100);
    builder.push(&RecordData::of(b"late")).unwrap();
    let late = log.append(builder.build().unwrap(), Acks::Leader);
    assert!(matches!(late, Err(Error::UnknownTopicOrPartition { .. })));
    let deleted = || names(dir.path()).into_iter().filter(|name| name.ends_with("-delete")).collect::<Vec<_>>();
    for (index, name) in deleted().iter().enumerate() {
        let id = name.strip_prefix(&format!("t-{index}.")).unwrap().strip_suffix("-delete").unwrap();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    }
    assert_eq!(deleted().len(), 2);
    clock.advance(59_999);
    store.tick().unwrap();
    assert_eq!(deleted().len(), 2);
    clock.advance(1);
    store.tick().unwrap();
    assert!(deleted().is_empty());
    assert_eq!(kept.batches().count(), 1, "what was read stays");
    assert!(kept.batches().all(|batch| batch.is_ok()));
}

#[test]
fn an_open_finishes_the_deletion_of_topics() {
    let dir = tempfile::tempdir().unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    create(&store, "t");
    store.delete_topic("t").unwrap();
    drop(store);
    let store = manual().0.open(dir.path()).unwrap();
    store.tick().unwrap();
    assert!(store.topics().is_empty());
    assert!(names(dir.path()).iter().all(|name| !name.starts_with("t-")));
}

/// The names of the files of segments.
fn segment_files(dir: &Path) -> Vec<String> {
    names(dir).into_iter().filter(|name| name.contains(".log") || name.contains("index")).collect()
}

#[test]
fn old_segments_are_renamed_and_removed_after_the_delay() {
    let dir = tempfile::tempdir().unwrap();
    let (options, clock) = manual();
    let store = options.open(dir.path()).unwrap();
    let config = TopicConfig::new().internal_segment_bytes(100).retention_ms(1000).file_delete_delay_ms(60_000);
    store.create_topic("t", config).unwrap();
    let log = store.partition("t", 0).unwrap();
    append(&log, NOW_MS, &["old"]);
    append(&log, NOW_MS + 299_000, &["young enough"]);
    clock.advance(299_999);
    store.tick().unwrap();
    assert_eq!(log.log_start(), 0, "it looks every five minutes");
    clock.advance(1);
    store.tick().unwrap();
    assert_eq!((log.log_start(), log.log_end(), log.segment_count()), (1, 2, 1));
    let first = |suffix: &str| ["index", "log", "timeindex"].map(|file| format!("00000000000000000000.{file}{suffix}"));
    let second = ["index", "log", "timeindex"].map(|file| format!("00000000000000000001.{file}"));
    let partition = dir.path().join("t-0");
    assert_eq!(segment_files(&partition), [first(".deleted").as_slice(), &second].concat());
    match log.read(0, ReadLimits::new()) {
        Err(Error::OffsetOutOfRange { requested: 0, log_start: 1, high_watermark: 2, .. }) => {}
        other => panic!("{other:?}"),
    }
    clock.advance(59_999);
    store.tick().unwrap();
    assert_eq!(segment_files(&partition).len(), 6);
    clock.advance(1);
    store.tick().unwrap();
    assert_eq!(segment_files(&partition), second);

    clock.advance(300_000);
    store.tick().unwrap();
    assert_eq!((log.log_start(), log.log_end()), (2, 2), "the active segment gets old, too");
    assert_eq!(append(&log, NOW_MS + 700_000, &["next"]), 2);
}

#[test]
fn a_partition_keeps_retention_bytes() {
    let (options, clock) = manual();
    let store = options.storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    let config = TopicConfig::new().internal_segment_bytes(100).retention_ms(-1).retention_bytes(250);
    store.create_topic("t", config).unwrap();
    let log = store.partition("t", 0).unwrap();
    for _ in 0..6 {
        append(&log, NOW_MS, &["0123456789"]);
    }
    let size = log.size_in_bytes() / 6;
    assert_eq!((log.segment_count(), size), (6, 78));
    clock.advance(300_000);
    store.tick().unwrap();
    assert_eq!(log.size_in_bytes(), 4 * size, "the fewest segments that hold 250 bytes");
    assert_eq!(log.log_start(), 2);
}

#[test]
fn retention_is_for_topics_whose_policy_has_delete() {
    let disk = Arc::new(MemoryStorage::new());
    let config = |policy| {
        TopicConfig::new().internal_segment_bytes(100).retention_ms(1000).retention_bytes(0).cleanup_policy(policy)
    };
    let policies = [
        ("d", CleanupPolicy::DELETE),
        ("c", CleanupPolicy::COMPACT),
        ("cd", CleanupPolicy::COMPACT_DELETE),
        ("n", CleanupPolicy::NONE),
    ];
    let store = manual().0.storage(disk.clone()).open("data").unwrap();
    for (topic, policy) in policies {
        store.create_topic(topic, config(policy)).unwrap();
        let log = store.partition(topic, 0).unwrap();
        let record = Sent { key: Some(b"k".to_vec()), ..Sent::value(NOW_MS, "old") };
        crate::common::append(&log, &[record], Compression::None, Acks::Leader).unwrap();
    }
    drop(store);
    let (options, clock) = manual();
    let store = options.storage(disk).open("data").unwrap();
    clock.advance(300_000);
    store.tick().unwrap();
    for (topic, policy) in policies {
        assert_eq!(store.describe_topic(topic).unwrap().config, config(policy), "it survives a reopen");
        assert_eq!(store.partition(topic, 0).unwrap().log_start(), i64::from(policy.delete), "{policy}");
    }
}

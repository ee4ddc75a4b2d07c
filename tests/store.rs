//! The store through the public API: topics and their rules, the directory on the disk as Kafka lays it out, retention,
//! locking, reopening, and a partition directory of Kafka's own.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;
mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use api::{NOW_MS, append, manual, manual_store, records, values};
use bytes::Bytes;
use common::Sent;
use esker::io::MemoryStorage;
use esker::record::{BatchBuilder, Compression, EndTransactionMarker, RecordData, TransactionResult};
use esker::{
    Acks, AlterConfigOp, CleanupPolicy, CommittedOffset, Damage, Error, IsolationLevel, Log, ReadLimits, RepairOptions,
    Store, StoreConfig, TopicConfig, TopicNameError, TopicPartition,
};

fn create(store: &Store, topic: &str) -> Log {
    store.create_topic(topic, TopicConfig::new()).unwrap();
    store.partition(topic, 0).unwrap()
}

/// The names in a directory.
fn names(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn file_text(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digits = digits.chunks_exact(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

// Topics

#[test]
fn topics_have_kafkas_names() {
    let store = manual_store();
    for name in ["a", "A.b-c_9", "...", &"x".repeat(249)] {
        store.create_topic(name, TopicConfig::new()).unwrap();
    }
    let too_long = "x".repeat(250);
    for name in ["", ".", "..", "a/b", "../up", "a b", "ä", "a\0b", "a:b", &too_long] {
        let broken = match name {
            "" => TopicNameError::Empty,
            "." | ".." => TopicNameError::Dots,
            name if name.len() == 250 => TopicNameError::TooLong,
            _ => TopicNameError::IllegalCharacter,
        };
        match store.create_topic(name, TopicConfig::new()) {
            Err(Error::InvalidTopic { topic, reason }) => assert_eq!((&*topic, reason), (name, broken)),
            other => panic!("{name:?}: {other:?}"),
        }
        assert!(matches!(store.delete_topic(name), Err(Error::UnknownTopicOrPartition { .. })), "{name:?}");
    }
}

#[test]
fn a_topic_exists_once_and_apart_from_those_that_metrics_would_call_the_same() {
    let store = manual_store();
    let first = store.create_topic("a.b", TopicConfig::new()).unwrap();
    assert!(matches!(store.create_topic("a.b", TopicConfig::new()), Err(Error::TopicAlreadyExists { .. })));
    match store.create_topic("a_b", TopicConfig::new()) {
        Err(Error::InvalidTopic { reason: TopicNameError::Collision { other }, .. }) => assert_eq!(other, "a.b"),
        other => panic!("{other:?}"),
    }
    store.create_topic("a-b", TopicConfig::new()).unwrap();
    store.delete_topic("a.b").unwrap();
    let second = store.create_topic("a_b", TopicConfig::new()).unwrap();
    assert_ne!(first, second);
    assert_eq!(store.topics(), ["a-b", "a_b"]);
}

#[test]
fn the_metadata_of_a_cluster_in_the_same_directory_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let metadata = dir.path().join("__cluster_metadata-0");
    fs::create_dir(&metadata).unwrap();
    // Kafka's snapshots of it are checkpoints named after offset and epoch.
    for (name, contents) in [
        ("partition.metadata", "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ"),
        ("00000000000000000000.log", "a batch that is being written"),
        ("00000000000000000007-0000000001.checkpoint", "a snapshot"),
        ("quorum-state", "{}"),
    ] {
        fs::write(metadata.join(name), contents).unwrap();
    }
    fs::write(dir.path().join("bootstrap.checkpoint"), "what the cluster began with").unwrap();
    let contents = || names(&metadata).into_iter().map(|name| (file_text(&metadata, &name), name)).collect::<Vec<_>>();
    let before = contents();
    let store = Store::open(dir.path()).unwrap();
    assert!(store.topics().is_empty() && store.recovery_report().is_healthy());
    assert!(matches!(store.create_topic("__cluster_metadata", TopicConfig::new()), Err(Error::InvalidTopic { .. })));
    create(&store, "t");
    let reader = Store::options().open_read_only(dir.path()).unwrap();
    assert_eq!(reader.topics(), ["t"]);
    store.tick().unwrap();
    store.close().unwrap();
    drop(store);
    fs::remove_file(dir.path().join(".kafka_cleanshutdown")).unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(store.topics() == ["t"] && store.recovery_report().is_healthy(), "nor is it recovered");
    store.close().unwrap();
    let verified = Store::options().verify(dir.path(), |_| {}).unwrap();
    assert!(verified.is_healthy(), "{:?}", verified.findings);
    let repair = RepairOptions::new().remove_leftovers().execute();
    let repaired = Store::options().repair(dir.path(), repair, |_| {}).unwrap();
    assert!(repaired.actions.is_empty() && repaired.unrepaired.is_empty(), "{repaired:?}");
    assert_eq!(contents(), before);
}

#[test]
fn internal_topics_are_the_stores_own() {
    let store = manual_store();
    create(&store, "t");
    for name in ["__consumer_offsets", "__transaction_state"] {
        assert!(matches!(store.create_topic(name, TopicConfig::new()), Err(Error::InvalidTopic { .. })));
        assert!(matches!(store.delete_topic(name), Err(Error::InvalidTopic { .. })));
    }
    store.commit_offsets("g", [(("t", 0).into(), CommittedOffset::new(0))], Acks::Leader).unwrap();
    let offsets = store.describe_topic("__consumer_offsets").unwrap();
    assert!(offsets.is_internal);
    assert_eq!(offsets.partitions.len(), 50);
    assert_eq!(offsets.config.get("cleanup.policy").as_deref(), Some("compact"));
    assert!(matches!(store.delete_topic("__consumer_offsets"), Err(Error::InvalidTopic { .. })));
    assert_eq!(store.committed_offset("g", &("t", 0).into()).unwrap().unwrap().offset, 0);
}

#[test]
fn topics_describe_themselves() {
    let store = manual_store();
    let id = store.create_topic("t", TopicConfig::new().partitions(2).retention_ms(5)).unwrap();
    append(&store.partition("t", 1).unwrap(), NOW_MS, &["one", "two"]);
    let topic = store.describe_topic("t").unwrap();
    assert_eq!((&*topic.name, topic.id, topic.is_internal), ("t", id, false));
    assert_eq!(topic.config.get("retention.ms").as_deref(), Some("5"));
    assert_eq!(topic.config.overrides(), [("retention.ms", "5".to_owned())]);
    let [first, second] = &topic.partitions[..] else { panic!("{topic:?}") };
    assert_eq!((first.partition, first.log_end, first.size_in_bytes), (0, 0, 0));
    assert_eq!((second.partition, second.log_start, second.high_watermark, second.log_end), (1, 0, 2, 2));
    let node = store.node_id();
    assert_eq!((second.leader, &second.replicas, &second.in_sync_replicas), (node, &vec![node], &vec![node]));
    assert_eq!(second.size_in_bytes, store.partition("t", 1).unwrap().size_in_bytes());
    assert_eq!(store.partition_count("t").unwrap(), 2);
    for partition in [-1, 2, i32::MAX] {
        match store.partition("t", partition) {
            Err(Error::UnknownTopicOrPartition { topic_partition }) => {
                assert_eq!(topic_partition, TopicPartition::new("t", partition));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn configs_are_checked_where_they_are_set_and_where_they_are_used() {
    let mut config = TopicConfig::new();
    for (key, low, high) in [
        ("segment.bytes", "1048576", "2147483647"),
        ("segment.ms", "1", "9223372036854775807"),
        ("segment.index.bytes", "24", "2147483647"),
        ("index.interval.bytes", "0", "2147483647"),
        ("retention.ms", "-1", "9223372036854775807"),
        ("retention.bytes", "-9223372036854775808", "9223372036854775807"),
        ("max.message.bytes", "0", "2147483647"),
        ("file.delete.delay.ms", "0", "9223372036854775807"),
        ("message.timestamp.type", "CreateTime", "LogAppendTime"),
        ("flush.messages", "1", "9223372036854775807"),
        ("max.compaction.lag.ms", "1", "9223372036854775807"),
        ("compression.lz4.level", "1", "17"),
        ("compression.zstd.level", "-131072", "22"),
        ("compression.type", "producer", "zstd"),
        ("preallocate", "false", "true"),
    ] {
        for value in [low, high] {
            config.set(key, value).unwrap();
            assert_eq!(config.get(key).as_deref(), Some(value));
        }
        let one_less = low.parse().ok().and_then(|low: i64| low.checked_sub(1)).map(|value| value.to_string());
        for bad in one_less.as_deref().into_iter().chain(["", "x", "1e6", "99999999999999999999"]) {
            match config.set(key, bad) {
                Err(Error::InvalidConfig { key: named, value, .. }) => assert_eq!((&*named, &*value), (key, bad)),
                other => panic!("{key} = {bad:?}: {other:?}"),
            }
        }
        assert_eq!(config.get(key).as_deref(), Some(high), "a refusal changes nothing");
    }
    assert!(matches!(config.set("segment.bytes ", "1048576"), Err(Error::InvalidConfig { .. })));
    assert!(TopicConfig::keys().all(|key| config.get(key).is_some()));
    for (policy, printed, read) in [
        ("compact", "compact", CleanupPolicy::COMPACT),
        (" delete , compact", "delete,compact", CleanupPolicy::DELETE_COMPACT),
        ("compact,delete", "compact,delete", CleanupPolicy::COMPACT_DELETE),
        ("delete,compact,delete", "delete,compact", CleanupPolicy::DELETE_COMPACT),
        ("compact,delete,compact", "compact,delete", CleanupPolicy::COMPACT_DELETE),
        ("", "", CleanupPolicy::NONE),
        ("delete", "delete", CleanupPolicy::DELETE),
    ] {
        config.set("cleanup.policy", policy).unwrap();
        assert_eq!(config.get("cleanup.policy").as_deref(), Some(printed));
        assert_eq!(config.clone().cleanup_policy(read), config);
    }
    for (key, bad) in [
        ("cleanup.policy", "compact,"),
        ("cleanup.policy", "Delete"),
        ("compression.gzip.level", "0"),
        ("compression.type", "none"),
        ("min.cleanable.dirty.ratio", "1.01"),
        ("min.cleanable.dirty.ratio", "NaN"),
        ("preallocate", "yes"),
    ] {
        assert!(matches!(config.set(key, bad), Err(Error::InvalidConfig { .. })), "{key} = {bad:?}");
    }

    let store = manual_store();
    let lags = TopicConfig::new().min_compaction_lag_ms(2).max_compaction_lag_ms(1);
    let refused = store.create_topic("t", lags);
    assert!(matches!(refused, Err(Error::InvalidConfig { key, .. }) if key == "max.compaction.lag.ms"));
    let small = store.create_topic("t", TopicConfig::new().segment_bytes(1_048_575));
    assert!(matches!(small, Err(Error::InvalidConfig { key, .. }) if key == "segment.bytes"));
    for count in [0, -1] {
        let none = store.create_topic("t", TopicConfig::new().partitions(count));
        assert!(matches!(none, Err(Error::InvalidPartitions { partitions, at_least: 1 }) if partitions == count));
    }
    assert!(store.topics().is_empty());
}

#[test]
fn a_store_config_out_of_range_is_refused() {
    type Change = fn(&mut StoreConfig);
    let changes: [(&str, Change); 10] = [
        ("num.recovery.threads.per.data.dir", |config| config.num_recovery_threads_per_data_dir = 0),
        ("log.retention.check.interval.ms", |config| config.log_retention_check_interval_ms = 0),
        ("log.flush.offset.checkpoint.interval.ms", |config| config.log_flush_offset_checkpoint_interval_ms = -1),
        ("offsets.topic.num.partitions", |config| config.offsets_topic_num_partitions = 0),
        ("group.consumer.session.timeout.ms", |config| config.group_consumer_session_timeout_ms = 44_999),
        ("group.consumer.session.timeout.ms", |config| config.group_consumer_session_timeout_ms = 60_001),
        ("group.consumer.max.session.timeout.ms", |config| config.group_consumer_min_session_timeout_ms = 60_001),
        ("group.consumer.heartbeat.interval.ms", |config| config.group_consumer_heartbeat_interval_ms = 4999),
        ("group.consumer.heartbeat.interval.ms", |config| {
            (config.group_consumer_min_session_timeout_ms, config.group_consumer_session_timeout_ms) = (5000, 5000);
        }),
        ("group.consumer.assignors", |config| config.group_consumer_assignors.clear()),
    ];
    for (key, change) in changes {
        let mut config = StoreConfig::default();
        change(&mut config);
        match Store::options().storage(Arc::new(MemoryStorage::new())).config(config).open("data") {
            Err(Error::InvalidConfig { key: named, .. }) => assert_eq!(named, key),
            other => panic!("{key}: {other:?}"),
        }
    }
}

#[test]
fn commit_metadata_of_the_greatest_length_is_read_back() {
    let disk = Arc::new(MemoryStorage::new());
    let open = || {
        let config = StoreConfig { offset_metadata_max_bytes: 40_000, ..StoreConfig::default() };
        manual().0.storage(disk.clone()).config(config).open("data").unwrap()
    };
    let offset = || CommittedOffset::new(0).metadata("m".repeat(32_767));
    let store = open();
    create(&store, "t");
    store.commit_offsets("g", [(("t", 0).into(), offset())], Acks::All).unwrap();
    // Longer than its record can hold, it would make the whole of __consumer_offsets unreadable.
    let longer = CommittedOffset::new(1).metadata("m".repeat(32_768));
    let refused = store.commit_offsets("g", [(("t", 0).into(), longer)], Acks::All);
    assert!(matches!(refused, Err(Error::OffsetMetadataTooLarge { size: 32_768, max: 32_767 })), "{refused:?}");
    drop(store);
    assert_eq!(open().committed_offset("g", &("t", 0).into()).unwrap().unwrap().metadata, offset().metadata);
}

#[test]
fn commit_metadata_is_as_long_as_java_says() {
    let store = manual().0.open_temporary().unwrap();
    create(&store, "t");
    let commit = |metadata: String| {
        store.commit_offsets("g", [(("t", 0).into(), CommittedOffset::new(0).metadata(metadata))], Acks::All)
    };
    // Two bytes and one unit of UTF-16; four bytes and two.
    for (character, units) in [("ä", 1), ("😀", 2)] {
        commit(character.repeat(4096 / units)).unwrap();
        let refused = commit(character.repeat(4096 / units + 1));
        assert!(matches!(refused, Err(Error::OffsetMetadataTooLarge { max: 4096, .. })), "{refused:?}");
    }
}

// Deletion and retention

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
        common::append(&log, &[record], Compression::None, Acks::Leader).unwrap();
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

// The directory

#[test]
fn the_directory_is_laid_out_as_kafkas() {
    let dir = tempfile::tempdir().unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    let id = store.create_topic("t.a", TopicConfig::new().partitions(2).segment_ms(5)).unwrap();
    let log = store.partition("t.a", 1).unwrap();
    append(&log, NOW_MS, &["one", "two"]);
    let partition = dir.path().join("t.a-1");
    assert_eq!(file_text(&partition, "partition.metadata"), format!("version: 0\ntopic_id: {id}"));
    assert_eq!(file_text(&partition, "leader-epoch-checkpoint"), "0\n1\n0 0\n");
    assert_eq!(names(&dir.path().join("t.a-0")).into_iter().collect::<Vec<_>>(), ["partition.metadata"]);
    assert!(dir.path().join(".lock").exists());
    assert!(!dir.path().join(".kafka_cleanshutdown").exists(), "it is open");
    store.close().unwrap();

    let kafkas = [
        ".kafka_cleanshutdown",
        ".lock",
        "log-start-offset-checkpoint",
        "meta.properties",
        "recovery-point-offset-checkpoint",
        "replication-offset-checkpoint",
        "t.a-0",
        "t.a-1",
    ];
    let ours = [".esker-reserve", "topic-config-checkpoint"];
    let found = names(dir.path());
    assert_eq!(found.iter().filter(|name| !ours.contains(&&***name)).collect::<Vec<_>>(), kafkas.each_ref());
    assert_eq!(file_text(dir.path(), "recovery-point-offset-checkpoint"), "0\n2\nt.a 0 0\nt.a 1 2\n");
    assert_eq!(file_text(dir.path(), "replication-offset-checkpoint"), "0\n2\nt.a 0 0\nt.a 1 2\n");
    assert_eq!(file_text(dir.path(), "log-start-offset-checkpoint"), "0\n0\n");
    assert_eq!(file_text(dir.path(), "topic-config-checkpoint"), format!("0\n2\nt.a created {id}\nt.a segment.ms 5\n"));
    assert_eq!(file_text(dir.path(), ".kafka_cleanshutdown"), r#"{"version":0,"brokerEpoch":-1}"#);
    assert_eq!(
        names(&partition).into_iter().collect::<Vec<_>>(),
        [
            "00000000000000000000.index",
            "00000000000000000000.log",
            "00000000000000000000.timeindex",
            "leader-epoch-checkpoint",
            "partition.metadata",
        ]
    );
    let meta = file_text(dir.path(), "meta.properties");
    let lines: Vec<_> = meta.lines().collect();
    assert_eq!((lines[0], lines[2]), ("version=1", "node.id=1"));
    assert_eq!(lines[1], format!("cluster.id={}", store.cluster_id()));
    assert_eq!(lines[3].strip_prefix("directory.id=").unwrap().len(), 22);
    assert_eq!(lines.len(), 4);
}

#[test]
fn a_new_segment_is_named_for_its_first_offset() {
    let dir = tempfile::tempdir().unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    store.create_topic("t", TopicConfig::new().internal_segment_bytes(150)).unwrap();
    let log = store.partition("t", 0).unwrap();
    for _ in 0..3 {
        append(&log, NOW_MS, &["a", "b", "c", "d", "e"]);
    }
    let logs = |name: &String| name.strip_suffix(".log").map(str::to_owned);
    let bases: Vec<_> = names(&dir.path().join("t-0")).iter().filter_map(logs).collect();
    assert_eq!(bases, ["00000000000000000000", "00000000000000000005", "00000000000000000010"]);
}

#[test]
fn a_store_keeps_everything_over_a_close_and_over_a_mere_drop() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = None;
    for round in 0..4_i32 {
        let store = manual().0.open(dir.path()).unwrap();
        assert!(store.recovery_report().is_healthy());
        assert_eq!(store.recovery_report().clean_shutdown, round > 0);
        if round == 0 {
            store.create_topic("t", TopicConfig::new().retention_ms(7)).unwrap();
        }
        assert_eq!(cluster.get_or_insert(store.cluster_id().to_owned()), store.cluster_id());
        let topic = store.describe_topic("t").unwrap();
        assert_eq!(topic.config.overrides(), [("retention.ms", "7".to_owned())]);
        let log = store.partition("t", 0).unwrap();
        assert_eq!(append(&log, NOW_MS, &[&round.to_string()]), i64::from(round));
        assert_eq!(values(&log), (0..=round).map(|round| round.to_string()).collect::<Vec<_>>());
        if round % 2 == 0 {
            store.close().unwrap();
            store.close().unwrap();
        }
    }
}

#[test]
fn a_closed_store_refuses_everything() {
    let store = manual_store();
    let log = create(&store, "t");
    store.close().unwrap();
    let closed = |result: Result<(), Error>| assert!(matches!(result, Err(Error::Closed { what: "the store" })));
    closed(store.create_topic("u", TopicConfig::new()).map(drop));
    closed(store.delete_topic("t"));
    closed(store.consumer("g").map(drop));
    closed(store.producer(esker::ProducerConfig::new()).map(drop));
    closed(store.commit_offsets("g", [(("t", 0).into(), CommittedOffset::new(0))], Acks::Leader));
    let mut builder = BatchBuilder::new(100);
    builder.push(&RecordData::of(b"late")).unwrap();
    closed(log.append(builder.build().unwrap(), Acks::Leader).map(drop));
    closed(log.set_leader_epoch(5).map(drop));
    store.tick().unwrap();
}

#[test]
fn directories_that_are_not_partitions_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let others = ["lost+found", "t-x", "notes", "t-0.0123456789abcdef0123456789abcdef-stray"];
    for other in others {
        fs::create_dir(dir.path().join(other)).unwrap();
        fs::write(dir.path().join(other).join("00000000000000000000.log"), "not ours").unwrap();
    }
    let store = manual().0.open(dir.path()).unwrap();
    assert!(store.topics().is_empty());
    store.tick().unwrap();
    store.close().unwrap();
    for other in others {
        assert_eq!(fs::read(dir.path().join(other).join("00000000000000000000.log")).unwrap(), b"not ours");
    }
}

#[test]
fn what_is_left_of_a_topic_never_becomes_part_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    append(&store.partition("t", 1).unwrap(), NOW_MS, &["of the first topic"]);
    store.close().unwrap();
    drop(store);
    fs::rename(dir.path().join("t-0"), dir.path().join("elsewhere")).unwrap();

    let store = manual().0.open(dir.path()).unwrap();
    assert_eq!(store.recovery_report().incomplete, [TopicPartition::new("t", 1)]);
    assert!(!store.recovery_report().is_healthy());
    assert!(store.topics().is_empty());
    let again = store.create_topic("t", TopicConfig::new().partitions(2));
    assert!(matches!(again, Err(Error::TopicAlreadyExists { topic }) if topic == "t"));
    store.close().unwrap();
    drop(store);
    fs::rename(dir.path().join("elsewhere"), dir.path().join("t-0")).unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    assert_eq!(values(&store.partition("t", 1).unwrap()), ["of the first topic"]);
}

#[test]
fn a_thousand_partitions_open_and_hold_what_they_held() {
    let dir = tempfile::tempdir().unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    store.create_topic("t", TopicConfig::new().partitions(1000)).unwrap();
    for partition in (0..1000).step_by(100) {
        append(&store.partition("t", partition).unwrap(), NOW_MS, &[&partition.to_string()]);
    }
    store.close().unwrap();
    drop(store);
    let store = manual().0.open(dir.path()).unwrap();
    assert_eq!(store.partition_count("t").unwrap(), 1000);
    for partition in 0..1000 {
        let expected = if partition % 100 == 0 { vec![partition.to_string()] } else { vec![] };
        assert_eq!(values(&store.partition("t", partition).unwrap()), expected);
    }
}

// The lock

#[test]
fn a_directory_is_open_once_in_a_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    let log = create(&store, "t");
    let own_pid = std::process::id().to_string();
    for path in [dir.path().to_owned(), dir.path().join(".")] {
        match manual().0.open(&path) {
            Err(Error::DirectoryLocked { directory, holder }) => {
                assert_eq!(directory, path);
                assert!(holder.contains(&own_pid), "{holder}");
            }
            other => panic!("{other:?}"),
        }
    }
    append(&log, NOW_MS, &["undisturbed"]);
    store.close().unwrap();
    let again = manual().0.open(dir.path()).unwrap();
    assert_eq!(values(&again.partition("t", 0).unwrap()), ["undisturbed"]);
    drop(store);
    assert!(manual().0.open(dir.path()).is_err(), "the old handle gives nothing back twice");
}

const DIR_FOR_CHILD: &str = "ESKER_TEST_DIR";

/// Not a test by itself: what the child process of the next one runs.
#[test]
fn child_that_tries_to_open() {
    if let Ok(dir) = std::env::var(DIR_FOR_CHILD) {
        match manual().0.open(dir) {
            Ok(_) => println!("opened"),
            Err(Error::DirectoryLocked { holder, .. }) => println!("held by {holder}."),
            Err(error) => println!("{error}"),
        }
    }
}

fn open_in_child(dir: &Path) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_that_tries_to_open", "--nocapture"]).env(DIR_FOR_CHILD, dir).stderr(Stdio::inherit());
    String::from_utf8(child.output().unwrap().stdout).unwrap()
}

#[test]
fn a_directory_is_open_in_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    let told = open_in_child(dir.path());
    assert!(told.contains(&format!("pid {}.", std::process::id())), "{told}");
    // A refused open within this process must not let go of the lock.
    assert!(manual().0.open(dir.path()).is_err());
    assert!(open_in_child(dir.path()).contains("held by"));
    drop(store);
    assert!(open_in_child(dir.path()).contains("opened"));
}

#[test]
fn a_directory_belongs_to_one_node() {
    let disk = Arc::new(MemoryStorage::new());
    let open = |node_id: Option<i32>| manual().0.storage(disk.clone()).node_id(node_id).open("data");
    assert!(matches!(open(Some(-1)), Err(Error::InvalidConfig { key, .. }) if key == "node.id"));
    assert_eq!(open(Some(7)).unwrap().node_id(), 7);
    for same in [None, Some(7)] {
        assert_eq!(open(same).unwrap().node_id(), 7);
    }
    let another = open(Some(8)).expect_err("it belongs to 7").to_string();
    assert!(another.contains("node.id = \"8\"") && another.contains("7, the node"), "{another}");
    assert_eq!(manual().0.open_temporary().unwrap().node_id(), 1, "if nobody says");
}

#[test]
#[cfg(target_os = "linux")]
fn a_lock_is_not_lost_to_one_that_is_let_go_of() {
    use esker::io::{FsStorage, Storage};
    use std::os::unix::fs::MetadataExt;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".lock");
    drop(FsStorage::new().lock(&path).unwrap());
    let inode = format!(":{} ", fs::metadata(&path).unwrap().ino());
    // One read is one moment; between two, the locks of others come and go.
    let locks = || {
        let mut locks = vec![0; 1 << 18];
        let len = std::io::Read::read(&mut fs::File::open("/proc/locks").unwrap(), &mut locks).unwrap();
        String::from_utf8_lossy(&locks[..len]).into_owned()
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    // Closing any handle of the file ends the lock of the whole process.
                    if let Ok(_lock) = FsStorage::new().lock(&path) {
                        assert!(locks().contains(&inode), "nobody was kept out");
                    }
                }
            });
        }
    });
}

// Kafka's own bytes

/// A partition directory that Kafka 4's classes wrote with index.interval.bytes=100: one batch a line.
const KAFKA_LOG: &str = "
    0000000000000000000000430000000002f15374fa0000000000010000018bcfe568000000018bcfe5680affffffffffffffffffffffffffff00000002100000000261023100100014020262023200
    00000000000000020000005d000000000216ee66410010000000000000018bcfe568140000018bcfe568140000000000000fa0000000000000000000015600000002634833333333333333333333333333333333333333333333333333333333333333333333333300
    00000000000000030000003a0000000102bccef7310000000000000000018bcfe5680f0000018bcfe5680fffffffffffffffffffffffffffff00000001100000000264023400
    00000000000000040000004200000001021c90dbd30030000000000000018bcfe5681e0000018bcfe5681e0000000000000fa00000ffffffff000000012000000008000000000c00000000000700
    000000000000000500000043000000010268b704730000000000010000018bcfe568280000018bcfe568290000000000000fa100010000000a00000002100000000265023500100002020266023600
    00000000000000070000003a0000000102f76a0a680010000000000000018bcfe568320000018bcfe568320000000000000fa200030000000000000001100000000267023700
";
const KAFKA_INDEX: &str = "00000003000000b8 000000060000014c";
const KAFKA_TIME_INDEX: &str = "0000018bcfe5681400000002 0000018bcfe5682900000006 0000018bcfe5683200000007";
const KAFKA_TXN_INDEX: &str = "0000 0000000000000fa0 0000000000000002 0000000000000004 0000000000000005";
const KAFKA_SNAPSHOT: &str = "0001 5a7a78c2 00000003
    0000000000000fa0 0000 00000000 0000000000000002 00000000 0000018bcfe5681e 00000007 ffffffffffffffff
    0000000000000fa1 0001 0000000b 0000000000000006 00000001 0000018bcfe56829 ffffffff ffffffffffffffff
    0000000000000fa2 0003 00000000 0000000000000007 00000000 0000018bcfe56832 ffffffff 0000000000000007";

/// Writes Kafka's partition directory `t-0` into a data directory.
fn write_kafkas_directory(dir: &Path) {
    let partition = dir.join("t-0");
    fs::create_dir(&partition).unwrap();
    let segment = |suffix: &str| partition.join(format!("00000000000000000000{suffix}"));
    fs::write(segment(".log"), hex(KAFKA_LOG)).unwrap();
    fs::write(segment(".index"), hex(KAFKA_INDEX)).unwrap();
    fs::write(segment(".timeindex"), hex(KAFKA_TIME_INDEX)).unwrap();
    fs::write(segment(".txnindex"), hex(KAFKA_TXN_INDEX)).unwrap();
    fs::write(partition.join("00000000000000000008.snapshot"), hex(KAFKA_SNAPSHOT)).unwrap();
    fs::write(partition.join("leader-epoch-checkpoint"), "0\n2\n0 0\n1 3\n").unwrap();
    fs::write(partition.join("partition.metadata"), "version: 0\ntopic_id: AQIDBAUGBwgJCgsMDQ4PEA").unwrap();
    fs::write(dir.join("meta.properties"), "version=1\ncluster.id=5L6g3nShT-eMCtK--X86sw\nnode.id=7\n").unwrap();
}

/// What Kafka's directory holds, read through every door.
fn check_kafkas_records(store: &Store) {
    assert_eq!((store.cluster_id(), store.node_id()), ("5L6g3nShT-eMCtK--X86sw", 7));
    assert_eq!(store.describe_topic("t").unwrap().id.to_string(), "AQIDBAUGBwgJCgsMDQ4PEA");
    let log = store.partition("t", 0).unwrap();
    assert_eq!((log.log_start(), log.log_end(), log.leader_epoch()), (0, 8, 1));
    let marker = "\0\0\0\0\0\u{7}";
    let third = "3".repeat(36);
    let expected = [(0, "1"), (1, "2"), (2, &*third), (3, "4"), (4, marker), (5, "5"), (6, "6"), (7, "7")];
    assert_eq!(records(&log), expected.map(|(offset, value)| (offset, value.to_owned())));
    for offset in 0..8 {
        let fetched = log.read(offset, ReadLimits::new().max_bytes(1)).unwrap();
        let batch = fetched.batches().next().unwrap().unwrap();
        let header = batch.header();
        assert!((header.base_offset..=header.last_offset()).contains(&offset));
        assert_eq!(header.partition_leader_epoch, i32::from(offset >= 3));
    }
    for (timestamp, offset) in
        [(0, 0), (10, 1), (11, 2), (20, 2), (21, 4), (30, 4), (31, 5), (40, 5), (41, 6), (42, 7), (50, 7)]
    {
        let found = log.offset_for_timestamp(NOW_MS + timestamp).unwrap().unwrap();
        assert_eq!(found.offset, offset, "at +{timestamp}");
    }
    assert_eq!(log.offset_for_timestamp(NOW_MS + 51).unwrap(), None);

    let producers: Vec<_> = log
        .active_producers()
        .iter()
        .map(|known| (known.producer_id, known.producer_epoch, known.last_sequence, known.last_offset))
        .collect();
    assert_eq!(producers, [(4000, 0, Some(0), Some(2)), (4001, 1, Some(11), Some(6)), (4002, 3, Some(0), Some(7))]);
    let ends: Vec<_> = log
        .active_producers()
        .iter()
        .map(|known| (known.last_timestamp - NOW_MS, known.coordinator_epoch, known.transaction_start))
        .collect();
    assert_eq!(ends, [(30, Some(7), None), (41, None, None), (50, None, Some(7))]);
    assert_eq!(log.last_stable_offset(), 7);
    let fetched = log.read(0, ReadLimits::new().isolation(IsolationLevel::ReadCommitted)).unwrap();
    assert_eq!(fetched.next_offset(), 7);
    let aborted = fetched.aborted_transactions().iter();
    let aborted: Vec<_> =
        aborted.map(|aborted| (aborted.producer_id, aborted.first_offset, aborted.last_offset)).collect();
    assert_eq!(aborted, [(4000, 2, 4)]);

    let mut consumer = store.consumer(esker::ConsumerConfig::new()).unwrap();
    consumer.assign([("t", 0)]).unwrap();
    consumer.seek_to_beginning().unwrap();
    let consumed = consumer.poll(std::time::Duration::ZERO).unwrap();
    let offsets: Vec<_> = consumed.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 5, 6, 7], "markers are not for consumers");
    let config = esker::ConsumerConfig::new().isolation_level(IsolationLevel::ReadCommitted);
    let mut consumer = store.consumer(config).unwrap();
    consumer.assign([("t", 0)]).unwrap();
    consumer.seek_to_beginning().unwrap();
    let consumed = consumer.poll(std::time::Duration::ZERO).unwrap();
    let offsets: Vec<_> = consumed.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [0, 1, 3, 5, 6], "nor what was aborted, nor what is not decided");
}

#[test]
fn kafkas_directory_opens_as_it_was_closed() {
    let dir = tempfile::tempdir().unwrap();
    write_kafkas_directory(dir.path());
    fs::write(dir.path().join(".kafka_cleanshutdown"), r#"{"version":0,"brokerEpoch":12}"#).unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    assert!(store.recovery_report().clean_shutdown && store.recovery_report().is_healthy());
    assert_eq!(store.recovery_report().partitions[0].segments_checked, 0);
    check_kafkas_records(&store);
    store.close().unwrap();
    let partition = dir.path().join("t-0");
    assert_eq!(fs::read(partition.join("00000000000000000000.log")).unwrap(), hex(KAFKA_LOG));
    assert_eq!(fs::read(partition.join("00000000000000000000.index")).unwrap(), hex(KAFKA_INDEX));
    assert_eq!(fs::read(partition.join("00000000000000000000.timeindex")).unwrap(), hex(KAFKA_TIME_INDEX));
    assert_eq!(fs::read(partition.join("00000000000000000000.txnindex")).unwrap(), hex(KAFKA_TXN_INDEX));
    assert_eq!(fs::read(partition.join("00000000000000000008.snapshot")).unwrap(), hex(KAFKA_SNAPSHOT));
    assert_eq!(file_text(&partition, "leader-epoch-checkpoint"), "0\n2\n0 0\n1 3\n");
    drop(store);

    let store = manual().0.open(dir.path()).unwrap();
    let log = store.partition("t", 0).unwrap();
    assert_eq!(append(&log, NOW_MS + 60, &["ours"]), 8);
    assert_eq!(log.offset_for_timestamp(NOW_MS + 51).unwrap().unwrap().offset, 8);
}

#[test]
fn kafkas_directory_opens_after_a_crash() {
    for missing in [&[][..], &[".index"], &[".timeindex"], &[".index", ".timeindex", ".txnindex"]] {
        let dir = tempfile::tempdir().unwrap();
        write_kafkas_directory(dir.path());
        if missing.len() > 1 {
            fs::remove_file(dir.path().join("t-0/00000000000000000008.snapshot")).unwrap();
        }
        for suffix in missing {
            fs::remove_file(dir.path().join(format!("t-0/00000000000000000000{suffix}"))).unwrap();
        }
        let store = manual().0.open(dir.path()).unwrap();
        let report = store.recovery_report();
        assert!(!report.clean_shutdown && report.is_healthy());
        assert_eq!((report.partitions[0].segments_checked, report.partitions[0].bytes_checked), (1, 481));
        check_kafkas_records(&store);
        store.close().unwrap();
        let partition = dir.path().join("t-0");
        assert_eq!(fs::read(partition.join("00000000000000000000.log")).unwrap(), hex(KAFKA_LOG));
        // With the default index.interval.bytes nothing but the largest timestamp is left to index.
        assert_eq!(fs::read(partition.join("00000000000000000000.index")).unwrap(), hex(""));
        let last = hex("0000018bcfe5683200000007");
        assert_eq!(fs::read(partition.join("00000000000000000000.timeindex")).unwrap(), last);
        assert_eq!(fs::read(partition.join("00000000000000000000.txnindex")).unwrap(), hex(KAFKA_TXN_INDEX));
        assert_eq!(fs::read(partition.join("00000000000000000008.snapshot")).unwrap(), hex(KAFKA_SNAPSHOT));
    }
}

#[test]
fn a_crashed_directory_of_kafkas_ends_where_kafka_would_end_it() {
    let log_file = |dir: &Path| dir.join("t-0/00000000000000000000.log");
    let dir = tempfile::tempdir().unwrap();
    write_kafkas_directory(dir.path());
    let mut bytes = hex(KAFKA_LOG);
    bytes[250] ^= 0xff;
    fs::write(log_file(dir.path()), &bytes).unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    assert_eq!(store.partition("t", 0).unwrap().log_end(), 3);
    let cut = &store.recovery_report().partitions[0].cuts[0];
    assert_eq!((cut.position, cut.bytes), (184, 481 - 184));
    let kept = fs::read(dir.path().join("t-0").join(&cut.kept_as)).unwrap();
    assert_eq!(kept, bytes[184..], "and nothing is thrown away");
    store.close().unwrap();
    assert_eq!(fs::read(log_file(dir.path())).unwrap(), bytes[..184]);

    let dir = tempfile::tempdir().unwrap();
    write_kafkas_directory(dir.path());
    let torn = [hex(KAFKA_LOG), hex(KAFKA_LOG)[..40].to_vec()].concat();
    fs::write(log_file(dir.path()), torn).unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    check_kafkas_records(&store);
    store.close().unwrap();
    assert_eq!(fs::read(log_file(dir.path())).unwrap(), hex(KAFKA_LOG));
}

#[test]
fn retention_takes_nothing_from_a_topic_whose_configs_are_kafkas_to_know() {
    let dir = tempfile::tempdir().unwrap();
    write_kafkas_directory(dir.path());
    for round in 0..2 {
        let (options, clock) = manual();
        let config = StoreConfig { producer_id_expiration_check_interval_ms: i64::MAX, ..StoreConfig::default() };
        let store = options.config(config).open(dir.path()).unwrap();
        if round == 0 {
            create(&store, "ours");
            append(&store.partition("ours", 0).unwrap(), NOW_MS, &["old"]);
        }
        clock.advance(100 * 86_400_000);
        store.tick().unwrap();
        check_kafkas_records(&store);
        let config = store.describe_topic("t").unwrap().config;
        assert_eq!(config.overrides(), [("retention.bytes", "-1".to_owned()), ("retention.ms", "-1".to_owned())]);
        assert_eq!(store.partition("ours", 0).unwrap().log_start(), 1, "the default of a topic that was created here");
        assert!(store.describe_topic("ours").unwrap().config.overrides().is_empty());
        store.close().unwrap();
    }
}

#[test]
fn a_partition_is_written_as_kafka_writes_it() {
    let dir = tempfile::tempdir().unwrap();
    let (options, clock) = manual();
    let store = options.open(dir.path()).unwrap();
    store.create_topic("t", TopicConfig::new().index_interval_bytes(100)).unwrap();
    let log = store.partition("t", 0).unwrap();
    let append = |mut builder: BatchBuilder, records: &[(i64, &str, &str)]| {
        for (at, key, value) in records {
            builder.push(&RecordData::new(Some(key.as_bytes()), Some(value.as_bytes())).at(NOW_MS + at)).unwrap();
        }
        log.append(builder.build().unwrap(), Acks::Leader).unwrap();
    };
    append(BatchBuilder::new(1000), &[(0, "a", "1"), (10, "b", "2")]);
    append(BatchBuilder::new(1000).producer(4000, 0, 0).transactional(true), &[(20, "c", &"3".repeat(36))]);
    log.set_leader_epoch(1).unwrap();
    append(BatchBuilder::new(1000), &[(15, "d", "4")]);
    clock.advance(30);
    let marker = EndTransactionMarker { result: TransactionResult::Abort, coordinator_epoch: 7 };
    log.append_end_transaction_marker(4000, 0, marker, Acks::Leader).unwrap();
    append(BatchBuilder::new(1000).producer(4001, 1, 10), &[(40, "e", "5"), (41, "f", "6")]);
    append(BatchBuilder::new(1000).producer(4002, 3, 0).transactional(true), &[(50, "g", "7")]);
    store.close().unwrap();
    let partition = dir.path().join("t-0");
    for (name, bytes) in [
        ("00000000000000000000.log", KAFKA_LOG),
        ("00000000000000000000.index", KAFKA_INDEX),
        ("00000000000000000000.timeindex", KAFKA_TIME_INDEX),
        ("00000000000000000000.txnindex", KAFKA_TXN_INDEX),
        ("00000000000000000008.snapshot", KAFKA_SNAPSHOT),
    ] {
        assert_eq!(fs::read(partition.join(name)).unwrap(), hex(bytes), "{name}");
    }
    assert_eq!(file_text(&partition, "leader-epoch-checkpoint"), "0\n2\n0 0\n1 3\n");
}

#[test]
fn offsets_are_committed_in_kafkas_records() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
    let mut offset = CommittedOffset::new(42);
    offset.leader_epoch = Some(3);
    store.commit_offsets("g1", [(("t", 2).into(), offset)], Acks::All).unwrap();
    store.delete_topic("t").unwrap();
    let logs = (0..50).map(|partition| store.partition("__consumer_offsets", partition).unwrap());
    let [log] = &logs.filter(|log| log.log_end() > 0).collect::<Vec<_>>()[..] else {
        panic!("a group has a partition")
    };
    // Java's "g1".hashCode() is 3242.
    assert_eq!(log.topic_partition().partition, 3242 % 50);
    let fetched = log.read(0, ReadLimits::new()).unwrap();
    let found: Vec<(Option<Bytes>, Option<Bytes>)> = fetched
        .batches()
        .flat_map(|batch| {
            let records = batch.unwrap().records().unwrap();
            let own = |bytes: Option<&[u8]>| bytes.map(Bytes::copy_from_slice);
            let pairs: Vec<_> = records
                .iter()
                .map(|record| record.map(|record| (own(record.key), own(record.value))).unwrap())
                .collect();
            pairs
        })
        .collect();
    let key = Bytes::from(hex("00010002673100017400000002"));
    let value = Bytes::from(hex("0003000000000000002a0000000300000000018bcfe56800"));
    assert_eq!(found, [(Some(key.clone()), Some(value)), (Some(key), None)], "and taken back with the topic");
}

#[test]
fn a_damaged_commit_costs_its_group_that_commit_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    create(&store, "t");
    let commit = |group, offset| {
        store.commit_offsets(group, [(("t", 0).into(), CommittedOffset::new(offset))], Acks::Leader).unwrap();
    };
    commit("g1", 10);
    commit("g2", 20);
    commit("g1", 11);
    commit("g1", 12);
    let size = store.partition("__consumer_offsets", 3242 % 50).unwrap().size_in_bytes() / 3;
    store.close().unwrap();
    drop(store);
    let log = dir.path().join("__consumer_offsets-42/00000000000000000000.log");
    let mut bytes = fs::read(&log).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&log, &bytes).unwrap();

    for is_clean in [true, false] {
        if !is_clean {
            fs::remove_file(dir.path().join(".kafka_cleanshutdown")).unwrap();
        }
        let store = manual().0.open(dir.path()).unwrap();
        assert_eq!(store.committed_offset("g1", &("t", 0).into()).unwrap().unwrap().offset, 11, "the one before");
        assert_eq!(store.committed_offset("g2", &("t", 0).into()).unwrap().unwrap().offset, 20);
        let damage: Vec<_> = store.recovery_report().partitions.iter().flat_map(|found| &found.damage).collect();
        match &damage[..] {
            [Damage { error: Error::CorruptRecord { file: Some(file), position, offsets, .. }, .. }] => {
                assert_eq!((file, *position, offsets), (&log, 2 * size, &Some(2..=2)));
            }
            other => panic!("{other:?}"),
        }
        assert!(!store.recovery_report().is_healthy());
        store.close().unwrap();
    }
}

#[test]
fn a_topic_of_kafkas_can_be_altered_and_is_ours_to_configure_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    write_kafkas_directory(dir.path());
    let store = manual().0.open(dir.path()).unwrap();
    store.alter_topic_configs("t", &[AlterConfigOp::set("segment.ms", "5")]).unwrap();
    store.create_partitions("t", 3).unwrap();
    append(&store.partition("t", 2).unwrap(), NOW_MS, &["new"]);
    store.close().unwrap();
    drop(store);
    let store = manual().0.open(dir.path()).unwrap();
    check_kafkas_records(&store);
    let forever = |key| (key, "-1".to_owned());
    let expected = [forever("retention.bytes"), forever("retention.ms"), ("segment.ms", "5".to_owned())];
    assert_eq!(store.describe_topic("t").unwrap().config.overrides(), expected);
    assert_eq!(values(&store.partition("t", 2).unwrap()), ["new"]);
    let id = |index| file_text(&dir.path().join(format!("t-{index}")), "partition.metadata");
    assert_eq!((id(1), id(2)), (id(0), id(0)));
}

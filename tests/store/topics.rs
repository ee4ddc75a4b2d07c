//! Topics: their names, ids and configs, and the offsets that are committed in them.

use std::fs;
use std::sync::Arc;

use esker::io::MemoryStorage;
use esker::{
    Acks, CleanupPolicy, CommittedOffset, Error, RepairOptions, Store, StoreConfig, TopicConfig, TopicNameError,
    TopicPartition,
};

use crate::api::{NOW_MS, append, manual, manual_store};
use crate::{create, file_text, names};

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
    assert_eq!(store.committed_offset("g", ("t", 0)).unwrap().unwrap().offset, 0);
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
    assert_eq!(open().committed_offset("g", ("t", 0)).unwrap().unwrap().metadata, offset().metadata);
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

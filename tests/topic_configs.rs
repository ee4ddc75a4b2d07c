//! The configuration of topics through the public API: Kafka's complete list of configs, changes to it while a store is
//! open, where values come from, and partitions that are added.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api::{NOW_MS, append, manual, manual_store, records, values};
use esker::io::MemoryStorage;
use esker::record::{BatchBuilder, RecordData};
use esker::{
    Acks, AlterConfigOp, CommittedOffset, ConfigEntry, ConfigSource, ConfigType, ConsumerConfig, Error, ProducerConfig,
    Record, Store, StoreConfig, TopicConfig, TopicDefaults, TopicPartition,
};

const LONG_MAX: &str = "9223372036854775807";
const REPLICAS: &[&str] = &["*", "0:1", "0:1,1:2", ""];
const INT_MAX: &str = "2147483647";

/// The topic configs of Kafka 4 with their types and defaults, the least and the greatest value, and what the broker
/// calls them.
const KAFKAS: [(&str, ConfigType, &str, &[&str], &str); 34] = [
    (
        "cleanup.policy",
        ConfigType::List,
        "delete",
        &["compact", "delete", "compact,delete", "delete,compact"],
        "log.cleanup.policy",
    ),
    ("compression.gzip.level", ConfigType::Int, "-1", &["-1", "1", "9"], "compression.gzip.level"),
    ("compression.lz4.level", ConfigType::Int, "9", &["1", "17"], "compression.lz4.level"),
    (
        "compression.type",
        ConfigType::String,
        "producer",
        &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"],
        "compression.type",
    ),
    ("compression.zstd.level", ConfigType::Int, "3", &["-131072", "22"], "compression.zstd.level"),
    ("delete.retention.ms", ConfigType::Long, "86400000", &["0", LONG_MAX], "log.cleaner.delete.retention.ms"),
    ("file.delete.delay.ms", ConfigType::Long, "60000", &["0", LONG_MAX], "log.segment.delete.delay.ms"),
    ("flush.messages", ConfigType::Long, LONG_MAX, &["1", LONG_MAX], "log.flush.interval.messages"),
    ("flush.ms", ConfigType::Long, LONG_MAX, &["0", LONG_MAX], "log.flush.interval.ms"),
    ("index.interval.bytes", ConfigType::Int, "4096", &["0", INT_MAX], "log.index.interval.bytes"),
    ("max.compaction.lag.ms", ConfigType::Long, LONG_MAX, &["1", LONG_MAX], "log.cleaner.max.compaction.lag.ms"),
    ("max.message.bytes", ConfigType::Int, "1048588", &["0", INT_MAX], "message.max.bytes"),
    (
        "message.timestamp.after.max.ms",
        ConfigType::Long,
        "3600000",
        &["0", LONG_MAX],
        "log.message.timestamp.after.max.ms",
    ),
    (
        "message.timestamp.before.max.ms",
        ConfigType::Long,
        LONG_MAX,
        &["0", LONG_MAX],
        "log.message.timestamp.before.max.ms",
    ),
    (
        "message.timestamp.type",
        ConfigType::String,
        "CreateTime",
        &["CreateTime", "LogAppendTime"],
        "log.message.timestamp.type",
    ),
    ("min.cleanable.dirty.ratio", ConfigType::Double, "0.5", &["0.0", "1.0"], "log.cleaner.min.cleanable.ratio"),
    ("min.compaction.lag.ms", ConfigType::Long, "0", &["0", LONG_MAX], "log.cleaner.min.compaction.lag.ms"),
    ("min.insync.replicas", ConfigType::Int, "1", &["1", INT_MAX], "min.insync.replicas"),
    ("preallocate", ConfigType::Boolean, "false", &["true", "false"], "log.preallocate"),
    ("retention.bytes", ConfigType::Long, "-1", &["-9223372036854775808", LONG_MAX], "log.retention.bytes"),
    ("retention.ms", ConfigType::Long, "604800000", &["-1", LONG_MAX], "log.retention.ms"),
    ("segment.bytes", ConfigType::Int, "1073741824", &["1048576", INT_MAX], "log.segment.bytes"),
    // Kafka takes from 4, but a new index needs room for more than that, for one entry in each index and the last one
    // of the time index.
    ("segment.index.bytes", ConfigType::Int, "10485760", &["24", INT_MAX], "log.index.size.max.bytes"),
    ("segment.jitter.ms", ConfigType::Long, "0", &["0", LONG_MAX], "log.roll.jitter.ms"),
    ("segment.ms", ConfigType::Long, "604800000", &["1", LONG_MAX], "log.roll.ms"),
    (
        "unclean.leader.election.enable",
        ConfigType::Boolean,
        "false",
        &["true", "false"],
        "unclean.leader.election.enable",
    ),
    // These do nothing here. In Kafka the throttles and the tiers have no broker config for all topics.
    ("follower.replication.throttled.replicas", ConfigType::List, "", REPLICAS, ""),
    ("leader.replication.throttled.replicas", ConfigType::List, "", REPLICAS, ""),
    ("local.retention.bytes", ConfigType::Long, "-2", &["-2", LONG_MAX], "log.local.retention.bytes"),
    ("local.retention.ms", ConfigType::Long, "-2", &["-2", LONG_MAX], "log.local.retention.ms"),
    ("remote.log.copy.disable", ConfigType::Boolean, "false", &["true", "false"], ""),
    ("remote.log.delete.on.disable", ConfigType::Boolean, "false", &["true", "false"], ""),
    ("remote.storage.enable", ConfigType::Boolean, "false", &["false"], ""),
    // For tests, in Kafka too, where the broker has no default for it.
    ("internal.segment.bytes", ConfigType::Int, "0", &["0", INT_MAX], ""),
];

/// Those that Kafka had once.
const WITHOUT_MEANING: [&str; 3] =
    ["message.downconversion.enable", "message.format.version", "message.timestamp.difference.max.ms"];

fn config_of(store: &Store, topic: &str, name: &str) -> ConfigEntry {
    let entries = store.describe_topic_configs(topic).unwrap();
    entries.into_iter().find(|entry| entry.name == name).unwrap()
}

fn set(store: &Store, topic: &str, key: &str, value: &str) {
    store.alter_topic_configs(topic, &[AlterConfigOp::set(key, value)]).unwrap();
}

#[test]
fn every_config_of_kafkas_is_there_or_refused_for_a_reason() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let mut known = BTreeSet::new();
    for (key, config_type, default, valid, broker_key) in KAFKAS {
        known.insert(key);
        let entry = config_of(&store, "t", key);
        assert_eq!((entry.config_type, &*entry.value), (config_type, default), "{key}");
        assert!(entry.is_default() && !entry.documentation.is_empty(), "{key}");
        for value in valid {
            set(&store, "t", key, value);
            assert_eq!(config_of(&store, "t", key).value, *value, "{key}");
            if !broker_key.is_empty() {
                TopicDefaults::new().set(broker_key, value).unwrap_or_else(|error| panic!("{broker_key}: {error}"));
            }
        }
        let beyond = |value: &str, by: i128| value.parse::<i128>().map(|value| (value + by).to_string());
        let numbers = matches!(config_type, ConfigType::Int | ConfigType::Long);
        let outside = [beyond(valid[0], -1), beyond(valid[valid.len() - 1], 1)];
        let outside = outside.into_iter().flatten().filter(|_| numbers);
        for bad in outside.chain(["x".to_owned(), "1e400".to_owned()]) {
            match store.alter_topic_configs("t", &[AlterConfigOp::set(key, &*bad)]) {
                Err(Error::InvalidConfig { key: named, value, .. }) => assert_eq!((&*named, value), (key, bad)),
                other => panic!("{key} = {bad:?}: {other:?}"),
            }
        }
        store.alter_topic_configs("t", &[AlterConfigOp::delete(key)]).unwrap();
    }
    assert_eq!(TopicConfig::keys().collect::<BTreeSet<_>>(), known, "and there are no others");
    assert!(store.describe_topic_configs("t").unwrap().iter().all(ConfigEntry::is_default));

    let tiered = store.alter_topic_configs("t", &[AlterConfigOp::set("remote.storage.enable", "true")]);
    assert!(matches!(tiered, Err(Error::UnsupportedConfig { .. })), "{tiered:?}");
    let tiered = store.create_topic("tiered", TopicConfig::new().remote_storage_enable(true));
    assert!(matches!(tiered, Err(Error::UnsupportedConfig { .. })), "{tiered:?}");
    for replicas in ["0", "0:", ":1", "0:1:2", "*,0:1", "a:b", "0:1 1:2"] {
        let throttled =
            store.alter_topic_configs("t", &[AlterConfigOp::set("leader.replication.throttled.replicas", replicas)]);
        assert!(matches!(throttled, Err(Error::InvalidConfig { .. })), "{replicas}");
    }

    for key in WITHOUT_MEANING {
        for change in [AlterConfigOp::set(key, "true"), AlterConfigOp::delete(key), AlterConfigOp::append(key, "x")] {
            match store.alter_topic_configs("t", &[change]) {
                Err(error @ Error::UnsupportedConfig { .. }) => {
                    assert!(error.to_string().starts_with(&format!("config {key} is Kafka's")), "{error}");
                }
                other => panic!("{key}: {other:?}"),
            }
        }
        assert!(matches!(TopicConfig::new().set(key, "1"), Err(Error::UnsupportedConfig { .. })));
    }
    assert!(matches!(TopicConfig::new().set("retention", "1"), Err(Error::InvalidConfig { .. })));
}

#[test]
fn configs_are_altered_by_kafkas_operations_all_or_none() {
    let disk = Arc::new(MemoryStorage::new());
    let store = manual().0.storage(disk.clone()).open("data").unwrap();
    store.create_topic("t", TopicConfig::new().retention_ms(5)).unwrap();
    let overrides = |store: &Store| store.describe_topic("t").unwrap().config.overrides();
    let policy = |change| {
        store.alter_topic_configs("t", &[change]).unwrap();
        config_of(&store, "t", "cleanup.policy").value
    };
    assert_eq!(policy(AlterConfigOp::append("cleanup.policy", "delete")), "delete");
    assert_eq!(policy(AlterConfigOp::append("cleanup.policy", "compact")), "delete,compact");
    assert_eq!(policy(AlterConfigOp::subtract("cleanup.policy", "delete, nothing")), "compact");
    assert_eq!(policy(AlterConfigOp::subtract("cleanup.policy", "compact")), "");
    assert_eq!(policy(AlterConfigOp::delete("cleanup.policy")), "delete");
    assert_eq!(policy(AlterConfigOp::subtract("cleanup.policy", "delete")), "", "from the default");

    let before = overrides(&store);
    let good = AlterConfigOp::set("segment.ms", "9");
    for bad in [
        AlterConfigOp::set("segment.ms", "8"),
        AlterConfigOp::set("retention.ms", "-2"),
        AlterConfigOp::set("retention", "1"),
        AlterConfigOp::append("retention.ms", "1"),
        AlterConfigOp::append("cleanup.policy", "keep"),
        AlterConfigOp::set("min.compaction.lag.ms", "9223372036854775808"),
    ] {
        let altered = store.alter_topic_configs("t", &[good.clone(), bad.clone()]);
        assert!(matches!(altered, Err(Error::InvalidConfig { .. })), "{bad:?}: {altered:?}");
        assert_eq!(overrides(&store), before);
    }
    let lags = [AlterConfigOp::set("min.compaction.lag.ms", "5"), AlterConfigOp::set("max.compaction.lag.ms", "4")];
    assert!(store.alter_topic_configs("t", &lags).is_err());
    let unknown = store.alter_topic_configs("u", std::slice::from_ref(&good)).unwrap_err();
    assert!(matches!(unknown, Error::UnknownTopicOrPartition { .. }));
    assert_eq!(unknown.to_string(), "unknown topic or partition u", "nobody named a partition");

    let changes =
        [good, AlterConfigOp::delete("retention.ms"), AlterConfigOp::append("cleanup.policy", "delete,compact")];
    store.alter_topic_configs("t", &changes).unwrap();
    set(&store, "t", "leader.replication.throttled.replicas", "0:1, 1:2");
    let after = [
        ("cleanup.policy", "delete,compact".to_owned()),
        ("leader.replication.throttled.replicas", "0:1,1:2".to_owned()),
        ("segment.ms", "9".to_owned()),
    ];
    assert_eq!(overrides(&store), after);
    drop(store);
    let store = manual().0.storage(disk).open("data").unwrap();
    assert_eq!(overrides(&store), after);
}

#[test]
fn the_stores_own_topics_are_configured_too_but_stay_compacted() {
    const OFFSETS: &str = "__consumer_offsets";
    let disk = Arc::new(MemoryStorage::new());
    let store = manual().0.storage(disk.clone()).open("data").unwrap();
    let overrides = |store: &Store| store.describe_topic(OFFSETS).unwrap().config.overrides();
    let smaller = AlterConfigOp::set("segment.bytes", "1048576");
    let altered = store.alter_topic_configs(OFFSETS, std::slice::from_ref(&smaller));
    assert!(matches!(altered, Err(Error::UnknownTopicOrPartition { .. })), "nobody has committed yet");

    store.create_topic("t", TopicConfig::new()).unwrap();
    let partition = TopicPartition::new("t", 0);
    store.commit_offsets("g", [(partition.clone(), CommittedOffset::new(7))], Acks::All).unwrap();
    let created = |segment_bytes: &str| {
        [("cleanup.policy", "compact"), ("compression.type", "producer"), ("segment.bytes", segment_bytes)]
            .map(|(key, value)| (key, value.to_owned()))
    };
    assert_eq!(overrides(&store), created("104857600"));
    for forgetful in [
        AlterConfigOp::set("cleanup.policy", "delete"),
        AlterConfigOp::append("cleanup.policy", "delete"),
        AlterConfigOp::delete("cleanup.policy"),
    ] {
        let altered = store.alter_topic_configs(OFFSETS, &[smaller.clone(), forgetful]);
        assert!(matches!(altered, Err(Error::InvalidConfig { .. })), "{altered:?}");
    }
    assert_eq!(overrides(&store), created("104857600"));
    store.alter_topic_configs(OFFSETS, &[smaller]).unwrap();
    assert_eq!(overrides(&store), created("1048576"));
    drop(store);

    let store = manual().0.storage(disk).open("data").unwrap();
    assert_eq!(overrides(&store), created("1048576"));
    assert_eq!(store.committed_offset("g", &partition).unwrap().map(|committed| committed.offset), Some(7));
}

#[test]
fn what_is_open_lives_by_the_new_configuration() {
    let (options, clock) = manual();
    let store = options.storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let log = store.partition("t", 0).unwrap();
    let segments_after = |value: &str| {
        append(&log, NOW_MS, &[value]);
        log.segment_count()
    };
    assert_eq!((segments_after("a"), segments_after("b")), (1, 1));
    set(&store, "t", "internal.segment.bytes", "100");
    assert_eq!((segments_after("c"), segments_after("d")), (2, 3));
    let large = "x".repeat(100);
    let mut builder = BatchBuilder::new(1 << 20);
    builder.push(&RecordData::of(large.as_bytes()).at(NOW_MS)).unwrap();
    let refused = log.append(builder.build().unwrap(), Acks::Leader);
    assert!(matches!(refused, Err(Error::MessageTooLarge { limit: "segment.bytes", .. })), "{refused:?}");
    // The segment that is open was made for less, and takes no more.
    set(&store, "t", "internal.segment.bytes", "1000");
    assert_eq!((segments_after(&large), segments_after(&large)), (4, 4));

    set(&store, "t", "max.message.bytes", "100");
    let refused = log.append(builder.build().unwrap(), Acks::Leader);
    assert!(matches!(refused, Err(Error::MessageTooLarge { limit: "max.message.bytes", max: 100, .. })));
    set(&store, "t", "message.timestamp.type", "LogAppendTime");
    clock.advance(7);
    append(&log, NOW_MS, &["late"]);
    assert_eq!(api::batches(&log).last().unwrap().max_timestamp, NOW_MS + 7);

    assert_eq!(log.log_start(), 0);
    set(&store, "t", "retention.bytes", "0");
    clock.advance(300_000);
    store.tick().unwrap();
    assert_eq!(log.log_start(), log.log_end());
}

#[test]
fn an_empty_segment_makes_room_for_what_larger_segments_take() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new().internal_segment_bytes(200)).unwrap();
    let log = store.partition("t", 0).unwrap();
    // It is opened for appending, and nothing is appended.
    log.set_leader_epoch(1).unwrap();
    set(&store, "t", "internal.segment.bytes", "1000");
    let large = "x".repeat(500);
    assert_eq!((append(&log, NOW_MS, &[&large]), log.segment_count()), (0, 1));
    assert_eq!(values(&log), [large]);
}

#[test]
fn a_producer_keeps_to_a_limit_that_is_set_while_it_sends() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let producer = store.producer(ProducerConfig::new().linger(Duration::from_secs(3600))).unwrap();
    let send = || producer.send_async(Record::to("t").value("x".repeat(50))).unwrap();
    drop(send());
    producer.flush().unwrap();
    let log = store.partition("t", 0).unwrap();
    set(&store, "t", "max.message.bytes", "200");
    let pending: Vec<_> = (0..4).map(|_| send()).collect();
    producer.flush().unwrap();
    assert!(pending.into_iter().all(|pending| pending.wait().is_ok()));
    assert_eq!(api::batch_counts(&log), [1, 2, 2]);
    set(&store, "t", "max.message.bytes", "1000");
    (0..4).for_each(|_| drop(send()));
    producer.flush().unwrap();
    assert_eq!(api::batch_counts(&log), [1, 2, 2, 4]);
}

#[test]
fn values_come_from_the_topic_or_the_store_or_kafka() {
    let mut config = StoreConfig::default();
    for (key, value) in [
        ("log.retention.hours", "2"),
        ("log.retention.minutes", "90"),
        ("log.roll.hours", "1"),
        ("log.roll.ms", "77"),
        ("message.max.bytes", "5000"),
        ("log.cleanup.policy", "compact"),
    ] {
        config.set(key, value).unwrap();
    }
    let disk = Arc::new(MemoryStorage::new());
    let open = |config: &StoreConfig| {
        let (options, clock) = manual();
        (options.storage(disk.clone()).config(config.clone()).open("data").unwrap(), clock)
    };
    let (store, _) = open(&config);
    store.create_topic("t", TopicConfig::new().max_message_bytes(6000)).unwrap();
    let describe = |name| {
        let entry = config_of(&store, "t", name);
        let synonyms: Vec<_> =
            entry.synonyms.iter().map(|synonym| (synonym.name, &*synonym.value, synonym.source)).collect();
        (entry.value.clone(), entry.source, format!("{synonyms:?}"))
    };
    let (topic, broker, default) =
        (ConfigSource::DynamicTopicConfig, ConfigSource::StaticBrokerConfig, ConfigSource::DefaultConfig);
    let expect = |name, value: &str, synonyms: &[(&str, &str, ConfigSource)]| {
        let source = synonyms.first().map_or(default, |first| first.2);
        assert_eq!(describe(name), (value.to_owned(), source, format!("{synonyms:?}")), "{name}");
    };
    // Of several the finest unit counts, whatever the order; where it comes from is told if it has the first name.
    expect("retention.ms", "5400000", &[]);
    expect(
        "segment.ms",
        "77",
        &[("log.roll.ms", "77", broker), ("log.roll.hours", "1", broker), ("log.roll.hours", "168", default)],
    );
    expect(
        "max.message.bytes",
        "6000",
        &[
            ("max.message.bytes", "6000", topic),
            ("message.max.bytes", "5000", broker),
            ("message.max.bytes", "1048588", default),
        ],
    );
    expect("segment.bytes", "1073741824", &[("log.segment.bytes", "1073741824", default)]);
    expect("flush.ms", LONG_MAX, &[]);
    assert_eq!(config_of(&store, "t", "cleanup.policy").value, "compact");
    let mut builder = BatchBuilder::new(100);
    builder.push(&RecordData::of(b"v").at(NOW_MS)).unwrap();
    let keyless = store.partition("t", 0).unwrap().append(builder.build().unwrap(), Acks::Leader);
    assert!(matches!(keyless, Err(Error::InvalidRecord { .. })), "logs live by the store's defaults: {keyless:?}");
    assert_eq!(store.describe_topic("t").unwrap().config.overrides(), [("max.message.bytes", "6000".to_owned())]);
    store.alter_topic_configs("t", &[AlterConfigOp::delete("max.message.bytes")]).unwrap();
    assert_eq!(config_of(&store, "t", "max.message.bytes").value, "5000");
    drop(store);

    // What a topic did not set is not written down with it.
    let (store, clock) = open(&StoreConfig::default());
    assert!(store.describe_topic_configs("t").unwrap().iter().all(ConfigEntry::is_default));
    append(&store.partition("t", 0).unwrap(), NOW_MS, &["old"]);
    drop(store);
    clock.advance(1);
    config.set("log.retention.ms", "-7").unwrap();
    config.set("log.cleanup.policy", "delete").unwrap();
    let (store, clock) = open(&config);
    assert_eq!(config_of(&store, "t", "retention.ms").value, "-1", "for ever");
    clock.advance(400 * 86_400_000);
    store.tick().unwrap();
    assert_eq!(store.partition("t", 0).unwrap().log_start(), 0);
}

#[test]
fn a_store_is_configured_by_the_names_of_brokers() {
    let mut config = StoreConfig::default();
    for (key, value) in [
        ("num.recovery.threads.per.data.dir", "3"),
        ("log.retention.check.interval.ms", "4"),
        ("log.flush.offset.checkpoint.interval.ms", "5"),
        ("offsets.topic.num.partitions", "6"),
        ("offset.metadata.max.bytes", "7"),
        ("sync", "os-managed"),
        ("log.cleaner.io.max.bytes.per.second", "1000000.0"),
        ("group.consumer.assignors", "range, org.apache.kafka.coordinator.group.assignor.UniformAssignor,range"),
        ("group.consumer.migration.policy", "UPGRADE"),
    ] {
        config.set(key, value).unwrap();
    }
    assert_eq!((config.num_recovery_threads_per_data_dir, config.log_retention_check_interval_ms), (3, 4));
    assert_eq!((config.log_flush_offset_checkpoint_interval_ms, config.offsets_topic_num_partitions), (5, 6));
    assert_eq!(config.log_cleaner_io_max_bytes_per_second, 1_000_000.0);
    assert_eq!((config.offset_metadata_max_bytes, config.sync), (7, esker::SyncPolicy::OsManaged));
    let names: Vec<_> = config.group_consumer_assignors.iter().map(|assignor| assignor.name()).collect();
    assert_eq!((&*names, config.group_consumer_migration_policy.name()), (&["range", "uniform"][..], "upgrade"));
    for (key, value) in [
        ("group.consumer.assignors", "sticky"),
        ("group.consumer.migration.policy", "both"),
        ("offset.metadata.max.bytes", "2147483648"),
        ("log.retention.check.interval.ms", "0"),
        ("log.retention.hours", "soon"),
        ("log.retention.hours", "2147483648"),
        ("producer.id.expiration.ms", "2147483648"),
        ("log.cleaner.io.max.bytes.per.second", "NaN"),
        ("log.cleaner.io.max.bytes.per.second", "0.5"),
        ("log.roll.hours", "0"),
        ("log.segment.bytes", "1"),
        ("retention.ms", "1"),
        ("sync", "never"),
        ("log.dirs", "/"),
    ] {
        match config.set(key, value) {
            Err(Error::InvalidConfig { key: named, value: found, .. }) => assert_eq!((&*named, &*found), (key, value)),
            other => panic!("{key}: {other:?}"),
        }
    }
}

#[test]
fn partitions_are_added_and_used_at_once() {
    let disk = Arc::new(MemoryStorage::new());
    let store = manual().0.storage(disk.clone()).open("data").unwrap();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    let producer = store.producer(ProducerConfig::new()).unwrap();
    let send = |partition, value: &'static str| producer.send(Record::to("t").partition(partition).value(value));
    send(0, "a").unwrap();
    assert!(matches!(send(4, "b"), Err(Error::UnknownTopicOrPartition { .. })));
    let mut consumer = store.consumer(ConsumerConfig::new()).unwrap();
    consumer.assign_topics(["t"]).unwrap();
    for total in [-1, 0, 1, 2] {
        match store.create_partitions("t", total) {
            Err(Error::InvalidPartitions { partitions, at_least: 3 }) => assert_eq!(partitions, total),
            other => panic!("{other:?}"),
        }
    }
    store.create_partitions("t", 5).unwrap();
    assert_eq!((store.partition_count("t").unwrap(), store.describe_topic("t").unwrap().partitions.len()), (5, 5));
    assert_eq!(send(4, "b").unwrap().offset, Some(0));
    let spread: BTreeSet<_> = (0..100)
        .map(|key| producer.send(Record::to("t").key(format!("{key}")).value("")).unwrap().topic_partition.partition)
        .collect();
    assert_eq!(spread.len(), 5);
    consumer.assign_topics(["t"]).unwrap();
    consumer.seek_to_beginning().unwrap();
    let consumed = consumer.poll(Duration::ZERO).unwrap();
    assert!(consumed.iter().any(|record| record.partition == 4));
    assert!(matches!(store.create_partitions("u", 5), Err(Error::UnknownTopicOrPartition { .. })));
    assert!(matches!(store.create_partitions("__consumer_offsets", 500), Err(Error::InvalidTopic { .. })));
    // The configuration is that of the others.
    set(&store, "t", "retention.ms", "5");
    store.create_partitions("t", 6).unwrap();
    assert_eq!(config_of(&store, "t", "retention.ms").value, "5");
    let all: Vec<_> = (0..6).map(|index| records(&store.partition("t", index).unwrap())).collect();
    drop((producer, consumer, store));
    let store = manual().0.storage(disk).open("data").unwrap();
    assert_eq!(store.partition_count("t").unwrap(), 6);
    assert_eq!((0..6).map(|index| records(&store.partition("t", index).unwrap())).collect::<Vec<_>>(), all);
    assert!(store.recovery_report().leftovers.is_empty() && store.recovery_report().incomplete.is_empty());
}

#[test]
fn a_reader_beside_the_writer_sees_changes_and_makes_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let reader = Store::options().open_read_only(dir.path()).unwrap();
    set(&store, "t", "retention.ms", "5");
    store.create_partitions("t", 3).unwrap();
    reader.refresh().unwrap();
    assert_eq!(
        (config_of(&reader, "t", "retention.ms").value.as_str(), reader.partition_count("t").unwrap()),
        ("5", 3)
    );
    let altered = reader.alter_topic_configs("t", &[AlterConfigOp::delete("retention.ms")]);
    assert!(matches!(altered, Err(Error::ReadOnly { .. })));
    assert!(matches!(reader.create_partitions("t", 4), Err(Error::ReadOnly { .. })));
}

#[test]
fn a_store_says_what_it_was_opened_with() {
    let mut config = StoreConfig { offset_metadata_max_bytes: 100, ..StoreConfig::default() };
    config.set("log.roll.ms", "5000").unwrap();
    config.set("sync", "os-managed").unwrap();
    let store = Store::options().config(config).open_temporary().unwrap();
    let configs = store.describe_configs();
    assert!(configs.windows(2).all(|pair| pair[0].name < pair[1].name), "sorted, each once");
    let find = |name: &str| configs.iter().find(|config| config.name == name);
    for (name, value, source) in [
        ("offset.metadata.max.bytes", "100", ConfigSource::StaticBrokerConfig),
        ("offsets.topic.num.partitions", "50", ConfigSource::DefaultConfig),
        ("log.roll.ms", "5000", ConfigSource::StaticBrokerConfig),
        ("log.roll.hours", "168", ConfigSource::DefaultConfig),
        ("sync", "os-managed", ConfigSource::StaticBrokerConfig),
        ("log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308", ConfigSource::DefaultConfig),
    ] {
        let found = find(name).unwrap();
        assert_eq!((&*found.value, found.source), (value, source), "{name}");
        assert!(!found.documentation.is_empty());
        let default = found.synonyms.iter().find(|synonym| synonym.source == ConfigSource::DefaultConfig);
        let is_other_name = default.is_some_and(|default| default.name != name);
        assert_eq!(is_other_name, name == "log.roll.ms", "{name} has a default, or another name has it");
    }
    assert_eq!(find("log.retention.ms"), None, "nobody set it, and it has no default");
}

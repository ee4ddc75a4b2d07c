//! Groups from outside: what they have committed, how far behind that is, and how it is moved, deleted and forgotten.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::sync::Arc;
use std::time::Duration;

use api::{NOW_MS, TestClock, append, manual};
use esker::io::MemoryStorage;
use esker::{
    Acks, AlterConfigOp, AutoOffsetReset, CommittedOffset, ConfigSource, ConsumerConfig, Error, OffsetReset, Store,
    StoreConfig, TopicConfig, TopicPartition,
};

const MINUTE_MS: i64 = 60_000;

fn t(partition: i32) -> TopicPartition {
    ("t", partition).into()
}

/// A store with the topic `t` of two partitions, with ten records a second apart in the first one, of which the first
/// two are deleted.
fn store() -> (Store, TestClock) {
    let (options, clock) = manual();
    let config = StoreConfig { offsets_retention_minutes: 10, ..StoreConfig::default() };
    let store = options.config(config).storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    let log = store.partition("t", 0).unwrap();
    for at in 0..10 {
        append(&log, NOW_MS - 9_000 + 1_000 * at, &["value"]);
    }
    log.delete_records(2).unwrap();
    (store, clock)
}

fn commit(store: &Store, group: &str, partition: i32, offset: i64) {
    store.commit_offsets(group, [(t(partition), CommittedOffset::new(offset))], Acks::Leader).unwrap();
}

fn committed(store: &Store, group: &str, partition: i32) -> Option<i64> {
    store.committed_offset(group, t(partition)).unwrap().map(|committed| committed.offset)
}

#[test]
fn a_commit_comes_back_with_its_epoch_and_note() {
    let (store, _) = store();
    let offset = CommittedOffset::new(4).leader_epoch(3).metadata("half way");
    store
        .commit_offsets("g", [(t(0), offset), (t(1), CommittedOffset::new(0).leader_epoch(-1))], Acks::Leader)
        .unwrap();
    let described = store.describe_group("g").unwrap();
    assert_eq!(described.group, "g");
    let [first, second] = &described.offsets[..] else { panic!("{described:?}") };
    assert_eq!(
        (&first.topic_partition, first.log_start, first.log_end, first.lag()),
        (&t(0), Some(2), Some(10), Some(6))
    );
    assert_eq!((first.committed.leader_epoch, &*first.committed.metadata), (Some(3), "half way"));
    assert_eq!(first.committed.commit_timestamp, NOW_MS);
    assert_eq!((second.committed.leader_epoch, second.lag()), (None, Some(0)));
    assert!(matches!(store.describe_group("nobody"), Err(Error::GroupIdNotFound { group }) if group == "nobody"));
}

#[test]
fn a_consumer_commits_the_epoch_of_the_last_record_that_it_read() {
    let (store, _) = store();
    let log = store.partition("t", 0).unwrap();
    log.set_leader_epoch(4).unwrap();
    append(&log, NOW_MS, &["value"]);
    let mut consumer = store
        .consumer(ConsumerConfig::from("g").auto_offset_reset(AutoOffsetReset::Earliest).max_poll_records(8))
        .unwrap();
    consumer.assign([t(0)]).unwrap();
    for epoch in [0, 4] {
        consumer.poll(Duration::ZERO).unwrap();
        consumer.commit().unwrap();
        assert_eq!(consumer.committed(t(0)).unwrap().unwrap().leader_epoch, Some(epoch));
    }
    consumer.seek(t(0), 5).unwrap();
    consumer.commit().unwrap();
    assert_eq!(consumer.committed(t(0)).unwrap().unwrap().leader_epoch, None, "nothing was read there");
}

#[test]
fn a_reset_goes_where_kafkas_tool_goes_and_a_plan_nowhere() {
    let (store, _) = store();
    for (to, before, after) in [
        (OffsetReset::Earliest, None, 2),
        (OffsetReset::Latest, None, 10),
        (OffsetReset::Current, None, 10),
        (OffsetReset::Current, Some(5), 5),
        (OffsetReset::Offset(7), Some(5), 7),
        (OffsetReset::Offset(0), Some(5), 2),
        (OffsetReset::Offset(99), None, 10),
        (OffsetReset::Timestamp(NOW_MS - 3_500), None, 6),
        (OffsetReset::Timestamp(NOW_MS - 60_000), None, 2),
        (OffsetReset::Timestamp(NOW_MS + 1), None, 10),
        (OffsetReset::Duration(Duration::from_millis(3_500)), None, 6),
        (OffsetReset::Duration(Duration::MAX), None, 2),
        (OffsetReset::ShiftBy(3), Some(5), 8),
        (OffsetReset::ShiftBy(-2), Some(5), 3),
        (OffsetReset::ShiftBy(-99), Some(5), 2),
        (OffsetReset::ShiftBy(i64::MAX), Some(5), 10),
    ] {
        let _ = store.delete_group("g");
        before.into_iter().for_each(|offset| commit(&store, "g", 0, offset));
        let planned = store.plan_reset("g", [t(0)], to).unwrap();
        assert_eq!((planned[0].before, planned[0].after), (before, after), "{to:?} from {before:?}");
        assert_eq!(committed(&store, "g", 0), before, "a plan changes nothing");
        assert_eq!(store.reset_offsets("g", [t(0)], to).unwrap(), planned);
        assert_eq!(committed(&store, "g", 0), Some(after));
    }
    let shifted = store.reset_offsets("g", [t(0), t(1)], OffsetReset::ShiftBy(1));
    assert!(matches!(shifted, Err(Error::NoOffsetForPartition { topic_partition, .. }) if topic_partition == t(1)));
    assert_eq!(committed(&store, "g", 0), Some(10), "all or none");
    let unknown = store.plan_reset("g", [t(2)], OffsetReset::Earliest);
    assert!(matches!(unknown, Err(Error::UnknownTopicOrPartition { .. })));
}

#[test]
fn what_is_deleted_stays_deleted() {
    let storage = Arc::new(MemoryStorage::new());
    let open = || manual().0.storage(storage.clone()).open("data").unwrap();
    let store = open();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    for (group, partition) in [("g", 0), ("g", 1), ("h", 0)] {
        commit(&store, group, partition, 0);
    }
    store.delete_offsets("g", [t(1), t(5)]).unwrap();
    assert_eq!([committed(&store, "g", 0), committed(&store, "g", 1)], [Some(0), None]);
    store.delete_group("h").unwrap();
    assert!(matches!(store.delete_group("h"), Err(Error::GroupIdNotFound { .. })));
    assert!(matches!(store.delete_offsets("h", [t(0)]), Err(Error::GroupIdNotFound { .. })));
    assert_eq!(store.groups().unwrap(), ["g"]);
    store.close().unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.groups().unwrap(), ["g"]);
    assert_eq!([committed(&store, "g", 0), committed(&store, "g", 1)], [Some(0), None]);
}

#[test]
fn offsets_expire_when_they_were_committed_long_ago_and_nobody_uses_the_group() {
    let (store, clock) = store();
    commit(&store, "g", 0, 5);
    commit(&store, "used", 0, 5);
    let consumer = store.consumer("used").unwrap();
    clock.advance(6 * MINUTE_MS);
    commit(&store, "g", 1, 0);
    clock.advance(4 * MINUTE_MS - 1);
    store.tick().unwrap();
    assert_eq!([committed(&store, "g", 0), committed(&store, "g", 1)], [Some(5), Some(0)], "not yet");
    // They are looked for every ten minutes.
    clock.advance(1);
    store.tick().unwrap();
    assert_eq!([committed(&store, "g", 0), committed(&store, "g", 1)], [None, Some(0)]);
    assert_eq!(committed(&store, "used", 0), Some(5));
    drop(consumer);
    clock.advance(10 * MINUTE_MS);
    store.tick().unwrap();
    assert!(store.groups().unwrap().is_empty());
    // The topic says so too: a store that replays it comes to the same.
    let log = store.partition("__consumer_offsets", 3).unwrap();
    assert_eq!(log.log_end(), 4, "two commits of g, and what takes them back");
}

const ASSIGNMENT: &str = "consumer.assignment.interval.ms";
const SESSION: &str = "consumer.session.timeout.ms";
const HEARTBEAT: &str = "consumer.heartbeat.interval.ms";

/// The configs of a group that aren't Kafka's defaults, with where they come from.
fn configs(store: &Store, group: &str) -> Vec<(&'static str, String, ConfigSource)> {
    let all = store.describe_group_configs(group).unwrap();
    assert_eq!(all.iter().map(|config| config.name).collect::<Vec<_>>(), [ASSIGNMENT, HEARTBEAT, SESSION]);
    let set = all.into_iter().filter(|config| !config.is_default());
    set.map(|config| (config.name, config.value, config.source)).collect()
}

#[test]
fn a_group_keeps_its_configs_whatever_its_name_and_whether_it_is_there_or_not() {
    let disk = Arc::new(MemoryStorage::new());
    let open = || manual().0.storage(disk.clone()).open("data").unwrap();
    let store = open();
    let names = ["a group", "gruppe-\u{e4}%\n", "orders"];
    for (name, ms) in names.into_iter().zip(["50000", "55000", "60000"]) {
        let changes = [AlterConfigOp::set(SESSION, ms), AlterConfigOp::set(HEARTBEAT, "6000")];
        store.alter_group_configs(name, &changes).unwrap();
        store.alter_group_configs(name, &[AlterConfigOp::delete(HEARTBEAT)]).unwrap();
    }
    store.create_topic("t", TopicConfig::new()).unwrap();
    commit(&store, "orders", 0, 1);
    store.delete_group("orders").unwrap();
    store.alter_group_configs("none", &[AlterConfigOp::set(SESSION, "50000")]).unwrap();
    store.alter_group_configs("none", &[AlterConfigOp::delete(SESSION)]).unwrap();
    store.close().unwrap();
    drop(store);
    let store = open();
    let reader = Store::options().storage(disk.clone()).open_read_only("data").unwrap();
    let copy = Store::options().storage(disk.clone());
    store.snapshot("copy").unwrap();
    for store in [&store, &reader, &copy.open("copy").unwrap()] {
        assert_eq!(store.configured_groups().unwrap(), names);
        for (name, ms) in names.into_iter().zip(["50000", "55000", "60000"]) {
            assert_eq!(configs(store, name), [(SESSION, ms.to_owned(), ConfigSource::DynamicGroupConfig)]);
        }
        assert_eq!(configs(store, "none"), []);
    }
    // Another process sees what is altered meanwhile, and alters nothing.
    store.alter_group_configs("orders", &[AlterConfigOp::delete(SESSION)]).unwrap();
    assert_eq!(reader.configured_groups().unwrap(), names[..2]);
    assert!(matches!(reader.alter_group_configs("g", &[]), Err(Error::ReadOnly { .. })));
}

#[test]
fn a_group_has_what_the_store_lets_it_have_and_otherwise_what_the_store_has() {
    let config = StoreConfig {
        group_consumer_min_session_timeout_ms: 1000,
        group_consumer_min_heartbeat_interval_ms: 100,
        group_consumer_heartbeat_interval_ms: 7000,
        ..StoreConfig::default()
    };
    let store = manual().0.config(config).storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    let alter = |key: &str, value: &str| store.alter_group_configs("g", &[AlterConfigOp::set(key, value)]);
    assert_eq!(configs(&store, "g"), [(HEARTBEAT, "7000".to_owned(), ConfigSource::StaticBrokerConfig)]);
    for (key, value) in [
        (SESSION, "999"),
        (SESSION, "60001"),
        (SESSION, "7000"),
        (SESSION, "long"),
        (HEARTBEAT, "99"),
        (HEARTBEAT, "15001"),
        (ASSIGNMENT, "-1"),
        (ASSIGNMENT, "15001"),
        ("consumer.session.timeout", "1000"),
        ("retention.ms", "1000"),
    ] {
        match alter(key, value) {
            // Of two that contradict each other, one is named.
            Err(Error::InvalidConfig { key: named, .. }) => {
                assert!([key, HEARTBEAT].contains(&&*named), "{key}={value}");
            }
            other => panic!("{key}={value}: {other:?}"),
        }
    }
    for key in ["share.session.timeout.ms", "streams.num.standby.replicas", "consumer.assignor.offload.enable"] {
        assert!(matches!(alter(key, "true"), Err(Error::UnsupportedConfig { .. })), "{key}");
    }
    let append = store.alter_group_configs("g", &[AlterConfigOp::append(SESSION, "1000")]);
    assert!(matches!(append, Err(Error::InvalidConfig { .. })), "it is no list");
    assert!(matches!(store.alter_group_configs("", &[]), Err(Error::InvalidConfig { .. })));
    // All or nothing, and what is right together is right.
    let both = [AlterConfigOp::set(SESSION, "1000"), AlterConfigOp::set(HEARTBEAT, "1000")];
    assert!(store.alter_group_configs("g", &both).is_err());
    assert_eq!(store.configured_groups().unwrap(), [] as [&str; 0]);
    let both = [AlterConfigOp::set(SESSION, "1000"), AlterConfigOp::set(HEARTBEAT, "999")];
    store.alter_group_configs("g", &both).unwrap();
    let mut described = store.describe_group_configs("g").unwrap().into_iter();
    let synonyms = described.find(|config| config.name == HEARTBEAT).unwrap().synonyms;
    let synonyms: Vec<_> = synonyms.iter().map(|of| (of.name, &*of.value, of.source)).collect();
    let of_store = "group.consumer.heartbeat.interval.ms";
    assert_eq!(
        synonyms,
        [
            (HEARTBEAT, "999", ConfigSource::DynamicGroupConfig),
            (of_store, "7000", ConfigSource::StaticBrokerConfig),
            (of_store, "5000", ConfigSource::DefaultConfig),
        ]
    );
}

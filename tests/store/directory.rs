//! The directory on the disk, as Kafka lays it out, and what survives a close.

use std::fs;

use esker::record::{BatchBuilder, RecordData};
use esker::{Acks, CommittedOffset, Error, TopicConfig, TopicPartition};

use crate::api::{NOW_MS, append, manual, manual_store, values};
use crate::{create, file_text, names};

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

//! Directories and files of Kafka's own: bytes that its classes wrote, opened and written here.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use esker::record::{BatchBuilder, EndTransactionMarker, RecordData, TransactionResult};
use esker::{
    Acks, AlterConfigOp, CommittedOffset, Damage, Error, IsolationLevel, ProducerIdAndEpoch, ReadLimits, Store,
    StoreConfig, TopicConfig,
};

use crate::api::{NOW_MS, append, manual, manual_store, records, values};
use crate::{create, file_text, hex};

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
    let fetched = log.read(0, ReadLimits::new().isolation_level(IsolationLevel::ReadCommitted)).unwrap();
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
    log.append_end_transaction_marker(ProducerIdAndEpoch::new(4000, 0), marker, Acks::Leader).unwrap();
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
        assert_eq!(store.committed_offset("g1", ("t", 0)).unwrap().unwrap().offset, 11, "the one before");
        assert_eq!(store.committed_offset("g2", ("t", 0)).unwrap().unwrap().offset, 20);
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

//! The consumer through the public API: positions, waiting, batching of polls, fairness, resets, groups, and what it
//! makes of topics that go and bytes that are damaged.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use api::{FOREVER, NOW_MS, append, append_with, batches, codecs, manual, manual_store, store};
use esker::{
    Acks, AutoOffsetReset, CommittedOffset, Consumer, ConsumerConfig, ConsumerRecord, Error, Log, ReadLimits, Record,
    Store, TopicConfig, TopicPartition,
};

/// A topic of one partition.
fn create(store: &Store, topic: &str) -> Log {
    store.create_topic(topic, TopicConfig::new()).unwrap();
    store.partition(topic, 0).unwrap()
}

/// A consumer without a group, at the beginning of these partitions.
fn consumer_of<const N: usize>(store: &Store, partitions: [(&str, i32); N]) -> Consumer {
    let mut consumer = store.consumer(ConsumerConfig::new()).unwrap();
    consumer.assign(partitions).unwrap();
    consumer.seek_to_beginning().unwrap();
    consumer
}

/// A consumer of a group that starts at the beginning.
fn member(store: &Store, group: &str) -> Consumer {
    let config = ConsumerConfig::from(group).auto_offset_reset(AutoOffsetReset::Earliest);
    let mut consumer = store.consumer(config).unwrap();
    consumer.assign([("t", 0)]).unwrap();
    consumer
}

fn text(record: &ConsumerRecord) -> String {
    String::from_utf8(record.value.as_deref().unwrap_or_default().to_vec()).unwrap()
}

/// What a poll finds without waiting.
fn poll_now(consumer: &mut Consumer) -> Vec<String> {
    consumer.poll(Duration::ZERO).unwrap().iter().map(text).collect()
}

// Positions

#[test]
fn a_consumer_goes_where_it_is_sent() {
    let store = manual_store();
    let log = create(&store, "t");
    for index in 0..10 {
        append(&log, NOW_MS + 10 * index, &[&index.to_string()]);
    }
    let mut consumer = consumer_of(&store, [("t", 0)]);
    assert_eq!(consumer.position(("t", 0)).unwrap(), 0);
    assert_eq!(poll_now(&mut consumer).len(), 10);
    assert_eq!(consumer.position(("t", 0)).unwrap(), 10);

    consumer.seek(("t", 0), 7).unwrap();
    assert_eq!(consumer.position(("t", 0)).unwrap(), 7);
    assert_eq!(poll_now(&mut consumer), ["7", "8", "9"]);

    consumer.seek_to_timestamp(NOW_MS + 41).unwrap();
    assert_eq!(consumer.position(("t", 0)).unwrap(), 5, "the first that is not before");
    consumer.seek_to_timestamp(NOW_MS + 91).unwrap();
    assert_eq!(consumer.position(("t", 0)).unwrap(), 10, "there is none: the end");
    consumer.seek_to_beginning().unwrap();
    consumer.seek_to_end().unwrap();
    assert!(poll_now(&mut consumer).is_empty());
    append(&log, NOW_MS, &["new"]);
    assert_eq!(poll_now(&mut consumer), ["new"]);
}

#[test]
fn a_seek_into_a_batch_starts_at_that_record() {
    for codec in codecs() {
        let store = manual_store();
        let log = create(&store, "t");
        append_with(&log, NOW_MS, &["0", "1", "2"], codec);
        append_with(&log, NOW_MS, &["3", "4", "5"], codec);
        let mut consumer = consumer_of(&store, [("t", 0)]);
        consumer.seek(("t", 0), 4).unwrap();
        let records = consumer.poll(Duration::ZERO).unwrap();
        assert_eq!(records.iter().map(|record| record.offset).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(records.iter().map(text).collect::<Vec<_>>(), ["4", "5"]);
    }
}

#[test]
fn partitions_that_are_not_assigned_are_refused() {
    let store = manual_store();
    create(&store, "t");
    let mut consumer = store.consumer(ConsumerConfig::new()).unwrap();
    assert!(matches!(consumer.seek(("t", 0), 0), Err(Error::NotAssigned { .. })));
    assert!(matches!(consumer.position(("t", 0)), Err(Error::NotAssigned { .. })));
    assert!(matches!(consumer.assign([("t", 1)]), Err(Error::UnknownTopicOrPartition { .. })));
    assert!(matches!(consumer.assign([("t", -1)]), Err(Error::UnknownTopicOrPartition { .. })));
    consumer.assign([("t", 0), ("t", 0)]).unwrap();
    assert!(matches!(consumer.assign([("t", 0), ("none", 0)]), Err(Error::UnknownTopicOrPartition { .. })));
    assert_eq!(consumer.assignment(), [TopicPartition::new("t", 0)], "as it was, and each partition once");
    assert!(matches!(consumer.assign_topics(["none"]), Err(Error::UnknownTopicOrPartition { .. })));
    assert!(matches!(consumer.seek(("t", 0), -1), Err(Error::OffsetOutOfRange { requested: -1, .. })));
}

#[test]
fn an_assignment_that_changes_keeps_the_positions_of_what_stays() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
    for partition in 0..3 {
        append(&store.partition("t", partition).unwrap(), NOW_MS, &["old", "older"]);
    }
    let mut consumer = consumer_of(&store, [("t", 0), ("t", 1)]);
    assert_eq!(poll_now(&mut consumer).len(), 4);
    consumer.assign_topics(["t"]).unwrap();
    consumer.seek(("t", 2), 1).unwrap();
    let positions = (0..3).map(|partition| consumer.position(("t", partition)).unwrap());
    assert_eq!(positions.collect::<Vec<_>>(), [2, 2, 1]);
}

#[test]
fn records_come_with_all_that_they_were_sent_with() {
    let store = manual_store();
    create(&store, "t");
    let producer = store.producer(esker::ProducerConfig::new()).unwrap();
    let whole = Record::to("t").key("k").value("v").header("h", "1").header("h", vec![0xff]).header("", "");
    producer.send(whole.timestamp(NOW_MS - 5)).unwrap();
    producer.send(Record::to("t").key("")).unwrap();
    let records = consumer_of(&store, [("t", 0)]).poll(Duration::ZERO).unwrap();
    let headers: Vec<_> = records[0].headers.iter().map(|(key, value)| (&**key, value.as_deref().unwrap())).collect();
    assert_eq!(headers, [("h", &b"1"[..]), ("h", &[0xff]), ("", b"")]);
    let last = ["h", "", "H"].map(|key| records[0].header(key));
    assert_eq!(last, [Some(&[0xff][..]), Some(b""), None]);
    assert_eq!(records[0].topic_partition(), TopicPartition::new("t", 0));
    assert_eq!((records[0].key.as_deref(), records[0].value.as_deref()), (Some(&b"k"[..]), Some(&b"v"[..])));
    assert_eq!((&*records[0].topic, records[0].partition, records[0].leader_epoch), ("t", 0, 0));
    assert_eq!((records[0].offset, records[0].timestamp), (0, NOW_MS - 5));
    assert_eq!((records[1].key.as_deref(), &records[1].value), (Some(&b""[..]), &None), "empty is not null");
    assert_eq!((records[1].offset, records[1].timestamp), (1, NOW_MS));
}

#[test]
fn a_record_that_is_sent_on_keeps_all_that_it_came_with_but_its_place() {
    let store = manual_store();
    create(&store, "t");
    create(&store, "u");
    let producer = store.producer(esker::ProducerConfig::new()).unwrap();
    let sent = [
        Record::to("t").key("k").value("v").header("h", "1").null_header("h").timestamp(NOW_MS - 5),
        Record::to("t").key("k"),
        Record::to("t").key("").value("").header("", ""),
        Record::to("t").value("no time").timestamp(-1),
    ];
    for record in sent {
        producer.send(record).unwrap();
    }
    let of = |topic| consumer_of(&store, [(topic, 0)]).poll(Duration::ZERO).unwrap();
    for record in of("t") {
        let offset = producer.send(record.forward_to("u")).unwrap().offset;
        assert_eq!(offset, Some(record.offset));
    }
    let mut expected = of("t");
    expected.iter_mut().for_each(|record| record.topic = "u".into());
    expected[3].timestamp = NOW_MS;
    assert_eq!(of("u"), expected);
    assert_eq!(of("u")[0].header("h"), None, "the last one has no value");
    assert_eq!((&of("u")[1].value, of("u")[2].value.as_deref()), (&None, Some(&b""[..])), "a tombstone is one");
}

#[test]
fn a_record_that_is_sent_on_may_have_its_headers_replaced() {
    let store = manual_store();
    create(&store, "t");
    let producer = store.producer(esker::ProducerConfig::new()).unwrap();
    let sent = Record::to("t").header("attempt", "1").header("from", "till").null_header("attempt");
    producer.send(sent).unwrap();
    let mut consumer = consumer_of(&store, [("t", 0)]);
    let record = consumer.poll(Duration::ZERO).unwrap().remove(0);
    let again = record.forward_to("t").without_header("attempt").without_header("none").header("attempt", "2");
    producer.send(again).unwrap();
    let headers = [("from".to_owned(), Some("till".into())), ("attempt".to_owned(), Some("2".into()))];
    assert_eq!(consumer.poll(Duration::ZERO).unwrap()[0].headers, headers);
}

// Waiting

#[test]
fn a_poll_without_records_ends_at_its_deadline() {
    let store = manual_store();
    create(&store, "t");
    let mut consumer = consumer_of(&store, [("t", 0)]);
    for timeout in [Duration::ZERO, Duration::from_millis(1)] {
        assert!(consumer.poll(timeout).unwrap().is_empty());
    }
    consumer.assign::<(&str, i32)>([]).unwrap();
    assert!(matches!(consumer.poll(FOREVER), Err(Error::NothingAssigned)));
}

#[test]
fn a_poll_is_woken_by_an_append_to_any_of_its_partitions() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
    let (polls, is_polling) = mpsc::channel();
    let mut consumer = consumer_of(&store, [("t", 0), ("t", 1), ("t", 2)]);
    thread::scope(|scope| {
        let poller = scope.spawn(move || {
            let mut seen = Vec::new();
            while seen.len() < 300 {
                polls.send(seen.len()).unwrap();
                seen.extend(consumer.poll(FOREVER).unwrap().iter().map(text));
            }
            seen
        });
        for index in 0..300 {
            // The poll has everything from before, and waits or is about to.
            assert_eq!(is_polling.recv().unwrap(), index);
            append(&store.partition("t", (index % 3) as i32).unwrap(), NOW_MS, &[&index.to_string()]);
        }
        assert_eq!(poller.join().unwrap(), (0..300).map(|index| index.to_string()).collect::<Vec<_>>());
    });
}

#[test]
fn closing_the_store_ends_every_poll() {
    for _ in 0..100 {
        let store = store();
        append(&create(&store, "t"), 0, &["one", "two"]);
        let mut consumer = consumer_of(&store, [("t", 0)]);
        thread::scope(|scope| {
            let poller = scope.spawn(move || {
                let mut records: Vec<String> = Vec::new();
                loop {
                    match consumer.poll(FOREVER) {
                        Ok(polled) => records.extend(polled.iter().map(text)),
                        Err(error) => break (records, error),
                    }
                }
            });
            store.close().unwrap();
            let (records, ended) = poller.join().unwrap();
            assert!(records.is_empty() || records == ["one", "two"], "{records:?}");
            assert!(matches!(ended, Error::Closed { what: "the store" }));
        });
    }
}

// How much a poll returns

#[test]
fn polls_cut_batches_and_go_on_without_loss_or_duplicates() {
    for codec in codecs() {
        let store = manual_store();
        store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
        let mut expected: BTreeMap<i32, Vec<(i64, String)>> = BTreeMap::new();
        for batch in 0..20 {
            let partition = batch % 2;
            let values: Vec<_> = (0..5).map(|index| format!("{batch}/{index}")).collect();
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            let base = append_with(&store.partition("t", partition).unwrap(), NOW_MS, &values, codec);
            let records = (base..).zip(values.iter().map(|value| (*value).to_owned()));
            expected.entry(partition).or_default().extend(records);
        }
        for max in [1, 2, 3, 7, 1000] {
            let mut consumer =
                store.consumer(ConsumerConfig::new().max_poll_records(max).max_partition_fetch_bytes(200)).unwrap();
            consumer.assign_topics(["t"]).unwrap();
            consumer.seek_to_beginning().unwrap();
            let mut found: BTreeMap<i32, Vec<(i64, String)>> = BTreeMap::new();
            loop {
                let records = consumer.poll(Duration::ZERO).unwrap();
                assert!(records.len() <= max);
                let Some(last) = records.last() else { break };
                assert_eq!(consumer.position(("t", last.partition)).unwrap(), last.offset + 1);
                for record in &records {
                    found.entry(record.partition).or_default().push((record.offset, text(record)));
                }
            }
            assert_eq!(found, expected, "{codec}, {max} at a time");
        }
    }
}

#[test]
fn a_full_partition_does_not_starve_a_small_one() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new().partitions(4)).unwrap();
    for partition in 0..3 {
        for _ in 0..100 {
            append(&store.partition("t", partition).unwrap(), NOW_MS, &["much"; 10]);
        }
    }
    append(&store.partition("t", 3).unwrap(), NOW_MS, &["little"]);
    let mut consumer = store.consumer(ConsumerConfig::new().max_poll_records(10)).unwrap();
    consumer.assign_topics(["t"]).unwrap();
    consumer.seek_to_beginning().unwrap();
    let turns: Vec<_> = (0..8).map(|_| consumer.poll(Duration::ZERO).unwrap()[0].partition).collect();
    assert_eq!(turns, [0, 1, 2, 3, 0, 1, 2, 0], "each in its turn, and the small one until it is empty");
}

// Where to start

#[test]
fn a_group_without_offsets_starts_where_auto_offset_reset_says() {
    let store = manual_store();
    let log = create(&store, "t");
    append(&log, NOW_MS, &["old"]);
    let of = |reset| {
        let mut consumer = store.consumer(ConsumerConfig::from("g").auto_offset_reset(reset)).unwrap();
        consumer.assign([("t", 0)]).unwrap();
        consumer
    };
    assert_eq!(of(AutoOffsetReset::Earliest).position(("t", 0)).unwrap(), 0);
    let mut latest = of(AutoOffsetReset::Latest);
    assert!(poll_now(&mut latest).is_empty());
    append(&log, NOW_MS, &["new"]);
    assert_eq!(poll_now(&mut latest), ["new"], "from the first poll on");
    let mut none = of(AutoOffsetReset::None);
    for result in [none.position(("t", 0)).map(|_| ()), none.poll(Duration::ZERO).map(|_| ())] {
        match result {
            Err(Error::NoOffsetForPartition { group, topic_partition }) => {
                assert_eq!((&*group, topic_partition), ("g", TopicPartition::new("t", 0)));
            }
            other => panic!("{other:?}"),
        }
    }
    none.seek(("t", 0), 1).unwrap();
    assert_eq!(poll_now(&mut none), ["new"]);
}

#[test]
fn a_group_without_offsets_starts_so_long_ago_if_auto_offset_reset_says_that() {
    let (options, clock) = manual();
    let store = options.storage(std::sync::Arc::new(esker::io::MemoryStorage::new())).open("data").unwrap();
    let log = create(&store, "t");
    for minutes in [0, 30, 60] {
        append(&log, NOW_MS + minutes * 60_000, &[&minutes.to_string()]);
    }
    clock.advance(90 * 60_000);
    let of = |value: &str| {
        let mut config = ConsumerConfig::new();
        config.set("auto.offset.reset", value).unwrap();
        let mut consumer = store.consumer(config).unwrap();
        consumer.assign([("t", 0)]).unwrap();
        consumer
    };
    for (value, offset) in [
        ("by_duration:PT1H", 1),
        ("by_duration:PT59M59.999S", 2),
        ("by_duration:pt59m59,9999s", 2),
        ("by_duration:PT0S", 3),
        ("by_duration:P1DT1M", 0),
        ("by_duration:P100000000000D", 0),
    ] {
        assert_eq!(of(value).position(("t", 0)).unwrap(), offset, "{value}");
    }
    let mut consumer = of("by_duration:PT1H");
    consumer.seek(("t", 0), 100).unwrap();
    assert_eq!(poll_now(&mut consumer), ["30", "60"], "a position that is nowhere is reset in the same way");
}

#[test]
fn what_is_no_place_to_start_is_refused() {
    let durations =
        ["", "P", "PT", "P1DT", "1H", "P1H", "PT1D", "PT1M1H", "PT1H ", "PT1.5H", "PT.5S", "PT1.0000000000S"];
    let signed = ["-PT1H", "PT-1H", "PT+1H", "P99999999999999999999D", "P999999999999999D"];
    let mut config = ConsumerConfig::new();
    for duration in durations.into_iter().chain(signed) {
        let refused = config.set("auto.offset.reset", &format!("by_duration:{duration}"));
        assert!(matches!(refused, Err(Error::InvalidConfig { .. })), "{duration}");
    }
    for reset in ["by_duration", "By_duration:PT1H", "Earliest", ""] {
        assert!(matches!(config.set("auto.offset.reset", reset), Err(Error::InvalidConfig { .. })), "{reset}");
    }
}

#[test]
fn a_consumer_whose_polls_could_return_nothing_is_refused() {
    let config = ConsumerConfig::new().max_poll_records(0);
    for refused in [config.validate(), manual_store().consumer(config).map(drop)] {
        assert!(matches!(&refused, Err(Error::InvalidConfig { key, .. }) if key == "max.poll.records"), "{refused:?}");
    }
    assert!(ConsumerConfig::new().max_poll_records(1).validate().is_ok());
}

#[test]
fn configs_are_told_as_they_were_set_whichever_way_that_was() {
    let mut by_name = ConsumerConfig::new();
    for (key, value) in [
        ("group.id", "g"),
        ("auto.offset.reset", "by_duration:PT1H0.5S"),
        ("isolation.level", "read_committed"),
        ("max.poll.records", "7"),
        ("max.partition.fetch.bytes", "0"),
        ("enable.auto.commit", "true"),
        ("auto.commit.interval.ms", "1500"),
    ] {
        by_name.set(key, value).unwrap();
        let told = by_name.get(key).unwrap();
        by_name.set(key, &told).unwrap();
        assert_eq!(by_name.get(key).as_deref(), Some(&*told));
        assert_eq!(told, value.replace("PT1H0.5S", "PT3600.5S"), "{key}");
    }
    let built = ConsumerConfig::new().auto_commit_interval(Duration::from_millis(1500));
    assert_eq!(built.get("auto.commit.interval.ms").as_deref(), Some("1500"));
    assert_eq!(["group.id", "bootstrap.servers", "no.such.config"].map(|key| built.get(key)), [None, None, None]);
    for (reset, value) in [
        (AutoOffsetReset::Earliest, "earliest"),
        (AutoOffsetReset::None, "none"),
        (AutoOffsetReset::ByDuration(Duration::from_secs(600)), "by_duration:PT600S"),
        (AutoOffsetReset::ByDuration(Duration::ZERO), "by_duration:PT0S"),
        (AutoOffsetReset::ByDuration(Duration::MAX), "by_duration:PT18446744073709551615.999999999S"),
    ] {
        assert_eq!(reset.to_string(), value);
        assert_eq!(value.parse::<AutoOffsetReset>().unwrap(), reset);
    }
}

#[test]
fn a_position_that_retention_overtook_is_reset() {
    let (options, clock) = manual();
    let store = options.storage(std::sync::Arc::new(esker::io::MemoryStorage::new())).open("data").unwrap();
    store.create_topic("t", TopicConfig::new().internal_segment_bytes(100).retention_ms(1000)).unwrap();
    let log = store.partition("t", 0).unwrap();
    for index in 0..5 {
        append(&log, NOW_MS, &[&format!("old {index}")]);
    }
    let of = |reset| {
        let mut consumer = store.consumer(ConsumerConfig::new().auto_offset_reset(reset)).unwrap();
        consumer.assign([("t", 0)]).unwrap();
        consumer.seek(("t", 0), 2).unwrap();
        consumer
    };
    let [mut earliest, mut latest, mut none] =
        [AutoOffsetReset::Earliest, AutoOffsetReset::Latest, AutoOffsetReset::None].map(of);
    clock.advance(300_000);
    store.tick().unwrap();
    append(&log, NOW_MS + 300_000, &["new"]);
    assert_eq!(log.log_start(), 5);

    assert_eq!(poll_now(&mut earliest), ["new"]);
    assert!(poll_now(&mut latest).is_empty());
    assert_eq!(latest.position(("t", 0)).unwrap(), 6);
    for _ in 0..2 {
        match none.poll(FOREVER) {
            Err(Error::OffsetOutOfRange { requested: 2, log_start: 5, high_watermark: 6, .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    none.seek_to_beginning().unwrap();
    assert_eq!(poll_now(&mut none), ["new"]);
}

#[test]
fn a_position_beyond_the_log_is_reset() {
    let store = manual_store();
    append(&create(&store, "t"), NOW_MS, &["one"]);
    let mut consumer = store.consumer(ConsumerConfig::new().auto_offset_reset(AutoOffsetReset::Earliest)).unwrap();
    consumer.assign([("t", 0)]).unwrap();
    for nowhere in [2, i64::MAX] {
        consumer.seek(("t", 0), nowhere).unwrap();
        assert_eq!(poll_now(&mut consumer), ["one"], "from {nowhere}");
    }
}

// Groups

#[test]
fn a_group_goes_on_where_it_committed_in_another_open_of_the_store() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path()).unwrap();
        let log = create(&store, "t");
        append(&log, NOW_MS, &["0", "1", "2", "3"]);
        let config = ConsumerConfig::from("g").auto_offset_reset(AutoOffsetReset::Earliest).max_poll_records(3);
        let mut consumer = store.consumer(config).unwrap();
        consumer.assign([("t", 0)]).unwrap();
        assert_eq!(consumer.committed(("t", 0)).unwrap(), None);
        assert_eq!(poll_now(&mut consumer), ["0", "1", "2"]);
        consumer.commit().unwrap();
    }
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.groups().unwrap(), ["g"]);
    let mut consumer = member(&store, "g");
    assert_eq!(consumer.committed(("t", 0)).unwrap().unwrap().offset, 3);
    assert_eq!(poll_now(&mut consumer), ["3"], "in the middle of a batch");
}

#[test]
fn a_commit_keeps_the_leader_epoch_of_a_position_that_has_not_moved() {
    let store = manual_store();
    let log = create(&store, "t");
    append(&log, NOW_MS, &["0"]);
    log.set_leader_epoch(3).unwrap();
    append(&log, NOW_MS, &["1", "2"]);
    let epoch = || store.committed_offset("g", ("t", 0)).unwrap().unwrap().leader_epoch;

    let mut first = member(&store, "g");
    assert_eq!(poll_now(&mut first).len(), 3);
    first.commit().unwrap();
    assert_eq!(epoch(), Some(3));
    let mut second = member(&store, "g");
    assert!(poll_now(&mut second).is_empty());
    second.commit().unwrap();
    assert_eq!(epoch(), Some(3), "it is what the group knows of the record before the position");

    second.seek(("t", 0), 3).unwrap();
    second.commit().unwrap();
    assert_eq!(epoch(), None, "nothing is known of where it was sent");
}

#[test]
fn a_record_that_is_dealt_with_is_committed_by_itself() {
    let store = manual_store();
    let log = create(&store, "t");
    log.set_leader_epoch(2).unwrap();
    append(&log, NOW_MS, &["0", "1", "2"]);
    let mut consumer = member(&store, "g");
    let record = &consumer.poll(Duration::ZERO).unwrap()[1];
    consumer.commit_offsets([(record.topic_partition(), CommittedOffset::after(record))], Acks::All).unwrap();
    let committed = consumer.committed(("t", 0)).unwrap().unwrap();
    assert_eq!((committed.offset, committed.leader_epoch), (2, Some(2)));
    assert_eq!(poll_now(&mut member(&store, "g")), ["2"]);
}

#[test]
fn a_consumer_goes_back_to_what_its_group_has_committed() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    let of = |reset| {
        let mut consumer = store.consumer(ConsumerConfig::from("g").auto_offset_reset(reset)).unwrap();
        consumer.assign_topics(["t"]).unwrap();
        consumer
    };
    let [mut earliest, mut none] = [AutoOffsetReset::Earliest, AutoOffsetReset::None].map(of);
    for partition in 0..2 {
        append(&store.partition("t", partition).unwrap(), NOW_MS, &["0", "1", "2"]);
    }
    assert_eq!(poll_now(&mut earliest).len(), 6);
    earliest.commit_offsets([(("t", 1).into(), CommittedOffset::new(2).leader_epoch(0))], Acks::All).unwrap();
    earliest.seek_to_committed().unwrap();
    earliest.commit().unwrap();
    assert_eq!(earliest.committed(("t", 0)).unwrap(), None, "it has no position until it polls");
    let positions = [0, 1].map(|partition| earliest.position(("t", partition)).unwrap());
    assert_eq!(positions, [0, 2]);
    let mut again = poll_now(&mut earliest);
    again.sort_unstable();
    assert_eq!(again, ["0", "1", "2", "2"]);

    none.seek_to_committed().unwrap();
    assert!(matches!(none.poll(Duration::ZERO), Err(Error::NoOffsetForPartition { .. })));
    let mut nobody = consumer_of(&store, [("t", 0)]);
    assert!(matches!(nobody.seek_to_committed(), Err(Error::NoGroup)));
    assert_eq!(nobody.position(("t", 0)).unwrap(), 0);
}

#[test]
fn groups_are_independent() {
    let store = manual_store();
    append(&create(&store, "t"), NOW_MS, &["0", "1", "2"]);
    let (mut fast, mut slow) = (member(&store, "fast"), member(&store, "slow"));
    assert_eq!(poll_now(&mut fast).len(), 3);
    fast.commit().unwrap();
    assert_eq!(slow.position(("t", 0)).unwrap(), 0);
    slow.commit_offsets([(("t", 0).into(), CommittedOffset::new(1).metadata("halfway"))], Acks::Leader).unwrap();
    assert_eq!(poll_now(&mut slow).len(), 3, "a commit moves no consumer");
    assert_eq!(poll_now(&mut member(&store, "fast")).len(), 0);
    assert_eq!(poll_now(&mut member(&store, "slow")), ["1", "2"]);
    assert_eq!(poll_now(&mut member(&store, "third")), ["0", "1", "2"]);
    let committed = store.committed_offset("slow", ("t", 0)).unwrap().unwrap();
    assert_eq!((committed.offset, &*committed.metadata), (1, "halfway"));
    assert_eq!((committed.commit_timestamp, committed.leader_epoch), (NOW_MS, None));
    assert_eq!(store.groups().unwrap(), ["fast", "slow"]);
}

#[test]
fn commits_that_make_no_sense_are_refused_and_change_nothing() {
    let store = manual_store();
    append(&create(&store, "t"), NOW_MS, &["0"]);
    let mut nobody = consumer_of(&store, [("t", 0)]);
    assert!(matches!(nobody.commit(), Err(Error::NoGroup)));
    assert!(matches!(nobody.committed(("t", 0)), Err(Error::NoGroup)));
    assert!(matches!(store.consumer(""), Err(Error::InvalidGroupId { .. })));

    let mut consumer = member(&store, "g");
    let commit = |consumer: &mut Consumer, topic: &str, metadata: usize| {
        let good = (("t", 0).into(), CommittedOffset::new(1));
        let other = ((topic, 0).into(), CommittedOffset::new(1).metadata("x".repeat(metadata)));
        consumer.commit_offsets([good, other], Acks::Leader)
    };
    assert!(matches!(commit(&mut consumer, "none", 0), Err(Error::UnknownTopicOrPartition { .. })));
    let too_large = commit(&mut consumer, "t", 4097);
    assert!(matches!(too_large, Err(Error::OffsetMetadataTooLarge { size: 4097, max: 4096 })));
    let negative = consumer.commit_offsets([(("t", 0).into(), CommittedOffset::new(-5))], Acks::Leader);
    assert!(matches!(negative, Err(Error::OffsetOutOfRange { requested: -5, high_watermark: 1, .. })));
    assert_eq!(consumer.committed(("t", 0)).unwrap(), None);
    consumer.commit().unwrap();
    assert_eq!(consumer.committed(("t", 0)).unwrap(), None, "it has no position yet");
    commit(&mut consumer, "t", 4096).unwrap();
}

// Bytes

#[test]
#[cfg(unix)]
fn values_are_slices_of_the_log_that_outlive_it() {
    let dir = tempfile::tempdir().unwrap();
    let (options, clock) = manual();
    let store = options.open(dir.path()).unwrap();
    store.create_topic("t", TopicConfig::new().internal_segment_bytes(200).retention_ms(1000)).unwrap();
    let log = store.partition("t", 0).unwrap();
    for index in 0..4 {
        append(&log, NOW_MS, &[&format!("value {index}"), &"x".repeat(100)]);
    }
    let mut consumer = consumer_of(&store, [("t", 0)]);
    let mut records = Vec::new();
    while consumer.position(("t", 0)).unwrap() < log.high_watermark() {
        records.extend(consumer.poll(Duration::ZERO).unwrap());
    }
    assert!(log.segment_count() > 1);
    let is_mapped = cfg!(all(unix, target_pointer_width = "64"));
    for record in records.iter().filter(|_| is_mapped) {
        let fetched = log.read(record.offset, ReadLimits::new().max_bytes(1)).unwrap();
        let (log_bytes, value) = (fetched.bytes().as_ptr_range(), record.value.as_ref().unwrap().as_ptr_range());
        assert!(log_bytes.start <= value.start && value.end <= log_bytes.end, "offset {} was copied", record.offset);
    }
    for _ in 0..2 {
        clock.advance(300_000);
        store.tick().unwrap();
    }
    assert_eq!(log.log_start(), 8);
    store.close().unwrap();
    drop((store, log));
    dir.close().unwrap();
    let expected: Vec<_> = (0..4).flat_map(|index| [format!("value {index}"), "x".repeat(100)]).collect();
    assert_eq!(records.iter().map(text).collect::<Vec<_>>(), expected);
}

/// Changes a byte of a file that nobody has open.
fn damage(file: &Path, position: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[position] ^= 0x10;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_damaged_batch_is_an_error_that_names_its_offsets_and_the_rest_can_be_read() {
    for codec in codecs() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
        let log = store.partition("t", 0).unwrap();
        for values in [["0", "1", "2"], ["3", "4", "5"], ["6", "7", "8"]] {
            append_with(&log, NOW_MS, &values, codec);
        }
        append(&store.partition("t", 1).unwrap(), NOW_MS, &["sound"]);
        let second = batches(&log)[0].size();
        store.close().unwrap();
        let file = dir.path().join("t-0/00000000000000000000.log");
        damage(&file, second + 70);

        let store = Store::open(dir.path()).unwrap();
        let mut consumer = consumer_of(&store, [("t", 0), ("t", 1)]);
        assert_eq!(poll_now(&mut consumer), ["0", "1", "2"], "what comes before is not lost for it");
        let expect_error = |consumer: &mut Consumer| match consumer.poll(FOREVER) {
            Err(Error::CorruptRecord { file: Some(named), position, offsets: Some(lost), .. }) => {
                assert_eq!((named, position, lost), (file.clone(), second as u64, 3..=5));
            }
            other => panic!("{other:?}"),
        };
        expect_error(&mut consumer);
        assert_eq!(poll_now(&mut consumer), ["sound"], "the other partition goes on");
        assert_eq!(consumer.position(("t", 0)).unwrap(), 3);
        expect_error(&mut consumer);
        consumer.seek(("t", 0), 4).unwrap();
        expect_error(&mut consumer);
        consumer.seek(("t", 0), 6).unwrap();
        assert_eq!(poll_now(&mut consumer), ["6", "7", "8"]);
    }
}

// Topics that go

#[test]
fn deleting_a_topic_ends_the_polls_that_wait_for_it() {
    for _ in 0..100 {
        let store = manual_store();
        create(&store, "t");
        create(&store, "other");
        let mut consumer = consumer_of(&store, [("other", 0), ("t", 0)]);
        thread::scope(|scope| {
            let poller = scope.spawn(move || consumer.poll(FOREVER));
            store.delete_topic("t").unwrap();
            match poller.join().unwrap() {
                Err(Error::UnknownTopicOrPartition { topic_partition }) => assert_eq!(&*topic_partition.topic, "t"),
                other => panic!("{other:?}"),
            }
        });
    }
}

#[test]
fn a_deleted_topic_that_was_never_read_is_unknown_too() {
    let dir = tempfile::tempdir().unwrap();
    append(&create(&Store::open(dir.path()).unwrap(), "t"), NOW_MS, &["gone"]);
    let store = Store::open(dir.path()).unwrap();
    let mut consumer = consumer_of(&store, [("t", 0)]);
    store.delete_topic("t").unwrap();
    match consumer.poll(FOREVER) {
        Err(Error::UnknownTopicOrPartition { topic_partition }) => assert_eq!(&*topic_partition.topic, "t"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_topic_that_was_created_again_is_read_from_its_own_start() {
    let store = manual_store();
    append(&create(&store, "t"), NOW_MS, &["old", "old", "old"]);
    let mut consumer = member(&store, "g");
    assert_eq!(poll_now(&mut consumer).len(), 3);
    consumer.commit().unwrap();
    store.delete_topic("t").unwrap();
    assert!(matches!(consumer.poll(FOREVER), Err(Error::UnknownTopicOrPartition { .. })));
    assert_eq!(consumer.committed(("t", 0)).unwrap(), None, "the offset was one of another topic");

    append(&create(&store, "t"), NOW_MS, &["new"]);
    assert!(matches!(consumer.poll(FOREVER), Err(Error::UnknownTopicOrPartition { .. })), "until it is told");
    consumer.assign([("t", 0)]).unwrap();
    assert_eq!(poll_now(&mut consumer), ["new"]);
}

// What a disk loses

#[test]
#[cfg(feature = "sim")]
fn records_that_the_device_lost_for_good_do_not_stop_a_reader() {
    use esker::sim::{Crash, FaultStorage};

    let disk = FaultStorage::new(0);
    let store = manual().0.storage(std::sync::Arc::new(disk.clone())).open("data").unwrap();
    let log = create(&store, "t");
    for index in 0..20 {
        append(&log, NOW_MS, &[&index.to_string()]);
    }
    let after_ten: usize = batches(&log)[..10].iter().map(|header| header.size()).sum();
    drop(log);
    store.close().unwrap();
    // As if the clean shutdown had not been, and the second half of the file neither.
    let disk = disk.after_crash(Crash::Process, 0);
    disk.erase("data/.kafka_cleanshutdown").unwrap();
    disk.cut("data/t-0/00000000000000000000.log", after_ten as u64).unwrap();

    let store = manual().0.storage(std::sync::Arc::new(disk)).open("data").unwrap();
    let log = store.partition("t", 0).unwrap();
    assert_eq!(log.log_end(), 20, "no offset is given out twice");
    let mut consumer = consumer_of(&store, [("t", 0)]);
    assert_eq!(poll_now(&mut consumer).len(), 10);
    assert!(poll_now(&mut consumer).is_empty());
    append(&log, NOW_MS, &["new"]);
    let records = consumer.poll(Duration::ZERO).unwrap();
    assert_eq!((records.len(), records[0].offset), (1, 20));
}

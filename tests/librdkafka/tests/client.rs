//! What librdkafka does with a server of ours.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::time::Duration;

use esker::record::BatchView;
use esker_librdkafka_tests::Broker;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(60);

fn config(broker: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers());
    // A server that is gone for a moment is looked for again soon.
    config.set("reconnect.backoff.ms", "10").set("reconnect.backoff.max.ms", "100");
    config
}

fn producer(broker: &Broker, settings: &[(&str, &str)]) -> FutureProducer {
    let mut config = config(broker);
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.create().unwrap()
}

fn consumer(broker: &Broker) -> BaseConsumer {
    consumer_with(broker, &[])
}

fn consumer_with(broker: &Broker, settings: &[(&str, &str)]) -> BaseConsumer {
    let mut config = config(broker);
    config.set("group.id", "g").set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
    config.set("enable.partition.eof", "false");
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.create().unwrap()
}

fn partitions(topic: &str, of: std::ops::Range<i32>, offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in of {
        list.add_partition_offset(topic, partition, offset).unwrap();
    }
    list
}

/// The next `count` records.
fn poll(consumer: &BaseConsumer, count: usize) -> Vec<OwnedMessage> {
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.push(consumer.poll(PATIENCE).expect("there are more").unwrap().detach());
    }
    messages
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
}

/// Sends records with keys and headers, all at once, and waits for all of them.
async fn send_numbered(
    producer: &FutureProducer,
    topic: &str,
    numbers: std::ops::Range<usize>,
) -> BTreeMap<(i32, i64), String> {
    let mut sent = Vec::new();
    for number in numbers {
        let (key, value) = (format!("key-{number}"), format!("value-{number}"));
        let headers = OwnedHeaders::new()
            .insert(Header { key: "number", value: Some(&number.to_string()) })
            .insert(Header { key: "number", value: Some("again") })
            .insert(Header { key: "nothing", value: None::<&str> });
        let record = FutureRecord::to(topic).key(&key).payload(&value).headers(headers);
        sent.push((value.clone(), producer.send_result(record).unwrap()));
    }
    let mut delivered = BTreeMap::new();
    for (value, delivery) in sent {
        let delivery = delivery.await.unwrap().unwrap();
        delivered.insert((delivery.partition, delivery.offset), value);
    }
    delivered
}

#[tokio::test(flavor = "multi_thread")]
async fn every_codec_and_level_of_acknowledgement_brings_records_there_and_back() {
    let broker = Broker::start().await.unwrap();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        for acks in ["1", "all"] {
            let topic = format!("{codec}-{acks}");
            let producer = producer(&broker, &[("compression.type", codec), ("acks", acks), ("linger.ms", "20")]);
            let delivered = send_numbered(&producer, &topic, 0..500).await;
            assert_eq!(delivered.len(), 500, "each has an offset of its own");

            let consumer = consumer(&broker);
            consumer.assign(&partitions(&topic, 0..3, Offset::Beginning)).unwrap();
            for message in poll(&consumer, 500) {
                let value = &delivered[&(message.partition(), message.offset())];
                assert_eq!(text(message.payload()), *value);
                assert_eq!(text(message.key()), value.replace("value", "key"));
                let headers: Vec<_> =
                    message.headers().unwrap().iter().map(|header| (header.key, header.value)).collect();
                let number = value.strip_prefix("value-").unwrap().as_bytes();
                assert_eq!(headers, [("number", Some(number)), ("number", Some(b"again")), ("nothing", None)]);
            }
            let log = broker.store().unwrap().partition(&topic, 0).unwrap();
            let fetched = log.read(0, esker::ReadLimits::new()).unwrap();
            let codec_of = |batch: esker::Result<BatchView>| batch.unwrap().header().compression().unwrap().to_string();
            // A batch that does not get smaller, such as one of a single record, is sent as it is.
            assert!(fetched.batches().any(|batch| codec_of(batch) == codec), "they lie there as they were sent");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acks_0_asks_for_no_response() {
    let broker = Broker::start().await.unwrap();
    let producer = producer(&broker, &[("acks", "0"), ("enable.idempotence", "false")]);
    send_numbered(&producer, "t", 0..100).await;
    let consumer = consumer(&broker);
    consumer.assign(&partitions("t", 0..3, Offset::Beginning)).unwrap();
    assert_eq!(poll(&consumer, 100).len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_seeks_by_offset_and_by_time() {
    let broker = Broker::start().await.unwrap();
    let producer = producer(&broker, &[("linger.ms", "50")]);
    let mut sent = Vec::new();
    for number in 0..100 {
        let value = number.to_string();
        let record = FutureRecord::<(), _>::to("t").partition(0).payload(&value).timestamp(1_000 + number * 10);
        sent.push(producer.send_result(record).unwrap());
    }
    for delivery in sent {
        delivery.await.unwrap().unwrap();
    }
    let consumer = consumer(&broker);
    consumer.assign(&partitions("t", 0..1, Offset::Offset(40))).unwrap();
    assert_eq!(poll(&consumer, 1)[0].offset(), 40);
    for (to, expected) in [(Offset::Offset(7), 7), (Offset::Beginning, 0), (Offset::OffsetTail(3), 97)] {
        consumer.seek("t", 0, to, PATIENCE).unwrap();
        assert_eq!(poll(&consumer, 1)[0].offset(), expected, "{to:?}");
    }
    // Within a batch, between two records, before the first, after the last.
    for (time, expected) in
        [(1_500, Offset::Offset(50)), (1_501, Offset::Offset(51)), (0, Offset::Offset(0)), (9_999, Offset::End)]
    {
        let found = consumer.offsets_for_times(partitions("t", 0..1, Offset::Offset(time)), PATIENCE).unwrap();
        assert_eq!(found.elements()[0].offset(), expected, "{time}");
    }
    assert_eq!(consumer.fetch_watermarks("t", 0, PATIENCE).unwrap(), (0, 100));
    assert_eq!(consumer.fetch_watermarks("t", 2, PATIENCE).unwrap(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_goes_on_where_it_committed() {
    let broker = Broker::start().await.unwrap();
    send_numbered(&producer(&broker, &[]), "t", 0..90).await;
    let first = consumer(&broker);
    first.assign(&partitions("t", 0..3, Offset::Stored)).unwrap();
    let seen = poll(&first, 40);
    let mut next: BTreeMap<i32, i64> = BTreeMap::new();
    for message in &seen {
        next.insert(message.partition(), message.offset() + 1);
    }
    let mut list = TopicPartitionList::new();
    for (partition, offset) in &next {
        list.add_partition_offset("t", *partition, Offset::Offset(*offset)).unwrap();
    }
    first.commit(&list, CommitMode::Sync).unwrap();
    drop(first);

    let second = consumer(&broker);
    second.assign(&partitions("t", 0..3, Offset::Stored)).unwrap();
    let rest = poll(&second, 50);
    let mut all: Vec<_> = seen.iter().chain(&rest).map(|message| text(message.payload())).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 90, "none is missing, none came twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_records_come_and_larger_ones_are_refused() {
    let broker = Broker::start().await.unwrap();
    let producer = producer(&broker, &[("message.max.bytes", "10000000")]);
    let large = vec![b'x'; 1_000_000];
    let record = FutureRecord::<(), _>::to("t").partition(0).payload(&large);
    producer.send(record, PATIENCE).await.unwrap();
    let too_large = vec![b'x'; 2_000_000];
    let record = FutureRecord::<(), _>::to("t").partition(0).payload(&too_large);
    let (error, _) = producer.send(record, PATIENCE).await.unwrap_err();
    assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge));
    let consumer = consumer_with(&broker, &[("fetch.message.max.bytes", "1000")]);
    consumer.assign(&partitions("t", 0..1, Offset::Beginning)).unwrap();
    assert_eq!(poll(&consumer, 1)[0].payload(), Some(&large[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_changed_and_removed() {
    let broker = Broker::start().await.unwrap();
    let admin: AdminClient<DefaultClientContext> = config(&broker).create().unwrap();
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let topic = NewTopic::new("t", 2, TopicReplication::Fixed(1)).set("retention.ms", "60000");
    let created = admin.create_topics([&topic], &options).await.unwrap();
    assert_eq!(created, [Ok("t".to_owned())]);
    let again = admin.create_topics([&topic], &options).await.unwrap();
    assert_eq!(again, [Err(("t".to_owned(), RDKafkaErrorCode::TopicAlreadyExists))]);
    let spread = NewTopic::new("u", 1, TopicReplication::Fixed(3));
    let refused = admin.create_topics([&spread], &options).await.unwrap();
    assert_eq!(refused, [Err(("u".to_owned(), RDKafkaErrorCode::InvalidReplicationFactor))]);

    admin.create_partitions(&[NewPartitions::new("t", 4)], &options).await.unwrap()[0].as_ref().unwrap();
    let resource = ResourceSpecifier::Topic("t");
    let changes = AlterConfig::new(resource).set("cleanup.policy", "compact");
    admin.alter_configs([&changes], &options).await.unwrap()[0].as_ref().unwrap();
    let described = admin.describe_configs([&resource], &options).await.unwrap().remove(0).unwrap();
    let value = |key: &str| described.get(key).unwrap().value.clone();
    assert_eq!(value("cleanup.policy").as_deref(), Some("compact"));
    assert_eq!(value("retention.ms").as_deref(), Some("604800000"), "all that is not named has its default again");

    let consumer = consumer(&broker);
    let metadata = consumer.fetch_metadata(Some("t"), PATIENCE).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 4);
    let deleted = admin.delete_topics(&["t"], &options).await.unwrap();
    assert_eq!(deleted, [Ok("t".to_owned())]);
    assert_eq!(broker.store().unwrap().topics(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_record_is_lost_when_the_server_restarts_in_mid_stream() {
    let mut broker = Broker::start().await.unwrap();
    let producer = producer(&broker, &[("enable.idempotence", "true"), ("linger.ms", "1")]);
    let sending = tokio::spawn({
        let producer = producer.clone();
        async move {
            let mut delivered = BTreeMap::new();
            for round in 0..40 {
                delivered.append(&mut send_numbered(&producer, "t", round * 50..(round + 1) * 50).await);
            }
            delivered
        }
    });
    for _ in 0..3 {
        // Some records more, then it goes away and comes back.
        let end = |broker: &Broker| broker.store().unwrap().partition("t", 0).map_or(0, |log| log.log_end());
        let from = end(&broker);
        while end(&broker) < from + 50 && !sending.is_finished() {
            tokio::task::yield_now().await;
        }
        broker.stop().await.unwrap();
        broker.resume().await.unwrap();
    }
    let delivered = sending.await.unwrap();
    assert_eq!(delivered.len(), 2000, "nothing was acknowledged twice at different offsets");
    let consumer = consumer(&broker);
    consumer.assign(&partitions("t", 0..3, Offset::Beginning)).unwrap();
    for message in poll(&consumer, 2000) {
        assert_eq!(text(message.payload()), delivered[&(message.partition(), message.offset())]);
    }
    let ends: i64 = (0..3).map(|partition| broker.store().unwrap().partition("t", partition).unwrap().log_end()).sum();
    assert_eq!(ends, 2000, "and what was sent again is there once");
}

//! A group of which one member is a consumer in the server's process and the other is librdkafka.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use esker::{AutoOffsetReset, ConsumerConfig, ProducerConfig, Record, Store, TopicConfig};
use esker_librdkafka_tests::Broker;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;

const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 4;
const MOMENT: Duration = Duration::from_millis(10);

/// Both members, as far as they are there, and who has got which record by (partition, offset).
#[derive(Default)]
struct Pair {
    ours: Option<esker::Consumer>,
    theirs: Option<BaseConsumer>,
    got: BTreeMap<(i32, i64), Vec<&'static str>>,
}

impl Pair {
    fn subscribe(broker: &Broker, store: &Store, topic: &str) -> Self {
        let config = ConsumerConfig::from(topic).auto_offset_reset(AutoOffsetReset::Earliest);
        let mut ours = store.consumer(config.max_poll_records(7)).unwrap();
        ours.subscribe([topic]).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker.bootstrap_servers()).set("group.id", topic);
        config.set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
        config.set("heartbeat.interval.ms", "100");
        let theirs: BaseConsumer = config.create().unwrap();
        theirs.subscribe(&[topic]).unwrap();
        Self { ours: Some(ours), theirs: Some(theirs), got: BTreeMap::new() }
    }

    /// How many partitions each has.
    fn sizes(&self) -> (usize, usize) {
        let ours = self.ours.as_ref().map_or(0, |ours| ours.assignment().len());
        (ours, self.theirs.as_ref().map_or(0, |theirs| theirs.assignment().unwrap().count()))
    }

    /// Both poll, and commit what they have got before they poll again.
    fn work_until(&mut self, is_enough: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_enough(self) {
            assert!(Instant::now() < deadline, "{:?} have got {} records", self.sizes(), self.got.len());
            if let Some(ours) = &mut self.ours {
                let records = ours.poll(MOMENT).unwrap();
                for record in &records {
                    self.got.entry((record.partition, record.offset)).or_default().push("ours");
                }
                if !records.is_empty() {
                    ours.commit().unwrap();
                }
            }
            if let Some(theirs) = &self.theirs
                && let Some(message) = theirs.poll(MOMENT)
            {
                let message = message.unwrap();
                self.got.entry((message.partition(), message.offset())).or_default().push("theirs");
                theirs.commit_message(&message, CommitMode::Sync).unwrap();
            }
        }
    }
}

fn send(store: &Store, topic: &str, count: i32) {
    let producer = store.producer(ProducerConfig::new()).unwrap();
    for number in 0..count {
        producer.send(Record::to(topic).partition(number % PARTITIONS).value(number.to_string())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_share_a_topic_and_either_takes_over_from_the_other() {
    let broker = Broker::start().await.unwrap();
    let store = broker.store().unwrap();
    for who_leaves in ["ours", "theirs"] {
        let topic = format!("until {who_leaves} leaves").replace(' ', "-");
        store.create_topic(&topic, TopicConfig::new().partitions(PARTITIONS)).unwrap();
        let mut pair = Pair::subscribe(&broker, store, &topic);
        pair.work_until(|pair| pair.sizes() == (2, 2));
        send(store, &topic, 60);
        pair.work_until(|pair| pair.got.len() == 60);
        let of = |who: &str| pair.got.values().filter(|got| *got == &[who]).count();
        assert_eq!((of("ours"), of("theirs")), (30, 30), "each has got what is in its partitions, and all of it once");

        // One goes in the midst of the work.
        send(store, &topic, 60);
        pair.work_until(|pair| pair.got.len() >= 80);
        match who_leaves {
            "ours" => pair.ours = None,
            _ => pair.theirs = None,
        }
        pair.work_until(|pair| pair.got.len() == 120 && [(0, 4), (4, 0)].contains(&pair.sizes()));
        assert!(pair.got.values().all(|got| got.len() == 1), "nothing was left out, and nothing came twice");
    }
}

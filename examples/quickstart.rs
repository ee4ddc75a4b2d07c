//! A topic, some records in, some records out, and a group that remembers how far it came.
//!
//! ```sh
//! cargo run --example quickstart            # in a temporary directory, which is gone afterwards
//! cargo run --example quickstart -- data    # in ./data: run it twice, and look into the directory
//! ```

use std::time::Duration;

use esker::{Acks, AutoOffsetReset, ConsumerConfig, Error, ProducerConfig, Record, RecordMetadata, Store, TopicConfig};

fn main() -> esker::Result<()> {
    // A store is a directory. Opening it recovers what a crash left, and keeps other processes out.
    let store = match std::env::args().nth(1) {
        Some(dir) => Store::open(dir)?,
        None => Store::temporary()?,
    };
    println!("opened {}", store.dir().display());

    // A topic is split into partitions, each of them a log with an order of its own.
    match store.create_topic("payments", TopicConfig::new().partitions(3)) {
        Ok(id) => println!("created topic payments with id {id}"),
        Err(Error::TopicAlreadyExists { .. }) => println!("topic payments is there from the last time"),
        Err(error) => return Err(error),
    }

    // Acks::All, the default: when a send returns, its record survives the loss of power.
    let producer = store.producer(ProducerConfig::new().acks(Acks::All))?;
    let sent = producer.send(Record::to("payments").key("card-42").value("9.99 EUR"))?;
    println!("card-42 went to {}", place(&sent));

    // Records with one key go to one partition, so they keep their order. Sent without waiting for each, they share
    // batches and syncs; the handles tell what became of them.
    let amounts = ["3.50 EUR", "120.00 EUR", "0.01 EUR"];
    let sends = amounts.map(|amount| producer.send_async(Record::to("payments").key("card-7").value(amount)));
    for pending in sends {
        let sent = pending?.wait()?;
        println!("card-7 went to {}", place(&sent));
    }

    // A consumer of a group starts where the group left off. This one never did, so it starts at the earliest record.
    let config = ConsumerConfig::from("billing").auto_offset_reset(AutoOffsetReset::Earliest);
    let mut consumer = store.consumer(config.clone())?;
    consumer.assign_topics(["payments"])?;
    let records = consumer.poll(Duration::from_secs(1))?;
    for record in &records {
        let [key, value] = [&record.key, &record.value].map(|bytes| bytes.as_deref().unwrap_or_default());
        let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
        println!("read {key} {value} from {} at offset {}", record.topic_partition(), record.offset);
    }

    // Only what is committed counts as read: commit after the work is done, and a crash repeats some but skips none.
    consumer.commit()?;
    println!("committed {} records for group billing", records.len());

    let mut later = store.consumer(config)?;
    later.assign_topics(["payments"])?;
    assert!(later.poll(Duration::ZERO)?.is_empty(), "the group has read everything");
    println!("so there is nothing more to read for group billing");

    // Not needed for safety, only for a quick start the next time.
    store.close()
}

/// Where a record ended up.
fn place(sent: &RecordMetadata) -> String {
    match sent.offset {
        Some(offset) => format!("{} at offset {offset}", sent.topic_partition),
        // With Acks::None nobody waits to learn it.
        None => sent.topic_partition.to_string(),
    }
}

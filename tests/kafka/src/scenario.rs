//! What is done to a directory, on either engine.

use std::collections::BTreeMap;

use esker::TopicPartition;
use esker::record::Compression;

use crate::batch::{Batch, Record};
use crate::engine::{CONSUMER_OFFSETS, Engine, Topics, partition};

/// When a scenario begins, in milliseconds since the Unix epoch: after the files were made, whose age counts too.
pub const START_MS: i64 = 2_000_000_000_000;

/// A topic of small segments in all codecs, with gaps in time and several leader epochs.
pub const EVENTS: &str = "events";
/// A topic whose records carry the time of the log.
pub const LOG_APPEND_TIME: &str = "log-append-time";
/// A topic that loses its oldest segments, and records from the middle of a segment, again and again.
pub const RETAINED: &str = "retained";
/// A topic that is cut back by each new leader.
pub const TRUNCATED: &str = "truncated";
/// A topic to which nothing is written.
pub const EMPTY: &str = "empty";

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// The topics, and configs that make many segments and index entries of few records.
pub fn topics() -> Topics {
    let small = || {
        [("internal.segment.bytes", "2048"), ("index.interval.bytes", "300"), ("segment.index.bytes", "1024")]
            .map(|(key, value)| (key, value.to_owned()))
            .to_vec()
    };
    let mut topics = BTreeMap::new();
    topics.insert(EVENTS.to_owned(), small());
    let mut stamped = small();
    stamped.push(("message.timestamp.type", "LogAppendTime".to_owned()));
    topics.insert(LOG_APPEND_TIME.to_owned(), stamped);
    let mut retained = small();
    retained.push(("retention.bytes", "5000".to_owned()));
    topics.insert(RETAINED.to_owned(), retained);
    topics.insert(TRUNCATED.to_owned(), small());
    topics.insert(EMPTY.to_owned(), small());
    topics
}

/// The partitions that a scenario leaves behind.
pub fn partitions() -> Vec<TopicPartition> {
    [EVENTS, LOG_APPEND_TIME, RETAINED, TRUNCATED, EMPTY, CONSUMER_OFFSETS].map(partition).into()
}

/// Writes everything that a log may hold.
pub fn play(engine: &impl Engine) {
    for topic in topics().into_keys() {
        engine.create_topic(&topic);
    }
    let events = partition(EVENTS);
    for epoch in 0..4 {
        engine.set_leader_epoch(&events, epoch * 3);
        engine.set_leader_epoch(&partition(LOG_APPEND_TIME), epoch);
        append_round(engine, i64::from(epoch));
        engine.maintain();
    }
    // An epoch that nothing was written in.
    engine.set_leader_epoch(&events, 20);
    append_round(engine, 4);
}

/// Appends some of everything, at a time that goes on from round to round.
pub fn append_round(engine: &impl Engine, round: i64) {
    let (events, stamped) = (partition(EVENTS), partition(LOG_APPEND_TIME));
    for step in 0..25 {
        let number = round * 25 + step;
        let now_ms = START_MS + number * 1_000;
        engine.set_time(now_ms);
        let codec = CODECS[number as usize % CODECS.len()];
        engine.append(&events, &Batch { codec, ..Batch::plain(records(number, now_ms)) });
        engine.append(&stamped, &Batch { codec, ..Batch::plain(records(number, now_ms - 5)) });
        if step % 10 == 0 {
            let offset = engine.append(&events, &Batch::plain(vec![nothing(now_ms)]));
            engine.commit_offset("billing", EVENTS, offset, "so far");
            engine.commit_offset("größer", LOG_APPEND_TIME, number, "");
        }
    }
    cut(engine, round);
}

/// Cuts records off the start of one log and off the end of another, under a new leader each.
fn cut(engine: &impl Engine, round: i64) {
    let (retained, truncated) = (partition(RETAINED), partition(TRUNCATED));
    let mut offsets = Vec::new();
    for step in 0..25 {
        let number = round * 25 + step;
        let batch = Batch::plain(records(number, START_MS + number * 1_000));
        engine.append(&retained, &batch);
        offsets.push(engine.append(&truncated, &batch));
        if step % 10 == 9 {
            engine.set_leader_epoch(&retained, (number / 10) as i32);
        }
    }
    engine.maintain();
    let log_start = engine.describe(&retained, &[]).log_start;
    engine.delete_records(&retained, log_start + 5);
    engine.maintain(); // Kafka writes the new log start down only now.
    engine.truncate(&truncated, offsets[7]);
    engine.set_leader_epoch(&truncated, 2 * round as i32 + 1);
    engine.append(&truncated, &Batch::plain(records(round, START_MS + round * 25_000)));
    engine.truncate(&truncated, offsets[5]);
    engine.set_leader_epoch(&truncated, 2 * round as i32 + 2);
    engine.append(&truncated, &Batch::plain(records(round, START_MS + round * 25_000)));
}

/// Appends a few batches to one topic, which it creates.
pub fn play_briefly(engine: &impl Engine) {
    engine.create_topic(EVENTS);
    for number in 0..40 {
        let now_ms = START_MS + number * 1_000;
        engine.set_time(now_ms);
        let codec = CODECS[number as usize % CODECS.len()];
        engine.append(&partition(EVENTS), &Batch { codec, ..Batch::plain(records(number, now_ms)) });
        if number == 25 {
            engine.maintain();
        }
    }
}

/// A few records: timestamps that go back, keys, values and headers that are null, empty or neither.
fn records(number: i64, now_ms: i64) -> Vec<Record> {
    let text = |text: String| Some(text.into_bytes());
    let mut records = vec![
        Record {
            timestamp: now_ms,
            key: text(format!("key {}", number % 7)),
            value: text(format!("record {number} {}", "filling ".repeat(number as usize % 40))),
            headers: vec![
                ("trace".to_owned(), text(number.to_string())),
                ("größe".to_owned(), Some(Vec::new())),
                (String::new(), None),
            ],
        },
        Record { timestamp: now_ms - 700, key: text(format!("key {}", number % 5)), value: None, headers: Vec::new() },
        Record { timestamp: now_ms + 300, key: Some(Vec::new()), value: Some(Vec::new()), headers: Vec::new() },
    ];
    records.truncate(1 + number as usize % 3);
    records
}

/// A record without anything in it.
fn nothing(timestamp: i64) -> Record {
    Record { timestamp, key: None, value: None, headers: Vec::new() }
}

//! A client that costs next to nothing, to see what a broker does where its client isn't the limit: batches that were
//! built once, and fetched bytes that nobody looks into. What it produces is told as connections × requests in flight on
//! each × the size of their batches. `run` beside this file lets it work with each broker in turn:
//!
//! ```sh
//! cargo bench --bench kafka --features net -- 127.0.0.1:9092 1     # against any broker, with a tenth of the load
//! ```
//!
//! Prints a figure a line, with its value and its unit. What the client can do at all, with nobody behind the socket, is
//! among them: a broker that comes near it is limited by the client.
#![expect(clippy::unwrap_used, reason = "a bench that can't run ends with a panic")]

#[path = "../groups/wire.rs"]
#[allow(dead_code, reason = "others use all of it")]
mod wire;

mod nobody;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use esker::net::messages::fetch::{FetchPartition, FetchTopic};
use esker::net::messages::produce::{PartitionProduceData, TopicProduceData};
use esker::net::messages::{FetchRequest, ProduceRequest};
use esker::net::{Connection, ErrorCode};
use esker::record::{BatchBuilder, BatchHeaders, RecordData};
use tokio::task::JoinSet;

use wire::Broker;

/// Kafka's `batch.size` and `max.in.flight.requests.per.connection`. One connection has no more under way than that,
/// and waits: a broker that syncs can't have more of it in a sync, however fast it is.
const BATCH_BYTES: usize = 16_384;
const IN_FLIGHT: usize = 5;
/// Of a connection that has as much under way as the eight have.
const MANY_IN_FLIGHT: usize = 40;
/// What producers are told to make of `batch.size` where throughput counts.
const LARGE_BATCH_BYTES: usize = 16 * BATCH_BYTES;
/// Kafka's `max.partition.fetch.bytes`.
const FETCH_BYTES: usize = 1 << 20;

/// How many connections produce, with how many requests under way on each, of batches of how many bytes.
type Shape = (usize, usize, usize);

const SHAPES: [Shape; 4] = [
    (1, IN_FLIGHT, BATCH_BYTES),
    (1, MANY_IN_FLIGHT, BATCH_BYTES),
    (1, IN_FLIGHT, LARGE_BATCH_BYTES),
    (8, IN_FLIGHT, BATCH_BYTES),
];

fn name_of((connections, in_flight, batch_bytes): Shape) -> String {
    format!("{connections} × {in_flight} × {} KiB", batch_bytes >> 10)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let Some(address) = arguments.next() else { return };
    let broker = Broker(address.parse().unwrap());
    let scale: usize = arguments.next().map_or(10, |scale| scale.parse().unwrap());
    for record_bytes in [100, 1024] {
        let nobody = Broker(nobody::listen(&Batch::new(record_bytes, BATCH_BYTES), scale * 1_000));
        for shape in SHAPES {
            let rate = produce_to(nobody, "bench", shape, 1, record_bytes, scale).await;
            print(&format!("client alone {record_bytes} B, {}", name_of(shape)), rate, "/s");
        }
        print(&format!("client alone {record_bytes} B, fetch"), fetch_all(nobody, "bench").await, "/s");
        for (acks, acks_name) in [(1, "1"), (-1, "all")] {
            for shape @ (connections, in_flight, batch_bytes) in SHAPES {
                let topic = format!("bench-{record_bytes}-{acks_name}-{connections}-{in_flight}-{batch_bytes}");
                let rate = produce_to(broker, &topic, shape, acks, record_bytes, scale).await;
                print(&format!("produce {record_bytes} B, acks={acks_name}, {}", name_of(shape)), rate, "records/s");
            }
        }
        let topic = format!("bench-{record_bytes}-1-1-{IN_FLIGHT}-{BATCH_BYTES}");
        print(&format!("fetch {record_bytes} B"), fetch_all(broker, &topic).await, "records/s");
    }
    for (acks, acks_name) in [(1, "1"), (-1, "all")] {
        let topic = format!("bench-latency-{acks_name}");
        assert!(broker.create_topic(&topic, 1).await);
        settle();
        let mut times = latencies(broker, &topic, acks, scale * 1_000).await;
        times.sort_unstable();
        for (name, thousandths) in [("p50", 500), ("p99", 990), ("p99.9", 999)] {
            let time = times[times.len() * thousandths / 1_000].as_secs_f64() * 1e3;
            print(&format!("produce to fetch, acks={acks_name}, {name}"), time, "ms");
        }
    }
}

fn print(name: &str, value: f64, unit: &str) {
    println!("{name:<56}  {value:.3} {unit}");
}

/// Waits until the device has all that was written before, so that no figure pays for another. Who can't do that
/// measures without.
fn settle() {
    let _ = std::process::Command::new("sync").status();
}

/// Records of today, or a broker would soon drop them.
fn now_ms() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64
}

/// As many records of a size as a batch of Kafka's producer takes, which is told how large it may be.
#[derive(Clone)]
struct Batch {
    records: usize,
    bytes: Bytes,
}

impl Batch {
    fn new(record_bytes: usize, batch_bytes: usize) -> Self {
        let value = vec![b'x'; record_bytes];
        let mut builder = BatchBuilder::new(1 << 20);
        let records = batch_bytes / (record_bytes + 12); // with what a record takes besides its value
        for _ in 0..records {
            builder.push(&RecordData::of(&value).at(now_ms())).unwrap();
        }
        Self { records, bytes: Bytes::copy_from_slice(builder.build().unwrap().bytes()) }
    }
}

/// Produces a batch, over and over while the partition is still without a leader, and returns its offset.
async fn send(connection: &Connection, topic: &str, index: i32, acks: i16, records: Bytes) -> i64 {
    let partition_data = vec![PartitionProduceData { index, records: Some(records) }];
    let topic_data = vec![TopicProduceData { name: topic.into(), partition_data, ..Default::default() }];
    let request = ProduceRequest { acks, timeout_ms: 30_000, topic_data, ..Default::default() };
    loop {
        let response = connection.send(&request, 9).await.unwrap();
        let produced = &response.responses[0].partition_responses[0];
        match produced.error_code {
            ErrorCode::NONE => return produced.base_offset,
            error_code => assert!(error_code.is_retriable(), "{error_code:?}"),
        }
    }
}

/// Produces to a new topic, over so many connections, one for each partition, and returns how many records go in a
/// second.
async fn produce_to(
    broker: Broker,
    topic: &str,
    (connections, in_flight, batch_bytes): Shape,
    acks: i16,
    record_bytes: usize,
    scale: usize,
) -> f64 {
    assert!(broker.create_topic(topic, connections).await);
    let batch = Batch::new(record_bytes, batch_bytes);
    settle();
    let (count, began) = (scale * 1_000 * BATCH_BYTES / batch_bytes, Instant::now());
    let left = Arc::new(AtomicUsize::new(count));
    let mut lanes = JoinSet::new();
    for partition in 0..connections {
        let connection = Arc::new(broker.connect().await);
        for _ in 0..in_flight {
            let (connection, topic, left, bytes) =
                (connection.clone(), topic.to_owned(), left.clone(), batch.bytes.clone());
            lanes.spawn(async move {
                let take = |left: usize| left.checked_sub(1);
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                    send(&connection, &topic, partition as i32, acks, bytes.clone()).await;
                }
            });
        }
    }
    while let Some(lane) = lanes.join_next().await {
        lane.unwrap();
    }
    (count * batch.records) as f64 / began.elapsed().as_secs_f64()
}

fn fetch_from(topic: &str, fetch_offset: i64) -> FetchRequest {
    let partition_max_bytes = FETCH_BYTES as i32;
    let wanted = FetchPartition { partition: 0, fetch_offset, partition_max_bytes, ..Default::default() };
    let topics = vec![FetchTopic { topic: topic.into(), partitions: vec![wanted], ..Default::default() }];
    // Kafka's `fetch.max.wait.ms`, `fetch.min.bytes` and `fetch.max.bytes`.
    FetchRequest { topics, max_wait_ms: 500, min_bytes: 1, max_bytes: 50 << 20, ..Default::default() }
}

/// Fetches a partition from its start to its end, and returns how many records come in a second.
async fn fetch_all(broker: Broker, topic: &str) -> f64 {
    let connection = broker.connect().await;
    let (mut offset, began) = (0, Instant::now());
    loop {
        let response = connection.send(&fetch_from(topic, offset), 12).await.unwrap();
        let fetched = &response.responses[0].partitions[0];
        assert_eq!(fetched.error_code, ErrorCode::NONE);
        // The last batch may be cut off.
        let headers = BatchHeaders::new(fetched.records.as_deref().unwrap_or_default()).map_while(Result::ok);
        offset = headers.last().map_or(offset, |(_, header)| header.last_offset() + 1);
        if offset >= fetched.high_watermark {
            return offset as f64 / began.elapsed().as_secs_f64();
        }
    }
}

/// How long each of `count` records takes from its producer to a consumer that waits for it.
async fn latencies(broker: Broker, topic: &str, acks: i16, count: usize) -> Vec<Duration> {
    let mut builder = BatchBuilder::new(1 << 10);
    builder.push(&RecordData::of(&[b'x'; 100]).at(now_ms())).unwrap();
    let bytes = Bytes::copy_from_slice(builder.build().unwrap().bytes());
    let producer = broker.connect().await;
    let consumer = broker.connect().await;
    let mut times = Vec::with_capacity(count);
    let mut offset = send(&producer, topic, 0, acks, bytes.clone()).await + 1;
    for _ in 0..count {
        let wanted = fetch_from(topic, offset);
        let began = Instant::now();
        let consumed = async {
            let response = consumer.send(&wanted, 12).await.unwrap();
            assert!(!response.responses[0].partitions[0].records.as_deref().unwrap_or_default().is_empty());
            began.elapsed()
        };
        let (consumed, produced) = tokio::join!(consumed, send(&producer, topic, 0, acks, bytes.clone()));
        times.push(consumed);
        offset = produced + 1;
    }
    times
}

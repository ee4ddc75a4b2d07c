//! Clients by seed: some that are only there, and some that produce and fetch until they are killed, and come again.

use std::net::SocketAddr;

use bytes::Bytes;
use esker::net::Connection;
use esker::net::messages::fetch::{FetchPartition, FetchTopic};
use esker::net::messages::produce::{PartitionProduceData, TopicProduceData};
use esker::net::messages::{ApiVersionsRequest, FetchRequest, MetadataRequest, ProduceRequest};
use esker::record::{BatchBuilder, RecordData};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::random::Random;

/// How many partitions the clients write to. The topic has one more, where nothing ever is.
pub const PARTITIONS: i32 = 4;

/// What a client was told: partition, offset and value of a record.
pub type Acknowledged = Vec<(i32, i64, String)>;

/// One that has said who it is, and then says nothing.
pub async fn idle(address: SocketAddr) -> Connection {
    let connection = Connection::connect(address).await.unwrap();
    assert!(is_served(&connection).await);
    connection
}

pub async fn is_served(connection: &Connection) -> bool {
    connection.send(&ApiVersionsRequest::default(), 3).await.is_ok()
}

/// Sends about so many requests, and is killed now and then: between requests, with a long poll under way, in the midst
/// of a frame, or with responses that it hasn't read.
pub async fn active(address: SocketAddr, partition: i32, seed: u64, requests: usize) -> Acknowledged {
    let mut random = Random::new(seed);
    let mut acknowledged = Vec::new();
    let mut connection = Connection::connect(address).await.unwrap();
    for count in 0..requests {
        match random.below(40) {
            0..20 => {
                let value = format!("{seed} {count}");
                if let Some(offset) = produce(&connection, partition, &value).await {
                    acknowledged.push((partition, offset, value));
                }
            }
            20..30 => drop(connection.send(&fetch(partition, 0), 12).await.unwrap()),
            30..36 => drop(connection.send(&MetadataRequest::default(), 12).await.unwrap()),
            36 => connection = Connection::connect(address).await.unwrap(),
            37 => {
                let forever = fetch(PARTITIONS, i32::MAX);
                tokio::select! {
                    biased;
                    _ = connection.send(&forever, 12) => {}
                    () = tokio::task::yield_now() => {}
                }
                connection = Connection::connect(address).await.unwrap();
            }
            38 => {
                let mut half = TcpStream::connect(address).await.unwrap();
                half.write_all(b"\0\0\x10\0\0\0\0\x09\0\0").await.unwrap();
            }
            _ => {
                let mut deaf = TcpStream::connect(address).await.unwrap();
                deaf.write_all(&b"\0\0\0\x0a\0\x12\0\0\0\0\0\x01\xff\xff".repeat(100)).await.unwrap();
            }
        }
    }
    acknowledged
}

async fn produce(connection: &Connection, index: i32, value: &str) -> Option<i64> {
    let mut builder = BatchBuilder::new(1 << 10);
    builder.push(&RecordData::of(value.as_bytes()).at(1)).unwrap();
    let records = Some(Bytes::copy_from_slice(builder.build().unwrap().bytes()));
    let partition_data = vec![PartitionProduceData { index, records }];
    let topic_data = vec![TopicProduceData { name: "t".into(), partition_data, ..Default::default() }];
    let request = ProduceRequest { acks: 1, timeout_ms: 1000, topic_data, ..Default::default() };
    let response = connection.send(&request, 9).await.unwrap();
    Some(response.responses.first()?.partition_responses.first()?.base_offset).filter(|offset| *offset >= 0)
}

/// From the beginning on, at most 10,000 bytes and, if it waits, at least one.
fn fetch(partition: i32, max_wait_ms: i32) -> FetchRequest {
    let wanted = FetchPartition { partition, partition_max_bytes: 10_000, ..Default::default() };
    let topics = vec![FetchTopic { topic: "t".into(), partitions: vec![wanted], ..Default::default() }];
    FetchRequest { topics, max_wait_ms, min_bytes: max_wait_ms.min(1), max_bytes: 10_000, ..Default::default() }
}

//! A server as its clients see it, over TCP and over a pipe in memory.
#![cfg(feature = "net")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod admin_topics;
mod at_once;
mod basics;
#[cfg(feature = "tls")]
#[path = "../common/certificates.rs"]
mod certificates;
mod cluster;
mod configs;
#[cfg(all(feature = "sasl", feature = "tls"))]
mod connector;
mod consumer_groups;
#[cfg(feature = "sim")]
mod deleting_records;
mod fetching;
mod group_configs;
mod groups;
mod hostile;
mod identity;
mod limits;
mod listeners;
mod lookup;
mod metrics;
mod offsets;
#[cfg(feature = "sim")]
mod power_loss;
#[path = "../common/random.rs"]
mod random;
#[cfg(all(feature = "sasl", feature = "tls"))]
mod sasl;
#[cfg(feature = "tls")]
mod secured;
#[cfg(feature = "prometheus")]
mod sending;
mod strangers;
#[cfg(feature = "tls")]
mod tls;
mod transactions;
#[path = "../common/within.rs"]
mod within;
mod words;

use bytes::Bytes;
use esker::net::messages::fetch::{FetchPartition, FetchTopic, PartitionData};
use esker::net::messages::produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData};
use esker::net::messages::{ApiVersionsRequest, FetchRequest, FetchResponse, ProduceRequest, ProduceResponse};
use esker::net::{Connection, ConnectionError};
use esker::record::{BatchBuilder, Batches, RecordData};
use esker::server::Server;
use esker::{Store, TopicConfig};

/// A store with a topic "t" of two partitions, and a server of it.
async fn serve() -> (Store, Server) {
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    let server = Server::builder(store.clone()).bind("127.0.0.1:0").await.unwrap();
    (store, server)
}

/// One connection of each kind.
async fn connections(server: &Server) -> [Connection; 2] {
    [Connection::connect(server.local_addr().unwrap()).await.unwrap(), server.connect()]
}

/// Which versions there are, asked by a client that says what it is.
fn api_versions() -> ApiVersionsRequest {
    ApiVersionsRequest { client_software_name: "test".into(), client_software_version: "1".into() }
}

/// A batch of records with these values.
fn batch(values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(1 << 20);
    for value in values {
        builder.push(&RecordData { timestamp: 1, key: None, value: Some(value.as_bytes()), headers: &[] }).unwrap();
    }
    Bytes::copy_from_slice(builder.build().unwrap().bytes())
}

fn produce_request(acks: i16, partition: i32, records: Bytes) -> ProduceRequest {
    let partition_data = vec![PartitionProduceData { index: partition, records: Some(records) }];
    let topic_data = vec![TopicProduceData { name: "t".into(), partition_data, ..Default::default() }];
    ProduceRequest { acks, timeout_ms: 30_000, topic_data, ..Default::default() }
}

fn produced(response: ProduceResponse) -> PartitionProduceResponse {
    let mut partitions = response.responses.into_iter().flat_map(|topic| topic.partition_responses);
    let only = partitions.next().unwrap();
    assert_eq!(partitions.next(), None);
    only
}

async fn produce(
    connection: &Connection,
    acks: i16,
    partition: i32,
    records: Bytes,
) -> Result<PartitionProduceResponse, ConnectionError> {
    connection.send(&produce_request(acks, partition, records), 9).await.map(produced)
}

/// Asks for one partition from an offset on, at once.
fn fetch_request(partition: i32, fetch_offset: i64) -> FetchRequest {
    let wanted = FetchPartition { partition, fetch_offset, partition_max_bytes: 1 << 20, ..Default::default() };
    let topics = vec![FetchTopic { topic: "t".into(), partitions: vec![wanted], ..Default::default() }];
    FetchRequest { topics, ..Default::default() }
}

/// Waits for as long as it takes for anything to fetch.
fn patient(request: FetchRequest) -> FetchRequest {
    FetchRequest { min_bytes: 1, max_wait_ms: i32::MAX, ..request }
}

fn fetched(response: FetchResponse) -> PartitionData {
    response.responses.into_iter().flat_map(|topic| topic.partitions).next().unwrap()
}

/// The offsets and values of all records.
fn values(data: &PartitionData) -> Vec<(i64, String)> {
    let mut values = Vec::new();
    for batch in Batches::new(data.records.clone().unwrap().into()) {
        for record in &batch.unwrap().records().unwrap() {
            let record = record.unwrap();
            values.push((record.offset, String::from_utf8(record.value.unwrap().to_vec()).unwrap()));
        }
    }
    values
}

//! Commits of offsets, one or a hundred at a time, by one client or by many.

use std::time::Instant;

use esker::net::ErrorCode;
use esker::net::messages::OffsetCommitRequest;
use esker::net::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use tokio::task::JoinSet;

use super::line;
use super::wire::{Broker, is_not_ready};

pub const PARTITIONS: usize = 100;
const COMMITS: usize = 2000;

pub async fn run(broker: &Broker) {
    broker.create_topic("committed", PARTITIONS).await;
    for (clients, partitions) in [(1, 1), (1, PARTITIONS), (16, 1), (16, PARTITIONS)] {
        let began = Instant::now();
        let each = COMMITS / if clients == 1 { 2 } else { clients };
        let commit = |client| commit(*broker, format!("commits-{client}"), partitions, each);
        (0..clients).map(commit).collect::<JoinSet<()>>().join_all().await;
        let offsets = (clients * each * partitions) as f64 / began.elapsed().as_secs_f64();
        line(&format!("{clients} clients, commits of {partitions}: offsets"), offsets, "1/s");
    }
}

/// Commits so many times, each when the one before was answered.
async fn commit(broker: Broker, group: String, partitions: usize, times: usize) {
    let connection = broker.connect().await;
    let mut committed = 0;
    while committed < times {
        let partition = |partition_index| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: committed as i64,
            committed_metadata: Some(String::new()),
            ..Default::default()
        };
        let topic = OffsetCommitRequestTopic {
            name: "committed".into(),
            partitions: (0..partitions as i32).map(partition).collect(),
            ..Default::default()
        };
        let request = OffsetCommitRequest { group_id: group.clone(), topics: vec![topic], ..Default::default() };
        let response = connection.send(&request, 8).await.unwrap();
        let error = response.topics[0].partitions[0].error_code;
        if !is_not_ready(error) {
            assert_eq!(error, ErrorCode::NONE);
            committed += 1;
        }
    }
}

//! Offsets as clients look them up: the ends of partitions, by timestamp and by leader epoch; and moving the beginning.

use esker::net::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use esker::net::messages::list_offsets::{ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopic};
use esker::net::messages::offset_for_leader_epoch::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use esker::net::messages::{DeleteRecordsRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest};
use esker::net::{Connection, ErrorCode};
use esker::record::{BatchBuilder, EndTransactionMarker, RecordData, TransactionResult};
use esker::{Acks, Log, ProducerIdAndEpoch, Store, TopicConfig};

use super::{connections, serve};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// Appends one batch of records with these timestamps.
fn append(log: &Log, timestamps: &[i64]) {
    let mut builder = BatchBuilder::new(1 << 20);
    for timestamp in timestamps {
        let record = RecordData { timestamp: *timestamp, key: None, value: Some(b"v"), headers: &[] };
        builder.push(&record).unwrap();
    }
    log.append(builder.build().unwrap(), Acks::Leader).unwrap();
}

/// Two batches in partition 0 of "t": offsets 0 to 2 with timestamps 10, 30, 20, offset 3 with 30, offset 4 with 25.
fn fill(store: &Store) -> Log {
    let log = store.partition("t", 0).unwrap();
    append(&log, &[10, 30, 20]);
    append(&log, &[30, 25]);
    log
}

fn request(partition_index: i32, timestamp: i64) -> ListOffsetsRequest {
    let wanted = ListOffsetsPartition { partition_index, timestamp, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: "t".into(), partitions: vec![wanted] }];
    ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }
}

async fn send(connection: &Connection, request: &ListOffsetsRequest, version: i16) -> ListOffsetsPartitionResponse {
    connection.send(request, version).await.unwrap().topics.remove(0).partitions.remove(0)
}

/// The offset and the timestamp that are found for a timestamp.
async fn look_up(connection: &Connection, timestamp: i64, version: i16) -> Result<(i64, i64), ErrorCode> {
    let found = send(connection, &request(0, timestamp), version).await;
    match found.error_code {
        ErrorCode::NONE => {
            let is_known = version >= 4 && found.offset >= 0;
            assert_eq!(found.leader_epoch, if is_known { 0 } else { -1 });
            Ok((found.offset, found.timestamp))
        }
        code => Err(code),
    }
}

#[tokio::test]
async fn offsets_are_found_in_every_version() {
    let (store, server) = serve().await;
    let connections = connections(&server).await;
    for connection in &connections {
        // Nothing has been written in any epoch.
        for (timestamp, expected) in
            [(EARLIEST, (0, -1, 0)), (LATEST, (0, -1, 0)), (MAX_TIMESTAMP, (-1, -1, -1)), (0, (-1, -1, -1))]
        {
            let found = send(connection, &request(0, timestamp), 11).await;
            assert_eq!((found.offset, found.timestamp, found.leader_epoch), expected, "{timestamp}");
        }
    }
    fill(&store);
    for connection in &connections {
        for version in 1..=11 {
            let unsupported =
                |since, found| if version < since { Err(ErrorCode::UNSUPPORTED_VERSION) } else { Ok(found) };
            for (timestamp, expected) in [
                (LATEST, Ok((5, -1))),
                (EARLIEST, Ok((0, -1))),
                // The first record with it, within a batch, and in the first batch that has it.
                (MAX_TIMESTAMP, unsupported(7, (1, 30))),
                (EARLIEST_LOCAL, unsupported(8, (0, -1))),
                (LATEST_TIERED, unsupported(9, (-1, -1))),
                (EARLIEST_PENDING_UPLOAD, unsupported(11, (-1, -1))),
                (0, Ok((0, 10))),
                (11, Ok((1, 30))),
                (20, Ok((1, 30))),
                (30, Ok((1, 30))),
                (31, Ok((-1, -1))),
                (-7, Err(ErrorCode::UNSUPPORTED_VERSION)),
            ] {
                assert_eq!(look_up(connection, timestamp, version).await, expected, "{timestamp} in {version}");
            }
        }
    }
}

#[tokio::test]
async fn records_before_the_log_start_are_not_found() {
    let (store, server) = serve().await;
    let log = fill(&store);
    let connection = server.connect();
    for (log_start, max, first) in
        [(1, (1, 30), (1, 30)), (2, (3, 30), (2, 20)), (4, (4, 25), (4, 25)), (5, (-1, -1), (-1, -1))]
    {
        log.delete_records(log_start).unwrap();
        assert_eq!(look_up(&connection, EARLIEST, 11).await, Ok((log_start, -1)));
        assert_eq!(look_up(&connection, MAX_TIMESTAMP, 11).await, Ok(max), "from {log_start} on");
        assert_eq!(look_up(&connection, 0, 11).await, Ok(first), "from {log_start} on");
    }
}

#[tokio::test]
async fn the_largest_timestamp_is_found_across_segments() {
    let (store, server) = serve().await;
    store.create_topic("small", TopicConfig::new().internal_segment_bytes(100)).unwrap();
    let log = store.partition("small", 0).unwrap();
    for timestamp in [10, 40, 20, 40, 30] {
        append(&log, &[timestamp, 5]);
    }
    assert!(log.segment_count() >= 5);
    let mut request = request(0, MAX_TIMESTAMP);
    request.topics[0].name = "small".into();
    for (log_start, expected) in [(0, (2, 40)), (2, (2, 40)), (3, (6, 40)), (7, (8, 30)), (9, (9, 5))] {
        log.delete_records(log_start).unwrap();
        let found = send(&server.connect(), &request, 7).await;
        assert_eq!((found.offset, found.timestamp), expected, "from {log_start} on");
    }
}

#[tokio::test]
async fn what_is_not_decided_is_for_readers_of_everything() {
    let (store, server) = serve().await;
    let log = fill(&store);
    let mut builder = BatchBuilder::new(1 << 20).producer(1, 0, 0).transactional(true);
    builder.push(&RecordData { timestamp: 50, key: None, value: Some(b"v"), headers: &[] }).unwrap();
    log.append(builder.build().unwrap(), Acks::Leader).unwrap();
    let connection = server.connect();
    let ask = async |timestamp, isolation_level, replica_id| {
        let request = ListOffsetsRequest { isolation_level, replica_id, ..request(0, timestamp) };
        send(&connection, &request, 7).await.offset
    };
    assert_eq!((ask(LATEST, 0, -1).await, ask(LATEST, 1, -1).await, ask(LATEST, 1, -2).await), (6, 5, 6));
    assert_eq!((ask(50, 0, -1).await, ask(50, 1, -1).await), (5, -1));
    assert_eq!((ask(MAX_TIMESTAMP, 0, -1).await, ask(MAX_TIMESTAMP, 1, -1).await), (5, -1));
    let marker = EndTransactionMarker { result: TransactionResult::Commit, coordinator_epoch: 0 };
    log.append_end_transaction_marker(ProducerIdAndEpoch::new(1, 0), marker, Acks::Leader).unwrap();
    assert_eq!((ask(LATEST, 1, -1).await, ask(50, 1, -1).await), (7, 5));
}

#[tokio::test]
async fn partitions_that_can_not_be_looked_at_say_why() {
    let (store, server) = serve().await;
    fill(&store);
    let connection = server.connect();
    let found = send(&connection, &request(9, LATEST), 11).await;
    assert_eq!((found.error_code, found.offset), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1));
    for (epoch, expected) in [(0, ErrorCode::NONE), (1, ErrorCode::UNKNOWN_LEADER_EPOCH)] {
        let mut request = request(0, EARLIEST);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        assert_eq!(send(&connection, &request, 11).await.error_code, expected);
    }
    store.partition("t", 0).unwrap().set_leader_epoch(4).unwrap();
    let mut fenced = request(0, LATEST);
    fenced.topics[0].partitions[0].current_leader_epoch = 3;
    assert_eq!(send(&connection, &fenced, 11).await.error_code, ErrorCode::FENCED_LEADER_EPOCH);
    // Each offset with the epoch in which its record was written.
    let epoch = async |timestamp| send(&connection, &request(0, timestamp), 11).await.leader_epoch;
    assert_eq!((epoch(LATEST).await, epoch(EARLIEST).await, epoch(20).await), (4, 0, 0));
    let mut twice = request(0, LATEST);
    let again = twice.topics[0].clone();
    twice.topics.push(again);
    let response = connection.send(&twice, 11).await.unwrap();
    let codes: Vec<_> = response.topics.iter().map(|topic| topic.partitions[0].error_code).collect();
    assert_eq!(codes, [ErrorCode::INVALID_REQUEST]);
}

#[tokio::test]
async fn leader_epochs_end_where_the_log_says_in_every_version() {
    let (store, server) = serve().await;
    let log = fill(&store);
    log.set_leader_epoch(2).unwrap();
    append(&log, &[40]);
    for connection in connections(&server).await {
        for version in 2..=4 {
            for (partition, current_leader_epoch, leader_epoch, expected) in [
                (0, -1, 0, (ErrorCode::NONE, 0, 5)),
                (0, 2, 1, (ErrorCode::NONE, 0, 5)),
                (0, 2, 2, (ErrorCode::NONE, 2, 6)),
                (0, -1, 3, (ErrorCode::NONE, -1, -1)),
                // Nothing was written, and the epoch is 0 all the same.
                (1, 0, 0, (ErrorCode::NONE, 0, 0)),
                (0, 1, 1, (ErrorCode::FENCED_LEADER_EPOCH, -1, -1)),
                (0, 3, 1, (ErrorCode::UNKNOWN_LEADER_EPOCH, -1, -1)),
                (9, -1, 0, (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1, -1)),
            ] {
                let wanted = OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch };
                let topics = vec![OffsetForLeaderTopic { topic: "t".into(), partitions: vec![wanted] }];
                let request = OffsetForLeaderEpochRequest { replica_id: -1, topics };
                let response = connection.send(&request, version).await.unwrap();
                let end = &response.topics[0].partitions[0];
                assert_eq!((end.error_code, end.leader_epoch, end.end_offset), expected, "{request:?}");
            }
        }
    }
}

async fn delete(
    connection: &Connection,
    topic: &str,
    partitions: &[(i32, i64)],
    version: i16,
) -> Vec<(ErrorCode, i64)> {
    let partition = |(partition_index, offset): &(i32, i64)| DeleteRecordsPartition {
        partition_index: *partition_index,
        offset: *offset,
    };
    let topics =
        vec![DeleteRecordsTopic { name: topic.into(), partitions: partitions.iter().map(partition).collect() }];
    let response = connection.send(&DeleteRecordsRequest { topics, timeout_ms: 1000 }, version).await.unwrap();
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| (partition.error_code, partition.low_watermark)).collect()
}

#[tokio::test]
async fn records_are_deleted_in_every_version() {
    let (store, server) = serve().await;
    store.create_topic("compacted", TopicConfig::new().cleanup_policy(esker::CleanupPolicy::COMPACT)).unwrap();
    let log = fill(&store);
    let mut start = 0;
    for connection in connections(&server).await {
        for version in 0..=2 {
            let wanted = [(0, start + 1), (1, 1), (7, 0)];
            let results = delete(&connection, "t", &wanted, version).await;
            start += 1;
            let out_of_range = (ErrorCode::OFFSET_OUT_OF_RANGE, -1);
            let expected = [(ErrorCode::NONE, start), out_of_range, (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1)];
            assert_eq!((results, log.log_start()), (expected.to_vec(), start));
            // What is gone already stays so.
            assert_eq!(delete(&connection, "t", &[(0, 0)], version).await, [(ErrorCode::NONE, start)]);
            append(&log, &[40]);
        }
    }
    let connection = server.connect();
    assert_eq!(delete(&connection, "t", &[(0, 7), (0, -1)], 2).await, [(ErrorCode::NONE, 11)], "up to the end");
    assert_eq!(delete(&connection, "compacted", &[(0, 0)], 2).await, [(ErrorCode::POLICY_VIOLATION, -1)]);
    let group = esker::CommittedOffset::new(1);
    store.commit_offsets("g", [(("t", 0).into(), group)], Acks::Leader).unwrap();
    let internal = delete(&connection, "__consumer_offsets", &[(0, 0)], 2).await;
    assert_eq!(internal, [(ErrorCode::INVALID_TOPIC_EXCEPTION, -1)]);
}

//! What the codec does at its edges, and the messages that only Kafka itself knows.

use bytes::Bytes;
use esker::Uuid;
use esker::net::messages::*;
use esker::net::protocol_error::{Inexpressible, Malformation};
use esker::net::{ApiKey, ErrorCode, ProtocolError, RequestHeader};

fn inexpressible(field: &'static str, version: i16, reason: Inexpressible) -> ProtocolError {
    ProtocolError::Inexpressible { field, version, reason }
}

fn hex(digits: &str) -> Bytes {
    assert_eq!(digits.len() % 2, 0);
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// `bytes` is what Kafka's own classes make of this message.
#[track_caller]
fn kafka_writes<B: Body>(version: i16, bytes: &str, message: B) {
    assert_eq!(B::from_bytes(hex(bytes), version), Ok(message.clone()));
    assert_eq!(message.to_bytes(version).unwrap().to_bytes(), hex(bytes));
}

const ID: Uuid = Uuid::from_bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

/// Written by `kafka-clients` 4.3.1.
#[test]
fn the_newest_versions_are_as_kafka_writes_them() {
    kafka_writes(
        11,
        "ffffffff01020274020000000300000004fffffffffffffffa00000000753000",
        ListOffsetsRequest {
            replica_id: -1,
            isolation_level: 1,
            topics: vec![list_offsets::ListOffsetsTopic {
                name: "t".into(),
                partitions: vec![list_offsets::ListOffsetsPartition {
                    partition_index: 3,
                    current_leader_epoch: 4,
                    timestamp: -6,
                }],
            }],
            timeout_ms: 30_000,
        },
    );
    kafka_writes(
        11,
        "00000001020274020000000300060000000000000007000000000000000800000009000000",
        ListOffsetsResponse {
            throttle_time_ms: 1,
            topics: vec![list_offsets::ListOffsetsTopicResponse {
                name: "t".into(),
                partitions: vec![list_offsets::ListOffsetsPartitionResponse {
                    partition_index: 3,
                    error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER,
                    timestamp: 7,
                    offset: 8,
                    leader_epoch: 9,
                }],
            }],
        },
    );
    kafka_writes(
        10,
        "026700000002026d0269020102030405060708090a0b0c0d0e0f1002000000030000000000000004000000050278000000",
        OffsetCommitRequest {
            group_id: "g".into(),
            generation_id_or_member_epoch: 2,
            member_id: "m".into(),
            group_instance_id: Some("i".into()),
            topics: vec![offset_commit::OffsetCommitRequestTopic {
                topic_id: ID,
                partitions: vec![offset_commit::OffsetCommitRequestPartition {
                    partition_index: 3,
                    committed_offset: 4,
                    committed_leader_epoch: 5,
                    committed_metadata: Some("x".into()),
                }],
                ..Default::default()
            }],
            ..Default::default()
        },
    );
    kafka_writes(
        10,
        "00000001020102030405060708090a0b0c0d0e0f1002000000030064000000",
        OffsetCommitResponse {
            throttle_time_ms: 1,
            topics: vec![offset_commit::OffsetCommitResponseTopic {
                topic_id: ID,
                partitions: vec![offset_commit::OffsetCommitResponsePartition {
                    partition_index: 3,
                    error_code: ErrorCode::UNKNOWN_TOPIC_ID,
                }],
                ..Default::default()
            }],
        },
    );
    kafka_writes(
        10,
        "020267026d00000002020102030405060708090a0b0c0d0e0f1003000000030000000400000100",
        OffsetFetchRequest {
            groups: vec![offset_fetch::OffsetFetchRequestGroup {
                group_id: "g".into(),
                member_id: Some("m".into()),
                member_epoch: 2,
                topics: Some(vec![offset_fetch::OffsetFetchRequestTopics {
                    topic_id: ID,
                    partition_indexes: vec![3, 4],
                    ..Default::default()
                }]),
            }],
            require_stable: true,
            ..Default::default()
        },
    );
    kafka_writes(
        10,
        "00000001020267020102030405060708090a0b0c0d0e0f100200000003000000000000000400000005000006000000020000",
        OffsetFetchResponse {
            throttle_time_ms: 1,
            groups: vec![offset_fetch::OffsetFetchResponseGroup {
                group_id: "g".into(),
                topics: vec![offset_fetch::OffsetFetchResponseTopics {
                    topic_id: ID,
                    partitions: vec![offset_fetch::OffsetFetchResponsePartitions {
                        partition_index: 3,
                        committed_offset: 4,
                        committed_leader_epoch: 5,
                        metadata: None,
                        error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER,
                    }],
                    ..Default::default()
                }],
                error_code: ErrorCode::CORRUPT_MESSAGE,
            }],
            ..Default::default()
        },
    );
    kafka_writes(
        6,
        "02780000000100000000000000020003010100",
        InitProducerIdRequest {
            transactional_id: Some("x".into()),
            transaction_timeout_ms: 1,
            producer_id: 2,
            producer_epoch: 3,
            enable_2_pc: true,
            keep_prepared_txn: true,
        },
    );
    kafka_writes(
        6,
        "000000010002000000000000000300040000000000000005000600",
        InitProducerIdResponse {
            throttle_time_ms: 1,
            error_code: ErrorCode::CORRUPT_MESSAGE,
            producer_id: 3,
            producer_epoch: 4,
            ongoing_txn_producer_id: 5,
            ongoing_txn_producer_epoch: 6,
        },
    );
    kafka_writes(
        2,
        "02000000000000000100020102027402000000040000000003020000",
        WriteTxnMarkersRequest {
            markers: vec![write_txn_markers::WritableTxnMarker {
                producer_id: 1,
                producer_epoch: 2,
                transaction_result: true,
                topics: vec![write_txn_markers::WritableTxnMarkerTopic {
                    name: "t".into(),
                    partition_indexes: vec![4],
                }],
                coordinator_epoch: 3,
                transaction_version: 2,
            }],
        },
    );
    kafka_writes(
        2,
        "0200000000000000010202740200000002000300000000",
        WriteTxnMarkersResponse {
            markers: vec![write_txn_markers::WritableTxnMarkerResult {
                producer_id: 1,
                topics: vec![write_txn_markers::WritableTxnMarkerTopicResult {
                    name: "t".into(),
                    partitions: vec![write_txn_markers::WritableTxnMarkerPartitionResult {
                        partition_index: 2,
                        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    }],
                }],
            }],
        },
    );
    kafka_writes(
        5,
        "0202740300000001000000020000",
        DescribeLogDirsRequest {
            topics: Some(vec![describe_log_dirs::DescribableLogDirTopic { topic: "t".into(), partitions: vec![1, 2] }]),
        },
    );
    kafka_writes(
        5,
        "000000010002020003032f6402027402000000060000000000000007000000000000000801000000000000000000040000000000000005010000",
        DescribeLogDirsResponse {
            throttle_time_ms: 1,
            error_code: ErrorCode::CORRUPT_MESSAGE,
            results: vec![describe_log_dirs::DescribeLogDirsResult {
                error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                log_dir: "/d".into(),
                topics: vec![describe_log_dirs::DescribeLogDirsTopic {
                    name: "t".into(),
                    partitions: vec![describe_log_dirs::DescribeLogDirsPartition {
                        partition_index: 6,
                        partition_size: 7,
                        offset_lag: 8,
                        is_future_key: true,
                    }],
                }],
                total_bytes: 4,
                usable_bytes: 5,
                is_cordoned: true,
            }],
        },
    );
}

#[test]
fn a_field_that_a_version_has_not_got_is_dropped_only_where_that_is_harmless() {
    let leaving = vec![fetch::ForgottenTopic { topic: "t".into(), partitions: vec![0], ..Default::default() }];
    let request = FetchRequest { rack_id: "here".into(), session_epoch: 3, ..Default::default() };
    let sent = request.to_bytes(4).unwrap().to_bytes();
    let read = FetchRequest::from_bytes(sent, 4).unwrap();
    assert_eq!((&*read.rack_id, read.session_epoch), ("", -1), "they have their defaults");
    let request = FetchRequest { forgotten_topics_data: leaving, ..request };
    assert!(request.to_bytes(7).is_ok());
    assert_eq!(request.to_bytes(6), Err(inexpressible("forgotten_topics_data", 6, Inexpressible::Absent)));
}

#[test]
fn null_is_sent_and_taken_only_in_versions_that_have_it() {
    let all_topics = MetadataRequest { topics: None, ..Default::default() };
    assert_eq!(all_topics.to_bytes(0), Err(inexpressible("topics", 0, Inexpressible::Null)));
    let sent = all_topics.to_bytes(1).unwrap().to_bytes();
    assert_eq!(
        MetadataRequest::from_bytes(sent.clone(), 1).unwrap(),
        MetadataRequest { allow_auto_topic_creation: true, ..all_topics }
    );
    let refused = MetadataRequest::from_bytes(sent, 0).unwrap_err();
    let reason = Malformation::Null;
    assert_eq!(refused, ProtocolError::Malformed { field: "topics", position: 4, reason });
}

#[test]
fn tagged_fields_from_the_future_are_passed_over() {
    let request = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
    let sent = request.to_bytes(12).unwrap().to_bytes();
    let (no_tags, message) = sent.split_last().unwrap();
    assert_eq!(*no_tags, 0);
    let with_tags = [message, &[2, 7, 3, b'a', b'b', b'c', 0xff, 0xff, 0xff, 0xff, 0x0f, 0]].concat();
    assert_eq!(MetadataRequest::from_bytes(with_tags.into(), 12), Ok(request));
    let cut_off = [message, &[1, 7, 3, b'a', b'b']].concat();
    assert!(MetadataRequest::from_bytes(cut_off.into(), 12).is_err());
}

#[test]
fn a_tagged_field_has_the_size_that_it_says() {
    let response = ApiVersionsResponse { finalized_features_epoch: 5, ..Default::default() };
    let sent = response.to_bytes(3).unwrap().to_bytes();
    let tag = [1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5];
    let message = sent.strip_suffix(&tag).unwrap();
    let longer = [message, &[1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 5, 0]].concat();
    let refused = ApiVersionsResponse::from_bytes(longer.into(), 3).unwrap_err();
    let reason = Malformation::Surplus(1);
    assert_eq!(refused, ProtocolError::Malformed { field: "finalized_features_epoch", position: 8, reason });
}

#[test]
fn records_are_not_copied_on_the_way_in_or_out() {
    let records = Bytes::from(vec![7; 10_000]);
    let partition = produce::PartitionProduceData { index: 1, records: Some(records.clone()) };
    let topic = produce::TopicProduceData { name: "t".into(), partition_data: vec![partition], ..Default::default() };
    let request = ProduceRequest { acks: -1, topic_data: vec![topic], ..Default::default() };
    let header = RequestHeader { api_key: ApiKey::Produce, api_version: 9, correlation_id: 1, client_id: None };
    let sent = request_frame(&header, &request).unwrap();
    assert!(sent.chunks().iter().any(|chunk| chunk.as_ptr() == records.as_ptr()));
    assert_eq!(sent.chunks().len(), 3, "what comes before, the records, what comes after");
    assert_eq!(sent.size(), sent.to_bytes().len());

    let mut frame = sent.to_bytes().slice(4..);
    let memory = frame.as_ptr_range();
    assert_eq!(RequestHeader::decode(&mut frame).unwrap(), header);
    let read = ProduceRequest::from_bytes(frame, 9).unwrap();
    assert_eq!(read, request);
    let records = read.topic_data[0].partition_data[0].records.as_ref().unwrap();
    assert!(memory.contains(&records.as_ptr()));
}

#[test]
fn versions_that_are_not_known_are_refused_by_name() {
    let refused = FetchRequest::from_bytes(Bytes::new(), 3).unwrap_err();
    assert_eq!(refused.to_string(), "version 3 of Fetch is not one of 4..=18");
    assert_eq!(
        FetchResponse::default().to_bytes(19).unwrap_err().to_string(),
        "version 19 of Fetch is not one of 4..=18"
    );
    let refused = RequestHeader::decode(&mut hex("03e7000200000001ffff")).unwrap_err();
    assert_eq!(refused, ProtocolError::UnknownApiKey { key: 999, version: 2 });
}

/// A client from the future asks which versions there are in one that isn't known here: its header can be read, so that
/// it can be answered (KIP-511).
#[test]
fn the_header_of_a_version_from_the_future_is_read() {
    let mut frame = hex("001200630000000700016300ffff");
    let header = RequestHeader::decode(&mut frame).unwrap();
    let client_id = Some("c".to_owned());
    assert_eq!(header, RequestHeader { api_key: ApiKey::ApiVersions, api_version: 99, correlation_id: 7, client_id });
    assert!(ApiVersionsRequest::from_bytes(frame, 99).is_err());
}

#[test]
fn what_is_too_long_for_its_length_is_not_sent() {
    let name = Some("x".repeat(40_000));
    let topic = metadata::MetadataRequestTopic { name, ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    assert_eq!(request.to_bytes(8), Err(inexpressible("name", 8, Inexpressible::Length(40_000))));
    assert!(request.to_bytes(9).is_ok(), "flexible versions have longer strings");
}

#[test]
fn what_is_not_utf_8_is_replaced() {
    // "Büro" in Latin-1.
    let heartbeat = HeartbeatRequest::from_bytes(hex("000442fc726f000000010000"), 0).unwrap();
    assert_eq!(heartbeat.group_id, "B\u{fffd}ro");
}

#[test]
fn malformed_bytes_are_described() {
    let fault = |bytes: &str, version| HeartbeatRequest::from_bytes(hex(bytes), version).unwrap_err().to_string();
    assert_eq!(fault("0005616263", 0), "malformed group_id at byte 2: 5 bytes are needed and 3 are left");
    assert_eq!(fault("fffe", 0), "malformed group_id at byte 2: a length can't be -2");
    assert_eq!(fault("ffff", 0), "malformed group_id at byte 2: it can't be null");
    assert_eq!(fault("ffffffffff", 4), "malformed group_id at byte 5: a variable-length integer is too long");
    assert_eq!(fault("0000000000", 0), "malformed generation_id at byte 2: 4 bytes are needed and 3 are left");
}

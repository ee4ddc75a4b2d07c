//! Transactions over the wire: what counts, what doesn't, and what producers are told that may not go on.

use std::time::Duration;

use bytes::Bytes;
use esker::net::messages::add_partitions_to_txn::AddPartitionsToTxnTopic;
use esker::net::messages::txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use esker::net::messages::write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic};
use esker::net::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, FetchRequest, InitProducerIdRequest,
    InitProducerIdResponse, ListGroupsRequest, ProduceRequest, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};
use esker::net::{Connection, ErrorCode};
use esker::record::{BatchBuilder, BatchRef, RecordData};
use esker::{Acks, CommittedOffset, ProducerIdAndEpoch, Store, TopicPartition, TransactionFilter};

use super::{batch, connections, fetch_request, fetched, produce_request, produced, serve};

const ID: &str = "x";

fn batch_of(producer: ProducerIdAndEpoch, sequence: i32, value: &str) -> Bytes {
    let ProducerIdAndEpoch { producer_id, producer_epoch } = producer;
    let mut builder = BatchBuilder::new(1 << 20).transactional(true).producer(producer_id, producer_epoch, sequence);
    builder.push(&RecordData { timestamp: 1, key: None, value: Some(value.as_bytes()), headers: &[] }).unwrap();
    Bytes::copy_from_slice(builder.build().unwrap().bytes())
}

fn init_request(timeout_ms: i32) -> InitProducerIdRequest {
    InitProducerIdRequest {
        transactional_id: Some(ID.into()),
        transaction_timeout_ms: timeout_ms,
        ..Default::default()
    }
}

/// Asks for the id as who has it (KIP-360).
async fn init_as(
    connection: &Connection,
    producer: ProducerIdAndEpoch,
    version: i16,
) -> Result<ProducerIdAndEpoch, ErrorCode> {
    let ProducerIdAndEpoch { producer_id, producer_epoch } = producer;
    let request = InitProducerIdRequest { producer_id, producer_epoch, ..init_request(60_000) };
    let response = connection.send(&request, version).await.unwrap();
    match response.error_code {
        ErrorCode::NONE => Ok(ProducerIdAndEpoch::new(response.producer_id, response.producer_epoch)),
        error_code => Err(error_code),
    }
}

async fn init(connection: &Connection, version: i16) -> ProducerIdAndEpoch {
    let response = connection.send(&init_request(60_000), version).await.unwrap();
    assert_eq!(response.error_code, ErrorCode::NONE, "version {version}");
    ProducerIdAndEpoch::new(response.producer_id, response.producer_epoch)
}

/// Adds partitions, and returns the error of each.
async fn add(
    connection: &Connection,
    producer: ProducerIdAndEpoch,
    topic: &str,
    partitions: &[i32],
    version: i16,
) -> Vec<ErrorCode> {
    let topics = vec![AddPartitionsToTxnTopic { name: topic.into(), partitions: partitions.into() }];
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: ID.into(),
        v3_and_below_producer_id: producer.producer_id,
        v3_and_below_producer_epoch: producer.producer_epoch,
        v3_and_below_topics: topics,
        ..Default::default()
    };
    let response = connection.send(&request, version).await.unwrap();
    let results = response.results_by_topic_v3_and_below.iter().flat_map(|topic| &topic.results_by_partition);
    results.map(|result| result.partition_error_code).collect()
}

async fn send_batch(
    connection: &Connection,
    producer: ProducerIdAndEpoch,
    partition: i32,
    sequence: i32,
    version: i16,
) -> ErrorCode {
    let records = batch_of(producer, sequence, "a");
    let request = ProduceRequest { transactional_id: Some(ID.into()), ..produce_request(-1, partition, records) };
    produced(connection.send(&request, version).await.unwrap()).error_code
}

async fn add_offsets(connection: &Connection, producer: ProducerIdAndEpoch, version: i16) -> ErrorCode {
    let request = AddOffsetsToTxnRequest {
        transactional_id: ID.into(),
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch,
        group_id: "g".into(),
    };
    connection.send(&request, version).await.unwrap().error_code
}

/// Commits an offset of partition 0, which exists, and of 7, which doesn't.
async fn commit_offset(
    connection: &Connection,
    producer: ProducerIdAndEpoch,
    offset: i64,
    version: i16,
) -> [ErrorCode; 2] {
    let partition = |partition_index| TxnOffsetCommitRequestPartition {
        partition_index,
        committed_offset: offset,
        committed_metadata: Some("note".into()),
        ..Default::default()
    };
    let partitions = vec![partition(0), partition(7)];
    let request = TxnOffsetCommitRequest {
        transactional_id: ID.into(),
        group_id: "g".into(),
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch,
        topics: vec![TxnOffsetCommitRequestTopic { name: "t".into(), partitions }],
        ..Default::default()
    };
    let topics = connection.send(&request, version).await.unwrap().topics;
    [0, 1].map(|index| topics[0].partitions[index].error_code)
}

async fn end(connection: &Connection, producer: ProducerIdAndEpoch, committed: bool, version: i16) -> ErrorCode {
    let request = EndTxnRequest {
        transactional_id: ID.into(),
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch,
        committed,
    };
    connection.send(&request, version).await.unwrap().error_code
}

/// Ends a transaction, and returns who the producer is then.
async fn end_and_go_on(
    connection: &Connection,
    producer: ProducerIdAndEpoch,
    committed: bool,
) -> Result<ProducerIdAndEpoch, ErrorCode> {
    let request = EndTxnRequest {
        transactional_id: ID.into(),
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch,
        committed,
    };
    let response = connection.send(&request, 5).await.unwrap();
    match response.error_code {
        ErrorCode::NONE => Ok(ProducerIdAndEpoch::new(response.producer_id, response.producer_epoch)),
        error => Err(error),
    }
}

fn committed(store: &Store) -> Option<CommittedOffset> {
    store.committed_offset("g", ("t", 0)).unwrap()
}

/// Whether nothing is open in a partition, and where it ends.
fn is_stable(store: &Store, partition: i32) -> bool {
    let log = store.partition("t", partition).unwrap();
    log.last_stable_offset() == log.high_watermark()
}

#[tokio::test]
async fn what_a_transaction_writes_counts_as_a_whole_or_not_at_all() {
    let (store, server) = serve().await;
    for connection in connections(&server).await {
        for version in 0..=4 {
            for is_committed in [true, false] {
                let before = committed(&store).map(|committed| committed.offset);
                let start = store.partition("t", 0).unwrap().log_end();
                let producer = init(&connection, version).await;
                let adding = version.min(3);
                assert_eq!(add(&connection, producer, "t", &[0, 1], adding).await, [ErrorCode::NONE; 2]);
                for partition in [0, 1] {
                    assert_eq!(send_batch(&connection, producer, partition, 0, 3 + version).await, ErrorCode::NONE);
                }
                assert_eq!(add_offsets(&connection, producer, version).await, ErrorCode::NONE);
                let offset = start + i64::from(is_committed);
                let errors = commit_offset(&connection, producer, offset, version).await;
                assert_eq!(errors, [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
                assert!(!is_stable(&store, 0) && !is_stable(&store, 1));
                assert_eq!(committed(&store).map(|committed| committed.offset), before, "nothing counts yet");

                assert_eq!(end(&connection, producer, is_committed, version).await, ErrorCode::NONE);
                assert!(is_stable(&store, 0) && is_stable(&store, 1));
                let request = FetchRequest { isolation_level: 1, ..fetch_request(0, start) };
                let data = fetched(connection.send(&request, 12).await.unwrap());
                let aborted = data.aborted_transactions.unwrap();
                let aborted: Vec<_> = aborted.iter().map(|one| (one.producer_id, one.first_offset)).collect();
                match is_committed {
                    true => {
                        assert_eq!(aborted, []);
                        let now = committed(&store).unwrap();
                        assert_eq!((now.offset, &*now.metadata), (offset, "note"));
                    }
                    false => {
                        assert_eq!(aborted, [(producer.producer_id, start)]);
                        assert_eq!(committed(&store).map(|committed| committed.offset), before);
                    }
                }
                // To end it again in the same way does no harm, and the other way it can't be.
                assert_eq!(end(&connection, producer, is_committed, version).await, ErrorCode::NONE);
                assert_eq!(end(&connection, producer, !is_committed, version).await, ErrorCode::INVALID_TXN_STATE);
            }
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_transaction_begins_by_a_write_and_each_has_an_epoch_of_its_own() {
    let (store, server) = serve().await;
    for connection in connections(&server).await {
        let mut producer = init(&connection, 5).await;
        for is_committed in [true, false, true] {
            let before = committed(&store).map(|committed| committed.offset);
            let start = store.partition("t", 0).unwrap().log_end();
            assert_eq!(send_batch(&connection, producer, 0, 0, 12).await, ErrorCode::NONE);
            assert_eq!(send_batch(&connection, producer, 0, 1, 12).await, ErrorCode::NONE);
            let offset = start + i64::from(is_committed);
            assert_eq!(commit_offset(&connection, producer, offset, 5).await[0], ErrorCode::NONE);
            assert!(!is_stable(&store, 0));
            let next = end_and_go_on(&connection, producer, is_committed).await.unwrap();
            assert_eq!(next, ProducerIdAndEpoch::new(producer.producer_id, producer.producer_epoch + 1));
            assert!(is_stable(&store, 0));
            let now = committed(&store).map(|committed| committed.offset);
            assert_eq!(now, if is_committed { Some(offset) } else { before });
            // Who has not heard asks again, and is told the same.
            assert_eq!(end_and_go_on(&connection, producer, is_committed).await, Ok(next));
            // What comes late begins nothing.
            assert_eq!(send_batch(&connection, producer, 0, 2, 12).await, ErrorCode::INVALID_PRODUCER_EPOCH);
            let late = commit_offset(&connection, producer, 9, 5).await[0];
            assert_eq!(late, ErrorCode::INVALID_PRODUCER_EPOCH);
            assert!(is_stable(&store, 0));
            producer = next;
        }
        // To commit what has not begun is wrong, to abort it is fine.
        assert_eq!(end_and_go_on(&connection, producer, true).await, Err(ErrorCode::INVALID_TXN_STATE));
        let next = end_and_go_on(&connection, producer, false).await.unwrap();
        assert_eq!(next.producer_epoch, producer.producer_epoch + 1);
    }
}

#[tokio::test]
async fn an_administrator_ends_what_nobody_accounts_for() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let nobody = ProducerIdAndEpoch::new(77, 3);
    let log = store.partition("t", 1).unwrap();
    log.append(BatchRef::parse(&batch_of(nobody, 0, "a")).unwrap(), Acks::Leader).unwrap();
    assert!(!is_stable(&store, 1));
    let write_of = async |producer_epoch, partition_indexes: &[i32], transaction_version| {
        let topics = vec![WritableTxnMarkerTopic { name: "t".into(), partition_indexes: partition_indexes.into() }];
        let marker =
            WritableTxnMarker { producer_id: 77, producer_epoch, topics, transaction_version, ..Default::default() };
        let request = WriteTxnMarkersRequest { markers: vec![marker] };
        let version = if transaction_version == 0 { 1 } else { 2 };
        let response = connection.send(&request, version).await.unwrap();
        let partitions =
            response.markers.into_iter().flat_map(|marker| marker.topics).flat_map(|topic| topic.partitions);
        partitions.map(|partition| partition.error_code).collect::<Vec<_>>()
    };
    let write = async |producer_epoch, partition_indexes: &[i32]| write_of(producer_epoch, partition_indexes, 0).await;
    assert_eq!(write(2, &[1]).await, [ErrorCode::INVALID_PRODUCER_EPOCH]);
    // A coordinator that raises the epoch at the end of a transaction does not end one with the epoch of its records.
    assert_eq!(write_of(3, &[1], 2).await, [ErrorCode::INVALID_PRODUCER_EPOCH]);
    assert!(!is_stable(&store, 1));
    assert_eq!(write(3, &[1, 7]).await, [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
    assert!(is_stable(&store, 1));
    let request = FetchRequest { isolation_level: 1, ..fetch_request(1, 0) };
    let aborted = fetched(connection.send(&request, 12).await.unwrap()).aborted_transactions.unwrap();
    assert_eq!(aborted[0].producer_id, 77);
    // It ends with the next one, also if that is said twice.
    log.append(BatchRef::parse(&batch_of(nobody, 1, "b")).unwrap(), Acks::Leader).unwrap();
    assert!(!is_stable(&store, 1));
    for _ in 0..2 {
        assert_eq!(write_of(4, &[1], 2).await, [ErrorCode::NONE]);
        assert!(is_stable(&store, 1));
    }
}

#[tokio::test]
async fn what_is_not_part_of_a_transaction_is_not_written() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let producer = init(&connection, 4).await;
    let not_added = [(9, ErrorCode::INVALID_TXN_STATE), (11, ErrorCode::TRANSACTION_ABORTABLE)];
    let refused = [(3, ErrorCode::INVALID_TXN_STATE), (4, ErrorCode::TRANSACTION_ABORTABLE)];
    for (version, expected) in not_added {
        assert_eq!(send_batch(&connection, producer, 0, 0, version).await, expected, "none is open");
    }
    assert_eq!(add(&connection, producer, "t", &[1], 3).await, [ErrorCode::NONE]);
    assert_eq!(end(&connection, producer, true, 2).await, ErrorCode::NONE, "nothing is in it");
    assert_eq!(add(&connection, producer, "t", &[1], 3).await, [ErrorCode::NONE]);
    for (version, expected) in not_added {
        assert_eq!(send_batch(&connection, producer, 0, 0, version).await, expected, "another partition is added");
    }
    for (version, expected) in refused {
        assert_eq!(commit_offset(&connection, producer, 5, version).await[0], expected);
    }
    assert_eq!(send_batch(&connection, producer, 1, 0, 11).await, ErrorCode::NONE);
    assert_eq!(end(&connection, producer, true, 2).await, ErrorCode::NONE);
    // What comes late would begin a transaction that nobody ends.
    for (version, expected) in not_added {
        assert_eq!(send_batch(&connection, producer, 1, 1, version).await, expected);
    }
    assert!(is_stable(&store, 0) && is_stable(&store, 1));
    assert_eq!(committed(&store), None);

    // Without the transactional id nobody could tell.
    let records = batch_of(producer, 1, "a");
    let refused = produced(connection.send(&produce_request(-1, 1, records), 9).await.unwrap());
    assert_eq!(refused.error_code, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    // As in Kafka, none of the batches beside it is appended either.
    let mut both = produce_request(-1, 0, batch(&["plain"]));
    both.topic_data[0]
        .partition_data
        .extend(produce_request(-1, 1, batch_of(producer, 1, "a")).topic_data[0].partition_data.clone());
    let end = store.partition("t", 0).unwrap().log_end();
    let refused = connection.send(&both, 9).await.unwrap();
    let codes = refused.responses[0].partition_responses.iter().map(|partition| partition.error_code);
    assert_eq!(codes.collect::<Vec<_>>(), [ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED; 2]);
    assert_eq!(store.partition("t", 0).unwrap().log_end(), end);
    // A batch outside of transactions goes with or without it.
    let plain = ProduceRequest { transactional_id: Some(ID.into()), ..produce_request(-1, 0, batch(&["a"])) };
    assert_eq!(produced(connection.send(&plain, 9).await.unwrap()).error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn who_comes_later_fences_who_came_before() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let old = init(&connection, 4).await;
    assert_eq!(add(&connection, old, "t", &[0], 3).await, [ErrorCode::NONE]);
    assert_eq!(send_batch(&connection, old, 0, 0, 9).await, ErrorCode::NONE);
    let new = init(&connection, 0).await;
    assert_eq!(new.producer_id, old.producer_id);
    assert!(new.producer_epoch > old.producer_epoch);
    assert!(is_stable(&store, 0), "what it left open is aborted");
    for version in 0..=4 {
        let fenced = if version >= 2 { ErrorCode::PRODUCER_FENCED } else { ErrorCode::INVALID_PRODUCER_EPOCH };
        assert_eq!(add(&connection, old, "t", &[0], version.min(3)).await, [fenced]);
        assert_eq!(add_offsets(&connection, old, version).await, fenced);
        assert_eq!(end(&connection, old, true, version).await, fenced);
        // Those that write are told the same in every version.
        let written = commit_offset(&connection, old, 5, version).await[0];
        assert_eq!(written, ErrorCode::INVALID_PRODUCER_EPOCH);
        assert_eq!(send_batch(&connection, old, 0, 1, 7 + version).await, ErrorCode::INVALID_PRODUCER_EPOCH);
        // Nor is it anybody else's.
        let other = ProducerIdAndEpoch::new(new.producer_id + 1, new.producer_epoch);
        assert_eq!(end(&connection, other, true, version).await, ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        let written = send_batch(&connection, other, 0, 0, 7 + version).await;
        assert_eq!(written, ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    }
    assert_eq!(add(&connection, new, "t", &[0], 3).await, [ErrorCode::NONE]);
    assert_eq!(send_batch(&connection, new, 0, 0, 9).await, ErrorCode::NONE);
    assert_eq!(end(&connection, new, true, 3).await, ErrorCode::NONE);
}

#[tokio::test]
async fn partitions_are_added_together_or_not_at_all() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let producer = init(&connection, 4).await;
    for version in 0..=3 {
        let expected = [ErrorCode::OPERATION_NOT_ATTEMPTED, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION];
        assert_eq!(add(&connection, producer, "t", &[0, 7], version).await, expected);
        let internal = add(&connection, producer, "__transaction_state", &[0], version).await;
        assert_eq!(internal, [ErrorCode::TOPIC_AUTHORIZATION_FAILED]);
    }
    assert_eq!(end(&connection, producer, true, 3).await, ErrorCode::INVALID_TXN_STATE, "none has begun");
    assert_eq!(store.transactions(&TransactionFilter::new()).unwrap()[0].partitions, []);
}

#[tokio::test]
async fn a_producer_says_who_it_was_and_how_long_it_may_take() {
    let (_store, server) = serve().await;
    for connection in connections(&server).await {
        for version in 0..=5 {
            for timeout_ms in [0, -1, i32::MAX] {
                let response = connection.send(&init_request(timeout_ms), version).await.unwrap();
                assert_eq!(response.error_code, ErrorCode::INVALID_TRANSACTION_TIMEOUT);
                assert_eq!((response.producer_id, response.producer_epoch), (-1, -1));
            }
            let nameless = InitProducerIdRequest { transactional_id: Some(String::new()), ..init_request(1000) };
            let response = connection.send(&nameless, version).await.unwrap();
            assert_eq!(response.error_code, ErrorCode::INVALID_REQUEST);
        }
        for version in 3..=5 {
            let now = init(&connection, version).await;
            let as_who = |producer_epoch| InitProducerIdRequest {
                producer_id: now.producer_id,
                producer_epoch,
                ..init_request(1000)
            };
            let next = connection.send(&as_who(now.producer_epoch), version).await.unwrap();
            assert_eq!((next.error_code, next.producer_id), (ErrorCode::NONE, now.producer_id));
            assert_eq!(next.producer_epoch, now.producer_epoch + 1);
            let fenced = connection.send(&as_who(now.producer_epoch + 5), version).await.unwrap();
            let expected = if version >= 4 { ErrorCode::PRODUCER_FENCED } else { ErrorCode::INVALID_PRODUCER_EPOCH };
            assert_eq!(fenced.error_code, expected);
        }
    }
}

#[tokio::test]
async fn who_has_no_transactional_id_has_no_transaction() {
    let (_store, server) = serve().await;
    let connection = server.connect();
    let nobody = ProducerIdAndEpoch::new(7, 0);
    assert_eq!(add(&connection, nobody, "t", &[0], 3).await, [ErrorCode::INVALID_PRODUCER_ID_MAPPING]);
    assert_eq!(add_offsets(&connection, nobody, 3).await, ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    assert_eq!(end(&connection, nobody, true, 3).await, ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    assert_eq!(commit_offset(&connection, nobody, 5, 3).await[0], ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    for (id, expected) in [(ID, ErrorCode::INVALID_PRODUCER_ID_MAPPING), ("", ErrorCode::INVALID_REQUEST)] {
        let transactional_id = Some(id.to_owned());
        let request = ProduceRequest { transactional_id, ..produce_request(-1, 0, batch_of(nobody, 0, "a")) };
        let refused = produced(connection.send(&request, 9).await.unwrap());
        assert_eq!((refused.error_code, refused.log_start_offset), (expected, -1));
    }
    let request = EndTxnRequest { producer_id: 7, ..Default::default() };
    assert_eq!(connection.send(&request, 3).await.unwrap().error_code, ErrorCode::INVALID_REQUEST);
    let request = AddOffsetsToTxnRequest { producer_id: 7, group_id: "g".into(), ..Default::default() };
    assert_eq!(connection.send(&request, 3).await.unwrap().error_code, ErrorCode::INVALID_REQUEST);
    for (id, group, expected) in [("", "g", ErrorCode::INVALID_REQUEST), (ID, "", ErrorCode::INVALID_GROUP_ID)] {
        let partitions = vec![TxnOffsetCommitRequestPartition { committed_offset: 5, ..Default::default() }];
        let topics = vec![TxnOffsetCommitRequestTopic { name: "t".into(), partitions }];
        let (transactional_id, group_id) = (id.to_owned(), group.to_owned());
        let request = TxnOffsetCommitRequest { transactional_id, group_id, topics, ..Default::default() };
        let response = connection.send(&request, 3).await.unwrap();
        assert_eq!(response.topics[0].partitions[0].error_code, expected);
    }
}

#[tokio::test]
async fn a_group_is_listed_before_its_first_transaction_has_ended() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let listed = async || {
        let groups = connection.send(&ListGroupsRequest::default(), 5).await.unwrap().groups;
        groups.into_iter().map(|group| (group.group_id, group.group_state)).collect::<Vec<_>>()
    };
    let producer = init(&connection, 4).await;
    assert_eq!(add_offsets(&connection, producer, 3).await, ErrorCode::NONE);
    assert_eq!(listed().await, []);
    assert_eq!(commit_offset(&connection, producer, 5, 3).await[0], ErrorCode::NONE);
    assert_eq!(listed().await, [("g".to_owned(), "Empty".to_owned())]);
    assert_eq!(store.groups().unwrap(), [] as [String; 0], "it has committed nothing yet");
    assert_eq!(end(&connection, producer, false, 3).await, ErrorCode::NONE);
    assert_eq!(listed().await, []);
}

#[tokio::test]
async fn a_member_that_the_group_does_not_know_commits_nothing() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let producer = init(&connection, 4).await;
    assert_eq!(add_offsets(&connection, producer, 3).await, ErrorCode::NONE);
    let commit = |generation_id| TxnOffsetCommitRequest {
        transactional_id: ID.into(),
        group_id: "g".into(),
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch,
        generation_id,
        member_id: "me".into(),
        topics: vec![TxnOffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![TxnOffsetCommitRequestPartition { committed_offset: 5, ..Default::default() }],
        }],
        ..Default::default()
    };
    let mut errors = Vec::new();
    for is_known in [false, true] {
        if is_known {
            let at = TopicPartition::new("t", 0);
            store.commit_offsets("g", [(at, CommittedOffset::new(1))], Acks::All).unwrap();
        }
        let response = connection.send(&commit(3), 3).await.unwrap();
        errors.push(response.topics[0].partitions[0].error_code);
    }
    assert_eq!(errors, [ErrorCode::ILLEGAL_GENERATION, ErrorCode::UNKNOWN_MEMBER_ID]);
    assert_eq!(end(&connection, producer, true, 3).await, ErrorCode::NONE);
    assert_eq!(committed(&store).unwrap().offset, 1);
}

/// A producer that has an error in its transaction asks for its id, as who it is, and goes on.
#[tokio::test]
async fn who_goes_on_after_an_error_is_not_fenced_by_itself() {
    let (store, server) = serve().await;
    for connection in connections(&server).await {
        let before = init(&connection, 5).await;
        assert_eq!(send_batch(&connection, before, 0, 0, 12).await, ErrorCode::NONE);
        let next = ProducerIdAndEpoch::new(before.producer_id, before.producer_epoch + 1);
        // The second time it hasn't got the answer.
        for _ in 0..2 {
            assert_eq!(init_as(&connection, before, 5).await, Ok(next));
        }
        let log = store.partition("t", 0).unwrap();
        assert_eq!(log.last_stable_offset(), log.log_end(), "the transaction is aborted");
        assert_eq!(send_batch(&connection, next, 0, 0, 12).await, ErrorCode::NONE);
        let other = init(&connection, 5).await;
        assert_eq!(init_as(&connection, next, 5).await, Err(ErrorCode::PRODUCER_FENCED));
        assert_eq!(init_as(&connection, other, 5).await.map(|own| own.producer_epoch), Ok(other.producer_epoch + 1));
    }
}

/// The first batch of a transaction was refused, and the next one is on its way already.
#[tokio::test]
async fn a_transaction_does_not_begin_with_its_second_batch() {
    let (_store, server) = serve().await;
    let connection = server.connect();
    let producer = init(&connection, 5).await;
    assert_eq!(send_batch(&connection, producer, 0, 3, 12).await, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    for sequence in 0..3 {
        assert_eq!(send_batch(&connection, producer, 0, sequence, 12).await, ErrorCode::NONE);
    }
}

/// Whoever synced for those who wait without a thread had to have one of those that may block, and all of them waited
/// for that sync: nothing went on, for ever.
#[test]
fn syncs_go_on_where_all_threads_that_may_block_wait_for_one() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).max_blocking_threads(1).enable_all().build().unwrap();
    let clients = async {
        let (_store, server) = serve().await;
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..4 {
            let [connection, writer] = [server.connect(), server.connect()];
            clients.spawn(async move {
                let id = format!("x{number}");
                let init_request = InitProducerIdRequest { transactional_id: Some(id.clone()), ..init_request(60_000) };
                let InitProducerIdResponse { producer_id, producer_epoch, .. } =
                    connection.send(&init_request, 4).await.unwrap();
                for _ in 0..20 {
                    let topic = AddPartitionsToTxnTopic { name: "t".into(), partitions: vec![0] };
                    let add = AddPartitionsToTxnRequest {
                        v3_and_below_transactional_id: id.clone(),
                        v3_and_below_producer_id: producer_id,
                        v3_and_below_producer_epoch: producer_epoch,
                        v3_and_below_topics: vec![topic],
                        ..Default::default()
                    };
                    connection.send(&add, 3).await.unwrap();
                    let end =
                        EndTxnRequest { transactional_id: id.clone(), producer_id, producer_epoch, committed: true };
                    assert_eq!(connection.send(&end, 4).await.unwrap().error_code, ErrorCode::NONE);
                }
            });
            clients.spawn(async move {
                for _ in 0..20 {
                    let response = writer.send(&produce_request(-1, 0, batch(&["v"])), 9).await.unwrap();
                    assert_eq!(produced(response).error_code, ErrorCode::NONE);
                }
            });
        }
        while let Some(ended) = clients.join_next().await {
            ended.unwrap();
        }
    };
    let ended = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), clients).await });
    // Without waiting for threads that hang.
    runtime.shutdown_background();
    ended.unwrap();
}

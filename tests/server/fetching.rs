//! Fetches by topic id, in sessions, and of committed records alone.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use esker::io::FsStorage;
use esker::net::messages::fetch::{FetchPartition, FetchTopic, ForgottenTopic};
use esker::net::messages::{ApiVersionsRequest, FetchRequest, FetchResponse};
use esker::net::{Connection, ErrorCode};
use esker::record::{BatchBuilder, BatchRef, RecordData, TransactionResult};
use esker::server::{Server, ServerConfig};
use esker::{Acks, ProducerIdAndEpoch, Store, TopicConfig, TopicPartition, Uuid};

use super::{batch, connections, fetch_request, fetched, patient, produce, produce_request, produced, serve, values};

fn id_of(store: &Store) -> Uuid {
    store.describe_topic("t").unwrap().id
}

/// As [`fetch_request`], in any version.
fn request_by_id(store: &Store, partition: i32, offset: i64) -> FetchRequest {
    let mut request = fetch_request(partition, offset);
    request.topics[0].topic_id = id_of(store);
    request
}

/// A fetch in a session of both partitions from these offsets on; those without are not named.
fn in_session(store: &Store, session: (i32, i32), offsets: [Option<i64>; 2]) -> FetchRequest {
    let mut request = request_by_id(store, 0, 0);
    let named = (0..).zip(offsets).filter_map(|(partition, offset)| {
        Some(FetchPartition { partition, fetch_offset: offset?, partition_max_bytes: 1 << 20, ..Default::default() })
    });
    request.topics[0].partitions = named.collect();
    if request.topics[0].partitions.is_empty() {
        request.topics.clear();
    }
    (request.session_id, request.session_epoch) = session;
    request
}

/// Partitions that were answered, with their values.
fn answered(response: &FetchResponse) -> Vec<(i32, Vec<(i64, String)>)> {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|data| (data.partition_index, values(data))).collect()
}

async fn send(connection: &Connection, request: &FetchRequest, version: i16) -> FetchResponse {
    let response = connection.send(request, version).await.unwrap();
    assert_eq!(response.error_code, ErrorCode::NONE, "version {version}");
    response
}

#[tokio::test]
async fn whoever_takes_another_epoch_for_the_latest_is_told() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let ask = async |current_leader_epoch, last_fetched_epoch, offset| {
        let mut request = patient(fetch_request(0, offset));
        let wanted = &mut request.topics[0].partitions[0];
        (wanted.current_leader_epoch, wanted.last_fetched_epoch) = (current_leader_epoch, last_fetched_epoch);
        let data = fetched(send(&connection, &request, 12).await);
        (data.error_code, (data.diverging_epoch.epoch, data.diverging_epoch.end_offset), values(&data).len())
    };
    let none = (-1, -1);
    // Nothing was written, and the epoch is 0 all the same.
    assert_eq!(ask(0, 0, 1).await, (ErrorCode::NONE, (0, 0), 0), "it has read more than there is");
    let log = store.partition("t", 0).unwrap();
    // Offsets 0 and 1 are of epoch 0, 2 of epoch 3, and 3 of epoch 5.
    for (epoch, values) in [(0, &["a", "b"][..]), (3, &["c"]), (5, &["d"])] {
        log.set_leader_epoch(epoch).unwrap();
        log.append(BatchRef::parse(&batch(values)).unwrap(), Acks::Leader).unwrap();
    }
    for (current, last, offset, expected) in [
        (4, -1, 0, (ErrorCode::FENCED_LEADER_EPOCH, none, 0)),
        (6, -1, 0, (ErrorCode::UNKNOWN_LEADER_EPOCH, none, 0)),
        (5, -1, 0, (ErrorCode::NONE, none, 4)),
        (-1, 5, 3, (ErrorCode::NONE, none, 1)),
        (5, 3, 3, (ErrorCode::NONE, none, 1)),
        (5, 0, 2, (ErrorCode::NONE, none, 2)),
        // What it has read beyond the end of an epoch is not here.
        (5, 0, 3, (ErrorCode::NONE, (0, 2), 0)),
        (5, 4, 3, (ErrorCode::NONE, (3, 3), 0)),
        (5, 5, 5, (ErrorCode::NONE, (5, 4), 0)),
        (5, 9, 4, (ErrorCode::OFFSET_OUT_OF_RANGE, none, 0)),
    ] {
        assert_eq!(ask(current, last, offset).await, expected, "{current} {last} {offset}");
    }
    log.delete_records(3).unwrap();
    assert_eq!(ask(5, 0, 2).await, (ErrorCode::OFFSET_OUT_OF_RANGE, none, 0));
}

#[tokio::test]
async fn another_broker_has_no_replica_to_fetch_for() {
    let (store, server) = serve().await;
    store.partition("t", 0).unwrap().append(BatchRef::parse(&batch(&["a"])).unwrap(), Acks::Leader).unwrap();
    let connection = server.connect();
    for version in [4, 14, 15, 18] {
        for (replica_id, expected) in [
            (-2, (ErrorCode::NONE, 1)),
            (-1, (ErrorCode::NONE, 1)),
            (0, (ErrorCode::NOT_LEADER_OR_FOLLOWER, 0)),
            (store.node_id(), (ErrorCode::NOT_LEADER_OR_FOLLOWER, 0)),
        ] {
            let mut request = request_by_id(&store, 0, 0);
            match version {
                15.. => request.replica_state.replica_id = replica_id,
                _ => request.replica_id = replica_id,
            }
            let data = fetched(send(&connection, &request, version).await);
            assert_eq!((data.error_code, values(&data).len()), expected, "{version} {replica_id}");
        }
    }
}

#[tokio::test]
async fn topics_are_fetched_by_id() {
    let (store, server) = serve().await;
    produce(&server.connect(), 1, 0, batch(&["a"])).await.unwrap();
    for connection in connections(&server).await {
        for version in 13..=18 {
            let response = send(&connection, &request_by_id(&store, 0, 0), version).await;
            assert_eq!((response.responses[0].topic_id, response.session_id), (id_of(&store), 0));
            assert_eq!(values(&fetched(response)), [(0, "a".to_owned())]);
            // Errors come at once, and say what they are about.
            let mut unknown = patient(request_by_id(&store, 7, 0));
            let data = fetched(send(&connection, &unknown, version).await);
            assert_eq!((data.partition_index, data.error_code), (7, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
            for id in [Uuid::from_bytes([9; 16]), Uuid::ZERO] {
                unknown.topics[0].topic_id = id;
                let response = send(&connection, &unknown, version).await;
                assert_eq!(response.responses[0].topic_id, id);
                let data = fetched(response);
                assert_eq!((data.partition_index, data.error_code), (7, ErrorCode::UNKNOWN_TOPIC_ID));
            }
        }
    }
}

#[tokio::test]
async fn a_topic_that_took_the_place_of_another_is_not_it() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let old = patient(request_by_id(&store, 0, 0));
    let (response, ()) = tokio::join!(send(&connection, &old, 13), async {
        store.delete_topic("t").unwrap();
        store.create_topic("t", TopicConfig::new()).unwrap();
    });
    assert_eq!(fetched(response).error_code, ErrorCode::UNKNOWN_TOPIC_ID, "it doesn't wait on for what is gone");
    assert_eq!(fetched(send(&connection, &old, 13).await).error_code, ErrorCode::UNKNOWN_TOPIC_ID);
    let new = request_by_id(&store, 0, 0);
    assert_eq!(fetched(send(&connection, &new, 13).await).error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn a_session_tells_what_has_changed() {
    let (store, server) = serve().await;
    for connection in connections(&server).await {
        for version in 7..=18 {
            let (zero, one) = (end(&store, 0), end(&store, 1));
            let first = send(&connection, &in_session(&store, (0, 0), [Some(zero), Some(one)]), version).await;
            assert_eq!(answered(&first), [(0, vec![]), (1, vec![])]);
            let id = first.session_id;
            assert_ne!(id, 0);
            let nothing = send(&connection, &in_session(&store, (id, 1), [None, None]), version).await;
            assert_eq!((nothing.session_id, answered(&nothing)), (id, vec![]));
            // It waits for what is not in the request.
            let waiting = patient(in_session(&store, (id, 2), [None, None]));
            let other = server.connect();
            let records = batch(&["a"]);
            let (increment, _) = tokio::join!(send(&connection, &waiting, version), produce(&other, 1, 1, records));
            let record = vec![(one, "a".to_owned())];
            assert_eq!(answered(&increment), [(1, record.clone())]);
            // What isn't wanted from elsewhere on comes again, and what is forgotten doesn't.
            let again = send(&connection, &in_session(&store, (id, 3), [None, None]), version).await;
            assert_eq!(answered(&again), [(1, record)]);
            produce(&other, 1, 0, batch(&["b"])).await.unwrap();
            let mut forget = in_session(&store, (id, 4), [None, Some(one + 1)]);
            forget.forgotten_topics_data =
                vec![ForgottenTopic { topic: "t".into(), topic_id: id_of(&store), partitions: vec![0] }];
            assert_eq!(answered(&send(&connection, &forget, version).await), []);
            // The end of a session is answered like a fetch without one.
            let last = send(&connection, &in_session(&store, (id, -1), [Some(zero), None]), version).await;
            assert_eq!((last.session_id, answered(&last)), (0, vec![(0, vec![(zero, "b".to_owned())])]));
            let gone = connection.send(&in_session(&store, (id, 5), [None, None]), version).await.unwrap();
            assert_eq!(gone.error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        }
        for version in 4..=6 {
            let data = fetched(send(&connection, &request_by_id(&store, 0, 0), version).await);
            assert_eq!(data.high_watermark, end(&store, 0));
        }
    }
}

fn end(store: &Store, partition: i32) -> i64 {
    store.partition("t", partition).unwrap().log_end()
}

#[tokio::test]
async fn a_session_out_of_turn_is_an_error() {
    let (store, server) = serve().await;
    let connection = server.connect();
    for (version, other_version) in [(12, 13), (13, 12)] {
        let first = send(&connection, &in_session(&store, (0, 0), [Some(0), None]), version).await;
        let id = first.session_id;
        for (session, version, expected) in [
            ((id, 2), version, ErrorCode::INVALID_FETCH_SESSION_EPOCH),
            ((id.wrapping_add(1), 1), version, ErrorCode::FETCH_SESSION_ID_NOT_FOUND),
            ((id, 1), other_version, ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR),
        ] {
            let refused = connection.send(&in_session(&store, session, [Some(0), None]), version).await.unwrap();
            assert_eq!((refused.error_code, refused.session_id, answered(&refused)), (expected, 0, vec![]));
        }
        send(&connection, &in_session(&store, (id, 1), [None, None]), version).await;
    }
}

#[tokio::test]
async fn errors_are_told_again_and_again_in_a_session() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let errors = |response: &FetchResponse| {
        let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
        partitions.map(|data| (data.partition_index, data.error_code)).collect::<Vec<_>>()
    };
    let first = send(&connection, &in_session(&store, (0, 0), [Some(0), Some(0)]), 13).await;
    let session = |epoch| patient(in_session(&store, (first.session_id, epoch), [None, None]));
    let requests = [session(1), session(2)];
    store.delete_topic("t").unwrap();
    for request in requests {
        let gone = [(0, ErrorCode::UNKNOWN_TOPIC_ID), (1, ErrorCode::UNKNOWN_TOPIC_ID)];
        assert_eq!(errors(&send(&connection, &request, 13).await), gone);
    }
}

#[tokio::test]
async fn no_more_is_waited_for_than_there_may_be() {
    let (_store, server) = serve().await;
    let connection = server.connect();
    produce(&connection, 1, 0, batch(&[&"x".repeat(500)])).await.unwrap();
    let request = FetchRequest { min_bytes: 10_000, max_bytes: 100, max_wait_ms: i32::MAX, ..fetch_request(0, 0) };
    assert_eq!(values(&fetched(send(&connection, &request, 12).await)).len(), 1);
}

/// What doesn't fit is there all the same, and so is what lies in the segments after the one that is read.
#[tokio::test]
async fn what_there_is_counts_though_it_does_not_fit() {
    let (store, server) = serve().await;
    store.create_topic("rolled", TopicConfig::new().internal_segment_bytes(1000)).unwrap();
    let connection = server.connect();
    for topic in ["t", "rolled"] {
        for _ in 0..6 {
            let mut request = produce_request(1, 0, batch(&[&"x".repeat(300)]));
            request.topic_data[0].name = topic.into();
            assert_eq!(produced(connection.send(&request, 9).await.unwrap()).error_code, ErrorCode::NONE);
        }
        let mut request = patient(fetch_request(0, 0));
        request.topics[0].topic = topic.into();
        (request.min_bytes, request.topics[0].partitions[0].partition_max_bytes) = match topic {
            "t" => (1000, 1000),
            _ => (10_000, 1 << 20),
        };
        let fetched = fetched(send(&connection, &request, 12).await);
        assert_eq!(values(&fetched).len(), 2, "{topic}");
    }
}

/// A client wants what there is not, because it does not know yet, and waits for something else.
#[tokio::test]
async fn what_there_is_not_ends_no_wait() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let mut request = patient(fetch_request(0, end(&store, 0)));
    request.topics.push(FetchTopic {
        topic: "nobody".into(),
        partitions: request.topics[0].partitions.clone(),
        ..Default::default()
    });
    let other = server.connect();
    let (response, _) = tokio::join!(connection.send(&request, 12), async {
        // The fetch waits by then: the server does first what came first.
        other.send(&ApiVersionsRequest::default(), 0).await.unwrap();
        produce(&other, 1, 0, batch(&["a"])).await.unwrap()
    });
    let response = response.unwrap();
    let told: Vec<_> = response.responses.iter().map(|topic| topic.partitions[0].error_code).collect();
    assert_eq!(told, [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
    assert_eq!(values(&response.responses[0].partitions[0]).len(), 1);
    request.topics.remove(0);
    let nothing_else = send(&connection, &request, 12).await;
    assert_eq!(fetched(nothing_else).error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

/// Whoever reads what is committed is told, when its time is over, how far the others are by then.
#[tokio::test(start_paused = true)]
async fn what_is_told_when_the_time_is_over_is_not_old() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let producer = store.init_transactional_id("x", Duration::from_secs(60)).unwrap();
    store.add_partitions_to_transaction("x", producer, [TopicPartition::new("t", 0)]).unwrap();
    append_in_transaction(&store, producer, 0, "a");
    let request = FetchRequest { isolation_level: 1, max_wait_ms: 1000, ..patient(fetch_request(0, 0)) };
    let (response, ()) = tokio::join!(connection.send(&request, 12), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        append_in_transaction(&store, producer, 1, "b");
    });
    let data = fetched(response.unwrap());
    assert_eq!((data.high_watermark, data.last_stable_offset), (2, 0));
}

#[tokio::test]
async fn a_partition_that_is_named_often_is_answered_once() {
    let (_store, server) = serve().await;
    let connection = server.connect();
    produce(&connection, 1, 0, batch(&["a"])).await.unwrap();
    let mut request = fetch_request(0, 0);
    let wanted = request.topics[0].partitions[0].clone();
    request.topics[0].partitions = vec![wanted; 1000];
    assert_eq!(answered(&send(&connection, &request, 12).await), [(0, vec![(0, "a".to_owned())])]);
}

/// A batch of a transaction.
fn transactional(producer: ProducerIdAndEpoch, sequence: i32, value: &str) -> Bytes {
    let ProducerIdAndEpoch { producer_id, producer_epoch } = producer;
    let mut builder = BatchBuilder::new(1 << 20).transactional(true).producer(producer_id, producer_epoch, sequence);
    builder.push(&RecordData { timestamp: 1, key: None, value: Some(value.as_bytes()), headers: &[] }).unwrap();
    Bytes::copy_from_slice(builder.build().unwrap().bytes())
}

fn append_in_transaction(store: &Store, producer: ProducerIdAndEpoch, sequence: i32, value: &str) {
    let records = transactional(producer, sequence, value);
    store.partition("t", 0).unwrap().append(BatchRef::parse(&records).unwrap(), Acks::Leader).unwrap();
}

#[tokio::test]
async fn who_reads_what_is_committed_is_woken_by_the_end_of_the_transaction() {
    let (store, server) = serve().await;
    for connection in connections(&server).await {
        for result in [TransactionResult::Commit, TransactionResult::Abort] {
            let start = end(&store, 0);
            let producer = store.init_transactional_id("x", Duration::from_secs(60)).unwrap();
            store.add_partitions_to_transaction("x", producer, [TopicPartition::new("t", 0)]).unwrap();
            append_in_transaction(&store, producer, 0, "a");
            let committed = FetchRequest { isolation_level: 1, ..request_by_id(&store, 0, start) };
            let open = fetched(send(&connection, &committed, 13).await);
            assert_eq!((open.high_watermark, open.last_stable_offset), (start + 1, start));
            assert_eq!(values(&open), []);
            let uncommitted = fetched(send(&connection, &request_by_id(&store, 0, start), 13).await);
            assert_eq!(values(&uncommitted), [(start, "a".to_owned())]);

            let waiting = patient(committed);
            let (response, ()) = tokio::join!(send(&connection, &waiting, 13), async {
                append_in_transaction(&store, producer, 1, "b");
                store.end_transaction("x", producer, result).unwrap();
            });
            let data = fetched(response);
            assert_eq!(data.last_stable_offset, start + 3);
            // They come as they lie in the log, with the marker at their end.
            assert_eq!(BatchRef::parse(data.records.as_ref().unwrap()).unwrap().header().base_offset, start);
            let aborted = data.aborted_transactions.unwrap();
            let aborted: Vec<_> = aborted.iter().map(|one| (one.producer_id, one.first_offset)).collect();
            let is_aborted = result == TransactionResult::Abort;
            let expected = if is_aborted { vec![(producer.producer_id, start)] } else { vec![] };
            assert_eq!(aborted, expected);
        }
    }
}

#[tokio::test]
async fn who_finds_no_room_for_a_session_fetches_without() {
    let (store, _server) = serve().await;
    let config = ServerConfig { max_incremental_fetch_session_cache_slots: 0, ..ServerConfig::default() };
    let server = Server::builder(store.clone()).config(config).in_memory().unwrap();
    let connection = server.connect();
    for _ in 0..2 {
        let response = send(&connection, &in_session(&store, (0, 0), [Some(0), None]), 13).await;
        assert_eq!((response.session_id, answered(&response)), (0, vec![(0, vec![])]));
    }
}

/// Whoever takes no responses would take as much memory as there are records.
#[tokio::test]
async fn where_files_are_not_mapped_a_response_has_a_mebibyte_or_one_batch() {
    let dir = tempfile::tempdir().unwrap();
    let fetch_from = async |offset, storage| {
        let store = Store::options().storage(Arc::new(storage)).open(dir.path()).unwrap();
        let server = Server::builder(store.clone()).in_memory().unwrap();
        let mut request = fetch_request(0, offset);
        request.topics[0].partitions[0].partition_max_bytes = 50 << 20;
        let data = fetched(server.connect().send(&request, 12).await.unwrap());
        server.shutdown().await;
        store.close().unwrap();
        values(&data).into_iter().map(|(offset, _)| offset).collect::<Vec<_>>()
    };
    let store = Store::open(dir.path()).unwrap();
    store.create_topic("t", TopicConfig::new().max_message_bytes(3 << 20)).unwrap();
    for bytes in [400_000, 400_000, 400_000, 2_000_000] {
        let mut builder = BatchBuilder::new(3 << 20);
        builder.push(&RecordData::of(&vec![b'x'; bytes])).unwrap();
        store.partition("t", 0).unwrap().append(builder.build().unwrap(), Acks::Leader).unwrap();
    }
    store.close().unwrap();
    assert_eq!(fetch_from(0, FsStorage::without_mmap()).await, [0, 1]);
    assert_eq!(fetch_from(3, FsStorage::without_mmap()).await, [3]);
    let is_mapped = cfg!(all(unix, target_pointer_width = "64"));
    assert_eq!(fetch_from(0, FsStorage::new()).await, if is_mapped { vec![0, 1, 2, 3] } else { vec![0, 1] });
}

/// What they wait for would come to that all at once.
#[cfg(feature = "prometheus")]
#[tokio::test]
async fn where_files_are_not_mapped_fetches_of_a_connection_wait_for_each_other() {
    use super::metrics::{in_flight, until};
    let dir = tempfile::tempdir().unwrap();
    let store = Store::options().storage(Arc::new(FsStorage::without_mmap())).open(dir.path()).unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let server = Server::builder(store).metrics_listener("0").in_memory().unwrap();
    let (connection, waiting) = (server.connect(), patient(fetch_request(0, 0)));
    let both = async { tokio::join!(connection.send(&waiting, 12), connection.send(&waiting, 12)) };
    let look = async {
        until(&server, "esker_requests_in_flight", 1.0).await;
        for _ in 0..20 {
            assert_eq!(in_flight(&server).await, 1.0);
        }
        produce(&server.connect(), 1, 0, batch(&["a"])).await.unwrap();
    };
    let ((one, other), ()) = tokio::join!(both, look);
    for response in [one, other] {
        assert_eq!(values(&fetched(response.unwrap())), [(0, "a".to_owned())]);
    }
}

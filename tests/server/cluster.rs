//! The cluster as clients see it: its one node, its disk, its producers and its transactions.

use std::sync::Arc;
use std::time::Duration;

use esker::io::MemoryStorage;
use esker::net::messages::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsTopic};
use esker::net::messages::describe_producers::TopicRequest;
use esker::net::messages::elect_leaders::{ReplicaElectionResult, TopicPartitions};
use esker::net::messages::list_partition_reassignments::ListPartitionReassignmentsTopics;
use esker::net::messages::{
    DescribeClusterRequest, DescribeLogDirsRequest, DescribeProducersRequest, DescribeTransactionsRequest,
    ElectLeadersRequest, ListPartitionReassignmentsRequest, ListTransactionsRequest, ListTransactionsResponse,
    MetadataRequest,
};
use esker::net::{Connection, ErrorCode};
use esker::server::{Server, ServerConfig};
use esker::{ProducerConfig, Record, Store, TopicConfig};

use super::configs::{BROKER, describe, resource};
use super::{batch, connections, produce, serve};

#[tokio::test]
async fn the_cluster_is_this_node_in_every_version() {
    let (store, server) = serve().await;
    for connection in connections(&server).await {
        for version in 0..=2 {
            let response = connection.send(&DescribeClusterRequest::default(), version).await.unwrap();
            let (node, address) = (store.node_id(), server.local_addr().unwrap());
            assert_eq!((response.error_code, &*response.cluster_id), (ErrorCode::NONE, store.cluster_id()));
            assert_eq!((response.controller_id, response.cluster_authorized_operations), (node, i32::MIN));
            let [broker] = &response.brokers[..] else { panic!("{response:?}") };
            assert_eq!((broker.broker_id, &*broker.host), (node, &*address.ip().to_string()));
            assert_eq!((broker.port, broker.is_fenced), (i32::from(address.port()), false));
        }
    }
    let connection = server.connect();
    let request = DescribeClusterRequest { include_cluster_authorized_operations: true, ..Default::default() };
    let response = connection.send(&request, 1).await.unwrap();
    assert_eq!(response.cluster_authorized_operations, 0b1_1111_1010_0000);
    for (endpoint_type, expected) in
        [(2, ErrorCode::MISMATCHED_ENDPOINT_TYPE), (9, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE)]
    {
        let request = DescribeClusterRequest { endpoint_type, ..Default::default() };
        assert_eq!(connection.send(&request, 2).await.unwrap().error_code, expected);
    }
}

#[tokio::test]
async fn a_node_says_in_which_rack_it_is_if_somebody_has_said_so() {
    for rack in [None, Some("cellar")] {
        let (store, mut config) = (Store::temporary().unwrap(), ServerConfig::default());
        if let Some(rack) = rack {
            config.set("broker.rack", rack).unwrap();
        }
        let server = Server::builder(store.clone()).config(config).in_memory().unwrap();
        let connection = server.connect();
        let cluster = connection.send(&DescribeClusterRequest::default(), 2).await.unwrap();
        assert_eq!(cluster.brokers[0].rack.as_deref(), rack);
        let metadata = connection.send(&MetadataRequest::default(), 12).await.unwrap();
        assert_eq!(metadata.brokers[0].rack.as_deref(), rack);
        let node = store.node_id().to_string();
        let configs = describe(&connection, resource(BROKER, &node, Some(&["broker.rack"])), 4).await.unwrap();
        assert_eq!(configs["broker.rack"].value.as_deref(), rack);
    }
}

#[tokio::test]
async fn nothing_moves_between_nodes() {
    let (_store, server) = serve().await;
    let topics = vec![ListPartitionReassignmentsTopics { name: "t".into(), partition_indexes: vec![0, 9] }];
    for topics in [None, Some(topics)] {
        let request = ListPartitionReassignmentsRequest { topics, ..Default::default() };
        let response = server.connect().send(&request, 0).await.unwrap();
        assert_eq!((response.error_code, response.topics), (ErrorCode::NONE, Vec::new()));
    }
}

/// Partition, error and message of each.
fn elections(results: &[ReplicaElectionResult]) -> Vec<(String, ErrorCode, &str)> {
    let partitions = results.iter().flat_map(|result| result.partition_result.iter().map(move |one| (result, one)));
    let told = partitions.map(|(result, one)| {
        let partition = format!("{}-{}", result.topic, one.partition_id);
        (partition, one.error_code, one.error_message.as_deref().unwrap_or_default())
    });
    told.collect()
}

#[tokio::test]
async fn every_partition_has_its_leader() {
    let (_store, server) = serve().await;
    let connection = server.connect();
    let partitions =
        |topic: &str, partitions: &[i32]| TopicPartitions { topic: topic.into(), partitions: partitions.into() };
    let named = vec![partitions("t", &[0, 9]), partitions("nowhere", &[0])];
    for version in 0..=2 {
        let request = ElectLeadersRequest { topic_partitions: Some(named.clone()), ..Default::default() };
        let response = connection.send(&request, version).await.unwrap();
        assert_eq!(response.error_code, ErrorCode::NONE);
        let not_needed = (ErrorCode::ELECTION_NOT_NEEDED, "Leader election not needed for topic partition.");
        let unknown = |message| (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message);
        let expected = [
            ("t-0", not_needed),
            ("t-9", unknown("No such partition as t-9")),
            ("nowhere-0", unknown("No such topic as nowhere")),
        ];
        let expected = expected.map(|(partition, (error, message))| (partition.to_owned(), error, message));
        assert_eq!(elections(&response.replica_election_results), expected);
        let all = connection.send(&ElectLeadersRequest::default(), version).await.unwrap();
        assert_eq!((all.error_code, elections(&all.replica_election_results)), (ErrorCode::NONE, vec![]));
    }
    let request = ElectLeadersRequest { election_type: 2, topic_partitions: Some(named), ..Default::default() };
    let response = connection.send(&request, 2).await.unwrap();
    assert_eq!(response.error_code, ErrorCode::INVALID_REQUEST);
    let told = elections(&response.replica_election_results);
    assert!(
        told.iter().all(|(_, error, message)| (*error, *message) == (response.error_code, "Unknown election type 2"))
    );
}

fn sizes(topics: &[DescribeLogDirsTopic]) -> Vec<(String, i32, i64)> {
    let partitions = topics.iter().flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(|partition| (topic.name.clone(), partition.partition_index, partition.partition_size))
    });
    partitions.collect()
}

#[tokio::test]
async fn the_directory_tells_its_sizes_in_every_version() {
    let (store, server) = serve().await;
    store.create_topic("other", TopicConfig::new()).unwrap();
    let records = batch(&["a"]);
    let size = records.len() as i64;
    produce(&server.connect(), 1, 1, records).await.unwrap();
    let (t, other) = (|index, size| ("t".to_owned(), index, size), ("other".to_owned(), 0, 0));
    for connection in connections(&server).await {
        for version in 1..=5 {
            let response = connection.send(&DescribeLogDirsRequest::default(), version).await.unwrap();
            let [dir] = &response.results[..] else { panic!("{response:?}") };
            assert_eq!(
                (response.error_code, dir.error_code, dir.is_cordoned),
                (ErrorCode::NONE, ErrorCode::NONE, false)
            );
            assert_eq!(std::path::Path::new(&dir.log_dir), store.dir());
            assert_eq!(sizes(&dir.topics), [other.clone(), t(0, 0), t(1, size)]);
            match version {
                // In these there is no room for it.
                ..4 => assert_eq!((dir.total_bytes, dir.usable_bytes), (-1, -1)),
                _ => assert!(dir.total_bytes >= dir.usable_bytes && dir.usable_bytes >= 0, "{dir:?}"),
            }
            let wanted = |topic: &str, partitions| DescribableLogDirTopic { topic: topic.into(), partitions };
            let topics = Some(vec![wanted("t", vec![1, 1, 9]), wanted("nobody", vec![0]), wanted("t", vec![1])]);
            let response = connection.send(&DescribeLogDirsRequest { topics }, version).await.unwrap();
            assert_eq!(sizes(&response.results[0].topics), [t(1, size)]);
            let none = DescribeLogDirsRequest { topics: Some(Vec::new()) };
            assert_eq!(connection.send(&none, version).await.unwrap().results[0].topics, []);
        }
    }
}

#[tokio::test]
async fn a_directory_in_memory_does_not_know_its_space() {
    let store = Store::options().storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    let server = Server::builder(store).in_memory().unwrap();
    let response = server.connect().send(&DescribeLogDirsRequest::default(), 4).await.unwrap();
    assert_eq!((response.results[0].total_bytes, response.results[0].usable_bytes), (-1, -1));
}

/// Two transactional ids: "done" has committed a transaction, and "open" has one open in "t".
fn with_transactions(store: &Store) -> (esker::Producer, esker::Transaction) {
    let producer = |id: &str| store.producer(ProducerConfig::new().transactional_id(id)).unwrap();
    let done = producer("done");
    let transaction = done.begin_transaction().unwrap();
    transaction.send(Record::to("t").partition(0).value("1")).unwrap();
    transaction.commit().unwrap();
    let open = producer("open");
    let transaction = open.begin_transaction().unwrap();
    transaction.send(Record::to("t").partition(1).value("2")).unwrap();
    (open, transaction)
}

async fn list(connection: &Connection, request: &ListTransactionsRequest, version: i16) -> ListTransactionsResponse {
    let response = connection.send(request, version).await.unwrap();
    assert_eq!(response.error_code, ErrorCode::NONE);
    response
}

#[tokio::test]
async fn transactions_are_listed_in_every_version() {
    let (store, server) = serve().await;
    let _open = with_transactions(&store);
    let ids = |response: &ListTransactionsResponse| -> Vec<(String, String)> {
        let states = response.transaction_states.iter();
        states.map(|one| (one.transactional_id.clone(), one.transaction_state.clone())).collect()
    };
    let (done, open) = (("done".to_owned(), "CompleteCommit".to_owned()), ("open".to_owned(), "Ongoing".to_owned()));
    for connection in connections(&server).await {
        for version in 0..=2 {
            let all = list(&connection, &ListTransactionsRequest::default(), version).await;
            assert_eq!(ids(&all), [done.clone(), open.clone()]);
            let producer_id = all.transaction_states[0].producer_id;
            for (states, producers, expected, unknown) in [
                (&["Ongoing"][..], vec![], vec![&open], vec![]),
                (&["Ongoing", "Gone"], vec![], vec![&open], vec!["Gone"]),
                (&["Gone"], vec![], vec![], vec!["Gone"]),
                (&[], vec![producer_id], vec![&done], vec![]),
                (&["Ongoing"], vec![producer_id], vec![], vec![]),
            ] {
                let request = ListTransactionsRequest {
                    state_filters: states.iter().map(|state| (*state).to_owned()).collect(),
                    producer_id_filters: producers,
                    ..Default::default()
                };
                let found = list(&connection, &request, version).await;
                assert_eq!(ids(&found).iter().collect::<Vec<_>>(), expected, "{request:?}");
                assert_eq!(found.unknown_state_filters, unknown);
            }
        }
        let hours = i64::try_from(Duration::from_secs(3600).as_millis()).unwrap();
        let request = ListTransactionsRequest { duration_filter: hours, ..Default::default() };
        assert_eq!(ids(&list(&connection, &request, 1).await), []);
        for (pattern, expected) in [
            (None, vec![&done, &open]),
            (Some(""), vec![&done, &open]),
            (Some("o.*"), vec![&open]),
            (Some("o"), vec![]),
            (Some("open|done"), vec![&done, &open]),
        ] {
            let request =
                ListTransactionsRequest { transactional_id_pattern: pattern.map(str::to_owned), ..Default::default() };
            let found = list(&connection, &request, 2).await;
            assert_eq!(ids(&found).iter().collect::<Vec<_>>(), expected, "{pattern:?}");
        }
        let request = ListTransactionsRequest { transactional_id_pattern: Some("(".into()), ..Default::default() };
        let refused = connection.send(&request, 2).await.unwrap();
        assert_eq!(refused.error_code, ErrorCode::INVALID_REGULAR_EXPRESSION);
    }
}

#[tokio::test]
async fn transactions_and_their_producers_are_described() {
    let (store, server) = serve().await;
    let (_producer, transaction) = with_transactions(&store);
    for connection in connections(&server).await {
        let transactional_ids = ["open", "nobody", "", "done", "done"].map(str::to_owned).to_vec();
        let request = DescribeTransactionsRequest { transactional_ids };
        let states = connection.send(&request, 0).await.unwrap().transaction_states;
        let codes: Vec<_> = states.iter().map(|state| state.error_code).collect();
        let (fine, twice) = (ErrorCode::NONE, ErrorCode::INVALID_REQUEST);
        assert_eq!(codes, [fine, ErrorCode::TRANSACTIONAL_ID_NOT_FOUND, ErrorCode::INVALID_REQUEST, fine, fine]);
        // Of its one partition so often and no more: a short request must not make a long answer.
        let mut transactional_ids = vec!["open".to_owned(); 2002];
        transactional_ids.push("unknown".to_owned());
        let request = DescribeTransactionsRequest { transactional_ids };
        let again = connection.send(&request, 0).await.unwrap().transaction_states;
        assert_eq!((again[2000].error_code, again[2001].error_code), (ErrorCode::NONE, ErrorCode::INVALID_REQUEST));
        assert_eq!(again[2002].error_code, ErrorCode::TRANSACTIONAL_ID_NOT_FOUND, "it is named once");
        let open = &states[0];
        assert_eq!((&*open.transactional_id, &*open.transaction_state), ("open", "Ongoing"));
        assert_eq!((&*open.topics[0].topic, &open.topics[0].partitions), ("t", &vec![1]));
        assert!(open.transaction_start_time_ms > 0 && open.transaction_timeout_ms > 0);

        let topic = |name: &str, partition_indexes| TopicRequest { name: name.into(), partition_indexes };
        let topics = vec![topic("t", vec![1, 9]), topic("a/b", vec![0]), topic("t", vec![0, 0])];
        let response = connection.send(&DescribeProducersRequest { topics }, 0).await.unwrap();
        let partitions: Vec<_> = response.topics.iter().flat_map(|topic| &topic.partitions).collect();
        let codes: Vec<_> = partitions.iter().map(|partition| partition.error_code).collect();
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(codes, [ErrorCode::NONE, unknown, ErrorCode::INVALID_TOPIC_EXCEPTION, twice, twice]);
        let [producer] = &partitions[0].active_producers[..] else { panic!("{response:?}") };
        assert_eq!((producer.producer_id, producer.producer_epoch), (open.producer_id, open.producer_epoch.into()));
        assert_eq!((producer.last_sequence, producer.current_txn_start_offset), (0, 0));
        assert_eq!(producer.coordinator_epoch, -1, "it has ended none yet");
    }
    transaction.abort().unwrap();
}

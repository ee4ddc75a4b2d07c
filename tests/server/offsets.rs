//! How far groups have come: what consumers that assign partitions themselves commit, and what tools do with it.

use std::time::Duration;

use esker::net::messages::delete_groups::DeletableGroupResult;
use esker::net::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use esker::net::messages::offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use esker::net::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics, OffsetFetchResponseTopics,
};
use esker::net::messages::txn_offset_commit::TxnOffsetCommitRequestTopic;
use esker::net::messages::write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic};
use esker::net::messages::{
    ConsumerGroupDescribeRequest, DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, OffsetFetchResponse, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};
use esker::net::{Connection, ErrorCode};
use esker::record::TransactionResult;
use esker::server::{Server, ServerConfig};
use esker::{Acks, CommittedOffset, Store, TopicConfig, TopicPartition, Uuid};

use super::{connections, serve};

/// An offset with its leader epoch and metadata, or an error.
type Fetched = (i32, i64, i32, String, ErrorCode);

/// A commit of these offsets by partition, each with a leader epoch and metadata.
fn commit_request(group: &str, topic: (&str, Uuid), offsets: &[(i32, i64)]) -> OffsetCommitRequest {
    let partitions = offsets.iter().map(|(partition_index, offset)| OffsetCommitRequestPartition {
        partition_index: *partition_index,
        committed_offset: *offset,
        committed_leader_epoch: 3,
        committed_metadata: Some(format!("at {offset}")),
    });
    let topics =
        vec![OffsetCommitRequestTopic { name: topic.0.into(), topic_id: topic.1, partitions: partitions.collect() }];
    OffsetCommitRequest { group_id: group.into(), topics, ..Default::default() }
}

/// Commits, and returns the error of each partition.
async fn commit(connection: &Connection, request: &OffsetCommitRequest, version: i16) -> Vec<(i32, ErrorCode)> {
    let response = connection.send(request, version).await.unwrap();
    let (asked, answered) = (&request.topics, &response.topics);
    assert_eq!(asked.len(), answered.len());
    for (asked, answered) in asked.iter().zip(answered) {
        match version {
            10.. => assert_eq!(asked.topic_id, answered.topic_id),
            _ => assert_eq!(asked.name, answered.name),
        }
    }
    let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
    partitions.map(|partition| (partition.partition_index, partition.error_code)).collect()
}

/// What one group has committed for one topic, or for all that it has; in any version.
async fn fetch(
    connection: &Connection,
    group: &str,
    wanted: Option<(&str, Uuid, &[i32])>,
    require_stable: bool,
    version: i16,
) -> Vec<Fetched> {
    let wide = wanted.map(|(name, topic_id, partitions)| {
        vec![OffsetFetchRequestTopics { name: name.into(), topic_id, partition_indexes: partitions.into() }]
    });
    let group_id = group.to_owned();
    let request = match version {
        8.. => OffsetFetchRequest {
            groups: vec![OffsetFetchRequestGroup { group_id, topics: wide, ..Default::default() }],
            require_stable,
            ..Default::default()
        },
        _ => {
            let narrow = |topic: OffsetFetchRequestTopics| OffsetFetchRequestTopic {
                name: topic.name,
                partition_indexes: topic.partition_indexes,
            };
            let topics = wide.map(|topics| topics.into_iter().map(narrow).collect());
            OffsetFetchRequest { group_id, topics, require_stable, ..Default::default() }
        }
    };
    let response = connection.send(&request, version).await.unwrap();
    assert_eq!(response.error_code, ErrorCode::NONE);
    if version < 8 {
        let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
        return partitions
            .map(|at| {
                let epoch = at.committed_leader_epoch;
                (at.partition_index, at.committed_offset, epoch, at.metadata.unwrap(), at.error_code)
            })
            .collect();
    }
    let answered = &response.groups[0];
    assert_eq!((&*answered.group_id, answered.error_code), (group, ErrorCode::NONE));
    partitions_of(&answered.topics)
}

fn partitions_of(topics: &[OffsetFetchResponseTopics]) -> Vec<Fetched> {
    let partitions = topics.iter().flat_map(|topic| &topic.partitions);
    partitions
        .map(|at| {
            let metadata = at.metadata.clone().unwrap();
            (at.partition_index, at.committed_offset, at.committed_leader_epoch, metadata, at.error_code)
        })
        .collect()
}

fn id_of(store: &Store) -> Uuid {
    store.describe_topic("t").unwrap().id
}

fn at(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

#[tokio::test]
async fn what_is_committed_is_fetched_in_every_version() {
    let (store, server) = serve().await;
    let topic = ("t", id_of(&store));
    for connection in connections(&server).await {
        for version in 2..=10 {
            let offset = i64::from(version) * 10;
            let request = commit_request("g", topic, &[(0, offset), (1, offset + 1)]);
            let errors = commit(&connection, &request, version).await;
            assert_eq!(errors, [(0, ErrorCode::NONE), (1, ErrorCode::NONE)], "version {version}");
            for fetch_version in 1..=10 {
                // Either side has leader epochs from some version on.
                let epoch = if version >= 6 && fetch_version >= 5 { 3 } else { -1 };
                let expected = [
                    (0, offset, epoch, format!("at {offset}"), ErrorCode::NONE),
                    (1, offset + 1, epoch, format!("at {}", offset + 1), ErrorCode::NONE),
                ];
                let wanted = Some((topic.0, topic.1, &[0, 1][..]));
                assert_eq!(fetch(&connection, "g", wanted, false, fetch_version).await, expected);
                if fetch_version >= 2 {
                    assert_eq!(fetch(&connection, "g", None, false, fetch_version).await, expected);
                }
            }
        }
        assert_eq!(store.committed_offset("g", at(1)).unwrap().unwrap().metadata, "at 101");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_group_without_commits_is_no_error() {
    let (store, server) = serve().await;
    let id = id_of(&store);
    store.commit_offsets("g", [(at(0), CommittedOffset::new(5))], Acks::All).unwrap();
    let none = |partition| (partition, -1, -1, String::new(), ErrorCode::NONE);
    for connection in connections(&server).await {
        for version in 1..=10 {
            let stable = version >= 7;
            let wanted = |partitions: &'static [i32]| Some(("t", id, partitions));
            let found = fetch(&connection, "nobody", wanted(&[0, 7]), stable, version).await;
            assert_eq!(found, [none(0), none(7)]);
            let mut found = fetch(&connection, "g", wanted(&[0, 1]), stable, version).await;
            assert_eq!((found.remove(0).1, found.remove(0)), (5, none(1)));
            if version >= 2 {
                assert_eq!(fetch(&connection, "nobody", None, stable, version).await, []);
            }
        }
    }
}

#[tokio::test]
async fn many_groups_are_asked_for_at_once() {
    let (store, server) = serve().await;
    for (group, partition, offset) in [("a", 0, 1), ("a", 1, 2), ("b", 1, 3)] {
        store.commit_offsets(group, [(at(partition), CommittedOffset::new(offset))], Acks::All).unwrap();
    }
    store.create_topic("u", TopicConfig::new()).unwrap();
    store.commit_offsets("b", [(TopicPartition::new("u", 0), CommittedOffset::new(4))], Acks::All).unwrap();
    let group = |name: &str, topics| OffsetFetchRequestGroup { group_id: name.into(), topics, ..Default::default() };
    let wanted = |name: &str, topic_id, partitions: &[i32]| OffsetFetchRequestTopics {
        name: name.into(),
        topic_id,
        partition_indexes: partitions.into(),
    };
    for version in 8..=10 {
        let groups = vec![
            group("b", None),
            group("a", Some(vec![wanted("t", id_of(&store), &[1])])),
            group("nobody", None),
            group("a", Some(vec![wanted("gone", Uuid::from_bytes([9; 16]), &[0])])),
        ];
        let request = OffsetFetchRequest { groups, ..Default::default() };
        let response = server.connect().send(&request, version).await.unwrap();
        let found: Vec<_> = response
            .groups
            .iter()
            .map(|group| {
                let at = |at: Fetched| (at.0, at.1, at.4);
                let offsets: Vec<_> = partitions_of(&group.topics).into_iter().map(at).collect();
                (&*group.group_id, offsets)
            })
            .collect();
        let unknown = if version >= 10 { ErrorCode::UNKNOWN_TOPIC_ID } else { ErrorCode::NONE };
        let expected = [
            ("b", vec![(1, 3, ErrorCode::NONE), (0, 4, ErrorCode::NONE)]),
            ("a", vec![(1, 2, ErrorCode::NONE)]),
            ("nobody", vec![]),
            ("a", vec![(0, -1, unknown)]),
        ];
        assert_eq!(found, expected);
        let topics = &response.groups[0].topics;
        match version {
            10 => assert_eq!(topics[1].topic_id, store.describe_topic("u").unwrap().id),
            _ => assert_eq!((&*topics[0].name, &*topics[1].name), ("t", "u")),
        }
    }
}

#[tokio::test]
async fn what_is_named_again_and_again_is_answered_once() {
    let (store, server) = serve().await;
    store.commit_offsets("g", [(at(0), CommittedOffset::new(7))], Acks::Leader).unwrap();
    let connection = server.connect();
    let id = id_of(&store);
    for version in [1, 8, 10] {
        let fetched = fetch(&connection, "g", Some(("t", id, &[0, 1, 0, 0])), false, version).await;
        let offsets: Vec<_> = fetched.iter().map(|(partition, offset, ..)| (*partition, *offset)).collect();
        assert_eq!(offsets, [(0, 7), (1, -1)], "version {version}");
    }
    let group = OffsetFetchRequestGroup { group_id: "g".into(), topics: None, ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![group; 3], ..Default::default() };
    let groups = connection.send(&request, 9).await.unwrap().groups;
    assert_eq!(groups.iter().map(|group| group.topics.len()).collect::<Vec<_>>(), [1, 0, 0]);
    let request = DescribeGroupsRequest { groups: vec!["g".into(); 3], ..Default::default() };
    assert_eq!(connection.send(&request, 5).await.unwrap().groups.len(), 1);
    let request = ConsumerGroupDescribeRequest { group_ids: vec!["g".into(); 3], ..Default::default() };
    assert_eq!(connection.send(&request, 1).await.unwrap().groups.len(), 1);
}

#[tokio::test]
async fn what_can_not_be_committed_is_refused_alone() {
    let (store, server) = serve().await;
    let id = id_of(&store);
    for connection in connections(&server).await {
        for version in 2..=10 {
            let mut request = commit_request("g", ("t", id), &[(0, 1), (1, 2), (2, 3)]);
            let topic = &mut request.topics[0];
            topic.partitions[1].committed_metadata = Some("x".repeat(4097));
            let mut longest = topic.partitions[0].clone();
            longest.committed_metadata = Some("x".repeat(4096));
            topic.partitions[0] = longest;
            let mut unknown = topic.clone();
            (unknown.name, unknown.topic_id) = ("gone".into(), Uuid::from_bytes([9; 16]));
            unknown.partitions.truncate(1);
            request.topics.push(unknown);
            let expected = [
                (0, ErrorCode::NONE),
                (1, ErrorCode::OFFSET_METADATA_TOO_LARGE),
                (2, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                (0, if version >= 10 { ErrorCode::UNKNOWN_TOPIC_ID } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION }),
            ];
            assert_eq!(commit(&connection, &request, version).await, expected);
            assert_eq!(store.committed_offset("g", at(0)).unwrap().unwrap().metadata.len(), 4096);
            assert_eq!(store.committed_offset("g", at(1)).unwrap(), None);
        }
    }
    // That is the group of old consumers that name none.
    let nameless = commit_request("", ("t", id), &[(0, 1)]);
    assert_eq!(commit(&server.connect(), &nameless, 2).await, [(0, ErrorCode::NONE)]);
    assert_eq!(store.committed_offset("", at(0)).unwrap().unwrap().offset, 1);
    assert!(store.groups().unwrap().contains(&String::new()));
    let delete = DeleteGroupsRequest { groups_names: vec![String::new()] };
    assert_eq!(server.connect().send(&delete, 2).await.unwrap().results[0].error_code, ErrorCode::NONE);
    assert_eq!(store.committed_offset("", at(0)).unwrap(), None);
    // No metadata is an empty one.
    let mut request = commit_request("g", ("t", id), &[(0, 1)]);
    request.topics[0].partitions[0].committed_metadata = None;
    assert_eq!(commit(&server.connect(), &request, 9).await, [(0, ErrorCode::NONE)]);
    assert_eq!(store.committed_offset("g", at(0)).unwrap().unwrap().metadata, "");
}

#[tokio::test]
async fn who_claims_to_be_a_member_is_none() {
    let (store, server) = serve().await;
    let topic = ("t", id_of(&store));
    store.commit_offsets("g", [(at(0), CommittedOffset::new(5))], Acks::All).unwrap();
    let connection = server.connect();
    for version in 2..=10 {
        let claim = |group| OffsetCommitRequest {
            generation_id_or_member_epoch: 1,
            member_id: "me".into(),
            ..commit_request(group, topic, &[(0, 9)])
        };
        assert_eq!(commit(&connection, &claim("g"), version).await, [(0, ErrorCode::UNKNOWN_MEMBER_ID)]);
        let unknown = if version >= 9 { ErrorCode::GROUP_ID_NOT_FOUND } else { ErrorCode::ILLEGAL_GENERATION };
        assert_eq!(commit(&connection, &claim("nobody"), version).await, [(0, unknown)]);
    }
    assert_eq!(store.committed_offset("g", at(0)).unwrap().unwrap().offset, 5);
    assert_eq!(store.groups().unwrap(), ["g"]);
}

#[tokio::test]
async fn offsets_of_an_open_transaction_are_not_stable() {
    let (store, server) = serve().await;
    let id = id_of(&store);
    store.commit_offsets("g", [(at(0), CommittedOffset::new(1)), (at(1), CommittedOffset::new(2))], Acks::All).unwrap();
    let producer = store.init_transactional_id("x", Duration::from_secs(60)).unwrap();
    store.add_offsets_to_transaction("x", producer, "g").unwrap();
    store.commit_offsets_in_transaction("g", [(at(0), CommittedOffset::new(10))], producer).unwrap();
    let connection = server.connect();
    let offsets = |found: Vec<Fetched>| found.into_iter().map(|at| (at.1, at.4)).collect::<Vec<_>>();
    for version in 7..=10 {
        for wanted in [Some(("t", id, &[0, 1][..])), None] {
            let stable = offsets(fetch(&connection, "g", wanted, true, version).await);
            assert_eq!(stable, [(-1, ErrorCode::UNSTABLE_OFFSET_COMMIT), (2, ErrorCode::NONE)]);
            let last = offsets(fetch(&connection, "g", wanted, false, version).await);
            assert_eq!(last, [(1, ErrorCode::NONE), (2, ErrorCode::NONE)]);
        }
    }
    store.end_transaction("x", producer, TransactionResult::Commit).unwrap();
    for version in 7..=10 {
        let stable = offsets(fetch(&connection, "g", None, true, version).await);
        assert_eq!(stable, [(10, ErrorCode::NONE), (2, ErrorCode::NONE)]);
    }
}

#[tokio::test]
async fn groups_are_listed_described_and_deleted() {
    let (store, server) = serve().await;
    for connection in connections(&server).await {
        for group in ["a", "b"] {
            store.commit_offsets(group, [(at(0), CommittedOffset::new(5))], Acks::All).unwrap();
        }
        for version in 0..=5 {
            let response = connection.send(&ListGroupsRequest::default(), version).await.unwrap();
            assert_eq!(response.error_code, ErrorCode::NONE);
            let ids: Vec<_> = response.groups.iter().map(|group| &*group.group_id).collect();
            assert_eq!(ids, ["a", "b"]);
            let group = &response.groups[0];
            let state = if version >= 4 { "Empty" } else { "" };
            let kind = if version >= 5 { "classic" } else { "" };
            assert_eq!((&*group.protocol_type, &*group.group_state, &*group.group_type), ("", state, kind));
        }
        for (states, types, count) in [
            (&["Stable", " empty "][..], &[][..], 2),
            (&["Stable"], &[], 0),
            (&[], &["Classic", "share"], 2),
            (&[], &["consumer"], 0),
            (&["Empty"], &["consumer"], 0),
        ] {
            let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            let request = ListGroupsRequest { states_filter: list(states), types_filter: list(types) };
            let groups = connection.send(&request, 5).await.unwrap().groups;
            assert_eq!(groups.len(), count, "{states:?} {types:?}");
        }
        for version in 0..=6 {
            let request = DescribeGroupsRequest { groups: vec!["a".into(), "nobody".into()], ..Default::default() };
            let groups = connection.send(&request, version).await.unwrap().groups;
            let described: Vec<_> =
                groups.iter().map(|group| (&*group.group_id, &*group.group_state, group.error_code)).collect();
            let unknown = if version >= 6 { ErrorCode::GROUP_ID_NOT_FOUND } else { ErrorCode::NONE };
            assert_eq!(described, [("a", "Empty", ErrorCode::NONE), ("nobody", "Dead", unknown)]);
            assert_eq!((&groups[0].members[..], groups[0].authorized_operations), (&[][..], i32::MIN));
            let message = (version >= 6).then_some("Group nobody not found.");
            assert_eq!(groups[1].error_message.as_deref(), message);
        }
        let group_ids = vec!["a".into(), "nobody".into()];
        let request = ConsumerGroupDescribeRequest { group_ids, ..Default::default() };
        let groups = connection.send(&request, 1).await.unwrap().groups;
        let messages: Vec<_> = groups.iter().map(|group| group.error_message.as_deref().unwrap()).collect();
        assert_eq!(messages, ["Group a is not a consumer group.", "Group nobody not found."]);
        for version in 0..=2 {
            store.commit_offsets("b", [(at(0), CommittedOffset::new(5))], Acks::All).unwrap();
            let request = DeleteGroupsRequest { groups_names: ["b", "nobody", "b"].map(str::to_owned).to_vec() };
            let results = connection.send(&request, version).await.unwrap().results;
            let result = |group_id: &str, error_code| DeletableGroupResult { group_id: group_id.into(), error_code };
            let expected = [result("b", ErrorCode::NONE), result("nobody", ErrorCode::GROUP_ID_NOT_FOUND)];
            assert_eq!(results, expected);
            assert_eq!(store.groups().unwrap(), ["a"]);
        }
    }
}

#[tokio::test]
async fn offsets_of_partitions_are_deleted() {
    let (store, server) = serve().await;
    let request = |group: &str, partitions: &[i32]| OffsetDeleteRequest {
        group_id: group.into(),
        topics: vec![OffsetDeleteRequestTopic {
            name: "t".into(),
            partitions: partitions.iter().map(|at| OffsetDeleteRequestPartition { partition_index: *at }).collect(),
        }],
    };
    for connection in connections(&server).await {
        let offsets = [(at(0), CommittedOffset::new(5)), (at(1), CommittedOffset::new(6))];
        store.commit_offsets("g", offsets, Acks::All).unwrap();
        let response = connection.send(&request("g", &[0, 2]), 0).await.unwrap();
        assert_eq!(response.error_code, ErrorCode::NONE);
        let errors: Vec<_> =
            response.topics[0].partitions.iter().map(|at| (at.partition_index, at.error_code)).collect();
        assert_eq!(errors, [(0, ErrorCode::NONE), (2, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)]);
        assert_eq!(store.committed_offset("g", at(0)).unwrap(), None);
        assert_eq!(store.committed_offset("g", at(1)).unwrap().unwrap().offset, 6);
        for (group, expected) in [("nobody", ErrorCode::GROUP_ID_NOT_FOUND), ("", ErrorCode::INVALID_GROUP_ID)] {
            let response = connection.send(&request(group, &[0]), 0).await.unwrap();
            assert_eq!((response.error_code, response.topics), (expected, vec![]));
        }
    }
}

#[tokio::test]
async fn a_topic_of_which_nothing_is_asked_is_in_no_answer() {
    let (store, server) = serve().await;
    store.commit_offsets("g", [(at(0), CommittedOffset::new(5))], Acks::All).unwrap();
    let connection = server.connect();
    let names = ["t", "nobody"];
    let commit = |name: &str| OffsetCommitRequestTopic { name: name.into(), ..Default::default() };
    let request = OffsetCommitRequest { group_id: "g".into(), topics: names.map(commit).into(), ..Default::default() };
    let committed = connection.send(&request, 9).await.unwrap().topics;
    let commit = |name: &str| TxnOffsetCommitRequestTopic { name: name.into(), ..Default::default() };
    let request = TxnOffsetCommitRequest { topics: names.map(commit).into(), ..Default::default() };
    let pending = connection.send(&request, 3).await.unwrap().topics;
    let delete = |name: &str| OffsetDeleteRequestTopic { name: name.into(), ..Default::default() };
    let request = OffsetDeleteRequest { group_id: "g".into(), topics: names.map(delete).into() };
    let deleted = connection.send(&request, 0).await.unwrap().topics;
    assert_eq!(
        committed.iter().map(|topic| &*topic.name).collect::<Vec<_>>(),
        ["nobody"],
        "that there is no such topic"
    );
    assert_eq!(pending.iter().map(|topic| &*topic.name).collect::<Vec<_>>(), ["nobody"]);
    assert_eq!(deleted.iter().map(|topic| &*topic.name).collect::<Vec<_>>(), ["nobody"]);

    let topics = names.map(|name| WritableTxnMarkerTopic { name: name.into(), ..Default::default() }).into();
    let markers = vec![WritableTxnMarker { producer_id: 7, topics, ..Default::default() }];
    assert_eq!(connection.send(&WriteTxnMarkersRequest { markers }, 1).await.unwrap().markers, []);
}

/// They look for the coordinator again and go on, and would give up at what is said of a partition's log.
#[cfg(feature = "sim")]
#[tokio::test]
async fn members_are_told_of_a_broken_log_as_by_a_coordinator() {
    use std::io::ErrorKind;
    use std::sync::Arc;

    use esker::sim::{Fault, FaultStorage, Operation};

    for (operation, kind) in [(Operation::Append, ErrorKind::StorageFull), (Operation::Sync, ErrorKind::Other)] {
        let disk = FaultStorage::new(1);
        let store = Store::options().storage(Arc::new(disk.clone())).open("/data").unwrap();
        store.create_topic("t", TopicConfig::new()).unwrap();
        let server = Server::builder(store.clone()).in_memory().unwrap();
        let connection = server.connect();
        let request = commit_request("g", ("t", Uuid::ZERO), &[(0, 5)]);
        assert_eq!(commit(&connection, &request, 9).await, [(0, ErrorCode::NONE)]);
        let is_of_offsets = |path: &std::path::Path| path.to_string_lossy().contains("__consumer_offsets");
        disk.inject(Fault::new(kind).on(operation).on_paths(is_of_offsets));
        assert_eq!(commit(&connection, &request, 9).await, [(0, ErrorCode::NOT_COORDINATOR)], "{operation:?}");
        let delete = DeleteGroupsRequest { groups_names: vec!["g".into()] };
        let deleted = connection.send(&delete, 2).await.unwrap();
        assert_eq!(deleted.results[0].error_code, ErrorCode::NOT_COORDINATOR, "{operation:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_the_first_versions_say_of_each_partition() {
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    let config = ServerConfig { request_partitions_max: 1, ..ServerConfig::default() };
    let server = Server::builder(store).config(config).in_memory().unwrap();
    let topics = vec![OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0, 1] }];
    let request = OffsetFetchRequest { group_id: "g".into(), topics: Some(topics), ..Default::default() };
    let refused = |answered: OffsetFetchResponse| {
        let partitions = answered.topics.into_iter().flat_map(|topic| topic.partitions);
        let each: Vec<_> = partitions.map(|partition| (partition.partition_index, partition.error_code)).collect();
        (answered.error_code, each)
    };
    let connection = server.connect();
    let each = [0, 1].map(|partition| (partition, ErrorCode::INVALID_REQUEST));
    assert_eq!(refused(connection.send(&request, 1).await.unwrap()), (ErrorCode::NONE, each.into()));
    assert_eq!(refused(connection.send(&request, 2).await.unwrap()), (ErrorCode::INVALID_REQUEST, Vec::new()));
}

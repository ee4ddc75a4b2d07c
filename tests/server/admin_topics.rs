//! Topics as admin clients create, extend, describe and delete them.

use std::sync::Arc;

use esker::io::MemoryStorage;
use esker::net::messages::create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic};
use esker::net::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreatableTopicResult,
};
use esker::net::messages::delete_topics::DeleteTopicState;
use esker::net::messages::describe_topic_partitions::{Cursor, TopicRequest};
use esker::net::messages::metadata::MetadataRequestTopic;
use esker::net::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeTopicPartitionsRequest, MetadataRequest,
};
use esker::net::{Connection, ErrorCode};
use esker::server::{Server, ServerConfig};
use esker::{Store, TopicConfig, Uuid};

use super::configs::told_keys;
use super::{connections, serve};

fn new_topic(name: &str) -> CreatableTopic {
    CreatableTopic { name: name.into(), num_partitions: -1, replication_factor: -1, ..Default::default() }
}

fn with_config(name: &str, key: &str, value: Option<&str>) -> CreatableTopic {
    let configs = vec![CreatableTopicConfig { name: key.into(), value: value.map(str::to_owned) }];
    CreatableTopic { configs, ..new_topic(name) }
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignment = |(partition_index, broker_ids): &(i32, &[i32])| CreatableReplicaAssignment {
        partition_index: *partition_index,
        broker_ids: broker_ids.to_vec(),
    };
    CreatableTopic { assignments: assignments.iter().map(assignment).collect(), ..new_topic(name) }
}

async fn create(connection: &Connection, topics: Vec<CreatableTopic>, version: i16) -> Vec<CreatableTopicResult> {
    let request = CreateTopicsRequest { topics, ..Default::default() };
    connection.send(&request, version).await.unwrap().topics
}

#[tokio::test]
async fn topics_are_created_as_they_are_asked_for_in_every_version() {
    let (store, server) = serve().await;
    for (kind, connection) in connections(&server).await.iter().enumerate() {
        for version in 2..=7 {
            let name = format!("created-{kind}-{version}");
            let topic = CreatableTopic {
                num_partitions: 3,
                replication_factor: 1,
                ..with_config(&name, "retention.ms", Some("1000"))
            };
            let created = create(connection, vec![topic], version).await.remove(0);
            assert_eq!((&created.name, created.error_code, created.error_message), (&name, ErrorCode::NONE, None));
            let described = store.describe_topic(&name).unwrap();
            assert_eq!(described.partitions.len(), 3);
            assert_eq!(described.config.get("retention.ms").as_deref(), Some("1000"));
            if version >= 5 {
                assert_eq!((created.num_partitions, created.replication_factor), (3, 1));
                let configs = created.configs.unwrap();
                assert!(configs.iter().map(|config| &*config.name).eq(told_keys()));
                let retention = configs.iter().find(|config| config.name == "retention.ms").unwrap();
                assert_eq!((retention.value.as_deref(), retention.config_source), (Some("1000"), 1));
            }
            if version >= 7 {
                assert_eq!(created.topic_id, described.id);
            }
        }
    }
    let created = create(&server.connect(), vec![new_topic("defaults")], 7).await.remove(0);
    assert_eq!((created.num_partitions, store.partition_count("defaults").unwrap()), (1, 1));
    let internal = with_config("internal", "internal.segment.bytes", Some("1000"));
    let created = create(&server.connect(), vec![internal], 7).await.remove(0);
    let configs = created.configs.unwrap();
    let told = configs.iter().find(|config| config.name == "internal.segment.bytes").unwrap();
    assert_eq!(told.value.as_deref(), Some("1000"), "as somebody has set it");
}

#[tokio::test]
async fn a_topic_has_as_many_partitions_as_the_node_says_if_nobody_else_does() {
    let store = Store::temporary().unwrap();
    let config = ServerConfig { num_partitions: 3, ..ServerConfig::default() };
    let server = Server::builder(store.clone()).config(config).in_memory().unwrap();
    let connection = server.connect();
    assert_eq!(create(&connection, vec![new_topic("asked")], 7).await[0].num_partitions, 3);
    let wanted = MetadataRequestTopic { name: Some("touched".into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![wanted]), ..Default::default() };
    assert_eq!(connection.send(&request, 12).await.unwrap().topics[0].partitions.len(), 3);
    assert_eq!((store.partition_count("asked").unwrap(), store.partition_count("touched").unwrap()), (3, 3));
}

#[tokio::test]
async fn each_topic_that_can_not_be_created_says_why() {
    let (store, server) = serve().await;
    let node = store.node_id();
    let cases = [
        (new_topic("t"), ErrorCode::TOPIC_ALREADY_EXISTS),
        (new_topic("a/b"), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (new_topic("__consumer_offsets"), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (CreatableTopic { num_partitions: 0, ..new_topic("none") }, ErrorCode::INVALID_PARTITIONS),
        (CreatableTopic { num_partitions: -2, ..new_topic("minus") }, ErrorCode::INVALID_PARTITIONS),
        (CreatableTopic { replication_factor: 2, ..new_topic("two") }, ErrorCode::INVALID_REPLICATION_FACTOR),
        (CreatableTopic { replication_factor: 0, ..new_topic("zero") }, ErrorCode::INVALID_REPLICATION_FACTOR),
        (with_config("unknown", "no.such.config", Some("1")), ErrorCode::INVALID_CONFIG),
        (with_config("invalid", "retention.ms", Some("soon")), ErrorCode::INVALID_CONFIG),
        (with_config("null", "retention.ms", None), ErrorCode::INVALID_CONFIG),
        (assigned("elsewhere", &[(0, &[node + 1])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned("nowhere", &[(0, &[])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned("twice", &[(0, &[node, node])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned("gap", &[(1, &[node])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned("same", &[(0, &[node]), (0, &[node])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (CreatableTopic { num_partitions: 1, ..assigned("both", &[(0, &[node])]) }, ErrorCode::INVALID_REQUEST),
        (new_topic("doubled"), ErrorCode::INVALID_REQUEST),
        (assigned("fine", &[(1, &[node]), (0, &[node])]), ErrorCode::NONE),
    ];
    let connection = server.connect();
    for version in [2, 4, 5, 7] {
        let again = new_topic("doubled");
        let topics = cases.iter().map(|(topic, _)| topic.clone()).chain([again]).collect();
        let results = create(&connection, topics, version).await;
        for (result, (topic, expected)) in results.iter().zip(&cases) {
            assert_eq!((&result.name, result.error_code), (&topic.name, *expected), "{:?}", result.error_message);
            assert_eq!(result.error_message.is_some(), *expected != ErrorCode::NONE);
        }
        assert_eq!((results.len(), store.topics()), (cases.len(), vec!["fine".to_owned(), "t".to_owned()]));
        assert_eq!(store.partition_count("fine").unwrap(), 2);
        store.delete_topic("fine").unwrap();
    }
    let invalid = with_config("t", "no.such.config", Some("1"));
    let replicated = CreatableTopic { replication_factor: 2, ..new_topic("t") };
    for topic in [invalid, replicated, assigned("t", &[(0, &[node + 1])])] {
        let result = create(&connection, vec![topic], 7).await.remove(0);
        assert_eq!(result.error_code, ErrorCode::TOPIC_ALREADY_EXISTS, "that it is there counts first");
    }
}

#[tokio::test]
async fn a_request_that_only_validates_changes_nothing() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let topics = vec![CreatableTopic { num_partitions: 4, ..new_topic("new") }, new_topic("t"), new_topic("a.b")];
    store.create_topic("a_b", TopicConfig::new()).unwrap();
    let request = CreateTopicsRequest { topics, validate_only: true, ..Default::default() };
    let results = connection.send(&request, 7).await.unwrap().topics;
    let codes: Vec<_> = results.iter().map(|result| (result.error_code, result.num_partitions)).collect();
    let refused = [(ErrorCode::TOPIC_ALREADY_EXISTS, -1), (ErrorCode::INVALID_TOPIC_EXCEPTION, -1)];
    assert_eq!(codes, [&[(ErrorCode::NONE, 4)], &refused[..]].concat());
    assert!(results.iter().all(|result| (result.topic_id == Uuid::ZERO) == (result.error_code != ErrorCode::NONE)));

    let topic = |name: &str, count| CreatePartitionsTopic { name: name.into(), count, ..Default::default() };
    let topics = vec![topic("t", 5), topic("a_b", 1)];
    let request = CreatePartitionsRequest { topics, validate_only: true, ..Default::default() };
    let results = connection.send(&request, 3).await.unwrap().results;
    let codes: Vec<_> = results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::INVALID_PARTITIONS]);
    assert_eq!((store.topics(), store.partition_count("t").unwrap()), (vec!["a_b".to_owned(), "t".to_owned()], 2));
}

#[tokio::test]
async fn no_request_makes_more_partitions_than_there_may_be() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let huge = [i32::MAX, 10_000_000, 10_000]
        .map(|num_partitions| vec![CreatableTopic { num_partitions, ..new_topic("huge") }, new_topic("small")]);
    for topics in huge {
        let results = create(&connection, topics, 7).await;
        assert!(results.iter().all(|result| result.error_code == ErrorCode::POLICY_VIOLATION), "{results:?}");
    }
    let topics = vec![CreatePartitionsTopic { name: "t".into(), count: 10_003, ..Default::default() }];
    let response = connection.send(&CreatePartitionsRequest { topics, ..Default::default() }, 3).await.unwrap();
    assert_eq!(response.results[0].error_code, ErrorCode::POLICY_VIOLATION);
    assert_eq!((store.topics(), store.partition_count("t").unwrap()), (vec!["t".to_owned()], 2));
}

#[tokio::test]
async fn partitions_are_added_in_every_version_one_answer_for_each_topic() {
    let (store, server) = serve().await;
    let node = store.node_id();
    store.create_topic("u", TopicConfig::new()).unwrap();
    let mut count = 2;
    for connection in connections(&server).await {
        for version in 0..=3 {
            count += 1;
            let topic = |name: &str, count, assigned: Option<&[i32]>| CreatePartitionsTopic {
                name: name.into(),
                count,
                assignments: assigned
                    .map(|broker_ids| vec![CreatePartitionsAssignment { broker_ids: broker_ids.to_vec() }]),
            };
            let topics = vec![
                topic("t", count, (version % 2 == 0).then_some(&[node])),
                topic("nobody", 2, None),
                topic("__consumer_offsets", 2, None),
                topic("u", 2, Some(&[node + 1])),
                topic("u", 2, None),
            ];
            let request = CreatePartitionsRequest { topics, ..Default::default() };
            let results = connection.send(&request, version).await.unwrap().results;
            let codes: Vec<_> = results.iter().map(|result| (&*result.name, result.error_code)).collect();
            let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            let twice = ("u", ErrorCode::INVALID_REQUEST);
            let expected = [("t", ErrorCode::NONE), ("nobody", unknown), ("__consumer_offsets", unknown), twice];
            assert_eq!(codes, expected);
            assert_eq!(store.partition_count("t").unwrap(), count);
        }
    }
    for (count, assignments, expected) in [
        (1, None, ErrorCode::INVALID_PARTITIONS),
        (0, None, ErrorCode::INVALID_PARTITIONS),
        (2, Some(vec![vec![node + 1]]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (3, Some(vec![vec![node]]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (3, Some(vec![vec![node], vec![node]]), ErrorCode::NONE),
    ] {
        let assignment = |broker_ids| CreatePartitionsAssignment { broker_ids };
        let assignments = assignments.map(|all: Vec<Vec<i32>>| all.into_iter().map(assignment).collect());
        let topics = vec![CreatePartitionsTopic { name: "u".into(), count, assignments }];
        let request = CreatePartitionsRequest { topics, ..Default::default() };
        let response = server.connect().send(&request, 3).await.unwrap();
        assert_eq!(response.results[0].error_code, expected, "{count}");
    }
}

#[tokio::test]
async fn topics_are_deleted_by_name_in_every_version_and_by_id() {
    let (store, server) = serve().await;
    for connection in connections(&server).await {
        for version in 1..=6 {
            let id = store.create_topic("gone", TopicConfig::new()).unwrap();
            let names = ["gone", "nobody", "t", "t"];
            let by_name = |name: &&str| DeleteTopicState { name: Some((*name).into()), ..Default::default() };
            let request = DeleteTopicsRequest {
                topics: if version >= 6 { names.iter().map(by_name).collect() } else { Vec::new() },
                topic_names: if version < 6 { names.map(str::to_owned).to_vec() } else { Vec::new() },
                ..Default::default()
            };
            let responses = connection.send(&request, version).await.unwrap().responses;
            let codes: Vec<_> = responses.iter().map(|topic| (topic.name.as_deref(), topic.error_code)).collect();
            let twice = (Some("t"), ErrorCode::INVALID_REQUEST);
            let unknown = (Some("nobody"), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
            assert_eq!(codes, [(Some("gone"), ErrorCode::NONE), unknown, twice]);
            if version >= 6 {
                assert_eq!(responses[0].topic_id, id);
            }
            assert_eq!(store.topics(), ["t"]);
        }
    }
    let id = store.create_topic("gone", TopicConfig::new()).unwrap();
    let (nil, nobody) = (Uuid::default(), Uuid::from_bytes([9; 16]));
    let state = |name: Option<&str>, topic_id| DeleteTopicState { name: name.map(str::to_owned), topic_id };
    let topics = vec![state(None, id), state(None, nobody), state(None, nil), state(Some("t"), id)];
    let request = DeleteTopicsRequest { topics, ..Default::default() };
    let responses = server.connect().send(&request, 6).await.unwrap().responses;
    let answers: Vec<_> = responses.iter().map(|topic| (topic.name.as_deref(), topic.error_code)).collect();
    let expected = [
        (Some("gone"), ErrorCode::NONE),
        (None, ErrorCode::UNKNOWN_TOPIC_ID),
        (None, ErrorCode::INVALID_REQUEST),
        (Some("t"), ErrorCode::INVALID_REQUEST),
    ];
    assert_eq!((answers, store.topics()), (expected.to_vec(), vec!["t".to_owned()]));
    let id = store.describe_topic("t").unwrap().id;
    let topics = vec![state(Some("t"), nil), state(None, id)];
    let responses =
        server.connect().send(&DeleteTopicsRequest { topics, ..Default::default() }, 6).await.unwrap().responses;
    let codes: Vec<_> = responses.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [ErrorCode::INVALID_REQUEST], "it is named twice");
    assert_eq!(store.topics(), ["t"]);
    let request = DeleteTopicsRequest { topic_names: vec!["__consumer_offsets".into()], ..Default::default() };
    let responses = server.connect().send(&request, 5).await.unwrap().responses;
    assert_eq!(responses[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "it is created when it is needed");
}

#[tokio::test]
async fn topics_may_be_there_to_stay_and_be_asked_for_as_of_a_cluster() {
    let store = Store::temporary().unwrap();
    let config = ServerConfig { delete_topic_enable: false, replication_factor_max: 3, ..ServerConfig::default() };
    let server = Server::builder(store.clone()).config(config).in_memory().unwrap();
    let connection = server.connect();
    let of_three = |name| CreatableTopic { replication_factor: 3, ..new_topic(name) };
    let of_four = CreatableTopic { replication_factor: 4, ..new_topic("four") };
    let created = create(&connection, vec![of_three("t"), of_four], 7).await;
    assert_eq!(
        (created[0].error_code, created[0].replication_factor),
        (ErrorCode::NONE, 1),
        "there is one copy all the same"
    );
    assert_eq!(created[1].error_code, ErrorCode::INVALID_REPLICATION_FACTOR);
    for version in 1..=5 {
        let request = DeleteTopicsRequest { topic_names: vec!["t".into()], ..Default::default() };
        let refused = connection.send(&request, version).await.unwrap().responses;
        let disabled = if version < 3 { ErrorCode::INVALID_REQUEST } else { ErrorCode::TOPIC_DELETION_DISABLED };
        assert_eq!(refused[0].error_code, disabled);
    }
    assert_eq!(store.topics(), ["t"]);
}

/// Names, partitions and the next cursor of one page.
async fn page(
    connection: &Connection,
    topics: &[&str],
    limit: i32,
    cursor: Option<(&str, i32)>,
) -> (Vec<(String, ErrorCode, Vec<i32>)>, Option<(String, i32)>) {
    let request = DescribeTopicPartitionsRequest {
        topics: topics.iter().map(|name| TopicRequest { name: (*name).into() }).collect(),
        response_partition_limit: limit,
        cursor: cursor.map(|(topic_name, partition_index)| Cursor { topic_name: topic_name.into(), partition_index }),
    };
    let response = connection.send(&request, 0).await.unwrap();
    let topics = response.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| partition.partition_index).collect();
        (topic.name.unwrap(), topic.error_code, partitions)
    });
    (topics.collect(), response.next_cursor.map(|cursor| (cursor.topic_name, cursor.partition_index)))
}

#[tokio::test]
async fn a_page_has_no_more_partitions_than_the_broker_allows() {
    let mut config = ServerConfig::default();
    assert!(config.set("max.request.partition.size.limit", "0").is_err());
    config.set("max.request.partition.size.limit", "2").unwrap();
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
    let server = Server::builder(store).config(config).in_memory().unwrap();
    let (topics, next) = page(&server.connect(), &["t"], 100, None).await;
    assert_eq!(topics, [("t".to_owned(), ErrorCode::NONE, vec![0, 1])]);
    assert_eq!(next, Some(("t".to_owned(), 2)));
}

#[tokio::test]
async fn topics_are_described_page_by_page() {
    let (store, server) = serve().await;
    store.create_topic("a", TopicConfig::new().partitions(3)).unwrap();
    let none = ErrorCode::NONE;
    for connection in connections(&server).await {
        // Sorted whatever the order, each once, unknown ones among them.
        let (topics, next) = page(&connection, &["t", "nobody", "a", "t", "no/topic"], 100, None).await;
        let expected = [
            ("a".to_owned(), none, vec![0, 1, 2]),
            ("no/topic".to_owned(), ErrorCode::INVALID_TOPIC_EXCEPTION, vec![]),
            ("nobody".to_owned(), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, vec![]),
            ("t".to_owned(), none, vec![0, 1]),
        ];
        assert_eq!((topics, next), (expected.to_vec(), None));
        // All, in pages of every size.
        for limit in 1..=6 {
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let at = cursor.as_ref().map(|(name, index): &(String, i32)| (&**name, *index));
                let (topics, next) = page(&connection, &[], limit, at).await;
                let partitions = topics.into_iter().flat_map(|(name, _, partitions)| {
                    partitions.into_iter().map(move |index| format!("{name}-{index}"))
                });
                let before = seen.len();
                seen.extend(partitions);
                assert!(seen.len() - before <= limit as usize);
                match next {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
            assert_eq!(seen, ["a-0", "a-1", "a-2", "t-0", "t-1"], "pages of {limit}");
        }
        let (topics, _) = page(&connection, &["t"], 100, Some(("t", -1))).await;
        assert_eq!(topics, [("t".to_owned(), ErrorCode::INVALID_REQUEST, vec![])]);
        let (topics, _) = page(&connection, &["t"], 100, Some(("a", 0))).await;
        assert_eq!(topics, [("t".to_owned(), ErrorCode::INVALID_REQUEST, vec![])]);
    }
    let request = DescribeTopicPartitionsRequest {
        topics: vec![TopicRequest { name: "t".into() }],
        response_partition_limit: 0,
        ..Default::default()
    };
    let response = server.connect().send(&request, 0).await.unwrap();
    let (topic, node) = (&response.topics[0], store.node_id());
    assert_eq!((topic.topic_id, topic.is_internal), (store.describe_topic("t").unwrap().id, false));
    let partition = &topic.partitions[0];
    assert_eq!((topic.partitions.len(), partition.leader_id, &partition.replica_nodes), (1, node, &vec![node]));
    assert_eq!(topic.topic_authorized_operations, 0b1101_1111_1000);
}

#[tokio::test]
async fn a_page_has_an_end_whatever_a_client_says() {
    let store = Store::options().storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    store.create_topic("t", TopicConfig::new().partitions(2001)).unwrap();
    let server = Server::builder(store).in_memory().unwrap();
    let (topics, next) = page(&server.connect(), &["t"], i32::MAX, None).await;
    assert_eq!((topics[0].2.len(), next), (2000, Some(("t".to_owned(), 2000))));
}

/// They were created one after the other, and the list of all topics was read and written for each.
#[cfg(feature = "sim")]
#[tokio::test]
async fn topics_of_one_request_are_created_together_and_refused_each_for_itself() {
    use std::path::Path;

    use esker::io::Storage;
    use esker::sim::{Fault, FaultStorage};

    let disk = FaultStorage::new(1);
    let store = Store::options().storage(Arc::new(disk.clone())).open("/data").unwrap();
    disk.create_dir_all(Path::new("/data/many-7-0")).unwrap();
    disk.set_contents("/data/many-7-0/notes", b"somebody else's").unwrap();
    let server = Server::builder(store.clone()).in_memory().unwrap();
    let connection = server.connect();
    let code_of = |name: &str| match name {
        "many-7" => ErrorCode::TOPIC_ALREADY_EXISTS,
        "a_b" | "no/name" => ErrorCode::INVALID_TOPIC_EXCEPTION,
        "twice" => ErrorCode::INVALID_REQUEST,
        "many-180" => ErrorCode::KAFKA_STORAGE_ERROR,
        _ => ErrorCode::NONE,
    };
    let many: Vec<String> = (0..150).map(|index| format!("many-{index}")).collect();
    let others = ["a.b", "no/name", "a_b", "twice"].map(str::to_owned);
    let names: Vec<String> = others.into_iter().chain(many).collect();
    disk.start_trace();
    let new = names.iter().map(|name| new_topic(name)).chain([new_topic("twice")]).collect();
    let created = create(&connection, new, 7).await;
    let of_list = disk.trace().iter().filter(|line| line.contains("topic-config-checkpoint")).count();
    assert!(of_list < 50, "{of_list} operations");
    assert!(created.iter().map(|topic| &topic.name).eq(&names));
    for topic in created {
        assert_eq!(topic.error_code, code_of(&topic.name), "{}", topic.name);
        let described = store.describe_topic(&topic.name).ok();
        assert_eq!(described.is_some(), topic.error_code == ErrorCode::NONE, "{}", topic.name);
        assert_eq!(described.map_or(Uuid::default(), |described| described.id), topic.topic_id);
    }

    // One that the disk does not take keeps no other from being created.
    let is_failing = |path: &Path| path.to_string_lossy().contains("many-180");
    disk.inject(Fault::io_error().on_mutations().on_paths(is_failing));
    let names: Vec<String> = (150..200).map(|index| format!("many-{index}")).collect();
    for topic in create(&connection, names.iter().map(|name| new_topic(name)).collect(), 7).await {
        assert_eq!(topic.error_code, code_of(&topic.name), "{}", topic.name);
    }
    let topics = store.topics();
    store.close().unwrap();
    disk.clear_faults();
    let store = Store::options().storage(Arc::new(disk.clone())).open("/data").unwrap();
    assert_eq!(store.topics(), topics);
    store.create_topic("many-180", TopicConfig::new()).unwrap();
}

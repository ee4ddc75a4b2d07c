//! What clients are told of what can't be done: what a broker of Kafka 4.3 says, which is what people look for.

use esker::net::messages::create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic};
use esker::net::messages::create_topics::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
use esker::net::messages::delete_topics::DeleteTopicState;
use esker::net::messages::describe_client_quotas::ComponentData;
use esker::net::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeClientQuotasRequest,
    DescribeClusterRequest, DescribeConfigsRequest,
};
use esker::net::{Connection, ErrorCode};
use esker::{TopicConfig, Uuid};

use super::configs::{APPEND, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, SET, SUBTRACT, TOPIC, alter, resource};
use super::serve;

fn new_topic(name: &str) -> CreatableTopic {
    CreatableTopic { name: name.into(), num_partitions: -1, replication_factor: -1, ..Default::default() }
}

fn with_config(name: &str, value: Option<&str>) -> CreatableTopic {
    let configs = vec![CreatableTopicConfig { name: name.into(), value: value.map(str::to_owned) }];
    CreatableTopic { configs, ..new_topic("new") }
}

async fn told_of_new(connection: &Connection, topic: CreatableTopic) -> String {
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    connection.send(&request, 7).await.unwrap().topics.remove(0).error_message.unwrap()
}

#[tokio::test]
async fn of_topics_that_can_not_be_created() {
    let (store, server) = serve().await;
    store.create_topic("a.b", TopicConfig::new()).unwrap();
    let (connection, long) = (server.connect(), "x".repeat(250));
    let assigned = |index, broker_ids: &[i32]| {
        let assignment = CreatableReplicaAssignment { partition_index: index, broker_ids: broker_ids.to_vec() };
        CreatableTopic { assignments: vec![assignment], ..new_topic("new") }
    };
    let node = store.node_id();
    for (topic, expected) in [
        (new_topic("t"), "Topic 't' already exists."),
        (new_topic("a_b"), "Topic 'a_b' collides with existing topic: a.b"),
        (new_topic(""), "Topic name is invalid: the empty string is not allowed"),
        (new_topic(".."), "Topic name is invalid: '..' is not allowed"),
        (
            new_topic("a/b"),
            "Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
        ),
        (
            new_topic(&long),
            &*format!("Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"),
        ),
        (
            CreatableTopic { num_partitions: 0, ..new_topic("new") },
            "Number of partitions was set to an invalid non-positive value.",
        ),
        (
            CreatableTopic { num_partitions: 10_001, ..new_topic("new") },
            "Excessively large number of partitions per request.",
        ),
        (
            CreatableTopic { replication_factor: 0, ..new_topic("new") },
            "Replication factor must be larger than 0, or -1 to use the default value.",
        ),
        (assigned(1, &[node]), "partitions should be a consecutive 0-based integer sequence"),
        (assigned(0, &[]), "The manual partition assignment includes an empty replica list."),
        (
            assigned(0, &[node + 1]),
            &*format!(
                "The manual partition assignment includes broker {}, but no such broker is registered.",
                node + 1
            ),
        ),
        (
            assigned(0, &[node, node]),
            &*format!("The manual partition assignment includes the broker {node} more than once."),
        ),
        (with_config("retention.ms", None), "Null value not supported for topic configs: retention.ms"),
        (new_topic("__cluster_metadata"), "Creation of internal topic __cluster_metadata is prohibited."),
        (
            CreatableTopic { replication_factor: 2, ..new_topic("new") },
            "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only \
             1 broker(s) are registered or some brokers have all their log directories cordoned.",
        ),
        // Several things are wrong: the name counts before configs, and these before how many partitions there are.
        (
            CreatableTopic { num_partitions: 0, ..new_topic("") },
            "Topic name is invalid: the empty string is not allowed",
        ),
        (
            CreatableTopic { num_partitions: 0, ..with_config("no.such", Some("1")) },
            "Unknown topic config name: no.such",
        ),
        (
            CreatableTopic {
                configs: [("retention.ms", Some("soon")), ("retention.bytes", None), ("no.such", None)]
                    .map(|(name, value)| with_config(name, value).configs.remove(0))
                    .into(),
                ..new_topic("new")
            },
            "Null value not supported for topic configs: retention.bytes,no.such",
        ),
    ] {
        assert_eq!(told_of_new(&connection, topic).await, expected);
    }
    let request = CreateTopicsRequest { topics: vec![new_topic("__cluster_metadata")], ..Default::default() };
    let refused = connection.send(&request, 7).await.unwrap().topics.remove(0);
    assert_eq!(refused.error_code, ErrorCode::INVALID_REQUEST);
}

#[tokio::test]
async fn of_values_that_a_topics_configs_can_not_have() {
    let (_store, server) = serve().await;
    let connection = server.connect();
    for (name, value, expected) in [
        ("no.such", "1", "Unknown topic config name: no.such"),
        ("retention.ms", "soon", "Invalid value soon for configuration retention.ms: Not a number of type LONG"),
        ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        ("segment.bytes", "1", "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576"),
        ("segment.bytes", "1.5", "Invalid value 1.5 for configuration segment.bytes: Not a number of type INT"),
        (
            "remote.storage.enable",
            "true",
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
        ),
        (
            "compression.gzip.level",
            "0",
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
        ),
        (
            "compression.zstd.level",
            "23",
            "Invalid value 23 for configuration compression.zstd.level: Value must be no more than 22",
        ),
        (
            "min.cleanable.dirty.ratio",
            "2",
            "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        (
            "preallocate",
            "yes",
            "Invalid value yes for configuration preallocate: Expected value to be either true or false",
        ),
        (
            "cleanup.policy",
            "delete,none",
            "Invalid value none for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (
            "compression.type",
            "zip",
            "Invalid value zip for configuration compression.type: String must be one of: uncompressed, zstd, lz4, \
             snappy, gzip, producer",
        ),
        (
            "message.timestamp.type",
            "createtime",
            "Invalid value createtime for configuration message.timestamp.type: String must be one of: CreateTime, \
             LogAppendTime",
        ),
    ] {
        assert_eq!(told_of_new(&connection, with_config(name, Some(value))).await, expected);
        let (code, message) = alter(&connection, (TOPIC, "t"), &[(name, SET, Some(value))], 1).await;
        assert_eq!((code, message.as_deref()), (ErrorCode::INVALID_CONFIG, Some(expected)));
    }
    // Each is one of its values, and the two contradict each other: these words are not Kafka's.
    let lags = [("min.compaction.lag.ms", SET, Some("10")), ("max.compaction.lag.ms", SET, Some("5"))];
    let (_, message) = alter(&connection, (TOPIC, "t"), &lags, 1).await;
    assert!(message.is_some_and(|message| message.contains("at least min.compaction.lag.ms = 10")));
}

#[tokio::test]
async fn of_configs_that_can_not_be_altered() {
    let (_store, server) = serve().await;
    let connection = server.connect();
    for (altered, change, expected) in [
        ((TOPIC, "nobody"), ("retention.ms", SET, Some("5")), "The topic 'nobody' does not exist."),
        ((TOPIC, ""), ("retention.ms", SET, Some("5")), "Default topic resources are not allowed."),
        ((TOPIC, "t"), ("retention.ms", SET, None), "Null value not supported for : retention.ms"),
        ((TOPIC, "t"), ("no.such", APPEND, Some("1")), "Can't APPEND to key no.such because its type is not LIST."),
        (
            (TOPIC, "t"),
            ("retention.ms", SUBTRACT, Some("1")),
            "Can't SUBTRACT to key retention.ms because its type is not LIST.",
        ),
        ((GROUP, "g"), ("no.such", SET, Some("1")), "Unknown group config name: no.such"),
        (
            (GROUP, "g"),
            ("consumer.session.timeout.ms", SET, Some("0")),
            "Invalid value 0 for configuration consumer.session.timeout.ms: Value must be at least 1",
        ),
    ] {
        let (_, message) = alter(&connection, altered, &[change], 1).await;
        assert_eq!(message.as_deref(), Some(expected));
    }
    for (name, expected) in [
        ("t", (ErrorCode::NONE, "")),
        ("nobody", (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "")),
        ("..", (ErrorCode::INVALID_TOPIC_EXCEPTION, "Topic name is invalid: '..' is not allowed")),
    ] {
        let request = DescribeConfigsRequest { resources: vec![resource(TOPIC, name, None)], ..Default::default() };
        let result = connection.send(&request, 4).await.unwrap().results.remove(0);
        assert_eq!((result.error_code, result.error_message.as_deref()), (expected.0, Some(expected.1)), "{name}");
    }
}

#[tokio::test]
async fn of_partitions_that_can_not_be_added_and_topics_that_can_not_be_deleted() {
    let (store, server) = serve().await;
    let connection = server.connect();
    let topic = |name: &str, count| CreatePartitionsTopic { name: name.into(), count, ..Default::default() };
    let assignments = Some(vec![CreatePartitionsAssignment { broker_ids: vec![store.node_id()] }]);
    for (topic, expected) in [
        (topic("t", 1), Some("The topic t currently has 2 partition(s); 1 would not be an increase.")),
        (topic("t", 2), Some("Topic already has 2 partition(s).")),
        (topic("nobody", 3), None),
        (
            CreatePartitionsTopic { assignments, ..topic("t", 4) },
            Some("Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."),
        ),
    ] {
        let request = CreatePartitionsRequest { topics: vec![topic], ..Default::default() };
        let result = connection.send(&request, 3).await.unwrap().results.remove(0);
        assert_eq!(result.error_message.as_deref(), expected);
    }
    let nobody = Uuid::from_bytes([7; 16]);
    for (name, topic_id, times, expected) in [
        (Some("nobody"), Uuid::ZERO, 1, "This server does not host this topic-partition."),
        (Some("nobody"), Uuid::ZERO, 2, "Duplicate topic name."),
        (None, nobody, 2, "Duplicate topic id."),
        // How it is named counts before how often.
        (Some("t"), nobody, 2, "You may not specify both topic name and topic id."),
        (None, Uuid::ZERO, 2, "Neither topic name nor id were specified."),
    ] {
        let topic = DeleteTopicState { name: name.map(str::to_owned), topic_id };
        let request = DeleteTopicsRequest { topics: vec![topic; times], ..Default::default() };
        let deleted = connection.send(&request, 6).await.unwrap().responses.remove(0);
        assert_eq!(deleted.error_message.as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn of_nodes_and_what_else_is_not_here() {
    let (store, server) = serve().await;
    let (connection, node) = (server.connect(), store.node_id());
    let (this, other) = (node.to_string(), (node + 1).to_string());
    for (of, change, expected) in [
        ((BROKER, &*this), ("broker.id", SET), "Cannot update these configs dynamically: [broker.id]"),
        ((BROKER, ""), ("broker.id", SET), "Cannot update these configs dynamically: [broker.id]"),
        (
            (BROKER, &*other),
            ("broker.id", SET),
            &*format!("Unexpected broker id, expected {node}, but received {other}"),
        ),
        ((BROKER, "x"), ("broker.id", SET), "Node id must be an integer, but it is: x"),
        (
            (BROKER_LOGGER, &*other),
            ("root", SET),
            &*format!("Unexpected node id. Expected {node}, but received {other}"),
        ),
        ((BROKER_LOGGER, ""), ("root", SET), "Node id must be an integer, but it is: "),
        ((BROKER_LOGGER, &*this), ("root", SET), "Logger root does not exist!"),
        ((BROKER_LOGGER, &*this), ("root", APPEND), "APPEND operation is not allowed for the BROKER_LOGGER resource"),
        (
            (BROKER_LOGGER, &*this),
            ("root", 9),
            "Unknown operation type 9 is not allowed for the BROKER_LOGGER resource",
        ),
    ] {
        let (_, message) = alter(&connection, of, &[(change.0, change.1, Some("7"))], 1).await;
        assert_eq!(message.as_deref(), Some(expected));
    }
    for ((resource_type, name), expected) in [
        ((BROKER, &*other), &*format!("Unexpected broker id, expected {node} or empty string, but received {other}")),
        ((BROKER, "x"), "Broker id must be an integer, but it is: x"),
        ((BROKER_LOGGER, &*other), &*format!("Unexpected broker id, expected {node} but received {other}")),
        ((BROKER_LOGGER, ""), "Broker id must not be empty"),
        ((CLIENT_METRICS, ""), "Client metrics subscription name must not be empty"),
        ((GROUP, ""), "Group name must not be empty"),
    ] {
        let resources = vec![resource(resource_type, name, None)];
        let request = DescribeConfigsRequest { resources, ..Default::default() };
        let result = connection.send(&request, 4).await.unwrap().results.remove(0);
        let expected = (ErrorCode::INVALID_REQUEST, Some(expected));
        assert_eq!((result.error_code, result.error_message.as_deref()), expected, "{name}");
    }
    for (endpoint_type, expected) in [
        (2, "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"),
        (9, "Unsupported endpoint type 9"),
    ] {
        let request = DescribeClusterRequest { endpoint_type, ..Default::default() };
        assert_eq!(connection.send(&request, 1).await.unwrap().error_message.as_deref(), Some(expected));
    }
    let exact = |entity_type: &'static str, name: Option<&'static str>| (entity_type, 0, name);
    for (components, expected) in [
        (&[][..], ""),
        (&[exact("user", Some("a"))], ""),
        (&[exact("", Some("a"))], "Invalid empty entity type."),
        (&[exact("nobody", Some("a"))], "Unsupported entity type nobody"),
        (&[exact("user", Some("a")); 2], "Entity type user cannot appear more than once in the filter."),
        (&[exact("user", None)], "Request specified MATCH_TYPE_EXACT, but set match string to null."),
        (&[("user", 1, Some("a"))], "Request specified MATCH_TYPE_DEFAULT, but also specified a match string."),
        (&[("user", 2, Some("a"))], "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string."),
        (&[("user", 9, None)], "Unknown match type 9"),
        (
            &[exact("user", Some("a")), exact("ip", Some("127.0.0.1"))],
            "Invalid entity filter component combination. IP filter component should not be used with user or clientId \
             filter component.",
        ),
    ] {
        let component = |(entity_type, match_type, name): &(&str, i8, Option<&str>)| ComponentData {
            entity_type: (*entity_type).to_owned(),
            match_type: *match_type,
            r#match: name.map(str::to_owned),
        };
        let components = components.iter().map(component).collect();
        let request = DescribeClientQuotasRequest { components, ..Default::default() };
        assert_eq!(connection.send(&request, 1).await.unwrap().error_message.as_deref(), Some(expected));
    }
}

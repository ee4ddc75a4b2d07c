//! Topics: made, changed, asked for and removed as nobody would. Leaves those that the other areas work with.

use esker::Uuid;
use esker::net::messages::create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic};
use esker::net::messages::create_topics::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
use esker::net::messages::delete_topics::DeleteTopicState;
use esker::net::messages::describe_topic_partitions::{Cursor, TopicRequest};
use esker::net::messages::metadata::MetadataRequestTopic;
use esker::net::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest,
    DescribeTopicPartitionsRequest, MetadataRequest,
};

use crate::{Anything, Brokers};

const TIMEOUT_MS: i32 = 30_000;
/// An id that no topic has.
const NOBODY: Uuid = Uuid::from_bytes([3; 16]);

pub(super) async fn compare(brokers: &mut Brokers) -> Result<(), Anything> {
    create(brokers).await?;
    ask_for(brokers).await?;
    change(brokers).await?;
    delete(brokers).await
}

fn topic(name: &str) -> CreatableTopic {
    CreatableTopic { name: name.to_owned(), num_partitions: 2, replication_factor: 1, ..Default::default() }
}

fn with_config(name: &str, key: &str, value: Option<&str>) -> CreatableTopic {
    let config = CreatableTopicConfig { name: key.to_owned(), value: value.map(str::to_owned) };
    CreatableTopic { configs: vec![config], ..topic(name) }
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignment = |(partition_index, broker_ids): &(i32, &[i32])| CreatableReplicaAssignment {
        partition_index: *partition_index,
        broker_ids: broker_ids.to_vec(),
    };
    let assignments = assignments.iter().map(assignment).collect();
    CreatableTopic { num_partitions: -1, replication_factor: -1, assignments, ..topic(name) }
}

async fn create(brokers: &mut Brokers) -> Result<(), Anything> {
    let create = |topic: CreatableTopic, validate_only| CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: TIMEOUT_MS,
        validate_only,
    };
    let compacted = with_config("compacted", "cleanup.policy", Some("compact"));
    let small = with_config("small", "max.message.bytes", Some("200"));
    for wanted in [topic("t"), compacted, small] {
        let name = wanted.name.clone();
        brokers.ask("a topic", &create(wanted, false), &[4]).await?;
        brokers.wait_for_topic(&name).await?;
    }
    for odd in [
        topic("t"),
        topic(""),
        topic("."),
        topic("a b"),
        topic(&"x".repeat(250)),
        CreatableTopic { num_partitions: 0, ..topic("none") },
        CreatableTopic { num_partitions: -5, ..topic("minus") },
        CreatableTopic { replication_factor: 0, ..topic("no-copy") },
        CreatableTopic { replication_factor: -2, ..topic("minus-copies") },
        CreatableTopic { replication_factor: 2, ..topic("two") },
        with_config("null", "retention.ms", None),
        with_config("unknown", "no.such.config", Some("1")),
        with_config("unnamed", "", Some("1")),
        with_config("soon", "retention.ms", Some("soon")),
        with_config("tiny", "segment.bytes", Some("1")),
        with_config("sometimes", "cleanup.policy", Some("sometimes")),
        with_config("zip", "compression.type", Some("zip")),
        with_config("tiered", "remote.storage.enable", Some("true")),
        assigned("elsewhere", &[(0, &[99])]),
        assigned("nowhere", &[(0, &[])]),
        assigned("gap", &[(7, &[1])]),
        assigned("below", &[(-1, &[1])]),
        CreatableTopic { num_partitions: 1, ..assigned("both", &[(0, &[1])]) },
    ] {
        for validate_only in [true, false] {
            let what = format!("{:?} {:?} {:?}", odd.name, odd.configs, odd.assignments);
            brokers.ask(&what, &create(odd.clone(), validate_only), &[4, 7]).await?;
        }
    }
    brokers.ask("none", &CreateTopicsRequest { timeout_ms: TIMEOUT_MS, ..Default::default() }, &[4, 7]).await
}

async fn ask_for(brokers: &mut Brokers) -> Result<(), Anything> {
    let metadata = |name: Option<&str>, topic_id| MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { name: name.map(str::to_owned), topic_id }]),
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    for (name, id, versions) in [
        (Some("t"), Uuid::ZERO, &[4, 9, 12][..]),
        (Some("nobody"), Uuid::ZERO, &[4, 9, 12]),
        (Some("a/b"), Uuid::ZERO, &[4, 9, 12]),
        (Some(""), Uuid::ZERO, &[9]),
        (None, Uuid::ZERO, &[10, 11]),
        (Some("t"), NOBODY, &[10, 12]),
        (None, NOBODY, &[12]),
    ] {
        brokers.ask(&format!("{name:?} {id}"), &metadata(name, id), versions).await?;
    }
    let page = |name: &str, response_partition_limit, cursor: Option<(&str, i32)>| DescribeTopicPartitionsRequest {
        topics: vec![TopicRequest { name: name.to_owned() }],
        response_partition_limit,
        cursor: cursor.map(|(topic, partition_index)| Cursor { topic_name: topic.to_owned(), partition_index }),
    };
    for odd in [
        page("nobody", 10, None),
        page("a/b", 10, None),
        page("t", 0, None),
        page("t", -1, None),
        page("t", 10, Some(("t", 9))),
        page("t", 10, Some(("t", -1))),
        page("t", 10, Some(("nobody", 0))),
    ] {
        brokers.ask(&format!("{odd:?}"), &odd, &[0]).await?;
    }
    for endpoint_type in [0, 1, 2, 9] {
        let request = DescribeClusterRequest { endpoint_type, ..Default::default() };
        brokers.ask(&format!("endpoints of type {endpoint_type}"), &request, &[1, 2]).await?;
    }
    Ok(())
}

async fn change(brokers: &mut Brokers) -> Result<(), Anything> {
    for (name, count, assignments) in [
        ("t", 2, None),
        ("t", 1, None),
        ("t", -1, None),
        ("nobody", 3, None),
        ("a/b", 3, None),
        ("t", 4, Some(vec![vec![1]])),
        ("t", 3, Some(vec![vec![]])),
        ("t", 3, Some(vec![vec![99]])),
        ("t", 3, Some(Vec::new())),
    ] {
        let what = format!("{name} {count} {assignments:?}");
        let assignment = |broker_ids| CreatePartitionsAssignment { broker_ids };
        let assignments = assignments.map(|all: Vec<Vec<i32>>| all.into_iter().map(assignment).collect());
        let topics = vec![CreatePartitionsTopic { name: name.to_owned(), count, assignments }];
        let request = CreatePartitionsRequest { topics, timeout_ms: TIMEOUT_MS, validate_only: true };
        brokers.ask(&what, &request, &[1, 3]).await?;
    }
    Ok(())
}

async fn delete(brokers: &mut Brokers) -> Result<(), Anything> {
    for (name, topic_id) in [
        (Some("nobody"), Uuid::ZERO),
        (Some("a/b"), Uuid::ZERO),
        (Some("t"), NOBODY),
        (None, Uuid::ZERO),
        (None, NOBODY),
    ] {
        let topics = vec![DeleteTopicState { name: name.map(str::to_owned), topic_id }];
        let request = DeleteTopicsRequest { topics, timeout_ms: TIMEOUT_MS, ..Default::default() };
        brokers.ask(&format!("{name:?} {topic_id}"), &request, &[6]).await?;
    }
    Ok(())
}

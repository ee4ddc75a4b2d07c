//! Topics of a cluster: made, changed, described and deleted.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use esker::net::messages::create_partitions::CreatePartitionsTopic;
use esker::net::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use esker::net::messages::describe_log_dirs::DescribableLogDirTopic;
use esker::net::messages::metadata::MetadataResponseTopic;
use esker::net::messages::{CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeLogDirsRequest};
use esker::net::{ConfigResourceType, ErrorCode};
use esker::{Error, TopicPartition};

use super::cluster::Cluster;
use super::offsets::by_topic;
use super::trouble::Trouble;
use super::wire::REQUEST_TIMEOUT_MS;
use crate::failure::{Failure, Result};
use crate::source::{Partition, Span, Summary, Topic};

/// Stands for what the brokers say that a topic has if nobody says anything.
const BROKERS_DEFAULT: i16 = -1;
/// For how long a topic that was made is waited for until it can be used.
const CREATION_WAIT: Duration = Duration::from_secs(10);
const CREATION_POLL: Duration = Duration::from_millis(20);

const CREATE_TOPICS_VERSION: i16 = 7;
const CREATE_PARTITIONS_VERSION: i16 = 3;
/// Topics by name.
const DELETE_TOPICS_VERSION: i16 = 5;
const DESCRIBE_LOG_DIRS_VERSION: i16 = 4;

impl Cluster {
    pub(super) fn topic_summaries(&mut self) -> Result<Vec<Summary>> {
        let topics = self.retry(Self::all_topics)?;
        let summary = |topic: MetadataResponseTopic| Summary {
            topic: topic.name.unwrap_or_default(),
            id: topic.topic_id.to_string(),
            partitions: topic.partitions.len(),
            internal: topic.is_internal,
        };
        Ok(topics.into_iter().map(summary).collect())
    }

    pub(super) fn count_partitions(&mut self, topic: &str) -> Result<i32> {
        self.retry(|cluster| match cluster.topic(topic) {
            Ok(found) => Ok(found.partitions.len() as i32),
            Err(Trouble::Refused { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. }) => {
                Err(Trouble::Final(Failure::no_topic(topic)))
            }
            Err(trouble) => Err(trouble),
        })
    }

    pub(super) fn create(&mut self, name: &str, partitions: i32, configs: &[(String, String)]) -> Result<String> {
        let config =
            |(name, value): &(String, String)| CreatableTopicConfig { name: name.clone(), value: Some(value.clone()) };
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: partitions,
            replication_factor: BROKERS_DEFAULT,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: REQUEST_TIMEOUT_MS, validate_only: false };
        let controller = self.controller()?;
        let response = self.wire.ask(&controller, &request, CREATE_TOPICS_VERSION)?;
        let created = response.topics.into_iter().next().ok_or_else(nothing)?;
        match created.error_code {
            ErrorCode::NONE => {}
            ErrorCode::TOPIC_ALREADY_EXISTS => {
                return Err(Error::TopicAlreadyExists { topic: name.to_owned() }.into());
            }
            ErrorCode::INVALID_PARTITIONS => return Err(Error::InvalidPartitions { partitions, at_least: 1 }.into()),
            code => return Err(Trouble::refused(code, created.error_message, name).into()),
        }
        self.wait_for(name);
        Ok(created.topic_id.to_string())
    }

    /// Waits until a topic that was made can be used by whoever comes next: brokers hear of it one by one.
    fn wait_for(&mut self, name: &str) {
        let deadline = Instant::now() + CREATION_WAIT;
        let has_leaders = |topic: &MetadataResponseTopic| topic.partitions.iter().all(|at| at.leader_id >= 0);
        // One that is not there yet will be: it has been made.
        while !self.topic(name).is_ok_and(has_leaders) && Instant::now() < deadline {
            std::thread::sleep(CREATION_POLL);
        }
    }

    pub(super) fn add_partitions(&mut self, name: &str, total: i32) -> Result {
        let topic = CreatePartitionsTopic { name: name.to_owned(), count: total, assignments: None };
        let request =
            CreatePartitionsRequest { topics: vec![topic], timeout_ms: REQUEST_TIMEOUT_MS, validate_only: false };
        let controller = self.controller()?;
        let response = self.wire.ask(&controller, &request, CREATE_PARTITIONS_VERSION)?;
        let result = response.results.into_iter().next().ok_or_else(nothing)?;
        if result.error_code == ErrorCode::INVALID_PARTITIONS {
            let at_least = self.count_partitions(name)?.saturating_add(1);
            return Err(Error::InvalidPartitions { partitions: total, at_least }.into());
        }
        check(result.error_code, result.error_message, name)
    }

    pub(super) fn delete(&mut self, name: &str) -> Result {
        let topic_names = vec![name.to_owned()];
        let request = DeleteTopicsRequest { topic_names, timeout_ms: REQUEST_TIMEOUT_MS, ..Default::default() };
        let controller = self.controller()?;
        let response = self.wire.ask(&controller, &request, DELETE_TOPICS_VERSION)?;
        let result = response.responses.into_iter().next().ok_or_else(nothing)?;
        check(result.error_code, result.error_message, name)
    }

    /// Those of these topics that exist.
    pub(super) fn described(&mut self, names: &[String]) -> Result<Vec<Topic>> {
        self.retry(|cluster| cluster.try_describe(names))
    }

    fn try_describe(&mut self, names: &[String]) -> Result<Vec<Topic>, Trouble> {
        let mut topics = Vec::new();
        for name in names {
            match self.topic(name) {
                Err(Trouble::Refused { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. }) => {}
                found => topics.push(found?.clone()),
            }
        }
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<_> = topics.iter().filter_map(|topic| topic.name.clone()).collect();
        // Those that nobody leads are described all the same.
        let partitions: Vec<_> = topics.iter().flat_map(led_partitions).collect();
        let spans = self.try_spans_of(&partitions)?;
        let ends = self.try_log_ends(&partitions)?;
        let sizes = self.sizes(&partitions)?;
        let mut configs = self.configs(ConfigResourceType::Topic, &names).map_err(Trouble::if_outdated)?;
        let at: HashMap<_, _> = partitions.into_iter().zip(spans.into_iter().zip(ends)).collect();
        let describe = |topic: &MetadataResponseTopic| {
            let name = topic.name.clone().unwrap_or_default();
            let mut indexes: Vec<_> = topic.partitions.iter().collect();
            indexes.sort_by_key(|at| at.partition_index);
            let partition = |found: &esker::net::messages::metadata::MetadataResponsePartition| {
                let key = TopicPartition::new(&*name, found.partition_index);
                let unknown = (Span { log_start: -1, high_watermark: -1 }, -1);
                let (span, log_end) = at.get(&key).copied().unwrap_or(unknown);
                Partition {
                    partition: found.partition_index,
                    leader: found.leader_id,
                    replicas: found.replica_nodes.clone(),
                    in_sync_replicas: found.isr_nodes.clone(),
                    log_start: span.log_start,
                    high_watermark: span.high_watermark,
                    log_end,
                    size_in_bytes: sizes.get(&key).copied().unwrap_or(0),
                }
            };
            Topic {
                id: topic.topic_id.to_string(),
                internal: topic.is_internal,
                partitions: indexes.into_iter().map(partition).collect(),
                configs: configs.remove(&name).unwrap_or_default(),
                topic: name,
            }
        };
        Ok(topics.iter().map(describe).collect())
    }

    /// How many bytes of log the leaders of partitions have.
    fn sizes(&mut self, partitions: &[TopicPartition]) -> Result<HashMap<TopicPartition, u64>, Trouble> {
        let mut requests = Vec::new();
        for (leader, led) in self.by_leader(partitions.iter().cloned())? {
            let topic = |(topic, partitions)| DescribableLogDirTopic { topic, partitions };
            let topics = Some(by_topic(&led).into_iter().map(topic).collect());
            requests.push((self.broker(leader)?, DescribeLogDirsRequest { topics }));
        }
        let mut sizes = HashMap::new();
        for response in self.wire.ask_all(requests, DESCRIBE_LOG_DIRS_VERSION, Duration::ZERO) {
            let of_topics = response?.results.into_iter().flat_map(|dir| dir.topics);
            for topic in of_topics {
                // A future log is a copy on its way to another disk.
                for at in topic.partitions.iter().filter(|at| !at.is_future_key) {
                    let partition = TopicPartition::new(&*topic.name, at.partition_index);
                    sizes.insert(partition, u64::try_from(at.partition_size).unwrap_or(0));
                }
            }
        }
        Ok(sizes)
    }
}

fn led_partitions(topic: &MetadataResponseTopic) -> Vec<TopicPartition> {
    let name = topic.name.as_deref().unwrap_or_default();
    let led = topic.partitions.iter().filter(|at| at.leader_id >= 0);
    led.map(|at| TopicPartition::new(name, at.partition_index)).collect()
}

pub(super) fn check(code: ErrorCode, message: Option<String>, name: &str) -> Result {
    match code {
        ErrorCode::NONE => Ok(()),
        code => Err(Trouble::refused(code, message, name).into()),
    }
}

/// A response has something for each thing that was asked.
pub(super) fn nothing() -> Failure {
    Failure::new("the broker answered nothing of what it was asked")
}

//! `esker topic describe`: a topic and its partitions, or its configs and where each comes from.

use std::fmt::Write;

use esker::{ConfigEntry, ConfigSource, PartitionDescription, TopicDescription};
use serde::Serialize;

use crate::context::{Context, Table};
use crate::data_dir::{self, ReadOnly};
use crate::failure::Result;

/// Describe a topic, or all of them
///
/// JSON, an object for each topic: topic, id, internal, partitions (partition, leader, replicas, in_sync_replicas,
/// log_start, high_watermark, log_end, size_in_bytes), configs (name, value, source, type, synonyms, documentation). The
/// source is DYNAMIC_TOPIC_CONFIG for what the topic sets, STATIC_BROKER_CONFIG for what the store sets, and
/// DEFAULT_CONFIG for the rest.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topic; all of them if left out
    name: Option<String>,
    /// Show all configs instead, with their values and where these come from
    #[arg(long, conflicts_with = "offsets")]
    configs: bool,
    /// Show the offsets and sizes of the partitions instead
    #[arg(long)]
    offsets: bool,
    #[command(flatten)]
    read_only: ReadOnly,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result {
    let store = data_dir::open_to_read(context, &args.read_only)?;
    let names = match &args.name {
        Some(name) => {
            data_dir::partition_count(&store, name)?;
            vec![name.clone()]
        }
        None => store.topics(),
    };
    let (mut topics, mut rows) = (Vec::new(), Vec::new());
    for name in names {
        let (topic, configs) = (store.describe_topic(&name)?, store.describe_topic_configs(&name)?);
        rows.push(Row::new(&topic, &configs));
        topics.push(topic);
    }
    store.close()?;
    context.print(&rows, |rows| match (args.configs, args.offsets) {
        (true, _) => configs(rows),
        (_, true) => offsets(rows),
        _ => topics.iter().map(as_kafka_does).collect(),
    })
}

/// A topic in the format of Kafka's `TopicCommand`, as of 4.1. There are no eligible leader replicas (KIP-966): the
/// one replica is in sync.
fn as_kafka_does(topic: &TopicDescription) -> String {
    let joined = |nodes: &[i32]| nodes.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
    let configs: Vec<_> = topic.config.overrides().iter().map(|(key, value)| format!("{key}={value}")).collect();
    let replication_factor = topic.partitions.iter().map(|partition| partition.replicas.len()).max().unwrap_or(0);
    let mut text = format!(
        "Topic: {}\tTopicId: {}\tPartitionCount: {}\tReplicationFactor: {replication_factor}\tConfigs: {}\n",
        topic.name,
        topic.id,
        topic.partitions.len(),
        configs.join(","),
    );
    for partition in &topic.partitions {
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "\tTopic: {}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}\tElr: \tLastKnownElr: ",
            topic.name,
            partition.partition,
            partition.leader,
            joined(&partition.replicas),
            joined(&partition.in_sync_replicas),
        );
    }
    text
}

fn configs(rows: &[Row]) -> String {
    let mut table = Table::new(["TOPIC", "CONFIG", "VALUE", "SOURCE"]);
    for row in rows {
        for config in &row.configs {
            table.push([row.topic.clone(), config.name.to_owned(), config.value.clone(), config.source.to_owned()]);
        }
    }
    table.to_string()
}

fn offsets(rows: &[Row]) -> String {
    let mut table = Table::new(["TOPIC", "PARTITION", "LOG-START", "HIGH-WATERMARK", "LOG-END", "BYTES"]);
    for row in rows {
        for at in &row.partitions {
            let numbers = [at.log_start, at.high_watermark, at.log_end].map(|offset| offset.to_string());
            let [start, high_watermark, end] = numbers;
            let (partition, bytes) = (at.partition.to_string(), at.size_in_bytes.to_string());
            table.push([row.topic.clone(), partition, start, high_watermark, end, bytes]);
        }
    }
    table.to_string()
}

#[derive(Debug, Serialize)]
struct Row {
    topic: String,
    id: String,
    internal: bool,
    partitions: Vec<Partition>,
    configs: Vec<Config>,
}

#[derive(Debug, Serialize)]
struct Partition {
    partition: i32,
    leader: i32,
    replicas: Vec<i32>,
    in_sync_replicas: Vec<i32>,
    log_start: i64,
    high_watermark: i64,
    log_end: i64,
    size_in_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Config {
    name: &'static str,
    value: String,
    source: &'static str,
    r#type: String,
    synonyms: Vec<Synonym>,
    documentation: &'static str,
}

#[derive(Debug, Serialize)]
struct Synonym {
    name: &'static str,
    value: String,
    source: &'static str,
}

impl Row {
    fn new(topic: &TopicDescription, configs: &[ConfigEntry]) -> Self {
        Self {
            topic: topic.name.clone(),
            id: topic.id.to_string(),
            internal: topic.is_internal,
            partitions: topic.partitions.iter().map(Partition::from).collect(),
            configs: configs.iter().map(Config::from).collect(),
        }
    }
}

impl From<&PartitionDescription> for Partition {
    fn from(from: &PartitionDescription) -> Self {
        Self {
            partition: from.partition,
            leader: from.leader,
            replicas: from.replicas.clone(),
            in_sync_replicas: from.in_sync_replicas.clone(),
            log_start: from.log_start,
            high_watermark: from.high_watermark,
            log_end: from.log_end,
            size_in_bytes: from.size_in_bytes,
        }
    }
}

impl From<&ConfigEntry> for Config {
    fn from(from: &ConfigEntry) -> Self {
        let synonym = |from: &esker::ConfigSynonym| Synonym {
            name: from.name,
            value: from.value.clone(),
            source: source(from.source),
        };
        Self {
            name: from.name,
            value: from.value.clone(),
            source: source(from.source),
            r#type: format!("{:?}", from.config_type).to_uppercase(),
            synonyms: from.synonyms.iter().map(synonym).collect(),
            documentation: from.documentation,
        }
    }
}

/// Kafka's name for it.
fn source(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::DynamicTopicConfig => "DYNAMIC_TOPIC_CONFIG",
        ConfigSource::StaticBrokerConfig => "STATIC_BROKER_CONFIG",
        ConfigSource::DefaultConfig => "DEFAULT_CONFIG",
        _ => "UNKNOWN",
    }
}

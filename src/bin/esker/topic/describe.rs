//! `esker topic describe`: a topic and its partitions, or its configs and where each comes from.

use std::fmt::Write;

use esker::ConfigSource;

use crate::context::Context;
use crate::data_dir::ReadOnly;
use crate::failure::{Failure, Result};
use crate::output::Table;
use crate::source::{self, Access, Topic};

/// Describe a topic, or all of them
///
/// JSON, an object for each topic: topic, id, internal, partitions (partition, leader, replicas, in_sync_replicas,
/// log_start, high_watermark, log_end, size_in_bytes), configs (name, value, source, type, synonyms, documentation).
/// The source is DYNAMIC_TOPIC_CONFIG for what the topic sets, STATIC_BROKER_CONFIG for what the store sets, and
/// DEFAULT_CONFIG for the rest. Offsets of a partition that no broker leads are -1.
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
    let mut source = source::open(context, Access::Look(&args.read_only))?;
    let names = match &args.name {
        Some(name) => {
            source.partition_count(name)?;
            vec![name.clone()]
        }
        None => source.topics()?,
    };
    let topics = source.describe_topics(&names)?;
    source.close()?;
    // One that was listed may have gone since, but not the one that was asked for.
    if let Some(name) = args.name.as_ref().filter(|_| topics.is_empty()) {
        return Err(Failure::no_topic(name));
    }
    context.print(&topics, |topics| match (args.configs, args.offsets) {
        (true, _) => configs(topics),
        (_, true) => offsets(topics),
        _ => topics.iter().map(as_kafka_does).collect(),
    })
}

/// A topic in the format of Kafka's `TopicCommand`, as of 4.1. There are no eligible leader replicas (KIP-966): the
/// one replica is in sync.
fn as_kafka_does(topic: &Topic) -> String {
    let joined = |nodes: &[i32]| nodes.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
    let is_own = |source: &str| source == ConfigSource::DynamicTopicConfig.name();
    let overrides = topic.configs.iter().filter(|config| is_own(config.source));
    let mut configs: Vec<_> = overrides.map(|config| format!("{}={}", config.name, config.value)).collect();
    configs.sort_unstable();
    let replication_factor = topic.partitions.iter().map(|partition| partition.replicas.len()).max().unwrap_or(0);
    let mut text = format!(
        "Topic: {}\tTopicId: {}\tPartitionCount: {}\tReplicationFactor: {replication_factor}\tConfigs: {}\n",
        topic.topic,
        topic.id,
        topic.partitions.len(),
        configs.join(","),
    );
    for partition in &topic.partitions {
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "\tTopic: {}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}\tElr: \tLastKnownElr: ",
            topic.topic,
            partition.partition,
            partition.leader,
            joined(&partition.replicas),
            joined(&partition.in_sync_replicas),
        );
    }
    text
}

fn configs(rows: &[Topic]) -> String {
    let mut table = Table::new(["TOPIC", "CONFIG", "VALUE", "SOURCE"]);
    for row in rows {
        for config in &row.configs {
            table.push([row.topic.clone(), config.name.clone(), config.value.clone(), config.source.to_owned()]);
        }
    }
    table.to_string()
}

fn offsets(rows: &[Topic]) -> String {
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

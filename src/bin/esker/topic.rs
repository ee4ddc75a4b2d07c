//! `esker topic`: what `kafka-topics` does, in its words.

use std::io::{self, Write};
use std::path::Path;

use clap::Subcommand;
use esker::{TopicConfig, TopicDescription};

use crate::data_dir;
use crate::failure::{Failure, Result};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a topic, and the data directory if there is none
    Create {
        /// Letters, digits, '.', '_' and '-'
        name: String,
        /// How many partitions it has
        #[arg(long, value_name = "N", default_value_t = 1)]
        partitions: i32,
        /// A config of the topic, such as retention.ms=86400000
        #[arg(long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
        configs: Vec<(String, String)>,
    },
    /// List the names of all topics
    List,
    /// Describe a topic, or all of them
    Describe {
        /// The topic; all of them if left out
        name: Option<String>,
    },
    /// Delete a topic with all its records
    Delete {
        /// The topic
        name: String,
    },
}

/// Reads `key=value`.
pub(crate) fn key_value(text: &str) -> std::result::Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(crate) fn run(command: &Command, dir: Option<&Path>) -> Result {
    match command {
        Command::Create { name, partitions, configs } => create(dir, name, *partitions, configs),
        Command::List => list(dir),
        Command::Describe { name } => describe(dir, name.as_deref()),
        Command::Delete { name } => delete(dir, name),
    }
}

fn create(dir: Option<&Path>, name: &str, partitions: i32, configs: &[(String, String)]) -> Result {
    let mut config = TopicConfig::new().partitions(partitions);
    for (key, value) in configs {
        config.set(key, value).map_err(|error| Failure::Usage(error.to_string()))?;
    }
    let store = data_dir::create_or_open(dir)?;
    store.create_topic(name, config)?;
    store.close()?;
    print(&format!("Created topic {name}.\n"))
}

fn list(dir: Option<&Path>) -> Result {
    let store = data_dir::open(dir)?;
    let names: String = store.topics().iter().map(|name| format!("{name}\n")).collect();
    store.close()?;
    print(&names)
}

fn describe(dir: Option<&Path>, name: Option<&str>) -> Result {
    let store = data_dir::open(dir)?;
    let names = match name {
        Some(name) => {
            data_dir::partition_count(&store, name)?;
            vec![name.to_owned()]
        }
        None => store.topics(),
    };
    let mut text = String::new();
    for name in names {
        text.push_str(&described(&store.describe_topic(&name)?));
    }
    store.close()?;
    print(&text)
}

fn delete(dir: Option<&Path>, name: &str) -> Result {
    let store = data_dir::open(dir)?;
    data_dir::partition_count(&store, name)?;
    store.delete_topic(name)?;
    Ok(store.close()?)
}

/// A topic in the format of Kafka's `TopicCommand`, as of 4.1. There are no eligible leader replicas (KIP-966): the
/// one replica is in sync.
fn described(topic: &TopicDescription) -> String {
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
        text.push_str(&format!(
            "\tTopic: {}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}\tElr: \tLastKnownElr: \n",
            topic.name,
            partition.partition,
            partition.leader,
            joined(&partition.replicas),
            joined(&partition.in_sync_replicas),
        ));
    }
    text
}

fn print(text: &str) -> Result {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::Output)
}

//! `esker group`: what `kafka-consumer-groups` does, in its words.

mod csv;
mod reset;

use clap::Subcommand;
use esker::{GroupOffset, Store, TopicPartition};
use serde::Serialize;

use crate::confirm::Confirm;
use crate::context::{Context, Table, or_dash};
use crate::data_dir::{self, ReadOnly};
use crate::failure::{Failure, Result};
use crate::partitions::TopicPartitions;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the groups that have committed offsets
    ///
    /// JSON, an object for each group: group.
    List {
        #[command(flatten)]
        read_only: ReadOnly,
    },
    /// Describe what groups have committed, and how far that is behind
    ///
    /// JSON, an object for each partition of each group: group, topic, partition, current_offset, log_start_offset,
    /// log_end_offset, lag (null, like the two before it, if the partition does not exist), leader_epoch, metadata,
    /// commit_timestamp.
    Describe {
        /// The groups; all of them if left out
        groups: Vec<String>,
        #[command(flatten)]
        read_only: ReadOnly,
    },
    ResetOffsets(reset::Args),
    /// Delete groups, which is all that they have committed
    ///
    /// Prints nothing.
    Delete {
        /// The groups
        #[arg(required = true)]
        groups: Vec<String>,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Delete what a group has committed for some topics
    ///
    /// JSON, an object for each partition: group, topic, partition.
    DeleteOffsets {
        /// The group
        group: String,
        /// A topic, or some of its partitions, as TOPIC:0,1
        #[arg(long = "topic", value_name = "TOPIC[:N,N]", required = true, value_parser = TopicPartitions::parse)]
        topics: Vec<TopicPartitions>,
        #[command(flatten)]
        confirm: Confirm,
    },
}

pub(crate) fn run(command: &Command, context: &Context) -> Result {
    match command {
        Command::List { read_only } => list(context, read_only),
        Command::Describe { groups, read_only } => describe(context, groups, read_only),
        Command::ResetOffsets(args) => reset::run(args, context),
        Command::Delete { groups, confirm } => delete(context, groups, confirm),
        Command::DeleteOffsets { group, topics, confirm } => delete_offsets(context, group, topics, confirm),
    }
}

#[derive(Debug, Serialize)]
struct Named {
    group: String,
}

fn list(context: &Context, read_only: &ReadOnly) -> Result {
    let store = data_dir::open_to_read(context, read_only)?;
    let rows: Vec<_> = store.groups()?.into_iter().map(|group| Named { group }).collect();
    store.close()?;
    context.print(&rows, |rows| rows.iter().map(|row| format!("{}\n", row.group)).collect())
}

/// How far a group has come in a partition.
#[derive(Debug, Serialize)]
struct Row {
    group: String,
    topic: String,
    partition: i32,
    current_offset: i64,
    log_start_offset: Option<i64>,
    log_end_offset: Option<i64>,
    lag: Option<i64>,
    leader_epoch: Option<i32>,
    metadata: String,
    commit_timestamp: i64,
}

impl Row {
    fn new(group: &str, of: &GroupOffset) -> Self {
        Self {
            group: group.to_owned(),
            topic: of.topic_partition.topic.to_string(),
            partition: of.topic_partition.partition,
            current_offset: of.committed.offset,
            log_start_offset: of.log_start,
            log_end_offset: of.log_end,
            lag: of.lag(),
            leader_epoch: of.committed.leader_epoch,
            metadata: of.committed.metadata.clone(),
            commit_timestamp: of.committed.commit_timestamp,
        }
    }
}

fn describe(context: &Context, groups: &[String], read_only: &ReadOnly) -> Result {
    let store = data_dir::open_to_read(context, read_only)?;
    // A log that another process appends to is looked at as it is now.
    store.refresh()?;
    let groups = if groups.is_empty() { store.groups()? } else { groups.to_vec() };
    let mut rows = Vec::new();
    for group in groups {
        rows.extend(store.describe_group(&group)?.offsets.iter().map(|offset| Row::new(&group, offset)));
    }
    store.close()?;
    context.print(&rows, |rows| {
        let head = ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG"];
        let mut table = Table::new(head);
        for row in rows {
            let [end, lag] = [row.log_end_offset, row.lag].map(or_dash);
            let (partition, current) = (row.partition.to_string(), row.current_offset.to_string());
            table.push([row.group.clone(), row.topic.clone(), partition, current, end, lag]);
        }
        if rows.is_empty() { String::new() } else { table.to_string() }
    })
}

fn delete(context: &Context, groups: &[String], confirm: &Confirm) -> Result {
    let store = data_dir::open(context)?;
    // None of them is deleted if one does not exist.
    groups.iter().try_for_each(|group| store.describe_group(group).map(drop))?;
    confirm.ask(&format!("Delete {} with all that is committed?", groups.join(", ")))?;
    groups.iter().try_for_each(|group| store.delete_group(group))?;
    Ok(store.close()?)
}

#[derive(Debug, Serialize)]
struct Deleted {
    group: String,
    topic: String,
    partition: i32,
}

fn delete_offsets(context: &Context, group: &str, topics: &[TopicPartitions], confirm: &Confirm) -> Result {
    let store = data_dir::open(context)?;
    let committed = committed_partitions(&store, group)?;
    let wanted: Vec<_> = topics.iter().flat_map(|topic| topic.among(&committed)).collect();
    let found: Vec<_> = committed.into_iter().filter(|partition| wanted.contains(partition)).collect();
    if found.is_empty() {
        return Err(Failure::new(format!("group {group} has committed nothing for that")));
    }
    confirm.ask(&format!("Delete what {group} has committed for {} partitions?", found.len()))?;
    store.delete_offsets(group, found.iter().cloned())?;
    store.close()?;
    let row =
        |at: TopicPartition| Deleted { group: group.to_owned(), topic: at.topic.to_string(), partition: at.partition };
    let rows: Vec<_> = found.into_iter().map(row).collect();
    context.print(&rows, |rows| {
        let mut table = Table::new(["GROUP", "TOPIC", "PARTITION"]);
        for row in rows {
            table.push([row.group.clone(), row.topic.clone(), row.partition.to_string()]);
        }
        table.to_string()
    })
}

/// The partitions that a group has committed offsets for.
fn committed_partitions(store: &Store, group: &str) -> Result<Vec<TopicPartition>> {
    Ok(store.describe_group(group)?.offsets.into_iter().map(|offset| offset.topic_partition).collect())
}

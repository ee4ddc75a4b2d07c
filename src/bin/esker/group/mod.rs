//! `esker group`: what `kafka-consumer-groups` and `kafka-configs` do, in their words.

mod alter;
mod csv;
mod describe;
mod reset;

use clap::Subcommand;
use esker::TopicPartition;
use serde::Serialize;

use crate::confirm::Confirm;
use crate::context::Context;
use crate::data_dir::ReadOnly;
use crate::failure::{Failure, Result};
use crate::output::Table;
use crate::partitions::TopicPartitions;
use crate::source::{self, Access, Source};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the groups that have committed offsets or have members
    ///
    /// JSON, an object for each group: group.
    List {
        #[command(flatten)]
        read_only: ReadOnly,
    },
    Describe(describe::Args),
    Alter(alter::Args),
    ResetOffsets(reset::Args),
    /// Delete groups, which is all that they have committed
    ///
    /// Brokers refuse it for a group that has members. In a directory there are none: those that are written down are
    /// forgotten, and join anew if they come back.
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
        Command::Describe(args) => describe::run(args, context),
        Command::Alter(args) => alter::run(args, context),
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
    let mut source = source::open(context, Access::Look(read_only))?;
    let rows: Vec<_> = source.groups()?.into_iter().map(|group| Named { group }).collect();
    source.close()?;
    context.print(&rows, |rows| rows.iter().map(|row| format!("{}\n", row.group)).collect())
}

fn delete(context: &Context, groups: &[String], confirm: &Confirm) -> Result {
    let mut source = source::open(context, Access::Change)?;
    // None of them is deleted if one does not exist.
    source.describe_existing_groups(groups)?;
    confirm.ask(&format!("Delete {} with all that is committed?", groups.join(", ")))?;
    groups.iter().try_for_each(|group| source.delete_group(group))?;
    source.close()
}

#[derive(Debug, Serialize)]
struct Deleted {
    group: String,
    topic: String,
    partition: i32,
}

fn delete_offsets(context: &Context, group: &str, topics: &[TopicPartitions], confirm: &Confirm) -> Result {
    let mut source = source::open(context, Access::Change)?;
    let committed = committed_partitions(&mut *source, group)?;
    let wanted: Vec<_> = topics.iter().flat_map(|topic| topic.among(&committed)).collect();
    let found: Vec<_> = committed.into_iter().filter(|partition| wanted.contains(partition)).collect();
    if found.is_empty() {
        return Err(Failure::new(format!("group {group} has committed nothing for that")));
    }
    confirm.ask(&format!("Delete what {group} has committed for {} partitions?", found.len()))?;
    source.delete_offsets(group, &found)?;
    source.close()?;
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
fn committed_partitions(source: &mut dyn Source, group: &str) -> Result<Vec<TopicPartition>> {
    let described = source.describe_existing_groups(&[group.to_owned()])?.into_iter();
    let committed = described.flat_map(|group| group.offsets).filter(|offset| offset.committed.is_some());
    Ok(committed.map(|offset| offset.partition).collect())
}

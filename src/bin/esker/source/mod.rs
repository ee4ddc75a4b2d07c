//! Where topics and groups are: in a data directory of this machine, or in a cluster that is spoken to over the
//! network.
//!
//! ```text
//!   topic, produce, consume, group, transactions ──▶ Source ──▶ Directory   the library's Store
//!                                                         └──▶ Cluster     remote: Kafka's protocol
//! ```
//!
//! What a command asks, checks and prints is the same for both.

mod config;
mod directory;
mod group;
mod record;
mod topic;

use std::time::Duration;

use esker::{AlterConfigOp, IsolationLevel, Offset, OffsetReset, ProducerConfig, TopicPartition, TransactionState};

pub(crate) use config::{Config, Synonym};
pub(crate) use directory::topic_config;
pub(crate) use group::{Committed, Group, GroupOffset, Member, Planned, Span, assigned, has_members};
pub(crate) use record::{NewRecord, ReadRecord};
pub(crate) use topic::{Partition, Summary, Topic};

use crate::context::Context;
use crate::data_dir::ReadOnly;
use crate::failure::{Failure, Result};
use crate::hint::IN_USE_OR_SERVED;
use crate::remote::Cluster;
use directory::Directory;

/// What a command is about to do, which of a directory says how it is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access<'a> {
    /// Change something, and make the directory if there is none.
    Create,
    /// Change something.
    Change,
    /// Look.
    Look(&'a ReadOnly),
}

/// Where topics and groups are.
pub(crate) trait Source {
    /// The names of all topics, in their order.
    fn topics(&mut self) -> Result<Vec<String>>;

    /// All topics, in the order of their names.
    fn summaries(&mut self) -> Result<Vec<Summary>>;

    /// How many partitions a topic has, or what to do about it that there is none.
    fn partition_count(&mut self, topic: &str) -> Result<i32>;

    /// Describes those of these topics that exist.
    fn describe_topics(&mut self, topics: &[String]) -> Result<Vec<Topic>>;

    /// Creates a topic and returns its id.
    fn create_topic(&mut self, topic: &str, partitions: i32, configs: &[(String, String)]) -> Result<String>;

    /// Changes configs of a topic: all that are given, or none.
    fn alter_topic_configs(&mut self, topic: &str, changes: &[AlterConfigOp]) -> Result;

    /// Raises the number of a topic's partitions to `total`.
    fn create_partitions(&mut self, topic: &str, total: i32) -> Result;

    /// Deletes a topic.
    fn delete_topic(&mut self, topic: &str) -> Result;

    /// Where partitions, which exist, begin and end.
    fn spans(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Span>>;

    /// Deletes the records of partitions below an offset, −1 for all. Returns the first offsets that are left.
    fn delete_records(&mut self, deletions: &[(TopicPartition, Offset)]) -> Result<Vec<Offset>>;

    /// Writes the records that `feed` hands over. Returns how many were acknowledged, which are all of them.
    fn produce(&mut self, to: &Target<'_>, feed: Feed<'_>) -> Result<u64>;

    /// Begins to read.
    fn consumer<'a>(&'a mut self, start: &Start<'_>) -> Result<Box<dyn Reader + 'a>>;

    /// The names of all groups, in their order.
    fn groups(&mut self) -> Result<Vec<String>>;

    /// Describes those of these groups that exist.
    fn describe_groups(&mut self, groups: &[String]) -> Result<Vec<Group>>;

    /// Changes configs of a group, which need not exist: all that are given, or none.
    fn alter_group_configs(&mut self, group: &str, changes: &[AlterConfigOp]) -> Result;

    /// All configs of a group, which need not exist.
    fn group_configs(&mut self, group: &str) -> Result<Vec<Config>>;

    /// What a reset of a group's offsets would make of them.
    fn plan_reset(&mut self, group: &str, partitions: Vec<TopicPartition>, to: OffsetReset) -> Result<Vec<Planned>>;

    /// Commits where a group goes on.
    fn commit_plan(&mut self, group: &str, planned: &[Planned]) -> Result;

    /// Deletes a group, which exists.
    fn delete_group(&mut self, group: &str) -> Result;

    /// Deletes what a group has committed for partitions.
    fn delete_offsets(&mut self, group: &str, partitions: &[TopicPartition]) -> Result;

    /// The transactional ids that a filter lets through.
    fn transactions(&mut self, filter: &Filter<'_>) -> Result<Vec<Transaction>>;

    /// Describes a transactional id and its transaction.
    fn describe_transaction(&mut self, transactional_id: &str) -> Result<Transaction>;

    /// Ends it. What was acknowledged stays.
    fn close(self: Box<Self>) -> Result;
}

/// Where records are written, and how.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    pub(crate) topic: &'a str,
    pub(crate) config: &'a ProducerConfig,
}

/// Hands records to a sink until there are no more.
pub(crate) type Feed<'a> = &'a mut dyn FnMut(&mut dyn Sink) -> Result;

/// What takes records.
pub(crate) trait Sink {
    /// Takes the record that a line is. Does not wait for it to be written.
    fn take(&mut self, line: u64, record: NewRecord) -> Result;

    /// There are no more records right now: those that were taken go on their way.
    fn pause(&mut self);

    /// Whether a record could not be written, so that there is no point in more of them.
    fn has_failed(&self) -> bool;
}

/// Says that records were not written, from this line on.
pub(crate) fn not_written(line: u64, records: u64, failure: Failure) -> Failure {
    let others = if records > 1 { format!(", nor {} others after it", records - 1) } else { String::new() };
    failure.within(format!("line {line} was not written{others}"))
}

/// What is read, and from where on.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partitions: Vec<TopicPartition>,
    pub(crate) group: Option<&'a str>,
    /// Where it starts in partitions for which the group has committed nothing.
    pub(crate) from_beginning: bool,
    /// Where it starts whatever was committed.
    pub(crate) at: Option<StartAt>,
    /// Whether it waits for more at the end, for as long as that takes.
    pub(crate) follows: bool,
    pub(crate) isolation_level: IsolationLevel,
}

/// A place to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartAt {
    Earliest,
    Latest,
    /// Of one partition.
    Offset(Offset),
    Timestamp(i64),
}

/// How many records are taken at a time, about.
pub(crate) const POLL_RECORDS: usize = 2000;

/// Reads partitions, and knows where it stands in each.
pub(crate) trait Reader {
    /// What is the end of each partition now.
    fn ends(&mut self) -> Result<Vec<(TopicPartition, Offset)>>;

    /// The offset of the next record of a partition.
    fn position(&mut self, partition: &TopicPartition) -> Result<Offset>;

    /// Goes on at another offset of a partition.
    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result;

    /// Reads, from their beginning or from where the group goes on, partitions that were added to the topic, of which
    /// it reads all.
    fn look_for_partitions(&mut self) -> Result;

    /// The next records. If there are none it waits for some, until `timeout` has passed, and may then return none.
    fn poll(&mut self, timeout: Duration) -> Result<Vec<ReadRecord>>;

    /// Commits, for the group, where it stands in each partition, with the leader epoch of what is before that: the
    /// reader itself knows it, or else, after a seek, `epoch_of`. False if that could not be done within this time, and
    /// may be later.
    fn commit(&mut self, time: Duration, epoch_of: &dyn Fn(&TopicPartition) -> Option<i32>) -> Result<bool>;
}

/// Which transactional ids are asked for.
#[derive(Debug)]
pub(crate) struct Filter<'a> {
    pub(crate) states: &'a [TransactionState],
    pub(crate) producer_ids: &'a [i64],
    pub(crate) longer_than: Option<Duration>,
}

/// A transactional id and its transaction.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) transactional_id: String,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) state: String,
    pub(crate) timeout_ms: u64,
    pub(crate) start_timestamp: Option<i64>,
    /// Not told over the network.
    pub(crate) last_update_timestamp: Option<i64>,
    pub(crate) partitions: Vec<TopicPartition>,
}

/// Opens the directory or connects to the cluster, whichever was given.
pub(crate) fn open(context: &Context, access: Access<'_>) -> Result<Box<dyn Source>> {
    match (context.bootstrap_servers(), access) {
        (Some(_), Access::Look(ReadOnly { read_only: true })) => Err(Failure::Usage(
            "--read-only says how to open a directory: it goes without --bootstrap-server".to_owned(),
        )),
        (Some(servers), _) => Ok(Box::new(Cluster::connect(servers, context.connector()?)?)),
        (None, access) => match Directory::open(context, access) {
            Ok(directory) => Ok(Box::new(directory)),
            Err(failure) => match failure.cause() {
                Some(esker::Error::DirectoryLocked { .. }) => Err(failure.with_hint(IN_USE_OR_SERVED)),
                _ => Err(failure),
            },
        },
    }
}

/// Tells how to get past records that can't be read.
pub(crate) fn explain(error: esker::Error, topic: &str) -> Failure {
    match &error {
        esker::Error::CorruptRecord { offsets: Some(offsets), .. } => {
            let next = offsets.end() + 1;
            Failure::because(format!("{topic} is damaged (the records after that begin at --offset {next})"), error)
        }
        _ => error.into(),
    }
}

impl dyn Source + '_ {
    /// Describes groups. It fails if one does not exist.
    pub(crate) fn describe_existing_groups(&mut self, names: &[String]) -> Result<Vec<Group>> {
        let groups = self.describe_groups(names)?;
        match names.iter().find(|name| !groups.iter().any(|group| group.group == **name)) {
            Some(missing) => Err(esker::Error::GroupIdNotFound { group: missing.clone() }.into()),
            None => Ok(groups),
        }
    }

    /// All partitions of a topic.
    pub(crate) fn partitions_of(&mut self, topic: &str) -> Result<Vec<TopicPartition>> {
        Ok((0..self.partition_count(topic)?).map(|index| TopicPartition::new(topic, index)).collect())
    }

    /// A partition, which exists.
    pub(crate) fn partition(&mut self, topic: &str, index: i32) -> Result<TopicPartition> {
        let count = self.partition_count(topic)?;
        match (0..count).contains(&index) {
            true => Ok(TopicPartition::new(topic, index)),
            false => Err(Failure::no_partition(topic, index, count)),
        }
    }
}

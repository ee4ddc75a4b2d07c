//! A data directory of this machine, in the library's own terms.

mod produce;
mod reader;

use std::collections::HashMap;

use esker::coordinator::{GroupMember, GroupMembership, GroupState};
use esker::{
    Acks, AlterConfigOp, CommittedOffset, Error, Offset, OffsetReset, Store, TopicConfig, TopicPartition,
    TransactionDescription, TransactionFilter,
};

use super::config::Config;
use super::group::{Committed, Group, Member, Planned, Span};
use super::topic::{Summary, Topic};
use super::{Access, Feed, Filter, Reader, Source, Start, Target, Transaction};
use crate::context::Context;
use crate::data_dir;
use crate::failure::{Failure, Result};
use produce::produce;
use reader::DirectoryReader;

/// A directory that is open.
pub(super) struct Directory {
    store: Store,
}

impl Directory {
    pub(super) fn open(context: &Context, access: Access<'_>) -> Result<Self> {
        let store = match access {
            Access::Create => data_dir::create_or_open(context)?,
            Access::Change => data_dir::open(context)?,
            Access::Look(read_only) => data_dir::open_to_read(context, read_only)?,
        };
        Ok(Self { store })
    }

    fn span(&self, partition: &TopicPartition) -> Result<Span> {
        let log = self.store.partition(&partition.topic, partition.partition)?;
        Ok(Span { log_start: log.log_start(), high_watermark: log.high_watermark() })
    }
}

impl Source for Directory {
    fn topics(&mut self) -> Result<Vec<String>> {
        Ok(self.store.topics())
    }

    fn summaries(&mut self) -> Result<Vec<Summary>> {
        let summary = |name: String| {
            let Some(topic) = existing(self.store.describe_topic(&name))? else { return Ok(None) };
            let (id, partitions) = (topic.id.to_string(), topic.partitions.len());
            Ok(Some(Summary { topic: name, id, partitions, internal: topic.is_internal }))
        };
        self.store.topics().into_iter().filter_map(|name| summary(name).transpose()).collect()
    }

    fn partition_count(&mut self, topic: &str) -> Result<i32> {
        data_dir::partition_count(&self.store, topic)
    }

    fn describe_topics(&mut self, topics: &[String]) -> Result<Vec<Topic>> {
        let describe = |name: &String| {
            let described = self.store.describe_topic(name);
            let described =
                described.and_then(|topic| Ok(Topic::new(&topic, &self.store.describe_topic_configs(name)?)));
            existing(described)
        };
        topics.iter().filter_map(|name| describe(name).transpose()).collect()
    }

    fn create_topic(&mut self, topic: &str, partitions: i32, configs: &[(String, String)]) -> Result<String> {
        let config = topic_config(partitions, configs)?;
        Ok(self.store.create_topic(topic, config).map_err(Failure::misconfigured)?.to_string())
    }

    fn alter_topic_configs(&mut self, topic: &str, changes: &[AlterConfigOp]) -> Result {
        self.store.alter_topic_configs(topic, changes).map_err(Failure::misconfigured)
    }

    fn create_partitions(&mut self, topic: &str, total: i32) -> Result {
        Ok(self.store.create_partitions(topic, total)?)
    }

    fn delete_topic(&mut self, topic: &str) -> Result {
        Ok(self.store.delete_topic(topic)?)
    }

    fn spans(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Span>> {
        partitions.iter().map(|partition| self.span(partition)).collect()
    }

    fn delete_records(&mut self, deletions: &[(TopicPartition, Offset)]) -> Result<Vec<Offset>> {
        let delete = |(partition, offset): &(TopicPartition, Offset)| {
            let log = self.store.partition(&partition.topic, partition.partition)?;
            Ok(log.delete_records(*offset)?)
        };
        deletions.iter().map(delete).collect()
    }

    fn produce(&mut self, to: &Target<'_>, feed: Feed<'_>) -> Result<u64> {
        let partitions = self.partition_count(to.topic)?;
        let producer = self.store.producer(to.config.clone()).map_err(Failure::misconfigured)?;
        produce(to.topic, partitions as usize, &producer, feed)
    }

    fn consumer<'a>(&'a mut self, start: &Start<'_>) -> Result<Box<dyn Reader + 'a>> {
        Ok(Box::new(DirectoryReader::new(&self.store, start)?))
    }

    fn groups(&mut self) -> Result<Vec<String>> {
        let mut groups = self.store.groups()?;
        groups.extend(self.store.group_memberships_written_down()?.into_iter().map(|membership| membership.group));
        groups.sort();
        groups.dedup();
        Ok(groups)
    }

    fn describe_groups(&mut self, groups: &[String]) -> Result<Vec<Group>> {
        let written_down = self.store.group_memberships_written_down()?.into_iter();
        let memberships: HashMap<_, _> = written_down.map(|of| (of.group.clone(), of)).collect();
        let describe = |group: &String| {
            let membership = memberships.get(group).cloned();
            let committed = match self.store.describe_group(group) {
                Ok(description) => description.offsets,
                Err(Error::GroupIdNotFound { .. }) if membership.is_some() => Vec::new(),
                Err(Error::GroupIdNotFound { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let empty = || Group { group: group.clone(), state: GroupState::Empty.to_string(), ..Group::default() };
            let committed = committed.into_iter().map(|of| (of.topic_partition, Committed::from(of.committed)));
            let described = membership.map_or_else(empty, Group::from);
            Ok(Some(described.with_offsets(committed, |partition| self.span(partition).ok())))
        };
        groups.iter().filter_map(|group| describe(group).transpose()).collect()
    }

    fn alter_group_configs(&mut self, group: &str, changes: &[AlterConfigOp]) -> Result {
        self.store.alter_group_configs(group, changes).map_err(Failure::misconfigured)
    }

    fn group_configs(&mut self, group: &str) -> Result<Vec<Config>> {
        Ok(self.store.describe_group_configs(group)?.iter().map(Config::from).collect())
    }

    fn plan_reset(&mut self, group: &str, partitions: Vec<TopicPartition>, to: OffsetReset) -> Result<Vec<Planned>> {
        let planned = self.store.plan_reset(group, partitions, to)?.into_iter();
        let plan =
            |of: esker::PlannedOffset| Planned { partition: of.topic_partition, before: of.before, after: of.after };
        Ok(planned.map(plan).collect())
    }

    fn commit_plan(&mut self, group: &str, planned: &[Planned]) -> Result {
        let commit = |plan: &Planned| (plan.partition.clone(), CommittedOffset::new(plan.after));
        Ok(self.store.commit_offsets(group, planned.iter().map(commit), Acks::All)?)
    }

    fn delete_group(&mut self, group: &str) -> Result {
        // Whoever is written down as a member was one of a process that had the directory before, and is none of this
        // one.
        self.store.remove_members_from_group(group)?;
        Ok(self.store.delete_group(group)?)
    }

    fn delete_offsets(&mut self, group: &str, partitions: &[TopicPartition]) -> Result {
        Ok(self.store.delete_offsets(group, partitions)?)
    }

    fn transactions(&mut self, filter: &Filter<'_>) -> Result<Vec<Transaction>> {
        let wanted = TransactionFilter::new().states(filter.states.to_vec()).producer_ids(filter.producer_ids.to_vec());
        let wanted = filter.longer_than.iter().fold(wanted, |wanted, duration| wanted.longer_than(*duration));
        Ok(self.store.transactions(&wanted)?.into_iter().map(Transaction::from).collect())
    }

    fn describe_transaction(&mut self, transactional_id: &str) -> Result<Transaction> {
        Ok(self.store.describe_transaction(transactional_id)?.into())
    }

    fn close(self: Box<Self>) -> Result {
        Ok(self.store.close()?)
    }
}

/// None of a topic that is not there, or not any more: another process may have deleted it.
fn existing<T>(found: esker::Result<T>) -> Result<Option<T>> {
    match found {
        Err(Error::UnknownTopicOrPartition { .. }) => Ok(None),
        found => Ok(Some(found?)),
    }
}

/// The config of a new topic.
pub(crate) fn topic_config(partitions: i32, configs: &[(String, String)]) -> Result<TopicConfig> {
    let mut config = TopicConfig::new().partitions(partitions);
    for (key, value) in configs {
        config.set(key, value).map_err(|error| Failure::Usage(error.to_string()))?;
    }
    Ok(config)
}

impl From<GroupMembership> for Group {
    fn from(of: GroupMembership) -> Self {
        let member = |of: GroupMember| {
            let mut assignment = of.assignment;
            assignment.sort();
            Member {
                member_id: of.member_id,
                instance_id: of.group_instance_id,
                client_id: of.client_id,
                host: of.client_host,
                assignment,
            }
        };
        Self {
            group: of.group,
            state: of.state.to_string(),
            assignor: Some(of.protocol).filter(|protocol| !protocol.is_empty() && of.state != GroupState::Empty),
            members: of.members.into_iter().map(member).collect(),
            offsets: Vec::new(),
        }
    }
}

impl From<CommittedOffset> for Committed {
    fn from(of: CommittedOffset) -> Self {
        Self {
            offset: of.offset,
            leader_epoch: of.leader_epoch,
            metadata: of.metadata,
            timestamp: Some(of.commit_timestamp),
        }
    }
}

impl From<TransactionDescription> for Transaction {
    fn from(of: TransactionDescription) -> Self {
        Self {
            transactional_id: of.transactional_id,
            producer_id: of.producer.producer_id,
            producer_epoch: of.producer.producer_epoch,
            state: of.state.name().to_owned(),
            timeout_ms: u64::try_from(of.timeout.as_millis()).unwrap_or(u64::MAX),
            start_timestamp: of.start_timestamp,
            last_update_timestamp: Some(of.last_update_timestamp),
            partitions: of.partitions,
        }
    }
}

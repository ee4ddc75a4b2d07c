//! A cluster as a [`Source`]: what the commands ask, in Kafka's protocol.
//!
//! ```text
//!   topics, configs, offsets, groups, transactions, producer, reader   what is asked, of many brokers where need be
//!   cluster, outage                                                    who is asked, and asked again
//!   wire                                                               one request and its response
//! ```
//!
//! Kafka's own tools do it in the same way. A request goes out in the highest version that both sides know and that
//! names topics, since it is names that commands are given.

mod cluster;
mod configs;
mod groups;
mod offsets;
mod outage;
mod producer;
mod reader;
mod start;
mod topics;
mod transactions;
mod trouble;
mod wire;

use esker::net::ConfigResourceType;
use esker::{AlterConfigOp, Offset, OffsetReset, TopicPartition};

pub(crate) use cluster::Cluster;

use crate::failure::Result;
use crate::source::{
    Config, Feed, Filter, Group, Planned, Reader, Source, Span, Start, Summary, Target, Topic, Transaction,
};

impl Source for Cluster {
    fn topics(&mut self) -> Result<Vec<String>> {
        Ok(self.topic_summaries()?.into_iter().map(|topic| topic.topic).collect())
    }

    fn summaries(&mut self) -> Result<Vec<Summary>> {
        self.topic_summaries()
    }

    fn partition_count(&mut self, topic: &str) -> Result<i32> {
        self.count_partitions(topic)
    }

    fn describe_topics(&mut self, topics: &[String]) -> Result<Vec<Topic>> {
        self.described(topics)
    }

    fn create_topic(&mut self, topic: &str, partitions: i32, configs: &[(String, String)]) -> Result<String> {
        self.create(topic, partitions, configs)
    }

    fn alter_topic_configs(&mut self, topic: &str, changes: &[AlterConfigOp]) -> Result {
        self.alter_configs(ConfigResourceType::Topic, topic, changes)
    }

    fn create_partitions(&mut self, topic: &str, total: i32) -> Result {
        self.add_partitions(topic, total)
    }

    fn delete_topic(&mut self, topic: &str) -> Result {
        self.delete(topic)
    }

    fn spans(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Span>> {
        self.spans_of(partitions)
    }

    fn delete_records(&mut self, deletions: &[(TopicPartition, Offset)]) -> Result<Vec<Offset>> {
        self.delete_before(deletions)
    }

    fn produce(&mut self, to: &Target<'_>, feed: Feed<'_>) -> Result<u64> {
        producer::produce(self, to, feed)
    }

    fn consumer<'a>(&'a mut self, start: &Start<'_>) -> Result<Box<dyn Reader + 'a>> {
        Ok(Box::new(reader::ClusterReader::new(self, start)?))
    }

    fn groups(&mut self) -> Result<Vec<String>> {
        self.list_groups()
    }

    fn describe_groups(&mut self, groups: &[String]) -> Result<Vec<Group>> {
        groups.iter().filter_map(|group| self.described_group(group).transpose()).collect()
    }

    fn alter_group_configs(&mut self, group: &str, changes: &[AlterConfigOp]) -> Result {
        self.alter_configs(ConfigResourceType::Group, group, changes)
    }

    fn group_configs(&mut self, group: &str) -> Result<Vec<Config>> {
        let mut configs = self.retry(|cluster| cluster.configs(ConfigResourceType::Group, &[group.to_owned()]))?;
        Ok(configs.remove(group).unwrap_or_default())
    }

    fn plan_reset(&mut self, group: &str, partitions: Vec<TopicPartition>, to: OffsetReset) -> Result<Vec<Planned>> {
        self.planned(group, partitions, to)
    }

    fn commit_plan(&mut self, group: &str, planned: &[Planned]) -> Result {
        let offsets: Vec<_> = planned.iter().map(|plan| (plan.partition.clone(), plan.after, None)).collect();
        self.commit(group, &offsets)
    }

    fn delete_group(&mut self, group: &str) -> Result {
        self.end_group(group)
    }

    fn delete_offsets(&mut self, group: &str, partitions: &[TopicPartition]) -> Result {
        self.forget_offsets(group, partitions)
    }

    fn transactions(&mut self, filter: &Filter<'_>) -> Result<Vec<Transaction>> {
        self.list_transactions(filter)
    }

    fn describe_transaction(&mut self, transactional_id: &str) -> Result<Transaction> {
        self.described_transaction(transactional_id)
    }

    fn close(self: Box<Self>) -> Result {
        // Whatever was to be waited for was waited for.
        Ok(())
    }
}

//! Creating topics, some at a time: what is written for each of them is little, and what is written anew and synced for
//! any of them, once for all.

use std::collections::HashSet;
use std::sync::Arc;

use super::StoreInner;
use super::topic::{NewPartitions, Topic, create_partitions, refuse_collision};
use super::topic_list::{Listed, TopicList};
#[cfg(feature = "net")]
use super::topic_name::refuse_internal;
use crate::config::TopicConfig;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::types::TopicPartition;
use crate::uuid::Uuid;

/// A topic that may be created.
struct NewTopic {
    name: Arc<str>,
    id: Uuid,
    config: TopicConfig,
    /// The partitions whose directories are there, with nothing in them.
    found: HashSet<i32>,
}

impl StoreInner {
    pub(super) fn create_topic(&self, name: &str, config: TopicConfig) -> Result<Uuid> {
        let config = config.over(&self.topic_defaults);
        let _altering = self.altering.lock();
        self.create_one(&self.new_topic(name, config, &[])?)
    }

    /// Creates topics of an application's, each for itself as far as anybody can tell: what became of it is in the
    /// order of `topics`.
    #[cfg(feature = "net")]
    pub(super) fn create_topics(&self, topics: Vec<(&str, TopicConfig)>) -> Vec<Result<Uuid>> {
        let _altering = self.altering.lock();
        let mut checked: Vec<Result<NewTopic>> = Vec::new();
        for (name, config) in topics {
            let others: Vec<&NewTopic> = checked.iter().flatten().collect();
            let new_topic = || self.new_topic(name, config.over(&self.topic_defaults), &others);
            checked.push(refuse_internal(name).and_then(|()| new_topic()));
        }
        let are_created = self.create_together(&checked.iter().flatten().collect::<Vec<_>>()).is_ok();
        // Which of them it was that could not be created, and why, is told by creating each alone.
        let result = |topic: NewTopic| if are_created { Ok(topic.id) } else { self.create_one(&topic) };
        checked.into_iter().map(|checked| checked.and_then(result)).collect()
    }

    /// Checks a topic that is to be created along with others.
    fn new_topic(&self, name: &str, config: TopicConfig, others: &[&NewTopic]) -> Result<NewTopic> {
        let found = self.check_new_topic(name, &config)?;
        if others.iter().any(|other| &*other.name == name) {
            return Err(Error::TopicAlreadyExists { topic: name.to_owned() });
        }
        refuse_collision(name, others.iter().map(|other| &other.name))?;
        Ok(NewTopic { name: name.into(), id: Uuid::random(), config, found })
    }

    fn create_one(&self, topic: &NewTopic) -> Result<Uuid> {
        self.create_together(&[topic])?;
        Ok(topic.id)
    }

    /// Creates all of the topics, or none.
    fn create_together(&self, new: &[&NewTopic]) -> Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        let opened = self.create_files(new).inspect_err(|_| self.take_back(new))?;
        {
            let mut topics = self.topics.write();
            for (topic, partitions) in new.iter().zip(opened) {
                let (name, config) = (topic.name.clone(), topic.config.clone());
                topics.insert(Topic { name, id: topic.id, config, partitions });
            }
        }
        self.note_topics_changed();
        Ok(())
    }

    fn create_files(&self, new: &[&NewTopic]) -> Result<Vec<Vec<Log>>> {
        self.forget_earlier(&new.iter().map(|topic| &*topic.name).collect())?;
        let listed = |topic: &&NewTopic| {
            let listed = Listed::Created { id: topic.id, config: Box::new(topic.config.clone()) };
            (topic.name.to_string(), listed)
        };
        TopicList::put_all(&self.layout, new.iter().map(listed))?;
        create_partitions(&self.layout, &new.iter().map(|topic| topic.partitions()).collect::<Vec<_>>())?;
        let open = |topic: &&NewTopic| {
            let open = |index| self.open_new(&TopicPartition::new(topic.name.clone(), index), &topic.config);
            topic.partitions().indexes.map(open).collect()
        };
        new.iter().map(open).collect()
    }

    /// Takes topics that do not exist out of the checkpoints and the committed offsets, where a crash or a deletion
    /// may have left earlier ones of their names: a new one would be taken to begin, or to have been read, up to where
    /// that one was.
    fn forget_earlier(&self, names: &HashSet<&str>) -> Result<()> {
        self.forget_offsets_of_topics(names)?;
        self.forget_checkpoints_of(|known| names.contains(&*known.topic))
    }

    /// As good as it gets: partition 0 goes first, and what is left of the others the next open clears away.
    fn take_back(&self, new: &[&NewTopic]) {
        let is_gone = |topic: &&&NewTopic| self.discard(&topic.name, topic.partitions().indexes, &topic.found).is_ok();
        let gone: Vec<String> = new.iter().filter(is_gone).map(|topic| topic.name.to_string()).collect();
        if !gone.is_empty() {
            let _ = TopicList::remove(&self.layout, &gone);
        }
    }
}

impl NewTopic {
    fn partitions(&self) -> NewPartitions<'_> {
        NewPartitions { topic: &self.name, id: self.id, indexes: 0..self.config.partition_count() }
    }
}

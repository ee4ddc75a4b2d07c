//! The topics that were created here, with what a broker would keep in its metadata log: `topic-config-checkpoint`.
//!
//! ```text
//!   0
//!   3
//!   payments created 5L6g3nShT-eMCtK--X86sw    this is the topic's id; all configs that do not follow have defaults
//!   payments retention.ms 86400000             a config that was set; "" stands for an empty value
//!   orders deleting AQIDBAUGBwgJCgsMDQ4PEA     the deletion of the topic with this id has begun
//! ```
//!
//! A topic is listed before its first directory is created. What a directory of a listed topic is, and may become of
//! it, is therefore known after a crash; a topic that is not listed is somebody else's, and so are its configs.

use std::collections::BTreeMap;
use std::path::Path;

use super::layout::Layout;
use crate::config::TopicConfig;
use crate::error::{Error, Result};
use crate::log::checkpoint;
use crate::uuid::Uuid;

pub(super) const FILE: &str = "topic-config-checkpoint";
/// No topic config has these names.
const CREATED: &str = "created";
const DELETING: &str = "deleting";
/// How an empty value is written, for fields stand between spaces.
const EMPTY: &str = "\"\"";

/// What the list says of a topic.
#[derive(Clone, Debug)]
pub(super) enum Listed {
    /// It was created here.
    Created { id: Uuid, config: Box<TopicConfig> },
    /// Its deletion has begun, here or in an open before this one, and is not known to have ended.
    Deleting { id: Uuid },
}

/// What the list says, by topic.
#[derive(Debug, Default)]
pub(super) struct TopicList {
    topics: BTreeMap<String, Listed>,
}

/// The lines of the file, as they are read.
#[derive(Default)]
struct Lines {
    ids: BTreeMap<String, (String, Uuid)>,
    configs: BTreeMap<String, TopicConfig>,
}

impl Lines {
    fn add(&mut self, file: &Path, [topic, key, value]: [String; 3]) -> Result<()> {
        if key == CREATED || key == DELETING {
            let malformed = |error| Error::MalformedFile {
                file: file.to_owned(),
                line: 0,
                reason: format!("{topic} {key} {value:?}: {error}"),
            };
            let id = value.parse().map_err(malformed)?;
            self.ids.insert(topic, (key, id));
        } else {
            let value = if value == EMPTY { "" } else { &value };
            self.configs.entry(topic).or_default().set(&key, value)?;
        }
        Ok(())
    }

    fn into_list(mut self) -> TopicList {
        let listed = |(topic, (key, id)): (String, (String, Uuid))| {
            let config = Box::new(self.configs.remove(&topic).unwrap_or_default());
            let listed = if key == CREATED { Listed::Created { id, config } } else { Listed::Deleting { id } };
            (topic, listed)
        };
        TopicList { topics: self.ids.into_iter().map(listed).collect() }
    }
}

impl TopicList {
    pub(super) fn read(layout: &Layout) -> Result<Self> {
        let file = layout.dir.join(FILE);
        let mut lines = Lines::default();
        checkpoint::read::<3>(layout.storage(), &file)?.into_iter().try_for_each(|entry| lines.add(&file, entry))?;
        Ok(lines.into_list())
    }

    /// What can be told from a file that is malformed.
    pub(super) fn salvage(contents: &[u8]) -> Self {
        let mut lines = Lines::default();
        for entry in checkpoint::salvage(contents) {
            // What it says nothing of is as if it had never been listed.
            let _ = lines.add(Path::new(FILE), entry);
        }
        lines.into_list()
    }

    /// Lists a topic, or says something else of it. Durable on return; a crash before leaves the list as it was.
    pub(super) fn put(layout: &Layout, topic: &str, listed: Listed) -> Result<()> {
        Self::put_all(layout, [(topic.to_owned(), listed)])
    }

    /// The same for some topics, which takes as long as for one: the list is written anew.
    pub(super) fn put_all(layout: &Layout, topics: impl IntoIterator<Item = (String, Listed)>) -> Result<()> {
        let mut list = Self::read(layout)?;
        list.topics.extend(topics);
        list.write(layout)
    }

    /// Takes topics off the list. As durable as [`put`](Self::put).
    pub(super) fn remove(layout: &Layout, topics: &[String]) -> Result<()> {
        let mut list = Self::read(layout)?;
        list.topics.retain(|topic, _| !topics.contains(topic));
        list.write(layout)
    }

    pub(super) fn write(&self, layout: &Layout) -> Result<()> {
        checkpoint::write(layout.storage(), &layout.dir.join(FILE), &self.entries())
    }

    /// The lines of the file.
    pub(super) fn entries(&self) -> Vec<[String; 3]> {
        let mut entries = Vec::new();
        for (topic, listed) in &self.topics {
            let entry = |key: &str, value: String| [topic.clone(), key.to_owned(), value];
            match listed {
                Listed::Deleting { id } => entries.push(entry(DELETING, id.to_string())),
                Listed::Created { id, config } => {
                    entries.push(entry(CREATED, id.to_string()));
                    let or_empty = |value: String| if value.is_empty() { EMPTY.to_owned() } else { value };
                    entries.extend(config.overrides().into_iter().map(|(key, value)| entry(key, or_empty(value))));
                }
            }
        }
        entries
    }

    /// The list without the topics whose deletion is to be finished.
    pub(super) fn without_deletions(mut self) -> Self {
        self.topics.retain(|_, listed| matches!(listed, Listed::Created { .. }));
        self
    }

    /// The topics whose deletion is to be finished.
    pub(super) fn deletions(&self) -> Vec<(String, Uuid)> {
        let deletion = |(topic, listed): (&String, &Listed)| match listed {
            Listed::Deleting { id } => Some((topic.clone(), *id)),
            Listed::Created { .. } => None,
        };
        self.topics.iter().filter_map(deletion).collect()
    }

    /// Whether the deletion of the topic with this name is to be finished.
    pub(super) fn is_deleting(&self, topic: &str) -> bool {
        matches!(self.topics.get(topic), Some(Listed::Deleting { .. }))
    }

    /// The id of the topic with this name, if it was created here.
    pub(super) fn id_of(&self, topic: &str) -> Option<Uuid> {
        match self.topics.get(topic)? {
            Listed::Created { id, .. } => Some(*id),
            Listed::Deleting { .. } => None,
        }
    }

    /// The configs of the topic with this name and id, if it was created here.
    pub(super) fn config_of(&self, topic: &str, with_id: Uuid) -> Option<&TopicConfig> {
        match self.topics.get(topic)? {
            Listed::Created { id, config } if *id == with_id => Some(config),
            _ => None,
        }
    }
}

//! The topics that are open, to be found by name and by id.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::Arc;

use super::topic::Topic;
use crate::uuid::Uuid;

/// All topics that are open. What can be asked of names, the map that this derefs to answers.
#[derive(Clone, Debug, Default)]
pub(super) struct TopicMap {
    by_name: BTreeMap<Arc<str>, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

impl TopicMap {
    /// Adds a topic, or lets it take the place of the one of its name.
    pub(super) fn insert(&mut self, topic: Topic) {
        self.remove(&topic.name);
        let topic = Arc::new(topic);
        // A topic of a broker that knew no ids yet has none.
        if topic.id != Uuid::ZERO {
            self.by_id.insert(topic.id, topic.clone());
        }
        self.by_name.insert(topic.name.clone(), topic);
    }

    pub(super) fn remove(&mut self, name: &str) {
        let removed = self.by_name.remove(name);
        // Directories that were copied by hand may share an id.
        if let Some(topic) = removed.filter(|topic| self.with_id(topic.id).is_some_and(|with| with.name == topic.name))
        {
            self.by_id.remove(&topic.id);
        }
    }

    pub(super) fn with_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }
}

impl Deref for TopicMap {
    type Target = BTreeMap<Arc<str>, Arc<Topic>>;

    fn deref(&self) -> &Self::Target {
        &self.by_name
    }
}

impl FromIterator<Topic> for TopicMap {
    fn from_iter<T: IntoIterator<Item = Topic>>(topics: T) -> Self {
        let mut map = Self::default();
        topics.into_iter().for_each(|topic| map.insert(topic));
        map
    }
}

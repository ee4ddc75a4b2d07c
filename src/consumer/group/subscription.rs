//! Which topics a consumer wants, by name or by what their names are like.

use std::fmt;

use crate::store::{Store, is_internal};

/// What was subscribed to.
pub(super) enum Wanted {
    Topics(Vec<String>),
    Like(Box<dyn Fn(&str) -> bool + Send>),
}

impl Wanted {
    /// The topics that are meant now. Those that were named need not exist.
    pub(super) fn topics(&self, store: &Store) -> Vec<String> {
        match self {
            Self::Topics(topics) => topics.clone(),
            Self::Like(is_wanted) => {
                let topics = store.topics().into_iter();
                topics.filter(|topic| !is_internal(topic) && is_wanted(topic)).collect()
            }
        }
    }
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topics(topics) => f.debug_tuple("Topics").field(topics).finish(),
            Self::Like(_) => f.write_str("Like(..)"),
        }
    }
}

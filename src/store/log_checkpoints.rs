//! The checkpoints as a log asks for them: when records were deleted or cut off, that must be written down before the
//! call returns.

use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use super::layout::Layout;
use super::reserve::Reserve;
use super::topic::Topics;
use crate::error::{Error, Result};
use crate::log::{Checkpoints, Log};
use crate::types::{Offset, TopicPartition};

/// Writes the checkpoints of all logs, one writer at a time, and with what space is held back if there is no other.
#[derive(Debug)]
pub(super) struct LogCheckpoints {
    layout: Layout,
    reserve: Reserve,
    /// Not there before the store is open. Not kept alive: the logs among them have this.
    topics: OnceLock<Weak<Topics>>,
    /// Held by whoever writes, from before it looks at the topics.
    writing: Mutex<()>,
}

impl LogCheckpoints {
    pub(super) fn new(layout: Layout, reserve: Reserve) -> Self {
        Self { layout, reserve, topics: OnceLock::new(), writing: Mutex::default() }
    }

    /// The store is open, and has these topics.
    pub(super) fn set_topics(&self, topics: &Arc<Topics>) {
        let _ = self.topics.set(Arc::downgrade(topics));
    }

    /// Writes them if `is_wanted` when nobody else is writing them.
    pub(super) fn write_if(&self, is_wanted: impl Fn() -> Result<bool>) -> Result<()> {
        let topics = self.topics.get().and_then(Weak::upgrade).ok_or(Error::Closed { what: "the store" })?;
        let _writing = self.writing.lock();
        if !is_wanted()? {
            return Ok(());
        }
        let logs: Vec<Log> = topics.read().values().flat_map(|topic| topic.partitions.iter().cloned()).collect();
        self.reserve.run(|| self.layout.write_checkpoints(&logs))
    }

    /// Waits for whoever is writing them.
    pub(super) fn wait(&self) {
        drop(self.writing.lock());
    }

    /// Writes down up to where each log is compacted, as `offsets` tells while nobody else writes that.
    pub(super) fn write_first_dirty(&self, offsets: impl FnOnce() -> Vec<(TopicPartition, Offset)>) -> Result<()> {
        let _writing = self.writing.lock();
        let offsets = offsets();
        self.reserve.run(|| self.layout.write_first_dirty(offsets.clone()))
    }
}

impl Checkpoints for LogCheckpoints {
    fn write(&self) -> Result<()> {
        self.write_if(|| Ok(true))
    }

    fn lower_first_dirty(&self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        let _writing = self.writing.lock();
        let mut offsets = self.layout.first_dirty()?;
        match offsets.get_mut(partition) {
            Some(known) if *known > offset => *known = offset,
            _ => return Ok(()),
        }
        let offsets: Vec<_> = offsets.into_iter().collect();
        self.reserve.run(|| self.layout.write_first_dirty(offsets.clone()))
    }
}

//! Ids that were given out, and that nobody has joined with yet. Whoever asks is given one, as often as he likes, so
//! what there may be of them is bounded, which it is not in Kafka.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many a group may have, if it may have as many members. They last for a moment, with clients that mean it.
const IDS_MAX: usize = 4096;
/// What those of all groups may take, in bytes.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// What one takes beside its text and the group's name: a timer, and a group that has nothing else.
const ID_BYTES: usize = 1024;

/// The memory that the pending ids of all groups share.
#[derive(Clone, Debug, Default)]
pub(in crate::coordinator::group) struct PendingSpace(Arc<AtomicUsize>);

/// A part of it, until it is dropped.
#[derive(Debug)]
struct Taken {
    space: PendingSpace,
    bytes: usize,
}

/// Those of a group.
#[derive(Debug, Default)]
pub(in crate::coordinator::group) struct PendingIds(BTreeMap<Arc<str>, Taken>);

impl PendingSpace {
    fn take(&self, bytes: usize) -> Option<Taken> {
        // Whoever takes has the coordinator to himself.
        if self.0.load(Ordering::Relaxed) + bytes > BYTES_MAX {
            return None;
        }
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Some(Taken { space: self.clone(), bytes })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.space.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl PendingIds {
    /// Takes in an id of a group with this name, that may have so many members. False if there may be no more.
    pub(super) fn insert(&mut self, id: Arc<str>, group: &str, max_size: usize, space: &PendingSpace) -> bool {
        if self.0.len() >= max_size.min(IDS_MAX) {
            return false;
        }
        let Some(taken) = space.take(group.len() + id.len() + ID_BYTES) else { return false };
        self.0.insert(id, taken);
        true
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.0.remove(id);
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    pub(in crate::coordinator::group) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::coordinator::group) fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.keys()
    }
}

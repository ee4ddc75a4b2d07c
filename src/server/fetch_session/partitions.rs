//! The partitions of a request or a session: each once, in the order in which they are served, and what the client
//! knows of each.

use std::collections::{BTreeMap, HashMap};

use super::{PartitionKey, TopicKey, Wanted};
use crate::net::ErrorCode;
use crate::net::messages::fetch::{FetchPartition, PartitionData};
use crate::types::Offset;

#[derive(Debug, Default)]
pub(super) struct Partitions {
    by_key: HashMap<PartitionKey, Cached>,
    /// The place of each in the order.
    order: BTreeMap<u64, PartitionKey>,
    next_place: u64,
    size: usize,
}

#[derive(Debug)]
struct Cached {
    fetch: FetchPartition,
    known: Known,
    place: u64,
}

/// What the client was told last, besides records. Nothing yet, and nothing that counts after an error: −1.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    high_watermark: Offset,
    last_stable_offset: Offset,
    log_start_offset: Offset,
}

const NOTHING: Known = Known { high_watermark: -1, last_stable_offset: -1, log_start_offset: -1 };

impl Partitions {
    /// Adds a partition at the end. One that is there keeps its place and is wanted as this says.
    pub(super) fn put(&mut self, key: PartitionKey, fetch: FetchPartition) {
        if let Some(cached) = self.by_key.get_mut(&key) {
            cached.fetch = fetch;
            return;
        }
        let place = self.next_place;
        self.next_place += 1;
        self.size += size_of(&key);
        self.order.insert(place, key.clone());
        self.by_key.insert(key, Cached { fetch, known: NOTHING, place });
    }

    pub(super) fn remove(&mut self, key: &PartitionKey) {
        if let Some(cached) = self.by_key.remove(key) {
            self.order.remove(&cached.place);
            self.size -= size_of(key);
        }
    }

    pub(super) fn in_order(&self) -> Vec<Wanted> {
        let wanted = |key: &PartitionKey| Some((key.clone(), self.by_key.get(key)?.fetch.clone()));
        self.order.values().filter_map(wanted).collect()
    }

    /// How much memory they take, in partitions.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Takes in what there is of a partition. Returns whether there is anything that the client has to be told, and
    /// assumes that it will be.
    ///
    /// A partition with records goes to the end, so that one that always has some leaves room for the others.
    pub(super) fn note_answer(&mut self, key: &PartitionKey, data: &PartitionData) -> bool {
        let Some(cached) = self.by_key.get_mut(key) else { return true };
        let has_records = data.records.as_ref().is_some_and(|records| !records.is_empty());
        let is_error = is_error(data);
        let now = Known {
            high_watermark: data.high_watermark,
            last_stable_offset: data.last_stable_offset,
            log_start_offset: data.log_start_offset,
        };
        let has_changed = cached.known != now;
        cached.known = if is_error { NOTHING } else { now };
        if has_records {
            self.order.remove(&cached.place);
            cached.place = self.next_place;
            self.order.insert(cached.place, key.clone());
            self.next_place += 1;
        }
        has_changed || has_records || is_error
    }
}

/// Whether a partition is answered by why there are no records: an error, or another history than the client's.
pub(in crate::server) fn is_error(data: &PartitionData) -> bool {
    data.error_code != ErrorCode::NONE || data.diverging_epoch != Default::default()
}

impl FromIterator<Wanted> for Partitions {
    fn from_iter<T: IntoIterator<Item = Wanted>>(wanted: T) -> Self {
        let mut partitions = Self::default();
        wanted.into_iter().for_each(|(key, fetch)| partitions.put(key, fetch));
        partitions
    }
}

/// The name of no topic is longer than 249 bytes; what a client makes up counts by its length.
fn size_of(key: &PartitionKey) -> usize {
    match &key.topic {
        TopicKey::Name(name) => 1 + name.len() / 256,
        TopicKey::Id(_) => 1,
    }
}

//! Committed offsets that nobody needs any more: they go `offsets.retention.minutes` after their commit (KIP-211).
//!
//! Kafka counts from the moment at which a group lost its last member, and from the commit for consumers that assign
//! partitions themselves, of which it does not know whether they are there. So does the coordinator, which keeps the
//! offsets of the groups that it knows; for others the commit counts. While a consumer of this store is open none of
//! its group's offsets go. Of a group whose members are all elsewhere those go that are of topics which no member reads
//! any more.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::offset_state::Group;
use super::offsets::{CONSUMER_OFFSETS, Changes, CommittedOffset};
use super::{Store, StoreInner};
use crate::error::Result;
use crate::types::{Acks, TopicPartition};

/// How many consumers of each group are open in this store.
#[derive(Debug, Default)]
pub(super) struct GroupsInUse {
    consumers: Mutex<HashMap<String, usize>>,
}

/// A consumer of a group is open. Holds no store open.
#[derive(Debug)]
pub(crate) struct GroupInUse {
    in_use: Arc<GroupsInUse>,
    group: String,
}

impl Store {
    /// For as long as the result lives, offsets of the group do not expire.
    pub(crate) fn use_group(&self, group: &str) -> GroupInUse {
        let in_use = self.inner.offsets.in_use.clone();
        *in_use.consumers.lock().entry(group.to_owned()).or_default() += 1;
        GroupInUse { in_use, group: group.to_owned() }
    }
}

impl Drop for GroupInUse {
    fn drop(&mut self) {
        let mut consumers = self.in_use.consumers.lock();
        if let Some(count) = consumers.get_mut(&self.group) {
            *count -= 1;
            if *count == 0 {
                consumers.remove(&self.group);
            }
        }
    }
}

impl Store {
    /// Takes back what a group in use has committed too long ago for topics that none of its members reads, unless it
    /// is in use by others than whoever asks for that.
    #[cfg(feature = "coordinator")]
    pub(crate) fn expire_unread_offsets(&self, group: &str, is_read: impl Fn(&str) -> bool) -> Result<()> {
        let store = &self.inner;
        if store.offsets.in_use.consumers.lock().get(group).is_some_and(|count| *count > 1) {
            return Ok(());
        }
        let now_ms = store.clock.now_ms();
        let expired = |offsets: &Group| store.expired(offsets, now_ms, |at| !is_read(&at.topic));
        match store.look_at_group(group, |offsets| expired(offsets).is_empty())? {
            true => Ok(()),
            false => store.change_offsets(group, Acks::Leader, |offsets| Ok(expired(offsets))),
        }
    }
}

impl StoreInner {
    /// Takes back the offsets that were committed too long ago, for good: if the loss of power brought one back after
    /// its topic was deleted, it would count for another topic of that name. Returns the first failure; the others are
    /// done all the same.
    pub(super) fn expire_offsets(&self, now_ms: i64) -> Result<()> {
        let expired = |group: &Group| self.expired(group, now_ms, |_| true);
        let in_use = self.offsets.in_use.consumers.lock().clone();
        let groups = self.groups_where(|name, group| !in_use.contains_key(name) && !expired(group).is_empty())?;
        let expire = |group: &Group| Ok(expired(group));
        let mut failures: Vec<_> =
            groups.iter().filter_map(|group| self.change_offsets(group, Acks::Leader, expire).err()).collect();
        // Once for all, and not group by group.
        let logs = self.topic(CONSUMER_OFFSETS).map_or_else(|_| Vec::new(), |topic| topic.partitions.clone());
        failures.extend(logs.iter().filter(|_| !groups.is_empty()).filter_map(|log| log.flush().err()));
        failures.into_iter().next().map_or(Ok(()), Err)
    }

    /// What of a group's offsets was committed too long ago, of those that may go.
    fn expired(&self, group: &Group, now_ms: i64, may_go: impl Fn(&TopicPartition) -> bool) -> Changes {
        let retention_ms = i64::from(self.config.offsets_retention_minutes) * 60_000;
        let is_old = |offset: &CommittedOffset| match offset.expire_timestamp {
            Some(timestamp) => now_ms >= timestamp,
            None => now_ms.saturating_sub(offset.commit_timestamp) >= retention_ms,
        };
        // One that an open transaction is about to take the place of is in use.
        let is_expired = |at: &TopicPartition, offset: &_| is_old(offset) && !group.is_unstable(at) && may_go(at);
        let expired = group.all_committed().filter(|(at, offset)| is_expired(at, offset));
        expired.map(|(partition, _)| (partition.clone(), None)).collect()
    }
}

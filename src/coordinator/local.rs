//! Consumers of this process that are members of groups. They send no heartbeats: each is alive while it polls, and
//! between two polls for `max.poll.interval.ms`. That is what the heartbeat thread of Kafka's consumer comes to,
//! without a thread.

use std::collections::{BTreeSet, HashMap};

/// Which consumer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LocalId(u64);

/// A consumer of this process is a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Presence {
    pub(crate) group: String,
    pub(crate) member_id: String,
    /// Whether it leaves the group when it has not polled for too long. A static member is silent then, until its
    /// session ends.
    pub(crate) leaves: bool,
}

#[derive(Debug, Default)]
pub(super) struct LocalMembers {
    next_id: u64,
    /// Those who are members, and until when each counts as alive: None while it polls.
    members: HashMap<LocalId, (Presence, Option<i64>)>,
    /// Those who do not poll now, by until when they count as alive.
    away: BTreeSet<(i64, LocalId)>,
}

impl LocalMembers {
    pub(super) fn fresh_id(&mut self) -> LocalId {
        self.next_id += 1;
        LocalId(self.next_id)
    }

    pub(super) fn attend(&mut self, id: LocalId, presence: Presence, until_ms: Option<i64>) {
        self.forget(id);
        self.away.extend(until_ms.map(|until_ms| (until_ms, id)));
        self.members.insert(id, (presence, until_ms));
    }

    pub(super) fn forget(&mut self, id: LocalId) {
        if let Some((_, Some(until_ms))) = self.members.remove(&id) {
            self.away.remove(&(until_ms, id));
        }
    }

    pub(super) fn present(&self) -> impl Iterator<Item = &Presence> {
        self.members.values().map(|(presence, _)| presence)
    }

    /// Takes out those that have not polled for too long.
    pub(super) fn take_absent(&mut self, now_ms: i64) -> Vec<Presence> {
        let mut absent = Vec::new();
        while self.next_deadline().is_some_and(|until_ms| until_ms <= now_ms)
            && let Some((_, id)) = self.away.pop_first()
        {
            absent.extend(self.members.remove(&id).map(|(presence, _)| presence));
        }
        absent
    }

    /// When the first of them will have been away for too long.
    pub(super) fn next_deadline(&self) -> Option<i64> {
        self.away.first().map(|(until_ms, _)| *until_ms)
    }
}

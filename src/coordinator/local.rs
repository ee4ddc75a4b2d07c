//! Consumers of this process that are members of groups. They send no heartbeats: each is alive while it polls, and between
//! two polls for `max.poll.interval.ms`. That is what the heartbeat thread of Kafka's consumer comes to, without a thread.

use std::collections::HashMap;

/// Which consumer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LocalId(u64);

/// A consumer of this process is a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Presence {
    pub(crate) group: String,
    pub(crate) member_id: String,
    /// Whether it leaves the group when it has not polled for too long. A static member is silent then, until its session
    /// ends.
    pub(crate) leaves: bool,
}

#[derive(Debug, Default)]
pub(super) struct LocalMembers {
    next_id: u64,
    /// Those who are members, and until when each counts as alive: None while it polls.
    members: HashMap<LocalId, (Presence, Option<i64>)>,
}

impl LocalMembers {
    pub(super) fn fresh_id(&mut self) -> LocalId {
        self.next_id += 1;
        LocalId(self.next_id)
    }

    pub(super) fn attend(&mut self, id: LocalId, presence: Presence, until_ms: Option<i64>) {
        self.members.insert(id, (presence, until_ms));
    }

    pub(super) fn forget(&mut self, id: LocalId) {
        self.members.remove(&id);
    }

    pub(super) fn present(&self) -> impl Iterator<Item = &Presence> {
        self.members.values().map(|(presence, _)| presence)
    }

    /// Takes out those that have not polled for too long.
    pub(super) fn take_absent(&mut self, now_ms: i64) -> Vec<Presence> {
        let is_absent = |until_ms: Option<i64>| until_ms.is_some_and(|until_ms| until_ms <= now_ms);
        let absent = self.members.extract_if(|_, (_, until_ms)| is_absent(*until_ms));
        absent.map(|(_, (presence, _))| presence).collect()
    }

    /// When the first of them will have been away for too long.
    pub(super) fn next_deadline(&self) -> Option<i64> {
        self.members.values().filter_map(|(_, until_ms)| *until_ms).min()
    }
}

//! The coordinator of many groups: here is what groups of both protocols share.
//!
//! ```text
//!   classic     groups of the classic protocol, and what happens to them
//!   consumer    those of the consumer protocol
//!   protocol    which one a group goes by, and how it goes over to the other
//!   describe    what can be seen from outside, and deletion
//!   limits      what groups may have;   timers   when something is due;   message   what comes in and goes out
//!   consumer_protocol what consumers tell each other;   assignor   which of them gets what
//! ```

mod assignor;
mod classic;
mod consumer;
mod consumer_protocol;
mod describe;
mod limits;
mod message;
mod protocol;
mod timers;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::config::{GroupConfig, StoreConfig};
use crate::uuid::Uuid;
use classic::{ClassicGroup, Member, PendingSpace, Terms};
use consumer::{ConsumerGroup, Topics};
use limits::Limits;
use timers::{Due, GroupTimers, Timer, Timers};

pub use crate::error::GroupError;
pub use assignor::{
    Assignment, CooperativeStickyAssignor, Members, PartitionAssignor, RangeAssignor, RebalanceProtocol,
    RoundRobinAssignor, StickyAssignor, Subscription,
};
pub use classic::{Committer, GroupMetadata, GroupState, MemberMetadata};
pub use consumer::{
    ClassicMemberMetadata, ConsumerGroupMetadataValue, ConsumerHeartbeat, ConsumerHeartbeatRequest,
    ConsumerMemberMetadata, CurrentAssignment, DescribedConsumerGroup, DescribedConsumerMember, GroupRecord,
    MemberState, Partitions, ResolvedRegex,
};
pub(crate) use consumer_protocol::NO_GENERATION;
pub use describe::{DescribedGroup, DescribedMember, GroupType, ListedGroup};
pub use message::{
    Action, JoinProtocol, JoinRequest, Joined, JoinedMember, LeaveRequest, NotJoined, Response, SyncRequest, Synced,
    WriteId,
};

/// All groups of a coordinator. `T` is whatever the caller knows a waiting request by: a number, or the sending end of
/// a channel.
///
/// After each call [`next_action`](Self::next_action) is to be asked until there is none, and [`tick`](Self::tick) to
/// be called at [`next_deadline`](Self::next_deadline), which each call may change. `now_ms` is any count of
/// milliseconds that never goes back; records carry it as the time since the Unix epoch.
///
/// Its memory is bounded by what its members are: a group that has none, and no record, is forgotten. Ids that nobody
/// has joined with yet have bounds of their own.
#[derive(Debug)]
pub struct GroupCoordinator<T> {
    limits: Limits,
    /// What groups set for themselves, known ones or not.
    group_configs: HashMap<String, GroupConfig>,
    groups: HashMap<Arc<str>, Group<T>>,
    /// What there is to subscribe to.
    topics: Topics,
    timers: Timers,
    pending_space: PendingSpace,
    outbox: Outbox<T>,
}

/// A group, by its protocol.
#[derive(Debug)]
enum Group<T> {
    Classic(ClassicGroup<T>),
    Consumer(ConsumerGroup<T>),
}

/// What is to be done, and what comes of the records that are being written.
#[derive(Debug)]
struct Outbox<T> {
    actions: VecDeque<Action<T>>,
    next_write: u64,
    writes: HashMap<WriteId, (Arc<str>, Written)>,
    /// How often members had to do something.
    membership_changes: u64,
}

/// What a record that is being written is for.
#[derive(Debug)]
enum Written {
    /// The assignment of a generation, by member id.
    Assignment { generation: i32, assignments: HashMap<String, Bytes> },
    /// A static member that came back.
    StaticMember(ReturnedMember),
    /// What a consumer group has decided.
    ConsumerGroup,
}

/// A static member that has come back and does not disturb the others.
#[derive(Debug)]
struct ReturnedMember {
    generation: i32,
    old_id: Arc<str>,
    new_id: Arc<str>,
    old_terms: Terms,
    can_skip_assignment: bool,
    /// Who led before, as clients are told that can't skip the assignment: if it was this member, it must not think
    /// that it leads, or it would assign.
    old_leader: String,
}

/// One group at one moment, by its protocol.
enum GroupTurn<'a, T> {
    Classic(Turn<'a, T>),
    Consumer(consumer::Turn<'a, T>),
}

/// One group of the classic protocol at one moment, with what its verbs need.
struct Turn<'a, T> {
    limits: Limits,
    group: &'a mut ClassicGroup<T>,
    timers: GroupTimers<'a>,
    pending_space: &'a PendingSpace,
    outbox: &'a mut Outbox<T>,
    now_ms: i64,
}

impl<T> GroupCoordinator<T> {
    /// A coordinator without groups. Of the config it goes by what begins with `group.`.
    pub fn new(config: &StoreConfig) -> Self {
        let outbox = Outbox { actions: VecDeque::new(), next_write: 0, writes: HashMap::new(), membership_changes: 0 };
        Self {
            limits: Limits::new(config),
            group_configs: HashMap::new(),
            groups: HashMap::new(),
            topics: Topics::default(),
            timers: Timers::default(),
            pending_space: PendingSpace::default(),
            outbox,
        }
    }

    /// Takes in a record, after a restart: all that there are, or the last of each key, in the order of the log.
    pub fn replay(&mut self, group: &str, record: GroupRecord) {
        let name: Arc<str> = group.into();
        let known = self.groups.get_mut(group);
        match (record, known) {
            (GroupRecord::Classic(Some(metadata)), _) => {
                let group = ClassicGroup::from_record(name.clone(), metadata);
                self.groups.insert(name, Group::Classic(group));
            }
            (GroupRecord::Classic(None), Some(Group::Classic(_))) => drop(self.groups.remove(group)),
            (GroupRecord::Classic(None), _) => {}
            (record, Some(Group::Consumer(known))) => {
                known.replay(&record);
                if known.is_gone() {
                    self.groups.remove(group);
                }
            }
            // One takes back what is known no more, or was followed by a group of the other protocol.
            (record, _) if record.is_tombstone() => {}
            (record, _) => {
                let mut group = ConsumerGroup::new(name.clone(), -1);
                group.replay(&record);
                self.groups.insert(name, Group::Consumer(group));
            }
        }
    }

    /// Takes in that all records were [replayed](Self::replay). Members have their session timeouts to show that they
    /// are still there.
    pub fn loaded(&mut self, now_ms: i64) {
        let names: Vec<_> = self.groups.keys().cloned().collect();
        for name in names {
            self.in_turn(&name, now_ms, |turn| match turn {
                GroupTurn::Classic(mut turn) => turn.loaded(),
                GroupTurn::Consumer(mut turn) => turn.loaded(),
            });
        }
    }

    /// Takes in which topics there are, with their ids and partition counts: what members of consumer groups may be
    /// subscribed to. A group whose topics have changed is assigned anew with the next heartbeat of a member.
    pub fn set_topics(&mut self, topics: impl IntoIterator<Item = (String, Uuid, i32)>) {
        self.topics.update(topics.into_iter());
    }

    /// Takes in the configs of all groups that have some of their own, in the place of those that were known. Members
    /// go by them from their next heartbeat on.
    pub fn set_group_configs(&mut self, configs: impl IntoIterator<Item = (String, GroupConfig)>) {
        self.group_configs = configs.into_iter().collect();
    }

    /// What is to be done next.
    pub fn next_action(&mut self) -> Option<Action<T>> {
        self.outbox.actions.pop_front()
    }

    /// When [`tick`](Self::tick) has something to do.
    pub fn next_deadline(&self) -> Option<i64> {
        self.timers.next_deadline()
    }

    /// Does what is due.
    pub fn tick(&mut self, now_ms: i64) {
        while let Some(Timer { group, due }) = self.timers.pop_due(now_ms) {
            self.in_turn(&group, now_ms, |turn| match turn {
                GroupTurn::Classic(mut turn) => turn.expire(due),
                GroupTurn::Consumer(mut turn) => turn.expire(due),
            });
        }
    }

    /// Takes in that records are durable, or why they could not be written: [`GroupError::CoordinatorNotAvailable`]
    /// where it may be tried again, [`GroupError::NotCoordinator`] where the log is gone,
    /// [`GroupError::UnknownServerError`] where it would fail again.
    pub fn written(&mut self, write: WriteId, result: Result<(), GroupError>, now_ms: i64) {
        let Some((group, written)) = self.outbox.writes.remove(&write) else { return };
        self.in_turn(&group, now_ms, |turn| match (turn, written) {
            (GroupTurn::Consumer(mut turn), Written::ConsumerGroup) => turn.written(result),
            (GroupTurn::Classic(mut turn), Written::Assignment { generation, assignments }) => {
                turn.assigned(generation, assignments, result);
            }
            (GroupTurn::Classic(mut turn), Written::StaticMember(returned)) => turn.returned(&returned, result),
            // It has gone over to the other protocol since.
            _ => {}
        });
    }

    /// Whether there are records to write.
    #[cfg(feature = "net")]
    pub(crate) fn has_to_write(&self) -> bool {
        self.outbox.actions.iter().any(|action| matches!(action, Action::Write { .. }))
    }

    /// How often members had to do something so far: begin a rebalance, or join as new members.
    pub(crate) fn membership_changes(&self) -> u64 {
        self.outbox.membership_changes
    }

    /// Forgets everything. Nobody who waits gets an answer.
    pub(crate) fn clear(&mut self) {
        self.groups.clear();
        self.timers = Timers::default();
        self.outbox.actions.clear();
        self.outbox.writes.clear();
    }

    /// How many timers are set and records under way, which is what its memory grows with besides members.
    #[doc(hidden)]
    pub fn bookkeeping(&self) -> (usize, usize) {
        (self.timers.len(), self.outbox.writes.len())
    }

    /// What a group may have.
    fn limits_of(&self, group: &str) -> Limits {
        self.group_configs.get(group).map_or(self.limits, |config| self.limits.of_group(config))
    }

    /// Does something with a group, if it is known, and forgets it if nothing is left of it. Afterwards a consumer
    /// group may be one of the classic protocol.
    fn in_turn<R>(&mut self, group: &str, now_ms: i64, run: impl FnOnce(GroupTurn<'_, T>) -> R) -> Option<R> {
        let limits = self.limits_of(group);
        let group = self.groups.get_mut(group)?;
        let name = group.name().clone();
        let timers = GroupTimers { timers: &mut self.timers, group: name.clone(), now_ms };
        let (topics, pending_space, outbox) = (&self.topics, &self.pending_space, &mut self.outbox);
        let (result, handover, is_vacant) = match group {
            Group::Classic(group) => {
                let result = run(GroupTurn::Classic(Turn { limits, group, timers, pending_space, outbox, now_ms }));
                (result, None, group.is_vacant())
            }
            Group::Consumer(group) => {
                let turn = consumer::Turn { limits, topics, group, timers, outbox, now_ms };
                (run(GroupTurn::Consumer(turn)), group.hand_over(), group.is_vacant())
            }
        };
        if is_vacant {
            self.groups.remove(&name);
        }
        if let Some(handover) = handover {
            self.go_on(&name, handover, now_ms);
        }
        Some(result)
    }
}

impl<T> Outbox<T> {
    /// Names what is being written, for [`GroupCoordinator::written`].
    fn expect(&mut self, group: &Arc<str>, written: Written) -> WriteId {
        let write = WriteId(self.next_write);
        self.next_write += 1;
        self.writes.insert(write, (group.clone(), written));
        write
    }

    /// Records that nobody waits for.
    fn write(&mut self, group: &str, records: Vec<GroupRecord>) {
        if !records.is_empty() {
            self.actions.push_back(Action::Write { write: None, group: group.to_owned(), records });
        }
    }
}

impl<T> Group<T> {
    fn name(&self) -> &Arc<str> {
        match self {
            Self::Classic(group) => &group.name,
            Self::Consumer(group) => &group.name,
        }
    }
}

impl<T> Turn<'_, T> {
    /// After a restart its members have their session timeouts to show that they are still there.
    fn loaded(&mut self) {
        let ids: Vec<_> = self.group.members().map(|member| member.id.clone()).collect();
        ids.iter().for_each(|id| self.expect_life_sign(id));
        // Nobody has assigned in a group that was a consumer group until then.
        if self.group.len() > self.limits.max_size || (self.group.len() > 0 && self.group.leader.is_none()) {
            self.prepare_rebalance();
        }
    }

    /// Something is due.
    fn expire(&mut self, due: Due) {
        match due {
            Due::Join => self.end_join_phase(),
            Due::Sync => self.expire_sync_phase(),
            Due::Session(member_id) => self.expire_session(&member_id),
            Due::Rebalance(_) => {}
        }
    }

    fn respond(&mut self, to: T, response: Response) {
        self.outbox.actions.push_back(Action::Respond { to, response });
    }

    fn answer_join(&mut self, to: Option<T>, result: Result<Joined, NotJoined>) {
        if let Some(to) = to {
            self.respond(to, Response::Join(result));
        }
    }

    fn answer_sync(&mut self, to: Option<T>, result: Result<Synced, GroupError>) {
        if let Some(to) = to {
            self.respond(to, Response::Sync(result));
        }
    }

    /// Refuses whatever a member waits with, which is not in the group any more.
    fn refuse(&mut self, member: Member<T>, error: GroupError, member_id: &str) {
        self.answer_join(member.awaiting_join, Err(NotJoined { error, member_id: member_id.to_owned() }));
        self.answer_sync(member.awaiting_sync, Err(error));
    }

    /// Takes out a member, or an id that nobody has joined with, and tells whoever waits as it.
    fn remove(&mut self, member_id: &str) {
        self.outbox.membership_changes += 1;
        self.timers.cancel(Due::Session(member_id.into()));
        if let Some(member) = self.group.remove(member_id) {
            // A client that is still there joins as a new member.
            self.refuse(member, GroupError::UnknownMemberId, "");
        }
    }

    /// Writes down the group as it is, with these assignments.
    fn write(&mut self, written: Option<Written>, assignment: impl Fn(&Member<T>) -> Bytes) {
        let write = written.map(|written| self.outbox.expect(&self.group.name, written));
        self.group.has_record = true;
        let records = vec![GroupRecord::Classic(Some(self.group.to_record(assignment)))];
        let group = self.group.name.to_string();
        self.outbox.actions.push_back(Action::Write { write, group, records });
    }
}

//! The coordinator of many groups. Each verb has its file; here is what they share.
//!
//! ```text
//!   join        become a member, or stay one
//!   rebalance   from one generation to the next: join phase, sync phase, and who is dropped on the way
//!   sync        the assignment, handed in and handed out
//!   heartbeat   signs of life, commits among them
//!   leave       go
//!   describe    what can be seen from outside, and deletion
//!   classic, member   the state;   record   how it is written down;   timers   when something is due
//!   consumer_protocol what consumers tell each other;   assignor   which of them gets what
//! ```

mod assignor;
mod classic;
mod consumer_protocol;
mod describe;
mod heartbeat;
mod join;
mod leave;
mod member;
mod message;
mod rebalance;
mod record;
mod sync;
mod timers;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::config::StoreConfig;
use classic::ClassicGroup;
use member::{Member, Terms};
use timers::{Due, Timer, Timers};

pub use crate::error::GroupError;
pub use assignor::{
    Assignment, CooperativeStickyAssignor, Members, PartitionAssignor, RangeAssignor, RebalanceProtocol,
    RoundRobinAssignor, StickyAssignor, Subscription,
};
pub use classic::GroupState;
pub use describe::{DescribedGroup, DescribedMember, ListedGroup};
pub use message::{
    Action, JoinProtocol, JoinRequest, Joined, JoinedMember, LeaveRequest, NotJoined, Response, SyncRequest, Synced,
    WriteId,
};
pub use record::{GroupMetadata, MemberMetadata};

/// All groups of a coordinator. `T` is whatever the caller knows a waiting request by: a number, or the sending end of a
/// channel.
///
/// After each call [`next_action`](Self::next_action) is to be asked until there is none, and [`tick`](Self::tick) to be
/// called at [`next_deadline`](Self::next_deadline), which each call may change. `now_ms` is any count of milliseconds
/// that never goes back; records carry it as the time since the Unix epoch.
///
/// Its memory is bounded by what its members are: a group that has none, and no record, is forgotten.
#[derive(Debug)]
pub struct GroupCoordinator<T> {
    limits: Limits,
    groups: HashMap<Arc<str>, ClassicGroup<T>>,
    timers: Timers,
    outbox: Outbox<T>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    min_session_timeout_ms: i32,
    max_session_timeout_ms: i32,
    initial_rebalance_delay_ms: i32,
    max_size: usize,
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
}

/// A static member that has come back and does not disturb the others.
#[derive(Debug)]
struct ReturnedMember {
    generation: i32,
    old_id: Arc<str>,
    new_id: Arc<str>,
    old_terms: Terms,
    can_skip_assignment: bool,
    /// Who led before, as clients are told that can't skip the assignment: if it was this member, it must not think that
    /// it leads, or it would assign.
    old_leader: String,
}

/// One group at one moment, with what its verbs need.
struct Turn<'a, T> {
    limits: Limits,
    group: &'a mut ClassicGroup<T>,
    timers: &'a mut Timers,
    outbox: &'a mut Outbox<T>,
    now_ms: i64,
}

impl<T> GroupCoordinator<T> {
    /// A coordinator without groups. Of the config it goes by what begins with `group.`.
    pub fn new(config: &StoreConfig) -> Self {
        let limits = Limits {
            min_session_timeout_ms: config.group_min_session_timeout_ms,
            max_session_timeout_ms: config.group_max_session_timeout_ms,
            initial_rebalance_delay_ms: config.group_initial_rebalance_delay_ms,
            max_size: usize::try_from(config.group_max_size).unwrap_or(usize::MAX),
        };
        let outbox = Outbox { actions: VecDeque::new(), next_write: 0, writes: HashMap::new(), membership_changes: 0 };
        Self { limits, groups: HashMap::new(), timers: Timers::default(), outbox }
    }

    /// Takes in the last record of a group, after a restart. Its members have their session timeouts to show that they are
    /// still there.
    pub fn load(&mut self, group: &str, metadata: GroupMetadata, now_ms: i64) {
        let name: Arc<str> = group.into();
        self.groups.insert(name.clone(), ClassicGroup::from_record(name.clone(), metadata));
        self.in_turn(group, now_ms, |mut turn| {
            let ids: Vec<_> = turn.group.members().map(|member| member.id.clone()).collect();
            ids.iter().for_each(|id| turn.expect_life_sign(id));
            if turn.group.len() > turn.limits.max_size {
                turn.prepare_rebalance();
            }
        });
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
            self.in_turn(&group, now_ms, |mut turn| match due {
                Due::Join => turn.end_join_phase(),
                Due::Sync => turn.expire_sync_phase(),
                Due::Session(member_id) => turn.expire_session(&member_id),
            });
        }
    }

    /// Takes in that a record is durable, or why it could not be written: [`GroupError::CoordinatorNotAvailable`] where
    /// it may be tried again, [`GroupError::NotCoordinator`] where the log is gone, [`GroupError::UnknownServerError`]
    /// where it would fail again.
    pub fn written(&mut self, write: WriteId, result: Result<(), GroupError>, now_ms: i64) {
        let Some((group, written)) = self.outbox.writes.remove(&write) else { return };
        self.in_turn(&group, now_ms, |mut turn| match written {
            Written::Assignment { generation, assignments } => turn.assigned(generation, assignments, result),
            Written::StaticMember(returned) => turn.returned(&returned, result),
        });
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

    /// Does something with a group, if it is known, and forgets it if nothing is left of it.
    fn in_turn<R>(&mut self, group: &str, now_ms: i64, run: impl FnOnce(Turn<'_, T>) -> R) -> Option<R> {
        let group = self.groups.get_mut(group)?;
        let (timers, outbox) = (&mut self.timers, &mut self.outbox);
        let result = run(Turn { limits: self.limits, group, timers, outbox, now_ms });
        if group.is_vacant() {
            let name = group.name.clone();
            self.groups.remove(&name);
        }
        Some(result)
    }
}

impl<T> Turn<'_, T> {
    fn timer(&self, due: Due) -> Timer {
        Timer { group: self.group.name.clone(), due }
    }

    fn schedule(&mut self, due: Due, delay_ms: i32) {
        let timer = self.timer(due);
        self.timers.schedule(timer, self.now_ms.saturating_add(delay_ms.into()));
    }

    fn cancel(&mut self, due: Due) {
        let timer = self.timer(due);
        self.timers.cancel(&timer);
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
        self.cancel(Due::Session(member_id.into()));
        if let Some(member) = self.group.remove(member_id) {
            // A client that is still there joins as a new member.
            self.refuse(member, GroupError::UnknownMemberId, "");
        }
    }

    /// Writes down the group as it is, with these assignments.
    fn write(&mut self, written: Option<Written>, assignment: impl Fn(&Member<T>) -> Bytes) {
        let write = written.map(|written| {
            let write = WriteId(self.outbox.next_write);
            self.outbox.next_write += 1;
            self.outbox.writes.insert(write, (self.group.name.clone(), written));
            write
        });
        self.group.has_record = true;
        let (group, metadata) = (self.group.name.to_string(), Some(self.group.to_record(assignment)));
        self.outbox.actions.push_back(Action::Write { write, group, metadata });
    }
}

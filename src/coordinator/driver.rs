//! Drives the coordinator of a store's groups: its time, its records, and the requests that wait.
//!
//! There is one for each store, made when it is first asked for, so that clients of a server and consumers of this
//! process meet in the same groups. It has no thread and no runtime. Whoever waits hands in a [`Waiter`]; what is due
//! is done by the store's maintenance, by a server that keeps time, or by whoever waits.
//!
//! One lock is held over a decision and the append of the records that it makes, so that they lie in the log in the
//! order in which they were decided; never while anybody waits for a device, but for the first one, who reads what
//! there is. Whoever may not block decides, and leaves it to others to append: those who come first append for all, in
//! that order.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::local::{LocalId, LocalMembers, Presence};
use super::{Action, GroupCoordinator, GroupError, GroupRecord, LeaveRequest, Response};
use crate::error::{Error, Result};
use crate::store::{AppendedGroupRecords, GroupConfigs, GroupInUse, Store, Task, WeakStore};

/// The coordinator, as those know it who ask it something.
pub(crate) type Coordinator = GroupCoordinator<Waiter>;

/// Where consumers of this process are said to be. No address of a client looks like that.
pub(crate) const LOCAL_HOST: &str = "embedded";

/// Takes the answer to a request that had to wait. It is dropped without one if the store is closed.
///
/// It is called under the lock, and must not ask for it.
pub(crate) struct Waiter(Box<dyn FnOnce(Response) + Send>);

/// Is told when something is due earlier than was known at the last [tick](Groups::tick).
pub(crate) type Alarm = dyn Fn() + Send + Sync;

/// What becomes of a question that may not wait.
#[cfg(feature = "net")]
pub(crate) enum Asked<R, F> {
    /// It is answered.
    Done(R),
    /// It is decided. What comes of that is to be written, before anybody is told, by [`Groups::get_on`].
    Decided(R),
    /// Others are asking, or there is something to read first: it is to be asked by [`Groups::ask`].
    Busy(F),
}

/// The groups of a store.
pub(crate) struct Groups {
    store: WeakStore,
    state: Mutex<State>,
    alarms: Mutex<Vec<Weak<Alarm>>>,
    /// Consumers of this process that wait for something to happen to their groups.
    parked: Mutex<HashMap<LocalId, Waker>>,
}

#[derive(Debug)]
struct State {
    coordinator: Coordinator,
    /// The changes of the store's topics that the coordinator knows of.
    topic_changes: Option<u64>,
    /// The configs of groups that it knows.
    group_configs: Arc<GroupConfigs>,
    /// Whether the records are read.
    is_loaded: bool,
    is_closed: bool,
    /// Groups of which no offsets may expire: they have members, or had until lately.
    in_use: HashMap<String, GroupInUse>,
    local: LocalMembers,
    /// How often members had to do something, when those who are parked were woken last.
    seen_changes: u64,
    /// Until when those who do what is due know that nothing is.
    wakes_at: i64,
    /// When groups are looked for that nobody needs any more.
    expires_at: i64,
    time: Time,
}

/// The time as the coordinator knows it: it begins with the wall clock, and never goes back.
#[derive(Debug)]
struct Time {
    began_ms: i64,
    began_monotonic_ms: i64,
    now_ms: i64,
}

impl Waiter {
    pub(crate) fn new(take: impl FnOnce(Response) + Send + 'static) -> Self {
        Self(Box::new(take))
    }

    pub(crate) fn answer(self, response: Response) {
        self.0(response);
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiter")
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups").finish_non_exhaustive()
    }
}

impl Groups {
    /// The groups of this store.
    pub(crate) fn of(store: &Store) -> Arc<Self> {
        store.attached(|| {
            let (config, now_ms) = (store.config(), store.clock().now_ms());
            let state = State {
                coordinator: GroupCoordinator::new(config),
                topic_changes: None,
                group_configs: Arc::default(),
                is_loaded: false,
                is_closed: false,
                in_use: HashMap::new(),
                local: LocalMembers::default(),
                seen_changes: 0,
                wakes_at: i64::MAX,
                expires_at: now_ms.saturating_add(config.offsets_retention_check_interval_ms),
                time: Time { began_ms: now_ms, began_monotonic_ms: store.clock().monotonic_ms(), now_ms },
            };
            let groups = Arc::new(Self {
                store: store.downgrade(),
                state: Mutex::new(state),
                alarms: Mutex::default(),
                parked: Mutex::default(),
            });
            let task: Weak<Self> = Arc::downgrade(&groups);
            store.schedule().add(task);
            groups
        })
    }

    /// Asks the coordinator, and does what it says. Waits for the device if it has to.
    ///
    /// # Errors
    /// [`GroupError::CoordinatorNotAvailable`] if the groups can't be read now, [`GroupError::NotCoordinator`] if the
    /// store is closed; what kept a record from the log that nobody else waits for.
    pub(crate) fn ask<R>(&self, ask: impl FnOnce(&mut Coordinator, i64) -> R) -> Result<R, GroupError> {
        let store = self.store()?;
        let mut state = self.loaded(&store)?;
        let now_ms = state.time.now(&store);
        let result = ask(&mut state.coordinator, now_ms);
        self.act(&store, &mut state).map(|()| result)
    }

    /// Asks the coordinator if that can be done at once, without a look at a disk.
    #[cfg(feature = "net")]
    pub(crate) fn try_ask<R, F: FnOnce(&mut Coordinator, i64) -> R>(&self, ask: F) -> Asked<R, F> {
        // Most others are done by then.
        const PATIENCE: Duration = Duration::from_micros(50);
        let (Ok(store), Some(mut state)) = (self.store(), self.state.try_lock_for(PATIENCE)) else {
            return Asked::Busy(ask);
        };
        if !state.is_up_to_date(&store) {
            return Asked::Busy(ask);
        }
        let now_ms = state.time.now(&store);
        let result = ask(&mut state.coordinator, now_ms);
        if state.coordinator.has_to_write() {
            return Asked::Decided(result);
        }
        // What can fail is to write.
        let _ = self.act(&store, &mut state);
        Asked::Done(result)
    }

    /// Does what was decided, and waits for the device if it has to.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    #[cfg(feature = "net")]
    pub(crate) fn get_on(&self) -> Result<(), GroupError> {
        self.act(&self.store()?, &mut self.state.lock())
    }

    /// From now on `alarm` is called when something is due earlier than the last tick said, for as long as it exists.
    #[cfg(feature = "net")]
    pub(crate) fn add_alarm(&self, alarm: Weak<Alarm>) {
        self.alarms.lock().push(alarm);
    }

    /// For how long nothing is due, unless that changes.
    pub(crate) fn idle(&self) -> Duration {
        let Ok(store) = self.store() else { return Duration::ZERO };
        let mut state = self.state.lock();
        let now_ms = state.time.now(&store);
        until(state.next_deadline(), now_ms)
    }

    /// Does what is due, if anything is. Returns whether anything was.
    pub(crate) fn tick_due(&self) -> bool {
        let is_due = self.idle().is_zero();
        if is_due {
            self.tick();
        }
        is_due
    }

    /// Does what is due. Returns for how long nothing is, unless that changes.
    pub(crate) fn tick(&self) -> Duration {
        // What can't be read now may be later.
        const AGAIN: Duration = Duration::from_secs(1);
        let Ok(store) = self.store() else { return AGAIN };
        let Ok(mut state) = self.loaded(&store) else { return AGAIN };
        let state = &mut state;
        let now_ms = state.time.now(&store);
        state.mind_local_members(now_ms);
        state.coordinator.tick(now_ms);
        if now_ms >= state.expires_at {
            let interval_ms = store.config().offsets_retention_check_interval_ms;
            state.expires_at = now_ms.saturating_add(interval_ms);
            let groups: Vec<_> = state.coordinator.groups().map(|group| group.group.to_owned()).collect();
            for group in groups {
                state.expire(&store, &group, now_ms);
                // Of many groups that takes a while, and others have something to ask meanwhile.
                MutexGuard::bump(state);
            }
        }
        // Whom nobody takes out of the log is taken out anew after a restart.
        let _ = self.act(&store, state);
        state.wakes_at = state.next_deadline();
        let now_ms = state.time.now(&store);
        until(state.wakes_at, now_ms)
    }

    /// A consumer of this process may become a member.
    pub(crate) fn local_id(&self) -> LocalId {
        self.state.lock().local.fresh_id()
    }

    /// A consumer of this process is a member. It counts as alive for that many milliseconds, or, with None, until it
    /// says otherwise.
    pub(crate) fn attend(&self, id: LocalId, presence: Presence, for_ms: Option<i64>) {
        let Ok(store) = self.store() else { return };
        let mut state = self.state.lock();
        let now_ms = state.time.now(&store);
        state.local.attend(id, presence, for_ms.map(|for_ms| now_ms.saturating_add(for_ms)));
        self.note_deadline(&store, &state);
    }

    /// A consumer of this process is no member any more.
    pub(crate) fn forget(&self, id: LocalId) {
        self.state.lock().local.forget(id);
        self.parked.lock().remove(&id);
    }

    /// Wakes `waker` when members of some group have to do something, begin a rebalance or join as new members, and
    /// when topics change. The caller must look once more after this call whether that is so.
    pub(crate) fn park(&self, id: LocalId, waker: Waker) {
        self.parked.lock().insert(id, waker);
    }

    fn wake_all(&self) {
        self.parked.lock().drain().for_each(|(_, waker)| waker.wake());
    }

    fn store(&self) -> Result<Store, GroupError> {
        self.store.upgrade().ok_or(GroupError::NotCoordinator)
    }

    /// Does what was decided. Returns what kept a record from the log that nobody waits for.
    fn act(&self, store: &Store, state: &mut MutexGuard<'_, State>) -> Result<(), GroupError> {
        let mut done = Ok(());
        loop {
            let mut writes = Vec::new();
            while let Some(action) = state.coordinator.next_action() {
                match action {
                    Action::Respond { to, response } => to.answer(response),
                    Action::Write { write, group, records } => {
                        let appended = state.append(store, &group, &records);
                        match (write, appended) {
                            (Some(write), appended) => writes.push((write, appended)),
                            (None, Err(error)) => done = Err(why_unwritten(&error)),
                            (None, Ok(_)) => {}
                        }
                    }
                }
            }
            if writes.is_empty() {
                break;
            }
            let written: Vec<_> = MutexGuard::unlocked(state, || {
                let wait = |appended: AppendedGroupRecords| appended.wait_synced();
                writes.into_iter().map(|(write, appended)| (write, appended.and_then(wait))).collect()
            });
            let now_ms = state.time.now(store);
            for (write, result) in written {
                state.coordinator.written(write, result.map_err(|error| why_unwritten(&error)), now_ms);
            }
        }
        let changes = state.coordinator.membership_changes();
        if std::mem::replace(&mut state.seen_changes, changes) != changes {
            // Each looks whether it is its group.
            self.wake_all();
        }
        self.note_deadline(store, state);
        done
    }

    /// Tells those who do what is due if something is earlier than they know.
    fn note_deadline(&self, store: &Store, state: &State) {
        let deadline = state.next_deadline();
        if deadline < state.wakes_at {
            self.alarms.lock().retain(|alarm| alarm.upgrade().inspect(|alarm| alarm()).is_some());
            if let Some(at) = Instant::now().checked_add(until(deadline, state.time.now_ms)) {
                store.schedule().wake_by(at);
            }
        }
    }

    /// The coordinator, when it knows its groups.
    fn loaded(&self, store: &Store) -> Result<MutexGuard<'_, State>, GroupError> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(GroupError::NotCoordinator);
        }
        if let Some(topics) = store.topics_since(&mut state.topic_changes) {
            state.coordinator.set_topics(topics);
        }
        state.look_at_group_configs(store)?;
        if !state.is_loaded {
            if replay(store, &mut state.coordinator).is_err() {
                state.coordinator.clear();
                return Err(GroupError::CoordinatorNotAvailable);
            }
            let now_ms = state.time.now(store);
            state.coordinator.loaded(now_ms);
            let groups: Vec<_> = state.coordinator.groups().map(|group| group.group.to_owned()).collect();
            for group in groups {
                state.keep_offsets_of(store, &group);
                // Static ones may come back.
                let gone = state.coordinator.dynamic_members_at(&group, LOCAL_HOST);
                // They are members, or the group would have none of that name.
                let _ = state.coordinator.leave(&group, &gone, now_ms);
            }
            state.is_loaded = true;
            self.act(store, &mut state)?;
        }
        Ok(state)
    }
}

impl Task for Groups {
    fn run(&self, now: Instant) -> Option<Instant> {
        // Nobody has asked yet.
        if !self.state.lock().is_loaded {
            return None;
        }
        now.checked_add(self.tick())
    }

    fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        // Those who wait see that their request is gone.
        state.coordinator.clear();
        drop(state);
        self.wake_all();
    }

    fn topics_changed(&self) {
        self.wake_all();
    }
}

impl State {
    /// Whether the coordinator knows its groups, and what has changed around them.
    #[cfg(feature = "net")]
    fn is_up_to_date(&self, store: &Store) -> bool {
        let knows_configs = || store.group_configs().is_ok_and(|configs| Arc::ptr_eq(&configs, &self.group_configs));
        self.is_loaded && !self.is_closed && self.topic_changes == Some(store.topic_changes()) && knows_configs()
    }

    fn look_at_group_configs(&mut self, store: &Store) -> Result<(), GroupError> {
        let configs = store.group_configs().map_err(|_| GroupError::CoordinatorNotAvailable)?;
        if !Arc::ptr_eq(&configs, &self.group_configs) {
            self.coordinator.set_group_configs((*configs).clone());
            self.group_configs = configs;
        }
        Ok(())
    }

    /// When [`Groups::tick`] has something to do.
    fn next_deadline(&self) -> i64 {
        let deadlines = [self.coordinator.next_deadline(), self.local.next_deadline()];
        deadlines.into_iter().flatten().min().unwrap_or(i64::MAX).min(self.expires_at)
    }

    /// Consumers of this process are alive without saying so, unless they have not polled for too long: then they go.
    fn mind_local_members(&mut self, now_ms: i64) {
        for Presence { group, member_id, leaves, .. } in self.local.take_absent(now_ms) {
            if leaves {
                let member = LeaveRequest { member_id, ..LeaveRequest::default() };
                // It may be gone already.
                let _ = self.coordinator.leave(&group, &[member], now_ms);
            }
        }
        // As long as no session has ended there is no need to look at each.
        if self.coordinator.next_deadline().is_some_and(|deadline| deadline <= now_ms) {
            for Presence { group, member_id, .. } in self.local.present() {
                self.coordinator.keep_alive(group, member_id, now_ms);
            }
        }
    }

    fn append(&mut self, store: &Store, group: &str, records: &[GroupRecord]) -> Result<AppendedGroupRecords> {
        let encode = |record: &GroupRecord| (record.encode_key(group), record.encode_value());
        let encoded: Vec<_> = records.iter().map(encode).collect();
        match encoded.iter().any(|(_, value)| value.is_some()) {
            true => self.keep_offsets_of(store, group),
            false => drop(self.in_use.remove(group)),
        }
        store.append_group_records(group, &encoded)
    }

    fn keep_offsets_of(&mut self, store: &Store, group: &str) {
        if !self.in_use.contains_key(group) {
            self.in_use.insert(group.to_owned(), store.use_group(group));
        }
    }

    /// Forgets a group that has neither members nor offsets, and lets its offsets expire if it has had no members for
    /// long enough, and those of topics that no member reads any more (KIP-211).
    fn expire(&mut self, store: &Store, group: &str, now_ms: i64) {
        let retention_ms = i64::from(store.config().offsets_retention_minutes) * 60_000;
        let Some(listed) = self.coordinator.listed(group) else { return };
        if listed.is_idle {
            let is_over = now_ms.saturating_sub(listed.state_timestamp) >= retention_ms;
            // One of which that isn't known keeps what it may have.
            if store.has_group(group).is_ok_and(|has_offsets| !has_offsets) {
                // It is there, and has no members.
                let _ = self.coordinator.delete(group);
            } else if is_over {
                self.in_use.remove(group);
            }
        } else if listed.knows_topics() {
            // What can't be taken back now is looked for again.
            let _ = store.expire_unread_offsets(group, |topic| self.coordinator.is_subscribed_to(group, topic));
        }
    }
}

impl Time {
    fn now(&mut self, store: &Store) -> i64 {
        let elapsed_ms = store.clock().monotonic_ms().saturating_sub(self.began_monotonic_ms);
        self.now_ms = self.now_ms.max(self.began_ms.saturating_add(elapsed_ms));
        self.now_ms
    }
}

fn until(deadline_ms: i64, now_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(deadline_ms.saturating_sub(now_ms)).unwrap_or(0))
}

/// Shows the coordinator what its predecessors have written.
pub(super) fn replay<T>(store: &Store, coordinator: &mut GroupCoordinator<T>) -> Result<()> {
    store.replay_group_records(|key, value, belongs_here| {
        if let Some((group, record)) = GroupRecord::decode(key, value)?.filter(|(group, _)| belongs_here(group)) {
            coordinator.replay(&group, record);
        }
        Ok(())
    })
}

/// What members are told whose record could not be written.
fn why_unwritten(error: &Error) -> GroupError {
    match error {
        Error::MessageTooLarge { .. } | Error::InvalidRecord { .. } => GroupError::UnknownServerError,
        Error::LogOffline { .. } | Error::Closed { .. } | Error::ReadOnly { .. } => GroupError::NotCoordinator,
        _ => GroupError::CoordinatorNotAvailable,
    }
}

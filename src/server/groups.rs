//! Drives the coordinator of groups: its time, its records, and the requests that wait.
//!
//! One lock is held over a decision and the append of the records that it makes, so that they lie in the log in the order
//! in which they were decided; never while anybody waits for a device.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot, watch};

use super::broker::Node;
use super::dispatch::Context;
use super::executor;
use crate::coordinator::{Action, GroupCoordinator, GroupError, GroupMetadata, Response};
use crate::error::{Error, Result};
use crate::log::{Log, SyncTarget};
use crate::net::ErrorCode;
use crate::store::{GroupInUse, Store};

/// The coordinator, as the handlers know it.
pub(super) type Coordinator = GroupCoordinator<Waiter>;
/// What a request waits for. Its other end may be gone, which does no harm.
pub(super) type Waiter = oneshot::Sender<Response>;

/// The groups of this node.
#[derive(Debug)]
pub(super) struct Groups {
    store: Store,
    state: Mutex<State>,
    /// Something is due earlier than [`keep_time`] knows.
    is_due_earlier: Notify,
    /// When time began, by the clock that never goes back and by the store's.
    began: (Instant, i64),
}

#[derive(Debug)]
struct State {
    coordinator: Coordinator,
    /// Whether the records are read.
    is_loaded: bool,
    /// Groups of which no offsets may expire: they have members, or had until lately.
    in_use: HashMap<String, GroupInUse>,
    /// When [`keep_time`] wakes up by itself.
    wakes_at: i64,
    /// When groups are looked for that nobody needs any more.
    expires_at: i64,
}

impl Groups {
    pub(super) fn new(store: Store) -> Self {
        let (now, now_ms) = (Instant::now(), store.clock().now_ms());
        let state = State {
            coordinator: GroupCoordinator::new(store.config()),
            is_loaded: false,
            in_use: HashMap::new(),
            wakes_at: i64::MAX,
            expires_at: now_ms.saturating_add(store.config().offsets_retention_check_interval_ms),
        };
        Self { store, state: Mutex::new(state), is_due_earlier: Notify::new(), began: (now, now_ms) }
    }

    /// Asks the coordinator, and does what it says. Waits for the device if it has to.
    ///
    /// # Errors
    ///
    /// [`GroupError::CoordinatorNotAvailable`] if the groups can't be read now.
    pub(super) fn ask<R>(&self, ask: impl FnOnce(&mut Coordinator, i64) -> R) -> Result<R, GroupError> {
        let mut state = self.loaded()?;
        let result = ask(&mut state.coordinator, self.now_ms());
        self.act(&mut state);
        Ok(result)
    }

    /// Asks the coordinator whether something may be done about a group that is appended to `__consumer_offsets`, does it
    /// before anything else can happen to the group, and waits until it is on the device.
    ///
    /// # Errors
    ///
    /// Those of `change`, [`ErrorCode::COORDINATOR_NOT_AVAILABLE`], and what keeps it from the device.
    pub(super) fn change<R>(
        &self,
        group: &str,
        change: impl FnOnce(&mut Coordinator, i64) -> Result<R, ErrorCode>,
    ) -> Result<R, ErrorCode> {
        let changed = self.ask(change)??;
        if let Some(log) = self.store.offsets_log_of(group) {
            log.wait_appended()?;
        }
        Ok(changed)
    }

    /// Asks the coordinator something that it answers in its own time: at once, or when others have joined, or have not.
    /// The result is what waits for that, until the server stops.
    pub(super) async fn begin<A: FnOnce(&mut Coordinator, Waiter, i64) + Send + 'static>(
        context: &Context,
        ask: A,
    ) -> impl Future<Output = Result<Response, GroupError>> + Send + use<A> {
        let (waiter, response) = oneshot::channel();
        let (broker, mut stop) = (context.broker.clone(), context.stop.clone());
        let asked = executor::run(move || broker.groups.ask(|groups, now_ms| ask(groups, waiter, now_ms))).await;
        async move {
            asked?;
            tokio::select! {
                biased;
                response = response => response.map_err(|_| GroupError::NotCoordinator),
                _ = stop.wait_for(|stop| *stop) => Err(GroupError::NotCoordinator),
            }
        }
    }

    /// Does what is due. Returns for how long nothing is, unless that changes.
    fn tick(&self) -> Duration {
        // What can't be read now may be later.
        const AGAIN: Duration = Duration::from_secs(1);
        let Ok(mut state) = self.loaded() else { return AGAIN };
        let now_ms = self.now_ms();
        state.coordinator.tick(now_ms);
        if now_ms >= state.expires_at {
            self.expire(&mut state, now_ms);
        }
        self.act(&mut state);
        state.wakes_at = state.coordinator.next_deadline().unwrap_or(i64::MAX).min(state.expires_at);
        Duration::from_millis(u64::try_from(state.wakes_at.saturating_sub(self.now_ms())).unwrap_or(0))
    }

    fn now_ms(&self) -> i64 {
        let (began, began_ms) = self.began;
        began_ms.saturating_add(i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    fn act(&self, state: &mut MutexGuard<'_, State>) {
        loop {
            let mut writes = Vec::new();
            while let Some(action) = state.coordinator.next_action() {
                match action {
                    Action::Respond { to, response } => drop(to.send(response)),
                    Action::Write { write, group, metadata } => {
                        let appended = self.append(state, &group, metadata.as_ref());
                        writes.extend(write.map(|write| (write, appended)));
                    }
                }
            }
            if writes.is_empty() {
                break;
            }
            let written: Vec<_> = MutexGuard::unlocked(state, || {
                let wait = |(log, target): (Log, SyncTarget)| log.wait_synced(target);
                writes.into_iter().map(|(write, appended)| (write, appended.and_then(wait))).collect()
            });
            let now_ms = self.now_ms();
            for (write, result) in written {
                state.coordinator.written(write, result.map_err(|error| why_unwritten(&error)), now_ms);
            }
        }
        if state.coordinator.next_deadline().is_some_and(|deadline| deadline < state.wakes_at) {
            self.is_due_earlier.notify_one();
        }
    }

    fn append(
        &self,
        state: &mut State,
        group: &str,
        metadata: Option<&GroupMetadata>,
    ) -> Result<(Log, SyncTarget), Error> {
        match metadata {
            Some(_) => state.keep_offsets_of(&self.store, group),
            None => drop(state.in_use.remove(group)),
        }
        let value = metadata.map(GroupMetadata::encode);
        self.store.append_group_record(group, &GroupMetadata::encode_key(group), value.as_deref())
    }

    /// Forgets the groups that have neither members nor offsets, and lets the offsets of those expire that have had no
    /// members for long enough (KIP-211).
    fn expire(&self, state: &mut State, now_ms: i64) {
        let config = self.store.config();
        let retention_ms = i64::from(config.offsets_retention_minutes) * 60_000;
        let idle = state.coordinator.groups().filter(|group| group.is_idle);
        let idle: Vec<_> = idle.map(|group| (group.group.to_owned(), group.state_timestamp)).collect();
        for (group, since_ms) in idle {
            // One of which that isn't known keeps what it may have.
            if self.store.has_group(&group).is_ok_and(|has_offsets| !has_offsets) {
                // It is there, and has no members.
                let _ = state.coordinator.delete(&group);
            } else if now_ms.saturating_sub(since_ms) >= retention_ms {
                state.in_use.remove(&group);
            }
        }
        state.expires_at = now_ms.saturating_add(config.offsets_retention_check_interval_ms);
    }

    /// The coordinator, when it knows its groups.
    fn loaded(&self) -> Result<MutexGuard<'_, State>, GroupError> {
        let mut state = self.state.lock();
        if !state.is_loaded {
            let groups = self.read().map_err(|_| GroupError::CoordinatorNotAvailable)?;
            let now_ms = self.now_ms();
            for (group, metadata) in groups {
                state.keep_offsets_of(&self.store, &group);
                state.coordinator.load(&group, metadata, now_ms);
            }
            state.is_loaded = true;
        }
        Ok(state)
    }

    /// The last record of each group.
    fn read(&self) -> Result<BTreeMap<String, GroupMetadata>, Error> {
        let mut groups = BTreeMap::new();
        self.store.replay_group_records(|key, value, belongs_here| {
            if let Some(group) = GroupMetadata::decode_key(key)?.filter(|group| belongs_here(group)) {
                match value {
                    Some(value) => drop(groups.insert(group, GroupMetadata::decode(value)?)),
                    None => drop(groups.remove(&group)),
                }
            }
            Ok(())
        })?;
        Ok(groups)
    }
}

impl State {
    fn keep_offsets_of(&mut self, store: &Store, group: &str) {
        if !self.in_use.contains_key(group) {
            self.in_use.insert(group.to_owned(), store.use_group(group));
        }
    }
}

/// Lets the coordinator do what is due, when it is, until the server stops.
pub(super) async fn keep_time(node: Arc<Node>, mut stop: watch::Receiver<bool>) {
    loop {
        let due = node.clone();
        let idle = executor::run(move || due.groups.tick()).await;
        tokio::select! {
            () = tokio::time::sleep(idle) => {}
            () = node.groups.is_due_earlier.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// What members are told whose record could not be written.
fn why_unwritten(error: &Error) -> GroupError {
    match error {
        Error::MessageTooLarge { .. } | Error::InvalidRecord { .. } => GroupError::UnknownServerError,
        Error::LogOffline { .. } | Error::Closed { .. } | Error::ReadOnly { .. } => GroupError::NotCoordinator,
        _ => GroupError::CoordinatorNotAvailable,
    }
}

impl From<GroupError> for ErrorCode {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::CoordinatorNotAvailable => Self::COORDINATOR_NOT_AVAILABLE,
            GroupError::NotCoordinator => Self::NOT_COORDINATOR,
            GroupError::UnknownServerError => Self::UNKNOWN_SERVER_ERROR,
            GroupError::InvalidGroupId => Self::INVALID_GROUP_ID,
            GroupError::GroupIdNotFound => Self::GROUP_ID_NOT_FOUND,
            GroupError::IllegalGeneration => Self::ILLEGAL_GENERATION,
            GroupError::InconsistentGroupProtocol => Self::INCONSISTENT_GROUP_PROTOCOL,
            GroupError::UnknownMemberId => Self::UNKNOWN_MEMBER_ID,
            GroupError::InvalidSessionTimeout => Self::INVALID_SESSION_TIMEOUT,
            GroupError::RebalanceInProgress => Self::REBALANCE_IN_PROGRESS,
            GroupError::NonEmptyGroup => Self::NON_EMPTY_GROUP,
            GroupError::MemberIdRequired => Self::MEMBER_ID_REQUIRED,
            GroupError::GroupMaxSizeReached => Self::GROUP_MAX_SIZE_REACHED,
            GroupError::FencedInstanceId => Self::FENCED_INSTANCE_ID,
        }
    }
}

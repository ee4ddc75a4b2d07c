//! What has to be done from time to time: retention, compaction, removing deleted files, syncing closed segments,
//! checkpoints, and the batches and syncs that producers left for later. It is one function, [`Store::tick`], for the
//! caller who does all that. Otherwise the store has a thread for it; and as soon as anybody wants to be woken earlier
//! than that comes round, another one for what is left for later, which must not wait for a segment to be synced or
//! compacted.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{Store, StoreInner};
use crate::clock::Clock;
use crate::config::StoreConfig;
use crate::error::{Error, Result};
use crate::io::StorageFile;
use crate::log::{Checkpoints, Helper, Log, WantsSync};

/// Who calls [`Store::tick`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Maintenance {
    /// A thread of the store's own, named `esker-maintenance`; and a second one, `esker-tasks`, from when there is
    /// something that can't wait for its turn: records that linger or are awaited, or members of groups.
    #[default]
    Thread,
    /// The caller, as often as it likes: every second is about right. For programs that want no thread besides their
    /// own, and for tests. Threads that help while many partitions are opened, synced or closed end with the call that
    /// they help; [`num_recovery_threads_per_data_dir`](StoreConfig::num_recovery_threads_per_data_dir) of 1 keeps
    /// those of an open away.
    Manual,
}

/// Work that somebody leaves to the maintenance: a producer's lingering batches, members' deadlines.
pub(crate) trait Task: Send + Sync {
    /// Does what is due now, and tells when something will be due next.
    fn run(&self, now: Instant) -> Option<Instant>;

    /// The store is being closed: does what would be due later, and takes no more.
    fn close(&self);

    /// Topics were created or deleted, or got partitions. Called under locks: it may wake others, and nothing else.
    fn topics_changed(&self) {}
}

/// How long the thread sleeps if nothing is due earlier.
const IDLE: Duration = Duration::from_secs(1);
/// For how long a sync that could not begin is not tried again: it lacks a file handle.
const SYNC_RETRY: Duration = Duration::from_millis(100);
/// How many files may wait to be populated.
const HURRIED_MAX: usize = 64;

pub(crate) struct Schedule {
    maintenance: Maintenance,
    signal: Arc<Signal>,
    tasks: Arc<Tasks>,
    /// Whether the tasks have a thread of their own, once that is decided.
    tasks_thread: OnceLock<bool>,
    due: Mutex<Due>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    failure: Mutex<Option<Error>>,
}

/// The tasks, the logs to be synced for those who have no thread, and what wakes the thread for these.
struct Tasks {
    list: Mutex<Vec<Weak<dyn Task>>>,
    to_sync: Mutex<Vec<WantsSync>>,
    signal: Signal,
}

/// When what is done in intervals is due, in milliseconds of the monotonic clock.
#[derive(Debug)]
struct Due {
    retention_ms: i64,
    checkpoint_ms: i64,
    offsets_ms: i64,
    producers_ms: i64,
    timeouts_ms: i64,
    transactional_ids_ms: i64,
}

impl Due {
    /// When the next of them is, but for what is overdue: retention, while a snapshot is being taken.
    fn next_ms(&self, monotonic_ms: i64) -> i64 {
        let Self { retention_ms, checkpoint_ms, offsets_ms, producers_ms, timeouts_ms, transactional_ids_ms } = *self;
        let all = [retention_ms, checkpoint_ms, offsets_ms, producers_ms, timeouts_ms, transactional_ids_ms];
        all.into_iter().filter(|due_ms| *due_ms > monotonic_ms).min().unwrap_or(i64::MAX)
    }
}

/// Which of the periodic jobs are due besides retention.
#[derive(Debug)]
struct DueNow {
    checkpoint: bool,
    offsets: bool,
    producers: bool,
    timeouts: bool,
    transactional_ids: bool,
}

/// Wakes a thread.
#[derive(Debug)]
struct Signal {
    state: Mutex<SignalState>,
    changed: Condvar,
}

#[derive(Debug)]
struct SignalState {
    wake_at: Instant,
    stopped: bool,
    /// Files whose writers are in a hurry.
    hurried: Vec<Arc<dyn StorageFile>>,
}

impl Schedule {
    pub(super) fn new(config: &StoreConfig, clock: &dyn Clock, maintenance: Maintenance) -> Self {
        let monotonic_ms = clock.monotonic_ms();
        Self {
            maintenance,
            signal: Arc::new(Signal::new()),
            tasks: Arc::new(Tasks { list: Mutex::default(), to_sync: Mutex::default(), signal: Signal::new() }),
            tasks_thread: OnceLock::new(),
            due: Mutex::new(Due {
                retention_ms: monotonic_ms.saturating_add(config.log_retention_check_interval_ms),
                checkpoint_ms: monotonic_ms.saturating_add(config.log_flush_offset_checkpoint_interval_ms.into()),
                offsets_ms: monotonic_ms.saturating_add(config.offsets_retention_check_interval_ms),
                producers_ms: monotonic_ms.saturating_add(config.producer_id_expiration_check_interval_ms),
                timeouts_ms: monotonic_ms
                    .saturating_add(config.transaction_abort_timed_out_transaction_cleanup_interval_ms.into()),
                transactional_ids_ms: monotonic_ms
                    .saturating_add(config.transaction_remove_expired_transaction_cleanup_interval_ms.into()),
            }),
            threads: Mutex::default(),
            failure: Mutex::default(),
        }
    }

    /// Starts the thread, if there is to be one. It holds no store open: it goes when the store does.
    pub(super) fn start(store: &Arc<StoreInner>) -> Result<()> {
        if store.schedule.maintenance == Maintenance::Manual {
            return Ok(());
        }
        let (signal, store_ref) = (store.schedule.signal.clone(), Arc::downgrade(store));
        signal.wake_by(Instant::now() + store.schedule.until_due(store.clock.monotonic_ms()));
        let run = move || {
            while signal.sleep() {
                let Some(store) = store_ref.upgrade() else { return };
                let (next, result) = match store.schedule.tasks_thread.get() {
                    Some(true) => store.maintain(),
                    _ => store.tick(),
                };
                if let Err(error) = result {
                    store.schedule.note_failure(error);
                }
                signal.wake_by(next);
            }
        };
        let spawned = thread::Builder::new().name("esker-maintenance".to_owned()).spawn(run);
        let handle = spawned.map_err(|error| Error::io("start the maintenance thread of", &store.layout.dir, error))?;
        store.schedule.threads.lock().push(handle);
        Ok(())
    }

    /// How long the thread may sleep at most for what is done in intervals.
    fn until_due(&self, monotonic_ms: i64) -> Duration {
        let due_ms = self.due.lock().next_ms(monotonic_ms).saturating_sub(monotonic_ms);
        Duration::from_millis(due_ms.unsigned_abs()).min(IDLE)
    }

    /// Gives the tasks a thread of their own, which holds no store open either. False if the system has none: then they
    /// wait for the maintenance.
    fn start_tasks(&self) -> bool {
        let tasks = self.tasks.clone();
        let run = move || {
            while tasks.signal.sleep() {
                let next = tasks.run();
                tasks.signal.wake_by(next);
            }
        };
        let spawned = thread::Builder::new().name("esker-tasks".to_owned()).spawn(run);
        spawned.map(|handle| self.threads.lock().push(handle)).is_ok()
    }

    /// Ends the threads. One that is started after this ends at once.
    pub(super) fn stop(&self) {
        self.signal.stop();
        self.tasks.signal.stop();
        let threads = std::mem::take(&mut *self.threads.lock());
        // One of them may be the one that drops the store.
        for other in threads.into_iter().filter(|handle| handle.thread().id() != thread::current().id()) {
            let _ = other.join();
        }
    }

    /// Keeps a failure for [`Store::take_maintenance_error`].
    pub(super) fn note_failure(&self, error: Error) {
        *self.failure.lock() = Some(error);
    }

    /// Ends the tasks. Whoever adds one must look whether the store is closed after that.
    pub(super) fn close_tasks(&self) {
        self.tasks.all().iter().for_each(|task| task.close());
    }

    pub(super) fn note_topics_changed(&self) {
        self.tasks.all().iter().for_each(|task| task.topics_changed());
    }

    /// From now on the task is run too, every now and then, for as long as it exists.
    pub(crate) fn add(&self, task: Weak<dyn Task>) {
        let mut tasks = self.tasks.list.lock();
        tasks.retain(|task| task.strong_count() > 0);
        tasks.push(task);
    }

    /// A task has something to do at `at`: sees to it that a thread is awake by then.
    pub(crate) fn wake_by(&self, at: Instant) {
        if self.maintenance == Maintenance::Manual {
            return;
        }
        match self.tasks_thread.get_or_init(|| self.start_tasks()) {
            true => self.tasks.signal.wake_by(at),
            false => self.signal.wake_by(at),
        }
    }
}

impl Tasks {
    fn all(&self) -> Vec<Arc<dyn Task>> {
        self.list.lock().iter().filter_map(Weak::upgrade).collect()
    }

    /// Runs them, syncs, and tells when the next one is due.
    fn run(&self) -> Instant {
        let now = Instant::now();
        let next = self.all().iter().filter_map(|task| task.run(now)).min().unwrap_or(now + IDLE).min(now + IDLE);
        match self.sync() {
            true => next,
            false => next.min(Instant::now() + SYNC_RETRY),
        }
    }

    /// Whether all syncs that are wanted could begin. Those that could not are still wanted.
    fn sync(&self) -> bool {
        let to_sync = std::mem::take(&mut *self.to_sync.lock());
        let failed: Vec<_> = to_sync.into_iter().filter(|log| log.sync().is_err()).collect();
        let have_begun = failed.is_empty();
        self.to_sync.lock().extend(failed);
        have_begun
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule").field("maintenance", &self.maintenance).finish_non_exhaustive()
    }
}

impl Helper for Schedule {
    fn populate_ahead(&self, file: Arc<dyn StorageFile>) {
        if self.maintenance == Maintenance::Thread {
            self.signal.populate_ahead(file);
        }
    }

    fn sync_soon(&self, log: WantsSync) {
        self.tasks.to_sync.lock().push(log);
        self.wake_by(Instant::now());
    }
}

impl Signal {
    fn populate_ahead(&self, file: Arc<dyn StorageFile>) {
        let mut state = self.state.lock();
        // A thread that does not keep up is no help.
        if state.hurried.len() < HURRIED_MAX {
            state.hurried.push(file);
            self.changed.notify_all();
        }
    }

    fn new() -> Self {
        let state = SignalState { wake_at: Instant::now() + IDLE, stopped: false, hurried: Vec::new() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Sleeps, helping writers in the meantime, until it is time to wake. False if it is time to end.
    fn sleep(&self) -> bool {
        let mut state = self.state.lock();
        while !state.stopped && Instant::now() < state.wake_at {
            let hurried = std::mem::take(&mut state.hurried);
            if !hurried.is_empty() {
                MutexGuard::unlocked(&mut state, || hurried.iter().for_each(|file| file.populate_ahead()));
                continue;
            }
            let wake_at = state.wake_at;
            self.changed.wait_until(&mut state, wake_at);
        }
        // Whoever asks to be woken earlier while the tick runs must be heard.
        state.wake_at = Instant::now() + IDLE;
        !state.stopped
    }

    fn wake_by(&self, at: Instant) {
        let mut state = self.state.lock();
        if at < state.wake_at {
            state.wake_at = at;
            self.changed.notify_all();
        }
    }

    fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }
}

impl Store {
    /// Does what is due: deletes old segments and committed offsets, forgets idle producers and transactional ids,
    /// aborts transactions that take too long and completes those that are decided, removes the files of deleted
    /// segments, syncs closed ones and what `flush.ms` wants synced, lets go of files that nobody reads, writes
    /// checkpoints, sends what producers hold back longer than `linger.ms`, and syncs for those who wait for an
    /// acknowledgement without a thread; and what is due in groups that have members. Compaction gets on by up to 16
    /// MiB read and written, however much there is. To be called only where the store has no thread for it
    /// ([`Maintenance::Manual`]), and harmless elsewhere. Of a store that was opened read-only it is a
    /// [`refresh`](Self::refresh).
    ///
    /// # Errors
    /// The first failure; everything else that was due has been done all the same.
    pub fn tick(&self) -> Result<()> {
        self.inner.tick().1
    }

    /// What the maintenance thread failed at last, if it did since the last call.
    pub fn take_maintenance_error(&self) -> Option<Error> {
        self.inner.schedule.failure.lock().take()
    }

    pub(crate) fn schedule(&self) -> &Schedule {
        &self.inner.schedule
    }
}

impl StoreInner {
    /// Runs the tasks too. Returns also when to do so again.
    fn tick(&self) -> (Instant, Result<()>) {
        let next_task = self.schedule.tasks.run();
        let (next, result) = self.maintain();
        (next.min(next_task), result)
    }

    /// Does what is due besides the tasks. Returns also when to do so again.
    fn maintain(&self) -> (Instant, Result<()>) {
        let began = Instant::now();
        // Whoever closes the store waits for this to end: the directory is somebody else's after that.
        let _ticking = self.ticking.lock();
        if self.check_open().is_err() {
            return (began + IDLE, Ok(()));
        }
        let (now_ms, monotonic_ms) = (self.clock.now_ms(), self.clock.monotonic_ms());
        if self.is_read_only {
            self.open_files.let_go_of_idle(monotonic_ms, self.config.open_files_idle_ms);
            return (began + IDLE, self.refresh());
        }
        let due = self.take_due(monotonic_ms);
        let mut failures = Vec::new();
        let logs = self.logs();
        self.remove_files(&logs, now_ms, monotonic_ms, &mut failures);
        for log in logs.iter().filter(|log| !log.is_deleted()) {
            if due.producers {
                log.remove_expired_producers(now_ms, self.config.producer_id_expiration_ms.into());
            }
            failures.extend(self.reserve.run(|| log.roll_overdue(now_ms)).err());
            failures.extend(log.flush_if_due(monotonic_ms).err());
            failures.extend(log.flush_closed_segments().err());
        }
        self.open_files.let_go_of_idle(monotonic_ms, self.config.open_files_idle_ms);
        if due.offsets {
            failures.extend(self.expire_offsets(now_ms).err());
        }
        failures.extend(self.finish_transactions());
        if due.timeouts {
            failures.extend(self.abort_timed_out_transactions(now_ms));
        }
        if due.transactional_ids {
            failures.extend(self.expire_transactional_ids(now_ms));
        }
        let wait = self.snapshots.files.try_read().and_then(|_files| {
            let (wait, failed) = self.clean_some(&logs, monotonic_ms);
            failures.extend(failed);
            wait
        });
        let next = began + self.schedule.until_due(monotonic_ms);
        let next = wait.map_or(next, |wait| next.min(Instant::now() + wait));
        if due.checkpoint {
            failures.extend(self.checkpoints.write().err());
            self.reserve.hold();
        }
        (next, failures.into_iter().next().map_or(Ok(()), Err))
    }

    /// Lets go of old segments if that is due, and removes the files and directories that were deleted long enough ago.
    /// All of that is left to a later tick while a snapshot is being taken, which copies them.
    fn remove_files(&self, logs: &[Log], now_ms: i64, monotonic_ms: i64, failures: &mut Vec<Error>) {
        let Some(_files) = self.snapshots.files.try_read() else { return };
        let interval_ms = self.config.log_retention_check_interval_ms;
        let is_retention_due = take(&mut self.schedule.due.lock().retention_ms, interval_ms, monotonic_ms);
        for log in logs.iter().filter(|log| !log.is_deleted()) {
            if is_retention_due {
                failures.extend(self.reserve.run(|| log.delete_old_segments(now_ms)).err());
            }
            failures.extend(log.remove_deleted_files(monotonic_ms).err());
        }
        failures.extend(self.remove_deleted_dirs(monotonic_ms).err());
    }

    /// Which of the other periodic jobs are due, from now on at the next interval.
    fn take_due(&self, monotonic_ms: i64) -> DueNow {
        let mut due = self.schedule.due.lock();
        let take = |due_ms: &mut i64, interval_ms: i64| take(due_ms, interval_ms, monotonic_ms);
        DueNow {
            checkpoint: take(&mut due.checkpoint_ms, self.config.log_flush_offset_checkpoint_interval_ms.into()),
            offsets: take(&mut due.offsets_ms, self.config.offsets_retention_check_interval_ms),
            producers: take(&mut due.producers_ms, self.config.producer_id_expiration_check_interval_ms),
            timeouts: take(
                &mut due.timeouts_ms,
                self.config.transaction_abort_timed_out_transaction_cleanup_interval_ms.into(),
            ),
            transactional_ids: take(
                &mut due.transactional_ids_ms,
                self.config.transaction_remove_expired_transaction_cleanup_interval_ms.into(),
            ),
        }
    }

    /// Removes the directories of deleted partitions whose delay has passed. One that can't be removed keeps no other,
    /// and is left to the next tick.
    fn remove_deleted_dirs(&self, monotonic_ms: i64) -> Result<()> {
        let due: Vec<_> = self.deleted_dirs.lock().extract_if(.., |(_, due_ms)| *due_ms <= monotonic_ms).collect();
        let mut failure = None;
        for (dir, due_ms) in due {
            match self.layout.storage().remove_dir_all(&dir) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    failure.get_or_insert_with(|| Error::io("remove", &dir, error));
                    self.deleted_dirs.lock().push((dir, due_ms));
                }
                _ => {}
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Whether a job is due, from now on at the next interval.
fn take(due_ms: &mut i64, interval_ms: i64, monotonic_ms: i64) -> bool {
    let is_due = monotonic_ms >= *due_ms;
    if is_due {
        *due_ms = monotonic_ms.saturating_add(interval_ms);
    }
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_of_less_than_a_second_are_kept() {
        let config =
            StoreConfig { transaction_abort_timed_out_transaction_cleanup_interval_ms: 20, ..Default::default() };
        let store = Store::options().config(config).maintenance(Maintenance::Manual).open_temporary().unwrap();
        let (next, result) = store.inner.tick();
        assert!(result.is_ok() && next <= Instant::now() + Duration::from_millis(20));
    }
}

//! What a store does beyond its topics: Kafka's broker configs by their names, in one table.

use super::entry::field_entry;
#[cfg(feature = "sim")]
use super::planted_bugs::PlantedBugs;
use super::value::{Valid, any, at_least, between};
use super::{ConfigEntry, ConsumerGroupAssignor, ConsumerGroupMigrationPolicy, TopicDefaults, invalid};
use crate::error::Result;

configs! {
    /// What a store does beyond its topics: recovery, checkpoints, internal topics, and what topics get that they
    /// do not set. Kafka's broker configs by their names.
    ///
    /// ```
    /// use esker::StoreConfig;
    ///
    /// let mut config = StoreConfig { log_retention_check_interval_ms: 60_000, ..StoreConfig::default() };
    /// config.set("num.recovery.threads.per.data.dir", "4")?;
    /// config.set("log.retention.hours", "24")?;
    /// assert!(config.set("log.retention.weeks", "1").is_err());
    /// # Ok::<(), esker::Error>(())
    /// ```
    StoreConfig, each "a broker config", checked when "the store is opened", with
        /// What topics get that they do not set themselves: `log.retention.ms` and the like.
        topic_defaults: TopicDefaults,
        planting planted: PlantedBugs,
        held to validate_consumer_groups;

    /// Who syncs for [`Acks::All`](crate::Acks::All): `always` or `os-managed`. Not one of Kafka's.
    sync: SyncPolicy = SyncPolicy::Always, "sync", any();
    /// How many threads open partitions.
    num_recovery_threads_per_data_dir: usize = 2, "num.recovery.threads.per.data.dir", at_least(1);
    /// How often old segments are looked for, in milliseconds.
    log_retention_check_interval_ms: i64 = 300_000, "log.retention.check.interval.ms", at_least(1);
    /// How often the recovery points are written down, in milliseconds. A crash scans what was appended since.
    log_flush_offset_checkpoint_interval_ms: i32 = 60_000, "log.flush.offset.checkpoint.interval.ms", at_least(1);
    /// The partitions of `__consumer_offsets` when it is created.
    offsets_topic_num_partitions: i32 = 50, "offsets.topic.num.partitions", at_least(1);
    /// How long the metadata of a commit may be: not in bytes, whatever Kafka calls it, but in units of UTF-16, of
    /// which a character has one, or seldom two. More than 32,767 bytes it can't be in any case: its record has 16 bits
    /// for the length.
    offset_metadata_max_bytes: usize = 4096, "offset.metadata.max.bytes", between(0, i32::MAX as usize);
    /// How long a partition remembers a producer that has been idle, in milliseconds. What it sends after that is
    /// appended without a look at its sequence. One with an open transaction is not forgotten.
    producer_id_expiration_ms: i32 = 86_400_000, "producer.id.expiration.ms", at_least(1);
    /// How often idle producers are looked for, in milliseconds.
    producer_id_expiration_check_interval_ms: i64 = 600_000, "producer.id.expiration.check.interval.ms", at_least(1);
    /// How long a committed offset is kept after its commit, in minutes, while no consumer of its group is open.
    offsets_retention_minutes: i32 = 10_080, "offsets.retention.minutes", at_least(1);
    /// How often offsets that are older than that are looked for, in milliseconds.
    offsets_retention_check_interval_ms: i64 = 600_000, "offsets.retention.check.interval.ms", at_least(1);
    /// The shortest session timeout that a member of a group may ask for, in milliseconds. Goes, as all that begins
    /// with `group.`, for groups that have members: consumers that subscribe, and clients of a server.
    group_min_session_timeout_ms: i32 = 6000, "group.min.session.timeout.ms", at_least(1);
    /// The longest one.
    group_max_session_timeout_ms: i32 = 1_800_000, "group.max.session.timeout.ms", at_least(1);
    /// How long the first members of a group wait for others before they begin, in milliseconds. Each that comes
    /// prolongs it, up to the rebalance timeout.
    group_initial_rebalance_delay_ms: i32 = 3000, "group.initial.rebalance.delay.ms", at_least(0);
    /// How many members a group may have.
    group_max_size: i32 = i32::MAX, "group.max.size", at_least(1);
    /// How long a member of a consumer group (KIP-848) counts as alive after its last heartbeat, in milliseconds.
    group_consumer_session_timeout_ms: i32 = 45_000, "group.consumer.session.timeout.ms", at_least(1);
    /// The shortest that this may be, in milliseconds.
    group_consumer_min_session_timeout_ms: i32 = 45_000, "group.consumer.min.session.timeout.ms", at_least(1);
    /// The longest that it may be.
    group_consumer_max_session_timeout_ms: i32 = 60_000, "group.consumer.max.session.timeout.ms", at_least(1);
    /// How often a member of a consumer group is to be heard of, in milliseconds.
    group_consumer_heartbeat_interval_ms: i32 = 5000, "group.consumer.heartbeat.interval.ms", at_least(1);
    /// The shortest that this may be, in milliseconds.
    group_consumer_min_heartbeat_interval_ms: i32 = 5000, "group.consumer.min.heartbeat.interval.ms", at_least(1);
    /// The longest that it may be.
    group_consumer_max_heartbeat_interval_ms: i32 = 15_000, "group.consumer.max.heartbeat.interval.ms", at_least(1);
    /// How long a consumer group keeps the assignment that it has, in milliseconds, before the next is computed: what
    /// changes meanwhile is assigned together, with the first heartbeat after that. Kafka's default is 1,000, and it
    /// assigns on a thread of its own; here that takes little, and waits for nothing.
    group_consumer_assignment_interval_ms: i32 = 0, "group.consumer.assignment.interval.ms", at_least(0);
    /// The shortest that this may be, in milliseconds.
    group_consumer_min_assignment_interval_ms: i32 = 0, "group.consumer.min.assignment.interval.ms", at_least(0);
    /// The longest that it may be.
    group_consumer_max_assignment_interval_ms: i32 = 15_000, "group.consumer.max.assignment.interval.ms", at_least(0);
    /// How many members a consumer group may have.
    group_consumer_max_size: i32 = i32::MAX, "group.consumer.max.size", at_least(1);
    /// How long it is taken for granted which topics a regular expression of a consumer group stands for, in
    /// milliseconds. New topics are looked at with the first heartbeat 10 seconds after the last time.
    group_consumer_regex_refresh_interval_ms: i32 = 600_000, "group.consumer.regex.refresh.interval.ms", at_least(10_000);
    /// How the coordinator may assign partitions to the members of a consumer group: the first where they don't ask for
    /// another of these.
    group_consumer_assignors: Vec<ConsumerGroupAssignor> =
        vec![ConsumerGroupAssignor::Uniform, ConsumerGroupAssignor::Range],
        "group.consumer.assignors", Valid::new(|assignors: &Vec<_>| !assignors.is_empty(), "a list of uniform and range");
    /// Whether groups with members may go from the classic protocol to that of consumer groups, and back:
    /// `bidirectional`, `upgrade`, `downgrade` or `disabled`.
    group_consumer_migration_policy: ConsumerGroupMigrationPolicy = ConsumerGroupMigrationPolicy::Bidirectional,
        "group.consumer.migration.policy", any();
    /// The partitions of `__transaction_state` when it is created.
    transaction_state_log_num_partitions: i32 = 50, "transaction.state.log.num.partitions", at_least(1);
    /// The longest that a transactional producer may ask to leave a transaction open, in milliseconds.
    transaction_max_timeout_ms: i32 = 900_000, "transaction.max.timeout.ms", at_least(1);
    /// How often transactions are looked for that have been open for longer than their timeout, in milliseconds.
    transaction_abort_timed_out_transaction_cleanup_interval_ms: i32 = 10_000,
        "transaction.abort.timed.out.transaction.cleanup.interval.ms", at_least(1);
    /// How long a transactional id is known that is not used, in milliseconds.
    transactional_id_expiration_ms: i32 = 604_800_000, "transactional.id.expiration.ms", at_least(1);
    /// How often transactional ids that are older than that are looked for, in milliseconds.
    transaction_remove_expired_transaction_cleanup_interval_ms: i32 = 3_600_000,
        "transaction.remove.expired.transaction.cleanup.interval.ms", at_least(1);
    /// Whether topics are compacted by themselves. Where it is off, [`Store::compact`](crate::Store::compact) still
    /// does.
    log_cleaner_enable: bool = true, "log.cleaner.enable", any();
    /// How much memory the keys of a pass of compaction may take, in bytes. 24 bytes hold a key, whatever its length. A
    /// pass takes what its part of the log needs and gives it back; where that is more than this, it takes several.
    log_cleaner_dedupe_buffer_size: usize = 134_217_728, "log.cleaner.dedupe.buffer.size", at_least(384);
    /// How many bytes a second compaction reads and writes by itself, in all; the default is no limit.
    log_cleaner_io_max_bytes_per_second: f64 = f64::MAX, "log.cleaner.io.max.bytes.per.second",
        Valid::new(|limit: &f64| limit.is_finite() && *limit >= 1.0, "a number from 1 up");
    /// How long to wait before looking for a log to compact after there was none, in milliseconds.
    log_cleaner_backoff_ms: i64 = 15_000, "log.cleaner.backoff.ms", at_least(0);
    /// How many files of its partitions the store has open at most, and maps of them. A segment that is read or written
    /// has three, or four with aborted transactions; beyond the limit, those that were not used for longest are let go
    /// of, and are opened again when they are needed. 0 stands for half of what the process may open (`ulimit -n`), and
    /// no more than 16,384, a quarter of Linux's usual `vm.max_map_count`. Not one of Kafka's, which has no limit.
    open_files_max: usize = 0, "open.files.max", any();
    /// After how long without a read or an append, or up to twice that, the files of a segment are let go of, in
    /// milliseconds. Those of an active segment are synced first, and what is reserved beyond their ends is given back.
    /// Not one of Kafka's.
    open_files_idle_ms: i64 = 60_000, "open.files.idle.ms", at_least(1);
}

impl StoreConfig {
    /// What Kafka demands of those configs of consumer groups together.
    fn validate_consumer_groups(&self) -> Result<()> {
        at_least(self.group_consumer_min_session_timeout_ms)
            .check("group.consumer.max.session.timeout.ms", &self.group_consumer_max_session_timeout_ms)?;
        at_least(self.group_consumer_min_heartbeat_interval_ms)
            .check("group.consumer.max.heartbeat.interval.ms", &self.group_consumer_max_heartbeat_interval_ms)?;
        at_least(self.group_consumer_min_assignment_interval_ms)
            .check("group.consumer.max.assignment.interval.ms", &self.group_consumer_max_assignment_interval_ms)?;
        let interval_ms = self.group_consumer_assignment_interval_ms;
        self.check_assignment_interval("group.consumer.assignment.interval.ms", interval_ms)?;
        self.check_consumer_group(
            ("group.consumer.session.timeout.ms", self.group_consumer_session_timeout_ms),
            ("group.consumer.heartbeat.interval.ms", self.group_consumer_heartbeat_interval_ms),
        )
    }

    /// Whether the members of a consumer group may have this session timeout and this heartbeat interval, each with the
    /// name of the config that says so.
    pub(super) fn check_consumer_group(&self, session: (&str, i32), heartbeat: (&str, i32)) -> Result<()> {
        let ((session, session_ms), (heartbeat, heartbeat_ms)) = (session, heartbeat);
        between(self.group_consumer_min_session_timeout_ms, self.group_consumer_max_session_timeout_ms)
            .check(session, &session_ms)?;
        between(self.group_consumer_min_heartbeat_interval_ms, self.group_consumer_max_heartbeat_interval_ms)
            .check(heartbeat, &heartbeat_ms)?;
        between(1, session_ms.saturating_sub(1)).check(heartbeat, &heartbeat_ms)
    }

    /// Whether a consumer group may keep its assignment for that long, by the config of this name.
    pub(super) fn check_assignment_interval(&self, key: &str, interval_ms: i32) -> Result<()> {
        between(self.group_consumer_min_assignment_interval_ms, self.group_consumer_max_assignment_interval_ms)
            .check(key, &interval_ms)
    }
}

/// Whether `acks=all` waits for the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncPolicy {
    /// [`Acks::All`](crate::Acks::All) is acknowledged after a sync: it survives the loss of power.
    #[default]
    Always,
    /// The operating system writes when it sees fit, as with Kafka's defaults: `All` promises no more than `Leader`.
    OsManaged,
}

impl SyncPolicy {
    const ALL: [Self; 2] = [Self::Always, Self::OsManaged];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::OsManaged => "os-managed",
        }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == value)
    }
}

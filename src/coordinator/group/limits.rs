//! What the broker's configs let groups have, and what they say to members that don't say it themselves.

use super::consumer::Assignors;
use crate::config::{ConsumerGroupMigrationPolicy, GroupConfig, StoreConfig};

/// How much a member of the classic protocol may bring that its group keeps, in bytes: as much as a record of
/// `__consumer_offsets` takes, by the default of its `max.message.bytes`. Of more than that, the group could never be
/// written down, and until it is to be, nothing else would bound it.
pub(super) const JOIN_BYTES_MAX: usize = 1_048_588;

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) min_session_timeout_ms: i32,
    pub(super) max_session_timeout_ms: i32,
    pub(super) initial_rebalance_delay_ms: i32,
    pub(super) max_size: usize,
    pub(super) consumer_session_timeout_ms: i32,
    pub(super) consumer_heartbeat_interval_ms: i32,
    pub(super) consumer_assignment_interval_ms: i32,
    consumer_session_timeouts_ms: (i32, i32),
    consumer_heartbeat_intervals_ms: (i32, i32),
    consumer_assignment_intervals_ms: (i32, i32),
    pub(super) consumer_max_size: usize,
    pub(super) consumer_regex_refresh_interval_ms: i32,
    pub(super) assignors: Assignors,
    pub(super) migration_policy: ConsumerGroupMigrationPolicy,
}

impl Limits {
    pub(super) fn new(config: &StoreConfig) -> Self {
        Self {
            min_session_timeout_ms: config.group_min_session_timeout_ms,
            max_session_timeout_ms: config.group_max_session_timeout_ms,
            initial_rebalance_delay_ms: config.group_initial_rebalance_delay_ms,
            max_size: usize::try_from(config.group_max_size).unwrap_or(usize::MAX),
            consumer_session_timeout_ms: config.group_consumer_session_timeout_ms,
            consumer_heartbeat_interval_ms: config.group_consumer_heartbeat_interval_ms,
            consumer_assignment_interval_ms: config.group_consumer_assignment_interval_ms,
            consumer_session_timeouts_ms: (
                config.group_consumer_min_session_timeout_ms,
                config.group_consumer_max_session_timeout_ms,
            ),
            consumer_heartbeat_intervals_ms: (
                config.group_consumer_min_heartbeat_interval_ms,
                config.group_consumer_max_heartbeat_interval_ms,
            ),
            consumer_assignment_intervals_ms: (
                config.group_consumer_min_assignment_interval_ms,
                config.group_consumer_max_assignment_interval_ms,
            ),
            consumer_max_size: usize::try_from(config.group_consumer_max_size).unwrap_or(usize::MAX),
            consumer_regex_refresh_interval_ms: config.group_consumer_regex_refresh_interval_ms,
            assignors: Assignors::new(&config.group_consumer_assignors),
            migration_policy: config.group_consumer_migration_policy,
        }
    }

    /// Those of a group with configs of its own. They may have been set when the bounds were others: then it has what
    /// comes closest (Kafka's `GroupConfig.evaluate`).
    pub(super) fn of_group(self, config: &GroupConfig) -> Self {
        let within = |(min, max): (i32, i32), value: i32| value.max(min).min(max);
        let own = |own: Option<i32>, bounds, otherwise| own.map_or(otherwise, |own| within(bounds, own));
        Self {
            consumer_session_timeout_ms: own(
                config.consumer_session_timeout_ms,
                self.consumer_session_timeouts_ms,
                self.consumer_session_timeout_ms,
            ),
            consumer_heartbeat_interval_ms: own(
                config.consumer_heartbeat_interval_ms,
                self.consumer_heartbeat_intervals_ms,
                self.consumer_heartbeat_interval_ms,
            ),
            consumer_assignment_interval_ms: own(
                config.consumer_assignment_interval_ms,
                self.consumer_assignment_intervals_ms,
                self.consumer_assignment_interval_ms,
            ),
            ..self
        }
    }
}

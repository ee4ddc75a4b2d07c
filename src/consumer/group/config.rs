//! What a consumer's membership goes by, with Kafka's names and defaults.

use std::sync::Arc;
use std::time::Duration;

use crate::config::invalid;
use crate::consumer::ConsumerConfig;
use crate::coordinator::{
    CooperativeStickyAssignor, PartitionAssignor, RangeAssignor, RoundRobinAssignor, StickyAssignor,
};
use crate::error::Result;
use crate::store::record_fields::STRING_BYTES_MAX;

const ASSIGNORS: &str = "partition.assignment.strategy";

/// The configs of a consumer that subscribes.
#[derive(Clone, Debug)]
pub(in crate::consumer) struct MembershipConfig {
    pub(super) client_id: String,
    pub(super) group_instance_id: Option<String>,
    session_timeout: Duration,
    max_poll_interval: Duration,
    pub(super) assignors: Vec<Arc<dyn PartitionAssignor>>,
}

impl Default for MembershipConfig {
    fn default() -> Self {
        Self {
            client_id: "consumer".to_owned(),
            group_instance_id: None,
            session_timeout: Duration::from_secs(45),
            max_poll_interval: Duration::from_secs(300),
            assignors: vec![Arc::new(RangeAssignor), Arc::new(CooperativeStickyAssignor)],
        }
    }
}

impl ConsumerConfig {
    /// What the consumer calls itself, which its member id begins with (`client.id`; default `consumer`).
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.membership.client_id = client_id.into();
        self
    }

    /// Makes the consumer a static member (`group.instance.id`, KIP-345): when it goes it does not leave the group, and
    /// if one of the same name comes within the session timeout, that goes on in its place without a rebalance. There
    /// may be one consumer of a name in a group; a second one takes over, and the first is told
    /// [`GroupError::FencedInstanceId`](crate::GroupError::FencedInstanceId).
    pub fn group_instance_id(mut self, name: impl Into<String>) -> Self {
        self.membership.group_instance_id = Some(name.into());
        self
    }

    /// How long the group waits for a static member that is gone (`session.timeout.ms`; default 45 seconds). It must be
    /// between `group.min.session.timeout.ms` and `group.max.session.timeout.ms` of the store, which is found out when
    /// the consumer joins.
    ///
    /// A consumer in the coordinator's own process needs no heartbeats to be known to be alive: that it is there is
    /// known, and that it gets on is what [`max_poll_interval`](Self::max_poll_interval) is for.
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.membership.session_timeout = timeout;
        self
    }

    /// How long a consumer may take between two polls (`max.poll.interval.ms`; default 5 minutes). After that it has
    /// left its group, others have its partitions, and what it commits is refused. Also how long the others wait for it
    /// when the group rebalances.
    pub fn max_poll_interval(mut self, interval: Duration) -> Self {
        self.membership.max_poll_interval = interval;
        self
    }

    /// How partitions are shared out, the way that is liked best first (`partition.assignment.strategy`; default
    /// `range`, then `cooperative-sticky`, as in Kafka). All members must have one in common; see
    /// [`PartitionAssignor`]. Members go by the cooperative protocol if all of their assignors do.
    pub fn partition_assignment_strategy(
        mut self,
        assignors: impl IntoIterator<Item = Arc<dyn PartitionAssignor>>,
    ) -> Self {
        self.membership.assignors = assignors.into_iter().collect();
        self
    }
}

impl MembershipConfig {
    /// Refuses what the coordinator could not be told: names that no record of a group can hold, and times that do not
    /// fit into Kafka's 32 bits.
    pub(in crate::consumer) fn validate(&self) -> Result<()> {
        let instance = self.group_instance_id.as_ref();
        for (key, name, min) in [("client.id", Some(&self.client_id), 0), ("group.instance.id", instance, 1)] {
            if let Some(name) = name.filter(|name| !(min..=STRING_BYTES_MAX).contains(&name.len())) {
                return Err(invalid(key, name, format!("a name of {min} to {STRING_BYTES_MAX} bytes")));
            }
        }
        let times = [("session.timeout.ms", self.session_timeout), ("max.poll.interval.ms", self.max_poll_interval)];
        for (key, time) in times {
            if !(1..=i32::MAX as u128).contains(&time.as_millis()) {
                let expected = format!("a number of milliseconds from 1 to {}", i32::MAX);
                return Err(invalid(key, &time.as_millis().to_string(), expected));
            }
        }
        if self.assignors.is_empty() {
            return Err(invalid(ASSIGNORS, "", "one assignor at least"));
        }
        Ok(())
    }

    pub(super) fn session_timeout_ms(&self) -> i32 {
        checked_ms(self.session_timeout)
    }

    pub(super) fn max_poll_interval_ms(&self) -> i32 {
        checked_ms(self.max_poll_interval)
    }

    /// Sets a config of members by Kafka's name for it.
    pub(in crate::consumer) fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let time = || match value.parse::<i32>() {
            Ok(ms) if ms >= 1 => Ok(Duration::from_millis(ms.unsigned_abs().into())),
            _ => Err(invalid(key, value, format!("a number of milliseconds from 1 to {}", i32::MAX))),
        };
        match key {
            "client.id" => value.clone_into(&mut self.client_id),
            "group.instance.id" => self.group_instance_id = Some(value.to_owned()).filter(|name| !name.is_empty()),
            "session.timeout.ms" => self.session_timeout = time()?,
            // Nobody sends any: see `session_timeout`.
            "heartbeat.interval.ms" => drop(time()?),
            "max.poll.interval.ms" => self.max_poll_interval = time()?,
            _ => self.assignors = value.split(',').map(|name| assignor_of(key, name.trim())).collect::<Result<_>>()?,
        }
        Ok(())
    }

    /// What a config of members is; None if it is not one, or has no value.
    pub(in crate::consumer) fn get(&self, key: &str) -> Option<String> {
        Some(match key {
            "client.id" => self.client_id.clone(),
            "group.instance.id" => self.group_instance_id.clone()?,
            "session.timeout.ms" => self.session_timeout.as_millis().to_string(),
            "max.poll.interval.ms" => self.max_poll_interval.as_millis().to_string(),
            ASSIGNORS => self.assignors.iter().map(|assignor| assignor.name()).collect::<Vec<_>>().join(","),
            _ => return None,
        })
    }
}

/// Of a time that was found to fit.
fn checked_ms(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

/// The assignor that Kafka has under this name, or in this class.
fn assignor_of(key: &str, name: &str) -> Result<Arc<dyn PartitionAssignor>> {
    match name.rsplit('.').next().unwrap_or(name) {
        "range" | "RangeAssignor" => Ok(Arc::new(RangeAssignor)),
        "roundrobin" | "RoundRobinAssignor" => Ok(Arc::new(RoundRobinAssignor)),
        "sticky" | "StickyAssignor" => Ok(Arc::new(StickyAssignor)),
        "cooperative-sticky" | "CooperativeStickyAssignor" => Ok(Arc::new(CooperativeStickyAssignor)),
        _ => Err(invalid(key, name, "range, roundrobin, sticky or cooperative-sticky, separated by commas")),
    }
}

//! What a consumer's membership goes by, with Kafka's names and defaults.

use std::sync::Arc;

use crate::config::invalid;
use crate::consumer::ConsumerConfig;
use crate::coordinator::{
    CooperativeStickyAssignor, PartitionAssignor, RangeAssignor, RoundRobinAssignor, StickyAssignor,
};
use crate::error::Result;
use crate::store::record_fields::STRING_BYTES_MAX;

/// The configs of a consumer that subscribes.
#[derive(Clone, Debug)]
pub(in crate::consumer) struct MembershipConfig {
    pub(super) client_id: String,
    pub(super) group_instance_id: Option<String>,
    pub(super) session_timeout_ms: i32,
    pub(super) max_poll_interval_ms: i32,
    pub(super) assignors: Vec<Arc<dyn PartitionAssignor>>,
}

impl Default for MembershipConfig {
    fn default() -> Self {
        Self {
            client_id: "consumer".to_owned(),
            group_instance_id: None,
            session_timeout_ms: 45_000,
            max_poll_interval_ms: 300_000,
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

    /// How long the group waits for a static member that is gone, in milliseconds (`session.timeout.ms`; default
    /// 45,000). It must be between `group.min.session.timeout.ms` and `group.max.session.timeout.ms` of the store.
    ///
    /// A consumer in the coordinator's own process needs no heartbeats to be known to be alive: that it is there is
    /// known, and that it gets on is what [`max_poll_interval_ms`](Self::max_poll_interval_ms) is for.
    pub fn session_timeout_ms(mut self, timeout_ms: i32) -> Self {
        self.membership.session_timeout_ms = timeout_ms;
        self
    }

    /// How long a consumer may take between two polls, in milliseconds (`max.poll.interval.ms`; default 300,000). After
    /// that it has left its group, others have its partitions, and what it commits is refused. Also how long the others
    /// wait for it when the group rebalances.
    pub fn max_poll_interval_ms(mut self, interval_ms: i32) -> Self {
        self.membership.max_poll_interval_ms = interval_ms.max(1);
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
    /// Refuses names that no record of a group can hold.
    pub(in crate::consumer) fn check(&self) -> Result<()> {
        let names = [("client.id", Some(&self.client_id)), ("group.instance.id", self.group_instance_id.as_ref())];
        for (key, name) in names {
            if let Some(name) = name.filter(|name| name.len() > STRING_BYTES_MAX) {
                return Err(invalid(key, name, format!("a name of {STRING_BYTES_MAX} bytes at most")));
            }
        }
        Ok(())
    }

    /// Sets a config of members by Kafka's name for it.
    pub(in crate::consumer) fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let number = || match value.parse() {
            Ok(number) if number >= 1 => Ok(number),
            _ => Err(invalid(key, value, "a number of milliseconds from 1 up")),
        };
        match key {
            "client.id" => value.clone_into(&mut self.client_id),
            "group.instance.id" => self.group_instance_id = Some(value.to_owned()).filter(|name| !name.is_empty()),
            "session.timeout.ms" => self.session_timeout_ms = number()?,
            // Nobody sends any: see `session_timeout_ms`.
            "heartbeat.interval.ms" => drop(number()?),
            "max.poll.interval.ms" => self.max_poll_interval_ms = number()?,
            _ => self.assignors = value.split(',').map(|name| assignor_of(key, name.trim())).collect::<Result<_>>()?,
        }
        Ok(())
    }
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

//! What a member of a consumer group says, and what it is told: Kafka's ConsumerGroupHeartbeat, without its versions.

use super::record::Partitions;
use crate::uuid::Uuid;

/// A member joins, stays or leaves (ConsumerGroupHeartbeat, KIP-848). What has not changed since its last one it may
/// leave out, except when it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerHeartbeatRequest {
    /// The group's name.
    pub group: String,
    /// Which member it is: an id of its own making (KIP-1082). Empty if it joins and wants one made, of
    /// [`fresh_id`](Self::fresh_id).
    pub member_id: String,
    /// The epoch that it is in. 0 to join; −1 to leave; −2 for a static member to leave and keep its part for as long
    /// as its session lasts.
    pub member_epoch: i32,
    /// The name of a static member, which survives its restarts (`group.instance.id`).
    pub instance_id: Option<String>,
    /// The rack that it is in.
    pub rack_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where the client is, as Java writes addresses: `/127.0.0.1`.
    pub client_host: String,
    /// How long it may take to revoke partitions, in milliseconds; −1 if that has not changed.
    pub rebalance_timeout_ms: i32,
    /// The topics that it is subscribed to.
    pub topic_names: Option<Vec<String>>,
    /// The regular expression that it is subscribed to; empty if it isn't any more. One may be 4 KiB long, and compile
    /// to 128 KiB: enough for as many names as have room in it, or a thousand counted repetitions.
    pub topic_regex: Option<String>,
    /// The assignor that it wants: `uniform` or `range`.
    pub server_assignor: Option<String>,
    /// The partitions that it has.
    pub owned: Option<Partitions>,
    /// Random: a new member without an id is named by it.
    pub fresh_id: Uuid,
}

impl Default for ConsumerHeartbeatRequest {
    /// A heartbeat of nobody, that leaves out what may be left out.
    fn default() -> Self {
        Self {
            group: String::new(),
            member_id: String::new(),
            member_epoch: 0,
            instance_id: None,
            rack_id: None,
            client_id: String::new(),
            client_host: String::new(),
            rebalance_timeout_ms: -1,
            topic_names: None,
            topic_regex: None,
            server_assignor: None,
            owned: None,
            fresh_id: Uuid::ZERO,
        }
    }
}

/// A member is in a consumer group, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerHeartbeat {
    /// Its id.
    pub member_id: String,
    /// The epoch that it is in now.
    pub member_epoch: i32,
    /// How often it is to be heard of, in milliseconds.
    pub heartbeat_interval_ms: i32,
    /// What it is to read, and nothing else: None if that has not changed.
    pub assignment: Option<Partitions>,
}

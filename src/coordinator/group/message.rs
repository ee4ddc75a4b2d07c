//! What goes into the coordinator and what comes out: Kafka's requests and responses, without their versions.

use bytes::Bytes;

use super::consumer::{ConsumerHeartbeat, GroupRecord};
use crate::error::GroupError;
use crate::uuid::Uuid;

/// Someone wants to be a member of a group, or stay one in its next generation (JoinGroup).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinRequest {
    /// The group's name.
    pub group: String,
    /// Which member it is; empty if it isn't one yet.
    pub member_id: String,
    /// The name of a static member, which survives its restarts (`group.instance.id`).
    pub group_instance_id: Option<String>,
    /// What the client calls itself, which its member id will begin with.
    pub client_id: String,
    /// Where the client is, as Java writes addresses: `/127.0.0.1`.
    pub client_host: String,
    /// How long the member counts as alive after its last sign of life, in milliseconds.
    pub session_timeout_ms: i32,
    /// How long the member may take to join again when the group rebalances, in milliseconds.
    pub rebalance_timeout_ms: i32,
    /// Which kind of group it is: `consumer` for consumers.
    pub protocol_type: String,
    /// The ways to assign that the member knows, the one that it likes best first. Together, and with the names above,
    /// they take 1,048,588 bytes at most, which is what fits into a record of `__consumer_offsets` by default.
    pub protocols: Vec<JoinProtocol>,
    /// Whether the client comes back with the member id that it is given (JoinGroup 4, KIP-394).
    pub comes_back_with_id: bool,
    /// Whether the client can be told not to assign anew (JoinGroup 9, KIP-814).
    pub can_skip_assignment: bool,
    /// Random: a new member is named by it.
    pub fresh_id: Uuid,
}

/// A way to assign, and what the member has to say for it: its subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinProtocol {
    /// Such as `range`.
    pub name: String,
    /// The coordinator looks into it only to know which topics a group of consumers is subscribed to.
    pub metadata: Bytes,
}

/// A member is in a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Joined {
    /// Which one.
    pub generation: i32,
    /// The kind of group.
    pub protocol_type: Option<String>,
    /// The way to assign that all members know.
    pub protocol_name: Option<String>,
    /// The member that is to assign.
    pub leader: String,
    /// Whether the leader is to leave the assignment as it is.
    pub skip_assignment: bool,
    /// The member itself.
    pub member_id: String,
    /// All members, if it leads.
    pub members: Vec<JoinedMember>,
}

/// A member, as its leader gets to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JoinedMember {
    /// Its id.
    pub member_id: String,
    /// Its name, if it is static.
    pub group_instance_id: Option<String>,
    /// What it said for the protocol that was chosen.
    pub metadata: Bytes,
}

/// A member is not in the generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotJoined {
    /// Why.
    pub error: GroupError,
    /// The id to join with next.
    pub member_id: String,
}

/// A member wants its part of the assignment; the leader brings everybody's (SyncGroup).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncRequest {
    /// The group's name.
    pub group: String,
    /// The generation that the member is in.
    pub generation: i32,
    /// Which member it is.
    pub member_id: String,
    /// Its name, if it is static.
    pub group_instance_id: Option<String>,
    /// The kind of group that it takes it for, if it says so.
    pub protocol_type: Option<String>,
    /// The way to assign that it goes by, if it says so.
    pub protocol_name: Option<String>,
    /// From the leader: what each member gets, by member id.
    pub assignments: Vec<(String, Bytes)>,
}

/// A member's part.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Synced {
    /// The kind of group.
    pub protocol_type: Option<String>,
    /// The way to assign that was chosen.
    pub protocol_name: Option<String>,
    /// What the leader has assigned to it.
    pub assignment: Bytes,
}

/// A member goes (an element of LeaveGroup).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaveRequest {
    /// Which one; empty if a static member is taken out by its name.
    pub member_id: String,
    /// Its name, if it is static.
    pub group_instance_id: Option<String>,
}

/// An answer to a request that had to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Response {
    /// To [`join`](super::GroupCoordinator::join).
    Join(Result<Joined, NotJoined>),
    /// To [`sync`](super::GroupCoordinator::sync).
    Sync(Result<Synced, GroupError>),
    /// To [`consumer_heartbeat`](super::GroupCoordinator::consumer_heartbeat).
    ConsumerHeartbeat(Result<ConsumerHeartbeat, GroupError>),
}

impl Response {
    /// The answer to the same request where what was decided could not be written.
    pub(super) fn failed(self, error: GroupError) -> Self {
        match self {
            // Whoever it is, it may join as that.
            Self::Join(Ok(Joined { member_id, .. }) | Err(NotJoined { member_id, .. })) => {
                Self::Join(Err(NotJoined { error, member_id }))
            }
            Self::Sync(_) => Self::Sync(Err(error)),
            Self::ConsumerHeartbeat(_) => Self::ConsumerHeartbeat(Err(error)),
        }
    }
}

/// Names a record that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriteId(pub(super) u64);

/// What is to be done. `T` is what requests came with.
///
/// Whoever drives a coordinator has to do all of it, so that a match must have every variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<T> {
    /// Answer a request. Each request that had to wait is answered exactly once.
    Respond {
        /// Which one.
        to: T,
        /// How.
        response: Response,
    },
    /// Append records to `__consumer_offsets`, all of them or none: as one batch. Those of a group must be appended in
    /// the order in which they come.
    Write {
        /// If given, [`written`](super::GroupCoordinator::written) is to be called once the records are durable, or
        /// have failed. If not, nobody waits for them, and their loss does no harm.
        write: Option<WriteId>,
        /// The group's name.
        group: String,
        /// What the records say. At least one.
        records: Vec<GroupRecord>,
    },
}

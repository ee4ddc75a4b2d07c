//! Why a request about a group is refused, by Kafka's names.

/// Why a coordinator refuses a request about a group. Clients act upon these, as Kafka's protocol lays down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// `COORDINATOR_NOT_AVAILABLE`: a record could not be written. Try again.
    #[error("the group's record could not be written")]
    CoordinatorNotAvailable,
    /// `NOT_COORDINATOR`: the group is coordinated elsewhere, or not any more. Ask who coordinates it.
    #[error("the group is not coordinated here")]
    NotCoordinator,
    /// `UNKNOWN_SERVER_ERROR`: a record can't be written, ever.
    #[error("the group's record can't be written")]
    UnknownServerError,
    /// `INVALID_GROUP_ID`: a group must have a name, of 32,767 bytes at most.
    #[error("a group must have a name, of 32767 bytes at most")]
    InvalidGroupId,
    /// `GROUP_ID_NOT_FOUND`: there is no such group.
    #[error("there is no such group")]
    GroupIdNotFound,
    /// `GROUP_ID_NOT_FOUND`: a member of the consumer protocol (KIP-848) would join a classic group, which
    /// `group.consumer.migration.policy`, `group.consumer.max.size` or what its assignor has told its members keeps
    /// from becoming a consumer group.
    #[error("the group is one of the classic protocol, and may not or can't become a consumer group")]
    NotUpgradable,
    /// `ILLEGAL_GENERATION`: the group is in another generation. Join again.
    #[error("the group is in another generation")]
    IllegalGeneration,
    /// `INCONSISTENT_GROUP_PROTOCOL`: the member has no protocol in common with the others.
    #[error("no protocol is common to all members")]
    InconsistentGroupProtocol,
    /// `UNKNOWN_MEMBER_ID`: the group has no such member, or not any more. Join as a new one.
    #[error("the group has no such member")]
    UnknownMemberId,
    /// `INVALID_SESSION_TIMEOUT`: outside of `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
    #[error("the session timeout is out of the range that is allowed")]
    InvalidSessionTimeout,
    /// `REBALANCE_IN_PROGRESS`: a new generation is being formed. Join it.
    #[error("a new generation is being formed")]
    RebalanceInProgress,
    /// `NON_EMPTY_GROUP`: the group has members.
    #[error("the group has members")]
    NonEmptyGroup,
    /// `MEMBER_ID_REQUIRED`: join again, with the member id that comes with this (KIP-394).
    #[error("a member must join with the id that it is given")]
    MemberIdRequired,
    /// `GROUP_MAX_SIZE_REACHED`: the group has `group.max.size` members.
    #[error("the group is full")]
    GroupMaxSizeReached,
    /// `FENCED_INSTANCE_ID`: another process has taken over the static member (KIP-345).
    #[error("another process has the group.instance.id")]
    FencedInstanceId,
    /// `INVALID_REQUEST`: a heartbeat of a consumer group lacks what it must say, or says what it may not.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// `FENCED_MEMBER_EPOCH`: the member of a consumer group is not in the epoch that it says. It must let go of all
    /// its partitions, and join again.
    #[error("the member is in another epoch")]
    FencedMemberEpoch,
    /// `STALE_MEMBER_EPOCH`: the member has moved on to a later epoch. Try again with that.
    #[error("the member has moved on to another epoch")]
    StaleMemberEpoch,
    /// `UNRELEASED_INSTANCE_ID`: another member has the name. Join when it has left.
    #[error("another member has the group.instance.id")]
    UnreleasedInstanceId,
    /// `UNSUPPORTED_ASSIGNOR`: the coordinator knows no such assignor.
    #[error("the assignor is not known")]
    UnsupportedAssignor,
    /// `INVALID_REGULAR_EXPRESSION`: it can't be understood, or is too large.
    #[error("the regular expression can't be understood")]
    InvalidRegularExpression,
}

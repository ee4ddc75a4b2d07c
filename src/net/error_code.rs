//! Kafka's error codes: the numbers that errors have on the wire.

use std::fmt;

use super::codec::{Decoder, Encoder, Kind, Wire};
use super::protocol_error::ProtocolError;
use crate::error::{Error, GroupError};

/// What a response says about how a request went. [`NONE`](Self::NONE) is success.
///
/// A number that isn't known here is kept as it is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(pub i16);

/// Declares the codes, and which of them a client may answer by trying again (Kafka's `RetriableException`).
macro_rules! error_codes {
    ($($name:ident = $code:literal $(, $retriable:ident)?;)*) => {
        impl ErrorCode {
            $(
                #[doc = concat!("Kafka's `", stringify!($name), "` (", stringify!($code), ").")]
                pub const $name: Self = Self($code);
            )*

            /// All that are known here.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Kafka's name for it, if it is known here.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// Whether the same request may succeed later, or after asking for metadata again.
            pub const fn is_retriable(self) -> bool {
                match self {
                    $(Self::$name => is_retriable!($($retriable)?),)*
                    _ => false,
                }
            }
        }
    };
}

macro_rules! is_retriable {
    () => {
        false
    };
    (retriable) => {
        true
    };
}

error_codes! {
    UNKNOWN_SERVER_ERROR = -1;
    NONE = 0;
    OFFSET_OUT_OF_RANGE = 1;
    CORRUPT_MESSAGE = 2, retriable;
    UNKNOWN_TOPIC_OR_PARTITION = 3, retriable;
    INVALID_FETCH_SIZE = 4;
    LEADER_NOT_AVAILABLE = 5, retriable;
    NOT_LEADER_OR_FOLLOWER = 6, retriable;
    REQUEST_TIMED_OUT = 7, retriable;
    BROKER_NOT_AVAILABLE = 8;
    REPLICA_NOT_AVAILABLE = 9, retriable;
    MESSAGE_TOO_LARGE = 10;
    STALE_CONTROLLER_EPOCH = 11;
    OFFSET_METADATA_TOO_LARGE = 12;
    NETWORK_EXCEPTION = 13, retriable;
    COORDINATOR_LOAD_IN_PROGRESS = 14, retriable;
    COORDINATOR_NOT_AVAILABLE = 15, retriable;
    NOT_COORDINATOR = 16, retriable;
    INVALID_TOPIC_EXCEPTION = 17;
    RECORD_LIST_TOO_LARGE = 18;
    NOT_ENOUGH_REPLICAS = 19, retriable;
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20, retriable;
    INVALID_REQUIRED_ACKS = 21;
    ILLEGAL_GENERATION = 22;
    INCONSISTENT_GROUP_PROTOCOL = 23;
    INVALID_GROUP_ID = 24;
    UNKNOWN_MEMBER_ID = 25;
    INVALID_SESSION_TIMEOUT = 26;
    REBALANCE_IN_PROGRESS = 27;
    INVALID_COMMIT_OFFSET_SIZE = 28;
    TOPIC_AUTHORIZATION_FAILED = 29;
    GROUP_AUTHORIZATION_FAILED = 30;
    CLUSTER_AUTHORIZATION_FAILED = 31;
    INVALID_TIMESTAMP = 32;
    UNSUPPORTED_SASL_MECHANISM = 33;
    ILLEGAL_SASL_STATE = 34;
    UNSUPPORTED_VERSION = 35;
    TOPIC_ALREADY_EXISTS = 36;
    INVALID_PARTITIONS = 37;
    INVALID_REPLICATION_FACTOR = 38;
    INVALID_REPLICA_ASSIGNMENT = 39;
    INVALID_CONFIG = 40;
    NOT_CONTROLLER = 41, retriable;
    INVALID_REQUEST = 42;
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43;
    POLICY_VIOLATION = 44;
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
    DUPLICATE_SEQUENCE_NUMBER = 46;
    INVALID_PRODUCER_EPOCH = 47;
    INVALID_TXN_STATE = 48;
    INVALID_PRODUCER_ID_MAPPING = 49;
    INVALID_TRANSACTION_TIMEOUT = 50;
    CONCURRENT_TRANSACTIONS = 51, retriable;
    TRANSACTION_COORDINATOR_FENCED = 52;
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53;
    SECURITY_DISABLED = 54;
    OPERATION_NOT_ATTEMPTED = 55;
    KAFKA_STORAGE_ERROR = 56, retriable;
    LOG_DIR_NOT_FOUND = 57;
    SASL_AUTHENTICATION_FAILED = 58;
    UNKNOWN_PRODUCER_ID = 59;
    REASSIGNMENT_IN_PROGRESS = 60;
    DELEGATION_TOKEN_AUTH_DISABLED = 61;
    DELEGATION_TOKEN_NOT_FOUND = 62;
    DELEGATION_TOKEN_OWNER_MISMATCH = 63;
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64;
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65;
    DELEGATION_TOKEN_EXPIRED = 66;
    INVALID_PRINCIPAL_TYPE = 67;
    NON_EMPTY_GROUP = 68;
    GROUP_ID_NOT_FOUND = 69;
    FETCH_SESSION_ID_NOT_FOUND = 70, retriable;
    INVALID_FETCH_SESSION_EPOCH = 71, retriable;
    LISTENER_NOT_FOUND = 72, retriable;
    TOPIC_DELETION_DISABLED = 73;
    FENCED_LEADER_EPOCH = 74, retriable;
    UNKNOWN_LEADER_EPOCH = 75, retriable;
    UNSUPPORTED_COMPRESSION_TYPE = 76;
    STALE_BROKER_EPOCH = 77;
    OFFSET_NOT_AVAILABLE = 78, retriable;
    MEMBER_ID_REQUIRED = 79;
    PREFERRED_LEADER_NOT_AVAILABLE = 80, retriable;
    GROUP_MAX_SIZE_REACHED = 81;
    FENCED_INSTANCE_ID = 82;
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83, retriable;
    ELECTION_NOT_NEEDED = 84, retriable;
    NO_REASSIGNMENT_IN_PROGRESS = 85;
    GROUP_SUBSCRIBED_TO_TOPIC = 86;
    INVALID_RECORD = 87;
    UNSTABLE_OFFSET_COMMIT = 88, retriable;
    THROTTLING_QUOTA_EXCEEDED = 89, retriable;
    PRODUCER_FENCED = 90;
    RESOURCE_NOT_FOUND = 91;
    DUPLICATE_RESOURCE = 92;
    UNACCEPTABLE_CREDENTIAL = 93;
    INCONSISTENT_VOTER_SET = 94;
    INVALID_UPDATE_VERSION = 95;
    FEATURE_UPDATE_FAILED = 96;
    PRINCIPAL_DESERIALIZATION_FAILURE = 97;
    SNAPSHOT_NOT_FOUND = 98;
    POSITION_OUT_OF_RANGE = 99;
    UNKNOWN_TOPIC_ID = 100, retriable;
    DUPLICATE_BROKER_REGISTRATION = 101;
    BROKER_ID_NOT_REGISTERED = 102;
    INCONSISTENT_TOPIC_ID = 103, retriable;
    INCONSISTENT_CLUSTER_ID = 104;
    TRANSACTIONAL_ID_NOT_FOUND = 105;
    FETCH_SESSION_TOPIC_ID_ERROR = 106, retriable;
    INELIGIBLE_REPLICA = 107;
    NEW_LEADER_ELECTED = 108;
    OFFSET_MOVED_TO_TIERED_STORAGE = 109;
    FENCED_MEMBER_EPOCH = 110;
    UNRELEASED_INSTANCE_ID = 111;
    UNSUPPORTED_ASSIGNOR = 112;
    STALE_MEMBER_EPOCH = 113;
    MISMATCHED_ENDPOINT_TYPE = 114;
    UNSUPPORTED_ENDPOINT_TYPE = 115;
    UNKNOWN_CONTROLLER_ID = 116;
    UNKNOWN_SUBSCRIPTION_ID = 117;
    TELEMETRY_TOO_LARGE = 118;
    INVALID_REGISTRATION = 119;
    TRANSACTION_ABORTABLE = 120;
    INVALID_RECORD_STATE = 121;
    SHARE_SESSION_NOT_FOUND = 122, retriable;
    INVALID_SHARE_SESSION_EPOCH = 123, retriable;
    FENCED_STATE_EPOCH = 124;
    INVALID_VOTER_KEY = 125;
    DUPLICATE_VOTER = 126;
    VOTER_NOT_FOUND = 127;
    INVALID_REGULAR_EXPRESSION = 128;
    REBOOTSTRAP_REQUIRED = 129;
    STREAMS_INVALID_TOPOLOGY = 130;
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131;
    STREAMS_TOPOLOGY_FENCED = 132;
    SHARE_SESSION_LIMIT_REACHED = 133, retriable;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error code {}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Wire for ErrorCode {
    const KIND: Kind = Kind::Int16;

    fn encode(&self, to: &mut Encoder) -> Result<(), ProtocolError> {
        to.note_error(*self);
        self.0.encode(to)
    }

    fn decode(from: &mut Decoder) -> Result<Self, ProtocolError> {
        i16::decode(from).map(Self)
    }
}

impl From<GroupError> for ErrorCode {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::CoordinatorNotAvailable => Self::COORDINATOR_NOT_AVAILABLE,
            GroupError::NotCoordinator => Self::NOT_COORDINATOR,
            GroupError::UnknownServerError => Self::UNKNOWN_SERVER_ERROR,
            GroupError::InvalidGroupId => Self::INVALID_GROUP_ID,
            GroupError::GroupIdNotFound | GroupError::NotUpgradable => Self::GROUP_ID_NOT_FOUND,
            GroupError::IllegalGeneration => Self::ILLEGAL_GENERATION,
            GroupError::InconsistentGroupProtocol => Self::INCONSISTENT_GROUP_PROTOCOL,
            GroupError::UnknownMemberId => Self::UNKNOWN_MEMBER_ID,
            GroupError::InvalidSessionTimeout => Self::INVALID_SESSION_TIMEOUT,
            GroupError::RebalanceInProgress => Self::REBALANCE_IN_PROGRESS,
            GroupError::NonEmptyGroup => Self::NON_EMPTY_GROUP,
            GroupError::MemberIdRequired => Self::MEMBER_ID_REQUIRED,
            GroupError::GroupMaxSizeReached => Self::GROUP_MAX_SIZE_REACHED,
            GroupError::FencedInstanceId => Self::FENCED_INSTANCE_ID,
            GroupError::InvalidRequest(_) => Self::INVALID_REQUEST,
            GroupError::FencedMemberEpoch => Self::FENCED_MEMBER_EPOCH,
            GroupError::StaleMemberEpoch => Self::STALE_MEMBER_EPOCH,
            GroupError::UnreleasedInstanceId => Self::UNRELEASED_INSTANCE_ID,
            GroupError::UnsupportedAssignor => Self::UNSUPPORTED_ASSIGNOR,
            GroupError::InvalidRegularExpression => Self::INVALID_REGULAR_EXPRESSION,
        }
    }
}

impl From<Error> for ErrorCode {
    /// As of a reference to it.
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<&Error> for ErrorCode {
    /// What a broker answers when the log has answered with `error`.
    fn from(error: &Error) -> Self {
        match error {
            // The disk is at fault. Clients try again, which helps once there is space.
            Error::Io { .. }
            | Error::StorageFull { .. }
            | Error::TooManyOpenFiles { .. }
            | Error::LogOffline { .. }
            | Error::MalformedFile { .. }
            | Error::DirectoryLocked { .. } => Self::KAFKA_STORAGE_ERROR,
            // It stays so, and nobody is to try again.
            Error::ReadOnly { .. } => Self::POLICY_VIOLATION,
            Error::CorruptRecord { .. } => Self::CORRUPT_MESSAGE,
            Error::UnsupportedCompressionType { .. } => Self::UNSUPPORTED_COMPRESSION_TYPE,
            Error::OffsetOutOfRange { .. } => Self::OFFSET_OUT_OF_RANGE,
            Error::FencedLeaderEpoch { .. } => Self::FENCED_LEADER_EPOCH,
            Error::OutOfOrderSequenceNumber { .. } => Self::OUT_OF_ORDER_SEQUENCE_NUMBER,
            Error::InvalidProducerEpoch { .. } => Self::INVALID_PRODUCER_EPOCH,
            Error::InvalidTxnState { .. } | Error::NoOpenTransaction { .. } => Self::INVALID_TXN_STATE,
            Error::TransactionCoordinatorFenced { .. } => Self::TRANSACTION_COORDINATOR_FENCED,
            Error::ProducerFenced { .. } => Self::PRODUCER_FENCED,
            Error::InvalidProducerIdMapping { .. } => Self::INVALID_PRODUCER_ID_MAPPING,
            Error::InvalidTransactionTransition { .. } => Self::INVALID_TXN_STATE,
            Error::TransactionAbortable { .. } | Error::TransactionAborted { .. } => Self::TRANSACTION_ABORTABLE,
            Error::ConcurrentTransactions { .. } => Self::CONCURRENT_TRANSACTIONS,
            Error::InvalidTransactionTimeout { .. } => Self::INVALID_TRANSACTION_TIMEOUT,
            Error::InvalidTransactionalId { .. } => Self::INVALID_REQUEST,
            Error::TransactionalIdNotFound { .. } => Self::TRANSACTIONAL_ID_NOT_FOUND,
            // Whoever leads the partition now, this log doesn't.
            Error::LogTruncated { .. } | Error::Closed { .. } => Self::NOT_LEADER_OR_FOLLOWER,
            Error::MessageTooLarge { limit: "segment.bytes", .. } => Self::RECORD_LIST_TOO_LARGE,
            Error::MessageTooLarge { .. } => Self::MESSAGE_TOO_LARGE,
            Error::InvalidRecord { .. } => Self::INVALID_RECORD,
            Error::InvalidTimestamp { .. } | Error::InvalidTimestampType => Self::INVALID_TIMESTAMP,
            Error::PolicyViolation { .. } => Self::POLICY_VIOLATION,
            Error::UnknownTopicOrPartition { .. } => Self::UNKNOWN_TOPIC_OR_PARTITION,
            Error::TopicAlreadyExists { .. } => Self::TOPIC_ALREADY_EXISTS,
            Error::InvalidTopic { .. } => Self::INVALID_TOPIC_EXCEPTION,
            Error::InvalidPartitions { .. } => Self::INVALID_PARTITIONS,
            Error::InvalidGroupId { .. } => Self::INVALID_GROUP_ID,
            Error::GroupIdNotFound { .. } => Self::GROUP_ID_NOT_FOUND,
            Error::Group { error, .. } => (*error).into(),
            Error::InvalidConfig { .. } | Error::UnsupportedConfig { .. } => Self::INVALID_CONFIG,
            Error::OffsetMetadataTooLarge { .. } => Self::OFFSET_METADATA_TOO_LARGE,
            Error::UnstableOffsetCommit { .. } => Self::UNSTABLE_OFFSET_COMMIT,
            // Nothing that a request from a client leads to.
            Error::UnexpectedOffset { .. }
            | Error::NoOffsetForPartition { .. }
            | Error::NoGroup
            | Error::NotAssigned { .. }
            | Error::NothingAssigned
            | Error::Wakeup
            | Error::BufferExhausted { .. } => Self::UNKNOWN_SERVER_ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_names_and_say_whether_to_try_again() {
        assert_eq!(ErrorCode::ALL.len(), 135, "−1 to 133 in Kafka 4.3, without gaps");
        for (code, number) in ErrorCode::ALL.iter().zip(-1..) {
            assert_eq!(code.0, number);
            assert!(code.name().is_some());
        }
        assert_eq!(ErrorCode(3).to_string(), "UNKNOWN_TOPIC_OR_PARTITION");
        assert_eq!(ErrorCode(999).to_string(), "error code 999");
        assert!(ErrorCode::NOT_LEADER_OR_FOLLOWER.is_retriable());
        assert!(!ErrorCode::INVALID_TOPIC_EXCEPTION.is_retriable() && !ErrorCode(999).is_retriable());
    }

    #[test]
    fn a_log_that_is_full_sends_producers_round_again() {
        let error = Error::MessageTooLarge { size: 2, max: 1, limit: "max.message.bytes" };
        assert_eq!(ErrorCode::from(&error), ErrorCode::MESSAGE_TOO_LARGE);
        let full = Error::io("append to", "log", std::io::ErrorKind::StorageFull.into());
        assert!(ErrorCode::from(&full).is_retriable() && full.is_retriable());
    }
}

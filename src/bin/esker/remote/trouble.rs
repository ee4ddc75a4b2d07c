//! What goes wrong between here and a broker, and whether trying again can help.

use esker::net::ErrorCode;
use esker::{Error, TopicPartition};

use crate::failure::Failure;
use crate::source::has_members;

/// Why a request did not get what it asked for.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no answer. Another broker may have one, or the same later.
    Lost(Failure),
    /// The broker refused it.
    Refused { code: ErrorCode, failure: Failure },
    /// It can't be done, whoever is asked.
    Final(Failure),
}

impl Trouble {
    /// What the broker said about something, in its own words if it has any.
    pub(super) fn refused(code: ErrorCode, message: Option<String>, about: &str) -> Self {
        let failure = match message {
            Some(message) if code == ErrorCode::INVALID_CONFIG => Failure::Usage(message),
            Some(message) => Failure::new(message),
            None => Failure::new(format!("{about}: {code:?}")),
        };
        Self::Refused { code, failure }
    }

    /// A refusal that the library has its own error for.
    pub(super) fn error(code: ErrorCode, error: Error) -> Self {
        Self::Refused { code, failure: error.into() }
    }

    /// What a broker said about a partition.
    pub(super) fn of_partition(code: ErrorCode, message: Option<String>, partition: &TopicPartition) -> Self {
        match code {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                Self::error(code, Error::UnknownTopicOrPartition { topic_partition: partition.clone() })
            }
            _ => Self::refused(code, message, &partition.to_string()),
        }
    }

    /// What the broker that is taken for the leader of a partition said about it.
    pub(super) fn of_leader(code: ErrorCode, message: Option<String>, partition: &TopicPartition) -> Self {
        Self::of_partition(code, message, partition).if_outdated()
    }

    /// The same of something that there is, as far as is known. If a broker does not know it, it is elsewhere by now,
    /// or there is none any more: which of both is for the metadata to say, which is asked for again.
    pub(super) fn if_outdated(self) -> Self {
        match self {
            Self::Refused { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, failure } => {
                Self::Refused { code: ErrorCode::NOT_LEADER_OR_FOLLOWER, failure }
            }
            other => other,
        }
    }

    /// What a broker said about a group.
    pub(super) fn of_group(code: ErrorCode, message: Option<String>, group: &str) -> Self {
        let name = group.to_owned();
        match code {
            ErrorCode::INVALID_GROUP_ID => Self::error(code, Error::InvalidGroupId { group: name }),
            ErrorCode::GROUP_ID_NOT_FOUND => Self::error(code, Error::GroupIdNotFound { group: name }),
            ErrorCode::NON_EMPTY_GROUP | ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC => {
                Self::Refused { code, failure: has_members(group) }
            }
            _ => Self::refused(code, message, &format!("group {group}")),
        }
    }

    /// The same once more: one answer may be that to many things.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Lost(failure) => Self::Lost(Failure::new(failure.to_string())),
            Self::Refused { code, failure } => {
                Self::Refused { code: *code, failure: Failure::new(failure.to_string()) }
            }
            Self::Final(failure) => Self::Final(Failure::new(failure.to_string())),
        }
    }

    /// Whether another try may help. That a topic does not exist is taken for what it says.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Lost(_) => true,
            Self::Refused { code, .. } => code.is_retriable() && *code != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Self::Final(_) => false,
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Lost(failure) | Trouble::Refused { failure, .. } | Trouble::Final(failure) => failure,
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Final(error.into())
    }
}

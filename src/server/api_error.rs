//! What a response says of one thing that could not be done: Kafka's code, and words for whoever reads them. They are
//! Kafka's where it has any, for that is what people look for who see them in its tools.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::config::Alterable;
use crate::error::{Error, TopicNameError};
use crate::net::ErrorCode;

/// What Kafka says of a partition, or of a topic that is to be deleted.
pub(super) const UNKNOWN_PARTITION: &str = "This server does not host this topic-partition.";

/// What is said of each partition of a request that names more than `request.partitions.max`.
pub(super) const TOO_MANY_PARTITIONS: &str = "too many partitions are named";

/// What a broker without tiered storage says of a topic that is to have it.
const UNTIERED: &str = "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log \
                        storage.";

/// Says what is wrong with the storage, which clients are told by a code alone, to whoever runs the server.
pub(super) fn tell(error: &Error) {
    let is_of_storage = match error {
        Error::CorruptRecord { file, .. } => file.is_some(),
        error => ErrorCode::from(error) == ErrorCode::KAFKA_STORAGE_ERROR,
    };
    // Others don't wait until it is told.
    let told = if is_of_storage { TOLD.lock().tell(Instant::now()) } else { None };
    if let Some(untold) = told {
        tracing::error!(error = error as &dyn std::error::Error, untold, "the storage fails");
    }
}

/// What was told of the storage, which fails for every client, and as often as each tries again.
static TOLD: Mutex<Told> = Mutex::new(Told { at: None, untold: 0 });

/// How often it is told.
const TOLD_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Told {
    at: Option<Instant>,
    /// How many failures were not told since then.
    untold: u64,
}

impl Told {
    /// Whether it is time to tell of another failure, and how many were not told before it.
    fn tell(&mut self, now: Instant) -> Option<u64> {
        if self.at.is_some_and(|at| now.saturating_duration_since(at) < TOLD_INTERVAL) {
            self.untold += 1;
            return None;
        }
        self.at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

/// Why one topic, partition or resource of a request was refused. The others of the request go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) code: ErrorCode,
    pub(super) message: Option<String>,
}

impl ApiError {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::INVALID_REQUEST, message)
    }

    /// Where Kafka has no words, and says it by the code alone.
    pub(super) fn without_words(error: &Error) -> Self {
        Self { code: ErrorCode::from(error), message: None }
    }

    /// Why configs of the kind `A` were refused.
    pub(super) fn of_configs<A: Alterable + Default>(error: Error) -> Self {
        let words = match &error {
            Error::InvalidConfig { key, .. } if !A::default().has_config(key) => {
                Some(format!("Unknown {} config name: {key}", A::KIND))
            }
            Error::InvalidConfig { key, value, .. } => A::refusal(key, value),
            _ => None,
        };
        words.map_or_else(|| Self::from(&error), |words| Self::new(ErrorCode::INVALID_CONFIG, words))
    }
}

/// What clients are told beside the code: Kafka's words, or else our own.
fn words(error: &Error) -> String {
    match error {
        Error::UnknownTopicOrPartition { topic_partition } if topic_partition.partition < 0 => {
            format!("The topic '{}' does not exist.", topic_partition.topic)
        }
        Error::UnknownTopicOrPartition { .. } => UNKNOWN_PARTITION.to_owned(),
        Error::TopicAlreadyExists { topic } => format!("Topic '{topic}' already exists."),
        Error::UnsupportedConfig { key, .. } if key == "remote.storage.enable" => UNTIERED.to_owned(),
        Error::InvalidTopic { topic, reason } => words_of_name(topic, reason).unwrap_or_else(|| error.to_string()),
        _ => error.to_string(),
    }
}

/// What Kafka says of a name that can't be a topic's (`Topic.validate`).
fn words_of_name(topic: &str, reason: &TopicNameError) -> Option<String> {
    let reason = match reason {
        TopicNameError::Empty => "the empty string is not allowed".to_owned(),
        TopicNameError::Dots => format!("'{topic}' is not allowed"),
        TopicNameError::TooLong => format!("the length of '{topic}' is longer than the max allowed length 249"),
        TopicNameError::IllegalCharacter => {
            format!("'{topic}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
        }
        TopicNameError::Collision { other } => {
            return Some(format!("Topic '{topic}' collides with existing topic: {other}"));
        }
        // Kafka refuses no others.
        _ => return None,
    };
    Some(format!("Topic name is invalid: {reason}"))
}

impl From<&Error> for ApiError {
    fn from(error: &Error) -> Self {
        Self::new(ErrorCode::from(error), words(error))
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

/// The two fields that a response has for how it went.
pub(super) fn outcome<T>(result: Result<T, ApiError>) -> (ErrorCode, Option<String>) {
    match result {
        Ok(_) => (ErrorCode::NONE, None),
        Err(error) => (error.code, error.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_all_the_time_is_told_once_in_a_while() {
        let (mut told, began) = (Told { at: None, untold: 0 }, Instant::now());
        assert_eq!(told.tell(began), Some(0));
        assert_eq!(told.tell(began), None);
        assert_eq!(told.tell(began + TOLD_INTERVAL / 2), None);
        assert_eq!(told.tell(began + TOLD_INTERVAL), Some(2));
        assert_eq!(told.tell(began + TOLD_INTERVAL * 3), Some(0));
    }
}

//! Why a name can't be a topic's.

/// Why a name can't be a topic's: Kafka's rules (`Topic.validate`), and who else has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TopicNameError {
    /// A name has at least one character.
    #[error("it is empty")]
    Empty,
    /// It is `.` or `..`.
    #[error("it is a directory's name for itself or its parent")]
    Dots,
    /// A name has 249 characters at most.
    #[error("it is longer than 249 characters")]
    TooLong,
    /// There are ASCII letters, digits, `.`, `_` and `-`.
    #[error("it has a character other than ASCII letters, digits, '.', '_' and '-'")]
    IllegalCharacter,
    /// `__cluster_metadata` is the log of Kafka's controllers, which may lie in the same directory.
    #[error("a cluster keeps its metadata there")]
    ClusterMetadata,
    /// It can't be told from another topic's where `.` becomes `_`, as in the names of metrics.
    #[error("it differs from {other} only in '.' and '_'")]
    Collision {
        /// The other topic.
        other: String,
    },
    /// The topic is the store's own, to create, change and delete.
    #[error("it belongs to the store")]
    Internal,
}

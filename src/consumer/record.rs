//! What comes out of a poll.

use std::sync::Arc;

use bytes::Bytes;

use crate::types::{LeaderEpoch, Offset, TimestampType};

/// A record as a consumer gets it. Key, value and headers are slices of the log itself where it is mapped and not
/// compressed: nothing was copied, and they stay valid however long they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's index.
    pub partition: i32,
    /// The record's offset.
    pub offset: Offset,
    /// Its timestamp in milliseconds, −1 if it has none.
    pub timestamp: i64,
    /// Whose clock the timestamp is of.
    pub timestamp_type: TimestampType,
    /// The key, if it has one.
    pub key: Option<Bytes>,
    /// The value; None is a tombstone. [`forward_to`](Self::forward_to) keeps it one, `unwrap_or_default` does not.
    pub value: Option<Bytes>,
    /// The headers in their order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// The leader epoch under which it was appended.
    pub leader_epoch: LeaderEpoch,
}

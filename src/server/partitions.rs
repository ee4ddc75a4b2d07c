//! How many partitions a request may ask for or of, and on which nodes: there is one.

use crate::net::ErrorCode;
use crate::server::api_error::ApiError;

/// The most partitions that one request creates (Kafka's `MAX_PARTITIONS_PER_BATCH`).
pub(super) const MAX_PARTITIONS_PER_BATCH: usize = 10_000;

/// How many topics are created together. Others who create, change or delete topics wait for these, and hardly more is
/// saved by more.
pub(super) const TOPICS_AT_A_TIME: usize = 100;

/// Stands for `num.partitions` and `default.replication.factor`.
pub(super) const DEFAULT: i32 = -1;

/// The one that there can be: all copies of a partition are here.
pub(super) const REPLICATION_FACTOR: i16 = 1;

/// Refuses a request that asks for too many partitions in all.
pub(super) fn check_batch(partitions: impl Iterator<Item = usize>) -> Result<(), ApiError> {
    if partitions.fold(0, usize::saturating_add) > MAX_PARTITIONS_PER_BATCH {
        let message = "Excessively large number of partitions per request.";
        return Err(ApiError::new(ErrorCode::POLICY_VIOLATION, message));
    }
    Ok(())
}

/// Refuses to put a partition anywhere but on this node.
pub(super) fn check_assignment(broker_ids: &[i32], node_id: i32) -> Result<(), ApiError> {
    let message = match broker_ids {
        [only] if *only == node_id => return Ok(()),
        [] => "The manual partition assignment includes an empty replica list.".to_owned(),
        ids => match ids.iter().find(|id| **id != node_id) {
            Some(id) => {
                format!("The manual partition assignment includes broker {id}, but no such broker is registered.")
            }
            None => format!("The manual partition assignment includes the broker {node_id} more than once."),
        },
    };
    Err(ApiError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message))
}

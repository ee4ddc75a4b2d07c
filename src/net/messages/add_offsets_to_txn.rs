//! AddOffsetsToTxn: a transaction will commit offsets of a group.

use crate::net::error_code::ErrorCode;

message! {
    /// Adds a group to a transaction.
    AddOffsetsToTxnRequest {
        transactional_id: String,
        producer_id: i64,
        producer_epoch: i16,
        group_id: String,
    }

    /// Whether it was added.
    AddOffsetsToTxnResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode,
    }
}

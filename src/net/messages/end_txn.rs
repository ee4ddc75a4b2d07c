//! EndTxn: commit or abort a transaction.

use crate::net::error_code::ErrorCode;

message! {
    /// Ends a transaction.
    EndTxnRequest {
        transactional_id: String,
        producer_id: i64,
        producer_epoch: i16,
        committed: bool,
    }

    /// Whether it ends; from version 5 on, the producer's next identity.
    EndTxnResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        producer_id: i64 [5.., ignorable] = -1,
        producer_epoch: i16 [5.., ignorable] = -1,
    }
}

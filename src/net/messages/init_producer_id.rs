//! InitProducerId: the identity of an idempotent or transactional producer.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for an identity; with a transactional id, for the next epoch of the one that it has.
    InitProducerIdRequest {
        transactional_id: Option<String>,
        transaction_timeout_ms: i32,
        producer_id: i64 [3..] = -1,
        producer_epoch: i16 [3..] = -1,
        enable_2_pc: bool [6..],
        keep_prepared_txn: bool [6..],
    }

    /// The identity.
    InitProducerIdResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        producer_id: i64 = -1,
        producer_epoch: i16,
        ongoing_txn_producer_id: i64 [6..] = -1,
        ongoing_txn_producer_epoch: i16 [6..] = -1,
    }
}

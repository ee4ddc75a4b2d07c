//! DescribeTransactions: the state of transactions.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for transactional ids.
    DescribeTransactionsRequest {
        transactional_ids: Vec<String>,
    }

    /// Their states and partitions.
    DescribeTransactionsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        transaction_states: Vec<TransactionState>,
    }

    /// An element of [`DescribeTransactionsResponse::transaction_states`].
    TransactionState {
        error_code: ErrorCode,
        transactional_id: String,
        transaction_state: String,
        transaction_timeout_ms: i32,
        transaction_start_time_ms: i64,
        producer_id: i64,
        producer_epoch: i16,
        topics: Vec<TopicData>,
    }

    /// An element of [`TransactionState::topics`].
    TopicData {
        topic: String,
        partitions: Vec<i32>,
    }
}

//! ListTransactions: the transactions of a coordinator.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for all, or those that match filters.
    ListTransactionsRequest {
        state_filters: Vec<String>,
        producer_id_filters: Vec<i64>,
        duration_filter: i64 [1..] = -1,
        transactional_id_pattern: Option<String> [2..],
    }

    /// The transactions.
    ListTransactionsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        unknown_state_filters: Vec<String>,
        transaction_states: Vec<TransactionState>,
    }

    /// An element of [`ListTransactionsResponse::transaction_states`].
    TransactionState {
        transactional_id: String,
        producer_id: i64,
        transaction_state: String,
    }
}

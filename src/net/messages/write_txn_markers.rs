//! WriteTxnMarkers: a coordinator tells the leaders of partitions how a transaction ended.

use crate::net::error_code::ErrorCode;

message! {
    /// Ends transactions in partitions.
    WriteTxnMarkersRequest {
        markers: Vec<WritableTxnMarker>,
    }

    /// An element of [`WriteTxnMarkersRequest::markers`].
    WritableTxnMarker {
        producer_id: i64,
        producer_epoch: i16,
        transaction_result: bool,
        topics: Vec<WritableTxnMarkerTopic>,
        coordinator_epoch: i32,
        transaction_version: i8 [2.., ignorable],
    }

    /// An element of [`WritableTxnMarker::topics`].
    WritableTxnMarkerTopic {
        name: String,
        partition_indexes: Vec<i32>,
    }

    /// Whether each marker was written.
    WriteTxnMarkersResponse {
        markers: Vec<WritableTxnMarkerResult>,
    }

    /// An element of [`WriteTxnMarkersResponse::markers`].
    WritableTxnMarkerResult {
        producer_id: i64,
        topics: Vec<WritableTxnMarkerTopicResult>,
    }

    /// An element of [`WritableTxnMarkerResult::topics`].
    WritableTxnMarkerTopicResult {
        name: String,
        partitions: Vec<WritableTxnMarkerPartitionResult>,
    }

    /// An element of [`WritableTxnMarkerTopicResult::partitions`].
    WritableTxnMarkerPartitionResult {
        partition_index: i32,
        error_code: ErrorCode,
    }
}

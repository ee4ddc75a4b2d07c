//! DescribeLogDirs: what lies in a broker's directories.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for partitions, or all.
    DescribeLogDirsRequest {
        topics: Option<Vec<DescribableLogDirTopic>>,
    }

    /// An element of [`DescribeLogDirsRequest::topics`].
    DescribableLogDirTopic {
        topic: String,
        partitions: Vec<i32>,
    }

    /// The directories and the sizes of partitions in them.
    DescribeLogDirsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode [3.., ignorable],
        results: Vec<DescribeLogDirsResult>,
    }

    /// An element of [`DescribeLogDirsResponse::results`].
    DescribeLogDirsResult {
        error_code: ErrorCode,
        log_dir: String,
        topics: Vec<DescribeLogDirsTopic>,
        total_bytes: i64 [4.., ignorable] = -1,
        usable_bytes: i64 [4.., ignorable] = -1,
        is_cordoned: bool [5.., ignorable],
    }

    /// An element of [`DescribeLogDirsResult::topics`].
    DescribeLogDirsTopic {
        name: String,
        partitions: Vec<DescribeLogDirsPartition>,
    }

    /// An element of [`DescribeLogDirsTopic::partitions`].
    DescribeLogDirsPartition {
        partition_index: i32,
        partition_size: i64,
        offset_lag: i64,
        is_future_key: bool,
    }
}

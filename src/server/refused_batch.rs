//! Why a batch is not in the log, as its producer is told. What is wrong with the batch itself is `INVALID_RECORD`, and
//! what can't be decompressed `UNKNOWN_SERVER_ERROR`: to send it again would not help. Only of what may have happened
//! to it on its way clients are told `CORRUPT_MESSAGE`, which makes them try again.

use crate::error::{Corruption, Error};
use crate::log::Log;
use crate::net::ErrorCode;
use crate::net::messages::produce::{BatchIndexAndErrorMessage, PartitionProduceResponse};
use crate::record::{BatchRef, crc_is_right};

/// How many records are told apart in the answer to a request: a few bytes may decompress to millions.
pub(super) const RECORD_ERRORS_MAX: usize = 1000;

/// With these Kafka does not say where the log begins.
const WITHOUT_LOG_START: [ErrorCode; 3] =
    [ErrorCode::MESSAGE_TOO_LARGE, ErrorCode::RECORD_LIST_TOO_LARGE, ErrorCode::KAFKA_STORAGE_ERROR];

/// A batch that is not in the log.
#[derive(Default)]
pub(super) struct RefusedBatch {
    error_code: ErrorCode,
    message: Option<String>,
    records: Vec<BatchIndexAndErrorMessage>,
    /// Where the log begins, if it was looked at.
    log_start_offset: Option<i64>,
}

impl From<ErrorCode> for RefusedBatch {
    fn from(error_code: ErrorCode) -> Self {
        Self { error_code, ..Self::default() }
    }
}

impl From<Error> for RefusedBatch {
    fn from(error: Error) -> Self {
        ErrorCode::from(error).into()
    }
}

impl RefusedBatch {
    /// Bytes that are no batch.
    pub(super) fn no_batch(log: &Log, error: &Error, bytes: &[u8]) -> Self {
        let Error::CorruptRecord { reason, .. } = error else { return ErrorCode::from(error).into() };
        match reason {
            // A format that was, or one that is none.
            Corruption::Truncated { .. } | Corruption::Magic(0..2) => ErrorCode::INVALID_RECORD.into(),
            Corruption::Magic(magic) => {
                let message = Some(format!("Invalid magic found in record: {magic}"));
                Self { message, ..ErrorCode::CORRUPT_MESSAGE.into() }
            }
            Corruption::Offsets { .. } if crc_is_right(bytes) => Self::misplaced(log),
            _ => ErrorCode::CORRUPT_MESSAGE.into(),
        }
    }

    /// A batch with offsets that a new one does not have.
    pub(super) fn misplaced(log: &Log) -> Self {
        Self { log_start_offset: Some(log.log_start()), ..ErrorCode::INVALID_RECORD.into() }
    }

    /// A batch that arrived as it was sent, and that a log does not take. What the error is called depends on who asks.
    /// There are so many records left to tell apart.
    pub(super) fn by_log(
        log: &Log,
        batch: &BatchRef<'_>,
        error: &Error,
        error_code: ErrorCode,
        record_errors_left: &mut usize,
    ) -> Self {
        let refused = Self { error_code, log_start_offset: Some(log.log_start()), ..Self::default() };
        match error {
            // As of partitions that are not there.
            _ if WITHOUT_LOG_START.contains(&error_code) => error_code.into(),
            Error::InvalidRecord { .. } | Error::InvalidTimestamp { .. } => {
                let rejected = log.rejected_records(batch, *record_errors_left);
                *record_errors_left -= rejected.len();
                // If there is one, that is what the batch is refused for.
                let untimely = rejected.iter().map(|(_, error)| error).find(is_untimely);
                let records: Vec<_> = rejected.iter().map(|(index, error)| record_error(log, *index, error)).collect();
                let message = Some(summary(untimely.unwrap_or(error), &records));
                let error_code = if untimely.is_some() { ErrorCode::INVALID_TIMESTAMP } else { error_code };
                Self { error_code, message, records, ..refused }
            }
            Error::CorruptRecord { file: None, reason, .. } => {
                let error_code =
                    if is_of_codec(reason) { ErrorCode::UNKNOWN_SERVER_ERROR } else { ErrorCode::INVALID_RECORD };
                Self { error_code, message: Some(error.to_string()), ..refused }
            }
            _ => refused,
        }
    }

    pub(super) fn respond(self, index: i32) -> PartitionProduceResponse {
        PartitionProduceResponse {
            index,
            error_code: self.error_code,
            base_offset: -1,
            log_start_offset: self.log_start_offset.unwrap_or(-1),
            record_errors: self.records,
            error_message: self.message,
            ..Default::default()
        }
    }
}

/// Whether the records can't be had at all.
fn is_of_codec(reason: &Corruption) -> bool {
    matches!(reason, Corruption::Codec(_) | Corruption::Compressed { .. } | Corruption::DecompressedSize { .. })
}

fn is_untimely(error: &&Error) -> bool {
    matches!(error, Error::InvalidTimestamp { .. })
}

/// What is wrong with a record. Clients show these texts to their users, so they are Kafka's.
fn record_error(log: &Log, batch_index: i32, error: &Error) -> BatchIndexAndErrorMessage {
    let message = match error {
        Error::InvalidTimestamp { timestamp, earliest, latest } => format!(
            "Timestamp {timestamp} of message with offset {batch_index} is out of range. The timestamp should be within \
             [{earliest}, {latest}]"
        ),
        Error::InvalidRecord { .. } => {
            format!("Compacted topic cannot accept message without key in topic partition {}", log.topic_partition())
        }
        other => other.to_string(),
    };
    BatchIndexAndErrorMessage { batch_index, batch_index_error_message: Some(message) }
}

/// What is wrong with all of them.
fn summary(error: &Error, records: &[BatchIndexAndErrorMessage]) -> String {
    if is_untimely(&error) {
        return "One or more records have been rejected due to invalid timestamp".to_owned();
    }
    if records.is_empty() {
        return error.to_string();
    }
    let first = records.iter().take(3).map(|BatchIndexAndErrorMessage { batch_index, batch_index_error_message }| {
        let message = batch_index_error_message.as_deref().unwrap_or_default();
        format!("RecordError(batchIndex={batch_index}, message='{message}')")
    });
    format!(
        "One or more records have been rejected due to {} record errors in total, and only showing the first three errors at \
         most: [{}]",
        records.len(),
        first.collect::<Vec<_>>().join(", ")
    )
}

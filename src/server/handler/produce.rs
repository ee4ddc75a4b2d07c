//! Produce: batches go to the log as they came.

use bytes::Bytes;

use crate::error::Error;
use crate::log::{Appended, Log};
use crate::net::ErrorCode;
use crate::net::messages::produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceResponse};
use crate::net::messages::{ProduceRequest, ProduceResponse};
use crate::net::transport::ConnectionError;
use crate::record::{BatchRef, Compression};
use crate::server::broker::Broker;
use crate::server::dispatch::Context;
use crate::server::executor;
use crate::store::is_internal;
use crate::types::Acks;

/// From this version on batches may be compressed with zstd (KIP-110).
const ZSTD_VERSION: i16 = 7;

/// There is no response with `acks` 0.
///
/// # Errors
///
/// [`ConnectionError::Closed`] if a batch with `acks` 0 was refused: closing the connection is all that tells the client.
pub(in crate::server) async fn answer(
    context: &Context,
    request: ProduceRequest,
) -> Result<Option<ProduceResponse>, ConnectionError> {
    let is_answered = request.acks != 0;
    let (broker, version) = (context.broker.clone(), context.header.api_version);
    let response = executor::run(move || broker.produce(request, version)).await;
    let mut partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    match is_answered {
        true => Ok(Some(response)),
        false if partitions.all(|partition| partition.error_code == ErrorCode::NONE) => Ok(None),
        false => Err(ConnectionError::Closed),
    }
}

/// A batch that was appended, and may have to be waited for.
type InLog = (Log, Appended);

impl Broker {
    fn produce(&self, request: ProduceRequest, version: i16) -> ProduceResponse {
        let acks = match request.acks {
            0 => Ok(Acks::None),
            1 => Ok(Acks::Leader),
            -1 => Ok(Acks::All),
            _ => Err(ErrorCode::INVALID_REQUIRED_ACKS),
        };
        // A transaction that nobody could end would keep its partitions' last stable offset for ever.
        let acks = if request.transactional_id.is_some() { Err(ErrorCode::INVALID_TXN_STATE) } else { acks };
        // First all are appended, so that those that wait for the disk wait together.
        let appended: Vec<_> = request
            .topic_data
            .into_iter()
            .map(|topic| {
                let append = |data: PartitionProduceData| {
                    let index = data.index;
                    let result = acks.and_then(|_| self.append(&topic.name, index, data.records, version));
                    (index, result)
                };
                let partitions: Vec<_> = topic.partition_data.into_iter().map(append).collect();
                (topic.name, partitions)
            })
            .collect();
        let responses = appended.into_iter().map(|(name, partitions)| TopicProduceResponse {
            name,
            partition_responses: partitions
                .into_iter()
                .map(|(index, result)| respond(index, result.and_then(|in_log| acknowledge(in_log, acks))))
                .collect(),
            ..Default::default()
        });
        ProduceResponse { responses: responses.collect(), ..Default::default() }
    }

    fn append(&self, topic: &str, partition: i32, records: Option<Bytes>, version: i16) -> Result<InLog, ErrorCode> {
        if is_internal(topic) {
            return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
        }
        let log = self.partition(topic, partition).map_err(|error| ErrorCode::from(&error))?;
        let records = records.unwrap_or_default();
        let batch = BatchRef::parse(&records).map_err(|error| ErrorCode::from(&error))?;
        let header = batch.header();
        // Kafka takes exactly one batch of a partition in a request, and transactions only with their id.
        if header.size() != records.len() || header.attributes.is_transactional() {
            return Err(ErrorCode::INVALID_RECORD);
        }
        if version < ZSTD_VERSION && matches!(header.compression(), Ok(Compression::Zstd)) {
            return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
        }
        let appended = log.append(batch, Acks::Leader).map_err(|error| ErrorCode::from(&error))?;
        Ok((log, appended))
    }
}

/// Waits for what `acks` demands.
fn acknowledge((log, appended): InLog, acks: Result<Acks, ErrorCode>) -> Result<InLog, ErrorCode> {
    if acks == Ok(Acks::All) {
        log.wait_synced(appended.sync_target()).map_err(|error: Error| ErrorCode::from(&error))?;
    }
    Ok((log, appended))
}

fn respond(index: i32, result: Result<InLog, ErrorCode>) -> PartitionProduceResponse {
    match result {
        Ok((log, appended)) => PartitionProduceResponse {
            index,
            base_offset: appended.base_offset,
            log_append_time_ms: appended.log_append_time.unwrap_or(-1),
            log_start_offset: log.log_start(),
            ..Default::default()
        },
        Err(error_code) => PartitionProduceResponse { index, error_code, base_offset: -1, ..Default::default() },
    }
}

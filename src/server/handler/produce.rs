//! Produce: batches go to the log as they came.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::error::Error;
use crate::log::synced_in_turn::{SyncedInTurn, Turn};
use crate::log::{AppendOptions, Appended, Log};
use crate::net::ErrorCode;
use crate::net::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, TopicProduceData, TopicProduceResponse,
};
use crate::net::messages::{ProduceRequest, ProduceResponse};
use crate::net::transport::ConnectionError;
use crate::record::{BatchHeader, BatchRef, Compression};
use crate::server::api_error::tell;
use crate::server::broker::Broker;
use crate::server::context::Context;
use crate::server::executor;
use crate::server::metrics::Metrics;
use crate::server::refused_batch::{RECORD_ERRORS_MAX, RefusedBatch};
use crate::server::{sync, transaction_error, when_woken};
use crate::store::{TakesPart, is_internal};
use crate::types::{Acks, ProducerIdAndEpoch};
use crate::uuid::Uuid;

/// From this version on batches may be compressed with zstd (KIP-110).
const ZSTD_VERSION: i16 = 7;

/// From this version on clients know that a transaction can still be aborted (KIP-1050).
const ABORTABLE_VERSION: i16 = 11;

/// From this version on partitions take part in a transaction without being added before (KIP-890).
const ADDING_VERSION: i16 = 12;

/// From this version on topics are spoken of by id (KIP-516).
const TOPIC_ID_VERSION: i16 = 13;

/// Up to how much is appended on the thread that has read it. That is some ten microseconds of work, or a few hundred
/// where records are tiny.
const AT_ONCE_BYTES_MAX: usize = 128 * 1024;

/// How long a client that wants all to be on the device waits for that at least, whatever it says: to Kafka, which
/// doesn't sync, 0 is enough.
const PATIENCE_MIN: Duration = Duration::from_secs(1);

/// Appends now, and answers later: once all is on the device with `acks` −1, or once that has taken as long as the
/// client waits. There is no response with `acks` 0.
///
/// # Errors
///
/// [`ConnectionError::Closed`] if a batch with `acks` 0 was refused: closing the connection is all that tells the
/// client.
pub(in crate::server) async fn answer(
    context: &Context,
    request: ProduceRequest,
) -> Result<impl Future<Output = Result<Option<ProduceResponse>, ConnectionError>> + use<>, ConnectionError> {
    let acks = match request.acks {
        0 => Ok(Acks::None),
        1 => Ok(Acks::Leader),
        -1 => Ok(Acks::All),
        _ => Err(ErrorCode::INVALID_REQUIRED_ACKS),
    };
    let (broker, version) = (context.broker.clone(), context.header.api_version);
    let patience = Duration::from_millis(request.timeout_ms.try_into().unwrap_or(0)).max(PATIENCE_MIN);
    let topics = if broker.produces_at_once(&request, version) {
        // Another thread would take longer to wake up.
        broker.promptness.run(|| broker.produce(request, acks, version)).await
    } else {
        let room = broker.room_to_decompress(&request).await;
        executor::run_on(move |appended| {
            let mut topics = broker.produce(request, acks, version);
            drop(room);
            // The thread is awake: if nobody else syncs, it does, while the connection goes on.
            let turn = if acks == Ok(Acks::All) { first_turn(&mut topics) } else { None };
            let _ = appended.send(topics);
            if let Some(turn) = turn {
                // Where it could not begin, whoever waits tries again, and is told.
                let _ = turn.take(|took| broker.metrics.flushed(took));
            }
        })
        .await
    };
    let refused = |topic: &InTopic| topic.partitions.iter().any(|(_, result)| result.is_err());
    if acks == Ok(Acks::None) && topics.iter().any(refused) {
        return Err(ConnectionError::Closed);
    }
    let metrics = context.broker.metrics.clone();
    Ok(async move {
        match acks {
            Ok(Acks::None) => Ok(None),
            Ok(Acks::All) => Ok(Some(respond(synced(topics, &metrics, patience).await))),
            _ => Ok(Some(respond(topics))),
        }
    })
}

/// A batch that was appended, and may have to be waited for.
struct InLog {
    log: Log,
    appended: Appended,
    synced: SyncedInTurn,
}

/// What became of the batches of a topic.
struct InTopic {
    name: String,
    topic_id: Uuid,
    partitions: Vec<(i32, Result<InLog, RefusedBatch>)>,
}

impl Broker {
    /// Whether all that a request brings is appended in a moment, as it seems.
    fn produces_at_once(&self, request: &ProduceRequest, version: i16) -> bool {
        let partitions = || request.topic_data.iter().flat_map(|topic| &topic.partition_data);
        let bytes = || partitions().map(|partition| partition.records.as_ref().map_or(0, Bytes::len)).sum::<usize>();
        // Topics may come without partitions.
        self.may_do_at_once(request.topic_data.len().max(partitions().count()))
            && request.transactional_id.is_none()
            && bytes() <= AT_ONCE_BYTES_MAX
            && request.topic_data.iter().all(|topic| self.appends_at_once(topic, version))
    }

    fn appends_at_once(&self, topic: &TopicProduceData, version: i16) -> bool {
        let Ok(name) = self.topic_meant(&topic.name, topic.topic_id, version >= TOPIC_ID_VERSION) else { return false };
        topic.partition_data.iter().all(|PartitionProduceData { index, records }| {
            let header = BatchHeader::parse(records.as_deref().unwrap_or_default());
            match (header, self.partition(&name, *index)) {
                (Ok(header), Ok(log)) => log.appends_at_once(&header),
                _ => false,
            }
        })
    }

    /// Waits for what it takes to decompress batches, if some have to be: they may wait for each other's memory, and
    /// must not do so on all threads that there are.
    async fn room_to_decompress(&self, request: &ProduceRequest) -> Option<OwnedSemaphorePermit> {
        match headers(request).any(|header| !matches!(header.compression(), Ok(Compression::None))) {
            // Nobody closes it.
            true => self.decompressing.clone().acquire_owned().await.ok(),
            false => None,
        }
    }

    fn produce(&self, request: ProduceRequest, acks: Result<Acks, ErrorCode>, version: i16) -> Vec<InTopic> {
        let transactional_id = request.transactional_id.as_deref();
        let partition_counts = request.topic_data.iter().map(|topic| topic.partition_data.len());
        let checked = check_transactional_id(&request).and(self.check_partitions(partition_counts));
        let mut record_errors_left = RECORD_ERRORS_MAX;
        let topics = request.topic_data.into_iter().map(|topic| {
            let TopicProduceData { name, topic_id, partition_data } = topic;
            let meant = checked.and_then(|()| self.topic_meant(&name, topic_id, version >= TOPIC_ID_VERSION));
            let append = |PartitionProduceData { index, records }| {
                let appended = meant.clone().map_err(RefusedBatch::from).and_then(|topic| {
                    let sent = Sent { records: records.unwrap_or_default(), acks, transactional_id, version };
                    self.append(&topic, index, sent, &mut record_errors_left)
                });
                (index, appended)
            };
            let partitions = partition_data.into_iter().map(append).collect();
            InTopic { name, topic_id, partitions }
        });
        topics.collect()
    }

    fn append(
        &self,
        topic: &str,
        partition: i32,
        sent: Sent<'_>,
        record_errors_left: &mut usize,
    ) -> Result<InLog, RefusedBatch> {
        let Sent { records, acks, transactional_id, version } = sent;
        if is_internal(topic) {
            return Err(ErrorCode::INVALID_TOPIC_EXCEPTION.into());
        }
        let log = self.partition(topic, partition)?;
        let batch = BatchRef::parse(&records).map_err(|error| RefusedBatch::no_batch(&log, &error, &records))?;
        let header = batch.header();
        // Kafka takes exactly one batch of a partition in a request, which knows nothing of its place yet.
        if header.size() != records.len() {
            return Err(ErrorCode::INVALID_RECORD.into());
        }
        if version < ZSTD_VERSION && matches!(header.compression(), Ok(Compression::Zstd)) {
            return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE.into());
        }
        acks?;
        if header.base_offset != 0 {
            return Err(RefusedBatch::misplaced(&log));
        }
        let options = AppendOptions::new(Acks::Leader);
        let appended = match transactional_id.filter(|_| header.is_transactional()) {
            None => Ok(log.append_with(batch, options)),
            Some("") => return Err(ErrorCode::INVALID_REQUEST.into()),
            Some(id) => {
                let producer = ProducerIdAndEpoch::new(header.producer_id, header.producer_epoch);
                let (takes_part, options) = match version >= ADDING_VERSION {
                    true => (TakesPart::FromNowOn, options.by_client_with_epochs()),
                    false => (TakesPart::Already, options),
                };
                let append = || log.append_with(batch, options);
                self.store.in_transaction(id, producer, log.topic_partition(), takes_part, append)
            }
        };
        let told = |error: &Error| {
            tell(error);
            transaction_error::of_write(error, version >= ABORTABLE_VERSION, ErrorCode::NOT_ENOUGH_REPLICAS)
        };
        // The log was not asked where the coordinator has refused.
        let appended = appended.map_err(|error| RefusedBatch::from(told(&error)))?;
        let refuse = |error| RefusedBatch::by_log(&log, &batch, &error, told(&error), record_errors_left);
        let appended = appended.map_err(refuse)?;
        self.metrics.produced(topic, header.records_count, records.len());
        let synced = log.synced_in_turn(appended.sync_target());
        Ok(InLog { log, appended, synced })
    }
}

/// What a request brings for a partition, and says of all.
struct Sent<'a> {
    records: Bytes,
    acks: Result<Acks, ErrorCode>,
    transactional_id: Option<&'a str>,
    version: i16,
}

/// Those of the batches that a request brings, as far as they are batches.
fn headers(request: &ProduceRequest) -> impl Iterator<Item = BatchHeader> {
    let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    partitions.filter_map(|partition| BatchHeader::parse(partition.records.as_deref().unwrap_or_default()).ok())
}

/// Without the transactional id nobody can tell whether a transaction is open. As in Kafka, one such batch is enough
/// for none to be appended.
fn check_transactional_id(request: &ProduceRequest) -> Result<(), ErrorCode> {
    match request.transactional_id.is_none() && headers(request).any(|header| header.is_transactional()) {
        true => Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        false => Ok(()),
    }
}

/// The first turn to sync that there is, if there is one.
fn first_turn(topics: &mut [InTopic]) -> Option<Turn> {
    let mut in_logs =
        topics.iter_mut().flat_map(|topic| &mut topic.partitions).filter_map(|(_, result)| result.as_mut().ok());
    in_logs.find_map(|in_log| in_log.synced.turn())
}

/// The same once all of it is on the device.
async fn synced(topics: Vec<InTopic>, metrics: &Metrics, patience: Duration) -> Vec<InTopic> {
    let topics = topics.into_iter().map(|InTopic { name, topic_id, partitions }| {
        let partitions = partitions.into_iter().map(|(index, result)| {
            let metrics = metrics.clone();
            async move {
                match result {
                    Ok(in_log) => (index, sync_within(patience, in_log, metrics).await),
                    Err(refused) => (index, Err(refused)),
                }
            }
        });
        let partitions = when_woken::all(partitions.collect());
        async move { InTopic { name, topic_id, partitions: partitions.await } }
    });
    when_woken::all(topics.collect()).await
}

/// Waits until a batch is on the device, and no longer than that.
async fn sync_within(patience: Duration, mut in_log: InLog, metrics: Metrics) -> Result<InLog, RefusedBatch> {
    match timeout(patience, sync::wait(&mut in_log.synced, &metrics)).await {
        Ok(synced) => Ok(synced.map(|()| in_log)?),
        Err(_) => {
            tracing::warn!(?patience, "a sync takes longer than a producer waits");
            Err(ErrorCode::REQUEST_TIMED_OUT.into())
        }
    }
}

fn respond(topics: Vec<InTopic>) -> ProduceResponse {
    let responses = topics.into_iter().map(|InTopic { name, topic_id, partitions }| {
        let partitions = partitions.into_iter();
        let partition_responses = partitions.map(|(index, result)| respond_of(index, result)).collect();
        TopicProduceResponse { name, topic_id, partition_responses }
    });
    ProduceResponse { responses: responses.collect(), ..Default::default() }
}

fn respond_of(index: i32, result: Result<InLog, RefusedBatch>) -> PartitionProduceResponse {
    match result {
        Ok(InLog { log, appended, .. }) => PartitionProduceResponse {
            index,
            base_offset: appended.base_offset,
            log_append_time_ms: appended.log_append_time.unwrap_or(-1),
            log_start_offset: log.log_start(),
            ..Default::default()
        },
        Err(refused) => refused.respond(index),
    }
}

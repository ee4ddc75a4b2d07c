//! Fetch: batches as they lie in the log, at once or when they come.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::log::{Fetched, Log, ReadLimits, Readable};
use crate::net::ErrorCode;
use crate::net::codec::Records;
use crate::net::messages::fetch::{
    AbortedTransaction, EpochEndOffset, FetchPartition, FetchTopic, FetchableTopicResponse, PartitionData,
};
use crate::net::messages::{FetchRequest, FetchResponse};
use crate::net::transport::ConnectionError;
use crate::server::api_error::tell;
use crate::server::broker::{Broker, check_leader_epoch, end_of_epoch};
use crate::server::context::Context;
use crate::server::executor;
use crate::server::fetch_session::{Answer, PartitionKey, TopicKey, Wanted, is_error};
use crate::server::stop::told_to_stop;
use crate::types::{IsolationLevel, Offset};
use crate::uuid::Uuid;

/// From this version on topics are spoken of by id.
const TOPIC_ID_VERSION: i16 = 13;
/// From this version on there is an error of the whole response.
const ERROR_VERSION: i16 = 7;
/// From this version on clients know what a storage error is.
const STORAGE_ERROR_VERSION: i16 = 6;

/// From this size on records are sent from their file: less is copied as quickly as it is sent page by page. Most
/// consumers fetch a little less than 1 MiB of a partition (`max.partition.fetch.bytes`), and several partitions at
/// once.
const FILE_RANGE_BYTES_MIN: usize = 512 * 1024;

/// Answers once there are `min_bytes`, one partition has an error or another history than the client's, or more behind
/// it than its segment, `max_wait_ms` are over, or the server stops.
pub(in crate::server) async fn answer(
    context: &Context,
    request: FetchRequest,
) -> Result<Option<FetchResponse>, ConnectionError> {
    let fetched = fetch(context, &request).await;
    Ok(Some(fetched.unwrap_or_else(|error_code| FetchResponse { error_code, ..Default::default() })))
}

async fn fetch(context: &Context, request: &FetchRequest) -> Result<FetchResponse, ErrorCode> {
    let (broker, version) = (&context.broker, context.header.api_version);
    if let Err(error_code) = broker.check_partitions(request.topics.iter().map(|topic| topic.partitions.len())) {
        return Ok(refuse_all(request, version, error_code));
    }
    let by_id = version >= TOPIC_ID_VERSION;
    let now_ms = || broker.store.clock().now_ms();
    let (session, wanted) = broker.fetch_sessions.lock().begin(request, by_id, now_ms())?;
    let wanted = Arc::new(wanted);
    let data = read_enough(context, request, &wanted).await;
    let answers = Arc::unwrap_or_clone(wanted).into_iter().zip(data).map(|(wanted, mut data)| {
        if data.error_code == ErrorCode::KAFKA_STORAGE_ERROR && version < STORAGE_ERROR_VERSION {
            // What makes them look for another leader, and then try again.
            data.error_code = ErrorCode::NOT_LEADER_OR_FOLLOWER;
        }
        Answer { wanted, data }
    });
    let answers = answers.collect();
    let (session_id, answers) =
        broker.fetch_sessions.lock().finish(session, answers, by_id, now_ms(), random_session_id)?;
    for Answer { wanted: (PartitionKey { topic, .. }, _), data } in &answers {
        broker.count_fetched(topic, data.records.as_ref().map_or(0, |records| records.len()));
    }
    Ok(FetchResponse { session_id, responses: by_topic(answers), ..Default::default() })
}

/// An id that no session of an earlier process is likely to have had.
fn random_session_id() -> i32 {
    let [a, b, c, d, ..] = Uuid::random().to_bytes();
    i32::from_be_bytes([a, b, c, d])
}

/// What there is of each partition, once that is enough or the time is over.
async fn read_enough(context: &Context, request: &FetchRequest, wanted: &Arc<Vec<Wanted>>) -> Vec<PartitionData> {
    let mut stop = context.stop.clone();
    let params = FetchParams::new(request, context.broker.fetch_bytes_max());
    let max_wait_ms = u64::try_from(request.max_wait_ms).unwrap_or(0);
    // A client that says nothing for longer is let go.
    let max_wait = Duration::from_millis(max_wait_ms.min(context.broker.config.connections_max_idle_ms));
    let deadline = Instant::now() + max_wait;
    let mut unknown = None;
    loop {
        let (broker, wanted) = (context.broker.clone(), wanted.clone());
        let attempt = if broker.fetches_at_once(&wanted, params) {
            broker.promptness.run(|| broker.fetch(&wanted, params)).await
        } else {
            executor::run(move || broker.fetch(&wanted, params)).await
        };
        // What was not there before may be of use to nobody, and the rest is waited for.
        let is_gone = attempt.unknown > unknown.replace(attempt.unknown).unwrap_or(attempt.unknown);
        if attempt.is_complete || is_gone || Instant::now() >= deadline || *stop.borrow() {
            return attempt.data;
        }
        // What was read keeps maps of files, of which there can't be as many as clients may wait for.
        drop(attempt.data);
        // When the time is over, or the server stops, things may be different.
        tokio::select! {
            _ = timeout_at(deadline, any(attempt.more)) => {}
            () = told_to_stop(&mut stop) => {}
        }
    }
}

/// Ready when one of the partitions goes beyond its end.
async fn any(mut more: Vec<Readable>) {
    std::future::poll_fn(|context| {
        let is_ready = more.iter_mut().any(|one| Pin::new(one).poll(context).is_ready());
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// What a request says of all its partitions.
#[derive(Clone, Copy)]
struct FetchParams {
    isolation: IsolationLevel,
    min_bytes: usize,
    max_bytes: usize,
    /// It is another broker's, which has no replica of anything here.
    is_from_follower: bool,
}

impl FetchParams {
    fn new(request: &FetchRequest, fetch_max_bytes: usize) -> Self {
        let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(fetch_max_bytes);
        // More than there can be would never come.
        let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0).min(max_bytes);
        let isolation = match request.isolation_level {
            0 => IsolationLevel::ReadUncommitted,
            _ => IsolationLevel::ReadCommitted,
        };
        let is_from_follower = request.replica_id.max(request.replica_state.replica_id) >= 0;
        Self { isolation, min_bytes, max_bytes, is_from_follower }
    }
}

/// What there was at one moment.
struct Attempt {
    data: Vec<PartitionData>,
    /// Whether there is nothing to wait for.
    is_complete: bool,
    /// How many of the partitions there are not.
    unknown: usize,
    /// Each ready when its partition goes beyond where it ended, which was looked at before it was read.
    more: Vec<Readable>,
}

/// What an attempt comes by in its partitions.
#[derive(Default)]
struct Seen {
    /// What counts as bytes that are there: as in Kafka, which cuts batches, all that the limits leave room for.
    bytes: usize,
    /// Whether a partition is read in a segment that was closed, behind which there is more.
    is_behind: bool,
    more: Vec<Readable>,
}

impl Seen {
    fn take_in(&mut self, log: &Log, offset: Offset, fetched: &Fetched, max_bytes: usize, isolation: IsolationLevel) {
        let readable_end = match isolation {
            IsolationLevel::ReadUncommitted => fetched.high_watermark(),
            IsolationLevel::ReadCommitted => fetched.last_stable_offset(),
        };
        let (bytes, has_more) = (fetched.bytes().len(), fetched.next_offset() < readable_end);
        self.bytes += if has_more { bytes.max(max_bytes) } else { bytes };
        self.is_behind |= bytes > 0 && log.is_on_older_segment(offset);
    }
}

impl Broker {
    /// Whether all that is wanted is read in a moment, as it seems.
    fn fetches_at_once(&self, wanted: &[Wanted], params: FetchParams) -> bool {
        let at_once = |(key, wanted): &Wanted| {
            self.log_of(key).is_ok_and(|log| log.reads_at_once(wanted.fetch_offset, params.isolation))
        };
        self.may_do_at_once(wanted.len()) && wanted.iter().all(at_once)
    }

    fn fetch(&self, wanted: &[Wanted], params: FetchParams) -> Attempt {
        let (mut bytes, mut has_error, mut unknown, mut seen) = (0, false, 0, Seen::default());
        let fetch = |(key, wanted): &Wanted| {
            let limits = FetchParams { max_bytes: params.max_bytes.saturating_sub(bytes), ..params };
            let data = self.fetch_partition(key, wanted, limits, bytes == 0, &mut seen);
            let data = data.unwrap_or_else(|error_code| refuse(wanted.partition, error_code));
            bytes += data.records.as_ref().map_or(0, |records| records.len());
            match data.error_code {
                ErrorCode::UNKNOWN_TOPIC_ID | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => unknown += 1,
                _ => has_error |= is_error(&data),
            }
            data
        };
        let data = wanted.iter().map(fetch).collect();
        let Seen { bytes, is_behind, more } = seen;
        let is_complete = bytes >= params.min_bytes || is_behind || has_error || more.is_empty();
        Attempt { data, is_complete, unknown, more }
    }

    /// The `first` batch of a response is in it however large it is, or a consumer would never get beyond it (KIP-74).
    fn fetch_partition(
        &self,
        key: &PartitionKey,
        wanted: &FetchPartition,
        params: FetchParams,
        first: bool,
        seen: &mut Seen,
    ) -> Result<PartitionData, ErrorCode> {
        let FetchParams { isolation, .. } = params;
        let log = self.log_of(key)?;
        check_leader_epoch(&log, wanted.current_leader_epoch.max(-1))?;
        if params.is_from_follower {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        let diverging_epoch = diverging_epoch(&log, wanted)?;
        if let Some(diverging_epoch) = diverging_epoch {
            return Ok(PartitionData {
                partition_index: wanted.partition,
                high_watermark: log.high_watermark(),
                last_stable_offset: log.last_stable_offset(),
                log_start_offset: log.log_start(),
                diverging_epoch,
                records: Some(Records::default()),
                ..Default::default()
            });
        }
        seen.more.push(log.readable_in(isolation, log.readable_end(isolation)));
        let max_bytes = usize::try_from(wanted.partition_max_bytes).unwrap_or(0).min(params.max_bytes);
        let limits = ReadLimits::new().max_bytes(max_bytes).isolation_level(isolation);
        let fetched = log.read(wanted.fetch_offset, limits).inspect_err(tell)?;
        seen.take_in(&log, wanted.fetch_offset, &fetched, max_bytes, isolation);
        let fits = first || fetched.bytes().len() <= max_bytes;
        // Empty and not null, which not every client takes for it.
        let records = if fits { self.records(&fetched) } else { Records::default() };
        let aborted = |aborted: &crate::log::AbortedTransaction| AbortedTransaction {
            producer_id: aborted.producer_id,
            first_offset: aborted.first_offset,
        };
        Ok(PartitionData {
            partition_index: wanted.partition,
            high_watermark: fetched.high_watermark(),
            last_stable_offset: fetched.last_stable_offset(),
            log_start_offset: log.log_start(),
            aborted_transactions: (isolation == IsolationLevel::ReadCommitted && fits)
                .then(|| fetched.aborted_transactions().iter().map(aborted).collect()),
            records: Some(records),
            ..Default::default()
        })
    }

    /// What was read, and where it is in a file if the client gets it from there.
    fn records(&self, fetched: &Fetched) -> Records {
        let is_large = fetched.bytes().len() >= FILE_RANGE_BYTES_MIN;
        let file = if self.sends_files && is_large { fetched.file_range() } else { None };
        Records::new(fetched.bytes().clone(), file)
    }

    fn count_fetched(&self, topic: &TopicKey, bytes: usize) {
        let name = match topic {
            _ if bytes == 0 => return,
            TopicKey::Name(name) => Some(name.clone()),
            TopicKey::Id(id) => self.store.topic_name(*id),
        };
        if let Some(name) = name {
            self.metrics.fetched(&name, bytes);
        }
    }

    fn log_of(&self, PartitionKey { topic, partition }: &PartitionKey) -> Result<Log, ErrorCode> {
        let found = match topic {
            TopicKey::Name(name) => self.partition(name, *partition),
            // By the id each time: the name could be another topic's by now.
            TopicKey::Id(id) => self.store.topic_with_id(*id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?.partition(*partition),
        };
        Ok(found?)
    }
}

/// Where the epoch ends that the client has read last, if that is before where it goes on: what it has read beyond is
/// not what is here (KIP-595). Consumers don't say, and ask by OffsetForLeaderEpoch.
fn diverging_epoch(log: &Log, wanted: &FetchPartition) -> Result<Option<EpochEndOffset>, ErrorCode> {
    if wanted.last_fetched_epoch < 0 {
        return Ok(None);
    }
    let end = end_of_epoch(log, wanted.last_fetched_epoch).ok_or(ErrorCode::OFFSET_OUT_OF_RANGE)?;
    if wanted.fetch_offset < log.log_start() {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    let diverges = end.leader_epoch < wanted.last_fetched_epoch || end.end_offset < wanted.fetch_offset;
    Ok(diverges.then_some(EpochEndOffset { epoch: end.leader_epoch, end_offset: end.end_offset }))
}

fn refuse(partition_index: i32, error_code: ErrorCode) -> PartitionData {
    // As Kafka has it: null where there is a log that could have some.
    let is_unknown = matches!(error_code, ErrorCode::UNKNOWN_TOPIC_ID | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    PartitionData {
        partition_index,
        error_code,
        high_watermark: -1,
        aborted_transactions: is_unknown.then(Vec::new),
        records: Some(Default::default()),
        ..Default::default()
    }
}

/// Names no partition if there is another way to say that all are refused.
fn refuse_all(request: &FetchRequest, version: i16, error_code: ErrorCode) -> FetchResponse {
    let refused = |topic: &FetchTopic| FetchableTopicResponse {
        topic: topic.topic.clone(),
        partitions: topic.partitions.iter().map(|wanted| refuse(wanted.partition, error_code)).collect(),
        ..Default::default()
    };
    let named = if version < ERROR_VERSION { &*request.topics } else { &[] };
    FetchResponse { error_code, responses: named.iter().map(refused).collect(), ..Default::default() }
}

/// Puts partitions together that follow each other and are of one topic.
fn by_topic(answers: Vec<Answer>) -> Vec<FetchableTopicResponse> {
    let (mut responses, mut last) = (Vec::<FetchableTopicResponse>::new(), None);
    for Answer { wanted: (PartitionKey { topic, .. }, _), data } in answers {
        match responses.last_mut() {
            Some(response) if last.as_ref() == Some(&topic) => response.partitions.push(data),
            _ => {
                let (name, topic_id) = match &topic {
                    TopicKey::Name(name) => (name.to_string(), Uuid::ZERO),
                    TopicKey::Id(id) => (String::new(), *id),
                };
                responses.push(FetchableTopicResponse { topic: name, topic_id, partitions: vec![data] });
                last = Some(topic);
            }
        }
    }
    responses
}

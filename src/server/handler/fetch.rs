//! Fetch: batches as they lie in the log, at once or when they come.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::log::{Log, ReadLimits, Readable};
use crate::net::ErrorCode;
use crate::net::messages::fetch::{AbortedTransaction, FetchPartition, FetchableTopicResponse, PartitionData};
use crate::net::messages::{FetchRequest, FetchResponse};
use crate::net::transport::ConnectionError;
use crate::server::broker::{Broker, check_leader_epoch};
use crate::server::dispatch::Context;
use crate::server::executor;
use crate::types::{IsolationLevel, Offset};

/// Answers once there are `min_bytes`, one partition has an error, `max_wait_ms` are over, or the server stops.
pub(in crate::server) async fn answer(
    context: &Context,
    request: FetchRequest,
) -> Result<Option<FetchResponse>, ConnectionError> {
    Ok(Some(fetch(context, request).await))
}

async fn fetch(context: &Context, request: FetchRequest) -> FetchResponse {
    let mut stop = context.stop.clone();
    // There are no fetch sessions here: every request says all that it wants, and clients that ask for a session learn
    // from the 0 in the response that they have none.
    if request.session_id != 0 {
        return FetchResponse { error_code: ErrorCode::FETCH_SESSION_ID_NOT_FOUND, ..Default::default() };
    }
    let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = Instant::now() + max_wait;
    let request = Arc::new(request);
    loop {
        let (broker, request) = (context.broker.clone(), request.clone());
        let attempt = executor::run(move || broker.fetch(&request)).await;
        if attempt.is_complete || Instant::now() >= deadline || *stop.borrow() {
            return attempt.response;
        }
        let more = any_readable(attempt.ends);
        tokio::select! {
            waited = timeout_at(deadline, more) => if waited.is_err() { return attempt.response },
            _ = stop.wait_for(|stop| *stop) => return attempt.response,
        }
    }
}

/// What there was at one moment.
struct Attempt {
    response: FetchResponse,
    /// Whether there is nothing to wait for.
    is_complete: bool,
    /// Where each partition ended, looked at before it was read.
    ends: Vec<(Log, Offset)>,
}

/// Ready when one of the partitions goes beyond its end.
async fn any_readable(ends: Vec<(Log, Offset)>) {
    let mut readable: Vec<Readable> = ends.into_iter().map(|(log, end)| log.readable(end)).collect();
    std::future::poll_fn(|context| {
        let is_ready = readable.iter_mut().any(|one| Pin::new(one).poll(context).is_ready());
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Broker {
    fn fetch(&self, request: &FetchRequest) -> Attempt {
        let isolation = match request.isolation_level {
            0 => IsolationLevel::ReadUncommitted,
            _ => IsolationLevel::ReadCommitted,
        };
        let mut room = usize::try_from(request.max_bytes).unwrap_or(0).min(self.config.fetch_max_bytes);
        let (mut bytes, mut has_error, mut ends) = (0, false, Vec::new());
        let responses = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|wanted| {
                let data = self.fetch_partition(&topic.topic, wanted, isolation, room, bytes == 0, &mut ends);
                let data = data.unwrap_or_else(|error_code| refuse(wanted.partition, error_code));
                let size = data.records.as_ref().map_or(0, |records| records.len());
                (bytes, room) = (bytes + size, room.saturating_sub(size));
                has_error |= data.error_code != ErrorCode::NONE;
                data
            });
            let partitions = partitions.collect();
            FetchableTopicResponse { topic: topic.topic.clone(), partitions, ..Default::default() }
        });
        let response = FetchResponse { responses: responses.collect(), ..Default::default() };
        let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0);
        Attempt { response, is_complete: bytes >= min_bytes || has_error || ends.is_empty(), ends }
    }

    /// The `first` batch of a response is in it however large it is, or a consumer would never get beyond it (KIP-74).
    fn fetch_partition(
        &self,
        topic: &str,
        wanted: &FetchPartition,
        isolation: IsolationLevel,
        room: usize,
        first: bool,
        ends: &mut Vec<(Log, Offset)>,
    ) -> Result<PartitionData, ErrorCode> {
        let log = self.partition(topic, wanted.partition).map_err(|error| ErrorCode::from(&error))?;
        check_leader_epoch(&log, wanted.current_leader_epoch)?;
        ends.push((log.clone(), log.high_watermark()));
        let max_bytes = usize::try_from(wanted.partition_max_bytes).unwrap_or(0).min(room);
        let limits = ReadLimits::new().max_bytes(max_bytes).isolation(isolation);
        let fetched = log.read(wanted.fetch_offset, limits).map_err(|error| ErrorCode::from(&error))?;
        let fits = first || fetched.bytes().len() <= max_bytes;
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
            // Empty and not null, which not every client takes for it.
            records: Some(if fits { fetched.bytes().clone() } else { Default::default() }),
            ..Default::default()
        })
    }
}

fn refuse(partition_index: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code,
        high_watermark: -1,
        records: Some(Default::default()),
        ..Default::default()
    }
}

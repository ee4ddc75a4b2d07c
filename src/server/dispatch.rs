//! Which request goes to which handler, and what clients are told that there is.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use tokio::sync::watch;

use super::broker::{Broker, Served};
use super::context::Context;
use super::executor;
use super::handler::*;
use super::limits::Room;
use super::when_woken::WhenWoken;
use crate::net::codec::Encoded;
use crate::net::messages::{Body, decode_body, response_frame};
use crate::net::transport::ConnectionError;
use crate::net::{ApiKey, ProtocolError, RequestHeader};

/// What becomes of a request in the end. Not every one has a response.
pub(super) type Answered = Result<Option<Encoded>, ConnectionError>;

/// What becomes of a request.
pub(super) enum Answer {
    Now(Answered),
    /// It waits, for a sync, for records or for other members of a group. Requests that come after it don't wait for
    /// that, only their responses do. The response may have so many bytes of memory.
    Later(WhenWoken<Answered>, usize),
}

impl Answer {
    fn later(bytes: usize, answer: impl Future<Output = Answered> + Send + 'static) -> Self {
        Self::Later(WhenWoken::new(answer), bytes)
    }

    /// Lets it get on, if it waits.
    pub(super) fn get_on(&mut self, context: &mut TaskContext<'_>) {
        if let Self::Later(answer, _) = self
            && let Poll::Ready(answered) = Pin::new(answer).poll(context)
        {
            *self = Self::Now(answered);
        }
    }

    /// Takes what came of it, once that is known. Only the first one may be a response that is sent from files, which
    /// may take long, or end the connection.
    pub(super) fn take(&mut self, is_first: bool) -> Option<Answered> {
        match self {
            Self::Now(Err(_)) if !is_first => None,
            Self::Now(Ok(Some(response))) if !is_first && !response.files().is_empty() => None,
            Self::Now(answered) => Some(std::mem::replace(answered, Ok(None))),
            Self::Later(..) => None,
        }
    }

    /// How many bytes wait to be written, or may come to.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Now(Ok(Some(response))) => response.size(),
            Self::Now(_) => 0,
            Self::Later(_, bytes) => *bytes,
        }
    }
}

/// Declares what is served: the versions of each API, and the handler that answers it.
///
/// - An `inline` handler is a function of the broker, the request and its version that answers in a moment whatever is
///   asked.
/// - A `blocking` handler is the same, but may take longer and touch the disk. The next request of the connection
///   begins when it is done.
/// - A `stoppable` one is the same, but a function of the [`Context`] and the request: it looks at whether the server
///   stops.
/// - A `waiting` one is a future of the [`Context`] and the request, which says itself what may block, and may have no
///   response. The next request begins at once, unless the response may take memory for records.
/// - An `ordered` one is both: a future that the next request waits for, of a future that it doesn't.
macro_rules! served {
    ($($(#[$meta:meta])* $api:ident: $versions:expr => $kind:ident $handler:path;)*) => {
        /// The versions that are served.
        pub(super) const SERVED: Served = &[$($(#[$meta])* (ApiKey::$api, $versions)),*];

        async fn answer(context: Context, body: Bytes, room: &mut Room) -> Result<Answer, ConnectionError> {
            let version = context.header.api_version;
            match context.header.api_key {
                $($(#[$meta])* ApiKey::$api => {
                    let (request, decoded_bytes) = decode(ApiKey::$api, body, version).await?;
                    room.hold_decoded(decoded_bytes)?;
                    answer!($kind $handler, context, request)
                })*
                #[allow(unreachable_patterns, reason = "all that have a name are served, until there are more")]
                api => Err(ProtocolError::UnknownApiKey { key: api.key(), version }.into()),
            }
        }
    };
}

macro_rules! answer {
    (inline $handler:path, $context:ident, $request:ident) => {{
        let Context { broker, header, .. } = $context;
        let response = $handler(&broker, $request, header.api_version);
        Ok(Answer::Now(encode(&header, Some(response))))
    }};
    (blocking $handler:path, $context:ident, $request:ident) => {{
        let Context { broker, header, .. } = $context;
        let version = header.api_version;
        // A response may be long, and is encoded where it was made.
        let frame = executor::run(move || response_frame(&header, &$handler(&broker, $request, version))).await?;
        Ok(Answer::Now(Ok(Some(frame))))
    }};
    (stoppable $handler:path, $context:ident, $request:ident) => {{
        let frame = executor::run(move || response_frame(&$context.header, &$handler(&$context, $request))).await?;
        Ok(Answer::Now(Ok(Some(frame))))
    }};
    (waiting $handler:path, $context:ident, $request:ident) => {{
        let bytes = $context.broker.fetch_bytes_copied_max();
        Ok(Answer::later(bytes, async move { encode(&$context.header, $handler(&$context, $request).await?) }))
    }};
    (ordered $handler:path, $context:ident, $request:ident) => {{
        let response = $handler(&$context, $request).await?;
        Ok(Answer::later(0, async move { encode(&$context.header, response.await?) }))
    }};
}

/// How large a request may be that is decoded where it was read. In one of records most of it stays as it is.
const DECODED_HERE_BYTES_MAX: usize = 128 * 1024;

async fn decode<B: Body + Send + 'static>(api: ApiKey, body: Bytes, version: i16) -> Result<(B, usize), ProtocolError> {
    match body.len() > DECODED_HERE_BYTES_MAX && api != ApiKey::Produce {
        true => executor::run(move || decode_body(body, version)).await,
        false => decode_body(body, version),
    }
}

fn encode(header: &RequestHeader, response: Option<impl Body>) -> Answered {
    Ok(response.map(|response| response_frame(header, &response)).transpose()?)
}

served! {
    Produce: 3..=13 => ordered produce::answer;
    Fetch: 4..=18 => waiting fetch::answer;
    ListOffsets: 1..=11 => blocking list_offsets::answer;
    Metadata: 0..=13 => blocking metadata::answer;
    OffsetCommit: 2..=10 => ordered offset_commit::answer;
    OffsetFetch: 1..=10 => blocking offset_fetch::answer;
    FindCoordinator: 0..=6 => blocking find_coordinator::answer;
    JoinGroup: 0..=9 => ordered join_group::answer;
    Heartbeat: 0..=4 => ordered heartbeat::answer;
    LeaveGroup: 0..=5 => blocking leave_group::answer;
    SyncGroup: 0..=5 => ordered sync_group::answer;
    DescribeGroups: 0..=6 => blocking describe_groups::answer;
    ListGroups: 0..=5 => blocking list_groups::answer;
    SaslHandshake: 0..=1 => inline sasl_handshake::answer;
    ApiVersions: 0..=4 => inline api_versions::answer;
    CreateTopics: 2..=7 => stoppable create_topics::answer;
    DeleteTopics: 1..=6 => blocking delete_topics::answer;
    DeleteRecords: 0..=2 => blocking delete_records::answer;
    // Version 6 is not stable in Kafka.
    InitProducerId: 0..=5 => blocking init_producer_id::answer;
    OffsetForLeaderEpoch: 2..=4 => blocking offset_for_leader_epoch::answer;
    // From version 4 on brokers ask each other.
    AddPartitionsToTxn: 0..=3 => blocking add_partitions_to_txn::answer;
    AddOffsetsToTxn: 0..=4 => blocking add_offsets_to_txn::answer;
    EndTxn: 0..=5 => blocking end_txn::answer;
    WriteTxnMarkers: 1..=2 => blocking write_txn_markers::answer;
    TxnOffsetCommit: 0..=5 => blocking txn_offset_commit::answer;
    DescribeAcls: 1..=3 => inline describe_acls::answer;
    CreateAcls: 1..=3 => blocking create_acls::answer;
    DeleteAcls: 1..=3 => blocking delete_acls::answer;
    DescribeConfigs: 1..=4 => blocking describe_configs::answer;
    AlterConfigs: 0..=2 => blocking alter_configs::answer;
    DescribeLogDirs: 1..=5 => blocking describe_log_dirs::answer;
    SaslAuthenticate: 0..=2 => blocking sasl_authenticate::answer;
    CreatePartitions: 0..=3 => blocking create_partitions::answer;
    DeleteGroups: 0..=2 => blocking delete_groups::answer;
    ElectLeaders: 0..=2 => blocking elect_leaders::answer;
    IncrementalAlterConfigs: 0..=1 => blocking incremental_alter_configs::answer;
    ListPartitionReassignments: 0..=0 => blocking list_partition_reassignments::answer;
    OffsetDelete: 0..=0 => blocking offset_delete::answer;
    DescribeClientQuotas: 0..=1 => blocking describe_client_quotas::answer;
    #[cfg(feature = "sasl")]
    DescribeUserScramCredentials: 0..=0 => blocking describe_user_scram_credentials::answer;
    #[cfg(feature = "sasl")]
    AlterUserScramCredentials: 0..=0 => blocking alter_user_scram_credentials::answer;
    DescribeCluster: 0..=2 => inline describe_cluster::answer;
    DescribeProducers: 0..=0 => blocking describe_producers::answer;
    DescribeTransactions: 0..=0 => blocking describe_transactions::answer;
    ListTransactions: 0..=2 => blocking list_transactions::answer;
    ConsumerGroupHeartbeat: 0..=1 => ordered consumer_group_heartbeat::answer;
    ConsumerGroupDescribe: 0..=1 => blocking consumer_group_describe::answer;
    ListConfigResources: 0..=1 => blocking list_config_resources::answer;
    DescribeTopicPartitions: 0..=0 => blocking describe_topic_partitions::answer;
}

/// Begins to answer the request in a frame, which has been given `room`.
///
/// # Errors
///
/// What ends the connection: a frame that is no request, a request that isn't served here, or one that takes more
/// memory than there is.
pub(super) async fn dispatch(
    broker: Arc<Broker>,
    mut frame: Bytes,
    stop: watch::Receiver<bool>,
    room: &mut Room,
) -> Result<Answer, ConnectionError> {
    let header = RequestHeader::decode(&mut frame)?;
    if let Err(error) = check_served(header.api_key, header.api_version) {
        // No response of any other request could say that it isn't served.
        return match header.api_key {
            ApiKey::ApiVersions => Ok(Answer::Now(Ok(Some(api_versions::refuse(&header)?)))),
            _ => Err(error.into()),
        };
    }
    answer(Context { broker, header, stop }, frame, room).await
}

fn check_served(api: ApiKey, version: i16) -> Result<(), ProtocolError> {
    match SERVED.iter().find(|(served, _)| *served == api) {
        Some((_, supported)) if supported.contains(&version) => Ok(()),
        Some((_, supported)) => Err(ProtocolError::UnsupportedVersion { api, version, supported: supported.clone() }),
        None => Err(ProtocolError::UnknownApiKey { key: api.key(), version }),
    }
}

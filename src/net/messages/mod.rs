//! The messages, one file an API: its request and its response, each with the parts that it has.
//!
//! Names are those of Kafka's message definitions, fields in snake case. A struct has the fields of all versions; which
//! version has which is in the documentation of the field. Construct one with `..Default::default()`, for new versions
//! bring new fields.

pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod alter_configs;
pub mod alter_user_scram_credentials;
pub mod api_versions;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod create_acls;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_acls;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_topic_partitions;
pub mod describe_transactions;
pub mod describe_user_scram_credentials;
pub mod elect_leaders;
pub mod end_txn;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod list_transactions;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod sasl_authenticate;
pub mod sasl_handshake;
pub mod sync_group;
pub mod txn_offset_commit;
pub mod write_txn_markers;

use bytes::Bytes;

use super::api::ApiKey;
use super::codec::{Decoder, Encoded, Encoder, Kind, Schema, Wire};
use super::frame::frame;
use super::header::{RequestHeader, ResponseHeader};
use super::protocol_error::ProtocolError;

/// What a frame holds after its header: a request or a response.
pub trait Body: Wire + Clone + std::fmt::Debug + PartialEq + Default {
    /// The API that it belongs to.
    const API_KEY: ApiKey;

    /// What it consists of.
    const SCHEMA: &'static Schema = match Self::KIND {
        Kind::Struct(schema) => schema,
        _ => panic!("a body is a struct"),
    };

    /// Reads a body of version `version`. Bytes after it are ignored, as Kafka does.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::UnsupportedVersion`], [`ProtocolError::Malformed`].
    fn from_bytes(bytes: Bytes, version: i16) -> Result<Self, ProtocolError> {
        decode_body(bytes, version).map(|(body, _)| body)
    }

    /// Writes it in version `version`.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::UnsupportedVersion`], [`ProtocolError::Inexpressible`].
    fn to_bytes(&self, version: i16) -> Result<Encoded, ProtocolError> {
        let mut to = Encoder::new(version, false);
        encode_body(self, version, &mut to)?;
        Ok(to.finish())
    }
}

/// A request, and with it the kind of its response.
pub trait Request: Body {
    /// The response.
    type Response: Body;
}

/// Reads a body as [`Body::from_bytes`], and tells how much memory it takes, in bytes.
pub(crate) fn decode_body<B: Body>(bytes: Bytes, version: i16) -> Result<(B, usize), ProtocolError> {
    B::API_KEY.check(version)?;
    let mut from = Decoder::new(bytes, version, B::API_KEY.is_flexible(version));
    let body = B::decode(&mut from)?;
    Ok((body, from.decoded_bytes()))
}

fn encode_body<B: Body>(body: &B, version: i16, to: &mut Encoder) -> Result<(), ProtocolError> {
    B::API_KEY.check(version)?;
    to.switch_to(version, B::API_KEY.is_flexible(version));
    body.encode(to)
}

/// The frame of a request, its size before it. The header says in which version.
///
/// # Errors
///
/// [`ProtocolError::UnsupportedVersion`], [`ProtocolError::Inexpressible`].
///
/// # Panics
///
/// If the header is that of another API.
pub fn request_frame<R: Request>(header: &RequestHeader, request: &R) -> Result<Encoded, ProtocolError> {
    assert_eq!(header.api_key, R::API_KEY, "a request has a header of its own kind");
    frame(|to| {
        header.encode(to)?;
        encode_body(request, header.api_version, to)
    })
}

/// The frame of the response to a request with this header, its size before it.
///
/// # Errors
///
/// [`ProtocolError::UnsupportedVersion`], [`ProtocolError::Inexpressible`].
///
/// # Panics
///
/// If the header is that of another API.
pub fn response_frame<B: Body>(header: &RequestHeader, response: &B) -> Result<Encoded, ProtocolError> {
    assert_eq!(header.api_key, B::API_KEY, "a response is to a request of its own kind");
    frame(|to| {
        let (api_key, version) = (header.api_key, header.api_version);
        ResponseHeader { correlation_id: header.correlation_id }.encode(to, api_key, version)?;
        encode_body(response, version, to)
    })
}

/// A body of which only the API's key says what it is.
macro_rules! any {
    ($(#[$meta:meta])* $name:ident by $to_frame:ident { $($api:ident: $body:ident,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $(
                #[doc = concat!("That of [`ApiKey::", stringify!($api), "`].")]
                $api($body),
            )*
        }

        impl $name {
            /// Reads the body that belongs to `api_key`.
            ///
            /// # Errors
            ///
            /// As [`Body::from_bytes`].
            pub fn from_bytes(api_key: ApiKey, bytes: Bytes, version: i16) -> Result<Self, ProtocolError> {
                match api_key {
                    $(ApiKey::$api => $body::from_bytes(bytes, version).map(Self::$api),)*
                }
            }

            /// Writes the body.
            ///
            /// # Errors
            ///
            /// As [`Body::to_bytes`].
            pub fn to_bytes(&self, version: i16) -> Result<Encoded, ProtocolError> {
                match self {
                    $(Self::$api(body) => body.to_bytes(version),)*
                }
            }

            /// The frame of it, its size before it.
            ///
            /// # Errors
            ///
            #[doc = concat!("As [`", stringify!($to_frame), "`].")]
            ///
            /// # Panics
            ///
            /// If the header is that of another API.
            pub fn to_frame(&self, header: &RequestHeader) -> Result<Encoded, ProtocolError> {
                match self {
                    $(Self::$api(body) => $to_frame(header, body),)*
                }
            }

            /// Its API.
            pub const fn api_key(&self) -> ApiKey {
                match self {
                    $(Self::$api(_) => ApiKey::$api,)*
                }
            }

            /// What the body of an API consists of.
            pub const fn schema(api_key: ApiKey) -> &'static Schema {
                match api_key {
                    $(ApiKey::$api => $body::SCHEMA,)*
                }
            }
        }
    };
}

/// Binds each API to its messages.
macro_rules! bodies {
    ($($api:ident: $module:ident::{$request:ident, $response:ident},)*) => {
        $(
            pub use $module::{$request, $response};

            impl Body for $request {
                const API_KEY: ApiKey = ApiKey::$api;
            }

            impl Body for $response {
                const API_KEY: ApiKey = ApiKey::$api;
            }

            impl Request for $request {
                type Response = $response;
            }
        )*

        any!(
            /// The request of any API.
            AnyRequest by request_frame { $($api: $request,)* }
        );

        any!(
            /// The response of any API.
            AnyResponse by response_frame { $($api: $response,)* }
        );
    };
}

bodies! {
    Produce: produce::{ProduceRequest, ProduceResponse},
    Fetch: fetch::{FetchRequest, FetchResponse},
    ListOffsets: list_offsets::{ListOffsetsRequest, ListOffsetsResponse},
    Metadata: metadata::{MetadataRequest, MetadataResponse},
    OffsetCommit: offset_commit::{OffsetCommitRequest, OffsetCommitResponse},
    OffsetFetch: offset_fetch::{OffsetFetchRequest, OffsetFetchResponse},
    FindCoordinator: find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse},
    JoinGroup: join_group::{JoinGroupRequest, JoinGroupResponse},
    Heartbeat: heartbeat::{HeartbeatRequest, HeartbeatResponse},
    LeaveGroup: leave_group::{LeaveGroupRequest, LeaveGroupResponse},
    SyncGroup: sync_group::{SyncGroupRequest, SyncGroupResponse},
    DescribeGroups: describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse},
    ListGroups: list_groups::{ListGroupsRequest, ListGroupsResponse},
    SaslHandshake: sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse},
    ApiVersions: api_versions::{ApiVersionsRequest, ApiVersionsResponse},
    CreateTopics: create_topics::{CreateTopicsRequest, CreateTopicsResponse},
    DeleteTopics: delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse},
    DeleteRecords: delete_records::{DeleteRecordsRequest, DeleteRecordsResponse},
    InitProducerId: init_producer_id::{InitProducerIdRequest, InitProducerIdResponse},
    OffsetForLeaderEpoch: offset_for_leader_epoch::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse},
    AddPartitionsToTxn: add_partitions_to_txn::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse},
    AddOffsetsToTxn: add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse},
    EndTxn: end_txn::{EndTxnRequest, EndTxnResponse},
    WriteTxnMarkers: write_txn_markers::{WriteTxnMarkersRequest, WriteTxnMarkersResponse},
    TxnOffsetCommit: txn_offset_commit::{TxnOffsetCommitRequest, TxnOffsetCommitResponse},
    DescribeAcls: describe_acls::{DescribeAclsRequest, DescribeAclsResponse},
    CreateAcls: create_acls::{CreateAclsRequest, CreateAclsResponse},
    DeleteAcls: delete_acls::{DeleteAclsRequest, DeleteAclsResponse},
    DescribeConfigs: describe_configs::{DescribeConfigsRequest, DescribeConfigsResponse},
    AlterConfigs: alter_configs::{AlterConfigsRequest, AlterConfigsResponse},
    DescribeLogDirs: describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResponse},
    SaslAuthenticate: sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse},
    CreatePartitions: create_partitions::{CreatePartitionsRequest, CreatePartitionsResponse},
    DeleteGroups: delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse},
    ElectLeaders: elect_leaders::{ElectLeadersRequest, ElectLeadersResponse},
    IncrementalAlterConfigs: incremental_alter_configs::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse},
    ListPartitionReassignments: list_partition_reassignments::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse},
    OffsetDelete: offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse},
    DescribeClientQuotas: describe_client_quotas::{DescribeClientQuotasRequest, DescribeClientQuotasResponse},
    DescribeUserScramCredentials: describe_user_scram_credentials::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse},
    AlterUserScramCredentials: alter_user_scram_credentials::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse},
    DescribeCluster: describe_cluster::{DescribeClusterRequest, DescribeClusterResponse},
    DescribeProducers: describe_producers::{DescribeProducersRequest, DescribeProducersResponse},
    DescribeTransactions: describe_transactions::{DescribeTransactionsRequest, DescribeTransactionsResponse},
    ListTransactions: list_transactions::{ListTransactionsRequest, ListTransactionsResponse},
    ConsumerGroupHeartbeat: consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse},
    ConsumerGroupDescribe: consumer_group_describe::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse},
    ListConfigResources: list_config_resources::{ListConfigResourcesRequest, ListConfigResourcesResponse},
    DescribeTopicPartitions: describe_topic_partitions::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse},
}

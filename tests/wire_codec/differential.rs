//! Every version of every message, against the `kafka-protocol` crate, which is generated from Kafka's definitions.
//!
//! Messages are made from our schema. Each side must read the whole of each, see the same values under the same names,
//! and write the same bytes again. What that crate doesn't know is in [`behaviour`](crate::behaviour), and all of it is
//! held to Kafka itself in `tests/kafka`.

use bytes::{Bytes, BytesMut};
use esker::Uuid;
use esker::net::messages::{AnyRequest, AnyResponse};
use esker::net::{ApiKey, ErrorCode, FrameBuffer, RequestHeader, ResponseHeader};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{
    Decodable, Encodable, Message, decode_request_header_from_buffer, encode_request_header_into_buffer,
};

use crate::generate::{self, Direction};
use crate::random::Random;

/// How often each version of each message is made.
const ROUNDS: u64 = 8;

/// What the other side makes of a message: its values, and its bytes again. `None` for a version that it doesn't know.
fn read_by_theirs<M: Message + Encodable + Decodable + std::fmt::Debug>(
    bytes: &Bytes,
    version: i16,
) -> Option<(String, Bytes)> {
    if version < M::VERSIONS.min || version > M::VERSIONS.max {
        return None;
    }
    let mut rest = bytes.clone();
    let message = M::decode(&mut rest, version).unwrap();
    assert!(rest.is_empty(), "{} bytes are left of {message:?} in version {version}", rest.len());
    let mut encoded = BytesMut::new();
    message.encode(&mut encoded, version).unwrap();
    Some((format!("{message:?}"), encoded.freeze()))
}

macro_rules! theirs {
    ($($api:ident: $request:ident, $response:ident;)*) => {
        fn request_by_theirs(api: ApiKey, bytes: &Bytes, version: i16) -> Option<(String, Bytes)> {
            match api {
                $(ApiKey::$api => read_by_theirs::<theirs::$request>(bytes, version),)*
                _ => panic!("{api} is not in the list"),
            }
        }

        fn response_by_theirs(api: ApiKey, bytes: &Bytes, version: i16) -> Option<(String, Bytes)> {
            match api {
                $(ApiKey::$api => read_by_theirs::<theirs::$response>(bytes, version),)*
                _ => panic!("{api} is not in the list"),
            }
        }
    };
}

theirs! {
    Produce: ProduceRequest, ProduceResponse;
    Fetch: FetchRequest, FetchResponse;
    ListOffsets: ListOffsetsRequest, ListOffsetsResponse;
    Metadata: MetadataRequest, MetadataResponse;
    OffsetCommit: OffsetCommitRequest, OffsetCommitResponse;
    OffsetFetch: OffsetFetchRequest, OffsetFetchResponse;
    FindCoordinator: FindCoordinatorRequest, FindCoordinatorResponse;
    JoinGroup: JoinGroupRequest, JoinGroupResponse;
    Heartbeat: HeartbeatRequest, HeartbeatResponse;
    LeaveGroup: LeaveGroupRequest, LeaveGroupResponse;
    SyncGroup: SyncGroupRequest, SyncGroupResponse;
    DescribeGroups: DescribeGroupsRequest, DescribeGroupsResponse;
    ListGroups: ListGroupsRequest, ListGroupsResponse;
    SaslHandshake: SaslHandshakeRequest, SaslHandshakeResponse;
    ApiVersions: ApiVersionsRequest, ApiVersionsResponse;
    CreateTopics: CreateTopicsRequest, CreateTopicsResponse;
    DeleteTopics: DeleteTopicsRequest, DeleteTopicsResponse;
    DeleteRecords: DeleteRecordsRequest, DeleteRecordsResponse;
    InitProducerId: InitProducerIdRequest, InitProducerIdResponse;
    OffsetForLeaderEpoch: OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
    AddPartitionsToTxn: AddPartitionsToTxnRequest, AddPartitionsToTxnResponse;
    AddOffsetsToTxn: AddOffsetsToTxnRequest, AddOffsetsToTxnResponse;
    EndTxn: EndTxnRequest, EndTxnResponse;
    WriteTxnMarkers: WriteTxnMarkersRequest, WriteTxnMarkersResponse;
    TxnOffsetCommit: TxnOffsetCommitRequest, TxnOffsetCommitResponse;
    DescribeConfigs: DescribeConfigsRequest, DescribeConfigsResponse;
    AlterConfigs: AlterConfigsRequest, AlterConfigsResponse;
    DescribeLogDirs: DescribeLogDirsRequest, DescribeLogDirsResponse;
    SaslAuthenticate: SaslAuthenticateRequest, SaslAuthenticateResponse;
    CreatePartitions: CreatePartitionsRequest, CreatePartitionsResponse;
    DeleteGroups: DeleteGroupsRequest, DeleteGroupsResponse;
    ElectLeaders: ElectLeadersRequest, ElectLeadersResponse;
    IncrementalAlterConfigs: IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
    ListPartitionReassignments: ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
    OffsetDelete: OffsetDeleteRequest, OffsetDeleteResponse;
    DescribeAcls: DescribeAclsRequest, DescribeAclsResponse;
    CreateAcls: CreateAclsRequest, CreateAclsResponse;
    DeleteAcls: DeleteAclsRequest, DeleteAclsResponse;
    DescribeClientQuotas: DescribeClientQuotasRequest, DescribeClientQuotasResponse;
    DescribeUserScramCredentials: DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse;
    AlterUserScramCredentials: AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse;
    DescribeCluster: DescribeClusterRequest, DescribeClusterResponse;
    DescribeProducers: DescribeProducersRequest, DescribeProducersResponse;
    DescribeTransactions: DescribeTransactionsRequest, DescribeTransactionsResponse;
    ListTransactions: ListTransactionsRequest, ListTransactionsResponse;
    ConsumerGroupHeartbeat: ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
    ConsumerGroupDescribe: ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
    ListConfigResources: ListConfigResourcesRequest, ListConfigResourcesResponse;
    DescribeTopicPartitions: DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
}

/// The words, quotes and signs of what `Debug` prints.
fn tokens(values: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), values.trim_start());
    while let Some(first) = rest.chars().next() {
        let end = if first == '"' {
            let mut escaped = false;
            let ends = |(_, c): &(usize, char)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            };
            2 + rest[1..].char_indices().find(ends).unwrap().0
        } else {
            let is_sign = |c: char| !c.is_alphanumeric() && !"_-#".contains(c);
            rest.find(is_sign).unwrap_or(rest.len()).max(first.len_utf8())
        };
        tokens.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    tokens
}

/// Puts values as the two sides print them into one form: without names of types, ids as digits, and error codes as
/// numbers.
fn plain(values: &str) -> String {
    // The other implementation keeps tagged fields that it doesn't know.
    let values = values.replace(", unknown_tagged_fields: {}", "").replace("{ unknown_tagged_fields: {} }", "");
    let tokens = tokens(&values);
    let mut plain = String::new();
    for (at, &token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1).copied().unwrap_or_default();
        let is_type = token.starts_with(char::is_uppercase) && ["{", "("].contains(&next) && token != "Some";
        if is_type || ["error", "code"].contains(&token) {
            continue;
        }
        if let Some(code) = ErrorCode::ALL.iter().find(|code| code.name() == Some(token)) {
            plain.push_str(&code.0.to_string());
        } else if next == ":" {
            plain.push_str(token.trim_start_matches("r#").trim_start_matches('_'));
        } else if let Ok(id) = token.parse::<Uuid>() {
            plain.extend(id.to_bytes().iter().map(|byte| format!("{byte:02x}")));
        } else if token.len() == 36 && token.matches('-').count() == 4 {
            plain.push_str(&token.replace('-', ""));
        } else {
            plain.push_str(token);
        }
    }
    // Nor does it know these fields, which only later versions have.
    let plain = plain.replace(",transaction_version:0", "").replace(",is_cordoned:false", "");
    // Where a version hasn't got a field that can be null, ours is null and theirs is empty.
    plain.replace("Some([])", "None").replace("Some(\"\")", "None")
}

/// What our side makes of a message: its values, and its bytes again.
fn read_by_ours(direction: Direction, api: ApiKey, bytes: &Bytes, version: i16) -> (String, Bytes) {
    let (values, encoded) = match direction {
        Direction::Request => {
            let request = AnyRequest::from_bytes(api, bytes.clone(), version).unwrap();
            (format!("{request:?}"), request.to_bytes(version).unwrap())
        }
        Direction::Response => {
            let response = AnyResponse::from_bytes(api, bytes.clone(), version).unwrap();
            (format!("{response:?}"), response.to_bytes(version).unwrap())
        }
    };
    (values, encoded.to_bytes())
}

#[test]
fn every_version_of_every_message_is_what_the_other_implementation_says() {
    let mut unknown = Vec::new();
    for &api in ApiKey::ALL {
        for version in api.versions() {
            for direction in Direction::BOTH {
                for seed in 0..ROUNDS {
                    let mut random = Random::new(seed);
                    let schema = direction.schema(api);
                    let bytes: Bytes = generate::message(schema, version, api.is_flexible(version), &mut random).into();
                    let context = format!("{} version {version}, seed {seed}: {bytes:?}", schema.name);
                    let (ours, written) = read_by_ours(direction, api, &bytes, version);
                    assert_eq!(written, bytes, "ours, {context}");
                    let theirs = match direction {
                        Direction::Request => request_by_theirs(api, &bytes, version),
                        Direction::Response => response_by_theirs(api, &bytes, version),
                    };
                    let Some((theirs, written)) = theirs else {
                        unknown.push((schema.name, version));
                        break;
                    };
                    assert_eq!(written, bytes, "theirs, {context}");
                    // Ours is wrapped in the name of its API.
                    let ours = plain(&ours);
                    assert_eq!(ours, format!("({})", plain(&theirs)), "{context}");
                }
            }
        }
    }
    // What Kafka 4.3 knows and the other implementation doesn't.
    let expected = [
        ("ListOffsetsRequest", 11),
        ("ListOffsetsResponse", 11),
        ("OffsetCommitRequest", 10),
        ("OffsetFetchRequest", 10),
        ("InitProducerIdRequest", 6),
        ("WriteTxnMarkersRequest", 2),
        ("WriteTxnMarkersResponse", 2),
        ("DescribeLogDirsRequest", 5),
        ("DescribeLogDirsResponse", 5),
    ];
    assert_eq!(unknown, expected);
}

#[test]
fn every_header_is_what_the_other_implementation_says() {
    let mut random = Random::new(0);
    for &api in ApiKey::ALL {
        for version in api.versions() {
            let mut body =
                |schema| -> Bytes { generate::message(schema, version, api.is_flexible(version), &mut random).into() };
            let (request_body, response_body) = (body(AnyRequest::schema(api)), body(AnyResponse::schema(api)));
            let correlation_id = random.next() as i32;
            let client_id = random.one_in(2).then(|| format!("client {}", random.next()));
            let header = RequestHeader { api_key: api, api_version: version, correlation_id, client_id };

            let request = AnyRequest::from_bytes(api, request_body.clone(), version).unwrap();
            let mut frame = frame(&request.to_frame(&header).unwrap().to_bytes());
            let mut rest = frame.clone();
            let read = decode_request_header_from_buffer(&mut rest).unwrap();
            assert_eq!(rest, request_body, "{header:?}");
            assert_eq!((read.request_api_key, read.request_api_version), (api.key(), version));
            assert_eq!(read.correlation_id, correlation_id);
            assert_eq!(read.client_id.as_deref(), header.client_id.as_deref());
            assert_eq!(RequestHeader::decode(&mut frame).unwrap(), header);
            assert_eq!(frame, request_body);
            let mut written = BytesMut::new();
            encode_request_header_into_buffer(&mut written, &read).unwrap();
            assert_eq!(RequestHeader::decode(&mut written.freeze()).unwrap(), header);

            let response = AnyResponse::from_bytes(api, response_body.clone(), version).unwrap();
            let mut frame = self::frame(&response.to_frame(&header).unwrap().to_bytes());
            let header_version = theirs::ApiKey::try_from(api.key()).unwrap().response_header_version(version);
            let mut rest = frame.clone();
            let read = theirs::ResponseHeader::decode(&mut rest, header_version).unwrap();
            assert_eq!((read.correlation_id, &rest), (correlation_id, &response_body), "{header:?}");
            let read = ResponseHeader::decode(&mut frame, api, version).unwrap();
            assert_eq!((read.correlation_id, &frame), (correlation_id, &response_body));
        }
    }
}

/// What is in a frame, whose size is right.
fn frame(bytes: &Bytes) -> Bytes {
    let mut frames = FrameBuffer::new(bytes.len());
    frames.extend(bytes);
    let frame = frames.next_frame().unwrap().unwrap();
    assert_eq!((frame.len() + 4, frames.next_frame()), (bytes.len(), Ok(None)));
    frame
}

//! ApiVersions: what is served here.

#[cfg(feature = "sasl")]
use bytes::Bytes;

use crate::net::codec::Encoded;
#[cfg(feature = "sasl")]
use crate::net::messages::Body;
use crate::net::messages::api_versions::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use crate::net::messages::{ApiVersionsRequest, ApiVersionsResponse, response_frame};
use crate::net::{ApiKey, ErrorCode, ProtocolError, RequestHeader};
use crate::server::broker::{Broker, Served};

/// What clients may rely on beyond single APIs: from which level to which, of which the last one is in use (KIP-584).
const FEATURES: [(&str, i16, i16); 3] = [
    // There are consumer groups whose coordinator assigns (KIP-848).
    ("group.version", 0, 1),
    // Which Kafka this is like, for those who look it up here: 4.3.
    ("metadata.version", 7, 30),
    // A partition takes part in a transaction by a write, and each transaction has an epoch of its own (KIP-890).
    ("transaction.version", 0, 2),
];

/// Before this version clients don't understand that a feature may be at level 0, so that they aren't told of it.
const LEVEL_0_VERSION: i16 = 4;

/// From this version on clients say what they are (KIP-511).
const SOFTWARE_VERSION: i16 = 3;

pub(in crate::server) fn answer(broker: &Broker, request: ApiVersionsRequest, version: i16) -> ApiVersionsResponse {
    told(broker.served, &request, version)
}

fn told(served: Served, request: &ApiVersionsRequest, version: i16) -> ApiVersionsResponse {
    let software = [&request.client_software_name, &request.client_software_version];
    if version >= SOFTWARE_VERSION && !software.iter().all(|said| is_software(said)) {
        return ApiVersionsResponse { error_code: ErrorCode::INVALID_REQUEST, ..Default::default() };
    }
    describe(served, version)
}

/// Whether this can be the name or the version of a client, which Kafka makes a part of the names of its metrics.
fn is_software(said: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = said.as_bytes();
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte);
    is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(is_inner)
}

fn describe(served: Served, version: i16) -> ApiVersionsResponse {
    let api_keys = served.iter().cloned().map(|(api, versions)| {
        let (min_version, max_version) = versions.into_inner();
        // Before 2.11.1 librdkafka compresses only for brokers that claim to know Produce 0, so Kafka claims it too.
        let min_version = if api == ApiKey::Produce { 0 } else { min_version };
        ApiVersion { api_key: api.key(), min_version, max_version }
    });
    let is_understood = |(_, min, _): &(&str, i16, i16)| *min > 0 || version >= LEVEL_0_VERSION;
    let supported = |(name, min, max): (&str, i16, i16)| SupportedFeatureKey {
        name: name.to_owned(),
        min_version: min,
        max_version: max,
    };
    let finalized = |(name, _, level): (&str, i16, i16)| FinalizedFeatureKey {
        name: name.to_owned(),
        min_version_level: level,
        max_version_level: level,
    };
    ApiVersionsResponse {
        api_keys: api_keys.collect(),
        supported_features: FEATURES.into_iter().filter(is_understood).map(supported).collect(),
        finalized_features: FEATURES.into_iter().map(finalized).collect(),
        // They never change while a server runs.
        finalized_features_epoch: 0,
        ..Default::default()
    }
}

/// The answer before it is known who asks.
#[cfg(feature = "sasl")]
pub(in crate::server) fn respond(
    served: Served,
    header: &RequestHeader,
    body: Bytes,
) -> Result<Encoded, ProtocolError> {
    let version = header.api_version;
    if !ApiKey::ApiVersions.versions().contains(&version) {
        return refuse(header);
    }
    response_frame(header, &told(served, &ApiVersionsRequest::from_bytes(body, version)?, version))
}

/// The answer in version 0 to a version that isn't known, with those of this very request, so that the client can ask
/// again (KIP-511).
pub(in crate::server) fn refuse(header: &RequestHeader) -> Result<Encoded, ProtocolError> {
    let (min_version, max_version) = ApiKey::ApiVersions.versions().into_inner();
    let itself = ApiVersion { api_key: ApiKey::ApiVersions.key(), min_version, max_version };
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: vec![itself],
        ..Default::default()
    };
    response_frame(&RequestHeader { api_version: 0, ..header.clone() }, &response)
}

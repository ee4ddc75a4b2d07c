//! ApiVersions: what is served here.

use bytes::Bytes;

use crate::net::codec::Encoded;
use crate::net::messages::api_versions::ApiVersion;
use crate::net::messages::{ApiVersionsRequest, ApiVersionsResponse, Body, response_frame};
use crate::net::{ApiKey, ErrorCode, ProtocolError, RequestHeader};
use crate::server::dispatch::SERVED;

/// Answers in the version of the request, or, if that isn't known, in version 0 with the versions of this very request, so
/// that the client can ask again (KIP-511).
pub(in crate::server) fn answer(header: &RequestHeader, body: Bytes) -> Result<Encoded, ProtocolError> {
    let known = ApiKey::ApiVersions.versions();
    if !known.contains(&header.api_version) {
        let (min_version, max_version) = known.into_inner();
        let itself = ApiVersion { api_key: ApiKey::ApiVersions.key(), min_version, max_version };
        let response = ApiVersionsResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            api_keys: vec![itself],
            ..Default::default()
        };
        return response_frame(&RequestHeader { api_version: 0, ..header.clone() }, &response);
    }
    ApiVersionsRequest::from_bytes(body, header.api_version)?;
    let api_keys = SERVED.into_iter().map(|(api, versions)| {
        let (min_version, max_version) = versions.into_inner();
        // Before 2.11.1 librdkafka compresses only for brokers that claim to know Produce 0, so Kafka claims it too.
        let min_version = if api == ApiKey::Produce { 0 } else { min_version };
        ApiVersion { api_key: api.key(), min_version, max_version }
    });
    response_frame(header, &ApiVersionsResponse { api_keys: api_keys.collect(), ..Default::default() })
}

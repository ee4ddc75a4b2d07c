//! Which request goes to which handler, and what clients are told that there is.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::broker::Broker;
use super::handler::{api_versions, fetch, metadata, produce};
use crate::net::codec::Encoded;
use crate::net::messages::{Body, FetchRequest, MetadataRequest, ProduceRequest, response_frame};
use crate::net::transport::ConnectionError;
use crate::net::{ApiKey, ProtocolError, RequestHeader};

/// The versions that are served. Fetch 13 speaks of topics by id, Produce 12 of transactions that begin by themselves.
pub(super) const SERVED: [(ApiKey, RangeInclusive<i16>); 4] =
    [(ApiKey::Produce, 3..=11), (ApiKey::Fetch, 4..=12), (ApiKey::Metadata, 0..=13), (ApiKey::ApiVersions, 0..=4)];

/// Answers the request in a frame, if it is one that has an answer.
///
/// # Errors
///
/// What ends the connection: a frame that is no request, or a request that isn't served here.
pub(super) async fn dispatch(
    broker: &Arc<Broker>,
    mut frame: Bytes,
    stop: &watch::Receiver<bool>,
) -> Result<Option<Encoded>, ConnectionError> {
    let header = RequestHeader::decode(&mut frame)?;
    let version = header.api_version;
    // No response of any other request could say that it isn't served.
    if header.api_key != ApiKey::ApiVersions {
        check_served(header.api_key, version)?;
    }
    let response = match header.api_key {
        ApiKey::ApiVersions => api_versions::answer(&header, frame)?,
        ApiKey::Metadata => {
            let request = MetadataRequest::from_bytes(frame, version)?;
            response_frame(&header, &metadata::answer(broker, request, version).await)?
        }
        ApiKey::Produce => {
            let request = ProduceRequest::from_bytes(frame, version)?;
            match produce::answer(broker, request, version).await? {
                Some(response) => response_frame(&header, &response)?,
                None => return Ok(None),
            }
        }
        ApiKey::Fetch => {
            let request = FetchRequest::from_bytes(frame, version)?;
            response_frame(&header, &fetch::answer(broker, request, stop.clone()).await)?
        }
        api => return Err(ProtocolError::UnknownApiKey { key: api.key(), version }.into()),
    };
    Ok(Some(response))
}

fn check_served(api: ApiKey, version: i16) -> Result<(), ProtocolError> {
    match SERVED.into_iter().find(|(served, _)| *served == api) {
        Some((_, supported)) if supported.contains(&version) => Ok(()),
        Some((_, supported)) => Err(ProtocolError::UnsupportedVersion { api, version, supported }),
        None => Err(ProtocolError::UnknownApiKey { key: api.key(), version }),
    }
}

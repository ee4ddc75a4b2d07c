//! What comes before each request and each response.

use bytes::Bytes;

use super::api::ApiKey;
use super::codec::{Decoder, Encoder, Wire};
use super::protocol_error::ProtocolError;

/// Before a request: what it is, and a number that its response will carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which request it is.
    pub api_key: ApiKey,
    /// Its version, which may be one that isn't known here.
    pub api_version: i16,
    /// The client's number for it.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<String>,
}

impl RequestHeader {
    /// Reads a header and moves `frame` past it. A version of the request that isn't known is none of its business.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::UnknownApiKey`], [`ProtocolError::Malformed`].
    pub fn decode(frame: &mut Bytes) -> Result<Self, ProtocolError> {
        // The client id has the old layout in every version, so that a broker can read the header of a request from the
        // future.
        let mut fixed = Decoder::new(frame.clone(), 1, false);
        let key = i16::decode(&mut fixed)?;
        let api_version = i16::decode(&mut fixed)?;
        let api_key = ApiKey::from_key(key).ok_or(ProtocolError::UnknownApiKey { key, version: api_version })?;
        let correlation_id = i32::decode(&mut fixed)?;
        let client_id = Option::decode(&mut fixed)?;
        *frame = fixed.into_rest();
        if api_key.request_header_version(api_version) >= 2 {
            skip_tagged_fields(frame)?;
        }
        Ok(Self { api_key, api_version, correlation_id, client_id })
    }

    pub(super) fn encode(&self, to: &mut Encoder) -> Result<(), ProtocolError> {
        to.switch_to(1, false);
        self.api_key.key().encode(to)?;
        self.api_version.encode(to)?;
        self.correlation_id.encode(to)?;
        self.client_id.encode(to)?;
        if self.api_key.request_header_version(self.api_version) >= 2 {
            put_no_tagged_fields(to);
        }
        Ok(())
    }
}

/// Before a response: the number of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHeader {
    /// The client's number for the request.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Reads the header of a response to a request of version `version` and moves `frame` past it.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Malformed`].
    pub fn decode(frame: &mut Bytes, api_key: ApiKey, version: i16) -> Result<Self, ProtocolError> {
        let mut fixed = Decoder::new(frame.clone(), 0, false);
        let correlation_id = i32::decode(&mut fixed)?;
        *frame = fixed.into_rest();
        if api_key.response_header_version(version) >= 1 {
            skip_tagged_fields(frame)?;
        }
        Ok(Self { correlation_id })
    }

    pub(super) fn encode(self, to: &mut Encoder, api_key: ApiKey, version: i16) -> Result<(), ProtocolError> {
        to.switch_to(0, false);
        self.correlation_id.encode(to)?;
        if api_key.response_header_version(version) >= 1 {
            put_no_tagged_fields(to);
        }
        Ok(())
    }
}

/// No tagged field of a header is known yet.
fn skip_tagged_fields(frame: &mut Bytes) -> Result<(), ProtocolError> {
    let mut flexible = Decoder::new(frame.clone(), 0, true);
    flexible.take_tagged(|_, _| Ok(()))?;
    *frame = flexible.into_rest();
    Ok(())
}

fn put_no_tagged_fields(to: &mut Encoder) {
    to.put_unsigned_varint(0);
}

//! Record batches that may be in a file, from which they can leave without being touched.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

use super::{Decoder, Encoder, Kind, Wire};
use crate::io::FileRange;
use crate::net::protocol_error::ProtocolError;

/// Record batches as bytes. Those that a server has read from a log know where they lie there, so that the system can
/// send them from the file; for everybody else they are bytes and nothing else.
#[derive(Clone, Default)]
pub struct Records {
    bytes: Bytes,
    file: Option<FileRange>,
}

impl Records {
    /// Bytes that are what a range of a file holds, if there is one.
    pub(crate) fn new(bytes: Bytes, file: Option<FileRange>) -> Self {
        debug_assert!(file.as_ref().is_none_or(|file| file.size() == bytes.len()), "they are the same");
        Self { bytes, file }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, file: None }
    }
}

impl From<Records> for Bytes {
    fn from(records: Records) -> Self {
        records.bytes
    }
}

impl Deref for Records {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.fmt(f)
    }
}

impl PartialEq for Records {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Records {}

impl Wire for Records {
    const KIND: Kind = Bytes::KIND;

    fn encode(&self, to: &mut Encoder) -> Result<(), ProtocolError> {
        Self::encode_nullable(Some(self), to)
    }

    fn decode(from: &mut Decoder) -> Result<Self, ProtocolError> {
        Bytes::decode(from).map(Self::from)
    }

    fn encode_nullable(value: Option<&Self>, to: &mut Encoder) -> Result<(), ProtocolError> {
        to.put_length(value.map(|value| value.len()))?;
        value.into_iter().for_each(|value| to.put_payload(&value.bytes, value.file.as_ref()));
        Ok(())
    }

    fn decode_nullable(from: &mut Decoder) -> Result<Option<Self>, ProtocolError> {
        Ok(Bytes::decode_nullable(from)?.map(Self::from))
    }
}

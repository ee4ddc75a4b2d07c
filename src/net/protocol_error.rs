//! What can be wrong with bytes from the other side of a connection, or with a message that is to be sent.

use std::fmt;
use std::ops::RangeInclusive;

use super::api::ApiKey;

/// Bytes that are no message, or a message that can't be bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame announces a size below zero, or above the limit (`socket.request.max.bytes`).
    #[error("a frame can't have {size} bytes: the limit is {max}")]
    FrameSize {
        /// The size that it announces.
        size: i32,
        /// The limit in bytes.
        max: usize,
    },

    /// A request is of an API that is not known here.
    #[error("unknown API key {key}, in version {version}")]
    UnknownApiKey {
        /// The key.
        key: i16,
        /// The version of the request.
        version: i16,
    },

    /// A message is of a version that is not known here (Kafka's `UNSUPPORTED_VERSION`).
    #[error("version {version} of {api} is not one of {}..={}", supported.start(), supported.end())]
    UnsupportedVersion {
        /// The API.
        api: ApiKey,
        /// The version.
        version: i16,
        /// Those that are known.
        supported: RangeInclusive<i16>,
    },

    /// Bytes are not what they should be. Nothing of the message can be used, and nothing after it on this connection.
    #[error("malformed {field} at byte {position}: {reason}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// How many bytes of the message, or of the tagged field that this is in, come before the fault.
        position: usize,
        /// What is wrong.
        reason: Malformation,
    },

    /// A message can't be encoded in this version: that would lose or distort what it says.
    #[error("{field} can't be sent in version {version}: {reason}")]
    Inexpressible {
        /// The field.
        field: &'static str,
        /// The version.
        version: i16,
        /// Why.
        reason: Inexpressible,
    },
}

/// What is wrong with the bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformation {
    /// The message ends before the field does.
    #[error("{needed} bytes are needed and {available} are left")]
    Truncated {
        /// How many bytes the field needs at least.
        needed: usize,
        /// How many there are.
        available: usize,
    },
    /// A length is negative and doesn't mean "null", or is beyond the largest.
    #[error("a length can't be {0}")]
    Length(i64),
    /// The arrays of the message have too many elements.
    #[error("the arrays of a message can't take more than {max} bytes of memory")]
    ArrayBytes {
        /// How many bytes they may take.
        max: usize,
    },
    /// A variable-length integer has more than 32 bits.
    #[error("a variable-length integer is too long")]
    Varint,
    /// A field is null which may not be in this version.
    #[error("it can't be null")]
    Null,
    /// A tagged field has another size than it announces.
    #[error("{0} bytes are left of a tagged field")]
    Surplus(usize),
}

/// Why a message can't be sent in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inexpressible {
    /// The version hasn't got the field, and leaving it out would change what the message means.
    Absent,
    /// The field can't be null in this version.
    Null,
    /// It is longer than the length before it can say: so many bytes or elements.
    Length(usize),
}

impl fmt::Display for Inexpressible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("the version hasn't got it"),
            Self::Null => f.write_str("it can't be null"),
            Self::Length(length) => write!(f, "a length can't be {length}"),
        }
    }
}

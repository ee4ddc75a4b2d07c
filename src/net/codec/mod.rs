//! How values become bytes and back: Kafka's primitives, and structs of them declared field by field.
//!
//! ```text
//!              fixed versions            flexible versions (KIP-482)
//! string       i16 length, −1 is null    unsigned varint of length + 1, 0 is null
//! bytes        i32 length, −1 is null    the same
//! array        i32 count, −1 is null     the same
//! struct       its fields                its fields, then its tagged fields: a count, and for each tag, size, value
//! null struct  i8 −1, else i8 1 and the struct
//! ```
//!
//! Integers are big-endian. Which layout a version has is the [`Encoder`]'s and [`Decoder`]'s to know; a value only
//! says in which order its parts come. What a peer may send costs memory in proportion to the bytes it really sent: no
//! length on the wire makes us allocate.

mod decoder;
mod encoder;
#[macro_use]
mod fields;
mod primitives;
mod records;
mod schema;

pub use decoder::Decoder;
pub use encoder::{Encoded, Encoder};
pub use records::Records;
pub use schema::{Field, Kind, Schema, VersionRange};

use super::protocol_error::ProtocolError;

/// A value of the protocol: a primitive, an array, or a struct.
pub trait Wire: Sized {
    /// What it is on the wire.
    const KIND: Kind;

    /// Whether it can be null.
    const NULLABLE: bool = false;

    /// Appends the value.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Inexpressible`] if the version that is written can't hold it.
    fn encode(&self, to: &mut Encoder) -> Result<(), ProtocolError>;

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Malformed`] if the bytes aren't one.
    fn decode(from: &mut Decoder) -> Result<Self, ProtocolError>;

    /// Appends the value or a null. As it stands, this is how structs do it.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    fn encode_nullable(value: Option<&Self>, to: &mut Encoder) -> Result<(), ProtocolError> {
        match value {
            Some(value) => {
                1i8.encode(to)?;
                value.encode(to)
            }
            None => (-1i8).encode(to),
        }
    }

    /// Reads a value or a null.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    fn decode_nullable(from: &mut Decoder) -> Result<Option<Self>, ProtocolError> {
        // As in Kafka, where any negative number means null.
        if i8::decode(from)? < 0 { Ok(None) } else { Self::decode(from).map(Some) }
    }

    /// Whether it is null.
    fn is_null(&self) -> bool {
        false
    }
}

impl<T: Wire> Wire for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;

    fn encode(&self, to: &mut Encoder) -> Result<(), ProtocolError> {
        T::encode_nullable(self.as_ref(), to)
    }

    fn decode(from: &mut Decoder) -> Result<Self, ProtocolError> {
        T::decode_nullable(from)
    }

    fn is_null(&self) -> bool {
        self.is_none()
    }
}

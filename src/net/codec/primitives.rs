//! The values that messages are made of.

use bytes::Bytes;

use super::{Decoder, Encoder, Kind, Wire};
use crate::net::protocol_error::{Malformation, ProtocolError};
use crate::uuid::Uuid;

macro_rules! numbers {
    ($($type:ty: $kind:ident,)*) => {$(
        impl Wire for $type {
            const KIND: Kind = Kind::$kind;

            #[inline]
            fn encode(&self, to: &mut Encoder) -> Result<(), ProtocolError> {
                to.put(&self.to_be_bytes());
                Ok(())
            }

            #[inline]
            fn decode(from: &mut Decoder) -> Result<Self, ProtocolError> {
                from.take_array().map(Self::from_be_bytes)
            }
        }
    )*};
}

numbers! {
    i8: Int8,
    i16: Int16,
    u16: Uint16,
    i32: Int32,
    i64: Int64,
    f64: Float64,
}

impl Wire for bool {
    const KIND: Kind = Kind::Bool;

    fn encode(&self, to: &mut Encoder) -> Result<(), ProtocolError> {
        i8::from(*self).encode(to)
    }

    fn decode(from: &mut Decoder) -> Result<Self, ProtocolError> {
        i8::decode(from).map(|byte| byte != 0)
    }
}

impl Wire for Uuid {
    const KIND: Kind = Kind::Uuid;

    fn encode(&self, to: &mut Encoder) -> Result<(), ProtocolError> {
        to.put(&self.to_bytes());
        Ok(())
    }

    fn decode(from: &mut Decoder) -> Result<Self, ProtocolError> {
        from.take_array().map(Self::from_bytes)
    }
}

/// Strings are copied out of the message: a topic's name is kept longer than the request that it came in.
impl Wire for String {
    const KIND: Kind = Kind::String;

    fn encode(&self, to: &mut Encoder) -> Result<(), ProtocolError> {
        Self::encode_nullable(Some(self), to)
    }

    fn decode(from: &mut Decoder) -> Result<Self, ProtocolError> {
        Self::decode_nullable(from)?.ok_or_else(|| from.malformed(Malformation::Null))
    }

    fn encode_nullable(value: Option<&Self>, to: &mut Encoder) -> Result<(), ProtocolError> {
        to.put_short_length(value.map(Self::len))?;
        to.put(value.map_or(&[], |value| value.as_bytes()));
        Ok(())
    }

    fn decode_nullable(from: &mut Decoder) -> Result<Option<Self>, ProtocolError> {
        from.take_short_length()?.map(|length| from.take_string(length)).transpose()
    }
}

/// Bytes are slices of the message: record batches go from the socket to the log as they are.
impl Wire for Bytes {
    const KIND: Kind = Kind::Bytes;

    fn encode(&self, to: &mut Encoder) -> Result<(), ProtocolError> {
        Self::encode_nullable(Some(self), to)
    }

    fn decode(from: &mut Decoder) -> Result<Self, ProtocolError> {
        Self::decode_nullable(from)?.ok_or_else(|| from.malformed(Malformation::Null))
    }

    fn encode_nullable(value: Option<&Self>, to: &mut Encoder) -> Result<(), ProtocolError> {
        to.put_length(value.map(Self::len))?;
        value.into_iter().for_each(|value| to.put_payload(value, None));
        Ok(())
    }

    fn decode_nullable(from: &mut Decoder) -> Result<Option<Self>, ProtocolError> {
        match from.take_length()? {
            Some(length) => from.take(length).map(Some),
            None => Ok(None),
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    const KIND: Kind = Kind::Array(&T::KIND);

    fn encode(&self, to: &mut Encoder) -> Result<(), ProtocolError> {
        Self::encode_nullable(Some(self), to)
    }

    fn decode(from: &mut Decoder) -> Result<Self, ProtocolError> {
        Self::decode_nullable(from)?.ok_or_else(|| from.malformed(Malformation::Null))
    }

    fn encode_nullable(value: Option<&Self>, to: &mut Encoder) -> Result<(), ProtocolError> {
        to.put_length(value.map(Self::len))?;
        value.into_iter().flatten().try_for_each(|element| element.encode(to))
    }

    fn decode_nullable(from: &mut Decoder) -> Result<Option<Self>, ProtocolError> {
        let Some(count) = from.take_count::<T>()? else { return Ok(None) };
        // The count is a stranger's. Room is made at once for as many elements as there is memory in the message
        // itself; beyond that it doubles as elements turn up, and ends with no more than there are.
        let mut elements = Self::with_capacity(count.min(from.remaining() / size_of::<T>().max(1)));
        for missing in (1..=count).rev() {
            if elements.len() == elements.capacity() {
                elements.reserve_exact(missing.min(elements.len().max(4)));
            }
            elements.push(T::decode(from)?);
        }
        Ok(Some(elements))
    }
}

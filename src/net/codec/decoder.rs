//! Reading: every length is held against the bytes that are left before anything is done with it.

use bytes::{Buf, Bytes};

use super::Wire;
use super::schema::Field;
use crate::net::protocol_error::{Malformation, ProtocolError};

/// How many bytes all arrays of a message may take together once they are read: an element may take a hundred times
/// what it takes on the wire, in what is answered too, and nobody needs as many.
const ARRAY_BYTES_MAX: usize = 64 * 1024 * 1024;
const STRING_BYTES_MAX: usize = i16::MAX as usize;

/// The bytes of a message that are still to be read, in one version of it.
#[derive(Debug)]
pub struct Decoder {
    version: i16,
    flexible: bool,
    field: &'static str,
    size: usize,
    bytes: Bytes,
    /// How many bytes the elements of arrays take that have been read, and strings.
    array_bytes: usize,
    string_bytes: usize,
}

impl Decoder {
    /// Reads version `version` of a message, in the layout of its flexible versions or in the older one.
    pub fn new(bytes: Bytes, version: i16, flexible: bool) -> Self {
        Self { version, flexible, field: "message", size: bytes.len(), bytes, array_bytes: 0, string_bytes: 0 }
    }

    /// How many bytes all arrays and strings take that have been read. What is a slice of the message takes none.
    pub(in crate::net) fn decoded_bytes(&self) -> usize {
        self.array_bytes.saturating_add(self.string_bytes)
    }

    /// What was not read.
    pub fn into_rest(self) -> Bytes {
        self.bytes
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub(super) fn take_array<const N: usize>(&mut self) -> Result<[u8; N], ProtocolError> {
        let Some(array) = self.bytes.first_chunk::<N>() else { return Err(self.truncated(N)) };
        let array = *array;
        self.bytes.advance(N);
        Ok(array)
    }

    pub(super) fn take(&mut self, size: usize) -> Result<Bytes, ProtocolError> {
        if size > self.bytes.len() {
            return Err(self.truncated(size));
        }
        Ok(self.bytes.split_to(size))
    }

    /// A string of so many bytes. What isn't UTF-8 in it is replaced, as in Kafka: a client whose id is in Latin-1 is
    /// served all the same.
    pub(super) fn take_string(&mut self, size: usize) -> Result<String, ProtocolError> {
        let Some(bytes) = self.bytes.get(..size) else { return Err(self.truncated(size)) };
        let string = String::from_utf8_lossy(bytes).into_owned();
        self.bytes.advance(size);
        self.string_bytes = self.string_bytes.saturating_add(string.len());
        Ok(string)
    }

    pub(super) fn take_unsigned_varint(&mut self) -> Result<u32, ProtocolError> {
        let mut value = 0u32;
        for shift in (0..u32::BITS).step_by(7) {
            let [byte] = self.take_array()?;
            let group = u32::from(byte & 0x7f);
            if (group << shift) >> shift != group {
                break;
            }
            value |= group << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.malformed(Malformation::Varint))
    }

    /// The length of a string, if there is one. In Kafka none is longer than what 16 bits can say, however it is
    /// written.
    pub(super) fn take_short_length(&mut self) -> Result<Option<usize>, ProtocolError> {
        let length = match self.flexible {
            true => self.take_compact_length(),
            false => i16::decode(self).and_then(|n| self.length(n.into())),
        }?;
        if let Some(too_long) = length.filter(|length| *length > STRING_BYTES_MAX) {
            return Err(self.malformed(Malformation::Length(too_long as i64)));
        }
        Ok(length)
    }

    /// The length of bytes or of an array, if there are any.
    pub(super) fn take_length(&mut self) -> Result<Option<usize>, ProtocolError> {
        if self.flexible { self.take_compact_length() } else { i32::decode(self).and_then(|n| self.length(n.into())) }
    }

    /// How many elements an array has, if there is one.
    pub(super) fn take_count<T>(&mut self) -> Result<Option<usize>, ProtocolError> {
        let count = self.take_length()?;
        let bytes = count.unwrap_or(0).saturating_mul(size_of::<T>());
        self.array_bytes = self.array_bytes.saturating_add(bytes);
        if self.array_bytes > ARRAY_BYTES_MAX {
            return Err(self.malformed(Malformation::ArrayBytes { max: ARRAY_BYTES_MAX }));
        }
        Ok(count)
    }

    fn take_compact_length(&mut self) -> Result<Option<usize>, ProtocolError> {
        self.take_unsigned_varint().and_then(|n| self.length(i64::from(n) - 1))
    }

    /// Nothing that has a length takes fewer bytes than that: an element of an array has one at least.
    fn length(&self, length: i64) -> Result<Option<usize>, ProtocolError> {
        match usize::try_from(length) {
            Ok(length) if length > self.bytes.len() => Err(self.truncated(length)),
            Ok(length) => Ok(Some(length)),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(self.malformed(Malformation::Length(length))),
        }
    }

    /// A field of a struct, if this version has it and it is not a tagged one.
    #[inline]
    pub(in crate::net) fn take_field<T: Wire>(
        &mut self,
        field: &'static Field,
        value: &mut T,
    ) -> Result<(), ProtocolError> {
        if field.tag.is_none() && field.versions.contains(self.version) {
            *value = self.take_value(field)?;
        }
        Ok(())
    }

    fn take_value<T: Wire>(&mut self, field: &'static Field) -> Result<T, ProtocolError> {
        self.field = field.name;
        let value = T::decode(self)?;
        if T::NULLABLE && value.is_null() && !field.nullable.contains(self.version) {
            self.field = field.name;
            return Err(self.malformed(Malformation::Null));
        }
        Ok(value)
    }

    /// What ends a struct in flexible versions: `read` is handed each tag with the bytes of its field. Those that it
    /// doesn't know it leaves alone.
    pub(in crate::net) fn take_tagged(
        &mut self,
        mut read: impl FnMut(u32, &mut Self) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        if !self.flexible {
            return Ok(());
        }
        self.field = "tagged fields";
        for _ in 0..self.take_unsigned_varint()? {
            self.field = "tagged fields";
            let tag = self.take_unsigned_varint()?;
            let size = self.take_unsigned_varint()?;
            let bytes = self.take(size as usize)?;
            let mut alone = Self { size: bytes.len(), bytes, field: self.field, ..*self };
            read(tag, &mut alone)?;
            (self.array_bytes, self.string_bytes) = (alone.array_bytes, alone.string_bytes);
        }
        Ok(())
    }

    /// A tagged field, if `tag` is its tag.
    #[inline]
    pub(in crate::net) fn take_tagged_field<T: Wire>(
        &mut self,
        tag: u32,
        field: &'static Field,
        value: &mut T,
    ) -> Result<(), ProtocolError> {
        if field.tag != Some(tag) || !field.versions.contains(self.version) {
            return Ok(());
        }
        *value = self.take_value(field)?;
        if self.bytes.is_empty() { Ok(()) } else { Err(self.malformed(Malformation::Surplus(self.bytes.len()))) }
    }

    #[cold]
    pub(super) fn truncated(&self, needed: usize) -> ProtocolError {
        self.malformed(Malformation::Truncated { needed, available: self.bytes.len() })
    }

    #[cold]
    pub(super) fn malformed(&self, reason: Malformation) -> ProtocolError {
        ProtocolError::Malformed { field: self.field, position: self.size - self.bytes.len(), reason }
    }
}

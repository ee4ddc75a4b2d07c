//! The fields of the records in the store's own topics, as Kafka's message schemas encode them: big-endian numbers, and
//! lengths before arrays and strings, as fixed numbers or, in flexible versions, as varints (KIP-482).

use crate::error::{Error, Result};
#[cfg(feature = "coordinator")]
use crate::uuid::Uuid;

/// The longest string, in bytes: its length is 16 bits wide where it isn't a varint, and Kafka reads no longer one
/// anywhere.
pub(crate) const STRING_BYTES_MAX: usize = i16::MAX as usize;

/// Puts a string of a version that is not flexible.
///
/// # Panics
/// If it is longer than [`STRING_BYTES_MAX`], which whoever takes in a name sees to: cut short, the length would make
/// another record of it.
pub(crate) fn put_string(bytes: &mut Vec<u8>, text: &str) {
    let len = i16::try_from(text.len()).expect("no string is longer than its length can say");
    bytes.extend(len.to_be_bytes());
    bytes.extend(text.as_bytes());
}

#[cfg(feature = "coordinator")]
pub(crate) fn put_nullable_string(bytes: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => put_string(bytes, text),
        None => bytes.extend((-1_i16).to_be_bytes()),
    }
}

/// Puts bytes, with their length as 32 bits before them.
#[cfg(feature = "coordinator")]
pub(crate) fn put_bytes(bytes: &mut Vec<u8>, put: &[u8]) {
    bytes.extend((put.len() as i32).to_be_bytes());
    bytes.extend(put);
}

/// Puts a number as flexible versions do their lengths and tags.
pub(crate) fn put_uvarint(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Puts the length of an array of a flexible version.
pub(crate) fn put_compact_len(bytes: &mut Vec<u8>, len: usize) {
    put_uvarint(bytes, len as u32 + 1);
}

/// Puts bytes of a flexible version; of a string, its text.
pub(crate) fn put_compact(bytes: &mut Vec<u8>, put: impl AsRef<[u8]>) {
    put_compact_len(bytes, put.as_ref().len());
    bytes.extend(put.as_ref());
}

#[cfg(feature = "coordinator")]
pub(crate) fn put_compact_nullable(bytes: &mut Vec<u8>, put: Option<impl AsRef<[u8]>>) {
    match put {
        Some(put) => put_compact(bytes, put),
        None => put_uvarint(bytes, 0),
    }
}

/// Puts the tagged fields after a structure, in the order of their tags.
pub(crate) fn put_tagged(bytes: &mut Vec<u8>, fields: &[(u32, Vec<u8>)]) {
    put_uvarint(bytes, fields.len() as u32);
    for (tag, field) in fields {
        put_uvarint(bytes, *tag);
        put_uvarint(bytes, field.len() as u32);
        bytes.extend(field);
    }
}

/// What is left to read of a key or value.
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    pub(crate) is_flexible: bool,
}

impl<'a> Fields<'a> {
    /// Reads a key or value from its version on, which tells whether the rest is flexible.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, is_flexible: false }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or_else(|| invalid("a record ends early"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN]> {
        Ok(self.take(LEN)?.try_into().expect("exactly as many were taken"))
    }

    pub(crate) fn i8(&mut self) -> Result<i8> {
        self.array().map(i8::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Result<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_be_bytes)
    }

    #[cfg(feature = "coordinator")]
    pub(crate) fn uuid(&mut self) -> Result<Uuid> {
        self.array().map(Uuid::from_bytes)
    }

    /// Reads the elements of an array. A length is only believed as far as there are bytes.
    #[cfg(feature = "coordinator")]
    pub(crate) fn each(&mut self, mut take: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        for _ in 0..self.len()?.unwrap_or(0) {
            take(self)?;
        }
        Ok(())
    }

    fn uvarint(&mut self) -> Result<u32> {
        let mut value: u64 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| invalid("a length that is too long"));
            }
        }
        Err(invalid("a length that is too long"))
    }

    /// The length of an array, or of a string where it is flexible. None if it is null.
    pub(crate) fn len(&mut self) -> Result<Option<usize>> {
        if self.is_flexible {
            return Ok(self.uvarint()?.checked_sub(1).map(|len| len as usize));
        }
        match self.i32()? {
            -1 => Ok(None),
            len => usize::try_from(len).map(Some).map_err(|_| invalid("an array of negative length")),
        }
    }

    pub(crate) fn string(&mut self) -> Result<String> {
        self.nullable_string()?.ok_or_else(|| invalid("a string of negative length"))
    }

    pub(crate) fn nullable_string(&mut self) -> Result<Option<String>> {
        let len = match self.is_flexible {
            true => self.len()?,
            false => usize::try_from(self.i16()?).ok(),
        };
        let Some(len) = len else { return Ok(None) };
        if len > STRING_BYTES_MAX {
            return Err(invalid("a string that is too long"));
        }
        let bytes = self.take(len)?;
        String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| invalid("a string that is not UTF-8"))
    }

    #[cfg(feature = "coordinator")]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        self.nullable_bytes()?.ok_or_else(|| invalid("null where there must be bytes"))
    }

    #[cfg(feature = "coordinator")]
    pub(crate) fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>> {
        self.len()?.map(|len| self.take(len)).transpose()
    }

    /// The tagged fields after a structure, where it is flexible. What `take` does not know it passes over.
    pub(crate) fn tagged(&mut self, mut take: impl FnMut(u32, Self) -> Result<()>) -> Result<()> {
        if !self.is_flexible {
            return Ok(());
        }
        for _ in 0..self.uvarint()? {
            let (tag, len) = (self.uvarint()?, self.uvarint()?);
            take(tag, Self { bytes: self.take(len as usize)?, is_flexible: true })?;
        }
        Ok(())
    }
}

/// A record that can be read, and not understood.
pub(crate) fn invalid(reason: &str) -> Error {
    Error::InvalidRecord { reason: reason.to_owned() }
}

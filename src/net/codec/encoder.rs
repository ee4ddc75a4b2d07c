//! Writing: small values gather in one buffer, and large payloads are passed on where they are.

use bytes::{BufMut, Bytes};

use super::Wire;
use super::schema::Field;
use crate::io::FileRange;
use crate::net::error_code::ErrorCode;
use crate::net::protocol_error::{Inexpressible, ProtocolError};

/// From this size on a payload is handed on and not copied: about there sharing becomes cheaper than a copy.
const SHARED_BYTES_MIN: usize = 1024;

/// The bytes of a message that is being written, in one version of it.
#[derive(Debug)]
pub struct Encoder {
    version: i16,
    flexible: bool,
    field: &'static str,
    small: Vec<u8>,
    /// Payloads, each with the length of `small` before it.
    large: Vec<(usize, Bytes, Option<FileRange>)>,
    shared_bytes_min: usize,
    first_error: ErrorCode,
}

/// The tagged fields of a struct that are to be written after the others.
#[derive(Default)]
pub(in crate::net) struct TaggedFields(Vec<(u32, Vec<u8>)>);

impl Encoder {
    /// Writes version `version` of a message, in the layout of its flexible versions or in the older one.
    pub fn new(version: i16, flexible: bool) -> Self {
        let (small, large) = (Vec::new(), Vec::new());
        let first_error = ErrorCode::NONE;
        Self { version, flexible, field: "message", small, large, shared_bytes_min: SHARED_BYTES_MIN, first_error }
    }

    /// Goes on with another part, in another version: a body after a header.
    pub(in crate::net) fn switch_to(&mut self, version: i16, flexible: bool) {
        (self.version, self.flexible) = (version, flexible);
    }

    /// How many bytes there are by now.
    pub(in crate::net) fn len(&self) -> usize {
        self.small.len() + self.large.iter().map(|(_, payload, _)| payload.len()).sum::<usize>()
    }

    /// Replaces the four bytes at the very beginning.
    pub(in crate::net) fn set_first(&mut self, value: i32) {
        self.small[..4].copy_from_slice(&value.to_be_bytes());
    }

    /// Everything that was written.
    pub fn finish(self) -> Encoded {
        let (small, first_error) = (Bytes::from(self.small), self.first_error);
        if self.large.is_empty() {
            return Encoded { chunks: vec![small], files: Vec::new(), first_error };
        }
        let (mut chunks, mut start) = (Vec::with_capacity(2 * self.large.len() + 1), 0);
        let mut files = Vec::new();
        for (end, payload, file) in self.large {
            if start < end {
                chunks.push(small.slice(start..end));
            }
            files.extend(file.map(|range| (chunks.len(), range)));
            chunks.push(payload);
            start = end;
        }
        if start < small.len() {
            chunks.push(small.slice(start..));
        }
        Encoded { chunks, files, first_error }
    }

    /// One of the errors that are written.
    #[inline]
    pub(in crate::net) fn note_error(&mut self, error: ErrorCode) {
        if self.first_error == ErrorCode::NONE {
            self.first_error = error;
        }
    }

    #[inline]
    pub(in crate::net) fn put(&mut self, bytes: &[u8]) {
        self.small.put_slice(bytes);
    }

    /// Bytes, and where they are in a file if they can be sent from there.
    pub(super) fn put_payload(&mut self, payload: &Bytes, file: Option<&FileRange>) {
        if payload.len() >= self.shared_bytes_min {
            self.large.push((self.small.len(), payload.clone(), file.cloned()));
        } else {
            self.put(payload);
        }
    }

    pub(in crate::net) fn put_unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.small.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.small.push(value as u8);
    }

    /// The length of a string, or that there is none.
    pub(super) fn put_short_length(&mut self, length: Option<usize>) -> Result<(), ProtocolError> {
        if self.flexible {
            return self.put_compact_length(length);
        }
        let length = length.map_or(Ok(-1), i16::try_from_length).map_err(|length| self.too_long(length))?;
        length.encode(self)
    }

    /// The length of bytes or of an array, or that there is none.
    pub(super) fn put_length(&mut self, length: Option<usize>) -> Result<(), ProtocolError> {
        if self.flexible {
            return self.put_compact_length(length);
        }
        let length = length.map_or(Ok(-1), i32::try_from_length).map_err(|length| self.too_long(length))?;
        length.encode(self)
    }

    fn put_compact_length(&mut self, length: Option<usize>) -> Result<(), ProtocolError> {
        let Some(length) = length else {
            self.put_unsigned_varint(0);
            return Ok(());
        };
        let length = i32::try_from_length(length).map_err(|length| self.too_long(length))?;
        self.put_unsigned_varint(length as u32 + 1);
        Ok(())
    }

    /// A field of a struct, if this version has it. Tagged ones are set aside in `tagged`.
    #[inline]
    pub(in crate::net) fn put_field<T: Wire + PartialEq>(
        &mut self,
        field: &'static Field,
        value: &T,
        default: impl FnOnce() -> T,
        tagged: &mut TaggedFields,
    ) -> Result<(), ProtocolError> {
        self.field = field.name;
        if !field.versions.contains(self.version) {
            return if field.ignorable || *value == default() {
                Ok(())
            } else {
                Err(self.cannot(Inexpressible::Absent))
            };
        }
        if T::NULLABLE && value.is_null() && !field.nullable.contains(self.version) {
            return Err(self.cannot(Inexpressible::Null));
        }
        match field.tag {
            None => value.encode(self),
            Some(_) if *value == default() => Ok(()),
            Some(tag) => {
                // Its size comes first, so it is gathered on its own.
                let mut alone = Self { shared_bytes_min: usize::MAX, ..Self::new(self.version, self.flexible) };
                value.encode(&mut alone)?;
                tagged.0.push((tag, alone.small));
                Ok(())
            }
        }
    }

    /// What ends a struct in flexible versions.
    pub(in crate::net) fn put_tagged(&mut self, tagged: TaggedFields) -> Result<(), ProtocolError> {
        if !self.flexible {
            return Ok(());
        }
        let TaggedFields(mut fields) = tagged;
        fields.sort_unstable_by_key(|(tag, _)| *tag);
        self.put_unsigned_varint(fields.len() as u32);
        for (tag, bytes) in fields {
            let size = u32::try_from(bytes.len()).map_err(|_| self.too_long(bytes.len()))?;
            self.put_unsigned_varint(tag);
            self.put_unsigned_varint(size);
            self.put(&bytes);
        }
        Ok(())
    }

    #[cold]
    fn too_long(&self, length: usize) -> ProtocolError {
        self.cannot(Inexpressible::Length(length))
    }

    #[cold]
    fn cannot(&self, reason: Inexpressible) -> ProtocolError {
        ProtocolError::Inexpressible { field: self.field, version: self.version, reason }
    }
}

/// A length as the wire has it, or the length that doesn't fit.
trait TryFromLength: TryFrom<usize> {
    fn try_from_length(length: usize) -> Result<Self, usize> {
        Self::try_from(length).map_err(|_| length)
    }
}

impl TryFromLength for i16 {}
impl TryFromLength for i32 {}

/// The bytes of a message, in pieces: large payloads are where they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    chunks: Vec<Bytes>,
    /// By the index of the chunk that is the same.
    files: Vec<(usize, FileRange)>,
    first_error: ErrorCode,
}

impl Encoded {
    /// The pieces, in order.
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// The pieces that are in files too, by their index and in order.
    pub(crate) fn files(&self) -> &[(usize, FileRange)] {
        &self.files
    }

    /// How many bytes they are together.
    pub fn size(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }

    /// The first error code in it that isn't [`ErrorCode::NONE`], which it is if there is no other.
    pub fn first_error(&self) -> ErrorCode {
        self.first_error
    }

    /// All in one piece, which copies them unless they are one already.
    pub fn to_bytes(&self) -> Bytes {
        match &*self.chunks {
            [alone] => alone.clone(),
            chunks => chunks.concat().into(),
        }
    }
}

//! One record as it stands inside a batch, borrowed, and its headers.
//!
//! ```text
//! | length varint | attributes 1 | timestamp delta varlong | offset delta varint
//! | key length varint, key | value length varint, value | header count varint
//! | per header: key length varint, key | value length varint, value |
//! ```
//!
//! A length of −1 stands for null, which a header's key can't be. `length` counts what follows it.

use crate::error::{Corruption, Error, Result};
use crate::record::varint::{VARINT_BYTES_MAX, VARLONG_BYTES_MAX, damage, read_varint, read_varlong};
use crate::types::Offset;

/// A record, borrowed from its [`RecordSet`](crate::record::RecordSet).
#[derive(Copy, Clone, Debug)]
pub struct RecordView<'a> {
    /// The record's offset in its partition.
    pub offset: Offset,
    /// Milliseconds since the Unix epoch: the producer's time, or the log's if the topic says so. −1 if none.
    pub timestamp: i64,
    /// The key, if there is one.
    pub key: Option<&'a [u8]>,
    /// The value. A keyed record without one is a tombstone: compaction deletes the key.
    pub value: Option<&'a [u8]>,
    headers: &'a [u8],
    header_count: i32,
    /// Where the record begins, for errors.
    position: usize,
}

impl<'a> RecordView<'a> {
    /// The headers in the order in which they were added. Keys may repeat.
    ///
    /// Lengths were checked with the record. That keys are UTF-8 is checked here, header by header: Kafka stores and
    /// serves other bytes too, and they are no reason to withhold the record.
    #[inline]
    pub fn headers(&self) -> HeaderIter<'a> {
        HeaderIter { rest: self.headers, remaining: self.header_count, offset: self.offset, position: self.position }
    }

    /// How many headers there are.
    #[inline]
    pub const fn header_count(&self) -> usize {
        // Never negative: the record was read.
        self.header_count as usize
    }

    /// The headers as they stand in the batch, behind their count.
    pub(super) const fn raw_headers(&self) -> &'a [u8] {
        self.headers
    }

    /// The error for a record whose contents are not what they should be.
    pub(super) fn damaged(&self, reason: Corruption) -> Error {
        Error::corrupt(self.position, reason).with_offsets(self.offset..=self.offset)
    }

    /// Assembles what [`RawRecord::read`] read.
    #[inline(always)]
    pub(super) fn new(raw: RawRecord<'a>, offset: Offset, timestamp: i64, position: usize) -> Self {
        let RawRecord { key, value, headers, header_count, .. } = raw;
        Self { offset, timestamp, key, value, headers, header_count, position }
    }
}

/// A header of a record: a name and some bytes beside the value.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Header<'a> {
    /// The name.
    pub key: &'a str,
    /// The bytes, if there are any.
    pub value: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// A header with a value.
    pub const fn new(key: &'a str, value: &'a [u8]) -> Self {
        Self { key, value: Some(value) }
    }
}

/// The headers of a record, decoded as they are asked for.
///
/// A key that is not UTF-8 gives `CorruptRecord` with [`Corruption::HeaderKey`] in its place; the headers after it
/// follow.
#[derive(Clone, Debug)]
pub struct HeaderIter<'a> {
    rest: &'a [u8],
    remaining: i32,
    offset: Offset,
    position: usize,
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = Result<Header<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.remaining == 0 {
            return None;
        }
        self.remaining -= 1;
        Some(
            self.read().map_err(|reason| Error::corrupt(self.position, reason).with_offsets(self.offset..=self.offset)),
        )
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

impl ExactSizeIterator for HeaderIter<'_> {
    fn len(&self) -> usize {
        self.remaining as usize
    }
}

impl std::iter::FusedIterator for HeaderIter<'_> {}

impl<'a> HeaderIter<'a> {
    fn read(&mut self) -> Result<Header<'a>, Corruption> {
        let (key, value) = read_header(&mut self.rest)?;
        let key = std::str::from_utf8(key).map_err(|_| Corruption::HeaderKey)?;
        Ok(Header { key, value })
    }
}

/// The fields of a record as they were written.
#[derive(Copy, Clone)]
pub(super) struct RawRecord<'a> {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: &'a [u8],
    header_count: i32,
}

impl<'a> RawRecord<'a> {
    /// Reads the record at the start of `input` and moves `input` past it.
    #[inline(always)]
    pub(super) fn read(input: &mut &'a [u8]) -> Result<Self, Corruption> {
        let Some(length) = read_varint(input) else { return Err(damage(input, VARINT_BYTES_MAX)) };
        let Some((record, after)) = usize::try_from(length).ok().and_then(|length| input.split_at_checked(length))
        else {
            return Err(bad_length("record", length, input.len()));
        };
        let raw = Self::read_body(record)?;
        *input = after;
        Ok(raw)
    }

    #[inline(always)]
    fn read_body(record: &'a [u8]) -> Result<Self, Corruption> {
        // The attributes of a record have no meaning so far and are not looked at.
        let Some((_attributes, mut rest)) = record.split_first() else { return Err(damage(record, 1)) };
        let Some(timestamp_delta) = read_varlong(&mut rest) else { return Err(damage(rest, VARLONG_BYTES_MAX)) };
        let Some(offset_delta) = read_varint(&mut rest) else { return Err(damage(rest, VARINT_BYTES_MAX)) };
        let key = read_nullable(&mut rest, "key")?;
        let value = read_nullable(&mut rest, "value")?;
        let Some(header_count) = read_varint(&mut rest) else { return Err(damage(rest, VARINT_BYTES_MAX)) };
        let headers = rest;
        if header_count != 0 {
            rest = skip_headers(rest, header_count)?;
        }
        if !rest.is_empty() {
            let (declared, left) = (record.len() as u64, rest.len() as u64);
            return Err(Corruption::RecordLength { declared, actual: declared - left });
        }
        Ok(Self { timestamp_delta, offset_delta, key, value, headers, header_count })
    }
}

/// Checks the lengths of `count` headers and returns what follows them.
fn skip_headers(mut input: &[u8], count: i32) -> Result<&[u8], Corruption> {
    // A header has two bytes at least, so a count above the bytes left is refused before any is read.
    if usize::try_from(count).ok().is_none_or(|count| count > input.len()) {
        return Err(Corruption::FieldLength { field: "header array", length: i64::from(count) });
    }
    for _ in 0..count {
        read_header(&mut input)?;
    }
    Ok(input)
}

#[inline]
fn read_header<'a>(input: &mut &'a [u8]) -> Result<(&'a [u8], Option<&'a [u8]>), Corruption> {
    let Some(key) = read_nullable(input, "header key")? else {
        return Err(Corruption::FieldLength { field: "header key", length: -1 });
    };
    Ok((key, read_nullable(input, "header value")?))
}

/// Reads a length and as many bytes; −1 is null.
#[inline(always)]
fn read_nullable<'a>(input: &mut &'a [u8], field: &'static str) -> Result<Option<&'a [u8]>, Corruption> {
    let Some(length) = read_varint(input) else { return Err(damage(input, VARINT_BYTES_MAX)) };
    if length == -1 {
        return Ok(None);
    }
    let Some((bytes, rest)) = usize::try_from(length).ok().and_then(|length| input.split_at_checked(length)) else {
        return Err(bad_length(field, length, input.len()));
    };
    *input = rest;
    Ok(Some(bytes))
}

/// What is wrong with a length that is negative or above the bytes left.
#[cold]
fn bad_length(field: &'static str, length: i32, available: usize) -> Corruption {
    match u64::try_from(length) {
        // A whole record that is not all there is cut off; a field that leaves its record is wrong.
        Ok(needed) if field == "record" => Corruption::Truncated { needed, available: available as u64 },
        _ => Corruption::FieldLength { field, length: i64::from(length) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<RecordView<'_>, Corruption> {
        let mut rest = bytes;
        let raw = RawRecord::read(&mut rest)?;
        assert!(rest.is_empty());
        let timestamp = raw.timestamp_delta;
        Ok(RecordView::new(raw, 5, timestamp, 61))
    }

    #[test]
    fn every_field_is_read() {
        let record = read(b"\x22\0\x0a\x02\x04k1\x0ahello\x02\x02h\x02v").unwrap();
        assert_eq!((record.timestamp, record.key, record.value), (5, Some(&b"k1"[..]), Some(&b"hello"[..])));
        assert_eq!(record.header_count(), 1);
        let headers: Vec<_> = record.headers().map(Result::unwrap).collect();
        assert_eq!(headers, [Header::new("h", b"v")]);
    }

    #[test]
    fn a_header_key_that_is_not_utf_8_spoils_only_itself() {
        let record = read(b"\x20\0\0\0\x01\x01\x06\x02\xff\x01\x02b\x01\x02c\x02v").unwrap();
        let headers: Vec<_> = record.headers().collect();
        let Err(Error::CorruptRecord { reason, offsets, .. }) = &headers[0] else { panic!("{headers:?}") };
        assert_eq!((*reason, offsets.clone()), (Corruption::HeaderKey, Some(5..=5)));
        assert_eq!(*headers[1].as_ref().unwrap(), Header { key: "b", value: None });
        assert_eq!(*headers[2].as_ref().unwrap(), Header::new("c", b"v"));
    }

    #[test]
    fn malformed_records_are_told_apart() {
        let field = |field, length| Corruption::FieldLength { field, length };
        for (bytes, expected) in [
            (&b""[..], Corruption::Truncated { needed: 1, available: 0 }),
            (b"\x01", field("record", -1)),
            (b"\x0c\0\0\0\x01\x01", Corruption::Truncated { needed: 6, available: 5 }),
            (b"\0", Corruption::Truncated { needed: 1, available: 0 }),
            (b"\x02\0", Corruption::Truncated { needed: 1, available: 0 }),
            (b"\x0a\0\0\0\x01\x01", Corruption::Truncated { needed: 1, available: 0 }),
            (b"\x0c\0\0\0\x03\x01\0", field("key", -2)),
            (b"\x0c\0\0\0\x01\x04\0", field("value", 2)),
            (b"\x0c\0\0\0\x01\x01\x01", field("header array", -1)),
            (b"\x0e\0\0\0\x01\x01\x04\0", field("header array", 2)),
            (b"\x10\0\0\0\x01\x01\x02\x01\x01", field("header key", -1)),
            (b"\x10\0\0\0\x01\x01\x02\0\x02", field("header value", 1)),
            (b"\x0e\0\0\0\x01\x01\0\0", Corruption::RecordLength { declared: 7, actual: 6 }),
            (b"\x0e\0\0\xff\xff\xff\xff\x7f", Corruption::Varint),
        ] {
            assert_eq!(read(bytes).unwrap_err(), expected, "{bytes:x?}");
        }
    }
}

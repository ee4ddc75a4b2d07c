//! Walking bytes that hold one batch after the other: checked ([`Batches`]) or by their headers ([`BatchHeaders`]).

use std::iter::FusedIterator;

use bytes::Bytes;

use crate::error::Result;
use crate::record::batch::BatchView;
use crate::record::batch_header::{BatchHeader, truncated};
use crate::record::shifted;

/// The batches of a range of bytes, each checked as [`BatchView::parse`] does.
///
/// Ends after an error. Bytes that begin a batch and do not end it are one: `CorruptRecord` with `Truncated`.
/// Positions in errors count from the start of the range.
#[derive(Clone, Debug)]
pub struct Batches {
    bytes: Bytes,
    position: usize,
}

impl Batches {
    /// Walks `bytes`, which begin with a batch.
    pub const fn new(bytes: Bytes) -> Self {
        Self { bytes, position: 0 }
    }

    /// Where the next batch begins, counted from the start of the range.
    pub const fn position(&self) -> usize {
        self.position
    }
}

impl Iterator for Batches {
    type Item = Result<BatchView>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        match BatchView::split_from(&mut self.bytes) {
            Ok(batch) => {
                self.position += batch.bytes().len();
                Some(Ok(batch))
            }
            Err(error) => {
                self.bytes = Bytes::new();
                Some(Err(shifted(error, self.position)))
            }
        }
    }
}

impl FusedIterator for Batches {}

/// The headers of the batches in a range of bytes and where each begins. CRCs are not checked.
///
/// Ends after an error. Bytes that begin a batch and do not end it are one: `CorruptRecord` with `Truncated`.
/// Positions in errors count from the start of the range.
#[derive(Clone, Debug)]
pub struct BatchHeaders<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> BatchHeaders<'a> {
    /// Walks `bytes`, which begin with a batch.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Where the next batch begins, counted from the start of the range.
    pub const fn position(&self) -> usize {
        self.position
    }

    #[cold]
    fn fail(&mut self, error: crate::error::Error) -> Option<Result<(usize, BatchHeader)>> {
        self.bytes = &[];
        Some(Err(shifted(error, self.position)))
    }
}

impl Iterator for BatchHeaders<'_> {
    type Item = Result<(usize, BatchHeader)>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let header = match BatchHeader::parse(self.bytes) {
            Ok(header) => header,
            Err(error) => return self.fail(error),
        };
        let Some(rest) = self.bytes.get(header.size()..) else {
            return self.fail(truncated(header.size(), self.bytes.len()));
        };
        let position = self.position;
        self.bytes = rest;
        self.position += header.size();
        Some(Ok((position, header)))
    }
}

impl FusedIterator for BatchHeaders<'_> {}

//! A record on its way into a batch.

use crate::record::record::Header;
use crate::types::NO_TIMESTAMP;

/// A record to put into a batch: borrowed, copied once by [`BatchBuilder::push`](crate::record::BatchBuilder::push).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct RecordData<'a> {
    /// Milliseconds since the Unix epoch, −1 for none.
    pub timestamp: i64,
    /// The key, if there is one.
    pub key: Option<&'a [u8]>,
    /// The value. A keyed record without one is a tombstone: compaction deletes the key.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [Header<'a>],
}

impl<'a> RecordData<'a> {
    /// A record without timestamp and headers.
    pub fn new(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Self {
        Self { key, value, ..Self::default() }
    }

    /// A record of just a value.
    pub fn of(value: &'a [u8]) -> Self {
        Self::new(None, Some(value))
    }

    /// The same at `timestamp`, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn at(self, timestamp: i64) -> Self {
        Self { timestamp, ..self }
    }

    /// The same with these headers.
    #[must_use]
    pub fn with_headers(self, headers: &'a [Header<'a>]) -> Self {
        Self { headers, ..self }
    }
}

impl Default for RecordData<'_> {
    /// No timestamp, no key, no value, no headers.
    fn default() -> Self {
        Self { timestamp: NO_TIMESTAMP, key: None, value: None, headers: &[] }
    }
}

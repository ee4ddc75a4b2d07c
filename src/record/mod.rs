//! The record format, magic 2: pure bytes, no I/O.
//!
//! The batch is the unit everywhere: what a producer built is what lies in a segment and what travels. A batch is a
//! header of 61 bytes and its records; the records may be compressed, the header never is.
//!
//! ```text
//! | base offset 8 | length 4 | leader epoch 4 | magic 1 | CRC 4 | attributes … record count 40 | records … |
//!                                                              '---------- covered by the CRC ----------'
//! ```
//!
//! Offset and epoch lie outside the CRC, so a log can assign them without reading the rest.
//!
//! Out: a [`BatchBuilder`] packs [`RecordData`] and lends the finished [`BatchRef`]. In: [`Batches`] walks a range of
//! bytes, [`BatchView::parse`] checks one batch (once: header, length, CRC), [`BatchView::records`] gives its
//! [`RecordSet`] (decompressed if it must be, otherwise a slice), and that is iterated without allocating, each
//! [`RecordView`] borrowing its key and value.
//!
//! What comes in is never trusted: any bytes give either records or an [`Error`] that says where and
//! why. Positions in errors count from the start of the bytes that were handed in; inside compressed records they
//! count as if the records stood uncompressed behind the header.
//!
//! ```
//! use esker::record::{BatchBuilder, BatchView, RecordData};
//!
//! let mut builder = BatchBuilder::new(16 * 1024);
//! builder.push(&RecordData::new(Some(b"key"), Some(b"value")).at(1_700_000_000_000))?;
//! let bytes = bytes::Bytes::copy_from_slice(builder.build()?.bytes());
//!
//! for record in &BatchView::parse(&bytes)?.records()? {
//!     assert_eq!(record?.value, Some(&b"value"[..]));
//! }
//! # Ok::<(), esker::Error>(())
//! ```

mod aborted_producers;
mod attributes;
mod batch;
mod batch_builder;
mod batch_header;
mod batches;
mod checksum;
mod compression;
mod control;
mod decompressed;
#[expect(clippy::module_inception, reason = "a file is named for the type it holds")]
mod record;
mod record_data;
mod record_set;
mod retained_batch;
mod varint;

pub use aborted_producers::AbortedProducers;
pub use attributes::Attributes;
pub(crate) use batch::StampedHead;
#[cfg(feature = "net")]
pub(crate) use batch::crc_is_right;
pub use batch::{BatchRef, BatchView, DECOMPRESSED_BYTES_MAX};
pub use batch_builder::BatchBuilder;
pub use batch_header::{BATCH_HEADER_BYTES, BatchHeader, LOG_OVERHEAD};
pub use batches::{BatchHeaders, Batches};
pub(crate) use checksum::crc32c;
pub use compression::Compression;
pub use control::{ControlRecordType, EndTransactionMarker, TransactionResult};
pub use record::{Header, HeaderIter, RecordView};
pub use record_data::RecordData;
pub use record_set::{RecordCursor, RecordIter, RecordSet};
pub(crate) use retained_batch::RetainedBatch;

pub use crate::types::TimestampType;

use crate::error::Error;

/// Places damage found in a part of some bytes: the part began at `base`.
fn shifted(error: Error, base: usize) -> Error {
    match error {
        Error::CorruptRecord { file: None, position, offsets, reason } => {
            Error::CorruptRecord { file: None, position: position.saturating_add(base as u64), offsets, reason }
        }
        other => other,
    }
}

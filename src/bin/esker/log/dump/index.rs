//! The entries of indexes.
//!
//! ```text
//!   .index       relative offset 4 | position in the .log 4
//!   .timeindex   timestamp 8 | relative offset 4
//!   .txnindex    version 2 | producer id 8 | first offset 8 | last offset 8 | last stable offset 8
//! ```

use std::fs;
use std::path::Path;

use esker::Offset;

use super::Dump;
use super::json::Object;
use crate::failure::{Failure, Result};

impl Dump<'_> {
    pub(super) fn offset_index(&mut self, path: &Path, base: Offset) -> Result {
        let mut last = None;
        self.entries::<8>(path, |dump, at, entry| {
            let [a, b, c, d, position @ ..] = *entry;
            let (relative, position) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes(position));
            let Some(offset) = base.checked_add(Offset::from(relative)) else {
                return dump.damage(at, "there is no such offset");
            };
            if offset >= dump.args.offset {
                let object = Object::OffsetIndexEntry { position: at, offset, log_position: position };
                dump.show(object, format_args!("offset: {offset} position: {position}"))?;
            }
            if last.is_some_and(|(last_offset, last_position)| offset <= last_offset || position <= last_position) {
                dump.damage(at, "offsets and positions of an index must rise")?;
            }
            last = Some((offset, position));
            Ok(())
        })
    }

    pub(super) fn time_index(&mut self, path: &Path, base: Offset) -> Result {
        let mut last = None;
        self.entries::<12>(path, |dump, at, entry| {
            let [timestamp @ .., a, b, c, d] = *entry;
            let (timestamp, relative) = (i64::from_be_bytes(timestamp), u32::from_be_bytes([a, b, c, d]));
            let Some(offset) = base.checked_add(Offset::from(relative)) else {
                return dump.damage(at, "there is no such offset");
            };
            if offset >= dump.args.offset {
                let object = Object::TimeIndexEntry { position: at, timestamp, offset };
                dump.show(object, format_args!("timestamp: {timestamp} offset: {offset}"))?;
            }
            if last.is_some_and(|(last_timestamp, last_offset)| timestamp <= last_timestamp || offset < last_offset) {
                dump.damage(at, "timestamps of an index must rise, and offsets must not fall")?;
            }
            last = Some((timestamp, offset));
            Ok(())
        })
    }

    pub(super) fn transaction_index(&mut self, path: &Path) -> Result {
        let mut last = None;
        self.entries::<34>(path, |dump, at, entry| {
            let [v0, v1, fields @ ..] = *entry;
            let version = i16::from_be_bytes([v0, v1]);
            let (fields, _) = fields.as_chunks::<8>();
            let [producer_id, first_offset, last_offset, last_stable_offset] =
                std::array::from_fn(|index| i64::from_be_bytes(fields[index]));
            if last_offset >= dump.args.offset {
                let object = Object::TransactionIndexEntry {
                    position: at,
                    version,
                    producer_id,
                    first_offset,
                    last_offset,
                    last_stable_offset,
                };
                let line = format_args!(
                    "version: {version} producerId: {producer_id} firstOffset: {first_offset} \
                     lastOffset: {last_offset} lastStableOffset: {last_stable_offset}"
                );
                dump.show(object, line)?;
            }
            if last.is_some_and(|last| last_offset <= last) || first_offset > last_offset {
                dump.damage(at, "a transaction must end after it began and after the one before it")?;
            }
            last = Some(last_offset);
            Ok(())
        })
    }

    /// Calls `visit` with each entry of `BYTES` bytes and its position in the file.
    fn entries<const BYTES: usize>(
        &mut self,
        path: &Path,
        mut visit: impl FnMut(&mut Self, u64, &[u8; BYTES]) -> Result,
    ) -> Result {
        // An index is 10 MiB at most unless configured otherwise.
        let bytes = fs::read(path).map_err(|error| Failure::cannot_read(path, error))?;
        self.print(format_args!("Dumping {}", path.display()))?;
        if bytes.is_empty() {
            return self.print(format_args!("{} is empty.", path.display()));
        }
        let (entries, rest) = bytes.as_chunks::<BYTES>();
        for (index, entry) in entries.iter().enumerate() {
            // Kafka reserves space for its indexes. Zeros behind the first entry can't be one.
            if index > 0 && entry.iter().all(|byte| *byte == 0) {
                return Ok(());
            }
            visit(self, (index * BYTES) as u64, entry)?;
        }
        if !rest.is_empty() {
            let at = (entries.len() * BYTES) as u64;
            self.damage(at, format_args!("{} bytes are no whole entry", rest.len()))?;
        }
        Ok(())
    }
}

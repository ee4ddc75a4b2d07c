//! Writing the indexes of a segment anew, from its batches: after a crash, and after a truncation.

use super::file_name::{OFFSET_INDEX, TIME_INDEX};
use super::index_writer::IndexWriter;
use super::scan::BatchScan;
use super::segment::Segment;
use crate::config::LogConfig;
use crate::error::{Error, Result};
use crate::record::BatchHeader;

/// Goes through all batches up to the published end, showing each to `each`, and writes both indexes. What is damaged
/// gets no entry. Returns the largest timestamp.
pub(super) fn rebuild_indexes(segment: &Segment, config: &LogConfig, each: impl FnMut(&BatchHeader)) -> Result<i64> {
    rebuild_indexes_as(segment, [OFFSET_INDEX, TIME_INDEX], config, each)
}

/// As [`rebuild_indexes`], in files with these suffixes.
pub(super) fn rebuild_indexes_as(
    segment: &Segment,
    suffixes: [&str; 2],
    config: &LogConfig,
    mut each: impl FnMut(&BatchHeader),
) -> Result<i64> {
    let mut indexes = IndexWriter::create_as(segment, suffixes, config)?;
    let mut scan = BatchScan::new(segment, 0, segment.end(), segment.base_offset())?;
    loop {
        match scan.next() {
            None => break,
            Some(Ok(batch)) => {
                let header = &batch.header;
                each(header);
                indexes.appended(batch.position, header.size() as u64, header.last_offset(), header.max_timestamp);
            }
            Some(Err(Error::CorruptRecord { .. })) => {
                if !scan.skip_damage()? {
                    break;
                }
            }
            Some(Err(error)) => return Err(error),
        }
    }
    drop(scan);
    indexes.close().map_err(|error| Error::io("write", segment.path(TIME_INDEX), error))
}

//! What compaction leaves of a batch: some of its records, or its header alone.
//!
//! Offsets, producer, sequence, leader epoch, codec and timestamp type stay; a record keeps its offset, so a batch
//! that lost some has gaps, and its last offset may be one that no record has. Byte for byte as Kafka's
//! `MemoryRecords.filterTo` writes it.
//!
//! ```text
//!   before      base 10 | last delta 2 | k1=old  k2=null  k3=x
//!   k2 is kept  base 10 | last delta 2 | k2=null              base timestamp: the delete horizon
//!   none is     base 10 | last delta 2 |                      base timestamp: -1, count 0, never compressed
//! ```
//!
//! A *delete horizon* is the time from which the tombstones of a batch may go. It stands where the base timestamp
//! does, with a bit of the attributes to say so, and the timestamps of the records count from it.

use crate::error::Result;
use crate::record::Attributes;
use crate::record::batch::BatchRef;
use crate::record::batch_header::{BATCH_HEADER_BYTES, BatchHeader, LOG_OVERHEAD};
use crate::record::compression::Compression;
use crate::record::record::RecordView;
use crate::record::record_set::RecordSet;
use crate::record::varint::{VarintWriter, varint_len, varlong_len};
use crate::types::{NO_TIMESTAMP, TimestampType};

/// Writes what is retained of batches. Keeps its buffers from batch to batch.
#[derive(Debug, Default)]
pub(crate) struct RetainedBatch {
    /// Room for the header, then the records.
    records: Vec<u8>,
    /// The same with the records compressed.
    compressed: Vec<u8>,
}

impl RetainedBatch {
    /// The batch with those of its `records` for which `is_retained` holds, at least one. With a new
    /// `delete_horizon` in milliseconds, or the one that it has.
    ///
    /// # Errors
    /// What is wrong with a record, and what compressing can bring.
    pub(crate) fn with_records(
        &mut self,
        header: &BatchHeader,
        records: &RecordSet,
        delete_horizon: Option<i64>,
        mut is_retained: impl FnMut(usize, &RecordView<'_>) -> bool,
    ) -> Result<BatchRef<'_>> {
        let horizon = delete_horizon.or(header.delete_horizon());
        let (mut base_timestamp, mut max_timestamp, mut count) = (horizon, NO_TIMESTAMP, 0);
        self.records.clear();
        self.records.resize(BATCH_HEADER_BYTES, 0);
        for (index, record) in records.iter().enumerate() {
            let record = record?;
            if is_retained(index, &record) {
                let base_timestamp = *base_timestamp.get_or_insert(record.timestamp);
                let offset_delta = (record.offset - header.base_offset) as i32; // as it was read
                write_record(&mut self.records, &record, record.timestamp.wrapping_sub(base_timestamp), offset_delta);
                max_timestamp = max_timestamp.max(record.timestamp);
                count += 1;
            }
        }
        let codec = header.compression()?;
        let batch = if codec == Compression::None {
            &mut self.records
        } else {
            self.compressed.clear();
            self.compressed.resize(BATCH_HEADER_BYTES, 0);
            let records = self.records.get(BATCH_HEADER_BYTES..).unwrap_or_default();
            codec.compress(None, records, &mut self.compressed)?;
            &mut self.compressed
        };
        let header = BatchHeader {
            batch_length: (batch.len() - LOG_OVERHEAD) as i32,
            attributes: header.attributes.with_delete_horizon(horizon.is_some()),
            base_timestamp: base_timestamp.unwrap_or(NO_TIMESTAMP),
            max_timestamp: match header.timestamp_type() {
                TimestampType::CreateTime => max_timestamp,
                TimestampType::LogAppendTime => header.max_timestamp,
            },
            records_count: count,
            ..*header
        };
        Ok(BatchRef::seal(header, batch))
    }

    /// The batch without any record: it still tells its producer's sequence, and where the log had come to.
    pub(crate) fn emptied(&mut self, header: &BatchHeader) -> BatchRef<'_> {
        self.records.clear();
        self.records.resize(BATCH_HEADER_BYTES, 0);
        let attributes = Attributes::default()
            .with_timestamp_type(header.timestamp_type())
            .with_transactional(header.is_transactional())
            .with_control(header.is_control());
        let header = BatchHeader {
            batch_length: (BATCH_HEADER_BYTES - LOG_OVERHEAD) as i32,
            attributes,
            base_timestamp: NO_TIMESTAMP,
            records_count: 0,
            ..*header
        };
        BatchRef::seal(header, &mut self.records)
    }
}

fn write_record(out: &mut Vec<u8>, record: &RecordView<'_>, timestamp_delta: i64, offset_delta: i32) {
    let header_bytes = record.raw_headers();
    let header_count = record.header_count() as i32;
    let nullable_size = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => varint_len(bytes.len() as i32) + bytes.len(),
        None => varint_len(-1),
    };
    let size = 1
        + varlong_len(timestamp_delta)
        + varint_len(offset_delta)
        + nullable_size(record.key)
        + nullable_size(record.value)
        + varint_len(header_count)
        + header_bytes.len();
    let put_nullable = |out: &mut Vec<u8>, bytes: Option<&[u8]>| {
        let mut writer = VarintWriter::new(out);
        writer.put(bytes.map_or(-1, |bytes| bytes.len() as i32));
        writer.finish();
        out.extend_from_slice(bytes.unwrap_or_default());
    };
    let mut writer = VarintWriter::new(out);
    writer.put(size as i32);
    writer.put_byte(0);
    writer.put_long(timestamp_delta);
    writer.put(offset_delta);
    writer.finish();
    put_nullable(out, record.key);
    put_nullable(out, record.value);
    let mut writer = VarintWriter::new(out);
    writer.put(header_count);
    writer.finish();
    out.extend_from_slice(header_bytes);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::record::{BatchBuilder, BatchView, Header, RecordData};

    const T: i64 = 1_700_000_000_000;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    /// The input of the format's test vector TV6.
    fn input() -> BatchView {
        let mut builder = BatchBuilder::new(0).base_offset(10).leader_epoch(3).producer(4000, 2, 7);
        builder.push(&RecordData::new(Some(b"k1"), Some(b"old")).at(T)).unwrap();
        builder.push(&RecordData::new(Some(b"k2"), None).at(T + 5)).unwrap();
        builder.push(&RecordData::new(Some(b"k3"), Some(b"x")).at(T + 7)).unwrap();
        builder.build().unwrap().into()
    }

    #[test]
    fn what_kafka_leaves_of_a_batch_is_left() {
        let (batch, mut retained) = (input(), RetainedBatch::default());
        let records = batch.records().unwrap();
        let horizon = Some(T + 100_000 + 86_400_000);
        let kept = retained.with_records(batch.header(), &records, horizon, |index, _| index == 1).unwrap();
        let expected = hex("000000000000000a0000003d00000003028d8310cf0040000000020000018bd50d4aa00000018bcfe56805
            0000000000000fa0000200000007000000011600b58abf5202046b320100");
        assert_eq!(kept.bytes(), expected);

        // The horizon stays once it is there.
        let again = BatchView::parse(&Bytes::from(expected.clone())).unwrap();
        let records = again.records().unwrap();
        let kept = retained.with_records(again.header(), &records, None, |_, _| true).unwrap();
        assert_eq!(kept.bytes(), expected);

        let emptied = hex("000000000000000a000000310000000302f3a5f1ed000000000002ffffffffffffffff0000018bcfe56807
            0000000000000fa000020000000700000000");
        assert_eq!(retained.emptied(batch.header()).bytes(), emptied);
        assert_eq!(retained.emptied(again.header()).header().max_timestamp, T + 5);
    }

    #[test]
    fn all_records_of_a_batch_make_the_same_batch() {
        let headers = [Header::new("h", b"v"), Header { key: "none", value: None }];
        for codec in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let builder = BatchBuilder::new(0).base_offset(7).compression(codec).producer(1, 2, 3);
            let mut builder = builder.transactional(true);
            builder.push(&RecordData::new(Some(b"a"), Some(&[b'x'; 300])).at(T + 9).with_headers(&headers)).unwrap();
            builder.push(&RecordData::new(None, None).at(T)).unwrap();
            let Ok(built) = builder.build() else { continue };
            let batch = BatchView::from(built);
            let mut retained = RetainedBatch::default();
            let records = batch.records().unwrap();
            let all = retained.with_records(batch.header(), &records, None, |_, _| true).unwrap();
            assert_eq!(all.bytes(), batch.bytes(), "{codec}");
            assert!(BatchRef::parse(all.bytes()).is_ok());

            let last = retained.with_records(batch.header(), &records, None, |index, _| index == 1).unwrap();
            let last = BatchView::from(last);
            let header = last.header();
            assert_eq!((header.base_offset, header.last_offset(), header.records_count), (7, 8, 1));
            assert_eq!((header.base_timestamp, header.max_timestamp), (T, T));
            assert_eq!(header.compression().unwrap(), codec);
            let record = last.records().unwrap();
            let record = record.iter().next().unwrap().unwrap();
            assert_eq!((record.offset, record.timestamp, record.key), (8, T, None));
        }
    }

    #[test]
    fn the_time_of_the_log_stays_whatever_goes() {
        let mut builder = BatchBuilder::new(0).log_append_time(T + 50);
        for key in [b"a", b"b"] {
            builder.push(&RecordData::new(Some(key), Some(b"v")).at(T)).unwrap();
        }
        let batch = BatchView::from(builder.build().unwrap());
        let mut retained = RetainedBatch::default();
        let records = batch.records().unwrap();
        let kept = retained.with_records(batch.header(), &records, None, |index, _| index == 0).unwrap();
        assert_eq!(kept.header().max_timestamp, T + 50);
        let kept = BatchView::from(kept);
        assert_eq!(kept.records().unwrap().iter().next().unwrap().unwrap().timestamp, T + 50);
    }
}

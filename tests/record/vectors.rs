//! Batches whose every byte is known.

use bytes::Bytes;
use esker::record::{
    BatchBuilder, BatchHeaders, BatchView, Batches, Compression, ControlRecordType, EndTransactionMarker, Header,
    RecordCursor, RecordData, TimestampType, TransactionResult,
};
use esker::{Corruption, Error, ProducerIdAndEpoch};

use crate::{codecs, hex, records};

pub(crate) const T: i64 = 1_700_000_000_000;

/// Three records: with a header, with a null key, and a tombstone.
pub(crate) const PLAIN: &str = "
    000000000000000a 00000058 00000003 02 21cba957 0000 00000002 0000018bcfe56800 0000018bcfe56805
    ffffffffffffffff ffff ffffffff 00000003
    22 00 00 00 04 6b31 0a 68656c6c6f 02 02 68 02 76
    16 00 0a 02 01 0a 776f726c64 00
    10 00 06 04 04 6b31 01 00";

const ABORT: &str = "
    000000000000000b 00000042 00000003 02 821a66c4 0030 00000000 0000018bcfe56864 0000018bcfe56864
    0000000000000fa0 0002 ffffffff 00000001
    20 00 00 00 08 00000000 0c 000000000005 00";

const LEADER_CHANGE: &str = "
    00000000000000000000004f00000001021154eaf90020000000000000018bcfe568000000018bcfe56800
    ffffffffffffffffffffffffffff000000013a0000000800000002260000000000010200000001000200000001000000";

/// One record, k → 32 × a, per codec.
pub(crate) const COMPRESSED: [(Compression, &str); 4] = [
    (
        Compression::Gzip,
        "00000000000000000000004f0000000002b9f0c8860001000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff
        000000011f8b08000000000000fff363606060ca764824001800ac97ff9828000000",
    ),
    (
        Compression::Snappy,
        "00000000000000000000005400000000028c948efb0002000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff
        0000000182534e415050590000000001000000010000000f281c4e000000026b40617a01000000",
    ),
    (
        Compression::Lz4,
        "0000000000000000000000520000000002288596540003000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff
        0000000104224d18604082120000008f4e000000026b406101000850616161610000000000",
    ),
    (
        Compression::Zstd,
        "00000000000000000000004c00000000028c7940070004000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff
        0000000128b52ffd00587c0000484e000000026b40610001000de002010000",
    ),
];

#[test]
fn a_plain_batch_is_read() {
    let bytes = hex(PLAIN);
    let batch = BatchView::parse(&bytes).unwrap();
    let header = batch.header();
    assert_eq!((header.base_offset, header.last_offset(), header.next_offset()), (10, 12, 13));
    assert_eq!((header.size(), header.records_count, header.partition_leader_epoch), (100, 3, 3));
    assert_eq!((header.base_timestamp, header.max_timestamp), (T, T + 5));
    assert_eq!(header.timestamp_type(), TimestampType::CreateTime);
    assert!(!header.is_transactional() && !header.is_control() && !header.has_producer_id());

    let set = batch.records().unwrap();
    let all: Vec<_> = set.iter().map(Result::unwrap).collect();
    assert_eq!(all.iter().map(|record| record.offset).collect::<Vec<_>>(), [10, 11, 12]);
    assert_eq!(all.iter().map(|record| record.timestamp - T).collect::<Vec<_>>(), [0, 5, 3]);
    assert_eq!((all[0].key, all[0].value), (Some(&b"k1"[..]), Some(&b"hello"[..])));
    assert_eq!((all[1].key, all[1].value), (None, Some(&b"world"[..])));
    assert_eq!((all[2].key, all[2].value), (Some(&b"k1"[..]), None));
    assert_eq!(all[0].headers().next().unwrap().unwrap(), Header::new("h", b"v"));
    assert_eq!(all[1].header_count(), 0);
}

#[test]
fn a_plain_batch_is_written() {
    let headers = [Header::new("h", b"v")];
    let mut builder = BatchBuilder::new(1 << 20).base_offset(10).leader_epoch(3);
    builder.push(&RecordData::new(Some(b"k1"), Some(b"hello")).at(T).with_headers(&headers)).unwrap();
    builder.push(&RecordData::of(b"world").at(T + 5)).unwrap();
    builder.push(&RecordData::new(Some(b"k1"), None).at(T + 3)).unwrap();
    assert_eq!(builder.build().unwrap().bytes(), hex(PLAIN));
}

#[test]
fn idempotent_and_log_append_time_batches_are_written() {
    let headers = [Header::new("h", b"v")];
    let record = RecordData::new(Some(b"k1"), Some(b"hello")).at(T).with_headers(&headers);

    let mut idempotent = BatchBuilder::new(0).producer(4000, 2, 7).transactional(true);
    idempotent.push(&record).unwrap();
    let batch = idempotent.build().unwrap();
    assert_eq!((batch.header().crc, batch.header().attributes.bits()), (0x4e6b_e6da, 0x10));

    let mut stamped = BatchBuilder::new(0).leader_epoch(0).log_append_time(T + 500);
    stamped.push(&record).unwrap();
    let batch = stamped.build().unwrap();
    assert_eq!((batch.header().crc, batch.header().max_timestamp), (0x34a5_00be, T + 500));
    assert_eq!(batch.header().timestamp_type(), TimestampType::LogAppendTime);
}

#[test]
fn transaction_markers_are_written_and_read() {
    for (result, crc) in [(TransactionResult::Abort, 0x821a_66c4u32), (TransactionResult::Commit, 0x7624_b08c)] {
        let marker = EndTransactionMarker { result, coordinator_epoch: 5 };
        let batch = marker.to_batch(T + 100, ProducerIdAndEpoch::new(4000, 2)).unwrap();
        let mut expected = hex(ABORT).to_vec();
        // Offset and epoch are the log's to assign, outside the CRC; the commit differs in CRC and type.
        expected[..8].fill(0);
        expected[12..16].fill(0xff);
        expected[17..21].copy_from_slice(&crc.to_be_bytes());
        expected[69] = u8::from(result == TransactionResult::Commit);
        assert_eq!(batch.bytes(), &expected);

        let read = BatchView::parse(batch.bytes()).unwrap().records().unwrap();
        let record = read.iter().next().unwrap().unwrap();
        assert_eq!(EndTransactionMarker::parse(&record).unwrap(), Some(marker));
    }
}

#[test]
fn other_control_records_are_named_and_are_no_markers() {
    let batch = BatchView::parse(&hex(LEADER_CHANGE)).unwrap();
    assert!(batch.header().is_control() && !batch.header().is_transactional());
    let set = batch.records().unwrap();
    let record = set.iter().next().unwrap().unwrap();
    assert_eq!(ControlRecordType::parse(record.key.unwrap()).unwrap(), ControlRecordType::LeaderChange);
    assert_eq!(EndTransactionMarker::parse(&record).unwrap(), None);
}

#[test]
fn each_codec_is_read_or_named_as_missing() {
    for (codec, text) in COMPRESSED {
        let batch = BatchView::parse(&hex(text)).unwrap();
        assert_eq!(batch.header().compression().unwrap(), codec);
        if codecs().contains(&codec) {
            let all = records(&batch);
            assert_eq!(all.len(), 1);
            assert_eq!((all[0].offset, all[0].timestamp), (0, T));
            assert_eq!((all[0].key.as_deref(), all[0].value.as_deref()), (Some(&b"k"[..]), Some(&[b'a'; 32][..])));
        } else {
            let error = batch.records().unwrap_err();
            assert!(matches!(error, Error::UnsupportedCompressionType { codec: named } if named == codec.name()));
            let mut builder = BatchBuilder::new(0).compression(codec);
            builder.push(&RecordData::of(b"x")).unwrap();
            let error = builder.build().unwrap_err();
            assert!(matches!(error, Error::UnsupportedCompressionType { codec: named } if named == codec.name()));
        }
    }
}

#[test]
fn the_input_of_the_compaction_vector_is_written() {
    let mut builder = BatchBuilder::new(0).base_offset(10).leader_epoch(3).producer(4000, 2, 7);
    builder.push(&RecordData::new(Some(b"k1"), Some(b"old")).at(T)).unwrap();
    builder.push(&RecordData::new(Some(b"k2"), None).at(T + 5)).unwrap();
    builder.push(&RecordData::new(Some(b"k3"), Some(b"x")).at(T + 7)).unwrap();
    let expected = hex("000000000000000a0000005000000003027c920aca0000000000020000018bcfe568000000018bcfe56807
        0000000000000fa00002000000070000000316000000046b31066f6c640010000a02046b32010012000e04046b33027800");
    assert_eq!(builder.build().unwrap().bytes(), expected);
}

#[test]
fn what_compaction_leaves_is_read() {
    // Only k2 is kept: the base timestamp holds a delete horizon, and the record counts from it.
    let kept = hex("000000000000000a0000003d00000003028d8310cf0040000000020000018bd50d4aa00000018bcfe56805
        0000000000000fa0000200000007000000011600b58abf5202046b320100");
    let batch = BatchView::parse(&kept).unwrap();
    assert!(batch.header().attributes.has_delete_horizon());
    assert_eq!((batch.header().last_offset(), batch.header().last_sequence()), (12, 9));
    let all = records(&batch);
    assert_eq!((all[0].offset, all[0].timestamp, all[0].value.as_deref()), (11, T + 5, None));

    // Nothing is kept but the batch, for its producer's sequence.
    let emptied = hex("000000000000000a000000310000000302f3a5f1ed000000000002ffffffffffffffff0000018bcfe56807
        0000000000000fa000020000000700000000");
    let batch = BatchView::parse(&emptied).unwrap();
    assert_eq!((batch.header().records_count, batch.header().next_offset()), (0, 13));
    assert!(records(&batch).is_empty());
}

#[test]
fn a_range_of_batches_is_walked_to_its_cut_end() {
    let (first, second) = (hex(PLAIN), hex(ABORT));
    let mut range = [&first[..], &second[..]].concat();
    let positions: Vec<_> = BatchHeaders::new(&range).map(|step| step.unwrap().0).collect();
    assert_eq!(positions, [0, 100]);
    let sizes: Vec<_> = Batches::new(range.clone().into()).map(|batch| batch.unwrap().bytes().len()).collect();
    assert_eq!(sizes, [100, 78]);

    range.extend_from_slice(&first[..99]);
    let mut batches = Batches::new(Bytes::from(range.clone()));
    assert!(batches.next().unwrap().is_ok() && batches.next().unwrap().is_ok());
    let Err(Error::CorruptRecord { position, reason, .. }) = batches.next().unwrap() else { panic!("cut") };
    assert_eq!((position, reason), (178, Corruption::Truncated { needed: 100, available: 99 }));
    assert_eq!(batches.position(), 178);
    assert!(batches.next().is_none());

    let mut headers = BatchHeaders::new(&range);
    let Some(Err(Error::CorruptRecord { position: 178, .. })) = headers.nth(2) else { panic!("cut") };
    assert_eq!(headers.position(), 178);
    assert!(headers.next().is_none());
}

#[test]
fn a_cursor_stops_and_resumes_and_borrowed_parts_become_bytes() {
    let bytes = hex(PLAIN);
    let set = BatchView::parse(&bytes).unwrap().records().unwrap();
    let mut cursor = RecordCursor::new();
    let mut offsets = Vec::new();
    // Each turn borrows the set anew.
    while let Some(record) = set.next(&mut cursor) {
        offsets.push(record.unwrap().offset);
    }
    assert_eq!(offsets, [10, 11, 12]);
    assert!(set.next(&mut cursor).is_none());

    let record = set.iter().next().unwrap().unwrap();
    let value = set.slice_ref(record.value.unwrap());
    assert_eq!(value, "hello");
    assert_eq!(value.as_ptr(), record.value.unwrap().as_ptr(), "nothing is copied");
    assert_eq!(set.slice_ref(b"elsewhere"), "elsewhere");
}

#[test]
fn a_builder_keeps_its_settings_and_its_buffer() {
    let mut builder = BatchBuilder::new(300).base_offset(5).producer(1, 2, 3);
    assert!(matches!(builder.build(), Err(Error::InvalidRecord { .. })));
    let large = [0; 1000];
    assert!(builder.has_room_for(&RecordData::of(&large)), "the first record always fits");
    builder.push(&RecordData::of(b"first").at(T)).unwrap();
    assert!(!builder.has_room_for(&RecordData::of(&large)));
    assert!(builder.has_room_for(&RecordData::of(b"second")));
    assert_eq!((builder.len(), builder.is_empty()), (1, false));
    let (first, size) = (builder.build().unwrap().bytes().to_vec(), builder.size_in_bytes());
    assert_eq!(first.len(), size);

    builder.clear();
    assert_eq!((builder.len(), builder.size_in_bytes()), (0, 61));
    let negative = builder.push(&RecordData::of(b"x").at(-2));
    assert!(matches!(negative, Err(Error::InvalidRecord { .. })));
    builder.push(&RecordData::of(b"first").at(T)).unwrap();
    assert_eq!(builder.build().unwrap().bytes(), first);

    builder.set_producer(1, 2, 4);
    assert_eq!(builder.build().unwrap().header().base_sequence, 4);
}

#[test]
fn the_widest_span_of_timestamps_reads_back() {
    let mut builder = BatchBuilder::new(0);
    for timestamp in [-1, i64::MAX, 0] {
        builder.push(&RecordData::of(b"x").at(timestamp)).unwrap();
    }
    let batch = BatchView::from(builder.build().unwrap());
    assert_eq!(batch.header().max_timestamp, i64::MAX);
    assert_eq!(records(&batch).iter().map(|record| record.timestamp).collect::<Vec<_>>(), [-1, i64::MAX, 0]);
}

#[test]
fn a_batch_is_not_built_at_offsets_that_none_can_have() {
    for base_offset in [-1, i64::MIN, i64::MAX - 1, i64::MAX] {
        let mut builder = BatchBuilder::new(0).base_offset(base_offset);
        builder.push(&RecordData::of(b"x")).unwrap();
        builder.push(&RecordData::of(b"y")).unwrap();
        assert!(matches!(builder.build(), Err(Error::InvalidRecord { .. })), "{base_offset}");
    }
}

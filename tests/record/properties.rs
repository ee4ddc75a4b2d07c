//! Any records through any codec and back; any bytes into any parser.

use bytes::Bytes;
use esker::record::{
    BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, BatchHeaders, BatchRef, BatchView, Batches, ControlRecordType,
    EndTransactionMarker, Header, RecordData,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::{Owned, codecs, records};

fn bytes(size_max: usize) -> impl Strategy<Value = Vec<u8>> {
    // Runs, so that there is something to compress, and noise.
    prop_oneof![vec(any::<u8>(), 0..size_max), (any::<u8>(), 0..size_max).prop_map(|(byte, size)| vec![byte; size]),]
}

fn record() -> impl Strategy<Value = Owned> {
    let timestamp = prop_oneof![-1i64..100, 1_600_000_000_000i64..1_700_000_000_000, -1i64..=i64::MAX];
    let headers = vec((".{0,8}", option::of(bytes(20))), 0..4);
    (timestamp, option::of(bytes(40)), option::of(bytes(3000)), headers)
        .prop_map(|(timestamp, key, value, headers)| Owned { offset: 0, timestamp, key, value, headers })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_survive_every_codec(
        mut expected in vec(record(), 1..40),
        codec in 0..codecs().len(),
        base_offset in 0..i64::MAX - 100,
        producer in (any::<i64>(), any::<i16>(), any::<i32>()),
        transactional: bool,
    ) {
        let codec = codecs()[codec];
        let mut builder = BatchBuilder::new(0)
            .compression(codec)
            .base_offset(base_offset)
            .producer(producer.0, producer.1, producer.2)
            .transactional(transactional);
        for (index, record) in expected.iter_mut().enumerate() {
            record.offset = base_offset + index as i64;
            let headers: Vec<_> =
                record.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
            let data = RecordData::new(record.key.as_deref(), record.value.as_deref());
            builder.push(&data.at(record.timestamp).with_headers(&headers)).unwrap();
        }
        let plain_size = builder.size_in_bytes();
        let built = builder.build().unwrap();
        let header = *built.header();
        prop_assert_eq!(header.size(), built.bytes().len());
        prop_assert_eq!(header.records_count as usize, expected.len());
        prop_assert_eq!(header.max_timestamp, expected.iter().map(|record| record.timestamp).max().unwrap());
        prop_assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), producer);

        let batch = BatchView::parse(&Bytes::copy_from_slice(built.bytes())).unwrap();
        prop_assert_eq!(batch.header(), &header);
        prop_assert_eq!(BatchHeader::parse(&header.to_bytes()).unwrap(), header);
        prop_assert_eq!(&records(&batch), &expected);

        let mut visited = Vec::new();
        batch.as_ref().for_each_record(plain_size, |record| { visited.push(Owned::from(record)); Ok(()) }).unwrap();
        prop_assert_eq!(visited, expected);
    }

    #[test]
    fn a_builder_never_has_room_for_what_does_not_fit(all in vec(record(), 1..20), size_limit in 0usize..10_000) {
        let mut builder = BatchBuilder::new(size_limit);
        for record in &all {
            let data = RecordData::new(record.key.as_deref(), record.value.as_deref()).at(record.timestamp);
            if builder.has_room_for(&data) {
                builder.push(&data).unwrap();
            }
        }
        prop_assert!(builder.len() == 1 || builder.size_in_bytes() <= size_limit);
    }

    #[test]
    fn any_bytes_are_refused_or_read_without_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = BatchHeader::parse(&bytes);
        let _ = BatchRef::parse(&bytes);
        let _ = BatchHeaders::new(&bytes).count();
        let _ = ControlRecordType::parse(&bytes);
        for batch in Batches::new(bytes.into()).flatten() {
            let _ = batch.records_within(1 << 20).map(|set| set.iter().count());
        }
    }

    #[test]
    fn any_bytes_behind_a_sound_header_are_refused_or_read_without_panic(
        section in vec(any::<u8>(), 0..300),
        attributes in 0u8..=255,
        count in 0i32..50,
        base_offset in prop_oneof![0..1000i64, i64::MAX - 60..i64::MAX - 50],
    ) {
        let mut bytes = vec![0; BATCH_HEADER_BYTES];
        bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
        bytes[8..12].copy_from_slice(&(49 + section.len() as i32).to_be_bytes());
        bytes[16] = 2;
        bytes[22] = attributes;
        bytes[23..27].copy_from_slice(&50i32.to_be_bytes());
        bytes[57..61].copy_from_slice(&count.to_be_bytes());
        bytes.extend_from_slice(&section);
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());

        let batch = BatchView::parse(&bytes.into()).unwrap();
        if let Ok(set) = batch.records_within(1 << 20) {
            for record in set.iter().flatten() {
                prop_assert!((base_offset..=base_offset + 50).contains(&record.offset));
                prop_assert_eq!(record.headers().count(), record.header_count());
                let _ = EndTransactionMarker::parse(&record);
            }
        }
    }
}

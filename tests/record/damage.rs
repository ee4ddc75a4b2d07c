//! Damaged batches: each gives an error that says what and where, none a panic or a wrong record.

use std::ops::RangeInclusive;

use bytes::Bytes;
use esker::record::{BATCH_HEADER_BYTES, BatchHeader, BatchRef, BatchView, Batches};
use esker::{Corruption, Error};

use crate::vectors::{COMPRESSED, PLAIN};
use crate::{codecs, hex, records};

fn vectors() -> Vec<Bytes> {
    let readable = COMPRESSED.into_iter().filter(|(codec, _)| codecs().contains(codec));
    std::iter::once(PLAIN).chain(readable.map(|(_, text)| text)).map(hex).collect()
}

/// The batch with `change` made to its bytes and its CRC made right again.
fn altered(bytes: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = bytes.to_vec();
    change(&mut bytes);
    let length = bytes.len() as i32 - 12;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

/// The reason, position and offsets of the first error in the batch's records.
fn record_damage(bytes: &Bytes) -> (Corruption, u64, Option<RangeInclusive<i64>>) {
    let batch = BatchView::parse(bytes).expect("the CRC was made right");
    let error = match batch.records_within(1 << 20) {
        Err(error) => error,
        Ok(set) => {
            let mut records = set.iter().skip_while(Result::is_ok);
            let error = records.next().expect("an error").expect_err("not skipped");
            assert!(records.next().is_none(), "nothing comes after an error");
            error
        }
    };
    match error {
        Error::CorruptRecord { reason, position, offsets, .. } => (reason, position, offsets),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_flipped_bit_is_found_or_lies_outside_the_crc() {
    for bytes in vectors() {
        let sound = records(&BatchView::parse(&bytes).unwrap());
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            let Ok(batch) = BatchView::parse(&flipped.into()) else { continue };
            match bit / 8 {
                // The base offset: the records moved with it.
                0..8 => {
                    let moved = batch.header().base_offset - BatchHeader::parse(&bytes).unwrap().base_offset;
                    for (found, sound) in records(&batch).iter().zip(&sound) {
                        assert_eq!((found.offset, &found.value), (sound.offset + moved, &sound.value));
                    }
                }
                12..16 => assert_eq!(records(&batch), sound),
                byte => panic!("a flip of bit {bit}, in byte {byte}, was not found"),
            }
        }
    }
}

#[test]
fn every_truncation_is_named() {
    for bytes in vectors() {
        for length in 0..bytes.len() {
            let needed = if length < BATCH_HEADER_BYTES { BATCH_HEADER_BYTES } else { bytes.len() } as u64;
            let expected = Corruption::Truncated { needed, available: length as u64 };
            let cut = BatchRef::parse(&bytes[..length]).unwrap_err();
            assert!(matches!(cut, Error::CorruptRecord { position: 0, reason, .. } if reason == expected), "{cut:?}");
        }
    }
}

#[test]
fn every_truncation_with_a_right_crc_is_an_error() {
    for bytes in vectors() {
        for length in BATCH_HEADER_BYTES..bytes.len() {
            let cut = altered(&bytes, |bytes| bytes.truncate(length));
            let batch = BatchView::parse(&cut).unwrap();
            // A codec may be able to do without its stream's last bytes; then every record is there.
            let Ok(set) = batch.records_within(1 << 20) else { continue };
            match set.iter().collect::<Result<Vec<_>, _>>() {
                Ok(all) => assert_eq!(all.len(), batch.header().records_count as usize, "cut to {length}"),
                Err(error) => assert!(matches!(error, Error::CorruptRecord { .. })),
            }
        }
    }
}

#[test]
fn damage_behind_a_right_crc_says_which_offsets_are_lost() {
    let bytes = hex(PLAIN);
    let trailing = altered(&bytes, |bytes| bytes.push(0));
    assert_eq!(record_damage(&trailing), (Corruption::TrailingBytes(1), 100, None));

    let missing = altered(&bytes, |bytes| bytes.truncate(91));
    assert_eq!(record_damage(&missing), (Corruption::Truncated { needed: 1, available: 0 }, 91, Some(12..=12)));

    // The second record repeats the offset of the first.
    let repeated = altered(&bytes, |bytes| bytes[82] = 0);
    let order = Corruption::OffsetOrder { expected: 11, found: 10 };
    assert_eq!(record_damage(&repeated), (order, 79, Some(11..=12)));

    let beyond = altered(&bytes, |bytes| bytes[82] = 6);
    let offsets = Corruption::Offsets { base_offset: 10, last_offset_delta: 2, records: 3 };
    assert_eq!(record_damage(&beyond), (offsets, 79, Some(11..=12)));

    let key_length = altered(&bytes, |bytes| bytes[65] = 0x7e);
    assert_eq!(record_damage(&key_length), (Corruption::FieldLength { field: "key", length: 63 }, 61, Some(10..=12)));

    let record_length = altered(&bytes, |bytes| bytes[61] = 0x24);
    let (reason, position, _) = record_damage(&record_length);
    assert_eq!((reason, position), (Corruption::RecordLength { declared: 18, actual: 17 }, 61));

    let codec = altered(&bytes, |bytes| bytes[22] = 5);
    let unknown = BatchView::parse(&codec).unwrap().records().unwrap_err();
    assert!(matches!(unknown, Error::CorruptRecord { reason: Corruption::Codec(5), .. }));
}

#[test]
fn more_than_the_limit_is_refused_and_the_limit_itself_is_not() {
    for (codec, text) in COMPRESSED.into_iter().filter(|(codec, _)| codecs().contains(codec)) {
        let batch = BatchView::parse(&hex(text)).unwrap();
        assert!(batch.records_within(40).is_ok(), "{codec}");
        let Err(Error::CorruptRecord { reason, offsets, .. }) = batch.records_within(39) else { panic!("{codec}") };
        assert_eq!((reason, offsets), (Corruption::DecompressedSize { limit: 39 }, Some(0..=0)));
    }
}

#[test]
fn a_walk_ends_at_damage_and_says_where() {
    let bytes = hex(PLAIN);
    let mut range = [&bytes[..], &bytes[..], &bytes[..]].concat();
    range[150] ^= 1;
    let mut batches = Batches::new(range.into());
    assert!(batches.next().unwrap().is_ok());
    let Some(Err(Error::CorruptRecord { position: 100, reason: Corruption::Crc { stored, .. }, .. })) = batches.next()
    else {
        panic!("a wrong CRC");
    };
    assert_eq!(stored, 0x21cb_a957);
    assert!(batches.next().is_none());
}

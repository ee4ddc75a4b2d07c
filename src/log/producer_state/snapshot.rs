//! The producer snapshot (`NNN.snapshot`): what is known of the producers from everything below the offset in its name.
//!
//! ```text
//!   0  int16   version = 1
//!   2  uint32  CRC-32C of everything from 6 on
//!   6  int32   number of entries
//!  10  entries of 46 bytes
//!       0  int64  producer id                      26  int64  timestamp
//!       8  int16  producer epoch                   34  int32  coordinator epoch, −1 if none
//!      10  int32  last sequence, −1 if none        38  int64  first offset of the open transaction, −1 if none
//!      14  int64  last offset, −1 if none
//!      22  int32  last offset − first offset of the last batch
//! ```
//!
//! It holds only the last batch of each producer: a log that is opened from it tells only that one when it comes twice.

use std::io;

use crate::error::{Error, Result};
use crate::io::Storage;
use crate::log::file_name::{SNAPSHOT, parse_base_offset};
use crate::log::segment::Home;
use crate::record::crc32c;
use crate::types::Offset;

use super::ProducerStates;
use super::entry::{ProducerState, RecentBatch};

const VERSION: i16 = 1;
const CRC_POSITION: usize = 2;
const CRC_START: usize = 6;
const HEADER_BYTES: usize = 10;
const ENTRY_BYTES: usize = 46;

/// The contents of a snapshot, with the producers in the order of their ids.
pub(super) fn encode(states: &ProducerStates) -> Vec<u8> {
    let mut producers: Vec<&ProducerState> = states.iter().collect();
    producers.sort_unstable_by_key(|producer| producer.producer_id);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + producers.len() * ENTRY_BYTES);
    bytes.extend(VERSION.to_be_bytes());
    bytes.extend([0; CRC_START - CRC_POSITION]);
    bytes.extend((producers.len() as i32).to_be_bytes());
    for producer in producers {
        let last = producer.last_batch();
        bytes.extend(producer.producer_id.to_be_bytes());
        bytes.extend(producer.producer_epoch.to_be_bytes());
        bytes.extend(producer.last_sequence().to_be_bytes());
        bytes.extend(last.map_or(-1, |batch| batch.last_offset).to_be_bytes());
        bytes.extend(last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
        bytes.extend(producer.last_timestamp.to_be_bytes());
        bytes.extend(producer.coordinator_epoch.to_be_bytes());
        bytes.extend(producer.transaction_start.unwrap_or(-1).to_be_bytes());
    }
    let crc = crc32c(&bytes[CRC_START..]);
    bytes[CRC_POSITION..CRC_START].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// Reads the contents of a snapshot; None if they are not whole.
pub(super) fn decode(bytes: &[u8]) -> Option<ProducerStates> {
    let header = bytes.first_chunk::<HEADER_BYTES>()?;
    let stored = u32::from_be_bytes(field(header, CRC_POSITION)?);
    if i16::from_be_bytes(field(header, 0)?) != VERSION || stored != crc32c(&bytes[CRC_START..]) {
        return None;
    }
    let count = usize::try_from(i32::from_be_bytes(field(header, CRC_START)?)).ok()?;
    let entries = &bytes[HEADER_BYTES..];
    if entries.len() != count.checked_mul(ENTRY_BYTES)? {
        return None;
    }
    entries.chunks_exact(ENTRY_BYTES).map(decode_entry).collect::<Option<Vec<_>>>().map(ProducerStates::new)
}

fn decode_entry(entry: &[u8]) -> Option<ProducerState> {
    let mut producer = ProducerState::new(i64::from_be_bytes(field(entry, 0)?));
    producer.producer_epoch = i16::from_be_bytes(field(entry, 8)?);
    producer.last_timestamp = i64::from_be_bytes(field(entry, 26)?);
    producer.coordinator_epoch = i32::from_be_bytes(field(entry, 34)?);
    producer.transaction_start = Some(i64::from_be_bytes(field(entry, 38)?)).filter(|start| *start >= 0);
    let last = RecentBatch {
        last_sequence: i32::from_be_bytes(field(entry, 10)?),
        last_offset: i64::from_be_bytes(field(entry, 14)?),
        offset_delta: i32::from_be_bytes(field(entry, 22)?),
        timestamp: producer.last_timestamp,
    };
    if last.last_offset >= 0 {
        producer.add(last);
    }
    Some(producer)
}

fn field<const SIZE: usize>(bytes: &[u8], at: usize) -> Option<[u8; SIZE]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Reads the snapshot at `offset`; None if it is damaged.
pub(in crate::log) fn read(home: &Home, offset: Offset) -> io::Result<Option<ProducerStates>> {
    home.storage.read(&home.path(offset, SNAPSHOT)).map(|bytes| decode(&bytes))
}

/// Whether the snapshot at `path` is whole.
pub(in crate::log) fn is_whole(storage: &dyn Storage, path: &std::path::Path) -> io::Result<bool> {
    storage.read(path).map(|bytes| decode(&bytes).is_some())
}

impl ProducerStates {
    /// Whether a log that ends at `end` needs a snapshot there, so that an open need not replay what it has. One that
    /// never had a producer needs none.
    pub(in crate::log) fn needs_snapshot(&self, end: Offset) -> bool {
        self.last_snapshot != Some(end) && (self.last_snapshot.is_some() || !self.is_empty())
    }

    /// Writes the snapshot at `offset`. Durable once the file and the directory are synced; one that a crash tears is
    /// told by its CRC.
    pub(in crate::log) fn write_snapshot(&mut self, home: &Home, offset: Offset) -> io::Result<()> {
        let bytes = encode(self);
        let mut file = home.storage.open_append(&home.path(offset, SNAPSHOT), 0, bytes.len() as u64)?;
        file.append(&[&bytes])?;
        file.seal()?;
        self.last_snapshot = Some(offset);
        Ok(())
    }
}

/// Removes all snapshots of a partition: what they know of is gone. Durable after a sync of the directory.
pub(in crate::log) fn remove_all(home: &Home) -> Result<()> {
    let entries = home.storage.list(&home.dir).map_err(|error| Error::io("list", &home.dir, error))?;
    for entry in entries.iter().filter(|entry| parse_base_offset(&entry.name, SNAPSHOT).is_some()) {
        let path = home.dir.join(&entry.name);
        home.storage.remove_file(&path).map_err(|error| Error::io("remove", path, error))?;
    }
    Ok(())
}

/// Syncs a snapshot, if there is one at `path`. Looked at first, for to see that there is none takes no file: whoever
/// lets go of files may be able to open none.
pub(in crate::log) fn sync(storage: &dyn Storage, path: &std::path::Path) -> io::Result<()> {
    match storage.len(path).and_then(|_| storage.open(path)) {
        Ok(file) => file.sync(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kafka's, with a producer whose transaction was aborted, an idempotent one, and one with an open transaction.
    const KAFKAS: &str = "00015a7a78c200000003\
        0000000000000fa0000000000000000000000000000200000000\
        0000018bcfe5681e00000007ffffffffffffffff\
        0000000000000fa100010000000b000000000000000600000001\
        0000018bcfe56829ffffffffffffffffffffffff\
        0000000000000fa2000300000000000000000000000700000000\
        0000018bcfe56832ffffffff0000000000000007";

    fn kafkas() -> Vec<u8> {
        let digits = KAFKAS.as_bytes().chunks_exact(2);
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn kafkas_bytes_are_read_and_written_back() {
        let states = decode(&kafkas()).unwrap();
        assert_eq!(states.first_unstable_offset(), Some(7));
        assert_eq!(states.iter().map(ProducerState::last_sequence).collect::<Vec<_>>(), [0, 11, 0]);
        assert_eq!(encode(&states), kafkas());
    }

    #[test]
    fn a_producer_without_a_batch_has_none_after_reading() {
        let states = ProducerStates::new(vec![ProducerState::new(7)]);
        let read = decode(&encode(&states)).unwrap();
        assert_eq!(read.iter().next().unwrap().last_batch(), None);
        assert_eq!(encode(&ProducerStates::default()).len(), HEADER_BYTES);
    }

    #[test]
    fn no_damage_goes_unnoticed() {
        let whole = kafkas();
        for len in 0..whole.len() {
            assert!(decode(&whole[..len]).is_none(), "the first {len} bytes");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            assert!(decode(&damaged).is_none(), "byte {at}");
        }
        assert!(decode(&[whole, vec![0]].concat()).is_none());
    }
}

//! The last offset of each key in the part of a log that a pass is to compact, in memory of a fixed size.
//!
//! ```text
//!   slot   digest of the key 16 | offset + 1  8        0: the slot is free
//! ```
//!
//! Kafka's map has the same shape, but digests keys with MD5, for which anybody can make two keys with one digest: an
//! older record of one key then goes for a newer one of the other. Here the digest is keyed: two SipHashes of 64 bits
//! with keys drawn for each pass, which nobody outside can know, so only chance can bring two keys together. With five
//! million keys, which is what 128 MiB hold, the odds are below one in 10²⁵.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use crate::types::Offset;

/// The size of a slot in bytes.
const SLOT_BYTES: usize = size_of::<Slot>();
/// How full the map may get, in tenths: Kafka's `log.cleaner.io.buffer.load.factor`. Beyond it probing takes too long.
const LOAD_TENTHS_MAX: usize = 9;
/// A map that held nothing would never get anywhere.
const SLOTS_MIN: usize = 16;

type Slot = [u64; 3];

/// From keys to offsets. Nothing is ever taken out.
#[derive(Debug)]
pub(super) struct OffsetMap {
    /// Zeroed by the system when it is first touched: a map takes the memory that it uses.
    slots: Vec<Slot>,
    len: usize,
    hashers: [RandomState; 2],
}

impl OffsetMap {
    /// Room for `keys` different keys, or for as many as fit into `limit_bytes`.
    pub(super) fn new(keys: u64, limit_bytes: usize) -> Self {
        let wanted = usize::try_from(keys).unwrap_or(usize::MAX).saturating_mul(10) / LOAD_TENTHS_MAX + 1;
        let slots = wanted.min(limit_bytes / SLOT_BYTES).max(SLOTS_MIN);
        Self { slots: vec![[0; 3]; slots], len: 0, hashers: [RandomState::new(), RandomState::new()] }
    }

    /// Notes that the last record of `key` so far is at `offset`. False if there is no room, and nothing is noted.
    pub(super) fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        let digest = self.digest(key);
        let index = self.find(digest);
        let Some(slot) = self.slots.get_mut(index) else { return false };
        if slot[2] == 0 {
            if self.len >= self.slots.len() * LOAD_TENTHS_MAX / 10 {
                return false;
            }
            self.len += 1;
        }
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = [digest[0], digest[1], offset as u64 + 1];
        }
        true
    }

    /// The offset of the last record of `key`, if there is one.
    pub(super) fn get(&self, key: &[u8]) -> Option<Offset> {
        let slot = self.slots.get(self.find(self.digest(key)))?;
        slot[2].checked_sub(1).map(|offset| offset as Offset)
    }

    fn digest(&self, key: &[u8]) -> [u64; 2] {
        self.hashers.each_ref().map(|state| {
            let mut hasher = state.build_hasher();
            hasher.write(key);
            hasher.finish()
        })
    }

    /// The slot that has the digest, or the free one where it would go. There always is a free one.
    fn find(&self, digest: [u64; 2]) -> usize {
        let count = self.slots.len();
        // Where in the table the digest is, as a number between 0 and 1.
        let mut index = ((u128::from(digest[0]) * count as u128) >> 64) as usize;
        while let Some(slot) = self.slots.get(index) {
            if slot[2] == 0 || (slot[0] == digest[0] && slot[1] == digest[1]) {
                break;
            }
            index = if index + 1 == count { 0 } else { index + 1 };
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_offset_of_each_key_is_found() {
        let mut map = OffsetMap::new(1001, usize::MAX);
        for offset in 0..3000 {
            assert!(map.put(format!("key {}", offset % 1000).as_bytes(), offset));
        }
        for key in 0..1000 {
            assert_eq!(map.get(format!("key {key}").as_bytes()), Some(2000 + key));
        }
        assert_eq!((map.get(b""), map.get(b"key 1000")), (None, None));
        assert!(map.put(b"", 0));
        assert_eq!(map.get(b""), Some(0));
    }

    #[test]
    fn a_full_map_refuses_new_keys_and_keeps_what_it_has() {
        let mut map = OffsetMap::new(u64::MAX, 100 * SLOT_BYTES);
        let put = (0..100).take_while(|key: &i64| map.put(&key.to_be_bytes(), *key)).count();
        assert_eq!(put, 90);
        assert!((0..90_i64).all(|key| map.get(&key.to_be_bytes()) == Some(key)));
        assert!(map.put(&0_i64.to_be_bytes(), 500), "a key that is there takes no room");
        assert_eq!(map.get(&0_i64.to_be_bytes()), Some(500));
    }

    #[test]
    fn memory_is_bounded_by_need_and_by_the_limit() {
        assert_eq!(OffsetMap::new(u64::MAX, 24 << 10).slots.len(), 1 << 10);
        assert!(OffsetMap::new(90, usize::MAX).slots.len() <= 101);
        assert!(OffsetMap::new(0, 0).put(b"key", 1), "one key always fits");
    }
}

//! Which partition a record goes to, so that a key has the same partition whoever writes it.

use std::hash::{BuildHasher, Hasher, RandomState};

use parking_lot::Mutex;

/// Who picks the partition of a record that names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Partitioner {
    /// As Kafka's Java client: murmur2 over the key (an empty one is a key); records without one stay with a random
    /// partition until `batch.size` bytes have gone there (KIP-480, KIP-794).
    #[default]
    Default,
    /// As librdkafka's default, `consistent_random`: CRC-32 over the key; records with an empty key count as without.
    ConsistentRandom,
}

impl Partitioner {
    /// The partition of a record with this key among so many; None if any will do.
    ///
    /// ```
    /// use esker::Partitioner;
    ///
    /// assert_eq!(Partitioner::Default.partition_for_key(Some(b"k1"), 10), Some(7));
    /// assert_eq!(Partitioner::Default.partition_for_key(None, 10), None);
    /// ```
    pub fn partition_for_key(self, key: Option<&[u8]>, partitions: i32) -> Option<i32> {
        let count = partitions.unsigned_abs().max(1);
        match self {
            Self::Default => key.map(|key| ((murmur2(key) & 0x7fff_ffff) % count) as i32),
            Self::ConsistentRandom => {
                key.filter(|key| !key.is_empty()).map(|key| (crc32fast::hash(key) % count) as i32)
            }
        }
    }
}

/// The 32-bit murmur2 hash with the seed of Kafka's Java client.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ bytes.len() as u32;
    let mut groups = bytes.chunks_exact(4);
    for group in &mut groups {
        let mut k = u32::from_le_bytes(group.try_into().expect("groups of four")).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let tail = groups.remainder();
    if !tail.is_empty() {
        let tail = tail.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition that records without a key stay with for a while.
#[derive(Debug)]
pub(super) struct Sticky {
    state: Mutex<StickyState>,
}

#[derive(Debug)]
struct StickyState {
    partition: i32,
    /// How much has gone there since it was chosen.
    bytes: usize,
    random: u64,
}

impl Sticky {
    pub(super) fn new(partitions: i32) -> Self {
        let random = RandomState::new().build_hasher().finish() | 1;
        let partition = (random >> 32) as u32 % partitions.unsigned_abs();
        Self { state: Mutex::new(StickyState { partition: partition as i32, bytes: 0, random }) }
    }

    /// The partition for a record of `bytes` bytes. Another one is chosen once `batch_size` bytes went to this one.
    pub(super) fn partition_for(&self, bytes: usize, batch_size: usize, partitions: i32) -> i32 {
        let mut state = self.state.lock();
        if state.bytes >= batch_size {
            // xorshift64: any partition may follow, the same one too.
            state.random ^= state.random << 13;
            state.random ^= state.random >> 7;
            state.random ^= state.random << 17;
            state.partition = ((state.random >> 32) as u32 % partitions.unsigned_abs()) as i32;
            state.bytes = 0;
        }
        state.bytes += bytes;
        state.partition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_is_javas() {
        for (key, hash) in [
            ("", 0x106e_08d9),
            ("k1", 0x6460_7d29),
            ("21", 0xc5f2_f8ec),
            ("kafka", 0xd067_cf64),
            ("foobar", 0xd0e4_7bbe),
            ("abc", 0x1c94_221b),
            ("abcd", 0xb11a_b5f4),
            ("giberish123456789", 0x8f55_2b0c),
        ] {
            assert_eq!(murmur2(key.as_bytes()), hash, "{key:?}");
        }
    }

    #[test]
    fn keys_go_where_other_clients_put_them() {
        let java = |key: &str| Partitioner::Default.partition_for_key(Some(key.as_bytes()), 10);
        assert_eq!([java(""), java("k1"), java("21"), java("foobar")], [Some(1), Some(7), Some(0), Some(6)]);
        let rdkafka = |key: &str| Partitioner::ConsistentRandom.partition_for_key(Some(key.as_bytes()), 10);
        assert_eq!(rdkafka("123456789"), Some((0xcbf4_3926_u32 % 10) as i32), "the check value of CRC-32");
        assert_eq!(rdkafka(""), None);
        assert_eq!(Partitioner::Default.partition_for_key(None, 10), None);
    }

    #[test]
    fn records_without_a_key_stay_until_a_batch_is_full_and_reach_all_partitions() {
        let sticky = Sticky::new(4);
        let mut seen = [false; 4];
        for _ in 0..200 {
            let first = sticky.partition_for(60, 100, 4);
            assert_eq!(sticky.partition_for(60, 100, 4), first, "100 bytes are not reached before");
            seen[first as usize] = true;
        }
        assert_eq!(seen, [true; 4]);
    }
}

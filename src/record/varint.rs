//! Zig-zag variable-length integers, as records use them: 7 bits a byte, low group first, high bit = more follows.
//!
//! Readers advance the slice and answer `None` on bad input; [`damage`] then says what was wrong with it. That keeps
//! the answer in registers, which is what decoding speed hangs on. Like Kafka's, they accept a value written with
//! more bytes than it needs; unlike Kafka's, they refuse bits that the type can't hold instead of dropping them.

use crate::error::Corruption;

/// The most bytes that a varint has.
pub(crate) const VARINT_BYTES_MAX: usize = 5;
/// The most bytes that a varlong has.
pub(crate) const VARLONG_BYTES_MAX: usize = 10;

/// Reads an i32 and moves `input` past it.
#[inline(always)]
pub(crate) fn read_varint(input: &mut &[u8]) -> Option<i32> {
    // Lengths and deltas of one or two bytes are nearly all there is.
    let unsigned = match **input {
        [a, ref rest @ ..] if a < 0x80 => {
            *input = rest;
            u32::from(a)
        }
        [a, b, ref rest @ ..] if b < 0x80 => {
            *input = rest;
            u32::from(a & 0x7f) | u32::from(b) << 7
        }
        _ => read_long(input, VARINT_BYTES_MAX, u32::MAX.into())? as u32,
    };
    Some((unsigned >> 1) as i32 ^ -((unsigned & 1) as i32))
}

/// Reads an i64 and moves `input` past it.
#[inline(always)]
pub(crate) fn read_varlong(input: &mut &[u8]) -> Option<i64> {
    let unsigned = match **input {
        [a, ref rest @ ..] if a < 0x80 => {
            *input = rest;
            u64::from(a)
        }
        [a, b, ref rest @ ..] if b < 0x80 => {
            *input = rest;
            u64::from(a & 0x7f) | u64::from(b) << 7
        }
        _ => read_long(input, VARLONG_BYTES_MAX, u64::MAX)?,
    };
    Some((unsigned >> 1) as i64 ^ -((unsigned & 1) as i64))
}

/// Any length up to `bytes_max`, any value up to `max`. Moves `input` only if there is one.
#[inline(never)]
fn read_long(input: &mut &[u8], bytes_max: usize, max: u64) -> Option<u64> {
    let mut value = 0u64;
    for (index, byte) in input.iter().take(bytes_max).enumerate() {
        let group = u64::from(byte & 0x7f);
        // Only the tenth group, at bit 63, can have bits that do not fit.
        if index == VARLONG_BYTES_MAX - 1 && group > 1 {
            return None;
        }
        value |= group << (7 * index);
        if byte & 0x80 == 0 {
            if value > max {
                return None;
            }
            *input = input.get(index + 1..)?;
            return Some(value);
        }
    }
    None
}

/// Why no integer of at most `bytes_max` bytes could be read from `input`.
#[cold]
pub(crate) fn damage(input: &[u8], bytes_max: usize) -> Corruption {
    if input.len() < bytes_max && input.iter().all(|byte| byte & 0x80 != 0) {
        let available = input.len() as u64;
        Corruption::Truncated { needed: available + 1, available }
    } else {
        Corruption::Varint
    }
}

/// Appends integers to a buffer.
///
/// Appending byte by byte costs a capacity check each, and gathering bytes in memory costs a stall when they are
/// copied right away. So they gather in a register, which is appended whole; its surplus is cut off again.
pub(crate) struct VarintWriter<'v> {
    out: &'v mut Vec<u8>,
    pending: u64,
    pending_bytes: usize,
}

impl<'v> VarintWriter<'v> {
    /// How far beyond the last integer the buffer is written before it is cut.
    pub(crate) const SLACK_BYTES: usize = size_of::<u64>();

    #[inline(always)]
    pub(crate) fn new(out: &'v mut Vec<u8>) -> Self {
        Self { out, pending: 0, pending_bytes: 0 }
    }

    /// Adds an i32.
    #[inline(always)]
    pub(crate) fn put(&mut self, value: i32) {
        self.put_unsigned(u64::from(zigzag(value)));
    }

    /// Adds an i64.
    #[inline(always)]
    pub(crate) fn put_long(&mut self, value: i64) {
        self.put_unsigned(zigzag_long(value));
    }

    /// Adds one byte.
    #[inline(always)]
    pub(crate) fn put_byte(&mut self, byte: u8) {
        self.put_encoded(byte.into(), 1);
    }

    #[inline(always)]
    fn put_unsigned(&mut self, mut value: u64) {
        if value >= 0x4000 {
            while value >= 0x80 {
                self.put_encoded(value & 0x7f | 0x80, 1);
                value >>= 7;
            }
        }
        if value < 0x80 {
            self.put_encoded(value, 1);
        } else {
            self.put_encoded(value & 0x7f | 0x80 | (value >> 7) << 8, 2);
        }
    }

    #[inline(always)]
    fn put_encoded(&mut self, encoded: u64, size: usize) {
        if self.pending_bytes + size > Self::SLACK_BYTES {
            self.flush();
        }
        self.pending |= encoded << (8 * self.pending_bytes);
        self.pending_bytes += size;
    }

    #[inline(always)]
    fn flush(&mut self) {
        let end = self.out.len() + self.pending_bytes;
        self.out.extend_from_slice(&self.pending.to_le_bytes());
        self.out.truncate(end);
        self.pending = 0;
        self.pending_bytes = 0;
    }

    /// Appends what is pending.
    #[inline(always)]
    pub(crate) fn finish(mut self) {
        self.flush();
    }
}

/// How many bytes an i32 takes.
#[inline]
pub(crate) fn varint_len(value: i32) -> usize {
    unsigned_len(u64::from(zigzag(value)))
}

/// How many bytes an i64 takes.
#[inline]
pub(crate) fn varlong_len(value: i64) -> usize {
    unsigned_len(zigzag_long(value))
}

#[inline]
fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

#[inline]
fn zigzag_long(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// One byte for every 7 bits begun: `bits * 9 + 64 >> 6` is `bits / 7` rounded up, for 1 to 64 bits.
#[inline]
fn unsigned_len(value: u64) -> usize {
    ((u64::BITS - (value | 1).leading_zeros()) as usize * 9 + 64) / 64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every power of two, its neighbours, and the negatives of all these.
    fn interesting() -> impl Iterator<Item = i64> {
        (0..64).map(|bit| 1i64 << bit).flat_map(|n| [n.wrapping_sub(1), n, n.wrapping_add(1)]).flat_map(|n| [n, !n])
    }

    #[test]
    fn what_is_written_is_read_back_and_has_the_announced_length() {
        for value in interesting() {
            let mut bytes = Vec::new();
            let mut writer = VarintWriter::new(&mut bytes);
            writer.put_long(value);
            writer.finish();
            assert_eq!(bytes.len(), varlong_len(value), "{value}");
            assert!(bytes.len() <= VARLONG_BYTES_MAX);
            bytes.push(0x55);
            let mut input = &bytes[..];
            assert_eq!(read_varlong(&mut input), Some(value));
            assert_eq!(input, [0x55]);

            let value = value as i32;
            let mut bytes = Vec::new();
            let mut writer = VarintWriter::new(&mut bytes);
            writer.put(value);
            writer.finish();
            assert_eq!(bytes.len(), varint_len(value), "{value}");
            assert!(bytes.len() <= VARINT_BYTES_MAX);
            bytes.push(0x55);
            let mut input = &bytes[..];
            assert_eq!(read_varint(&mut input), Some(value));
            assert_eq!(input, [0x55]);
        }
    }

    #[test]
    fn known_encodings_hold() {
        for (value, bytes) in [
            (0, &[0][..]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (i32::MAX, &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i32::MIN, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut out = Vec::new();
            let mut writer = VarintWriter::new(&mut out);
            writer.put(value);
            writer.finish();
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn more_bytes_than_needed_are_accepted_as_kafka_does() {
        assert_eq!(read_varint(&mut &[0x82, 0x80, 0x80, 0x80, 0x00][..]), Some(1));
        assert_eq!(read_varlong(&mut &[0x82, 0x80, 0x00][..]), Some(1));
    }

    #[test]
    fn too_long_and_cut_off_integers_are_told_apart_and_not_consumed() {
        let long = [0x80; 11];
        let mut input = &long[..];
        assert_eq!(read_varint(&mut input), None);
        assert_eq!(read_varlong(&mut input), None);
        assert_eq!(input.len(), 11);
        assert_eq!(damage(&long, VARLONG_BYTES_MAX), Corruption::Varint);
        assert_eq!(damage(&long[..5], VARINT_BYTES_MAX), Corruption::Varint);
        assert_eq!(damage(&long[..4], VARINT_BYTES_MAX), Corruption::Truncated { needed: 5, available: 4 });
        assert_eq!(damage(&[], VARINT_BYTES_MAX), Corruption::Truncated { needed: 1, available: 0 });
    }

    #[test]
    fn bits_beyond_the_type_are_refused() {
        let mut input = &[0xff, 0xff, 0xff, 0xff, 0x1f][..];
        assert_eq!((read_varint(&mut input), input.len()), (None, 5));
        let mut bytes = [0xff; 10];
        bytes[9] = 3;
        let mut input = &bytes[..];
        assert_eq!((read_varlong(&mut input), input.len()), (None, 10));
        assert_eq!(damage(&bytes, VARLONG_BYTES_MAX), Corruption::Varint);
    }
}

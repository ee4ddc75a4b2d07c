//! Snappy blocks by `snap`, in the framing of `snappy-java` (once "xerial"), which is what Kafka's clients write:
//!
//! ```text
//! | 82 53 4e 41 50 50 59 00 | version 4 = 1 | least compatible version 4 = 1 | size 4 | block | size 4 | block …
//! ```
//!
//! Some clients write one bare block instead. A bare block can't start like the framing does: 82 53 would be a length
//! of 10626, and a block's first element is never a copy, which 4e is.

use std::io;

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::Failure;

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSION: i32 = 1;
const FRAMING_BYTES: usize = 16;

/// How much one chunk holds, as in `snappy-java`.
const CHUNK_BYTES: usize = 32 * 1024;

/// A block's elements yield at most 64 bytes from 3: more can't come out, whatever the block claims.
const EXPANSION_MAX: usize = 22;

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    let mut encoder = Encoder::new();
    for chunk in input.chunks(CHUNK_BYTES) {
        let start = out.len();
        out.resize(start + 4 + max_compress_len(chunk.len()), 0);
        let (_, room) = out.split_at_mut(start);
        let (size, block) = room.split_at_mut(4);
        let written = encoder.compress(chunk, block)?;
        size.copy_from_slice(&(written as u32).to_be_bytes());
        out.truncate(start + 4 + written);
    }
    Ok(())
}

pub(super) fn decompress(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    if !input.starts_with(&MAGIC) {
        return decompress_block(input, limit, out);
    }
    let mut rest = input;
    while !rest.is_empty() {
        if rest.starts_with(&MAGIC) {
            // Again before a chunk: another stream was appended.
            rest = skip_framing(rest)?;
            continue;
        }
        let (size, after) = rest.split_first_chunk().ok_or(Failure::Invalid)?;
        let size = u32::from_be_bytes(*size) as usize;
        let (block, after) = after.split_at_checked(size).ok_or(Failure::Invalid)?;
        decompress_block(block, limit, out)?;
        rest = after;
    }
    Ok(())
}

fn skip_framing(input: &[u8]) -> Result<&[u8], Failure> {
    let (framing, rest) = input.split_first_chunk::<FRAMING_BYTES>().ok_or(Failure::Invalid)?;
    let [.., a, b, c, d, _, _, _, _] = *framing;
    if i32::from_be_bytes([a, b, c, d]) < VERSION { Err(Failure::Invalid) } else { Ok(rest) }
}

fn decompress_block(block: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    let claimed = decompress_len(block).map_err(|_| Failure::Invalid)?;
    if claimed > block.len().saturating_mul(EXPANSION_MAX) {
        return Err(Failure::Invalid);
    }
    if claimed > limit - out.len() {
        return Err(Failure::OverLimit);
    }
    let start = out.len();
    out.resize(start + claimed, 0);
    let (_, room) = out.split_at_mut(start);
    let written = Decoder::new().decompress(block, room).map_err(|_| Failure::Invalid)?;
    if written == claimed { Ok(()) } else { Err(Failure::Invalid) }
}

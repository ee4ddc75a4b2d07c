//! zstd by `zstd`: one frame is written, several are read.

use std::io::{self, Write};

use ::zstd::stream::read::Decoder;
use ::zstd::stream::write::Encoder;

use super::{Failure, read_to_limit};

/// Kafka's default of `compression.zstd.level`.
const LEVEL_DEFAULT: i32 = 3;

pub(super) fn compress(level: Option<i32>, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = Encoder::new(out, level.unwrap_or(LEVEL_DEFAULT))?;
    // With the size in the frame, readers need a window of that size rather than the level's 2 MiB.
    encoder.set_pledged_src_size(Some(input.len() as u64))?;
    encoder.write_all(input)?;
    encoder.finish().map(drop)
}

pub(super) fn decompress(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    // The library refuses windows above 128 MiB, which is what the highest level writes, so that can't go lower. It
    // reserves the window that a frame claims, and touches as much of it as bytes come out.
    read_to_limit(Decoder::with_buffer(input)?, limit, out)
}

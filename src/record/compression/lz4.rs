//! lz4 by `lz4_flex`: one frame is written, several are read.

use std::io::{self, BufRead, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::Failure;

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// The bit of the frame's flags that says that blocks do not refer to each other.
const INDEPENDENT_BLOCKS: u8 = 0x20;

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let frame = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(frame, out);
    encoder.write_all(input)?;
    encoder.finish()?;
    Ok(())
}

pub(super) fn decompress(mut input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    loop {
        // Linked blocks could be read, but no Kafka client reads them: letting them in would poison the log for these.
        match input {
            [a, b, c, d, flags, ..] if [*a, *b, *c, *d] == MAGIC && flags & INDEPENDENT_BLOCKS != 0 => {}
            _ => return Err(Failure::Invalid),
        }
        input = decompress_frame(input, limit, out)?;
        if input.is_empty() {
            return Ok(());
        }
    }
}

/// Decompresses one frame and returns what follows it.
fn decompress_frame<'a>(input: &'a [u8], limit: usize, out: &mut Vec<u8>) -> Result<&'a [u8], Failure> {
    let mut frame = FrameDecoder::new(input);
    loop {
        let block = frame.fill_buf()?;
        if block.is_empty() {
            return Ok(frame.into_inner());
        }
        if block.len() > limit - out.len() {
            return Err(Failure::OverLimit);
        }
        out.extend_from_slice(block);
        let consumed = block.len();
        frame.consume(consumed);
    }
}

//! What goes over a connection: frames, each a size of four bytes and as many bytes.
//!
//! A frame is taken in two steps. First its size is looked at: one that is negative or above the limit ends the
//! connection before anything was read or allocated for it. Then, once all of it is there, it is cut off the buffer.

use bytes::{Bytes, BytesMut};

use super::codec::{Encoded, Encoder};
use super::protocol_error::ProtocolError;

/// The bytes before each frame, which say how long it is.
pub const SIZE_BYTES: usize = 4;

/// Kafka's default for `socket.request.max.bytes`: 100 MiB.
pub const SOCKET_REQUEST_MAX_BYTES: usize = 100 * 1024 * 1024;

/// How much room is made at once for what comes next: no more than that for a size on the wire.
const ROOM_BYTES_MIN: usize = 8 * 1024;
const ROOM_BYTES_MAX: usize = 256 * 1024;

/// The largest frame whose memory is used again for those behind it: what a connection keeps while it is idle counts
/// nowhere. Requests of clients at Kafka's default for `max.request.size`, 1 MiB, are below it.
const REUSED_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bytes as they come from a connection, to be taken from it frame by frame.
#[derive(Debug)]
pub struct FrameBuffer {
    bytes: BytesMut,
    max: usize,
}

impl FrameBuffer {
    /// An empty one that takes frames of up to `max` bytes (`socket.request.max.bytes`).
    pub fn new(max: usize) -> Self {
        Self { bytes: BytesMut::new(), max }
    }

    /// Takes frames of up to `max` bytes from now on, and tells how large they could be before.
    #[cfg(feature = "sasl")]
    pub(crate) fn limit(&mut self, max: usize) -> usize {
        std::mem::replace(&mut self.max, max)
    }

    /// Leaves the memory of frames that were taken to those who have taken them, where it would be used again.
    pub(crate) fn let_go_of_taken(&mut self) {
        self.bytes = BytesMut::from(&self.bytes[..]);
    }

    /// Adds what has come.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The buffer with room for more: what is missing of the next frame, within limits.
    pub(crate) fn with_room(&mut self) -> &mut BytesMut {
        let whole = self.next_size().ok().flatten().map_or(0, |size| SIZE_BYTES + size);
        let missing = whole.saturating_sub(self.bytes.len());
        self.bytes.reserve(missing.clamp(ROOM_BYTES_MIN, ROOM_BYTES_MAX));
        &mut self.bytes
    }

    /// Whether nothing is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes are there.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes the next frame has, once its size field is there.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::FrameSize`] if that is out of range.
    pub(crate) fn next_size(&self) -> Result<Option<usize>, ProtocolError> {
        let Some(size) = self.bytes.first_chunk::<SIZE_BYTES>() else { return Ok(None) };
        let size = i32::from_be_bytes(*size);
        match usize::try_from(size) {
            Ok(size) if size <= self.max => Ok(Some(size)),
            _ => Err(ProtocolError::FrameSize { size, max: self.max }),
        }
    }

    /// Takes the next frame, without its size field, if all of it is there. It shares the buffer's memory.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::FrameSize`] as soon as the size field is there, if its value is out of range. There is no way
    /// to go on: where the next frame begins is unknown.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, ProtocolError> {
        let Some(size) = self.next_size()? else { return Ok(None) };
        if self.bytes.len() - SIZE_BYTES < size {
            return Ok(None);
        }
        let mut frame = self.bytes.split_to(SIZE_BYTES + size);
        if size > REUSED_BYTES_MAX {
            self.let_go_of_taken();
        }
        Ok(Some(frame.split_off(SIZE_BYTES).freeze()))
    }
}

/// Encodes a frame: room for its size, then what `encode` writes.
pub(super) fn frame(encode: impl FnOnce(&mut Encoder) -> Result<(), ProtocolError>) -> Result<Encoded, ProtocolError> {
    let mut frame = Encoder::new(0, false);
    frame.put(&[0; SIZE_BYTES]);
    encode(&mut frame)?;
    let size = frame.len() - SIZE_BYTES;
    let size = i32::try_from(size).map_err(|_| ProtocolError::FrameSize { size: i32::MAX, max: i32::MAX as usize })?;
    frame.set_first(size);
    Ok(frame.finish())
}

/// A frame of bytes that are no message.
#[cfg(feature = "sasl")]
pub(crate) fn bare_frame(bytes: &[u8]) -> Result<Encoded, ProtocolError> {
    frame(|to| {
        to.put(bytes);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_the_bytes_come_in() {
        let sent = b"\0\0\0\x03abc\0\0\0\0\0\0\0\x01d";
        let mut buffer = FrameBuffer::new(3);
        let mut received = Vec::new();
        for byte in sent {
            buffer.extend(&[*byte]);
            received.extend(buffer.next_frame().unwrap());
        }
        assert_eq!(received, ["abc", "", "d"]);
        buffer.extend(sent);
        let all: Vec<_> = std::iter::from_fn(|| buffer.next_frame().unwrap()).collect();
        assert_eq!(all, received);
    }

    #[test]
    fn the_memory_of_a_large_frame_goes_with_it() {
        let mut buffer = FrameBuffer::new(usize::MAX);
        for size in [REUSED_BYTES_MAX, REUSED_BYTES_MAX + 1] {
            buffer.extend(&(size as i32).to_be_bytes());
            buffer.extend(&vec![1; size]);
            buffer.extend(&[0; 3]);
            assert_eq!(buffer.next_frame().unwrap().unwrap(), vec![1; size]);
            let is_reused = buffer.with_room().capacity() >= size;
            assert_eq!(is_reused, size == REUSED_BYTES_MAX);
            buffer.extend(&[0]);
            assert_eq!(buffer.next_frame().unwrap().unwrap(), "");
        }
    }

    #[test]
    fn a_size_out_of_range_is_refused_before_the_frame_is_there() {
        for size in [-1, i32::MIN, 4, i32::MAX] {
            let mut buffer = FrameBuffer::new(3);
            buffer.extend(&size.to_be_bytes()[..3]);
            assert_eq!(buffer.next_frame(), Ok(None));
            buffer.extend(&size.to_be_bytes()[3..]);
            assert_eq!(buffer.next_frame(), Err(ProtocolError::FrameSize { size, max: 3 }));
        }
    }
}

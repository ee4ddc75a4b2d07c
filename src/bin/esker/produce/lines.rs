//! Cuts chunks of bytes into lines, without copying those that lie in one chunk.

use std::io::BufRead;

use bytes::{Buf, Bytes, BytesMut};

/// The longest line that is taken, so that input without newlines can't fill the memory.
pub(crate) const LINE_BYTES_MAX: usize = 64 << 20;

/// A line is longer than [`LINE_BYTES_MAX`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Lines from chunks. Only a newline ends a line, and only it is left out.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    chunk: Bytes,
    /// The start of a line that goes on in the next chunk.
    begun: BytesMut,
}

impl Lines {
    /// Goes on with the next chunk, after [`next`](Self::next) had no more lines from the last one.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the last chunk was used up");
        self.chunk = chunk;
    }

    /// The next whole line; None if it takes another chunk.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, TooLong> {
        let len = (&self.chunk[..]).skip_until(b'\n').expect("bytes in memory can be read");
        let has_ended = self.chunk[..len].last() == Some(&b'\n');
        if self.begun.len() + len > LINE_BYTES_MAX {
            return Err(TooLong);
        }
        if !has_ended {
            self.begun.extend_from_slice(&self.chunk.split_to(len));
            return Ok(None);
        }
        let rest = self.chunk.split_to(len - 1);
        self.chunk.advance(1);
        if self.begun.is_empty() {
            return Ok(Some(rest));
        }
        self.begun.extend_from_slice(&rest);
        Ok(Some(std::mem::take(&mut self.begun).freeze()))
    }

    /// What came after the last newline, if anything did. To be asked once no chunk follows.
    pub(crate) fn finish(&mut self) -> Option<Bytes> {
        let last = std::mem::take(&mut self.begun).freeze();
        (!last.is_empty()).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of `input` when it comes in chunks of `size` bytes.
    fn lines(input: &[u8], size: usize) -> Vec<Vec<u8>> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for chunk in input.chunks(size) {
            lines.push(Bytes::copy_from_slice(chunk));
            while let Some(line) = lines.next().unwrap() {
                found.push(line.to_vec());
            }
        }
        found.extend(lines.finish().map(|line| line.to_vec()));
        found
    }

    #[test]
    fn chunks_of_any_size_give_the_same_lines() {
        let input = b"a\n\nbcd\r\n\0\xff\n\n\nlast";
        let expected: [&[u8]; 7] = [b"a", b"", b"bcd\r", b"\0\xff", b"", b"", b"last"];
        for size in 1..=input.len() {
            assert_eq!(lines(input, size), expected, "chunks of {size}");
        }
    }

    #[test]
    fn a_newline_at_the_end_begins_no_line() {
        assert_eq!(lines(b"", 1), [[0; 0]; 0]);
        assert_eq!(lines(b"\n", 1), [[0; 0]]);
        assert_eq!(lines(b"a\n", 2), [b"a"]);
    }

    #[test]
    fn a_line_that_does_not_end_is_refused() {
        let mut lines = Lines::default();
        let chunk = Bytes::from(vec![b'x'; LINE_BYTES_MAX / 2]);
        lines.push(chunk.clone());
        assert_eq!(lines.next(), Ok(None));
        lines.push(chunk);
        assert_eq!(lines.next(), Ok(None));
        lines.push(Bytes::from_static(b"x"));
        assert_eq!(lines.next(), Err(TooLong));
    }
}

//! The bytes of one file in memory: appended to in chunks that never move, so that a view is a slice of them.
//!
//! ```text
//!   pieces (frozen, shared with views)          tail (being filled)      reserved
//!   ├──────────────┼─────┼──────────────────┼────────────────┄┄┄┄┄┄┄┄┤┄┄┄┄┄┄┄┄┄┄┄┄┄┄┤
//!   0                                       tail_start     len()                  size()
//! ```
//!
//! One append always lies in one piece, so a view of a batch is never a copy; a view across pieces is one. A view that
//! reaches into the tail freezes what is there, and appending goes on in the rest of the same chunk.

use std::io;

use bytes::{Bytes, BytesMut};

/// The first chunk of a file: checkpoints and markers stay small.
const CHUNK_BYTES_MIN: u64 = 1 << 10;
/// What chunks grow to as the file does, so that a long file has few seams.
const CHUNK_BYTES_MAX: u64 = 1 << 20;

/// See the module's description.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pieces: Vec<Piece>,
    tail: BytesMut,
    tail_start: u64,
    /// Where the reservation ends; means nothing below `len()`.
    reserved_end: u64,
}

#[derive(Clone, Debug)]
struct Piece {
    start: u64,
    bytes: Bytes,
}

impl Piece {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl Contents {
    /// How many bytes have been appended.
    pub(crate) fn len(&self) -> u64 {
        self.tail_start + self.tail.len() as u64
    }

    /// The file's length as its directory shows it: what is reserved behind the end is part of it and reads as zeros.
    pub(crate) fn size(&self) -> u64 {
        self.len().max(self.reserved_end)
    }

    /// Makes room for `additional` bytes behind the end part of the file.
    pub(crate) fn reserve(&mut self, additional: u64) {
        self.reserved_end = self.reserved_end.max(self.len() + additional);
    }

    /// Gives back what is reserved behind the end.
    pub(crate) fn release(&mut self) {
        self.reserved_end = 0;
    }

    /// Appends the parts one after another, in one piece.
    pub(crate) fn append(&mut self, parts: &[&[u8]]) {
        let size = parts.iter().map(|part| part.len()).sum();
        if self.tail.capacity() - self.tail.len() < size {
            self.freeze();
            let chunk = self.len().clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX) as usize;
            self.tail = BytesMut::with_capacity(chunk.max(size));
        }
        for part in parts {
            self.tail.extend_from_slice(part);
        }
    }

    /// Makes the file `len` bytes long, with nothing reserved: cuts it, or turns reserved space into zeros.
    /// Views of what is cut off stay as they are.
    pub(crate) fn set_len(&mut self, len: u64) {
        self.release();
        if len > self.len() {
            let zeros = vec![0; (len - self.len()) as usize];
            return self.append(&[&zeros]);
        }
        if len >= self.tail_start {
            return self.tail.truncate((len - self.tail_start) as usize);
        }
        self.pieces.truncate(self.pieces.partition_point(|piece| piece.start < len));
        if let Some(last) = self.pieces.last_mut() {
            last.bytes.truncate((len - last.start) as usize);
        }
        self.tail = BytesMut::new();
        self.tail_start = len;
    }

    /// Fills `buffer` from `position`; behind the end there are zeros.
    pub(crate) fn copy_to(&self, position: u64, buffer: &mut [u8]) {
        let end = position + buffer.len() as u64;
        let first = self.pieces.partition_point(|piece| piece.end() <= position);
        for piece in self.pieces[first..].iter().take_while(|piece| piece.start < end) {
            copy_overlap(piece.start, &piece.bytes, position, buffer);
        }
        copy_overlap(self.tail_start, &self.tail, position, buffer);
        let filled = self.len().saturating_sub(position).min(buffer.len() as u64) as usize;
        buffer[filled..].fill(0);
    }

    /// The bytes `position .. position + len`, as a slice where they lie in one piece. `None` if part of them is in the
    /// tail: [`freeze`](Self::freeze) first.
    pub(crate) fn view(&self, position: u64, len: usize) -> Option<Bytes> {
        let end = position + len as u64;
        if end > self.tail_start && end <= self.len() && len > 0 {
            return None;
        }
        let index = self.pieces.partition_point(|piece| piece.end() <= position);
        if let Some(piece) = self.pieces.get(index)
            && end <= piece.end()
        {
            let from = (position - piece.start) as usize;
            return Some(piece.bytes.slice(from..from + len));
        }
        let mut copy = vec![0; len];
        self.copy_to(position, &mut copy);
        Some(copy.into())
    }

    /// Makes what is in the tail a piece of its own.
    pub(crate) fn freeze(&mut self) {
        if !self.tail.is_empty() {
            let start = self.tail_start;
            self.tail_start = self.len();
            self.pieces.push(Piece { start, bytes: self.tail.split().freeze() });
        }
    }

    /// All of the file, with what is reserved.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut all = vec![0; self.size() as usize];
        self.copy_to(0, &mut all);
        all
    }
}

impl From<Vec<u8>> for Contents {
    fn from(bytes: Vec<u8>) -> Self {
        let tail_start = bytes.len() as u64;
        let pieces = if bytes.is_empty() { Vec::new() } else { vec![Piece { start: 0, bytes: bytes.into() }] };
        Self { pieces, tail_start, ..Self::default() }
    }
}

/// Copies what `source`, which begins at `start` of the file, has of the range that `buffer` at `position` stands for.
fn copy_overlap(start: u64, source: &[u8], position: u64, buffer: &mut [u8]) {
    let from = start.max(position);
    let to = (start + source.len() as u64).min(position + buffer.len() as u64);
    if from < to {
        buffer[(from - position) as usize..(to - position) as usize]
            .copy_from_slice(&source[(from - start) as usize..(to - start) as usize]);
    }
}

/// Refuses a read that goes past `end`.
pub(crate) fn check_range(position: u64, len: usize, end: u64) -> io::Result<()> {
    match position.checked_add(len as u64) {
        Some(read_end) if read_end <= end => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{len} bytes at position {position} of a file of {end} bytes"),
        )),
    }
}

/// Refuses an append or a reservation that would take a file of `len` bytes past the `capacity` it was opened with.
pub(crate) fn check_capacity(len: u64, additional: u64, capacity: u64) -> io::Result<()> {
    match len.checked_add(additional) {
        Some(end) if end <= capacity => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("{additional} bytes after {len} exceed the file's capacity of {capacity}"),
        )),
    }
}

/// Refuses to open a file of `size` bytes for appending after its first `len` if it has fewer.
pub(crate) fn check_append_position(len: u64, size: u64) -> io::Result<()> {
    if len <= size {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("position {len} is beyond the file's {size} bytes")))
}

/// What a writer is told after somebody else opened its file for appending, or cut it.
pub(crate) fn replaced_writer() -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, "the file has been opened for appending by another writer")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use super::*;

    fn filled(appends: usize) -> (Contents, Vec<u8>) {
        let (mut contents, mut model) = (Contents::default(), Vec::new());
        for i in 0..appends {
            let part = vec![i as u8; 1 + i * 7 % 301];
            contents.append(&[&part, b"|"]);
            model.extend_from_slice(&part);
            model.push(b'|');
            if i % 13 == 0 {
                contents.freeze();
            }
        }
        (contents, model)
    }

    #[test]
    fn every_range_reads_as_it_was_appended() {
        let (mut contents, model) = filled(60);
        assert_eq!(contents.len(), model.len() as u64);
        contents.reserve(100);
        for position in (0..model.len()).step_by(97) {
            for len in [0, 1, 300, 2000] {
                let end = (position + len).min(model.len());
                let mut buffer = vec![9; end - position];
                contents.copy_to(position as u64, &mut buffer);
                assert_eq!(buffer, model[position..end]);
                contents.freeze();
                let view = contents.view(position as u64, end - position).unwrap();
                assert_eq!(view, model[position..end]);
            }
        }
        assert_eq!(contents.to_vec(), [model, vec![0; 100]].concat());
    }

    #[test]
    fn a_view_of_one_append_is_a_slice_of_the_file_and_appending_goes_on_behind_it() {
        let mut contents = Contents::default();
        contents.append(&[b"one"]);
        assert_eq!(contents.view(0, 3), None, "still in the tail");
        contents.freeze();
        let view = contents.view(0, 3).unwrap();
        contents.append(&[b"two"]);
        contents.freeze();
        assert_eq!(view.as_ptr(), contents.view(0, 3).unwrap().as_ptr());
        assert_eq!(contents.view(3, 3).unwrap().as_ptr(), view.as_ptr().wrapping_add(3), "in the same chunk");
        assert_eq!(contents.view(1, 4).unwrap(), &b"netw"[..]);
    }

    #[test]
    fn cutting_leaves_views_alone_and_appends_go_to_the_new_end() {
        let (contents, model) = filled(40);
        for len in (0..model.len()).step_by(61) {
            let mut cut = contents.clone();
            cut.freeze();
            let view = cut.view(0, model.len()).unwrap();
            cut.set_len(len as u64);
            cut.append(&[b"new"]);
            assert_eq!(cut.to_vec(), [&model[..len], b"new"].concat());
            assert_eq!(view, model);
        }
    }

    #[test]
    fn reserved_space_reads_as_zeros_until_it_is_released() {
        let mut contents = Contents::from(b"abc".to_vec());
        contents.reserve(5);
        assert_eq!((contents.len(), contents.size()), (3, 8));
        assert_eq!(contents.view(2, 4).unwrap(), &b"c\0\0\0"[..]);
        contents.append(&[b"def"]);
        assert_eq!((contents.len(), contents.size()), (6, 8));
        contents.release();
        assert_eq!(contents.size(), 6);
        contents.reserve(2);
        contents.set_len(8);
        assert_eq!(contents.to_vec(), b"abcdef\0\0");
        assert_eq!(contents.len(), 8);
    }
}

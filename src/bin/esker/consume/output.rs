//! Records on stdout, and how many of them whoever reads it really got.

use std::fs::File;
use std::io::{self, Write};

use super::format::Format;
use crate::source::ReadRecord;

/// How much is written in one go.
const BUFFER_BYTES: usize = 256 << 10;
/// Stdout without the buffer of the standard library, which would hide how much of it was written when a write fails.
#[derive(Debug)]
pub(super) struct Output<'a> {
    file: File,
    format: Format<'a>,
    buffer: Vec<u8>,
    /// Where in the buffer each record ends.
    ends: Vec<usize>,
}

impl<'a> Output<'a> {
    pub(super) fn new(format: Format<'a>) -> io::Result<Self> {
        Ok(Self { file: stdout()?, format, buffer: Vec::new(), ends: Vec::new() })
    }

    /// Writes these records, and tells how many were written whole: all of them unless there is an error.
    pub(super) fn write(&mut self, records: &[ReadRecord]) -> (usize, io::Result<()>) {
        let mut written = 0;
        for record in records {
            self.format.push(record, &mut self.buffer);
            self.ends.push(self.buffer.len());
            if self.buffer.len() >= BUFFER_BYTES {
                let (count, result) = self.flush();
                written += count;
                if result.is_err() {
                    return (written, result);
                }
            }
        }
        let (count, result) = self.flush();
        (written + count, result)
    }

    /// Writes the buffer, and tells how many whole records that were.
    fn flush(&mut self) -> (usize, io::Result<()>) {
        let mut len = 0;
        let mut result = Ok(());
        while result.is_ok() && len < self.buffer.len() {
            match self.file.write(&self.buffer[len..]) {
                Ok(0) => result = Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => len += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => result = Err(error),
            }
        }
        let count = self.ends.partition_point(|end| *end <= len);
        self.buffer.clear();
        self.ends.clear();
        (count, result)
    }
}

#[cfg(unix)]
fn stdout() -> io::Result<File> {
    use std::os::fd::AsFd;
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn stdout() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    io::stdout().as_handle().try_clone_to_owned().map(File::from)
}

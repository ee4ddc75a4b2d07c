//! Records as lines on stdout, and how many of them whoever reads it really got.

use std::fs::File;
use std::io::{self, Write};

use esker::ConsumerRecord;

/// How much is written in one go.
const BUFFER_BYTES: usize = 256 << 10;
/// What stands for a key or value that is not there, as in Kafka's console consumer.
const NULL: &[u8] = b"null";

/// How a record is printed.
#[derive(Debug)]
pub(crate) struct Format {
    /// What goes between key and value; without it the key is left out.
    pub(crate) key_separator: Option<Vec<u8>>,
}

/// Stdout without the buffer of the standard library, which would hide how much of it was written when a write fails.
#[derive(Debug)]
pub(crate) struct Output {
    file: File,
    format: Format,
    buffer: Vec<u8>,
    /// Where in the buffer each record ends.
    ends: Vec<usize>,
}

impl Output {
    pub(crate) fn new(format: Format) -> io::Result<Self> {
        Ok(Self { file: stdout()?, format, buffer: Vec::new(), ends: Vec::new() })
    }

    /// Writes these records, and tells how many were written whole: all of them unless there is an error.
    pub(crate) fn write(&mut self, records: &[ConsumerRecord]) -> (usize, io::Result<()>) {
        let mut written = 0;
        for record in records {
            self.push(record);
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

    fn push(&mut self, record: &ConsumerRecord) {
        if let Some(separator) = &self.format.key_separator {
            self.buffer.extend_from_slice(record.key.as_deref().unwrap_or(NULL));
            self.buffer.extend_from_slice(separator);
        }
        self.buffer.extend_from_slice(record.value.as_deref().unwrap_or(NULL));
        self.buffer.push(b'\n');
        self.ends.push(self.buffer.len());
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

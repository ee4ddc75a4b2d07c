//! Where the lines come from: a thread that reads a file or stdin chunk by chunk, so that the command can do something
//! else meanwhile, and hear that it should end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use bytes::{Bytes, BytesMut};

use crate::failure::{Failure, Result};
use crate::interrupt::on_interrupt;

const CHUNK_BYTES: usize = 1 << 20;
/// A buffer with less room than this is not read into any more. Pipes hold this much.
const CHUNK_BYTES_MIN: usize = 64 << 10;
/// How many chunks are read ahead.
const CHUNKS_AHEAD: usize = 4;

/// What happened to the input.
#[derive(Debug)]
pub(crate) enum Event {
    /// Some bytes were read.
    Chunk(Bytes),
    /// There is no more to read.
    End,
    /// Reading failed.
    Failed(io::Error),
    /// Somebody wants the command to end.
    Interrupted,
}

/// An input that is being read.
#[derive(Debug)]
pub(crate) struct Input {
    events: Receiver<Event>,
    is_interrupted: Arc<AtomicBool>,
}

impl Input {
    /// Waits for what happens next. What has been read counts no more once somebody wants the command to end.
    pub(crate) fn next(&self) -> Event {
        let event = self.events.recv().ok();
        event.filter(|_| !self.is_interrupted.load(Ordering::Relaxed)).unwrap_or(Event::Interrupted)
    }
}

/// Begins to read `file`, or stdin if there is none.
pub(crate) fn start(file: Option<&Path>) -> Result<Input> {
    let source: Box<dyn Read + Send> = match file {
        Some(path) => {
            let cannot_open = |error| Failure::because(format!("cannot open {}", path.display()), error);
            Box::new(File::open(path).map_err(cannot_open)?)
        }
        None => Box::new(io::stdin()),
    };
    let (sender, events) = sync_channel(CHUNKS_AHEAD);
    let input = Input { events, is_interrupted: Arc::default() };
    let (is_interrupted, interrupted) = (input.is_interrupted.clone(), sender.clone());
    on_interrupt(move || {
        is_interrupted.store(true, Ordering::Relaxed);
        // Where there is no room for it, something is there to be received anyway. To wait would be not to hear who
        // asks again.
        let _ = interrupted.try_send(Event::Interrupted);
    })?;
    // Nobody waits for this thread: it may be in a read that never returns.
    thread::spawn(move || read_chunks(source, &sender));
    Ok(input)
}

/// Reads to the end, or until nobody wants more.
fn read_chunks(mut source: impl Read, events: &SyncSender<Event>) {
    let mut buffer = BytesMut::zeroed(CHUNK_BYTES);
    loop {
        if buffer.len() < CHUNK_BYTES_MIN {
            buffer = BytesMut::zeroed(CHUNK_BYTES);
        }
        let event = match source.read(&mut buffer) {
            Ok(0) => Event::End,
            Ok(len) => Event::Chunk(buffer.split_to(len).freeze()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Event::Failed(error),
        };
        let is_last = !matches!(event, Event::Chunk(_));
        if events.send(event).is_err() || is_last {
            return;
        }
    }
}

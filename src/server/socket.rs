//! A client's TCP connection, through which files can be sent.
//!
//! A part of a file that is not in memory makes the call wait for the disk. So it is then made where that may be, on a
//! thread for work that blocks, and not on those that all connections share. What is in memory is sent at once: to hand
//! it to another thread, for each time that the socket takes some more, costs as much as sending it. The socket itself
//! never blocks.
//!
//! A client on the same machine copies what it is sent from the very pages of the file, and may be woken for each few
//! of them, which takes longer than a copy that is made here. So for that one, files are sent from only where that
//! spares a thread from waiting for the disk.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::executor;
use super::outgoing::Outgoing;
pub(super) use crate::io::socket::take_ipv4_too;
use crate::io::{FileRange, socket};

/// How much is sent at once, before others get their turn.
const PART_BYTES: usize = 512 * 1024;

/// A connection. Clones are the same one; one task reads from it, and one writes to it.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    stream: Arc<TcpStream>,
    /// What is in memory is copied, whatever file it is in.
    copies_memory: bool,
}

/// The side that is read from, and the one that is written to.
pub(super) fn split(stream: TcpStream, sendfile_to_local: bool) -> (Socket, Socket) {
    let copies_memory = !sendfile_to_local && is_local(&stream);
    let socket = Socket { stream: Arc::new(stream), copies_memory };
    (socket.clone(), socket)
}

/// Whether both ends are on this machine, as far as their addresses tell.
fn is_local(stream: &TcpStream) -> bool {
    match (stream.peer_addr(), stream.local_addr()) {
        (Ok(peer), Ok(here)) => peer.ip().to_canonical().is_loopback() || peer.ip() == here.ip(),
        _ => false,
    }
}

impl Socket {
    /// Holds back packets that are not full, or lets them go. What is copied is written in one piece.
    pub(super) fn cork(&self, is_corked: bool) -> io::Result<()> {
        if self.copies_memory { Ok(()) } else { socket::cork(&*self.stream, is_corked) }
    }

    /// Whether this is to be copied from memory, although it is in a file.
    pub(super) fn copies(&self, range: &FileRange) -> bool {
        self.copies_memory && range.is_in_memory()
    }

    /// Sends all of a range. Fails if the client takes nothing of it for `stall_max`.
    pub(super) async fn send(&self, range: &FileRange, stall_max: Duration) -> io::Result<()> {
        // A client that gets copies is sent from files what was found not to be in memory.
        let (mut sent, mut may_block) = (0, self.copies_memory);
        while sent < range.size() {
            timeout(stall_max, self.stream.writable()).await??;
            let part = range.part(sent, PART_BYTES);
            // Not asked again then: to look brings in what is looked at.
            may_block = may_block || !part.is_in_memory();
            let result = if may_block {
                let socket = self.clone();
                executor::run(move || socket.try_send(&part)).await
            } else {
                self.try_send(&part)
            };
            sent += match result {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(more) => more,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }

    fn try_send(&self, range: &FileRange) -> io::Result<usize> {
        self.stream.try_io(Interest::WRITABLE, || range.send_to(&*self.stream))
    }
}

impl Outgoing for Socket {
    const SENDS_FILES: bool = true;

    fn socket(&self) -> Option<Socket> {
        Some(self.clone())
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        when(|| self.stream.poll_read_ready(context), || self.stream.try_read_buf(buffer).map(drop))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        when(|| self.stream.poll_write_ready(context), || self.stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        when(|| self.stream.poll_write_ready(context), || self.stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(socket::shutdown_writing(&*self.stream))
    }
}

/// Tries once the socket is ready, and again where it turns out not to be.
fn when<T>(
    mut is_ready: impl FnMut() -> Poll<io::Result<()>>,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    loop {
        ready!(is_ready())?;
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}

//! A client's TCP connection, through which files can be sent.
//!
//! A part of a file that is not in memory makes the call wait for the disk. So it is then made where that may be, on a
//! thread for work that blocks, and not on those that all connections share. What is in memory is sent at once: to hand it
//! to another thread, for each time that the socket takes some more, costs as much as sending it. The socket itself never
//! blocks.

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
use crate::io::{FileRange, socket};

/// How much is sent at once, before others get their turn.
const PART_BYTES: usize = 512 * 1024;

/// A connection. Clones are the same one; one task reads from it, and one writes to it.
#[derive(Clone, Debug)]
pub(super) struct Socket(Arc<TcpStream>);

/// The side that is read from, and the one that is written to.
pub(super) fn split(stream: TcpStream) -> (Socket, Socket) {
    let socket = Socket(Arc::new(stream));
    (socket.clone(), socket)
}

impl Socket {
    /// Holds back packets that are not full, or lets them go.
    pub(super) fn cork(&self, is_corked: bool) -> io::Result<()> {
        socket::cork(&*self.0, is_corked)
    }

    /// Sends all of a range. Fails if the client takes nothing of it for `stall_max`.
    pub(super) async fn send(&self, range: &FileRange, stall_max: Duration) -> io::Result<()> {
        let mut sent = 0;
        while sent < range.size() {
            timeout(stall_max, self.0.writable()).await??;
            let part = range.part(sent, PART_BYTES);
            let result = if part.is_in_memory() {
                self.try_send(&part)
            } else {
                let socket = self.clone();
                executor::run(move || socket.try_send(&part)).await
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
        self.0.try_io(Interest::WRITABLE, || range.send_to(&*self.0))
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
        when(|| self.0.poll_read_ready(context), || self.0.try_read_buf(buffer).map(drop))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        when(|| self.0.poll_write_ready(context), || self.0.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        when(|| self.0.poll_write_ready(context), || self.0.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(socket::shutdown_writing(&*self.0))
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

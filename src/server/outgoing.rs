//! Responses on their way out: written from where they are in memory, or sent from the files that they are in.
//!
//! What a fetch has read may be a range of a file. Over a socket without TLS the system sends that by itself: no byte of it
//! is touched here, and none is copied on the way to the network.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncWrite, WriteHalf};

use super::socket::Socket;
use crate::net::codec::Encoded;
use crate::net::transport::{write_chunks, write_frame};

/// What responses are written to.
pub(super) trait Outgoing: AsyncWrite + Unpin {
    /// Whether it sends files.
    const SENDS_FILES: bool = false;

    /// The socket that it is. None where what is sent is not what the socket gets, or there is none.
    fn socket(&self) -> Option<Socket> {
        None
    }
}

/// That of a pipe, of TLS, or of a stream of the caller's.
impl<S> Outgoing for WriteHalf<S> where Self: AsyncWrite {}

/// Writes all of a response, and returns how much of it was sent from files. Fails if the client takes nothing of it for
/// `stall_max`.
pub(super) async fn write_response(
    to: &mut impl Outgoing,
    response: &Encoded,
    stall_max: Duration,
) -> io::Result<usize> {
    let Some(socket) = to.socket().filter(|_| !response.files().is_empty()) else {
        write_frame(to, response, stall_max).await?;
        return Ok(0);
    };
    // The pieces are to fill packets together.
    socket.cork(true)?;
    let (mut chunks, mut done, mut sent) = (response.chunks(), 0, 0);
    for (index, range) in response.files() {
        let (before, rest) = chunks.split_at(index - done);
        write_chunks(to, before, stall_max).await?;
        socket.send(range, stall_max).await?;
        (chunks, done, sent) = (&rest[1..], index + 1, sent + range.size());
    }
    write_chunks(to, chunks, stall_max).await?;
    socket.cork(false)?;
    Ok(sent)
}

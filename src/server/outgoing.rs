//! Responses on their way out: written from where they are in memory, or sent from the files that they are in.
//!
//! What a fetch has read may be a range of a file. Over a socket without TLS the system sends that by itself: no byte
//! of it is touched here, and none is copied on the way to the network.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt, WriteHalf};
use tokio::time::timeout;

use super::socket::Socket;
use crate::net::codec::Encoded;
use crate::net::transport::write_chunks;

/// How much of a file is sent, or copied, before it is looked at what follows.
const PART_BYTES: usize = 1 << 20;

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

/// Writes all of the responses, together where that takes one call, and returns how much of them was sent from files.
/// Fails if the client takes nothing of them for `stall_max`.
pub(super) async fn write_responses<'a>(
    to: &mut impl Outgoing,
    responses: impl Iterator<Item = &'a Encoded> + Clone,
    stall_max: Duration,
) -> io::Result<usize> {
    let have_files = responses.clone().any(|response| !response.files().is_empty());
    let socket = to.socket().filter(|_| have_files);
    // The pieces are to fill packets together.
    socket.iter().try_for_each(|socket| socket.cork(true))?;
    let (mut waiting, mut is_copied, mut sent) = (Vec::new(), false, 0);
    for response in responses {
        let mut files = response.files().iter().peekable();
        for (index, chunk) in response.chunks().iter().enumerate() {
            let file = files.next_if(|(at, _)| *at == index);
            let Some((socket, (_, range))) = socket.as_ref().zip(file) else {
                waiting.push(chunk.clone());
                continue;
            };
            for start in (0..range.size()).step_by(PART_BYTES) {
                let part = range.part(start, PART_BYTES);
                // First what waits, which may take long: it is asked what is in memory then.
                if is_copied {
                    write_waiting(to, &mut waiting, stall_max).await?;
                }
                is_copied = socket.copies(&part);
                if is_copied {
                    waiting.push(chunk.slice(start..start + part.size()));
                    continue;
                }
                write_waiting(to, &mut waiting, stall_max).await?;
                socket.send(&part, stall_max).await?;
                sent += part.size();
            }
        }
    }
    write_waiting(to, &mut waiting, stall_max).await?;
    socket.iter().try_for_each(|socket| socket.cork(false))?;
    timeout(stall_max, to.flush()).await??;
    Ok(sent)
}

async fn write_waiting(to: &mut impl Outgoing, waiting: &mut Vec<Bytes>, stall_max: Duration) -> io::Result<()> {
    write_chunks(to, std::mem::take(waiting).iter(), stall_max).await
}

//! Frames over a stream of bytes, both ways.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::codec::Encoded;
use super::frame::FrameBuffer;
use super::protocol_error::ProtocolError;

/// Why a connection ended, or a request over it has no response.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The stream failed.
    #[error("the connection failed")]
    Io(#[source] Arc<io::Error>),

    /// The other side sent what is no message, or a message can't be sent. Only the first ends the connection.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),

    /// A response carries another number than the request that is to be answered next.
    #[error("response {received} came where {expected} is next")]
    CorrelationId {
        /// The number of the request.
        expected: i32,
        /// That of the response.
        received: i32,
    },

    /// The TLS handshake failed: one side doesn't accept what the other shows, or doesn't speak it (Kafka's
    /// `SslAuthenticationException`). Trying again won't help.
    #[error("the TLS handshake failed")]
    Tls(#[source] Arc<io::Error>),

    /// The broker doesn't let the client in, or has not shown that it knows the client's password (Kafka's
    /// `SaslAuthenticationException`). Trying again won't help.
    #[error("the login failed: {0}")]
    Authentication(String),

    /// The connection was closed before the response came. Whether the request was carried out is not known.
    #[error("the connection is closed")]
    Closed,
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

/// Reads up to the end of the next frame. `None` if the stream ends before one begins.
///
/// What was read stays in `frames`, so that a call that is dropped loses nothing.
pub(crate) async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
    frames: &mut FrameBuffer,
) -> Result<Option<Bytes>, ConnectionError> {
    loop {
        if let Some(frame) = frames.next_frame()? {
            return Ok(Some(frame));
        }
        if or_gone(stream.read_buf(frames.with_room()).await)? == 0 {
            return if frames.is_empty() { Ok(None) } else { Err(ConnectionError::Closed) };
        }
    }
}

/// Programs that just end take no leave, as TLS has it. Where a frame ends or not shows what is missing.
pub(crate) fn or_gone(read: io::Result<usize>) -> io::Result<usize> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        read => read,
    }
}

/// Writes all of a frame, its pieces from where they are. Fails if the other side takes nothing of it for `stall_max`.
pub(crate) async fn write_frame(
    stream: &mut (impl AsyncWrite + Unpin),
    frame: &Encoded,
    stall_max: Duration,
) -> io::Result<()> {
    write_chunks(stream, frame.chunks().iter(), stall_max).await?;
    timeout(stall_max, stream.flush()).await?
}

/// Writes pieces of frames from where they are, without a flush.
pub(crate) async fn write_chunks(
    stream: &mut (impl AsyncWrite + Unpin),
    chunks: impl Iterator<Item = &Bytes>,
    stall_max: Duration,
) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = chunks.map(|chunk| IoSlice::new(chunk)).collect();
    let mut left = &mut slices[..];
    while !left.is_empty() {
        match timeout(stall_max, stream.write_vectored(left)).await?? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut left, written),
        }
    }
    Ok(())
}

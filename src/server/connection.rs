//! One connection: requests in, responses out, in the same order.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::broker::Broker;
use super::dispatch::dispatch;
use crate::net::frame::FrameBuffer;
use crate::net::transport::{ConnectionError, read_frame, write_frame};

/// How long a client may take to read a response once the server stops.
const GRACE: Duration = Duration::from_secs(1);

/// Answers requests until the client has no more, does what it may not, or the server stops.
///
/// One request is under way at a time: batches are appended in the order in which they come, which idempotent producers
/// need, and a client that doesn't read its responses is not read from.
pub(super) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    broker: &Arc<Broker>,
    client_host: &Arc<str>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), ConnectionError> {
    let mut frames = FrameBuffer::new(broker.socket_request_max_bytes);
    loop {
        let frame = tokio::select! {
            frame = read_frame(&mut stream, &mut frames) => frame?,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        let Some(frame) = frame else { return Ok(()) };
        let Some(response) = dispatch(broker, frame, client_host, &stop).await? else { continue };
        tokio::select! {
            written = write_frame(&mut stream, &response) => written?,
            () = grace(&mut stop) => return Ok(()),
        }
    }
}

async fn grace(stop: &mut watch::Receiver<bool>) {
    // An error means that the server is gone.
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(GRACE).await;
}

//! A client's connection: requests go out as they come, and each gets its response.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::api::ApiKey;
use super::codec::Encoded;
use super::frame::{FrameBuffer, SOCKET_REQUEST_MAX_BYTES};
use super::header::{RequestHeader, ResponseHeader};
use super::messages::{Body, Request, request_frame};
use super::transport::{ConnectionError, read_frame, write_frame};

/// How many requests may wait to be written before [`Connection::send`] waits itself.
const QUEUED_REQUESTS_MAX: usize = 64;
/// For how long a connection that was dropped waits for the other side to close it too.
const LINGER_MAX: Duration = Duration::from_secs(30);

/// A connection to a broker.
///
/// Any number of requests may be under way at once: they are written in the order in which they are sent, without
/// waiting for the responses of those before, which come in the same order. A response of more than 100 MiB ends it.
/// Closed when it is dropped. Its futures need a tokio runtime, that in which it was made.
#[derive(Debug)]
pub struct Connection {
    requests: mpsc::Sender<Outgoing>,
    awaited: Arc<Mutex<Awaited>>,
    next_correlation_id: AtomicI32,
    client_id: Option<String>,
    /// When it is time to log in anew, if the login isn't good for ever.
    pub(super) log_in_again_at: Option<Instant>,
}

#[derive(Debug)]
struct Outgoing {
    frame: Encoded,
    /// `None` for a request that has no response.
    response: Option<Response>,
}

/// A response that is to come.
#[derive(Debug)]
struct Response {
    api_key: ApiKey,
    version: i16,
    correlation_id: i32,
    receiver: oneshot::Sender<Result<Bytes, ConnectionError>>,
}

/// The responses that are to come, in order.
#[derive(Debug, Default)]
struct Awaited {
    responses: VecDeque<Response>,
    /// Why there will be none.
    ended: Option<ConnectionError>,
}

/// A socket to a broker.
pub(super) async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Requests are written whole: there is nothing to gather.
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Connection {
    /// Connects over TCP, as to a listener that asks for nothing. [`Connector`](super::Connector) knows of others.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Io`].
    pub async fn connect(address: SocketAddr) -> Result<Self, ConnectionError> {
        Ok(Self::over(open(address).await?))
    }

    /// Speaks over a stream that is there.
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let (mut incoming, mut outgoing) = tokio::io::split(stream);
        let (requests, mut queue) = mpsc::channel(QUEUED_REQUESTS_MAX);
        let awaited = Arc::new(Mutex::new(Awaited::default()));
        let both = awaited.clone();
        tokio::spawn(async move {
            let mut reading = pin!(read_responses(&mut incoming, &both));
            let error = tokio::select! {
                error = &mut reading => error,
                written = write_requests(&mut outgoing, &mut queue, &both) => match written {
                    Err(error) => error.into(),
                    // To close on what is still coming would take from the other side what it has not read yet.
                    Ok(()) => timeout(LINGER_MAX, reading).await.unwrap_or(ConnectionError::Closed),
                },
            };
            both.lock().end(error);
        });
        Self { requests, awaited, next_correlation_id: AtomicI32::new(0), client_id: None, log_in_again_at: None }
    }

    /// Names the client in its requests from now on (`client.id`).
    #[must_use]
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Whether most of the time is over for which the client's login is good, after which the broker ends the
    /// connection (`connections.max.reauth.ms`, KIP-368). It is for another connection to take its place: over this one
    /// the client doesn't log in again.
    pub fn is_expiring(&self) -> bool {
        self.log_in_again_at.is_some_and(|at| Instant::now() >= at)
    }

    /// Sends a request in version `version` and waits for its response.
    ///
    /// A future that is dropped takes nothing back: the request may be carried out.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Protocol`] if the request can't be sent in this version; it was not sent then. The others end
    /// the connection for good.
    pub async fn send<R: Request>(&self, request: &R, version: i16) -> Result<R::Response, ConnectionError> {
        let header = self.header(R::API_KEY, version);
        let (receiver, response) = oneshot::channel();
        let frame = request_frame(&header, request)?;
        let correlation_id = header.correlation_id;
        let response_to_come = Response { api_key: R::API_KEY, version, correlation_id, receiver };
        self.queue(Outgoing { frame, response: Some(response_to_come) }).await?;
        let body = response.await.map_err(|_| self.ended())??;
        Ok(R::Response::from_bytes(body, version)?)
    }

    /// Sends a request that has no response: a `ProduceRequest` with `acks` 0.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_without_response<R: Request>(&self, request: &R, version: i16) -> Result<(), ConnectionError> {
        let frame = request_frame(&self.header(R::API_KEY, version), request)?;
        self.queue(Outgoing { frame, response: None }).await
    }

    fn header(&self, api_key: ApiKey, api_version: i16) -> RequestHeader {
        let correlation_id = self.next_correlation_id.fetch_add(1, Ordering::Relaxed);
        RequestHeader { api_key, api_version, correlation_id, client_id: self.client_id.clone() }
    }

    async fn queue(&self, outgoing: Outgoing) -> Result<(), ConnectionError> {
        self.requests.send(outgoing).await.map_err(|_| self.ended())
    }

    /// Why nothing goes out any more.
    fn ended(&self) -> ConnectionError {
        self.awaited.lock().ended.clone().unwrap_or(ConnectionError::Closed)
    }
}

impl Awaited {
    fn end(&mut self, error: ConnectionError) {
        for response in self.responses.drain(..) {
            // Who doesn't wait any more isn't told.
            let _ = response.receiver.send(Err(error.clone()));
        }
        self.ended.get_or_insert(error);
    }
}

/// Writes requests until nobody is left to send any.
async fn write_requests(
    stream: &mut (impl AsyncWrite + Unpin),
    queue: &mut mpsc::Receiver<Outgoing>,
    awaited: &Mutex<Awaited>,
) -> io::Result<()> {
    while let Some(Outgoing { frame, response }) = queue.recv().await {
        // Before it is written: the response may be quick.
        awaited.lock().responses.extend(response);
        write_frame(stream, &frame, Duration::MAX).await?;
    }
    // The other side sees the end.
    stream.shutdown().await
}

/// Hands out responses until the connection ends, and says why it did.
async fn read_responses(stream: &mut (impl AsyncRead + Unpin), awaited: &Mutex<Awaited>) -> ConnectionError {
    let mut frames = FrameBuffer::new(SOCKET_REQUEST_MAX_BYTES);
    loop {
        let mut frame = match read_frame(stream, &mut frames).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return ConnectionError::Closed,
            Err(error) => return error,
        };
        let Some(response) = awaited.lock().responses.pop_front() else { return ConnectionError::Closed };
        let header = ResponseHeader::decode(&mut frame, response.api_key, response.version);
        let result = match header {
            Ok(header) if header.correlation_id == response.correlation_id => Ok(frame),
            Ok(header) => Err(ConnectionError::CorrelationId {
                expected: response.correlation_id,
                received: header.correlation_id,
            }),
            Err(error) => Err(error.into()),
        };
        let error = result.as_ref().err().cloned();
        let _ = response.receiver.send(result);
        if let Some(error) = error {
            return error;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;
    use crate::net::messages::ApiVersionsRequest;

    #[tokio::test(start_paused = true)]
    async fn requests_that_were_not_written_yet_end_with_the_connection() {
        let (here, mut there) = duplex(1);
        let connection = Connection::over(here);
        let request = ApiVersionsRequest::default();
        // The first is stuck on its way, the others wait behind it.
        let send = || timeout(LINGER_MAX, connection.send(&request, 0));
        let (first, second, ended) = tokio::join!(send(), send(), there.shutdown());
        ended.expect("a pipe");
        for sent in [first, second, send().await] {
            assert!(matches!(sent, Ok(Err(ConnectionError::Closed))), "{sent:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_was_dropped_does_not_wait_for_ever() {
        let (here, mut there) = duplex(1 << 10);
        let connection = Connection::over(here);
        connection.send_without_response(&ApiVersionsRequest::default(), 0).await.expect("a request");
        drop(connection);
        let mut sent = Vec::new();
        assert!(there.read_to_end(&mut sent).await.expect("a pipe") > 0, "what was to be sent was");
        there.write_all(&[0]).await.expect("it listens still");
        tokio::time::sleep(LINGER_MAX * 2).await;
        assert!(there.write_all(&[0]).await.is_err(), "all of it is gone");
    }
}

//! A client's connection: requests go out as they come, and each gets its response.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::api::ApiKey;
use super::codec::Encoded;
use super::frame::{FrameBuffer, SOCKET_REQUEST_MAX_BYTES};
use super::header::{RequestHeader, ResponseHeader};
use super::messages::{Body, Request, request_frame};
use super::transport::{ConnectionError, read_frame, write_frame};

/// How many requests may wait to be written before [`Connection::send`] waits itself.
const QUEUED_REQUESTS_MAX: usize = 64;

/// A connection to a broker.
///
/// Any number of requests may be under way at once: they are written in the order in which they are sent, without
/// waiting for the responses of those before, which come in the same order. Closed when it is dropped. Its futures need
/// a tokio runtime, that in which it was made.
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
        let (requests, mut queue) = mpsc::channel::<Outgoing>(QUEUED_REQUESTS_MAX);
        let awaited = Arc::new(Mutex::new(Awaited::default()));
        let reader = awaited.clone();
        tokio::spawn(async move {
            let error = read_responses(&mut incoming, &reader).await;
            reader.lock().end(error);
        });
        let writer = awaited.clone();
        tokio::spawn(async move {
            while let Some(Outgoing { frame, response }) = queue.recv().await {
                // Before it is written: the response may be quick.
                if !response.is_none_or(|response| writer.lock().expect(response)) {
                    continue;
                }
                if let Err(error) = write_frame(&mut outgoing, &frame, Duration::MAX).await {
                    writer.lock().end(error.into());
                }
            }
            // Nobody is left to send: the other side sees the end.
            let _ = outgoing.shutdown().await;
        });
        Self { requests, awaited, next_correlation_id: AtomicI32::new(0), client_id: None, log_in_again_at: None }
    }

    /// Names the client in its requests from now on (`client.id`).
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Whether most of the time is over for which the client's login is good, after which the broker ends the connection
    /// (`connections.max.reauth.ms`, KIP-368). It is for another connection to take its place: over this one the client
    /// doesn't log in again.
    pub fn is_expiring(&self) -> bool {
        self.log_in_again_at.is_some_and(|at| Instant::now() >= at)
    }

    /// Sends a request in version `version` and waits for its response.
    ///
    /// A future that is dropped takes nothing back: the request may be carried out.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Protocol`] if the request can't be sent in this version; it was not sent then. The others end the
    /// connection for good.
    pub async fn send<R: Request>(&self, request: &R, version: i16) -> Result<R::Response, ConnectionError> {
        let header = self.header(R::API_KEY, version);
        let (receiver, response) = oneshot::channel();
        let frame = request_frame(&header, request)?;
        let correlation_id = header.correlation_id;
        let response_to_come = Response { api_key: R::API_KEY, version, correlation_id, receiver };
        self.queue(Outgoing { frame, response: Some(response_to_come) }).await?;
        let body = response.await.map_err(|_| ConnectionError::Closed)??;
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
        if let Some(error) = self.awaited.lock().ended.clone() {
            return Err(error);
        }
        self.requests.send(outgoing).await.map_err(|_| ConnectionError::Closed)
    }
}

impl Awaited {
    /// Whether it is to be sent: not if the connection has ended.
    fn expect(&mut self, response: Response) -> bool {
        match &self.ended {
            Some(error) => {
                let _ = response.receiver.send(Err(error.clone()));
                false
            }
            None => {
                self.responses.push_back(response);
                true
            }
        }
    }

    fn end(&mut self, error: ConnectionError) {
        for response in self.responses.drain(..) {
            // Who doesn't wait any more isn't told.
            let _ = response.receiver.send(Err(error.clone()));
        }
        self.ended.get_or_insert(error);
    }
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

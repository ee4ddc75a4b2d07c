//! What clients may take together: connections, and memory for their requests.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use crate::config::{ServerConfig, invalid};
use crate::error::Result;

/// How long a client that holds room may do nothing about it while others wait for room, and how quick it has to be
/// beyond that: to send the rest of a request, or to take the response. Without it a few clients that announce large
/// requests and say no more would stop all others.
const PATIENCE: Duration = Duration::from_secs(5);
const PACE_BYTES_PER_SECOND: usize = 64 * 1024;

/// How many times the bytes of its frame a request may take in memory once it is decoded, and how many it may take in
/// any case, before that counts. Those of honest clients take less.
const DECODED_RATIO: usize = 4;
pub(super) const SMALL_BYTES: usize = 64 * 1024;
/// The part of the memory that is for small requests alone, as a divisor.
const SMALL_SHARE: u32 = 8;
/// What a request may keep, once it has begun, without being counted: whoever waits for all the room that there is must
/// not wait for every long poll.
const NEGLIGIBLE_BYTES: usize = 4096;

/// What frames of clients that haven't logged in may take, beside all others: strangers take nothing away from those
/// who are in. Those that are as small as that of an honest client don't count, so that they never wait.
#[cfg(feature = "sasl")]
const LOGIN_BYTES_MAX: u32 = 8 * 1024 * 1024;
#[cfg(feature = "sasl")]
pub(super) const SMALL_LOGIN_BYTES: usize = 8 * 1024;

#[derive(Debug)]
pub(super) struct Limits {
    connections: Arc<Semaphore>,
    connections_per_ip_max: usize,
    connections_max_of_ip: HashMap<IpAddr, usize>,
    by_ip: Mutex<HashMap<IpAddr, usize>>,
    /// For small requests, so that they never wait behind large ones that somebody announces and doesn't send; and for
    /// all others.
    small: Pool,
    large: Pool,
    /// For those who are to log in.
    #[cfg(feature = "sasl")]
    logins: Pool,
    /// How many clients wait for room.
    waiting: watch::Sender<usize>,
}

/// Memory that requests share.
#[derive(Debug)]
struct Pool {
    bytes: Arc<Semaphore>,
    bytes_max: u32,
}

impl Pool {
    fn new(bytes_max: u32) -> Self {
        Self { bytes: Arc::new(Semaphore::new(bytes_max as usize)), bytes_max }
    }
}

/// Room for a request.
#[derive(Debug)]
pub(super) struct Room {
    limits: Arc<Limits>,
    frame: OwnedSemaphorePermit,
    /// What it takes beyond that.
    more: Option<OwnedSemaphorePermit>,
    /// How many bytes the request takes, once it is decoded.
    decoded: usize,
    since: Instant,
}

/// The right to a connection from an address, until it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    limits: Arc<Limits>,
    ip: IpAddr,
}

impl Limits {
    /// # Errors
    ///
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) if a host in `max.connections.per.ip.overrides` has no
    /// address.
    pub(super) fn new(config: &ServerConfig) -> Result<Arc<Self>> {
        let at_most = |number: i32| usize::try_from(number).unwrap_or(0);
        let request_bytes_max = config.queued_max_request_bytes.min(Semaphore::MAX_PERMITS);
        let request_bytes_max = u32::try_from(request_bytes_max).unwrap_or(u32::MAX);
        let small_bytes_max = request_bytes_max / SMALL_SHARE;
        let small_bytes_max = if small_bytes_max as usize >= SMALL_BYTES { small_bytes_max } else { 0 };
        let mut connections_max_of_ip = HashMap::new();
        for (host, max) in &config.max_connections_per_ip_overrides {
            // As Java takes it: one address of each. Most are addresses, which nobody needs to be asked for.
            let address = (host.as_str(), 0).to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
            let address = address
                .ok_or_else(|| invalid("max.connections.per.ip.overrides", host, "hosts that have an address"))?;
            connections_max_of_ip.insert(address.ip().to_canonical(), at_most(*max));
        }
        Ok(Arc::new(Self {
            connections: Arc::new(Semaphore::new(at_most(config.max_connections))),
            connections_per_ip_max: at_most(config.max_connections_per_ip),
            connections_max_of_ip,
            by_ip: Mutex::default(),
            small: Pool::new(small_bytes_max),
            large: Pool::new(request_bytes_max - small_bytes_max),
            #[cfg(feature = "sasl")]
            logins: Pool::new(LOGIN_BYTES_MAX),
            waiting: watch::Sender::new(0),
        }))
    }

    /// Waits until there may be another connection (`max.connections`).
    pub(super) async fn one_more(&self) -> OwnedSemaphorePermit {
        acquire(&self.connections, 1).await
    }

    /// Gives a connection to a client at `ip`, unless there are as many from there as there may be
    /// (`max.connections.per.ip` and its overrides).
    pub(super) fn admit(self: &Arc<Self>, ip: IpAddr) -> Option<ConnectionSlot> {
        let mut by_ip = self.by_ip.lock();
        let count = by_ip.get(&ip).copied().unwrap_or(0);
        if count >= self.connections_max_of_ip.get(&ip).copied().unwrap_or(self.connections_per_ip_max) {
            return None;
        }
        by_ip.insert(ip, count + 1);
        Some(ConnectionSlot { limits: self.clone(), ip })
    }

    /// Waits until a request of so many bytes may be read (`queued.max.request.bytes`). One that is larger than the
    /// limit has all of it. Whoever waits has its turn before those who came later, for as long as it keeps the future.
    pub(super) fn room_for(self: &Arc<Self>, bytes: usize) -> impl Future<Output = Room> + Send + use<> {
        let limits = self.clone();
        async move {
            let is_small = bytes <= SMALL_BYTES && limits.small.bytes_max > 0;
            let pool = if is_small { &limits.small } else { &limits.large };
            let bytes = at_most(bytes, pool.bytes_max);
            let frame = match pool.bytes.clone().try_acquire_many_owned(bytes) {
                Ok(permit) => permit,
                Err(_) => {
                    let _waiting = Waiting::begin(&limits.waiting);
                    acquire(&pool.bytes, bytes).await
                }
            };
            Room { limits: limits.clone(), frame, more: None, decoded: 0, since: Instant::now() }
        }
    }

    /// Waits until a frame of so many bytes may be read of a client that is to log in. None if it takes no room.
    #[cfg(feature = "sasl")]
    pub(super) async fn room_for_login(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        if bytes <= SMALL_LOGIN_BYTES {
            return None;
        }
        Some(acquire(&self.logins.bytes, at_most(bytes, self.logins.bytes_max)).await)
    }

    /// Returns when others wait for room that a client should have given back by `due`, with why it is let go then;
    /// never if there is none.
    pub(super) async fn wanted_back(&self, due: Option<Instant>) -> io::Error {
        match due {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
        // The sender is here.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting > 0).await;
        io::Error::new(io::ErrorKind::TimedOut, "others wait for the memory of a slow request")
    }
}

fn at_most(bytes: usize, max: u32) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX).min(max)
}

impl Room {
    /// Makes it large enough for a request that takes so many bytes now that it is decoded.
    ///
    /// # Errors
    ///
    /// If there is no memory left for that: who waited for it with what it has could wait for ever.
    pub(super) fn hold_decoded(&mut self, bytes: usize) -> io::Result<()> {
        let held = self.held();
        self.decoded = bytes;
        if bytes <= held.saturating_mul(DECODED_RATIO).max(SMALL_BYTES) {
            return Ok(());
        }
        let large = &self.limits.large;
        let missing = at_most(bytes, large.bytes_max).saturating_sub(at_most(held, large.bytes_max));
        let more = large.bytes.clone().try_acquire_many_owned(missing).map_err(|_| {
            let message = "a request takes more memory than is left (queued.max.request.bytes)";
            io::Error::new(io::ErrorKind::OutOfMemory, message)
        })?;
        self.more = Some(more);
        Ok(())
    }

    fn held(&self) -> usize {
        std::iter::once(&self.frame).chain(&self.more).map(OwnedSemaphorePermit::num_permits).sum()
    }

    /// Keeps no more than what was decoded: the frame is gone once a request has begun.
    pub(super) fn let_go_of_frame(&mut self) {
        let kept = if self.decoded > NEGLIGIBLE_BYTES { self.decoded } else { 0 };
        let mut surplus = self.held().saturating_sub(kept);
        for permit in std::iter::once(&mut self.frame).chain(&mut self.more) {
            let released = permit.split(surplus.min(permit.num_permits()));
            surplus -= released.map_or(0, |released| released.num_permits());
        }
        self.begin_anew();
    }

    /// The time that a client has begins now.
    pub(super) fn begin_anew(&mut self) {
        self.since = Instant::now();
    }

    /// Until when a client that has sent so many bytes of a request has time for the rest.
    pub(super) fn due(&self, sent: usize) -> Instant {
        self.since + PATIENCE + Duration::from_secs_f64(sent as f64 / PACE_BYTES_PER_SECOND as f64)
    }

    /// Until when a request that has begun should be answered, and the client have taken that. One that keeps next to
    /// nothing may wait for as long as it likes.
    pub(super) fn due_once_begun(&self) -> Option<Instant> {
        let held = self.held();
        (held > 0).then(|| self.due(held))
    }
}

/// A client waits for room as long as this lives.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn begin(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

async fn acquire(semaphore: &Arc<Semaphore>, permits: u32) -> OwnedSemaphorePermit {
    match semaphore.clone().acquire_many_owned(permits).await {
        Ok(permit) => permit,
        // Nobody closes them.
        Err(_) => std::future::pending().await,
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut by_ip = self.limits.by_ip.lock();
        match by_ip.get_mut(&self.ip) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(by_ip.remove(&self.ip)),
        }
    }
}

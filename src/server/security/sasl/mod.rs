//! SASL: a client says who it is, and shows it, before anything else is answered (KIP-43, KIP-152, KIP-368).
//!
//! ```text
//!   ApiVersions?  SaslHandshake 1 (a mechanism)  SaslAuthenticate (a token), once or twice  → let in
//!                 SaslHandshake 0                tokens in frames of their own              → let in
//! ```
//!
//! [`login`] is that exchange as a state machine, without I/O; [`scram`] and [`plain`] are the mechanisms;
//! [`credentials`] is what is known of passwords. Here is what connects them to a connection.

mod attempts;
pub(in crate::server) mod credentials;
mod login;
mod plain;
mod scram;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};

pub use attempts::CONCURRENT_LOGINS_MAX;

use super::{Entrance, LOGIN_MAX};
use crate::config::{Jaas, ListenerSecurity, Password, SaslMechanism, invalid};
use crate::error::Result;
use crate::net::ApiKey;
use crate::net::frame::FrameBuffer;
use crate::net::transport::{ConnectionError, or_gone, write_frame};
use crate::server::executor;
use crate::server::limits::{Limits, SMALL_LOGIN_BYTES};
use crate::store::Store;
use attempts::Attempts;
use login::{Login, Step};

/// What a listener wants to know of its clients.
#[derive(Debug)]
pub(super) struct Sasl {
    mechanisms: Vec<SaslMechanism>,
    /// The users that the configuration names, with their passwords.
    plain_users: HashMap<String, Password>,
    /// The others.
    store: Store,
    /// What salts are made of for users that aren't there. It stays over a restart, as those of others do, and no
    /// client is told it; only in a directory that was Kafka's it was known in that cluster.
    secret: [u8; 16],
    receive_bytes_max: usize,
    failure_delay: Duration,
    /// For how long a login is good, where it isn't for as long as the connection is.
    sessions_max: BTreeMap<SaslMechanism, Duration>,
    attempts: Attempts,
}

/// Who a client is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Session {
    mechanism: SaslMechanism,
    user: String,
    /// Until when it is taken for that.
    expires: Option<Instant>,
}

impl Session {
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// Whether a request is the beginning of another login, which there can be where this one ends some time.
    pub(super) fn is_renewed_by(&self, request: &[u8]) -> Result<bool, ConnectionError> {
        let Some(expires) = self.expires else { return Ok(false) };
        let is_handshake = request.first_chunk() == Some(&ApiKey::SaslHandshake.key().to_be_bytes());
        if !is_handshake && Instant::now() >= expires {
            tracing::info!("the login has expired (connections.max.reauth.ms)");
            return Err(ConnectionError::Closed);
        }
        Ok(is_handshake)
    }
}

impl Sasl {
    /// # Errors
    ///
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) names the config that is missing, or can't be read;
    /// [`Error::MalformedFile`](crate::Error::MalformedFile) the file of users.
    pub(super) fn new(security: &ListenerSecurity, store: &Store) -> Result<Self> {
        let plain_users = Self::users_of(security)?;
        // A file of users that can't be read shows now.
        if store.scram_users()?.is_empty() && plain_users.is_empty() {
            tracing::warn!("there are no users yet: nobody can log in (`esker user add` makes one)");
        }
        let session_max = |mechanism: &SaslMechanism| {
            let own_ms = match mechanism {
                SaslMechanism::Plain => security.plain_connections_max_reauth_ms,
                SaslMechanism::ScramSha256 => security.scram_sha_256_connections_max_reauth_ms,
                SaslMechanism::ScramSha512 => security.scram_sha_512_connections_max_reauth_ms,
            };
            let max = Duration::from_millis(own_ms.unwrap_or(security.connections_max_reauth_ms));
            (!max.is_zero()).then_some((*mechanism, max))
        };
        Ok(Self {
            mechanisms: security.sasl_enabled_mechanisms.clone(),
            plain_users,
            store: store.clone(),
            secret: store.directory_id().to_bytes(),
            receive_bytes_max: security.sasl_server_max_receive_size,
            failure_delay: Duration::from_millis(security.connection_failed_authentication_delay_ms),
            sessions_max: security.sasl_enabled_mechanisms.iter().filter_map(session_max).collect(),
            attempts: Attempts::default(),
        })
    }

    /// The users that the configuration names, with their passwords.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) names the config that is missing, or can't be read.
    pub(super) fn users_of(security: &ListenerSecurity) -> Result<HashMap<String, Password>> {
        if security.sasl_enabled_mechanisms.is_empty() {
            let expected =
                "a list of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, for a listener of SASL_PLAINTEXT or SASL_SSL";
            return Err(invalid("sasl.enabled.mechanisms", "", expected));
        }
        options("scram-sha-256.sasl.jaas.config", &security.scram_sha_256_sasl_jaas_config, "ScramLoginModule")?;
        options("scram-sha-512.sasl.jaas.config", &security.scram_sha_512_sasl_jaas_config, "ScramLoginModule")?;
        let plain = options("plain.sasl.jaas.config", &security.plain_sasl_jaas_config, "PlainLoginModule")?;
        let user = |(name, password): (String, String)| {
            Some((name.strip_prefix("user_")?.to_owned(), Password::new(password)))
        };
        Ok(plain.into_iter().filter_map(user).collect())
    }

    /// Lets a client say who it is. None if it leaves, or isn't who it says; then it has been told so.
    ///
    /// `again` is who the client was until now, and the request by which it begins anew.
    pub(super) async fn log_in<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        self: &Arc<Self>,
        entrance: Entrance<'_, R, W>,
        again: Option<(Session, Bytes)>,
    ) -> Result<Option<Session>, ConnectionError> {
        let Entrance { frames, reading, writing, broker, limits } = entrance;
        let request_bytes_max = frames.limit(self.receive_bytes_max);
        let (before, mut first) = again.unzip();
        let mut login = Login::new(self.clone(), broker.served, before);
        loop {
            let next = match first.take() {
                Some(frame) => Some((frame, None)),
                None => next_frame(reading, frames, limits).await?,
            };
            let Some((frame, room)) = next else { return Ok(None) };
            let attempt = self.attempts.begin(&broker.client_host).await;
            let told_from = Instant::now() + self.failure_delay;
            // It may read the file of users, and takes its time to look at a password.
            let (next, step) = executor::run(move || {
                let step = login.step(frame);
                drop(room);
                (login, step)
            })
            .await;
            login = next;
            let decided = |is_let_in| {
                let mechanism = login.mechanism().map_or("unknown", SaslMechanism::name);
                broker.metrics.authenticated(mechanism, is_let_in);
            };
            match step? {
                Step::Answered(response) => {
                    drop(attempt);
                    write_frame(writing, &response, LOGIN_MAX).await?;
                }
                Step::Done(response, session) => {
                    decided(true);
                    drop(attempt);
                    write_frame(writing, &response, LOGIN_MAX).await?;
                    frames.limit(request_bytes_max);
                    return Ok(Some(session));
                }
                Step::Refused(response, reason) => {
                    tracing::info!(%reason, "a login fails");
                    decided(false);
                    // How long it took says nothing, and the next guess comes no sooner.
                    sleep_until(told_from).await;
                    drop(attempt);
                    if let Some(response) = response {
                        write_frame(writing, &response, LOGIN_MAX).await?;
                    }
                    writing.shutdown().await?;
                    return Ok(None);
                }
            }
        }
    }
}

/// The next frame of a client, which is not read before there is room for it, and that room. None if it leaves.
async fn next_frame(
    reading: &mut (impl AsyncRead + Unpin),
    frames: &mut FrameBuffer,
    limits: &Limits,
) -> Result<Option<(Bytes, Option<OwnedSemaphorePermit>)>, ConnectionError> {
    let mut room = None;
    loop {
        if let Some(frame) = frames.next_frame()? {
            if room.is_some() {
                frames.let_go_of_taken();
            }
            return Ok(Some((frame, room)));
        }
        if room.is_none()
            && let Some(bytes) = frames.next_size()?
        {
            room = limits.room_for_login(bytes).await;
        }
        // Little of what comes behind the frame, for which there is no room yet.
        if or_gone(reading.read_buf(&mut frames.with_room().limit(SMALL_LOGIN_BYTES)).await)? == 0 {
            return if frames.is_empty() { Ok(None) } else { Err(ConnectionError::Closed) };
        }
    }
}

/// The options of a login module, of which a config that isn't set has none.
fn options(key: &str, config: &Password, module: &str) -> Result<Vec<(String, String)>> {
    if !config.is_set() {
        return Ok(Vec::new());
    }
    let jaas = Jaas::parse(config.secret()).filter(|jaas| jaas.module == module);
    let expected = || invalid(key, "[hidden]", format!("{module} required [option=\"value\"]...;"));
    jaas.map(|jaas| jaas.options).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::config::ServerConfig;

    /// What comes of a client that sends all of `sent` at once, and how much of it is in memory.
    fn read(sent: &[u8], limits: &Limits) -> (Option<OwnedSemaphorePermit>, usize) {
        let (mut sent, mut frames) = (sent, FrameBuffer::new(1 << 20));
        let polled = {
            let next = pin!(next_frame(&mut sent, &mut frames, limits));
            next.poll(&mut Context::from_waker(Waker::noop()))
        };
        match polled {
            Poll::Ready(next) => {
                let (frame, room) = next.expect("a frame").expect("a frame");
                (room, frame.len())
            }
            Poll::Pending => (None, frames.len()),
        }
    }

    #[test]
    fn strangers_take_so_much_memory_together_and_not_from_those_with_small_tokens() {
        let limits = Limits::new(&ServerConfig::default()).expect("valid");
        let sent = |bytes: u32| [&bytes.to_be_bytes()[..], &vec![0; bytes as usize]].concat();
        let (large, small) = (sent(524_288), sent(8192));
        let mut rooms: Vec<_> = (0..16).map(|_| read(&large, &limits).0.expect("room")).collect();
        let (room, bytes) = read(&large, &limits);
        assert!(room.is_none() && bytes <= 8192, "{bytes} bytes are in memory of one that waits");
        assert_eq!(read(&small, &limits).1, 8192);
        rooms.pop();
        assert_eq!(read(&large, &limits).1, 524_288);
    }

    #[test]
    fn the_memory_of_a_large_token_goes_with_it() {
        let limits = Limits::new(&ServerConfig::default()).expect("valid");
        let mut sent = &[&524_288_u32.to_be_bytes()[..], &[0; 524_288]].concat()[..];
        let mut frames = FrameBuffer::new(1 << 20);
        let polled = pin!(next_frame(&mut sent, &mut frames, &limits)).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Ok(Some((frame, room)))) = polled else { panic!("there is room for it") };
        assert_eq!((frame.len(), room.is_some()), (524_288, true));
        drop(frame);
        // What was kept would be used again for one of that size, for which so much room isn't made at once.
        frames.extend(&524_288_u32.to_be_bytes());
        let kept = frames.with_room().capacity();
        assert!(kept < 524_288, "{kept} bytes are kept beyond the room that it had");
    }
}

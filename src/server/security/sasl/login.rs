//! How a client logs in, request by request: a state machine without I/O.

use std::sync::Arc;

use bytes::Bytes;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::plain::Plain;
use super::scram::{Challenge, ClientFirst, ScramError};
use super::{Sasl, Session};
use crate::config::{SaslMechanism, ScramMechanism};
use crate::error::Error;
use crate::net::codec::Encoded;
use crate::net::frame::bare_frame;
use crate::net::messages::{
    ApiVersionsRequest, ApiVersionsResponse, Body, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse, response_frame,
};
use crate::net::security::sasl::hash::{random, readable};
use crate::net::{ApiKey, ErrorCode, ProtocolError, RequestHeader};
use crate::server::broker::Served;
use crate::server::handler::api_versions;
use crate::store::{ScramCredential, ScramUsers};

/// A client on its way in.
#[derive(Debug)]
pub(super) struct Login {
    sasl: Arc<Sasl>,
    /// What it may ask for once it is in, which is told before.
    served: Served,
    /// Who it was until now, if it is in already.
    before: Option<Session>,
    mechanism: Option<SaslMechanism>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It is to name a mechanism.
    Handshake,
    /// It is to send a token.
    Authenticate { mechanism: SaslMechanism, has_headers: bool, exchange: Exchange },
    /// It has sent its last.
    Over,
}

#[derive(Debug)]
enum Exchange {
    First,
    Challenged(Box<Challenge>),
}

/// What comes of a request.
#[derive(Debug)]
pub(super) enum Step {
    /// The client goes on.
    Answered(Encoded),
    /// It is in.
    Done(Encoded, Session),
    /// It is not: it is told so, if it can be, and the connection ends.
    Refused(Option<Encoded>, Refusal),
}

/// Why a client isn't let in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0:?} is not a request for now")]
    IllegalState(ApiKey),
    #[error("mechanism {0:?} is not enabled")]
    Mechanism(String),
    #[error("another mechanism, or another user, than before")]
    Other,
    #[error("no user has this name and this password")]
    Plain,
    #[error(transparent)]
    Scram(#[from] ScramError),
    #[error("the users are not known: {0}")]
    Store(#[from] Error),
}

/// What a token comes to: another one, with the user if it was the last.
type Evaluated = Result<(Vec<u8>, Option<String>), Refusal>;

impl Login {
    pub(super) fn new(sasl: Arc<Sasl>, served: Served, before: Option<Session>) -> Self {
        Self { sasl, served, before, mechanism: None, state: State::Handshake }
    }

    /// The mechanism that was agreed on, if that happened.
    pub(super) fn mechanism(&self) -> Option<SaslMechanism> {
        self.mechanism
    }

    /// Takes the next frame of the client. May block.
    ///
    /// # Errors
    ///
    /// What is no request.
    pub(super) fn step(&mut self, mut request: Bytes) -> Result<Step, ProtocolError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Handshake => self.handshake(&RequestHeader::decode(&mut request)?, request),
            State::Authenticate { mechanism, has_headers: false, exchange } => {
                match self.evaluate(mechanism, exchange, &request, false) {
                    Ok((token, user)) => Ok(self.goes_on(bare_frame(&token)?, mechanism, user)),
                    Err(refusal) => Ok(Step::Refused(None, refusal)),
                }
            }
            State::Authenticate { mechanism, has_headers: true, exchange } => {
                let header = RequestHeader::decode(&mut request)?;
                match header.api_key {
                    ApiKey::SaslAuthenticate => self.authenticate(&header, request, mechanism, exchange),
                    _ => refuse_in_between(&header, request),
                }
            }
            State::Over => Ok(Step::Refused(None, Refusal::Other)),
        }
    }

    fn handshake(&mut self, header: &RequestHeader, body: Bytes) -> Result<Step, ProtocolError> {
        let version = header.api_version;
        match header.api_key {
            ApiKey::ApiVersions => {
                self.state = State::Handshake;
                Ok(Step::Answered(api_versions::respond(self.served, header, body)?))
            }
            ApiKey::SaslHandshake => {
                let asked = SaslHandshakeRequest::from_bytes(body, version)?.mechanism;
                let found = self.sasl.mechanisms.iter().copied().find(|mechanism| mechanism.name() == asked);
                let error_code = if found.is_some() { ErrorCode::NONE } else { ErrorCode::UNSUPPORTED_SASL_MECHANISM };
                let mechanisms = self.sasl.mechanisms.iter().map(|mechanism| mechanism.name().to_owned()).collect();
                let response = response_frame(header, &SaslHandshakeResponse { error_code, mechanisms })?;
                let Some(mechanism) = found else {
                    return Ok(Step::Refused(Some(response), Refusal::Mechanism(asked)));
                };
                let has_headers = version >= 1;
                self.mechanism = found;
                self.state = State::Authenticate { mechanism, has_headers, exchange: Exchange::First };
                Ok(Step::Answered(response))
            }
            // There is no need to read what it says.
            other => Ok(Step::Refused(None, Refusal::IllegalState(other))),
        }
    }

    fn authenticate(
        &mut self,
        header: &RequestHeader,
        body: Bytes,
        mechanism: SaslMechanism,
        exchange: Exchange,
    ) -> Result<Step, ProtocolError> {
        let token = SaslAuthenticateRequest::from_bytes(body, header.api_version)?.auth_bytes;
        match self.evaluate(mechanism, exchange, &token, true) {
            Ok((token, user)) => {
                let session_lifetime_ms = match (&user, self.sasl.sessions_max.get(&mechanism)) {
                    (Some(_), Some(max)) => i64::try_from(max.as_millis()).unwrap_or(i64::MAX),
                    _ => 0,
                };
                let response =
                    SaslAuthenticateResponse { auth_bytes: token.into(), session_lifetime_ms, ..Default::default() };
                Ok(self.goes_on(response_frame(header, &response)?, mechanism, user))
            }
            Err(refusal) => {
                let message = self.told(mechanism, &refusal);
                let error_code = ErrorCode::SASL_AUTHENTICATION_FAILED;
                let response =
                    SaslAuthenticateResponse { error_code, error_message: Some(message), ..Default::default() };
                Ok(Step::Refused(Some(response_frame(header, &response)?), refusal))
            }
        }
    }

    /// What a client is told that is refused, in the words of Kafka's brokers. Which of the reasons it was is not for
    /// it to know.
    fn told(&self, mechanism: SaslMechanism, refusal: &Refusal) -> String {
        if matches!(refusal, Refusal::Plain) {
            return "Authentication failed: Invalid username or password".to_owned();
        }
        let attempt = if self.before.is_some() { "re-authentication" } else { "authentication" };
        let mechanism = mechanism.name();
        format!("Authentication failed during {attempt} due to invalid credentials with SASL mechanism {mechanism}")
    }

    fn goes_on(&self, response: Encoded, mechanism: SaslMechanism, user: Option<String>) -> Step {
        match user {
            None => Step::Answered(response),
            Some(user) => {
                let expires = self.sasl.sessions_max.get(&mechanism).map(|max| Instant::now() + *max);
                Step::Done(response, Session { mechanism, user, expires })
            }
        }
    }

    fn evaluate(&mut self, mechanism: SaslMechanism, exchange: Exchange, token: &[u8], has_headers: bool) -> Evaluated {
        let (token, user) = match (ScramMechanism::of(mechanism), exchange) {
            (None, _) => (Vec::new(), Some(self.sasl.check_plain(token)?)),
            (Some(scram), Exchange::First) => {
                let challenge = self.sasl.challenge(scram, token)?;
                let message = challenge.message().as_bytes().to_vec();
                let exchange = Exchange::Challenged(Box::new(challenge));
                self.state = State::Authenticate { mechanism, has_headers, exchange };
                (message, None)
            }
            (Some(_), Exchange::Challenged(challenge)) => {
                let (user, message) = challenge.finish(token)?;
                (message.into_bytes(), Some(user))
            }
        };
        let is_another =
            |before: &Session| user.as_ref().is_some_and(|user| (mechanism, user) != (before.mechanism, &before.user));
        match &self.before {
            Some(before) if is_another(before) => Err(Refusal::Other),
            _ => Ok((token, user)),
        }
    }
}

/// Another request than the next token, which is told why if its response can say so.
fn refuse_in_between(header: &RequestHeader, body: Bytes) -> Result<Step, ProtocolError> {
    let error_code = ErrorCode::ILLEGAL_SASL_STATE;
    let response = match header.api_key {
        ApiKey::SaslHandshake => {
            SaslHandshakeRequest::from_bytes(body, header.api_version)?;
            Some(response_frame(header, &SaslHandshakeResponse { error_code, ..Default::default() })?)
        }
        ApiKey::ApiVersions => {
            ApiVersionsRequest::from_bytes(body, header.api_version)?;
            Some(response_frame(header, &ApiVersionsResponse { error_code, ..Default::default() })?)
        }
        _ => None,
    };
    Ok(Step::Refused(response, Refusal::IllegalState(header.api_key)))
}

impl Sasl {
    fn challenge(&self, mechanism: ScramMechanism, token: &[u8]) -> Result<Challenge, Refusal> {
        let first = ClientFirst::parse(token)?;
        let users = self.store.scram_users()?;
        let credential = self.credential(&users, &first.user, mechanism);
        let nonce = readable(&random::<32>()?);
        Ok(first.challenge(mechanism, credential, &String::from_utf8_lossy(&nonce)))
    }

    /// The user whose name and password these are: one of the configuration, or else one that has a credential for
    /// SCRAM.
    fn check_plain(&self, token: &[u8]) -> Result<String, Refusal> {
        let Plain { user, password } = Plain::parse(token).ok_or(Refusal::Plain)?;
        let is_so = match self.plain_users.get(user) {
            Some(known) => bool::from(known.secret().as_bytes().ct_eq(password.as_bytes())),
            None => {
                let users = self.store.scram_users()?;
                // As many hashes for somebody who isn't there, or has one credential alone.
                let is_of = |mechanism| self.credential(&users, user, mechanism).is_of(mechanism, password);
                ScramMechanism::ALL.iter().copied().any(is_of)
            }
        };
        if is_so { Ok(user.to_owned()) } else { Err(Refusal::Plain) }
    }

    /// A user's credential, or one that he could have. That is made for whoever asks: otherwise it would take longer
    /// for somebody who isn't there.
    fn credential(&self, users: &ScramUsers, user: &str, mechanism: ScramMechanism) -> ScramCredential {
        let fake = ScramCredential::fake(mechanism, user, users, &self.secret);
        users.get(user).and_then(|of_user| of_user.get(&mechanism)).cloned().unwrap_or(fake)
    }
}
